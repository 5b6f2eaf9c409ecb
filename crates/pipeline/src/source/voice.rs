//! The decoding of one source: packets, FEC copies and holes to samples, or to silence where nobody would hear.
//!
//! Between the jitter buffer's steps and the queue of samples; runs in the tick. Owns the decoder and what is
//! known of skipped packets (see `skip`). Invariant: what is given is finite in length and complete, whatever
//! the bytes: a payload that does not decode is concealed.

use antiphon_codec::g711::{self, Law};
use antiphon_codec::{Channels, CodecError, Decoder};
use antiphon_rtp::AudioLevel;

use super::skip::{Need, Skipper, Verdict, is_transform};
use crate::gate::mean_square;
use crate::jitter::FrameKind;
use crate::{BusRate, FrameOutcome};

/// By what factor of power audio must exceed its stamp to be a lie: 12 dB.
const LIE: f32 = 16.0;

/// Decoder and skipper of one source.
pub(super) struct Voice {
    decoder: Decoder,
    g711: g711::Decoder,
    /// What was decoded last, and so goes on where something is missing.
    law: Option<Law>,
    rate: BusRate,
    skipper: Skipper,
    /// The next packet is the first of a stream.
    fresh: bool,
    /// Loudest stamp among the packets skipped since it was last taken, as a mean square.
    skipped_power: f32,
}

/// One packet to decode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) payload: &'a [u8],
    pub(super) kind: FrameKind,
    pub(super) level: Option<AudioLevel>,
}

impl std::fmt::Debug for Voice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Voice").field("skipper", &self.skipper).finish_non_exhaustive()
    }
}

impl Voice {
    /// Allocates about 30 KB.
    pub(super) fn new(rate: BusRate) -> Result<Self, CodecError> {
        Ok(Self {
            decoder: Decoder::new(rate.codec_rate(), Channels::Mono)?,
            g711: g711::Decoder::new(rate.codec_rate()),
            law: None,
            rate,
            skipper: Skipper::new(),
            fresh: false,
            skipped_power: 0.0,
        })
    }

    /// Another stream begins, maybe another sender's: nothing decoded so far says anything about it. Until its first
    /// packet the old one is what concealment goes on from.
    pub(super) fn restart(&mut self) {
        self.fresh = true;
    }

    /// Whether the levels that the sender stamps are believed.
    pub(super) fn believes(&self) -> bool {
        self.skipper.believes()
    }

    /// Loudest stamp among the packets skipped since the last call, as a mean square.
    pub(super) fn take_skipped_power(&mut self) -> f32 {
        std::mem::take(&mut self.skipped_power)
    }

    /// Decodes a packet to the front of `room`, or gives as much silence if it need not be heard: `Skipped` then.
    pub(super) fn decode(&mut self, packet: Packet<'_>, need: Need, room: &mut [f32]) -> (FrameOutcome, usize) {
        let Packet { payload, kind, level } = packet;
        self.begin_stream();
        self.use_codec(kind);
        let length = self.rate.bus_samples(kind.samples(payload).unwrap_or(crate::RTP_FRAME)).min(room.len());
        match self.skipper.judge(need, level) {
            Verdict::Decode => {
                self.catch_up(payload, room);
                let (outcome, samples) = self.decode_now(payload, length, room);
                // Whoever was caught and goes on lying stays caught.
                if self.skipper.claims_silence() && belies(&room[..samples], level, need) {
                    self.skipper.distrust();
                }
                (outcome, samples)
            }
            Verdict::Probe => {
                if is_transform(payload) {
                    self.catch_up(payload, room);
                }
                let (outcome, samples) = self.decode_now(payload, length, room);
                if belies(&room[..samples], level, need) {
                    self.skipper.distrust();
                    self.skipper.caught_up();
                    return (outcome, samples);
                }
                // Decoded out of a stale state: good enough to measure, not to hear or to go on from.
                self.skip(payload, level);
                room[..samples].fill(0.0);
                (FrameOutcome::Skipped, samples)
            }
            Verdict::Skip => {
                self.skip(payload, level);
                room[..length].fill(0.0);
                (FrameOutcome::Skipped, length)
            }
        }
    }

