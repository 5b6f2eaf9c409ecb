//! Deadlines as pure arithmetic: when to wake next, how late a wake-up was, how many ticks it missed.
//!
//! In the flow: the runner's loop asks it; no clock in here, so it is tested with bare numbers, and a test can
//! run a [`TickTask`](super::TickTask) in virtual time exactly as a runner would.
//! Invariant: every deadline is the first one plus a whole number of periods.

use std::time::Duration;

use crate::MonoTime;

/// The row of deadlines of one runner.
#[derive(Debug)]
pub struct Schedule {
    deadline: MonoTime,
    period: Duration,
}

/// What one wake-up was like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wake {
    /// Behind the deadline this tick serves; less than a period.
    pub lateness: Duration,
    /// Deadlines that passed unserved before that one.
    pub skipped: u64,
}

impl Schedule {
    /// A row whose first deadline is one period after `start`.
    ///
    /// # Panics
    /// If the period is zero.
    #[must_use]
    pub fn new(start: MonoTime, period: Duration) -> Self {
        assert!(!period.is_zero(), "a schedule's period must not be zero");
        Self { deadline: start + period, period }
    }

    /// When to wake next.
    #[must_use]
    pub fn deadline(&self) -> MonoTime {
        self.deadline
    }

    /// Takes note of a wake-up at `now` and moves on to the deadline after it.
    pub fn wake(&mut self, now: MonoTime) -> Wake {
        let behind = now.saturating_since(self.deadline).as_nanos();
        let period = self.period.as_nanos();
        let skipped = u64::try_from(behind / period).unwrap_or(u64::MAX);
        let lateness = Duration::from_nanos(u64::try_from(behind % period).unwrap_or(u64::MAX));
        self.deadline = now.saturating_sub(lateness).max(self.deadline) + self.period;
        Wake { lateness, skipped }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(20);

    fn ms(n: u64) -> MonoTime {
        MonoTime::from_millis(n)
    }

    #[test]
    fn wakeups_are_classified() {
        // (woken at ms, lateness ms, skipped, next deadline ms); the first deadline is at 120 ms
        let cases = [(120, 0, 0, 140), (139, 19, 0, 140), (140, 0, 1, 160), (199, 19, 3, 200), (119, 0, 0, 140)];
        for (at, lateness, skipped, next) in cases {
            let mut schedule = Schedule::new(ms(100), PERIOD);
            let wake = schedule.wake(ms(at));
            assert_eq!(wake, Wake { lateness: Duration::from_millis(lateness), skipped }, "woken at {at}");
            assert_eq!(schedule.deadline(), ms(next), "woken at {at}");
        }
    }

    #[test]
    #[should_panic(expected = "a schedule's period must not be zero")]
    fn a_period_of_zero_is_refused_before_it_divides() {
        let _ = Schedule::new(ms(100), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn ticks_and_skips_add_up_to_the_time_that_passed(delays in prop::collection::vec(0_u64..200_000_000, 1..100)) {
            let mut schedule = Schedule::new(MonoTime::ZERO, PERIOD);
            let mut now = MonoTime::ZERO;
            let mut periods = 0;
            for delay in delays {
                now = now.max(schedule.deadline()) + Duration::from_nanos(delay);
                let wake = schedule.wake(now);
                periods += 1 + wake.skipped;
                prop_assert!(wake.lateness < PERIOD);
                prop_assert_eq!(now.saturating_sub(wake.lateness), MonoTime::from_millis(20 * periods));
                prop_assert!(schedule.deadline() > now);
            }
        }
    }
}
