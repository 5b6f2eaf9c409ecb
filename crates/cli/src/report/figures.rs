//! The demo's numbers: distributions, counts and ratios.
//!
//! Owns how samples become percentiles and bins, and which ratios are formed. In the flow: filled from engine
//! statistics, the latency probe and the codec calibration; shown by [`super::text`] and [`super::html`].
//! Pure. Percentiles are of the recorded values (nearest rank), not interpolated.

use serde::Serialize;

/// Percentiles and bins of one quantity.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Distribution {
    /// Unit of every value, for the reader.
    pub(crate) unit: &'static str,
    /// How many values.
    pub(crate) count: u64,
    /// Arithmetic mean.
    pub(crate) mean: f64,
    /// Median.
    pub(crate) p50: f64,
    /// 99th percentile.
    pub(crate) p99: f64,
    /// 99.9th percentile.
    pub(crate) p999: f64,
    /// Largest.
    pub(crate) max: f64,
    /// Equally wide bins that cover p0 to max.
    pub(crate) bins: Vec<Bin>,
}

/// How many values fell into `[from, to)`; the last bin includes its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Bin {
    /// Lower edge.
    pub(crate) from: f64,
    /// Upper edge.
    pub(crate) to: f64,
    /// Values inside.
    pub(crate) count: u64,
}

const BINS: usize = 40;

impl Distribution {
    /// From `(value, count)` pairs in any order.
    pub(crate) fn from_counts(unit: &'static str, pairs: impl IntoIterator<Item = (f64, u64)>) -> Self {
        let mut pairs: Vec<(f64, u64)> =
            pairs.into_iter().filter(|(value, count)| value.is_finite() && *count > 0).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let count: u64 = pairs.iter().map(|(_, n)| n).sum();
        let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else {
            return Self { unit, ..Self::default() };
        };
        let sum: f64 = pairs.iter().map(|(value, n)| value * *n as f64).sum();
        Self {
            unit,
            count,
            mean: sum / count as f64,
            p50: rank(&pairs, count, 0.50),
            p99: rank(&pairs, count, 0.99),
            p999: rank(&pairs, count, 0.999),
            max: last.0,
            bins: bins(&pairs, first.0, last.0),
        }
    }

    /// From single values.
    pub(crate) fn from_values(unit: &'static str, values: impl IntoIterator<Item = f64>) -> Self {
        Self::from_counts(unit, values.into_iter().map(|value| (value, 1)))
    }
}

/// Nearest-rank percentile of sorted pairs.
fn rank(pairs: &[(f64, u64)], count: u64, quantile: f64) -> f64 {
    let target = ((quantile * count as f64).ceil() as u64).max(1);
    let mut seen = 0;
    for (value, n) in pairs {
        seen += n;
        if seen >= target {
            return *value;
        }
    }
    pairs.last().map_or(0.0, |(value, _)| *value)
}

fn bins(pairs: &[(f64, u64)], low: f64, high: f64) -> Vec<Bin> {
    let width = (high - low).max(f64::EPSILON) / BINS as f64;
    let mut out: Vec<Bin> =
        (0..BINS).map(|i| Bin { from: low + width * i as f64, to: low + width * (i + 1) as f64, count: 0 }).collect();
    for (value, n) in pairs {
        let index = (((value - low) / width) as usize).min(BINS - 1);
        out[index].count += n;
    }
    out
}

/// A named count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Counted {
    /// What was counted.
    pub(crate) name: String,
    /// How many.
    pub(crate) count: u64,
}

impl Counted {
    /// `name` counted `count` times.
    pub(crate) fn new(name: impl Into<String>, count: u64) -> Self {
        Self { name: name.into(), count }
    }
}

/// All numbers of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Figures {
    /// Duration of the conversation's ticks, µs.
    pub(crate) tick: Distribution,
    /// How late ticks began, µs.
    pub(crate) lateness: Distribution,
    /// Speech of one participant until another one's ear, over the sockets: µs added by everything between.
    pub(crate) mouth_to_ear: Distribution,
    /// Whole tick ÷ time inside libopus in it, one value per tick that called libopus, by the time stamp counter.
    pub(crate) tick_over_codec: Distribution,
    /// Time stamp counter cycles of all those ticks.
    pub(crate) tick_cycles: u64,
    /// Of them, the cycles inside libopus.
    pub(crate) codec_cycles: u64,
    /// Ticks run.
    pub(crate) ticks: u64,
    /// Ticks skipped by overruns.
    pub(crate) skipped_ticks: u64,
    /// Encode calls counted at libopus.
    pub(crate) encodes: u64,
    /// Decode calls counted at libopus, those for FEC copies and concealment included.
    pub(crate) decodes: u64,
    /// Distinct mixes with a listener per tick, mean over the run.
    pub(crate) mixes_per_tick: f64,
    /// Listeners served per tick, mean over the run.
    pub(crate) listeners_per_tick: f64,
    /// RTP packets that reached the meeting's engine.
    pub(crate) packets_in: u64,
    /// RTP packets that it sent.
    pub(crate) packets_out: u64,
    /// Of the datagrams on the way: how many the lossy link threw away, and how many it saw.
    pub(crate) link_dropped: u64,
    /// See `link_dropped`.
    pub(crate) link_seen: u64,
    /// Packets that talkers' ears got, over their streams.
    pub(crate) ears_got: u64,
    /// Packets that never came to talkers' ears, by gaps in sequence numbers.
    pub(crate) ears_missed: u64,
    /// Of the frames due at the engine's decoders: concealed ones.
    pub(crate) concealed: u64,
    /// Frames due in all.
    pub(crate) frames: u64,
    /// How packets and frames ended.
    pub(crate) outcomes: Vec<Counted>,
    /// Was real-time priority granted.
    pub(crate) real_time: bool,
}

