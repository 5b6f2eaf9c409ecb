//! Figures of one conversation, summed on the control side from the media thread's records.
//!
//! In the flow: media thread → rings → `Totals` (control thread, every few milliseconds) → snapshots for
//! whoever asks. Times are kept in HDR histograms (three digits); nothing here runs inside a tick.

use crate::governor::GovernorStats;
use crate::media_thread::TickTime;
use antiphon_pipeline::{FrameCounts, PacketCounts, TickRecord};
use hdrhistogram::Histogram;
use std::time::Duration;

/// Longest time a histogram tells apart; longer counts as this.
const LONGEST: Duration = Duration::from_secs(10);

/// A snapshot of what a conversation has done since it was made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConversationStats {
    /// Wall time of each tick, in nanoseconds, measured around it on the media thread.
    pub tick_time: Histogram<u64>,
    /// How far behind its deadline the media thread woke, in nanoseconds, once per tick.
    pub lateness: Histogram<u64>,
    /// Whole tick over the time inside libopus in it, by the time stamp counter, in hundredths, for ticks
    /// that called libopus at all.
    pub tick_over_codec: Histogram<u64>,
    /// Cycles spent in ticks that called libopus, and inside libopus in them.
    pub cycles: CycleCounts,
    /// The governor of the media thread it lives on, shared with its other conversations.
    pub governor: GovernorStats,
    /// Counters.
    pub counts: Counts,
}

/// Time stamp counter cycles; zero on a machine without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CycleCounts {
    /// In whole ticks.
    pub ticks: u64,
    /// In the codec calls of those ticks.
    pub codec: u64,
}

/// Counters since the conversation was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Ticks done.
    pub ticks: u64,
    /// Ticks left out because the media thread woke too late for them.
    pub skipped_ticks: u64,
    /// Opus encoder calls, counted at the libopus call.
    pub encodes: u64,
    /// Opus decoder calls for packets.
    pub decodes: u64,
    /// Opus decoder calls for FEC copies.
    pub recoveries: u64,
    /// Opus decoder calls without a packet.
    pub concealments: u64,
    /// Encoder states copied.
    pub state_copies: u64,
    /// Receivers present, summed over ticks.
    pub listener_ticks: u64,
    /// Distinct mixes with a listener, summed over ticks.
    pub mix_ticks: u64,
    /// Most encodes in one tick.
    pub max_encodes: u32,
    /// Most receivers present in one tick.
    pub max_listeners: u32,
    /// Packets taken from legs.
    pub packets_in: u64,
    /// Packets that were not RTP or not for anybody here.
    pub packets_refused: u64,
    /// Packets sent towards legs.
    pub packets_out: u64,
    /// Packets the egress ring had no room for.
    pub egress_dropped: u64,
    /// Packets that could not be written: on a lane whose leg did not agree to the codec, or too long.
    pub unsendable: u64,
    /// Frames of mixes that libopus refused to encode.
    pub encode_failures: u64,
    /// Packets forwarded on lanes.
    pub lane_packets: u64,
    /// Frames that found an app's ring full.
    pub app_dropped: u64,
    /// Ticks in which an app's mouth ran dry in mid-frame.
    pub app_underruns: u64,
    /// Plans that came into force.
    pub plans: u64,
    /// Telemetry lost to full rings.
    pub telemetry_dropped: u64,
    /// Receivers that began to get FEC because their legs reported loss.
    pub fec_begun: u64,
    /// Receivers whose FEC ended because their legs lost nothing any more.
    pub fec_ended: u64,
    /// Receivers with RED that began to get each frame twice, because their reports told of losses.
    pub red_begun: u64,
    /// Those that got it once again.
    pub red_ended: u64,
    /// Talkers left out of mixes by the governor, summed over ticks.
    pub capped: u64,
    /// How received packets ended.
    pub packets: PacketCounts,
    /// How frames came to be.
    pub frames: FrameCounts,
}

/// The sums, owned by the conversation's control state.
#[derive(Debug)]
pub(crate) struct Totals(ConversationStats);

