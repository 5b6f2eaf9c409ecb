//! A mix slot: one distinct mix, from source frames to a packet payload.
//!
//! Owns the encoder, the limiter and the frame of one mix; lives in a pool in the conversation, one slot
//! per receiver at most. Runs in the tick. Whatever a voice does to the mix other than begin to speak goes along a
//! ramp of one frame: see [`Stage`]. A silent mix rests: after ten silent frames only one frame each 400 ms is
//! encoded, and the first frame after a rest is coded without prediction.
//! Not here: which receivers share the slot (see `groups`).

mod sum;
#[cfg(test)]
mod tests;

use antiphon_codec::g711::{self, Law};
use antiphon_codec::{CodecError, Encoder, MAX_FRAME_BYTES};
use antiphon_rtp::{AudioLevel, CsrcLevels, MAX_CSRCS, SourceId};

use crate::bits::{self, words_for};
use crate::gate::mean_square;
use crate::limiter::Limiter;
use crate::source::Source;
use crate::{BusRate, ConversationConfig, EncodeClass, OpusSettings};
pub(crate) use sum::sum;
use sum::{add, add_ramp, add_scaled, sounding, subtract};

/// Silent frames after which a mix rests.
const REST_AFTER: u32 = 10;
/// Ticks between the frames of a resting mix: 400 ms.
const REST_PERIOD: u32 = 20;
/// Gains that a slot remembers from one tick to the next; of voices beyond, a change of gain jumps.
const GAINS_KEPT: usize = 64;

/// Encoder, limiter and result of one distinct mix.
pub(crate) struct MixSlot {
    encoder: Encoder,
    /// The same for legs of telephony.
    phone: g711::Encoder,
    limiter: Limiter,
    rate: BusRate,
    /// What the encoder is set to.
    settings: OpusSettings,
    /// The class of its receivers.
    pub(crate) class: u8,
    /// Heard set ∩ active sources, as words.
    pub(crate) key: Box<[u64]>,
    /// What the stream ended with in the tick before: the sources, and the gains on them other than 1.
    was: Box<[u64]>,
    was_gains: Vec<(u16, f32)>,
    /// The key or the gains may be others than in the tick before.
    pub(crate) changed: bool,
    /// Hash of the gains on those sources.
    pub(crate) gains: u64,
    /// A receiver of the mix, whose gains are everybody's.
    pub(crate) sample: u16,
    /// Receivers of the mix.
    pub(crate) members: u32,
    /// Those that get packets.
    pub(crate) rtp_members: u32,
    /// Silent frames in a row.
    silent: u32,
    /// Encode the next frame without prediction.
    unpredicted: bool,
    frame: Box<[f32]>,
    payload: [u8; MAX_FRAME_BYTES],
    payload_len: usize,
    /// One of its receivers gets RED: this tick's packet is kept for the next.
    pub(crate) repeated: bool,
    /// The packet before, for RED, and its tick.
    older: [u8; MAX_FRAME_BYTES],
    older_len: usize,
    older_tick: Option<u64>,
    csrcs: [SourceId; MAX_CSRCS],
    csrc_levels: CsrcLevels,
    csrc_count: usize,
    level: AudioLevel,
}

/// What all mixes of one tick are made from.
///
/// A source that comes into a mix or leaves it, or has another gain from now on, goes there in a straight line over
/// this frame. Only one that begins to speak is there at once, since an onset must lose nothing.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) sources: &'a [Option<Box<Source>>],
    /// Active sources that go on after this tick, as words.
    pub(crate) live: &'a [u64],
    /// Some active source is not live: it falls to silence in this tick.
    pub(crate) ending: bool,
    /// Sources whose first frame of speech this is, as words.
    pub(crate) onset: &'a [u64],
    /// Active sources, loudest first.
    pub(crate) by_power: &'a [u16],
    /// The sum of all that are live.
    pub(crate) total: &'a [f32],
}

impl MixSlot {
    pub(crate) fn new(config: &ConversationConfig, class: u8) -> Result<Box<Self>, CodecError> {
        let settings = match config.classes.get(usize::from(class)) {
            Some(EncodeClass::Opus(settings)) => *settings,
            _ => OpusSettings::default(),
        };
        let samples = config.rate.frame_samples();
        Ok(Box::new(Self {
            encoder: Encoder::new(&settings.encoder_config(config.rate))?,
            phone: g711::Encoder::new(Law::A, config.rate.codec_rate()),
            limiter: Limiter::new(samples),
            rate: config.rate,
            settings,
            class,
            key: vec![0; words_for(config.limits.sources)].into(),
            was: vec![0; words_for(config.limits.sources)].into(),
            was_gains: Vec::with_capacity(GAINS_KEPT),
            changed: false,
            gains: 0,
            sample: 0,
            members: 0,
            rtp_members: 0,
            silent: 0,
            unpredicted: false,
            frame: vec![0.0; samples].into(),
            payload: [0; MAX_FRAME_BYTES],
            payload_len: 0,
            repeated: false,
            older: [0; MAX_FRAME_BYTES],
            older_len: 0,
            older_tick: None,
            csrcs: [SourceId::new(0); MAX_CSRCS],
            csrc_levels: CsrcLevels::collect([]),
            csrc_count: 0,
            level: AudioLevel::SILENCE,
        }))
    }

