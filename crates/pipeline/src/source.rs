//! A source: one voice, from packets or from an app's ring to a 20 ms frame on the bus.
//!
//! Owns the jitter buffer and decoder (or the ring), the frame of this tick, its level and talk
//! gate. Runs in the tick; made and dropped on control threads. Invariant: after
//! [`Source::produce`] the frame is one tick of finite samples, zero when `is_silent`.
//! Not here: where the samples come from (see `rtp_feed`, `app_feed`), who hears it.

mod app_feed;
mod rtp_feed;
mod skip;
mod voice;

use antiphon_codec::CodecError;
use antiphon_rt::MonoTime;
use antiphon_rtp::{AudioLevel, RtpTimestamp, SeqNo, SourceId};

use crate::gate::{Gate, mean_square};
use crate::jitter::{Arrival, Insert};
use crate::pcm::AppMouth;
use crate::{
    ConversationConfig, FrameCounts, FrameOutcome, InletSlot, PacketCounts, PacketOutcome, RTP_FRAME, SourceReading,
    SourceSlot, StretchCounts, Stretched,
};
use app_feed::AppFeed;
use rtp_feed::RtpFeed;
use skip::{Hearing, Need};

/// Idle ticks after which a lane is free for somebody else: 10 s.
const LANE_IDLE_TICKS: u32 = 500;
/// A frame below this mean square (-50 dBov) is the end of a word if nothing follows it: a pause and not a loss. Absolute,
/// since a voice that goes on may be taken for noise by the gate and must not be cut off here.
const HUSH: f32 = 1e-5;

/// One voice.
#[derive(Debug)]
pub struct Source {
    feed: Feed,
    lane: Option<Lane>,
    source_id: SourceId,
    frame: Box<[f32]>,
    /// The frame is all zero.
    silent: bool,
    outcome: FrameOutcome,
    timestamp: RtpTimestamp,
    gate: Gate,
    stamped_level: Option<AudioLevel>,
    muted: bool,
    /// It is no voice among the others.
    aside: bool,
    fade: Fade,
    frames: FrameCounts,
    underruns: u64,
    /// Since which turn the tick passes it by.
    asleep_since: Option<u64>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a source is boxed whole; one pointer less in the tick")]
enum Feed {
    Rtp(RtpFeed),
    App(AppFeed),
}

/// What the next frame that sounds does at an edge which is not its sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fade {
    None,
    /// Falls to silence: the source is muted from then on, or leaves.
    Out,
    /// Rises from silence within 5 ms: the source was muted until then.
    In,
}

#[derive(Clone, Copy, Debug)]
struct Lane {
    inlet: InletSlot,
    bound: bool,
    idle_ticks: u32,
}

impl Source {
    /// A source fed by the main stream of an inlet.
    ///
    /// # Errors
    /// [`CodecError::OutOfMemory`].
    ///
    /// # Real-time
    /// Allocates about 70 KB: make it on a control thread.
    pub fn rtp(source_id: SourceId, config: &ConversationConfig) -> Result<Box<Self>, CodecError> {
        let feed = RtpFeed::new(config)?;
        Ok(Self::with_feed(Feed::Rtp(feed), source_id, config))
    }

    /// A lane of `inlet`: a source that takes on whichever participant needs one.
    ///
    /// # Errors
    /// As [`Source::rtp`].
    ///
    /// # Real-time
    /// As [`Source::rtp`].
    pub fn lane(inlet: InletSlot, config: &ConversationConfig) -> Result<Box<Self>, CodecError> {
        let mut source = Self::rtp(SourceId::new(0), config)?;
        source.lane = Some(Lane { inlet, bound: false, idle_ticks: 0 });
        Ok(source)
    }

    /// A source fed by an app, with the app's end of it: `capacity` samples, mono at the bus rate.
    ///
    /// # Real-time
    /// Allocates: make it on a control thread.
    #[must_use]
    pub fn app(source_id: SourceId, capacity: usize, config: &ConversationConfig) -> (Box<Self>, AppMouth) {
        let (feed, app) = AppFeed::new(capacity, config.rate);
        let feed = Feed::App(feed);
        (Self::with_feed(feed, source_id, config), app)
    }

    fn with_feed(feed: Feed, source_id: SourceId, config: &ConversationConfig) -> Box<Self> {
        Box::new(Self {
            feed,
            lane: None,
            source_id,
            frame: vec![0.0; config.rate.frame_samples()].into(),
            silent: true,
            outcome: FrameOutcome::Skipped,
            timestamp: RtpTimestamp::new(0),
            gate: Gate::new(&config.gate),
            stamped_level: None,
            muted: false,
            aside: false,
            fade: Fade::None,
            frames: FrameCounts::default(),
            underruns: 0,
            asleep_since: None,
        })
    }

    /// Its frames so far, one per tick.
    #[must_use]
    pub fn frames(&self) -> &FrameCounts {
        &self.frames
    }

