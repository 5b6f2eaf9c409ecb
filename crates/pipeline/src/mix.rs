//! A mix slot: one distinct mix, from source frames to a packet payload.
//!
//! Owns the encoder, the limiter and the frame of one mix; lives in a pool in the conversation, one slot
//! per receiver at most. Runs in the tick. A silent mix rests: after ten silent frames only one frame each
//! 400 ms is encoded, and the first frame after a rest is coded without prediction.
//! Not here: which receivers share the slot (see `groups`).

use antiphon_codec::g711::{self, Law};
use antiphon_codec::{Encoder, MAX_FRAME_BYTES};
use antiphon_rtp::{AudioLevel, CsrcLevels, MAX_CSRCS, SourceId};

use crate::bits::{self, words_for};
use crate::gate::mean_square;
use crate::limiter::Limiter;
use crate::source::Source;
use crate::{BusRate, ConversationConfig, EncodeClass, OpusSettings};

/// Silent frames after which a mix rests.
const REST_AFTER: u32 = 10;
/// Ticks between the frames of a resting mix: 400 ms.
const REST_PERIOD: u32 = 20;

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
    csrcs: [SourceId; MAX_CSRCS],
    csrc_levels: CsrcLevels,
    csrc_count: usize,
    level: AudioLevel,
}

/// What all mixes of one tick are made from.
#[derive(Clone, Copy)]
pub(crate) struct Stage<'a> {
    pub(crate) sources: &'a [Option<Box<Source>>],
    /// Active sources, as words.
    pub(crate) active: &'a [u64],
    /// The same, loudest first.
    pub(crate) by_power: &'a [u16],
    /// The sum of them all.
    pub(crate) total: &'a [f32],
}