impl Figures {
    /// Encode calls per tick.
    pub(crate) fn encodes_per_tick(&self) -> f64 {
        ratio(self.encodes as f64, self.ticks as f64)
    }

    /// Decode calls per tick.
    pub(crate) fn decodes_per_tick(&self) -> f64 {
        ratio(self.decodes as f64, self.ticks as f64)
    }

    /// All ticks that called libopus ÷ the codec calls in them.
    pub(crate) fn tick_over_codec(&self) -> f64 {
        ratio(self.tick_cycles as f64, self.codec_cycles as f64)
    }

    /// Share of datagrams lost on the way, percent.
    pub(crate) fn loss_percent(&self) -> f64 {
        100.0 * ratio(self.link_dropped as f64, self.link_seen as f64)
    }

    /// Share of frames concealed, percent.
    pub(crate) fn concealed_percent(&self) -> f64 {
        100.0 * ratio(self.concealed as f64, self.frames as f64)
    }
}

/// `a / b`, and zero where nothing was counted.
fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank_values_that_occurred() {
        let d = Distribution::from_values("µs", (1..=1000).map(f64::from));
        assert_eq!((d.count, d.p50, d.p99, d.p999, d.max), (1000, 500.0, 990.0, 999.0, 1000.0));
        assert!((d.mean - 500.5).abs() < 1e-9);
    }

    #[test]
    fn every_value_lands_in_exactly_one_bin() {
        let d = Distribution::from_counts("ms", [(3.0, 5), (1.0, 2), (9.0, 1)]);
        assert_eq!(d.bins.iter().map(|bin| bin.count).sum::<u64>(), 8);
        assert_eq!(d.bins.first().map(|bin| bin.count), Some(2));
        assert_eq!(d.bins.last().map(|bin| bin.count), Some(1));
    }

    #[test]
    fn nothing_and_one_value_are_fine() {
        assert_eq!(Distribution::from_values("µs", []).count, 0);
        let one = Distribution::from_values("µs", [7.0]);
        assert_eq!((one.p50, one.p999, one.max), (7.0, 7.0, 7.0));
        assert_eq!(one.bins.iter().map(|bin| bin.count).sum::<u64>(), 1);
    }

    #[test]
    fn tick_is_compared_with_the_codec_calls_in_it() {
        let figures = Figures { tick_cycles: 120, codec_cycles: 100, ticks: 10, encodes: 40, ..Figures::default() };
        assert!((figures.tick_over_codec() - 1.2).abs() < 1e-9);
        assert!((figures.encodes_per_tick() - 4.0).abs() < 1e-9);
    }

    #[test]
    fn a_run_without_ticks_divides_nothing() {
        let figures = Figures::default();
        assert_eq!(figures.tick_over_codec(), 0.0);
        assert_eq!(figures.loss_percent(), 0.0);
    }

    pub(crate) fn sample(ticks: &[f64], delays: &[f64]) -> Figures {
        Figures {
            tick: Distribution::from_values("µs", ticks.iter().copied()),
            lateness: Distribution::from_values("µs", ticks.iter().map(|t| t / 9.0)),
            mouth_to_ear: Distribution::from_values("ms", delays.iter().copied()),
            tick_over_codec: Distribution::from_values("×", ticks.iter().map(|t| 1.0 + t / 10_000.0)),
            tick_cycles: 1_100_000,
            codec_cycles: 1_000_000,
            mixes_per_tick: 5.1,
            ticks: ticks.len() as u64,
            encodes: 6 * ticks.len() as u64,
            decodes: 5 * ticks.len() as u64,
            listeners_per_tick: 6.8,
            packets_in: 20_000,
            packets_out: 34_000,
            link_seen: 54_000,
            concealed: 4,
            frames: 20_004,
            outcomes: vec![Counted::new("packets played", 20_000), Counted::new("frames concealed", 4)],
            ..Figures::default()
        }
    }
}
