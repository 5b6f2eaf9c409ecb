//! How long to wait: the tolerance a jitter buffer aims at.
//!
//! The aim is a quantile of lateness with exponential forgetting, taken over *excursions* rather than packets: a stall
//! delays many packets in a row and costs one gap, so what is counted per level is how often lateness climbs past it.
//! The aim is the highest level climbed past oftener than once in some seconds, so spikes that come back are
//! waited for and a single one is not. Copies that would have repaired a loss (FEC, RED) count as arrivals of what they
//! repair, late by the packets they ride behind. Lateness is measured beyond the fastest packet of a window, which
//! follows any clock drift. Pure; runs in the tick; no loop longer than the table of levels.

use antiphon_rt::MonoTime;

use super::transit_ns;

/// Levels of lateness that are told apart: steps of 0.5 ms at the bottom, of 8 ms at the top.
const LEVELS: usize = 100;
const EDGES: [i64; LEVELS] = edges();
/// The memory fades to 1/e in this many samples of RTP clock: 8 s of packets.
const MEMORY: f32 = 384_000.0;
/// A level climbed past by more than this, fading, is waited for.
const OFTEN: f32 = 1.2;
/// No level weighs more, so that a storm is forgotten as soon as a few spikes are: in less than five seconds.
const HEAVIEST: f32 = 2.2;
/// Seconds that the fastest packet is looked for in.
const SECONDS: usize = 8;
const SECOND_NS: u64 = 1_000_000_000;
/// When the fastest packet of the window is slower than that of the last one by more than this, the route has changed.
const REROUTED_NS: i64 = 2_000_000;
/// A stretch of media time without packets that is a pause and not a stall.
const PAUSE_SAMPLES: u64 = 9_600;

const fn edges() -> [i64; LEVELS] {
    let mut edges = [0; LEVELS];
    let (mut at, mut edge) = (0, 500_000);
    while at < LEVELS {
        edges[at] = edge;
        edge += if edge < 8_000_000 {
            500_000
        } else if edge < 32_000_000 {
            1_000_000
        } else if edge < 64_000_000 {
            2_000_000
        } else if edge < 128_000_000 {
            4_000_000
        } else {
            8_000_000
        };
        at += 1;
    }
    edges
}

/// Levels that this much lateness is beyond.
fn levels_below(lateness: i64) -> usize {
    EDGES.partition_point(|edge| *edge < lateness)
}

#[derive(Clone, Copy, Debug)]
struct Second {
    number: u64,
    /// Least and greatest arrival time less media time.
    min: i64,
    max: i64,
}

const EMPTY: Second = Second { number: u64::MAX, min: i64::MAX, max: i64::MIN };

/// The policy: told of arrivals, asked for the aim.
#[derive(Clone, Debug)]
pub(crate) struct Playout {
    seconds: [Second; SECONDS],
    /// The second of the last arrival.
    second: u64,
    /// Arrival time less media time of the fastest packet of the window; `i64::MAX` before the first.
    base: i64,
    /// The same of the last packet, and its RTP time.
    last: i64,
    last_timestamp: u64,
    /// How often each level was climbed past, in units that grow instead of all weights fading.
    weights: [f32; LEVELS],
    unit: f32,
    /// How much of the memory is filled, up to 1: rates are taken over that much.
    filled: f32,
    /// Levels waited for.
    aim: usize,
}

impl Playout {
    pub(crate) fn new() -> Self {
        Self {
            seconds: [EMPTY; SECONDS],
            second: 0,
            base: i64::MAX,
            last: 0,
            last_timestamp: 0,
            weights: [0.0; LEVELS],
            unit: 1.0,
            filled: 0.0,
            aim: 0,
        }
    }

    /// The stream restarted: forget everything.
    pub(crate) fn reset(&mut self) {
        *self = Self::new();
    }

    /// A packet of `samples` with this extended RTP timestamp arrived.
    pub(crate) fn on_arrival(&mut self, at: MonoTime, timestamp: u64, samples: u32) {
        let transit = transit_ns(at, timestamp);
        self.track_base(at, transit);
        let share = samples as f32 / MEMORY;
        self.unit *= 1.0 + share;
        self.filled += (1.0 - self.filled) * share;
        if self.unit > 1e6 {
            self.weights.iter_mut().for_each(|weight| *weight /= self.unit);
            self.unit = 1.0;
        }
        // After a pause nothing is late: silence is as long as it needs to be.
        let paused = timestamp.saturating_sub(self.last_timestamp) > PAUSE_SAMPLES;
        if !paused && transit > self.last {
            self.climb(levels_below(self.last - self.base), levels_below(transit - self.base));
        }
        self.last = transit;
        self.last_timestamp = self.last_timestamp.max(timestamp);
        self.lower_aim();
    }

