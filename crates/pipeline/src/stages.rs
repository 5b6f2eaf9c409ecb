//! The stages of the tick one by one, for the benches and nobody else.
//!
//! Each wraps the very code the tick runs, without the conversation around it. Not a stable interface.

use antiphon_codec::CodecError;
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::PacketSender;
use antiphon_rtp::{AudioLevel, RtpTimestamp, SeqNo, SourceId};

use crate::dominant::Dominant;
use crate::groups::{Groups, Listener, Room};
use crate::jitter::{Arrival, FrameKind, Insert, JitterBuffer, Step};
use crate::limiter::Limiter;
use crate::mix::{self, MixSlot, Stage};
use crate::receiver::Draft;
use crate::{
    BusRate, ConversationConfig, EncodeClass, MAX_FRAME_SAMPLES, MAX_SLOTS, MixPlan, PacketCounts, Receiver,
    ReceiverError, RtpReceiverConfig, Source, bits, stretch,
};

/// A jitter buffer without a decoder.
#[derive(Debug)]
pub struct Jitter(JitterBuffer);

impl Default for Jitter {
    fn default() -> Self {
        Self(JitterBuffer::new())
    }
}

impl Jitter {
    /// Inserts a packet; whether it waits for its turn.
    pub fn insert(&mut self, at: MonoTime, seq: u16, timestamp: u32, payload: &[u8]) -> bool {
        let (seq, timestamp) = (SeqNo::new(seq), RtpTimestamp::new(timestamp));
        let insert = self.0.insert(&Arrival { at, seq, timestamp, payload, kind: FrameKind::Opus, level: None });
        !matches!(insert, Insert::Ended(_))
    }

    /// Decides what comes next; whether that is a packet to decode.
    pub fn next(&mut self, due: MonoTime) -> bool {
        matches!(self.0.next(due, 0, false), Step::Decode { .. })
    }

    /// How its packets ended.
    #[must_use]
    pub fn counts(&self) -> PacketCounts {
        *self.0.counts()
    }
}

/// The limiter alone.
#[derive(Debug)]
pub struct Limit(Limiter);

impl Limit {
    /// For frames of this many samples.
    #[must_use]
    pub fn new(frame_samples: usize) -> Self {
        Self(Limiter::new(frame_samples))
    }

    /// Limits a frame in place.
    pub fn process(&mut self, frame: &mut [f32]) {
        self.0.process(frame);
    }
}

/// Time-stretch of two frames at 48 kHz.
#[derive(Debug)]
pub struct Stretch {
    audio: Vec<f32>,
    whole: usize,
}

impl Stretch {
    /// Of this audio.
    #[must_use]
    pub fn new(audio: &[f32]) -> Self {
        let mut room = audio.to_vec();
        room.resize(audio.len() + MAX_FRAME_SAMPLES, 0.0);
        Self { audio: room, whole: audio.len() }
    }

    /// Makes it shorter; by how many samples.
    pub fn shorten(&mut self) -> usize {
        stretch::shorten(&mut self.audio, self.whole, self.whole, 0.5, BusRate::Hz48000)
    }

    /// Makes it longer; by how many samples.
    pub fn lengthen(&mut self) -> usize {
        stretch::lengthen(&mut self.audio, self.whole, MAX_FRAME_SAMPLES, 0.5, BusRate::Hz48000)
    }
}

/// One mix of sources that say what they are told to.
#[derive(Debug)]
pub struct Mix {
    sources: Vec<Option<Box<Source>>>,
    active: Vec<u64>,
    by_power: Vec<u16>,
    total: Vec<f32>,
    slot: Box<MixSlot>,
    coding: EncodeClass,
}

impl Mix {
    /// A mix of one source per frame; with `minus_one`, the mix-minus of the first of them.
    ///
    /// # Errors
    /// [`CodecError`] if the encoder cannot be made.
    pub fn new(frames: &[Vec<f32>], minus_one: bool, config: &ConversationConfig) -> Result<Self, CodecError> {
        let mut active = vec![0; bits::words_for(config.limits.sources)];
        let mut sources = Vec::new();
        for (index, frame) in frames.iter().enumerate() {
            let (mut source, mut mouth) = Source::app(SourceId::new(index as u32), frame.len(), config);
            let samples: Vec<i16> = frame.iter().map(|s| (s * 32_767.0) as i16).collect();
            mouth.speak(&samples);
            source.produce(MonoTime::ZERO, true);
            sources.push(Some(source));
            active[index / 64] |= 1 << (index % 64);
        }
        let mut slot = MixSlot::new(config, 0)?;
        slot.key.copy_from_slice(&active);
        if minus_one {
            slot.key[0] &= !1;
        }
        let by_power = (0..sources.len() as u16).collect();
        let total = vec![0.0; config.rate.frame_samples()];
        Ok(Self { sources, active, by_power, total, slot, coding: config.classes[0] })
    }

