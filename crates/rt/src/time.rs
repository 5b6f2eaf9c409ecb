//! [`MonoTime`]: the one clock type of the real-time crates.
//!
//! In the flow: stamped by the network thread and the runner, an argument everywhere else.
//! Invariants: never goes backwards within one source; never mixed with RTP time or sample counts.
//! Not here: reading a clock (see [`MonoClock`](crate::MonoClock)).

use std::ops::{Add, AddAssign};
use std::time::Duration;

/// A point in monotonic time: nanoseconds since an epoch chosen by whoever owns the clock.
///
/// In production the epoch is that of [`MonoClock`](crate::MonoClock); in tests it is a virtual clock's zero.
/// Points from different clocks must not be compared. 64 bits of nanoseconds last 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(u64);

impl MonoTime {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// Later than any real point; useful as "no deadline".
    pub const MAX: Self = Self(u64::MAX);

    /// The point `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The point `millis` milliseconds after the epoch (saturating).
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero if `earlier` is in fact later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Time from `earlier` to `self`; `None` if `earlier` is in fact later.
    #[must_use]
    pub fn checked_since(self, earlier: Self) -> Option<Duration> {
        self.0.checked_sub(earlier.0).map(Duration::from_nanos)
    }

    /// The point `span` before this one; the epoch if that would lie before it.
    #[must_use]
    pub const fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

/// `span` in whole nanoseconds, saturating at 584 years.
#[expect(clippy::cast_possible_truncation, reason = "clamped to u64::MAX first")]
const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

impl Add<Duration> for MonoTime {
    type Output = Self;

    /// The point `span` later, saturating at [`MonoTime::MAX`].
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl AddAssign<Duration> for MonoTime {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let t = MonoTime::from_nanos(5);
        assert_eq!(t + Duration::from_nanos(7), MonoTime::from_nanos(12));
        assert_eq!(MonoTime::MAX + Duration::from_secs(1), MonoTime::MAX);
        assert_eq!(MonoTime::ZERO + Duration::MAX, MonoTime::MAX);
        assert_eq!(t.saturating_sub(Duration::from_secs(1)), MonoTime::ZERO);
        assert_eq!(t.saturating_since(MonoTime::from_nanos(9)), Duration::ZERO);
        assert_eq!(t.checked_since(MonoTime::from_nanos(9)), None);
        assert_eq!(MonoTime::from_millis(2).checked_since(t), Some(Duration::from_nanos(1_999_995)));
        assert_eq!(MonoTime::from_millis(u64::MAX), MonoTime::MAX);
    }
}