    /// Continues exactly where `source` stands: the same samples in give the same packets out.
    pub(crate) fn copy_from(&mut self, source: &Self) {
        self.older_tick = None;
        self.encoder.copy_state_from(&source.encoder).expect("invariant: all slots of a conversation have one shape");
        self.phone.copy_state_from(&source.phone).expect("invariant: all slots of a conversation have one shape");
        self.limiter.copy_from(&source.limiter);
        self.settings = source.settings;
        self.was.copy_from_slice(&source.was);
        self.was_gains.clone_from(&source.was_gains);
        self.silent = source.silent;
        self.unpredicted = source.unpredicted;
    }

    /// Forgets everything, for a mix nobody heard before.
    pub(crate) fn start_afresh(&mut self) {
        self.older_tick = None;
        self.encoder.reset().expect("invariant: a created encoder can be reset");
        self.phone.reset();
        self.limiter.reset();
        self.was.fill(0);
        self.was_gains.clear();
        self.silent = 0;
        self.unpredicted = false;
    }

    /// Makes the next frame one that a decoder without history can start at.
    pub(crate) fn start_unpredicted(&mut self) {
        self.unpredicted = true;
    }

    /// Sums the sources in the key with their gains and limits the sum.
    pub(crate) fn mix(&mut self, stage: &Stage<'_>, gains: &[(u16, u16, f32)]) {
        let Stage { sources, live, .. } = *stage;
        let (mut inside, mut outside) = (0, 0);
        for (key, live) in self.key.iter().zip(live) {
            inside += (key & live).count_ones();
            outside += (!key & live).count_ones();
        }
        let gained = gains.iter().any(|entry| bits::has(&self.key, usize::from(entry.1)));
        if !gained && outside + 1 < inside {
            // Mix-minus: cheaper to take the few away than to add the many up.
            self.frame.copy_from_slice(stage.total);
            for index in bits::ones_without(live, &self.key) {
                if let Some(source) = sounding(sources, index) {
                    subtract(&mut self.frame, source.frame());
                }
            }
        } else {
            self.frame.fill(0.0);
            for index in bits::ones_within(&self.key, live) {
                let Some(source) = sounding(sources, index) else { continue };
                match gain_in(gains, index) {
                    Some(gain) => add_scaled(&mut self.frame, source.frame(), gain),
                    None => add(&mut self.frame, source.frame()),
                }
            }
        }
        let fades = (self.changed || stage.ending) && self.fade(stage, gains);
        self.limiter.process(&mut self.frame);
        self.describe(sources, stage.by_power);
        self.silent = if inside == 0 && !fades { self.silent.saturating_add(1) } else { 0 };
    }

    /// Adds what leads from the mix of the tick before to this one, and remembers this one. Gives whether there
    /// was anything.
    fn fade(&mut self, stage: &Stage<'_>, gains: &[(u16, u16, f32)]) -> bool {
        let mut fades = false;
        // The list is sorted: if it is full, the voices behind its last may have had any gain.
        let full = self.was_gains.len() == GAINS_KEPT;
        let known = self.was_gains.last().filter(|_| full).map_or(usize::MAX, |entry| usize::from(entry.0));
        for at in 0..self.key.len() {
            let key = self.key[at] & stage.live[at];
            for bit in bits::ones(&[key | self.was[at]]) {
                let index = at * 64 + bit;
                let to = if key >> bit & 1 == 1 { gain_in(gains, index).unwrap_or(1.0) } else { 0.0 };
                let from = if self.was[at] >> bit & 1 == 1 {
                    let kept = self.was_gains.iter().find(|entry| usize::from(entry.0) == index);
                    kept.map_or(if index > known { to } else { 1.0 }, |entry| entry.1)
                } else if bits::has(stage.onset, index) {
                    to
                } else {
                    0.0
                };
                if from.to_bits() != to.to_bits()
                    && let Some(source) = sounding(stage.sources, index)
                {
                    add_ramp(&mut self.frame, source.frame(), from - to);
                    fades = true;
                }
            }
            self.was[at] = key;
        }
        self.was_gains.clear();
        let audible = gains.iter().filter(|entry| bits::has(&self.was, usize::from(entry.1)));
        self.was_gains.extend(audible.map(|&(_, source, gain)| (source, gain)).take(GAINS_KEPT));
        // Who ends now may be back in the next tick, without anybody being grouped anew.
        self.changed = stage.ending;
        fades
    }

