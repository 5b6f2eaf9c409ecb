//! What the media thread tells the others: one fixed-size record per tick, and events.
//!
//! Written in the tick into rings, read on a control thread, where text is made of them. On
//! overflow the newest is dropped and counted in the next record. Not here: how long the tick
//! took (the runner measures that) and histograms (the engine keeps those).

use std::time::Duration;

use antiphon_rt::MonoTime;
use antiphon_rtp::{AudioLevel, SourceId};

use crate::{Effort, FrameCounts, InletSlot, PacketCounts, ReceiverSlot, SourceSlot, StretchCounts};

/// What one tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TickRecord {
    /// Number of the tick, from 0.
    pub tick: u64,
    /// The `now` it was given.
    pub at: MonoTime,
    /// Calls of the Opus encoder, counted where libopus is called.
    pub encodes: u32,
    /// Calls of the Opus decoder for packets.
    pub decodes: u32,
    /// Calls of the Opus decoder for FEC copies.
    pub recoveries: u32,
    /// Calls of the Opus decoder without a packet (PLC).
    pub concealments: u32,
    /// Encoder states copied.
    pub state_copies: u32,
    /// Distinct mixes that somebody listens to.
    pub mixes: u32,
    /// Mixes that were encoded or due to be: those with somebody to hear them over RTP and not
    /// resting in silence.
    pub encoded_mixes: u32,
    /// Receivers present.
    pub listeners: u32,
    /// Sources present.
    pub sources: u32,
    /// Sources whose talk gate is open.
    pub talking: u32,
    /// Packets taken from inlets.
    pub packets_in: u32,
    /// Packets that were not RTP or not for anybody here.
    pub packets_refused: u32,
    /// Packets written to the egress ring.
    pub packets_out: u32,
    /// Packets the egress ring had no room for.
    pub egress_dropped: u32,
    /// Packets that were not sent because they could not be written: on a lane whose leg did not agree to the codec, or
    /// too long with their headers.
    pub unsendable: u32,
    /// Frames of mixes that libopus refused to encode: their receivers got nothing.
    pub encode_failures: u32,
    /// Packets forwarded on lanes, part of `packets_out`.
    pub lane_packets: u32,
    /// Frames that found an app's ring full.
    pub app_dropped: u32,
    /// Ticks in which an app's mouth ran dry in mid-frame.
    pub app_underruns: u32,
    /// Events and records lost to full rings since the last record.
    pub telemetry_dropped: u32,
    /// Talkers left out of all mixes by [`Effort::max_talkers`].
    pub capped: u32,
    /// The governor's limits that the tick was made under.
    pub effort: Effort,
    /// Whether receivers were grouped anew.
    pub regrouped: bool,
    /// Whether a new plan came into force.
    pub plan_swapped: bool,
    /// Ends of packets in this tick.
    pub packets: PacketCounts,
    /// Frames of this tick, one per source.
    pub frames: FrameCounts,
    /// Those of them that were stretched.
    pub stretches: StretchCounts,
    /// Time stamp counter cycles of the whole tick; 0 where the machine has no such counter.
    pub cycles: u64,
    /// The share of `cycles` spent inside libopus encode and decode calls.
    pub codec_cycles: u64,
}

impl TickRecord {
    /// Counts a packet that was sent, found no room in the egress ring, or could not be written.
    pub(crate) fn count_sent(&mut self, sent: Option<bool>) {
        match sent {
            Some(true) => self.packets_out += 1,
            Some(false) => self.egress_dropped += 1,
            None => self.unsendable += 1,
        }
    }
}

