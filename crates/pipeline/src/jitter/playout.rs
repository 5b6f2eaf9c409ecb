//! How long to wait: the delay a jitter buffer aims at.
//!
//! [`Playout`] is the interface, [`WindowPlayout`] the policy in force: the worst lateness seen in a
//! sliding window, nothing on a clean network, one frame more while losses are seen that the FEC
//! copy in the next packet can repair. All delays are measured beyond the fastest packet of
//! the window, so neither clock needs to know the other. Pure; runs in the tick.

use antiphon_rt::MonoTime;

/// Nanoseconds in one 20 ms frame.
pub(crate) const FRAME_NS: i64 = 20_000_000;

/// A playout policy: told what happens, asked for the delay to aim at.
pub(crate) trait Playout {
    /// A packet with this extended RTP timestamp arrived.
    fn on_arrival(&mut self, at: MonoTime, timestamp: u64);
    /// A packet's place passed and it was really lost; `repairable` if its successor carries FEC.
    fn on_loss(&mut self, at: MonoTime, repairable: bool);
    /// How long after the fastest possible arrival of `timestamp` the point `at` is, in nanoseconds;
    /// negative if even the fastest packet would not be there yet.
    fn slack(&self, at: MonoTime, timestamp: u64) -> i64;
    /// The slack to aim at, in nanoseconds.
    fn target(&self) -> i64;
    /// The stream restarted: forget everything.
    fn reset(&mut self);
}

const BUCKETS: usize = 8;
/// One bucket is a second: the window reaches back 7 to 8 seconds.
const BUCKET_NS: u64 = 1_000_000_000;
/// Never aim at more than this.
const MAX_TARGET_NS: i64 = 400_000_000;
/// Lateness below this is the network card's and the scheduler's, not the network's.
const GRACE_NS: i64 = 500_000;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Which second it holds.
    second: u64,
    /// Least and greatest arrival time less media time.
    min: i64,
    max: i64,
    losses: u32,
    repairable: u32,
}

const EMPTY: Bucket = Bucket { second: u64::MAX, min: i64::MAX, max: i64::MIN, losses: 0, repairable: 0 };

/// Worst lateness over the last seconds.
#[derive(Clone, Debug)]
pub(crate) struct WindowPlayout {
    buckets: [Bucket; BUCKETS],
    /// Fastest of the window.
    base: i64,
    target: i64,
}

impl WindowPlayout {
    pub(crate) fn new() -> Self {
        Self { buckets: [EMPTY; BUCKETS], base: i64::MAX, target: 0 }
    }

    fn bucket(&mut self, at: MonoTime) -> &mut Bucket {
        let second = at.as_nanos() / BUCKET_NS;
        let bucket = &mut self.buckets[(second % BUCKETS as u64) as usize];
        if bucket.second != second {
            *bucket = Bucket { second, ..EMPTY };
        }
        bucket
    }

    fn settle(&mut self, at: MonoTime) {
        let oldest = (at.as_nanos() / BUCKET_NS).saturating_sub(BUCKETS as u64 - 1);
        let (mut min, mut max, mut losses, mut repairable) = (i64::MAX, i64::MIN, 0, 0);
        for bucket in self.buckets.iter().filter(|bucket| bucket.second != u64::MAX && bucket.second >= oldest) {
            min = min.min(bucket.min);
            max = max.max(bucket.max);
            losses += bucket.losses;
            repairable += bucket.repairable;
        }
        if min > max {
            return; // nothing arrived in the window: keep what is known
        }
        self.base = min;
        let jitter = (max - min - GRACE_NS).max(0);
        let look_ahead = if repairable >= 2 && repairable * 4 >= losses { FRAME_NS } else { 0 };
        self.target = (jitter + look_ahead).min(MAX_TARGET_NS);
    }
}

/// Arrival time less media time, in nanoseconds.
fn transit(at: MonoTime, timestamp: u64) -> i64 {
    let media = i128::from(timestamp) * 1_000_000_000 / 48_000;
    (i128::from(at.as_nanos()) - media) as i64
}

impl Playout for WindowPlayout {
    fn on_arrival(&mut self, at: MonoTime, timestamp: u64) {
        let transit = transit(at, timestamp);
        let bucket = self.bucket(at);
        bucket.min = bucket.min.min(transit);
        bucket.max = bucket.max.max(transit);
        self.settle(at);
    }

    fn on_loss(&mut self, at: MonoTime, repairable: bool) {
        let bucket = self.bucket(at);
        bucket.losses += 1;
        bucket.repairable += u32::from(repairable);
    }

    fn slack(&self, at: MonoTime, timestamp: u64) -> i64 {
        if self.base == i64::MAX { 0 } else { transit(at, timestamp) - self.base }
    }

    fn target(&self) -> i64 {
        self.target
    }

    fn reset(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn feed(policy: &mut WindowPlayout, from: u64, lateness: impl Fn(u64) -> u64) {
        for n in from..from + 100 {
            policy.on_arrival(MonoTime::from_nanos(n * 20 * MS + lateness(n)), (1 << 32) + n * 960);
        }
    }

    #[test]
    fn a_clean_network_needs_no_delay_and_a_jittery_one_its_worst() {
        let mut policy = WindowPlayout::new();
        feed(&mut policy, 1, |_| 300_000);
        assert_eq!(policy.target(), 0);
        feed(&mut policy, 101, |n| if n % 10 == 0 { 30 * MS } else { 300_000 });
        assert_eq!(policy.target(), 30 * MS as i64 - 300_000 - GRACE_NS);
    }

    #[test]
    fn a_burst_is_forgotten_after_the_window() {
        let mut policy = WindowPlayout::new();
        feed(&mut policy, 1, |n| if n == 50 { 100 * MS } else { 0 });
        assert!(policy.target() > 90 * MS as i64);
        for part in 1..5 {
            feed(&mut policy, 1 + part * 100, |_| 0);
        }
        assert_eq!(policy.target(), 0);
    }

    #[test]
    fn repairable_losses_buy_one_frame_of_look_ahead() {
        let mut policy = WindowPlayout::new();
        for repairable in [false, true] {
            policy.reset();
            policy.on_loss(MonoTime::from_millis(1), repairable);
            policy.on_loss(MonoTime::from_millis(50), repairable);
            feed(&mut policy, 5, |_| 0);
            assert_eq!(policy.target(), if repairable { FRAME_NS } else { 0 });
        }
    }

    #[test]
    fn slack_is_measured_beyond_the_fastest_packet() {
        let mut policy = WindowPlayout::new();
        assert_eq!(policy.slack(MonoTime::from_millis(5), 0), 0);
        feed(&mut policy, 1, |n| if n == 7 { 0 } else { 4 * MS });
        let at = MonoTime::from_nanos(200 * 20 * MS + 9 * MS);
        assert_eq!(policy.slack(at, (1 << 32) + 200 * 960), 9 * MS as i64);
    }
}
