//! Values that travel as text of a given form: `Edm.Guid`, `Edm.DateTimeOffset`, `Edm.Duration`.
//!
//! Each keeps the text as it came, so that seven fraction digits or an id in
//! upper case without dashes come back unchanged, and gives the value where the
//! text has the form. Text of another form is kept, as an unknown enum member
//! is: a service refuses it, a client looks on. Equality is that of the text.
//! Spec: OData JSON Format 4.01 §7.1; OData ABNF `guidValue`, `dateTimeOffsetValue`, `durationValue`.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! wire_text {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is written.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it was received or made.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Whether the text has the form it must have.
            pub fn is_well_formed(&self) -> bool {
                self.value().is_some()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

wire_text! {
    /// A GUID, dashed or not, in any case.
    Guid
}

wire_text! {
    /// A point in time with an offset, ISO 8601.
    DateTimeOffset
}

wire_text! {
    /// A span of days, hours, minutes and seconds, ISO 8601: `PT0.03S`.
    IsoDuration
}

impl Guid {
    /// The value, or `None` if the text is no GUID.
    pub fn value(&self) -> Option<uuid::Uuid> {
        // Braces and `urn:uuid:` are forms of other formats.
        let text = self.0.as_bytes();
        text.first().filter(|byte| byte.is_ascii_hexdigit())?;
        uuid::Uuid::try_parse_ascii(text).ok()
    }
}

impl From<uuid::Uuid> for Guid {
    fn from(value: uuid::Uuid) -> Self {
        Self::new(value.to_string())
    }
}

impl DateTimeOffset {
    /// The value, or `None` if the text is no point in time with an offset.
    pub fn value(&self) -> Option<jiff::Timestamp> {
        self.0.parse().ok()
    }
}

impl From<jiff::Timestamp> for DateTimeOffset {
    fn from(value: jiff::Timestamp) -> Self {
        Self::new(value.to_string())
    }
}

impl IsoDuration {
    /// The value, or `None` if the text is no duration.
    pub fn value(&self) -> Option<jiff::SignedDuration> {
        // Jiff also reads a form for people, which is not the wire's.
        let unsigned = self.0.strip_prefix(['-', '+']).unwrap_or(&self.0);
        let (days, time) = unsigned.strip_prefix('P')?.split_once('T').unwrap_or((&unsigned[1..], ""));
        let days: i64 = match days.strip_suffix('D') {
            Some(days) if days.bytes().all(|byte| byte.is_ascii_digit()) => days.parse().ok()?,
            None if days.is_empty() && !time.is_empty() => 0,
            _ => return None,
        };
        let days = jiff::SignedDuration::from_secs(days.checked_mul(86_400)?);
        let time = if time.is_empty() {
            jiff::SignedDuration::ZERO
        } else {
            format!("PT{time}").parse::<jiff::SignedDuration>().ok()?
        };
        let total = days.checked_add(time)?;
        if self.0.starts_with('-') { total.checked_neg() } else { Some(total) }
    }
}

impl IsoDuration {
    /// Whether it is a span as the official Python SDK writes one, with days and a clock: `0:20:00`, `1 day, 2:00:00.005000`.
    ///
    /// Not the wire's form, but that SDK knows no other, so requests carry it.
    pub fn is_clock_span(&self) -> bool {
        let is_number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
            digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let clock = match self.0.split_once(", ") {
            Some((days, clock)) => {
                let days = days.strip_prefix('-').unwrap_or(days);
                let count = days.strip_suffix(" days").or_else(|| days.strip_suffix(" day"));
                if !count.is_some_and(|count| is_number(count, 1..=9)) {
                    return false;
                }
                clock
            }
            None => &self.0,
        };
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let mut parts = whole.split(':');
        let below = |part: Option<&str>, digits, limit: u32| {
            part.filter(|part| is_number(part, digits))
                .is_some_and(|part| part.parse().is_ok_and(|part: u32| part < limit))
        };
        let fits = below(parts.next(), 1..=2, 24) && below(parts.next(), 2..=2, 60) && below(parts.next(), 2..=2, 60);
        fits && parts.next().is_none() && is_number(fraction, 1..=6)
    }
}

impl From<std::time::Duration> for IsoDuration {
    fn from(value: std::time::Duration) -> Self {
        let (seconds, nanos) = (value.as_secs(), value.subsec_nanos());
        let fraction = format!(".{nanos:09}");
        Self::new(format!("PT{seconds}{}S", fraction.trim_end_matches('0').trim_end_matches('.')))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn guids_are_read_with_and_without_dashes_and_kept_as_written() {
        let value = uuid::uuid!("57dab8b1-894c-409a-b240-bd8beae78896");
        for text in ["57dab8b1-894c-409a-b240-bd8beae78896", "57DAB8B1894C409AB240BD8BEAE78896"] {
            assert_eq!(Guid::new(text).value(), Some(value));
            assert_eq!(Guid::new(text).as_str(), text);
        }
        for text in ["", "x", "{57dab8b1-894c-409a-b240-bd8beae78896}", "57dab8b1-894c-409a-b240-bd8beae7889"] {
            assert!(!Guid::new(text).is_well_formed(), "{text}");
        }
        assert_eq!(Guid::from(value).value(), Some(value));
    }

    #[test]
    fn points_in_time_need_an_offset() {
        let value: jiff::Timestamp = "2024-04-04T10:11:12.1234567Z".parse().unwrap();
        assert_eq!(DateTimeOffset::new("2024-04-04T12:11:12.1234567+02:00").value(), Some(value));
        assert_eq!(DateTimeOffset::from(value).value(), Some(value));
        for text in ["", "2024-04-04", "2024-04-04T10:11:12", "yesterday", "2024-13-04T10:11:12Z"] {
            assert!(!DateTimeOffset::new(text).is_well_formed(), "{text}");
        }
    }

    #[test]
    fn durations_have_days_and_times_and_nothing_else() {
        for (text, value) in [
            ("PT0.03S", SignedDuration::from_millis(30)),
            ("P1DT2H3M4S", SignedDuration::from_secs(93_784)),
            ("P2D", SignedDuration::from_secs(172_800)),
            ("-PT1M", SignedDuration::from_secs(-60)),
        ] {
            assert_eq!(IsoDuration::new(text).value(), Some(value), "{text}");
        }
        for text in ["", "P", "PT", "30ms", "1 hour", "P1Y", "P1M", "P1W", "PT1S1M", "P99999999999999999999D", "P-1D"] {
            assert!(!IsoDuration::new(text).is_well_formed(), "{text}");
        }
    }

    #[test]
    fn spans_of_the_python_sdk_are_told_from_durations() {
        for text in ["0:20:00", "0:00:00.005000", "1 day, 2:00:00", "-1 day, 23:59:59.5", "30 days, 0:00:00"] {
            assert!(IsoDuration::new(text).is_clock_span(), "{text}");
            assert!(!IsoDuration::new(text).is_well_formed(), "{text}");
        }
        for text in [
            "",
            "PT20M",
            "20:00",
            "0:60:00",
            "24:00:00",
            "0:0:0",
            "0:00:00.",
            "day, 0:00:00",
            "1 week, 0:00:00",
            "1:2:3:4",
        ] {
            assert!(!IsoDuration::new(text).is_clock_span(), "{text}");
        }
    }

    #[test]
    fn durations_are_written_as_seconds() {
        for (value, text) in [
            (Duration::from_millis(30), "PT0.03S"),
            (Duration::from_secs(60), "PT60S"),
            (Duration::ZERO, "PT0S"),
            (Duration::from_nanos(1), "PT0.000000001S"),
        ] {
            assert_eq!(IsoDuration::from(value).as_str(), text);
            assert_eq!(IsoDuration::from(value).value(), SignedDuration::try_from(value).ok());
        }
    }
}