    /// Encodes the frame as `coding` says, if one is due; without a packet this tick the payload is empty.
    ///
    /// # Errors
    /// That of libopus; there is no packet then.
    pub(crate) fn encode(&mut self, coding: &EncodeClass) -> Result<(), CodecError> {
        let settings = match coding {
            EncodeClass::Opus(settings) => settings,
            EncodeClass::G711(law) => {
                self.encode_phone(*law);
                return Ok(());
            }
        };
        if self.settings != *settings {
            self.encoder.apply(&settings.encoder_config(self.rate)).expect("invariant: classes are validated");
            self.settings = *settings;
        }
        self.payload_len = 0;
        let resting = self.silent > REST_AFTER;
        if resting {
            // The frame that ends the rest is coded without reference to the ones before it.
            self.unpredicted = true;
            if !(self.silent - REST_AFTER).is_multiple_of(REST_PERIOD) {
                return Ok(());
            }
        }
        let unpredicted = self.unpredicted && !resting;
        if unpredicted {
            // Refusals are impossible for this setting; a predicted frame would do no harm either.
            let _ = self.encoder.set_prediction_disabled(true);
        }
        let encoded = self.encoder.encode(&self.frame, &mut self.payload);
        self.payload_len = *encoded.as_ref().unwrap_or(&0);
        if unpredicted {
            let _ = self.encoder.set_prediction_disabled(false);
            self.unpredicted = false;
        }
        encoded.map(|_| ())
    }

    /// The same for telephony: there is a packet each tick, also of silence.
    fn encode_phone(&mut self, law: Law) {
        self.phone.set_law(law);
        self.payload_len = if self.is_resting() {
            // What the filter would make of it, without the filter.
            let len = self.rate.frame_samples() / self.rate.phone_ratio();
            self.payload[..len].fill(law.silence());
            len
        } else {
            self.phone.encode(&self.frame, &mut self.payload).expect("invariant: a frame is a multiple of the ratio")
        };
    }

    /// Keeps the packet of `tick`, if there is one and somebody gets RED, to be repeated in the next.
    pub(crate) fn remember(&mut self, tick: u64) {
        if std::mem::take(&mut self.repeated) && self.payload_len > 0 {
            self.older[..self.payload_len].copy_from_slice(&self.payload[..self.payload_len]);
            (self.older_len, self.older_tick) = (self.payload_len, Some(tick));
        }
    }

    /// The tick of the packet before; none in a stream that has just begun.
    pub(crate) fn older_tick(&self) -> Option<u64> {
        self.older_tick
    }

    /// The packet before.
    pub(crate) fn older(&self) -> &[u8] {
        &self.older[..self.older_len]
    }

    /// No packet this tick, because nobody would get it.
    pub(crate) fn skip_encode(&mut self) {
        self.payload_len = 0;
    }

    /// The packet of this tick; empty if there is none.
    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload[..self.payload_len]
    }

    pub(crate) fn frame(&self) -> &[f32] {
        &self.frame
    }

    pub(crate) fn csrcs(&self) -> &[SourceId] {
        &self.csrcs[..self.csrc_count]
    }

    pub(crate) fn csrc_levels(&self) -> &CsrcLevels {
        &self.csrc_levels
    }

    pub(crate) fn level(&self) -> AudioLevel {
        self.level
    }

    /// Whether the mix has had no source for long enough to rest.
    pub(crate) fn is_resting(&self) -> bool {
        self.silent > REST_AFTER
    }

    /// Works out level and contributors: at most fifteen, the loudest (RFC 3550 §7.1).
    fn describe(&mut self, sources: &[Option<Box<Source>>], by_power: &[u16]) {
        let inside = by_power.iter().filter(|index| bits::has(&self.key, usize::from(**index)));
        let loudest = inside.filter_map(|index| sources[usize::from(*index)].as_deref()).take(MAX_CSRCS);
        let mut levels = [AudioLevel::SILENCE; MAX_CSRCS];
        self.csrc_count = 0;
        for source in loudest {
            self.csrcs[self.csrc_count] = source.source_id();
            levels[self.csrc_count] = source.level();
            self.csrc_count += 1;
        }
        self.csrc_levels = CsrcLevels::collect(levels.into_iter().take(self.csrc_count));
        self.level = match self.csrc_count {
            0 => AudioLevel::SILENCE,
            _ => AudioLevel::from_mean_square(mean_square(&self.frame)),
        };
    }
}

impl std::fmt::Debug for MixSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MixSlot").field("members", &self.members).field("class", &self.class).finish_non_exhaustive()
    }
}

/// The gain other than 1 on the source at `index`, in a plan's row.
fn gain_in(gains: &[(u16, u16, f32)], index: usize) -> Option<f32> {
    gains.iter().find(|entry| usize::from(entry.1) == index).map(|entry| entry.2)
}
