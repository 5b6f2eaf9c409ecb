//! [`LegQuota`]: how many legs an endpoint or connector may have at one time.
//!
//! In the flow: a [`LegPermit`] is taken before a leg is made and goes with it, from the control thread to
//! the network thread. Wherever the leg ends, or is lost on its way, the permit is dropped and counted back.
//! Thread: any. Invariants: never more permits than the maximum; wait-free but for contention.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives out at most `max` permits at one time.
#[derive(Debug)]
pub(super) struct LegQuota {
    live: Arc<AtomicUsize>,
    max: usize,
}

/// The right to one leg, until dropped.
#[derive(Debug)]
pub(super) struct LegPermit(Arc<AtomicUsize>);

impl LegQuota {
    pub(super) fn new(max: usize) -> Self {
        Self { live: Arc::default(), max }
    }

    /// `None` if all permits are taken.
    pub(super) fn take(&self) -> Option<LegPermit> {
        // Relaxed: the number guards no other memory.
        let more = |live: usize| (live < self.max).then_some(live + 1);
        self.live.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(LegPermit(Arc::clone(&self.live)))
    }
}

impl Drop for LegPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn racing_threads_never_get_more_permits_than_there_are() {
        let quota = LegQuota::new(3);
        let most = AtomicUsize::new(0);
        let holders = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(permit) = quota.take() {
                            most.fetch_max(holders.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            holders.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                        }
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        let all: Vec<LegPermit> = (0..3).map(|_| quota.take().unwrap()).collect();
        assert!(quota.take().is_none());
        drop(all);
        assert!(quota.take().is_some(), "they come back");
        assert!(LegQuota::new(0).take().is_none());
    }
}
