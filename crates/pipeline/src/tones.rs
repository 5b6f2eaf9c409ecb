//! Dialled digits, in and out: DTMF as telephone-events beside the audio of the same stream.
//!
//! `heard` makes one report of each tone out of a leg's event packets; `sent` turns a row of digits into the packets
//! of a receiver's stream. Both run in the tick; [`Tones`] is made on control threads. Invariant: a tone is
//! reported exactly once, however often its packets come. Not here: tones inside the audio.
//! Spec: RFC 4733 §2.

mod heard;
mod sent;

use std::time::Duration;

use antiphon_rtp::telephone_event::TelephoneEvent;

pub(crate) use heard::{Report, ToneReader};
pub(crate) use sent::{ToneSender, ToneStep};

/// Milliseconds of a tick.
const TICK_MS: u64 = 20;

/// A row of digits to send, with the time each takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tones {
    codes: [u8; Self::MAX],
    len: u8,
    tone_ticks: u8,
    gap_ticks: u8,
}

/// Why a row of digits cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TonesError {
    /// There is no digit.
    #[error("there is no digit to send")]
    Empty,
    /// More than [`Tones::MAX`].
    #[error("{0} digits at a time, at most {max} can be sent", max = Tones::MAX)]
    TooMany(usize),
    /// Not a key of a telephone.
    #[error("{digit:?} at place {place} is no digit: 0 to 9, *, #, A to D")]
    NotADigit {
        /// What stands there.
        digit: char,
        /// Where, from 1.
        place: usize,
    },
    /// A tone or gap is too short to be told apart, or too long.
    #[error("a {what} of {given:?} is outside 40 ms to 1 s")]
    Length {
        /// `tone` or `gap`.
        what: &'static str,
        /// What was asked for.
        given: Duration,
    },
}

impl Tones {
    /// Most digits in a row.
    pub const MAX: usize = 32;
    /// How long a tone lasts unless said otherwise.
    pub const TONE: Duration = Duration::from_millis(100);
    /// How long the silence behind it lasts unless said otherwise.
    pub const GAP: Duration = Duration::from_millis(80);

    /// These digits (`0` to `9`, `*`, `#`, `A` to `D` in either case), 100 ms each and 80 ms apart.
    ///
    /// # Errors
    /// [`TonesError`] names what is no digit.
    pub fn new(digits: &str) -> Result<Self, TonesError> {
        let count = digits.chars().count();
        match count {
            0 => return Err(TonesError::Empty),
            count if count > Self::MAX => return Err(TonesError::TooMany(count)),
            _ => {}
        }
        let mut codes = [0; Self::MAX];
        for (at, digit) in digits.chars().enumerate() {
            codes[at] = TelephoneEvent::code_of(digit).ok_or(TonesError::NotADigit { digit, place: at + 1 })?;
        }
        let ticks = |span: Duration| (span.as_millis() as u64).div_ceil(TICK_MS) as u8;
        Ok(Self { codes, len: count as u8, tone_ticks: ticks(Self::TONE), gap_ticks: ticks(Self::GAP) })
    }

    /// The same digits, each `tone` long with `gap` of silence behind it: 40 ms to 1 s, rounded up to whole ticks
    /// of 20 ms; a gap has at least the three ticks that the repeated end of a tone takes.
    ///
    /// # Errors
    /// [`TonesError::Length`].
    pub fn timed(mut self, tone: Duration, gap: Duration) -> Result<Self, TonesError> {
        let ticks = |what, given: Duration| {
            let fits = (Duration::from_millis(40)..=Duration::from_secs(1)).contains(&given);
            if fits {
                Ok(given.as_millis().div_ceil(u128::from(TICK_MS)) as u8)
            } else {
                Err(TonesError::Length { what, given })
            }
        };
        (self.tone_ticks, self.gap_ticks) = (ticks("tone", tone)?, ticks("gap", gap)?.max(sent::ENDS));
        Ok(self)
    }

    /// How many digits.
    #[must_use]
    pub fn count(&self) -> usize {
        usize::from(self.len)
    }

    /// How long sending takes.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let ticks = u64::from(self.len) * u64::from(self.tone_ticks + self.gap_ticks);
        Duration::from_millis(ticks * TICK_MS)
    }

    fn codes(&self) -> &[u8] {
        &self.codes[..self.count()]
    }
}

/// Digits are secrets at times (PINs): only their number is shown.
impl std::fmt::Debug for Tones {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tones").field("count", &self.len).field("duration", &self.duration()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_row_of_digits_is_refused_by_name() {
        assert_eq!(Tones::new("12#*aD").map(|tones| tones.count()), Ok(6));
        assert_eq!(Tones::new(""), Err(TonesError::Empty));
        assert_eq!(Tones::new(&"1".repeat(33)), Err(TonesError::TooMany(33)));
        assert_eq!(Tones::new("12é4"), Err(TonesError::NotADigit { digit: 'é', place: 3 }));
        let tones = Tones::new("1").unwrap();
        let ms = Duration::from_millis;
        assert_eq!(tones.duration(), ms(180));
        assert_eq!(tones.timed(ms(41), ms(40)).map(|tones| tones.duration()), Ok(ms(120)));
        assert_eq!(tones.timed(ms(39), ms(80)), Err(TonesError::Length { what: "tone", given: ms(39) }));
        assert_eq!(tones.timed(ms(40), ms(1_001)), Err(TonesError::Length { what: "gap", given: ms(1_001) }));
        assert!(!format!("{:?}", Tones::new("1234").unwrap()).contains("1234"));
    }
}
