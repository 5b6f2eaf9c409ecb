//! The service's clock: the only source of time in this crate.
//!
//! Every deadline (keepAlive reaper, media set-up, notification retries, token expiry) is a `ServiceTime` on one
//! `Clock`. The system clock follows the machine, a manual clock stands still; both can be moved forward, so that 45
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

/// Time for the whole service: monotonic moments and the wall time derived from them. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct Clock {
    epoch: Timestamp,
    /// What runs by itself; `None` for a clock that stands still.
    origin: Option<Instant>,
    /// What was added by hand. Its watchers are the sleepers.
    moved: Arc<watch::Sender<Duration>>,
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
        Self::starting(Some(Instant::now()))
    }

    /// A clock that stands still, and the hand that moves it.
    #[must_use]
    pub fn manual() -> (Self, ManualClock) {
        let clock = Self::starting(None);
        let hand = ManualClock { clock: clock.clone() };
        (clock, hand)
    }

    fn starting(origin: Option<Instant>) -> Self {
        Self { epoch: Timestamp::now(), origin, moved: Arc::new(watch::Sender::new(Duration::ZERO)) }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> ServiceTime {
        ServiceTime(self.ran().saturating_add(self.moved()))
    }

    /// Wall time of the present moment: the wall time at the clock's start plus what has passed since.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        self.epoch.checked_add(self.now().since_start()).unwrap_or(Timestamp::MAX)
    }

    /// Wall time as everybody else has it: without what was moved by hand.
    #[must_use]
    pub fn wall_outside(&self) -> Timestamp {
        self.epoch.checked_add(self.ran()).unwrap_or(Timestamp::MAX)
    }

    /// Wall time for what this service both gives and checks, and others keep: on a clock that runs, as everybody else has
    /// it; a clock that stands still is moved.
    #[must_use]
    pub fn wall_shared(&self) -> Timestamp {
        if self.origin.is_some() { self.wall_outside() } else { self.wall() }
    }

    /// Wall time of the clock's start.
    #[must_use]
    pub(crate) fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// By how much the clock was moved by hand since its start.
    #[must_use]
    pub fn moved(&self) -> Duration {
        *self.moved.borrow()
    }

    /// Moves the clock forward and wakes everyone whose deadline has come.
    pub fn advance(&self, span: Duration) {
        self.moved.send_modify(|moved| *moved = moved.saturating_add(span));
    }

    /// Waits until `deadline`. Cancel-safe.
    pub async fn sleep_until(&self, deadline: ServiceTime) {
        let mut moves = self.moved.subscribe();
        loop {
            let moved = *moves.borrow_and_update();
            // What the clock must run by itself until then.
            let left = deadline.0.saturating_sub(moved);
            if self.ran() >= left {
                return;
            }
            let ran = async {
                match self.origin.and_then(|origin| origin.checked_add(left)) {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ran => return,
                // The sender lives in `self`, so the channel cannot close while we wait.
                _ = moves.changed() => {}
            }
        }
    }

    /// Waits for a span from now. Cancel-safe.
    pub async fn sleep(&self, span: Duration) {
        self.sleep_until(self.now().after(span)).await;
    }

    /// Waits until the clock has run for a span by itself: moving a running clock by hand does not shorten it. For limits
    /// on what others do, who do not share this clock. A clock that stands still is moved. Cancel-safe.
    pub async fn wait(&self, span: Duration) {
        if self.origin.is_some() { tokio::time::sleep(span).await } else { self.sleep(span).await }
    }

    fn ran(&self) -> Duration {
        self.origin.map_or(Duration::ZERO, |origin| origin.elapsed())
    }
}

/// The hand of a manual [`Clock`].
#[derive(Debug, Clone)]
pub struct ManualClock {
    clock: Clock,
}

impl ManualClock {
    /// Moves the clock forward and wakes everyone whose deadline has come.
    pub fn advance(&self, span: Duration) {
        self.clock.advance(span);
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
    #[tokio::test]
    async fn system_clock_moved_forward_wakes_sleepers_early_and_no_others() {
        let clock = Clock::system();
        let sleeper = |seconds| {
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep(Duration::from_secs(seconds)).await })
        };
        let (near, far) = (sleeper(3_000), sleeper(7_200));
        tokio::task::yield_now().await;
        let wall = clock.wall();
        clock.advance(Duration::from_secs(3_600));
        near.await.unwrap();
        assert!(!far.is_finished());
        assert_eq!(clock.moved(), Duration::from_secs(3_600));
        assert!(clock.wall().duration_since(wall).as_secs() >= 3_600);
        clock.advance(Duration::from_secs(3_600));
        far.await.unwrap();
    }

    #[tokio::test]
    async fn system_clock_runs_by_itself_and_past_deadlines_do_not_wait() {
        let clock = Clock::system();
        let before = clock.now();
        clock.sleep(Duration::from_millis(2)).await;
        assert!(clock.now() >= before.after(Duration::from_millis(2)));
        clock.sleep_until(before).await;
    }
}