    /// Rebuilds the packet lost before `next` at the front of `room`, `length` samples, or gives silence if `next`
    /// need not be heard.
    pub(super) fn recover(&mut self, next: Packet<'_>, need: Need, length: usize, room: &mut [f32]) -> FrameOutcome {
        if self.skipper.is_skipping() {
            if !self.skipper.may_sound(need, next.level) {
                room[..length].fill(0.0);
                return FrameOutcome::Skipped;
            }
            self.catch_up(next.payload, room);
        }
        let out = &mut room[..length];
        if self.decoder.decode_fec(next.payload, out).is_err() {
            return self.conceal(out);
        }
        FrameOutcome::Recovered
    }

    /// Makes up all of `out`; silence while packets are skipped, since a stale decoder has nothing to go on from.
    pub(super) fn conceal(&mut self, out: &mut [f32]) -> FrameOutcome {
        if self.skipper.is_skipping() {
            out.fill(0.0);
            return FrameOutcome::Skipped;
        }
        if self.law.is_some() {
            // Whole samples at 8 kHz; what is left over is part of one.
            let whole = out.len() - out.len() % self.g711.ratio();
            let (whole, rest) = out.split_at_mut(whole);
            if self.g711.conceal(whole).is_ok() {
                rest.fill(whole.last().copied().unwrap_or_default());
                return FrameOutcome::Concealed;
            }
        }
        if self.decoder.conceal(out).is_err() {
            out.fill(0.0);
        }
        FrameOutcome::Concealed
    }

    fn begin_stream(&mut self) {
        if std::mem::take(&mut self.fresh) {
            self.skipper.restart();
            self.decoder.reset().expect("invariant: a created decoder can be reset");
            self.g711.reset();
        }
    }

    /// Turns to the decoder for packets of `kind`. The other one keeps its state, as over any pause.
    fn use_codec(&mut self, kind: FrameKind) {
        let law = match kind {
            FrameKind::Opus => None,
            FrameKind::Mulaw => Some(Law::Mu),
            FrameKind::Alaw => Some(Law::A),
        };
        if law != self.law {
            self.skipper.caught_up(); // what was kept is not for this decoder
            self.g711.reset();
            self.law = law;
        }
    }

    fn decode_now(&mut self, payload: &[u8], length: usize, room: &mut [f32]) -> (FrameOutcome, usize) {
        let decoded = match self.law {
            None => self.decoder.decode(payload, room),
            Some(law) => self.g711.decode(law, payload, room),
        };
        match decoded {
            Ok(samples) if samples > 0 => (FrameOutcome::Decoded, samples),
            // Bytes that passed the packet parser and still do not decode: a frame is missing.
            _ => (self.conceal(&mut room[..length]), length),
        }
    }

    fn skip(&mut self, payload: &[u8], level: Option<AudioLevel>) {
        self.skipper.keep(payload);
        let power = level.map_or(0.0, power_of);
        self.skipped_power = self.skipped_power.max(power);
    }

    /// Decodes for nothing what was skipped lately, so that `payload` finds the decoder where the sender's
    /// encoder was.
    fn catch_up(&mut self, payload: &[u8], scratch: &mut [f32]) {
        if self.law.is_some() && self.skipper.is_skipping() {
            self.g711.reset(); // it remembers two milliseconds, which are long past
        }
        for packet in self.skipper.pre_roll(payload).take_while(|_| self.law.is_none()) {
            let _ = self.decoder.decode(packet, scratch); // what does not decode now would not have then
        }
        self.skipper.caught_up();
    }
}

/// Whether what was decoded would open the gate and is far louder than its stamp: a codec at a low rate makes faint
/// noise some decibels louder than it was.
fn belies(frame: &[f32], level: Option<AudioLevel>, need: Need) -> bool {
    mean_square(frame) >= need.loud.max(level.map_or(0.0, power_of) * LIE)
}

/// Mean square of a level; silence is none at all.
fn power_of(level: AudioLevel) -> f32 {
    if level == AudioLevel::SILENCE { 0.0 } else { 10.0_f32.powf(f32::from(level.minus_dbov()) / -10.0) }
}
