//! All deadlines of a call in one table.

use std::time::Instant;

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// Send the next keepAlive.
    KeepAlive,
    /// Establishing takes long: look whether a notification was lost.
    Check,
    /// Establishing takes too long: hang up.
    Establish,
    /// The roster may lack something: ask for it.
    Reconcile,
    /// The call is gone or hung up: wait no longer for the last notification.
    End,
}

impl Timer {
    const ALL: [Self; 5] = [Self::KeepAlive, Self::Check, Self::Establish, Self::Reconcile, Self::End];
}

/// One optional deadline per timer.
#[derive(Debug, Default)]
pub(super) struct Timers {
    at: [Option<Instant>; Timer::ALL.len()],
}

impl Timers {
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
    }

    /// Sets it unless it is set to something earlier.
    pub(super) fn set_by(&mut self, timer: Timer, at: Instant) {
        let slot = &mut self.at[timer as usize];
        *slot = Some(slot.map_or(at, |set| set.min(at)));
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub(super) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }

    /// Takes one timer that is due, the earliest first.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = Timer::ALL
            .into_iter()
            .filter_map(|timer| Some((self.at[timer as usize]?, timer)))
            .filter(|(at, _)| *at <= now)
            .min_by_key(|(at, _)| *at)?
            .1;
        self.stop(due);
        Some(due)
    }
}
