//! The service's clock: the only source of time in this crate.
//!
//! Every deadline (keepAlive reaper, media set-up, notification retries, token expiry) is a `ServiceTime` on one
//! `Clock`. The system clock follows the machine; a manual clock stands still until a test advances it, so that 45
//! minutes pass in no time. Used from async tasks only; media threads have their own clock (`rt::MonoTime`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::watch;

/// A moment on a [`Clock`], counted from the clock's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceTime(Duration);

impl ServiceTime {
    /// The moment the clock was made.
    pub const START: Self = Self(Duration::ZERO);

    /// This moment plus a span; saturates at the end of time.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// How long after the clock's start this is.
    #[must_use]
    pub fn since_start(self) -> Duration {
        self.0
    }
}

/// Time for the whole service: monotonic moments and the wall time derived from them.
#[derive(Debug, Clone)]
pub struct Clock {
    epoch: Timestamp,
    source: Source,
}

#[derive(Debug, Clone)]
enum Source {
    System(Instant),
    Manual(Arc<watch::Sender<Duration>>),
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl Clock {
    /// A clock that follows the machine's.
    #[must_use]
    pub fn system() -> Self {
        Self { epoch: Timestamp::now(), source: Source::System(Instant::now()) }
    }

    /// A clock that stands still, and the hand that moves it.
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        let elapsed = Arc::new(watch::Sender::new(Duration::ZERO));
        let clock = Self { epoch: Timestamp::now(), source: Source::Manual(Arc::clone(&elapsed)) };
        (clock, ManualClock { elapsed })
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> ServiceTime {
        match &self.source {
            Source::System(origin) => ServiceTime(origin.elapsed()),
            Source::Manual(elapsed) => ServiceTime(*elapsed.borrow()),
        }
    }

    /// Wall time of the present moment: the wall time at the clock's start plus what has passed since.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        self.epoch.checked_add(self.now().since_start()).unwrap_or(Timestamp::MAX)
    }

    /// Waits until `deadline`. Cancel-safe.
    pub async fn sleep_until(&self, deadline: ServiceTime) {
        match &self.source {
            Source::System(origin) => match origin.checked_add(deadline.0) {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            },
            Source::Manual(elapsed) => {
                let mut elapsed_rx = elapsed.subscribe();
                // The sender lives in `self`, so the channel cannot close while we wait.
                let _ = elapsed_rx.wait_for(|now| *now >= deadline.0).await;
            }
        }
    }

    /// Waits for a span from now. Cancel-safe.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now().after(span)).await;
    }
}

/// The hand of a manual [`Clock`].
#[derive(Debug, Clone)]
pub struct ManualClock {
    elapsed: Arc<watch::Sender<Duration>>,
}

impl ManualClock {
    /// Moves the clock forward and wakes everyone whose deadline has come.
    pub fn advance(&self, span: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed = elapsed.saturating_add(span));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn manual_sleeper_wakes_exactly_when_its_deadline_is_reached() {
        let (clock, hand) = Clock::manual();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(ServiceTime::START.after(Duration::from_secs(10))).await;
                clock.now()
            }
        });
        hand.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        hand.advance(Duration::from_secs(1));
        let woke_at = sleeper.await.unwrap();
        assert_eq!(woke_at.since_start(), Duration::from_secs(10));
    }

    #[test]
    fn wall_time_moves_with_the_manual_hand() {
        let (clock, hand) = Clock::manual();
        let before = clock.wall();
        hand.advance(Duration::from_secs(3600));
        assert_eq!(clock.wall().duration_since(before).as_secs(), 3600);
    }
}
