//! Packets to frames: jitter buffer, decoder and the queue of decoded samples between them.
//!
//! One per source fed by RTP; runs in the tick. Asks the jitter buffer for steps until the queue holds a
//! frame, and takes the frame off its front. Not here: the talk gate, mute, when to play what (see `jitter`).

use antiphon_codec::CodecError;
use antiphon_rt::MonoTime;
use antiphon_rtp::RtpTimestamp;

use super::skip::Need;
use super::voice::{Packet, Voice};
use crate::jitter::{Arrival, FrameKind, Insert, JitterBuffer, Step};
use crate::{BusRate, ConversationConfig, FrameOutcome, PacketCounts, RTP_FRAME};

/// Bus samples the decoded queue holds: the longest packet and a frame.
const QUEUE_48K: u32 = 5_760 + RTP_FRAME;
pub(super) struct RtpFeed {
    rate: BusRate,
    jitter: JitterBuffer,
    voice: Voice,
    /// Decoded samples that no tick has taken yet.
    queue: Box<[f32]>,
    queued: usize,
    /// The frame being folded into the next one.
    fold: Box<[f32]>,
    folds: u64,
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
            voice: Voice::new(rate, &config.gate)?,
            queue: vec![0.0; rate.bus_samples(QUEUE_48K)].into(),
            queued: 0,
            fold: vec![0.0; rate.frame_samples()].into(),
            folds: 0,
            queue_outcome: FrameOutcome::Skipped,
            queue_timestamp: 0,
            reported: PacketCounts::default(),
        })
    }

    pub(super) fn packets(&self) -> PacketCounts {
        *self.jitter.counts()
    }

    pub(super) fn folds(&self) -> u64 {
        self.folds
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
        (self.jitter.target_ns(), self.jitter.delay_ns(now))
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
        let rate = self.rate;
        let mut outcome = if self.queued > 0 { self.queue_outcome } else { FrameOutcome::Skipped };
        let mut timestamp = self.queue_timestamp;
        let mut first = self.queued == 0;
        while self.queued < frame.len() {
            if self.queued == 0 && self.jitter.is_idle() {
                self.queue_timestamp += u64::from(RTP_FRAME);
                return (self.jitter.idle_outcome(), RtpTimestamp::new(timestamp as u32));
            }
            let ahead = std::time::Duration::from_nanos(self.queued as u64 * 1_000_000_000 / u64::from(rate.hz()));
            let (stretch, at) = self.fill(now + ahead, need, quiet, rate);
            if first {
                timestamp = at;
                first = false;
            }
            outcome = outcome.max(stretch);
            self.queue_outcome = stretch;
        }
        if outcome > FrameOutcome::Comfort {
            frame.copy_from_slice(&self.queue[..frame.len()]);
        }
        self.queue.copy_within(frame.len()..self.queued, 0);
        self.queued -= frame.len();
        self.queue_timestamp = timestamp + u64::from(RTP_FRAME);
        // The wire number is the low half of the extended one.
        (outcome, RtpTimestamp::new(timestamp as u32))
    }

    /// Adds the next stretch of audio to the queue: at least 2.5 ms, at most one packet.
    fn fill(&mut self, due: MonoTime, need: Need, quiet: bool, rate: BusRate) -> (FrameOutcome, u64) {
        let mut folded = None;
        loop {
            let room = &mut self.queue[self.queued..];
            let (outcome, timestamp, samples) = match self.jitter.next(due, quiet) {
                Step::Decode { payload, kind, timestamp, level, fold } => {
                    let (outcome, samples) = self.voice.decode(Packet { payload, kind, level }, need, room);
                    if outcome == FrameOutcome::Skipped {
                        self.jitter.was_skipped();
                    } else if fold && samples <= self.fold.len() {
                        self.fold[..samples].copy_from_slice(&room[..samples]);
                        folded = Some((samples, timestamp));
                        continue;
                    }
                    (outcome, timestamp, samples)
                }
                Step::Recover { next, level, samples, timestamp } => {
                    let bus = rate.bus_samples(samples);
                    let next = Packet { payload: next, kind: FrameKind::Opus, level };
                    (self.voice.recover(next, need, bus, room), timestamp, bus)
                }
                Step::Conceal { samples, timestamp } => {
                    let bus = rate.bus_samples(samples);
                    (self.voice.conceal(&mut room[..bus]), timestamp, bus)
                }
                step @ (Step::Comfort | Step::Idle) => {
                    let silence = rate.bus_samples(RTP_FRAME).min(room.len());
                    room[..silence].fill(0.0);
                    self.queued += silence;
                    let outcome = if step == Step::Comfort { FrameOutcome::Comfort } else { FrameOutcome::Skipped };
                    return (outcome, self.queue_timestamp);
                }
            };
            let first = folded.map_or(timestamp, |(_, first)| first);
            if let Some((folded, _)) = folded {
                cross_fade(&self.fold[..folded.min(samples)], &mut self.queue[self.queued..]);
                self.folds += 1;
            }
            self.queued += samples;
            return (outcome, first);
        }
    }
}

/// Fades from `from` to what is in `to`, in place.
fn cross_fade(from: &[f32], to: &mut [f32]) {
    let step = 1.0 / from.len().max(1) as f32;
    for (at, (to, from)) in to.iter_mut().zip(from).enumerate() {
        *to = from + (*to - from) * (at as f32 * step);
    }
}