impl Totals {
    pub(crate) fn new() -> Self {
        let histogram =
            |longest: u64| Histogram::new_with_bounds(1, longest, 3).expect("invariant: 1 < longest, 3 digits");
        let nanoseconds = u64::try_from(LONGEST.as_nanos()).expect("invariant: ten seconds fit");
        Self(ConversationStats {
            tick_time: histogram(nanoseconds),
            lateness: histogram(nanoseconds),
            tick_over_codec: histogram(100_000),
            cycles: CycleCounts::default(),
            governor: GovernorStats::default(),
            counts: Counts::default(),
        })
    }

    pub(crate) fn snapshot(&self) -> ConversationStats {
        self.0.clone()
    }

    pub(crate) fn add_time(&mut self, time: TickTime) {
        let nanoseconds = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        self.0.tick_time.saturating_record(nanoseconds(time.took));
        self.0.lateness.saturating_record(nanoseconds(time.lateness));
        self.0.counts.skipped_ticks += time.skipped;
    }

    pub(crate) fn add_class_move(&mut self, to_fec: bool) {
        let c = &mut self.0.counts;
        *(if to_fec { &mut c.fec_begun } else { &mut c.fec_ended }) += 1;
    }

    pub(crate) fn add_red_switch(&mut self, on: bool) {
        let c = &mut self.0.counts;
        *(if on { &mut c.red_begun } else { &mut c.red_ended }) += 1;
    }

    pub(crate) fn add_record(&mut self, r: &TickRecord) {
        if let Some(hundredths) = (r.cycles * 100).checked_div(r.codec_cycles) {
            self.0.tick_over_codec.saturating_record(hundredths);
            self.0.cycles.ticks += r.cycles;
            self.0.cycles.codec += r.codec_cycles;
        }
        let c = &mut self.0.counts;
        c.ticks += 1;
        for (sum, n) in [
            (&mut c.encodes, r.encodes),
            (&mut c.decodes, r.decodes),
            (&mut c.recoveries, r.recoveries),
            (&mut c.concealments, r.concealments),
            (&mut c.state_copies, r.state_copies),
            (&mut c.listener_ticks, r.listeners),
            (&mut c.mix_ticks, r.mixes),
            (&mut c.packets_in, r.packets_in),
            (&mut c.packets_refused, r.packets_refused),
            (&mut c.packets_out, r.packets_out),
            (&mut c.egress_dropped, r.egress_dropped),
            (&mut c.unsendable, r.unsendable),
            (&mut c.encode_failures, r.encode_failures),
            (&mut c.lane_packets, r.lane_packets),
            (&mut c.app_dropped, r.app_dropped),
            (&mut c.app_underruns, r.app_underruns),
            (&mut c.telemetry_dropped, r.telemetry_dropped),
            (&mut c.capped, r.capped),
            (&mut c.plans, u32::from(r.plan_swapped)),
        ] {
            *sum += u64::from(n);
        }
        c.max_encodes = c.max_encodes.max(r.encodes);
        c.max_listeners = c.max_listeners.max(r.listeners);
        c.packets.merge(&r.packets);
        c.frames.merge(&r.frames);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_add_up_and_maxima_are_kept() {
        let mut totals = Totals::new();
        totals.add_record(&TickRecord {
            encodes: 4,
            listeners: 100,
            cycles: 220,
            codec_cycles: 200,
            ..TickRecord::default()
        });
        totals.add_record(&TickRecord { encodes: 1, listeners: 90, ..TickRecord::default() });
        let stats = totals.snapshot();
        assert_eq!((stats.counts.ticks, stats.counts.encodes, stats.counts.listener_ticks), (2, 5, 190));
        assert_eq!((stats.counts.max_encodes, stats.counts.max_listeners), (4, 100));
        assert_eq!((stats.tick_over_codec.len(), stats.tick_over_codec.max()), (1, 110));
        assert_eq!(stats.cycles, CycleCounts { ticks: 220, codec: 200 });
    }

    #[test]
    fn a_tick_longer_than_the_histogram_counts_as_its_longest() {
        let mut totals = Totals::new();
        let took = Duration::from_secs(60);
        totals.add_time(TickTime { took, lateness: Duration::ZERO, skipped: 7 });
        let stats = totals.snapshot();
        assert!(stats.tick_time.max() >= u64::try_from(LONGEST.as_nanos()).unwrap());
        assert_eq!(stats.counts.skipped_ticks, 7);
    }
}
