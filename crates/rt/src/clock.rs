//! [`MonoClock`]: the one real clock, `CLOCK_MONOTONIC`; and what a thread has had of a core, [`thread_time`].
//!
//! In the flow: read by the runner once per wake-up and by network threads once per batch of datagrams.
//! Invariant: the same epoch in every thread of the process, so their stamps may be compared.
//! Not here: wall-clock time; virtual time (testkit has that).

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use crate::MonoTime;

/// The system's monotonic clock; all values share one epoch (the boot of the machine, roughly).
#[derive(Clone, Copy, Debug, Default)]
pub struct MonoClock;

impl MonoClock {
    /// The time now.
    ///
    /// # Panics
    /// Never on Linux: `CLOCK_MONOTONIC` always exists.
    ///
    /// # Real-time
    /// A vDSO read, about 20 ns; not for use inside a tick (time is an argument there).
    #[must_use]
    pub fn now(self) -> MonoTime {
        let t = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("invariant: Linux has CLOCK_MONOTONIC");
        let secs = u64::try_from(t.tv_sec()).expect("invariant: monotonic time is not negative");
        let nanos = u64::try_from(t.tv_nsec()).expect("invariant: monotonic time is not negative");
        MonoTime::from_nanos(secs * 1_000_000_000 + nanos)
    }

    /// Sleeps until `deadline`; returns at once if it has passed. Signals do not cut it short.
    pub(crate) fn sleep_until(self, deadline: MonoTime) {
        let secs = i64::try_from(deadline.as_nanos() / 1_000_000_000).unwrap_or(i64::MAX);
        let nanos = i64::try_from(deadline.as_nanos() % 1_000_000_000).unwrap_or(0);
        let request = TimeSpec::new(secs, nanos);
        // An absolute deadline can simply be waited for again after a signal.
        while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &request)
            == Err(nix::errno::Errno::EINTR)
        {}
    }
}

/// The time that the calling thread has spent on a core so far. Waiting, and standing aside for others, do not count.
///
/// # Panics
/// Never on Linux: `CLOCK_THREAD_CPUTIME_ID` always exists.
///
/// # Real-time
/// A system call of some hundred nanoseconds: once per wake-up, not inside a tick.
#[must_use]
pub fn thread_time() -> Duration {
    let t = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("invariant: Linux has CLOCK_THREAD_CPUTIME_ID");
    Duration::from(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threads_own_time_passes_while_it_works_and_stands_while_it_sleeps() {
        let before = thread_time();
        let deadline = MonoClock.now() + Duration::from_millis(30);
        MonoClock.sleep_until(deadline);
        let asleep = thread_time() - before;
        assert!(asleep < Duration::from_millis(15), "{asleep:?}");
        while thread_time() - before - asleep < Duration::from_millis(5) {}
    }

    #[test]
    fn the_clock_never_goes_back() {
        let mut last = MonoClock.now();
        for _ in 0..1_000 {
            let now = MonoClock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn sleeping_until_a_deadline_never_ends_before_it() {
        let deadline = MonoClock.now() + Duration::from_millis(2);
        MonoClock.sleep_until(deadline);
        assert!(MonoClock.now() >= deadline);
        MonoClock.sleep_until(MonoTime::ZERO); // long past: must return
    }
}
