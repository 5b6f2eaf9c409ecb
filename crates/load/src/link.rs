//! A seeded lossy link: when, and how often, a datagram sent now arrives.
//!
//! A pure function of configuration, seed and the times of sending: tests run it on a virtual clock, `relay` on a real one.
//! Invariant: the same seed and the same sends give the same arrivals; each datagram arrives zero, one or two times.
//! Does not: hold datagrams; the caller queues them until they are due.

use crate::pattern::mix;
use std::time::Duration;

/// How a link behaves; the default is a perfect wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// Share of datagrams lost, 0 to 1.
    pub loss: f64,
    /// Mean length of a burst of losses in datagrams; 1 is random loss (Gilbert's two-state model above that).
    pub burst: f64,
    /// What every datagram takes.
    pub delay: Duration,
    /// What it takes on top, uniform between nothing and this.
    pub jitter: Duration,
    /// Share of datagrams that may overtake earlier ones; the others queue behind them.
    pub reorder: f64,
    /// Share of datagrams that arrive twice.
    pub duplicate: f64,
    /// How fast the delay grows, in millionths: the receiver sees the sender's clock run slow by this.
    pub drift_ppm: f64,
    /// Seed of every draw.
    pub seed: u64,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            loss: 0.0,
            burst: 1.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: 0.0,
            duplicate: 0.0,
            drift_ppm: 0.0,
            seed: 0,
        }
    }
}

impl LinkConfig {
    /// A link with random loss and jitter, as the demo's `--loss` and `--jitter` ask for; a tenth of the datagrams may overtake.
    pub fn lossy(loss: f64, jitter: Duration, seed: u64) -> Self {
        let reorder = if jitter.is_zero() { 0.0 } else { 0.1 };
        Self { loss, jitter, reorder, seed, ..Self::default() }
    }

    /// The same behaviour with draws of its own, for the `n`th link of a run.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Self { seed: mix(self.seed ^ mix(n)), ..self }
    }
}

/// When one datagram arrives: not at all, once or twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// First arrival, in the clock of the send time.
    pub first: Option<Duration>,
    /// Arrival of the duplicate.
    pub second: Option<Duration>,
}

/// What a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Datagrams given to the link.
    pub sent: u64,
    /// Of those, lost.
    pub lost: u64,
    /// Of those, delivered twice.
    pub duplicated: u64,
    /// Of those, due before an earlier one.
    pub overtook: u64,
}

/// A link in one direction.
#[derive(Clone, Debug)]
pub struct Link {
    config: LinkConfig,
    draws: u64,
    in_burst: bool,
    latest: Duration,
    stats: LinkStats,
}

impl Link {
    /// A fresh link.
    pub fn new(config: LinkConfig) -> Self {
        Self { config, draws: 0, in_burst: false, latest: Duration::ZERO, stats: LinkStats::default() }
    }

    /// What it has done so far.
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    /// Sends a datagram at `now`, any clock that does not run backwards, and says when it arrives.
    pub fn send(&mut self, now: Duration) -> Arrivals {
        self.stats.sent += 1;
        let lost = self.loses();
        let first = self.due(now);
        let second = if self.draw() < self.config.duplicate { Some(self.due(now)) } else { None };
        if lost {
            self.stats.lost += 1;
            return Arrivals::default();
        }
        self.stats.duplicated += u64::from(second.is_some());
        Arrivals { first: Some(first), second }
    }

    /// One step of the two-state loss model; with `burst` 1 every step is independent.
    fn loses(&mut self) -> bool {
        let LinkConfig { loss, burst, .. } = self.config;
        let draw = self.draw();
        if burst <= 1.0 || loss >= 1.0 {
            return draw < loss;
        }
        let leave = 1.0 / burst;
        let enter = loss * leave / (1.0 - loss);
        self.in_burst = if self.in_burst { draw >= leave } else { draw < enter };
        self.in_burst
    }

