//! [`VirtualClock`]: time that passes only when a test says so.
//!
//! In the flow: a simulated call advances it by ticks and passes its `now` to everything that takes a time.
//! Invariant: never goes back; the same steps give the same times, so the same seed gives the same bytes.

use std::time::Duration;

use antiphon_rt::MonoTime;

/// A clock that stands still until advanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualClock {
    now: MonoTime,
}

impl VirtualClock {
    /// A clock at one hour after the epoch: far enough from zero that "some time ago" is representable.
    #[must_use]
    pub const fn new() -> Self {
        Self { now: MonoTime::from_millis(3_600_000) }
    }

    /// The time now.
    #[must_use]
    pub const fn now(&self) -> MonoTime {
        self.now
    }

    /// Lets `span` pass and returns the new time.
    pub fn advance(&mut self, span: Duration) -> MonoTime {
        self.now += span;
        self.now
    }

    /// Lets time pass until `then`, if that is still to come, and returns the time.
    pub fn advance_to(&mut self, then: MonoTime) -> MonoTime {
        self.now = self.now.max(then);
        self.now
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_only_forwards_and_only_when_told() {
        let mut clock = VirtualClock::new();
        let start = clock.now();
        assert_eq!(clock.now(), start);
        assert_eq!(clock.advance(Duration::from_millis(20)).saturating_since(start), Duration::from_millis(20));
        let now = clock.now();
        assert_eq!(clock.advance_to(start), now);
        assert_eq!(clock.advance_to(now + Duration::from_secs(1)), now + Duration::from_secs(1));
    }
}
