//! Packets to frames: jitter buffer, decoder and the queue of decoded samples between them.
//!
//! One per source fed by RTP; runs in the tick. Asks the jitter buffer for steps until the queue holds a
//! frame, stretches what is queued if the buffer wishes so, and takes the frame off the front. Not here: the talk
//! gate, mute, when to play what (see `jitter`), how to stretch (see `stretch`).

use antiphon_codec::CodecError;
use antiphon_rt::MonoTime;
use antiphon_rtp::{RtpTimestamp, SeqNo};

use super::ramp;
use super::skip::Need;
use super::voice::{Packet, Voice};
use crate::gate::mean_square;
use crate::jitter::{Arrival, FrameKind, Insert, JitterBuffer, Step, Wish};
use crate::stretch;
use crate::{BusRate, ConversationConfig, FrameOutcome, PacketCounts, RTP_FRAME, StretchCounts, Stretched};

/// Bus samples the decoded queue holds: the longest packet, a frame, and what stretch may add.
const QUEUE_48K: u32 = 5_760 + 2 * RTP_FRAME;

pub(super) struct RtpFeed {
    rate: BusRate,
    jitter: JitterBuffer,
    voice: Voice,
    /// Decoded samples that no tick has taken yet.
    queue: Box<[f32]>,
    queued: usize,
    stretches: StretchCounts,
    stretched: Stretched,
    /// What the samples at the front of the queue are.
    queue_outcome: FrameOutcome,
    /// RTP time of the sample at the front of the queue.
    queue_timestamp: u64,
    /// Where in the counts the last reading was taken.
    reported: PacketCounts,
}

impl std::fmt::Debug for RtpFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtpFeed").field("jitter", &self.jitter).field("queued", &self.queued).finish_non_exhaustive()
    }
}

impl RtpFeed {
    /// Allocates about 70 KB.
    pub(super) fn new(config: &ConversationConfig) -> Result<Self, CodecError> {
        let rate = config.rate;
        Ok(Self {
            rate,
            jitter: JitterBuffer::new(),
            voice: Voice::new(rate)?,
            queue: vec![0.0; rate.bus_samples(QUEUE_48K)].into(),
            queued: 0,
            stretches: StretchCounts::default(),
            stretched: Stretched::No,
            queue_outcome: FrameOutcome::Skipped,
            queue_timestamp: 0,
            reported: PacketCounts::default(),
        })
    }

    pub(super) fn packets(&self) -> PacketCounts {
        *self.jitter.counts()
    }

    pub(super) fn stretches(&self) -> StretchCounts {
        self.stretches
    }

    /// What was done to the length of the audio the last frame was taken from.
    pub(super) fn stretched(&self) -> Stretched {
        self.stretched
    }

    /// Whether nothing plays and no packet waits; decoded samples may be left.
    pub(super) fn is_waiting(&self) -> bool {
        self.jitter.is_idle()
    }

    /// Whether nothing at all is left to play.
    pub(super) fn is_idle(&self) -> bool {
        self.jitter.is_idle() && self.queued == 0
    }

    /// The delay aimed at and the delay played with, in nanoseconds.
    pub(super) fn delays_ns(&self, now: MonoTime) -> (i64, i64) {
        (self.jitter.target_ns(), self.jitter.delay_ns(now, self.queued_ns()))
    }

    /// Loudest stamp among the packets skipped for the last frame, as a mean square.
    pub(super) fn take_skipped_power(&mut self) -> f32 {
        self.voice.take_skipped_power()
    }

    pub(super) fn restart(&mut self) {
        self.jitter.restart();
        self.voice.restart();
    }

    pub(super) fn insert(&mut self, arrival: &Arrival<'_>) -> Insert {
        self.jitter.insert(arrival)
    }

    pub(super) fn insert_redundant(&mut self, seq: SeqNo, timestamp: RtpTimestamp, payload: &[u8], at: MonoTime) {
        self.jitter.insert_redundant(seq, timestamp, payload, at);
    }

    pub(super) fn note_seq(&mut self, seq: SeqNo) {
        self.jitter.note_seq(seq);
    }

    /// Packets that ended since the last call.
    pub(super) fn take_packet_counts(&mut self) -> PacketCounts {
        let counts = *self.jitter.counts();
        let ended = counts.since(&self.reported);
        self.reported = counts;
        ended
    }

    /// Makes the frame due at `now`; `quiet` says that the last one was near silence or not heard.
    pub(super) fn produce(
        &mut self,
        now: MonoTime,
        need: Need,
        quiet: bool,
        frame: &mut [f32],
    ) -> (FrameOutcome, RtpTimestamp) {
        self.stretched = Stretched::No;
        if self.queued == 0 && self.jitter.is_idle() {
            let timestamp = self.queue_timestamp;
            self.queue_timestamp += u64::from(RTP_FRAME);
            return (self.jitter.idle_outcome(), RtpTimestamp::new(timestamp as u32));
        }
        let mut shares = Shares::default();
        shares.add(self.queue_outcome, self.queued.min(frame.len()));
        self.fill(now, need, quiet, frame.len(), &mut shares);
        let longer = self.stretch(now);
        if self.queued < frame.len() {
            self.fill(now, need, quiet, frame.len(), &mut shares);
        }
        let outcome = shares.outcome();
        if outcome > FrameOutcome::Comfort {
            frame.copy_from_slice(&self.queue[..frame.len()]);
        }
        self.queue.copy_within(frame.len()..self.queued, 0);
        self.queued -= frame.len();
        let timestamp = self.queue_timestamp;
        let longer = self.rate.rtp_span(longer);
        self.queue_timestamp = timestamp.saturating_add_signed(i64::from(RTP_FRAME) - longer);
        // The wire number is the low half of the extended one.
        (outcome, RtpTimestamp::new(timestamp as u32))
    }