    /// A packet was lost whose copy came with another packet at `at`.
    pub(crate) fn on_copy(&mut self, at: MonoTime, timestamp: u64) {
        self.climb(0, levels_below(self.slack(at, timestamp)));
    }

    /// How long after the fastest possible arrival of `timestamp` the point `at` is, in nanoseconds;
    /// negative if even the fastest packet would not be there yet.
    pub(crate) fn slack(&self, at: MonoTime, timestamp: u64) -> i64 {
        if self.base == i64::MAX { 0 } else { transit_ns(at, timestamp) - self.base }
    }

    /// The slack to aim at, in nanoseconds.
    pub(crate) fn target(&self) -> i64 {
        match self.aim {
            0 => 0,
            aim => EDGES[aim.min(LEVELS - 1)],
        }
    }

    /// The greatest lateness of the last second or two: to wait for less would be to run dry again at once.
    pub(crate) fn recent(&self) -> i64 {
        let newest = |second: &&Second| second.number <= self.second && self.second - second.number <= 1;
        let max = self.seconds.iter().filter(newest).map(|second| second.max).max();
        max.map_or(0, |max| (max - self.base).max(0))
    }

    /// Counts one climb past the levels from `from` up to `to`.
    fn climb(&mut self, from: usize, to: usize) {
        if from >= to {
            return;
        }
        let often = OFTEN * self.filled * self.unit;
        for weight in &mut self.weights[from..to] {
            *weight = (*weight + self.unit).min(HEAVIEST * self.unit);
        }
        if let Some(highest) = (from..to).rev().find(|level| self.weights[*level] >= often) {
            self.aim = self.aim.max(highest + 1);
        }
    }

    fn lower_aim(&mut self) {
        let often = OFTEN * self.filled * self.unit;
        while self.aim > 0 && self.weights[self.aim - 1] < often {
            self.aim -= 1;
        }
    }