    fn due(&mut self, now: Duration) -> Duration {
        let jitter = self.config.jitter.mul_f64(self.draw());
        let drift = now.mul_f64(self.config.drift_ppm.max(0.0) / 1e6);
        let due = now + self.config.delay + jitter + drift;
        if self.draw() < self.config.reorder {
            self.stats.overtook += u64::from(due < self.latest);
            return due;
        }
        self.latest = self.latest.max(due);
        self.latest
    }

    /// Uniform in [0, 1).
    fn draw(&mut self) -> f64 {
        self.draws += 1;
        (mix(self.config.seed ^ mix(self.draws)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn run(config: LinkConfig, n: u64) -> (Vec<Arrivals>, LinkStats) {
        let mut link = Link::new(config);
        ((0..n).map(|i| link.send(MS(20 * i))).collect(), link.stats())
    }

    #[test]
    fn default_link_is_a_perfect_wire() {
        let (arrivals, stats) = run(LinkConfig::default(), 500);
        assert!(arrivals.iter().zip(0..).all(|(a, i)| *a == Arrivals { first: Some(MS(20 * i)), second: None }));
        assert_eq!(stats, LinkStats { sent: 500, ..LinkStats::default() });
    }

    #[test]
    fn loss_comes_out_as_asked_and_bursts_as_long_as_asked() {
        for burst in [1.0, 3.0] {
            let (arrivals, stats) = run(LinkConfig { loss: 0.1, burst, seed: 7, ..LinkConfig::default() }, 50_000);
            let share = stats.lost as f64 / stats.sent as f64;
            assert!((0.09..0.11).contains(&share), "burst {burst}: {share}");
            let lost: Vec<bool> = arrivals.iter().map(|a| a.first.is_none()).collect();
            let bursts = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
            let mean = stats.lost as f64 / bursts;
            // Independent losses at 10 % come in runs of 1.11 by chance.
            let expected = if burst == 1.0 { 1.11 } else { burst };
            assert!((mean / expected - 1.0).abs() < 0.1, "mean burst {mean}, asked {burst}");
        }
    }

    #[test]
    fn jitter_stays_in_bounds_and_order_holds_unless_reordering_is_allowed() {
        let config = LinkConfig { delay: MS(5), jitter: MS(30), seed: 3, ..LinkConfig::default() };
        for (reorder, overtakes) in [(0.0, false), (0.3, true)] {
            let (arrivals, stats) = run(LinkConfig { reorder, ..config }, 5_000);
            let due: Vec<_> = arrivals.iter().map(|a| a.first.unwrap()).collect();
            assert!(due.iter().zip(0..).all(|(d, i)| (MS(20 * i + 5)..=MS(20 * i + 35)).contains(d)));
            assert_eq!(due.windows(2).any(|w| w[1] < w[0]), overtakes);
            assert_eq!(stats.overtook > 0, overtakes);
        }
    }

    #[test]
    fn duplicates_come_twice_and_drift_adds_up() {
        let (arrivals, stats) =
            run(LinkConfig { duplicate: 0.2, drift_ppm: 100.0, seed: 1, ..LinkConfig::default() }, 5_000);
        let twice = arrivals.iter().filter(|a| a.second.is_some()).count() as u64;
        assert_eq!(twice, stats.duplicated);
        assert!((900..1_100).contains(&twice), "{twice}");
        // The last of 5,000 packets is sent at 99.98 s: 100 ppm of that is 9,998 µs.
        assert_eq!(arrivals[4_999].first.unwrap() - MS(20 * 4_999), Duration::from_micros(9_998));
    }

    #[test]
    fn same_seed_same_arrivals_and_links_of_a_run_differ() {
        let config = LinkConfig::lossy(0.05, MS(30), 11);
        assert_eq!(run(config, 1_000), run(config, 1_000));
        assert_ne!(run(config.nth(0), 1_000).0, run(config.nth(1), 1_000).0);
    }
}