    fn queued_ns(&self) -> i64 {
        self.queued as i64 * 1_000_000_000 / i64::from(self.rate.hz())
    }

    /// Fills the queue up to a frame of `wanted` samples.
    fn fill(&mut self, now: MonoTime, need: Need, quiet: bool, wanted: usize, shares: &mut Shares) {
        while self.queued < wanted {
            let (empty, missing) = (self.queued == 0, wanted - self.queued);
            let (outcome, timestamp) = self.step(now, need, quiet, wanted);
            if empty {
                self.queue_timestamp = timestamp;
            }
            self.queue_outcome = outcome;
            shares.add(outcome, missing.min(self.queued + missing - wanted));
        }
    }

    /// Adds the next piece of audio to the queue: at least 2.5 ms, at most one packet.
    fn step(&mut self, now: MonoTime, need: Need, quiet: bool, wanted: usize) -> (FrameOutcome, u64) {
        let (rate, ahead) = (self.rate, self.queued_ns());
        let room = &mut self.queue[self.queued..];
        self.jitter.believe(self.voice.believes());
        let (outcome, timestamp, samples) = match self.jitter.next(now, ahead, quiet) {
            Step::Decode { payload, kind, timestamp, level, copy, gain } => {
                let (outcome, samples) = self.voice.decode(Packet { payload, kind, level }, need, room);
                rise(&mut room[..samples], gain, rate);
                match outcome {
                    FrameOutcome::Skipped => {
                        self.jitter.was_skipped();
                        (outcome, timestamp, samples)
                    }
                    FrameOutcome::Decoded if copy => (FrameOutcome::Recovered, timestamp, samples),
                    outcome => (outcome, timestamp, samples),
                }
            }
            Step::Recover { next, level, samples, timestamp, gain } => {
                let bus = rate.bus_samples(samples);
                let next = Packet { payload: next, kind: FrameKind::Opus, level };
                let outcome = self.voice.recover(next, need, bus, room);
                rise(&mut room[..bus], gain, rate);
                (outcome, timestamp, bus)
            }
            Step::Conceal { samples, timestamp, gain: (from, to) } => {
                let bus = rate.bus_samples(samples);
                let outcome = self.voice.conceal(&mut room[..bus]);
                // What ends in silence ends with the frame.
                let bus = if to > 0.0 { bus } else { bus.min(wanted - self.queued) };
                if from < 1.0 || to < 1.0 {
                    ramp(&mut room[..bus], from, to);
                }
                (outcome, timestamp, bus)
            }
            step @ (Step::Comfort | Step::Idle) => {
                let silence = wanted - self.queued;
                room[..silence].fill(0.0);
                let outcome = if step == Step::Comfort { FrameOutcome::Comfort } else { FrameOutcome::Skipped };
                (outcome, self.queue_timestamp, silence)
            }
        };
        self.queued += samples;
        (outcome, timestamp)
    }

    /// Makes what is queued shorter or longer if that brings the delay to its aim; by how many samples longer.
    fn stretch(&mut self, now: MonoTime) -> isize {
        let (shorter, wish) = match self.jitter.wish(now, self.queued_ns()) {
            Wish::Keep => return 0,
            Wish::Shorter(wish) => (true, wish),
            Wish::Longer(wish) => (false, wish),
        };
        let silent = mean_square(&self.queue[..self.queued]) < stretch::SILENCE;
        if !(silent || wish.rested && self.queue_outcome != FrameOutcome::Concealed) {
            return 0;
        }
        let span = (wish.nanos * i64::from(self.rate.hz()) / 1_000_000_000) as usize;
        let (len, rate) = (self.queued, self.rate);
        let by = if shorter {
            let by = stretch::shorten(&mut self.queue, len, span.min(len), wish.alike, rate);
            self.queued -= by;
            by
        } else {
            let most = (len + RTP_FRAME as usize).min(self.queue.len());
            let by = stretch::lengthen(&mut self.queue[..most], len, span, wish.alike, rate);
            self.queued += by;
            by
        };
        if by == 0 {
            return 0;
        }
        self.jitter.was_stretched();
        self.stretched = if shorter { Stretched::Shorter } else { Stretched::Longer };
        self.stretches.add(self.stretched);
        if shorter { -(by as isize) } else { by as isize }
    }
}

/// Lets `samples` rise to full level from `gain` within 5 ms. What rises from silence rises only after the first
/// millisecond: in that one the decoder's filters give out what was before.
fn rise(samples: &mut [f32], gain: f32, rate: BusRate) {
    if gain < 1.0 {
        let len = samples.len();
        let silent = if gain > 0.0 { 0 } else { len.min(rate.frame_samples() / 20) };
        let risen = len.min(silent + rate.frame_samples() / 4);
        samples[..silent].fill(0.0);
        ramp(&mut samples[silent..risen], gain, 1.0);
    }
}

/// What a frame is made of, in samples per outcome.
#[derive(Default)]
struct Shares([usize; FrameOutcome::COUNT]);

impl Shares {
    fn add(&mut self, outcome: FrameOutcome, samples: usize) {
        self.0[outcome as usize] += samples;
    }

    /// What most of it is; silence only if all is.
    fn outcome(&self) -> FrameOutcome {
        let share = |outcome: &FrameOutcome| self.0[*outcome as usize];
        let sounding = [FrameOutcome::Decoded, FrameOutcome::Recovered, FrameOutcome::Concealed];
        let silent = [FrameOutcome::Skipped, FrameOutcome::Comfort];
        let most = |all: &[FrameOutcome]| all.iter().copied().max_by_key(share).filter(|outcome| share(outcome) > 0);
        most(&sounding).or_else(|| most(&silent)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