/// Something worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A source's talk gate opened.
    TalkStarted {
        /// Which.
        source: SourceSlot,
        /// Its participant.
        source_id: SourceId,
    },
    /// A source's talk gate closed, `hangover_ticks` after its last sound.
    TalkStopped {
        /// Which.
        source: SourceSlot,
        /// Its participant.
        source_id: SourceId,
    },
    /// Another source carries the conversation now; `None` when all fell silent.
    DominantSpeaker {
        /// Which, if any.
        source: Option<SourceSlot>,
        /// Its participant.
        source_id: Option<SourceId>,
        /// Its level.
        level: AudioLevel,
    },
    /// A lane of a bot's leg carries this participant from now on.
    LaneBound {
        /// The lane.
        source: SourceSlot,
        /// The participant named by its first CSRC.
        source_id: SourceId,
    },
    /// A lane fell idle and is free for somebody else.
    LaneFreed {
        /// The lane.
        source: SourceSlot,
        /// The participant it carried.
        source_id: SourceId,
    },
    /// A participant on the lanes m-line found no free lane; add lane sources to hear it.
    LanesExhausted {
        /// The leg.
        inlet: InletSlot,
        /// The participant.
        source_id: SourceId,
    },
    /// A leg's sender restarted its stream (another SSRC, or a jump in sequence or time).
    StreamRestarted {
        /// The source it feeds.
        source: SourceSlot,
    },
    /// A participant began to dial a digit.
    ToneStarted {
        /// The source of its leg.
        source: SourceSlot,
        /// The participant.
        source_id: SourceId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
    },
    /// A digit is over; told once, however often the network repeats it.
    Tone {
        /// The source of its leg.
        source: SourceSlot,
        /// The participant.
        source_id: SourceId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// Power in -dBm0, 0 to 63, as its sender says.
        volume: u8,
        /// How long it lasted, as far as its packets came.
        duration: Duration,
    },
    /// A row of digits was sent ([`crate::Command::SendTones`]).
    TonesSent {
        /// To whom.
        receiver: ReceiverSlot,
    },
}

/// An event with its tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedEvent {
    /// Number of the tick.
    pub tick: u64,
    /// The `now` of that tick.
    pub at: MonoTime,
    /// What happened.
    pub event: Event,
}

/// A reading of one source, taken by [`crate::Command::Inspect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceReading {
    /// Which.
    pub source: SourceSlot,
    /// Its participant; `None` for a lane nobody is bound to.
    pub source_id: Option<SourceId>,
    /// Level of its last frame.
    pub level: AudioLevel,
    /// Level its sender stamped last (RFC 6464), if any.
    pub stamped_level: Option<AudioLevel>,
    /// Whether its gate is open.
    pub talking: bool,
    /// Whether it is muted here.
    pub muted: bool,
    /// Its packets so far.
    pub packets: PacketCounts,
    /// Its frames so far.
    pub frames: FrameCounts,
    /// Those of its frames that were stretched.
    pub stretches: StretchCounts,
    /// Delay its jitter buffer aims at, in milliseconds beyond the fastest packet.
    pub target_delay_ms: u32,
    /// Delay it plays with, in milliseconds beyond the fastest packet.
    pub playout_delay_ms: u32,
}

/// How loud a source is, taken by [`crate::Command::Levels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLevel {
    /// Which.
    pub source: SourceSlot,
    /// Its participant.
    pub source_id: SourceId,
    /// Level of its last frame.
    pub level: AudioLevel,
}

/// A page of levels: who talks and how loud, allocated by control and filled in one tick. O(who talks), so it can be
/// asked for many times a second.
#[derive(Debug)]
pub struct LevelPage {
    pub(crate) tick: u64,
    pub(crate) levels: Vec<SourceLevel>,
}

impl LevelPage {
    /// A page with room for `sources` levels; give it the conversation's `limits.sources`.
    #[must_use]
    pub fn with_capacity(sources: usize) -> Self {
        Self { tick: 0, levels: Vec::with_capacity(sources) }
    }

    /// The tick whose frames were read.
    #[must_use]
    pub fn tick(&self) -> u64 {
        self.tick
    }

    /// The sources whose talk gate is open, by index. Without those that stand aside ([`crate::Source::stand_aside`]).
    #[must_use]
    pub fn levels(&self) -> &[SourceLevel] {
        &self.levels
    }
}

/// A page of readings, allocated by control and filled in one tick.
#[derive(Debug)]
pub struct Inspection {
    pub(crate) readings: Vec<SourceReading>,
}

impl Inspection {
    /// A page with room for `sources` readings; give it the conversation's `limits.sources`.
    #[must_use]
    pub fn with_capacity(sources: usize) -> Self {
        Self { readings: Vec::with_capacity(sources) }
    }

    /// The readings, by index of source.
    #[must_use]
    pub fn readings(&self) -> &[SourceReading] {
        &self.readings
    }
}