    /// Its packets so far; all zero for an app's source.
    #[must_use]
    pub fn packets(&self) -> PacketCounts {
        match &self.feed {
            Feed::Rtp(feed) => feed.packets(),
            Feed::App(_) => PacketCounts::default(),
        }
    }

    /// Its frames that were stretched, to change the playout delay without a gap.
    #[must_use]
    pub fn stretches(&self) -> StretchCounts {
        match &self.feed {
            Feed::Rtp(feed) => feed.stretches(),
            Feed::App(_) => StretchCounts::default(),
        }
    }

    /// What was done to the length of the audio its last frame was taken from.
    pub(crate) fn stretched(&self) -> Stretched {
        match &self.feed {
            Feed::Rtp(feed) => feed.stretched(),
            Feed::App(_) => Stretched::No,
        }
    }

    /// Ticks in which the app's ring ran dry in mid-speech.
    #[must_use]
    pub fn underruns(&self) -> u64 {
        self.underruns
    }

    pub(crate) fn source_id(&self) -> SourceId {
        self.source_id
    }

    pub(crate) fn frame(&self) -> &[f32] {
        &self.frame
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent
    }

    pub(crate) fn outcome(&self) -> FrameOutcome {
        self.outcome
    }

    pub(crate) fn timestamp(&self) -> RtpTimestamp {
        self.timestamp
    }

    pub(crate) fn level(&self) -> AudioLevel {
        self.gate.level()
    }

    pub(crate) fn power(&self) -> f32 {
        self.gate.power()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.gate.is_open()
    }

    /// Says that this source is no voice among the others: a mix of them, as a service sends to a bot, or the bot's own
    /// app. It is heard and its talk told as ever, but it is never the dominant speaker and not listed among the levels.
    pub fn stand_aside(&mut self) {
        self.aside = true;
    }

    pub(crate) fn is_aside(&self) -> bool {
        self.aside
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted
    }

    /// Mutes it, at once if it is silent, else with the next frame fading out; or lets it be heard again.
    pub(crate) fn mute(&mut self, muted: bool) {
        if self.muted != muted {
            self.fade = match (muted, self.fade) {
                (true, _) if self.silent => Fade::None,
                (true, _) => Fade::Out,
                (false, Fade::Out) => Fade::None, // it never stopped
                (false, _) => Fade::In,
            };
        }
        self.muted = muted;
    }

    /// Has its next frame fade out, if it sounds: it is the last one.
    pub(crate) fn leave(&mut self) {
        if !self.muted && !self.silent {
            self.fade = Fade::Out;
        }
    }

    /// The inlet this is a free lane of.
    pub(crate) fn free_lane_of(&self) -> Option<InletSlot> {
        self.lane.filter(|lane| !lane.bound).map(|lane| lane.inlet)
    }

    /// The inlet this is a bound lane of.
    pub(crate) fn bound_lane_of(&self) -> Option<InletSlot> {
        self.lane.filter(|lane| lane.bound).map(|lane| lane.inlet)
    }

    /// Whether a frame of it belongs to somebody: false only for a lane nobody is bound to.
    pub(crate) fn has_identity(&self) -> bool {
        self.lane.is_none_or(|lane| lane.bound)
    }

    /// Makes this lane carry `source_id` from now on.
    pub(crate) fn bind(&mut self, source_id: SourceId) {
        self.restart();
        self.source_id = source_id;
        if let Some(lane) = &mut self.lane {
            lane.bound = true;
            lane.idle_ticks = 0;
        }
    }

    /// Frees this lane if it has been idle for long, and says so.
    pub(crate) fn free_if_idle(&mut self) -> bool {
        let idle = matches!(&self.feed, Feed::Rtp(feed) if feed.is_waiting());
        let Some(lane) = &mut self.lane else { return false };
        if !lane.bound {
            return false;
        }
        lane.idle_ticks = if idle { lane.idle_ticks + 1 } else { 0 };
        if lane.idle_ticks < LANE_IDLE_TICKS {
            return false;
        }
        lane.bound = false;
        true
    }

    /// Goes to sleep at `turn` if nothing will happen until a packet comes: whoever ticks may pass it by until
    /// it is woken, and each turn counts as one more frame like the last.
    pub(crate) fn fall_asleep(&mut self, turn: u64) -> bool {
        let idle = matches!(&self.feed, Feed::Rtp(feed) if feed.is_idle());
        let bound_lane = self.lane.is_some_and(|lane| lane.bound);
        let asleep = idle && self.silent && !self.gate.is_open() && !bound_lane;
        if asleep {
            self.asleep_since = Some(turn);
        }
        asleep
    }

    /// Wakes up before it is ticked in `turn`; whether it slept.
    pub(crate) fn wake_up(&mut self, turn: u64) -> bool {
        let Some(since) = self.asleep_since.take() else { return false };
        self.frames.add_many(self.outcome, turn - since - 1);
        true
    }

    /// The sender starts another stream.
    pub(crate) fn restart(&mut self) {
        if let Feed::Rtp(feed) = &mut self.feed {
            feed.restart();
        }
    }