impl MixSlot {
    pub(crate) fn new(config: &ConversationConfig, class: u8) -> Result<Box<Self>, antiphon_codec::CodecError> {
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
            gains: 0,
            sample: 0,
            members: 0,
            rtp_members: 0,
            silent: 0,
            unpredicted: false,
            frame: vec![0.0; samples].into(),
            payload: [0; MAX_FRAME_BYTES],
            payload_len: 0,
            csrcs: [SourceId::new(0); MAX_CSRCS],
            csrc_levels: CsrcLevels::collect([]),
            csrc_count: 0,
            level: AudioLevel::SILENCE,
        }))
    }

    /// Continues exactly where `source` stands: the same samples in give the same packets out.
    pub(crate) fn copy_from(&mut self, source: &Self) {
        self.encoder.copy_state_from(&source.encoder).expect("invariant: all slots of a conversation have one shape");
        self.phone.copy_state_from(&source.phone).expect("invariant: all slots of a conversation have one shape");
        self.limiter.copy_from(&source.limiter);
        self.settings = source.settings;
        self.silent = source.silent;
        self.unpredicted = source.unpredicted;
    }

    /// Forgets everything, for a mix nobody heard before.
    pub(crate) fn start_afresh(&mut self) {
        self.encoder.reset().expect("invariant: a created encoder can be reset");
        self.phone.reset();
        self.limiter.reset();
        self.silent = 0;
        self.unpredicted = false;
    }

    /// Makes the next frame one that a decoder without history can start at.
    pub(crate) fn start_unpredicted(&mut self) {
        self.unpredicted = true;
    }

    /// Sums the sources in the key with their gains and limits the sum.
    pub(crate) fn mix(&mut self, stage: &Stage<'_>, gains: &[(u16, u16, f32)]) {
        let Stage { sources, active, by_power, total } = *stage;
        let inside = bits::count(&self.key);
        let outside = bits::count(active) - inside;
        let gained = gains.iter().any(|entry| bits::has(&self.key, usize::from(entry.1)));
        if !gained && outside + 1 < inside {
            // Mix-minus: cheaper to take the few away than to add the many up.
            self.frame.copy_from_slice(total);
            for index in bits::ones_without(active, &self.key) {
                if let Some(source) = sounding(sources, index) {
                    subtract(&mut self.frame, source.frame());
                }
            }
        } else {
            self.frame.fill(0.0);
            for index in bits::ones(&self.key) {
                let Some(source) = sounding(sources, index) else { continue };
                match gains.iter().find(|entry| usize::from(entry.1) == index) {
                    Some(&(_, _, gain)) => add_scaled(&mut self.frame, source.frame(), gain),
                    None => add(&mut self.frame, source.frame()),
                }
            }
        }
        self.limiter.process(&mut self.frame);
        self.describe(sources, by_power);
        self.silent = if inside == 0 { self.silent.saturating_add(1) } else { 0 };
    }

    /// Encodes the frame as `coding` says, if one is due. Gives whether there is a packet this tick.
    pub(crate) fn encode(&mut self, coding: &EncodeClass) -> bool {
        let settings = match coding {
            EncodeClass::Opus(settings) => settings,
            EncodeClass::G711(law) => return self.encode_phone(*law),
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
                return false;
            }
        }
        let unpredicted = self.unpredicted && !resting;
        if unpredicted {
            // Refusals are impossible for this setting; a predicted frame would do no harm either.
            let _ = self.encoder.set_prediction_disabled(true);
        }
        if let Ok(len) = self.encoder.encode(&self.frame, &mut self.payload) {
            self.payload_len = len;
        }
        if unpredicted {
            let _ = self.encoder.set_prediction_disabled(false);
            self.unpredicted = false;
        }
        self.payload_len > 0
    }

    /// The same for telephony: there is a packet each tick, also of silence.
    fn encode_phone(&mut self, law: Law) -> bool {
        self.phone.set_law(law);
        self.payload_len = if self.is_resting() {
            // What the filter would make of it, without the filter.
            let len = self.rate.frame_samples() / self.rate.phone_ratio();
            self.payload[..len].fill(law.silence());
            len
        } else {
            self.phone.encode(&self.frame, &mut self.payload).expect("invariant: a frame is a multiple of the ratio")
        };
        true
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

fn sounding(sources: &[Option<Box<Source>>], index: usize) -> Option<&Source> {
    sources[index].as_deref().filter(|source| !source.is_silent())
}

/// Adds the frames of all `active` sources up.
pub(crate) fn sum(total: &mut [f32], sources: &[Option<Box<Source>>], active: &[u64]) {
    total.fill(0.0);
    for index in bits::ones(active) {
        if let Some(source) = sounding(sources, index) {
            add(total, source.frame());
        }
    }
}

fn add(out: &mut [f32], frame: &[f32]) {
    for (out, sample) in out.iter_mut().zip(frame) {
        *out += sample;
    }
}

fn subtract(out: &mut [f32], frame: &[f32]) {
    for (out, sample) in out.iter_mut().zip(frame) {
        *out -= sample;
    }
}

fn add_scaled(out: &mut [f32], frame: &[f32], gain: f32) {
    for (out, sample) in out.iter_mut().zip(frame) {
        *out += sample * gain;
    }
}

#[cfg(test)]
mod tests {
    use antiphon_rt::MonoTime;
    use proptest::prelude::*;

    use super::*;
    use crate::bits::Bits;
    use crate::{BusRate, Limits};

    /// Sources that hold one frame each, and those frames.
    fn sources(seeds: &[u32], config: &ConversationConfig) -> (Vec<Option<Box<Source>>>, Vec<Vec<f32>>) {
        let make = |(index, seed): (usize, &u32)| {
            let (mut source, mut mouth) = Source::app(SourceId::new(index as u32), 320, config);
            let mut state = *seed | 1;
            let samples: Vec<i16> = (0..320)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (state >> 21) as i16 - 1_024 // quiet enough for the limiter to stay out of it
                })
                .collect();
            mouth.speak(&samples);
            source.produce(MonoTime::ZERO, true);
            let frame = source.frame().to_vec();
            (Some(source), frame)
        };
        seeds.iter().enumerate().map(make).unzip()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_mix_is_the_sum_of_its_sources_and_mix_minus_the_total_less_one(
            seeds in prop::collection::vec(any::<u32>(), 1..12),
            inside in prop::collection::vec(any::<bool>(), 12),
            gains in prop::collection::vec((0_u16..12, 0.0_f32..2.0), 0..3),
        ) {
            let limits = Limits { sources: 12, ..Limits::default() };
            let config = ConversationConfig { rate: BusRate::Hz16000, limits, ..ConversationConfig::default() };
            let (sources, frames) = sources(&seeds, &config);
            let mut active = Bits::new(12);
            (0..sources.len()).for_each(|index| active.insert(index));
            let mut total = vec![0.0; 320];
            sum(&mut total, &sources, active.words());
            let by_power: Vec<u16> = (0..sources.len() as u16).collect();
            let stage = Stage { sources: &sources, active: active.words(), by_power: &by_power, total: &total };
            let mut gains: Vec<_> = gains.into_iter().map(|(source, gain)| (0, source, gain)).collect();
            gains.sort_by_key(|entry| entry.1);
            gains.dedup_by_key(|entry| entry.1);
            let mut slot = MixSlot::new(&config, 0).unwrap();
            for (index, inside) in inside.iter().enumerate().take(sources.len()) {
                slot.key[0] |= u64::from(*inside) << index;
            }
            // Twice, because the limiter delays by 48 samples.
            slot.mix(&stage, &gains);
            slot.mix(&stage, &gains);
            // Out of the delay comes what went in 48 samples ago.
            let got = slot.frame()[48..].iter().chain(&slot.frame()[..48]);
            for (at, got) in got.enumerate() {
                let heard = (0..sources.len()).filter(|index| inside[*index]);
                let expected: f64 = heard
                    .map(|index| {
                        let gain = gains.iter().find(|entry| usize::from(entry.1) == index).map_or(1.0, |entry| entry.2);
                        f64::from(frames[index][at]) * f64::from(gain)
                    })
                    .sum();
                prop_assert!((f64::from(*got) - expected).abs() < 1e-5, "sample {at}: {got} for {expected}");
            }
        }
    }
}