    /// Sums everybody, as is done once a tick.
    pub fn sum(&mut self) {
        mix::sum(&mut self.total, &self.sources, &self.active);
    }

    /// Mixes and limits; the frame.
    pub fn mix(&mut self) -> &[f32] {
        let stage = Stage {
            sources: &self.sources,
            live: &self.active,
            ending: false,
            onset: &self.active,
            by_power: &self.by_power,
            total: &self.total,
        };
        self.slot.mix(&stage, &[]);
        self.slot.frame()
    }

    /// The same in a tick in which the first source comes in or goes, in turn: along a ramp.
    pub fn ramp(&mut self) -> &[f32] {
        self.slot.key[0] ^= 1;
        self.slot.changed = true;
        let stage = Stage {
            sources: &self.sources,
            live: &self.active,
            ending: false,
            onset: &[0; MAX_SLOTS / 64 + 1],
            by_power: &self.by_power,
            total: &self.total,
        };
        self.slot.mix(&stage, &[]);
        self.slot.frame()
    }

    /// Encodes what was mixed; the packet's length.
    pub fn encode(&mut self) -> usize {
        self.slot.encode(&self.coding).expect("invariant: a mix is a frame that Opus takes");
        self.slot.payload().len()
    }

    /// Copies the encoder and limiter of `other`.
    pub fn copy_from(&mut self, other: &Self) {
        self.slot.copy_from(&other.slot);
    }
}

/// The fan-out of one mix to many receivers.
#[derive(Debug)]
#[expect(clippy::vec_box, reason = "the conversation holds them boxed too")]
pub struct FanOut(Vec<Box<Receiver>>);

impl FanOut {
    /// One receiver per configuration.
    ///
    /// # Errors
    /// [`ReceiverError`] if one cannot be made.
    pub fn new(
        receivers: impl IntoIterator<Item = RtpReceiverConfig>,
        config: &ConversationConfig,
    ) -> Result<Self, ReceiverError> {
        let receivers: Result<_, _> = receivers.into_iter().map(|receiver| Receiver::rtp(receiver, config)).collect();
        receivers.map(Self)
    }

    /// Sends the mix's packet to all of them; how many found room.
    pub fn send(&mut self, tick: u64, mix: &Mix, egress: &mut PacketSender) -> usize {
        let mut draft = Draft::new();
        let outs = self.0.iter_mut().filter_map(|receiver| receiver.rtp_out());
        outs.map(|receiver| receiver.send(tick, MonoTime::ZERO, (0, &mix.slot), egress, &mut draft))
            .filter(|sent| *sent == Some(true))
            .count()
    }
}

/// The search for the dominant speaker.
#[derive(Debug)]
pub struct Dominance {
    dominant: Dominant,
    turn: u64,
}

impl Dominance {
    /// Among so many sources.
    #[must_use]
    pub fn new(sources: usize) -> Self {
        Self { dominant: Dominant::new(sources, -70.0), turn: 0 }
    }

    /// Takes one frame's level of the first sources, and decides.
    pub fn hear(&mut self, levels: &[AudioLevel]) {
        self.turn += 1;
        for (index, level) in levels.iter().enumerate() {
            self.dominant.hear(self.turn, index, *level);
        }
        self.dominant.decide(self.turn, levels.iter().copied().enumerate());
    }
}

/// Grouping of receivers by what they hear.
#[derive(Debug)]
pub struct Grouping {
    groups: Groups,
    listeners: Vec<Listener>,
    mixes: Vec<Option<Box<MixSlot>>>,
    free: Vec<u16>,
    plan: Box<MixPlan>,
    tick: u64,
}

impl Grouping {
    /// A room whose receivers 0 to `receivers` are known to `plan`.
    ///
    /// # Errors
    /// [`CodecError`] if an encoder cannot be made.
    pub fn new(plan: Box<MixPlan>, receivers: usize, config: &ConversationConfig) -> Result<Self, CodecError> {
        let limits = &config.limits;
        let mixes: Result<Vec<_>, _> = (0..receivers).map(|_| MixSlot::new(config, 0).map(Some)).collect();
        let mut mixes = mixes?;
        mixes.resize_with(limits.receivers, || None);
        let mut listeners = vec![Listener::ABSENT; limits.receivers];
        listeners[..receivers].fill(Listener::joining(0, 0, true));
        Ok(Self {
            groups: Groups::new(limits.receivers, limits.sources),
            listeners,
            mixes,
            free: (0..receivers as u16).collect(),
            plan,
            tick: 1_000,
        })
    }

    /// Groups for this set of talkers, as words of bits; how many mixes there are.
    pub fn regroup(&mut self, active: &[u64]) -> usize {
        self.tick += 1;
        let mut room = Room {
            tick: self.tick,
            plan: &self.plan,
            active,
            listeners: &mut self.listeners,
            mixes: &mut self.mixes,
            free: &mut self.free,
        };
        self.groups.regroup(&mut room);
        self.mixes.iter().flatten().filter(|mix| mix.members > 0).count()
    }
}