    /// Takes one packet in. O(packet).
    pub(crate) fn insert(&mut self, arrival: &Arrival<'_>) -> Insert {
        let Feed::Rtp(feed) = &mut self.feed else {
            return Insert::Ended(PacketOutcome::Skipped);
        };
        if arrival.level.is_some() {
            self.stamped_level = arrival.level;
        }
        feed.insert(arrival)
    }

    /// Takes in the copy of an older packet that rode with one received at `at` (RFC 2198). O(packet).
    pub(crate) fn insert_redundant(&mut self, seq: SeqNo, timestamp: RtpTimestamp, payload: &[u8], at: MonoTime) {
        if let Feed::Rtp(feed) = &mut self.feed {
            feed.insert_redundant(seq, timestamp, payload, at);
        }
    }

    /// Takes note that a packet which is not audio has this sequence number.
    pub(crate) fn note_seq(&mut self, seq: SeqNo) {
        if let Feed::Rtp(feed) = &mut self.feed {
            feed.note_seq(seq);
        }
    }

    /// Packets that ended since the last call.
    pub(crate) fn take_packet_counts(&mut self) -> PacketCounts {
        match &mut self.feed {
            Feed::Rtp(feed) => feed.take_packet_counts(),
            Feed::App(_) => PacketCounts::default(),
        }
    }

    /// Makes the frame of the tick at `now` and updates level and gate. What is not `heard` is not decoded;
    /// its level is then what its sender stamped. Gives whether an app's ring ran dry in it.
    pub(crate) fn produce(&mut self, now: MonoTime, heard: bool) -> bool {
        let mut underrun = false;
        let fade = std::mem::replace(&mut self.fade, Fade::None);
        let muted = self.muted && fade != Fade::Out;
        let hearing = match self.gate.is_open() {
            _ if muted || !heard => Hearing::Unheard,
            true => Hearing::Open,
            false => Hearing::Gated,
        };
        let need = Need { hearing, quiet_from: self.gate.quiet_from(), loud: self.gate.open_at() };
        let mut stamped_power = 0.0;
        let outcome = match &mut self.feed {
            Feed::Rtp(feed) => {
                let quiet = hearing == Hearing::Unheard || self.gate.power() < HUSH;
                let (outcome, timestamp) = feed.produce(now, need, quiet, &mut self.frame);
                self.timestamp = timestamp;
                stamped_power = feed.take_skipped_power();
                outcome
            }
            Feed::App(feed) => {
                self.timestamp = self.timestamp.advance(RTP_FRAME);
                if muted {
                    feed.discard();
                    FrameOutcome::Skipped
                } else {
                    let (outcome, dry) = feed.produce(&mut self.frame);
                    underrun = dry;
                    outcome
                }
            }
        };
        // What was decoded or is made up from before the mute is not heard either.
        let outcome = if muted && outcome > FrameOutcome::Comfort { FrameOutcome::Skipped } else { outcome };
        let sounding = outcome > FrameOutcome::Comfort;
        let power = if sounding { mean_square(&self.frame) } else { 0.0 };
        if power > 0.0 {
            self.silent = false;
            self.apply(fade);
        } else if !self.silent {
            self.frame.fill(0.0); // also clears a frame with poison in it
            self.silent = true;
        }
        if fade == Fade::In && !sounding {
            self.fade = fade; // until there is something to fade
        }
        self.gate.update(if sounding || muted { power } else { stamped_power });
        self.outcome = outcome;
        self.frames.add(outcome);
        self.underruns += u64::from(underrun);
        underrun
    }

    fn apply(&mut self, fade: Fade) {
        let samples = self.frame.len();
        match fade {
            Fade::None => {}
            Fade::Out => ramp(&mut self.frame, 1.0, 0.0),
            Fade::In => ramp(&mut self.frame[..samples / 4], 0.0, 1.0),
        }
    }

    /// What is known of it at `now`, before the tick of `turn`.
    pub(crate) fn reading(&self, slot: SourceSlot, now: MonoTime, turn: u64) -> SourceReading {
        let mut frames = self.frames;
        if let Some(since) = self.asleep_since {
            frames.add_many(self.outcome, turn - since - 1);
        }
        let (target, delay) = match &self.feed {
            Feed::Rtp(feed) => feed.delays_ns(now),
            Feed::App(_) => (0, 0),
        };
        let millis = |nanos: i64| u32::try_from(nanos / 1_000_000).unwrap_or(0);
        SourceReading {
            source: slot,
            source_id: self.has_identity().then_some(self.source_id),
            level: self.level(),
            stamped_level: self.stamped_level,
            talking: self.gate.is_open(),
            muted: self.muted,
            packets: self.packets(),
            frames,
            stretches: self.stretches(),
            target_delay_ms: millis(target),
            playout_delay_ms: millis(delay),
        }
    }
}

/// Multiplies `samples` by a gain that goes from one value to the other in a straight line.
fn ramp(samples: &mut [f32], from: f32, to: f32) {
    let step = (to - from) / samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample *= from + step * (at + 1) as f32;
    }
}