    fn track_base(&mut self, at: MonoTime, transit: i64) {
        let number = at.as_nanos() / SECOND_NS;
        let second = &mut self.seconds[(number % SECONDS as u64) as usize];
        if second.number != number {
            *second = Second { number, ..EMPTY };
        }
        second.min = second.min.min(transit);
        second.max = second.max.max(transit);
        if number == self.second && self.base != i64::MAX {
            self.base = self.base.min(transit);
            return;
        }
        self.second = number;
        let oldest = number.saturating_sub(SECONDS as u64 - 1);
        let window = self.seconds.iter().filter(|second| second.number >= oldest && second.number <= number);
        let (known, base) = window.fold((0, i64::MAX), |(known, min), second| (known + 1, min.min(second.min)));
        let risen = base.saturating_sub(self.base);
        self.base = base;
        // Late by the old route is not late by the new one. After a pause there is nothing to compare.
        if risen > REROUTED_NS && known > 1 {
            for (level, edge) in EDGES.iter().enumerate() {
                let was = levels_below(edge + risen);
                self.weights[level] = if was < LEVELS { self.weights[was] } else { 0.0 };
            }
            self.aim = LEVELS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Feeds packets `from..to`, each this late.
    fn feed(policy: &mut Playout, packets: std::ops::Range<u64>, lateness: impl Fn(u64) -> i64) {
        for n in packets {
            let at = (1_000 + n as i64 * 20) * MS + lateness(n);
            policy.on_arrival(MonoTime::from_nanos(at as u64), (1 << 32) + n * 960, 960);
        }
    }

    #[test]
    fn a_clean_network_needs_no_delay() {
        let mut policy = Playout::new();
        feed(&mut policy, 0..500, |n| (n as i64 % 5) * 90_000);
        assert_eq!(policy.target(), 0);
    }

    #[test]
    fn steady_jitter_is_waited_for_within_a_second_and_to_its_top() {
        let mut policy = Playout::new();
        let lateness = |n: u64| (n as i64 * 7_919 % 31) * MS;
        feed(&mut policy, 0..50, lateness);
        assert!((25 * MS..32 * MS).contains(&policy.target()), "{}", policy.target());
        feed(&mut policy, 50..3_000, lateness);
        assert!((28 * MS..32 * MS).contains(&policy.target()), "{}", policy.target());
    }

    #[test]
    fn one_stall_on_a_calm_network_is_not_waited_for_and_its_return_is() {
        let mut policy = Playout::new();
        feed(&mut policy, 0..1_000, |_| 0);
        let stall = |n: u64| (100 - (n as i64 % 200) * 20).max(0) * MS;
        feed(&mut policy, 1_000..1_010, stall);
        assert_eq!(policy.target(), 0);
        assert_eq!(policy.recent(), 100 * MS, "while it lasts it is not undercut either");
        feed(&mut policy, 1_010..1_210, stall);
        assert!((96 * MS..=104 * MS).contains(&policy.target()), "{}", policy.target());
        feed(&mut policy, 1_210..1_600, stall);
        assert!(policy.target() >= 96 * MS, "it comes each four seconds");
        feed(&mut policy, 1_601..1_601 + 9 * 50, |_| 0);
        assert_eq!((policy.target(), policy.recent()), (0, 0), "and is forgotten when it stays away");
    }

    #[test]
    fn a_storm_is_forgotten_in_five_seconds() {
        let mut policy = Playout::new();
        feed(&mut policy, 0..2_000, |_| 0);
        feed(&mut policy, 2_000..2_100, |n| (n as i64 * 7_919 % 101) * MS);
        assert!(policy.target() > 90 * MS, "{}", policy.target());
        feed(&mut policy, 2_100..2_350, |_| 0);
        assert_eq!(policy.target(), 0);
    }

    #[test]
    fn losses_that_copies_repair_buy_look_ahead_while_they_last() {
        let mut policy = Playout::new();
        feed(&mut policy, 0..500, |_| 0);
        for n in 500..600 {
            feed(&mut policy, n..n + 1, |_| 0);
            if n % 20 == 10 {
                // Its predecessor was lost.
                policy.on_copy(MonoTime::from_millis(1_000 + n * 20), (1 << 32) + (n - 1) * 960);
            }
        }
        assert!((20 * MS..=22 * MS).contains(&policy.target()), "{}", policy.target());
        feed(&mut policy, 600..1_000, |_| 0);
        assert_eq!(policy.target(), 0);
    }

    #[test]
    fn a_longer_route_is_no_lateness_once_it_is_known() {
        let mut policy = Playout::new();
        let jitter = |n: u64| (n as i64 * 7_919 % 9) * MS;
        feed(&mut policy, 0..600, jitter);
        feed(&mut policy, 600..700, |n| 50 * MS + jitter(n));
        let due = |n: u64, late: i64| MonoTime::from_nanos(((1_000 + n as i64 * 20) * MS + late) as u64);
        assert!(policy.slack(due(700, 50 * MS), (1 << 32) + 700 * 960) >= 50 * MS);
        feed(&mut policy, 700..1_050, |n| 50 * MS + jitter(n));
        assert_eq!(policy.slack(due(1_050, 50 * MS), (1 << 32) + 1_050 * 960), 0);
        assert!((7 * MS..=10 * MS).contains(&policy.target()), "{}", policy.target());
    }

    #[test]
    fn slack_is_measured_beyond_the_fastest_packet() {
        let mut policy = Playout::new();
        assert_eq!(policy.slack(MonoTime::from_millis(5), 0), 0);
        feed(&mut policy, 0..100, |n| if n == 70 { 0 } else { 4 * MS });
        let at = MonoTime::from_nanos(((1_000 + 200 * 20 + 9) * MS) as u64);
        assert_eq!(policy.slack(at, (1 << 32) + 200 * 960), 9 * MS);
    }

    #[test]
    fn drift_does_not_accumulate() {
        for ppm in [-1_000_i64, 1_000] {
            let mut policy = Playout::new();
            feed(&mut policy, 0..20_000, |n| n as i64 * 20 * ppm);
            assert!(policy.target() <= 8 * MS, "{}", policy.target());
            let at = MonoTime::from_nanos(((1_000 + 20_000 * 20) * MS + 20_000 * 20 * ppm) as u64);
            assert!(policy.slack(at, (1 << 32) + 20_000 * 960).abs() <= 9 * MS);
        }
    }

    #[test]
    fn a_pause_is_not_lateness() {
        let mut policy = Playout::new();
        feed(&mut policy, 0..100, |_| 0);
        for spurt in 1..20 {
            // The first packet of each spurt is slow: the radio was asleep.
            let from = spurt * 100;
            feed(&mut policy, from..from + 50, |n| if n == from { 60 * MS } else { 0 });
        }
        assert_eq!(policy.target(), 0);
    }
}
