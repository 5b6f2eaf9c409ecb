//! Command-line values with units: shares and spans.
//!
//! Owns their text forms. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A share of datagrams, written `5%` or `0.05`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Share(f64);

impl Share {
    /// As a fraction, 0 to 1.
    pub(crate) fn fraction(self) -> f64 {
        self.0
    }

    /// As percent, 0 to 100.
    pub(crate) fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = || format!("write a share like 5% or 0.05, at most 90%, not {text:?}");
        let (digits, scale) = text.trim().strip_suffix('%').map_or((text.trim(), 1.0), |digits| (digits, 0.01));
        let value: f64 = digits.trim().parse().map_err(|_| usage())?;
        let share = value * scale;
        if (0.0..=0.9).contains(&share) { Ok(Self(share)) } else { Err(usage()) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.percent())
    }
}

/// A short span, written `30ms`, `0.03s` or `30` (milliseconds).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span(Duration);

impl Span {
    /// As a duration.
    pub(crate) fn duration(self) -> Duration {
        self.0
    }

    /// As milliseconds.
    pub(crate) fn millis(self) -> f64 {
        self.0.as_secs_f64() * 1000.0
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let usage = || format!("write a span like 30ms or 0.03s, at most 2s, not {text:?}");
        let text_trimmed = text.trim();
        let (digits, scale) = match (text_trimmed.strip_suffix("ms"), text_trimmed.strip_suffix('s')) {
            (Some(digits), _) => (digits, 0.001),
            (None, Some(digits)) => (digits, 1.0),
            (None, None) => (text_trimmed, 0.001),
        };
        let value: f64 = digits.trim().parse().map_err(|_| usage())?;
        let seconds = value * scale;
        if (0.0..=2.0).contains(&seconds) { Ok(Self(Duration::from_secs_f64(seconds))) } else { Err(usage()) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_with_and_without_percent() {
        let percent = |text: &str| text.parse::<Share>().map(Share::percent);
        assert_eq!(percent("5%"), Ok(5.0));
        assert_eq!(percent("0.05"), Ok(5.0));
        assert_eq!(percent(" 12.5 %"), Ok(12.5));
        for wrong in ["", "%", "5", "-1%", "91%", "nan", "five"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_are_read_in_milliseconds_and_seconds() {
        let millis = |text: &str| text.parse::<Span>().map(Span::millis);
        assert_eq!(millis("30ms"), Ok(30.0));
        assert_eq!(millis("30"), Ok(30.0));
        assert_eq!(millis("0.03s"), Ok(30.0));
        for wrong in ["", "ms", "s", "-5ms", "3s", "NaN", "inf"] {
            assert!(millis(wrong).is_err(), "{wrong}");
        }
    }
}
