//! Packets to frames: jitter buffer, decoder and the queue of decoded samples between them.
//!
//! One per source fed by RTP; runs in the tick. Asks the jitter buffer for steps until the queue holds a
//! frame, and takes the frame off its front. Not here: the talk gate, mute, when to play what (see `jitter`).

use antiphon_codec::{Channels, CodecError, Decoder};
use antiphon_rt::MonoTime;
use antiphon_rtp::RtpTimestamp;

use crate::jitter::{Arrival, Insert, JitterBuffer, Step};
use crate::{BusRate, FrameOutcome, PacketCounts, RTP_FRAME};

/// Bus samples the decoded queue holds: the longest packet and a frame.
const QUEUE_48K: u32 = 5_760 + RTP_FRAME;
pub(super) struct RtpFeed {
    rate: BusRate,
    jitter: JitterBuffer,
    decoder: Decoder,
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
    pub(super) fn new(rate: BusRate) -> Result<Self, CodecError> {
        Ok(Self {
            rate,
            jitter: JitterBuffer::new(),
            decoder: Decoder::new(rate.codec_rate(), Channels::Mono)?,
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

    pub(super) fn restart(&mut self) {
        self.jitter.restart();
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

    /// Ends all that waits without playing it.
    pub(super) fn discard(&mut self) {
        self.jitter.discard();
        self.queued = 0;
    }

    /// Makes the frame due at `now`; `quiet` says that the last one was near silence.
    pub(super) fn produce(&mut self, now: MonoTime, quiet: bool, frame: &mut [f32]) -> (FrameOutcome, RtpTimestamp) {
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
            let (stretch, at) = self.fill(now + ahead, quiet, rate);
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
    fn fill(&mut self, due: MonoTime, quiet: bool, rate: BusRate) -> (FrameOutcome, u64) {
        let mut folded = 0;
        let mut folded_at = None;
        loop {
            let room = &mut self.queue[self.queued..];
            let (outcome, timestamp, got, wanted) = match self.jitter.next(due, quiet) {
                Step::Decode { payload, timestamp, fold, .. } => {
                    let got = self.decoder.decode(payload, room);
                    if let (true, Ok(samples)) = (fold, &got)
                        && *samples <= self.fold.len()
                    {
                        self.fold[..*samples].copy_from_slice(&room[..*samples]);
                        (folded, folded_at) = (*samples, Some(timestamp));
                        continue;
                    }
                    (FrameOutcome::Decoded, timestamp, got, RTP_FRAME)
                }
                Step::Recover { next, samples, timestamp } => {
                    let got = self.decoder.decode_fec(next, &mut room[..rate.bus_samples(samples)]);
                    (FrameOutcome::Recovered, timestamp, got, samples)
                }
                Step::Conceal { samples, timestamp } => {
                    let got = self.decoder.conceal(&mut room[..rate.bus_samples(samples)]);
                    (FrameOutcome::Concealed, timestamp, got, samples)
                }
                step @ (Step::Comfort | Step::Idle) => {
                    let silence = rate.bus_samples(RTP_FRAME).min(room.len());
                    room[..silence].fill(0.0);
                    self.queued += silence;
                    let outcome = if step == Step::Comfort { FrameOutcome::Comfort } else { FrameOutcome::Skipped };
                    return (outcome, self.queue_timestamp);
                }
            };
            let (outcome, samples) = match got {
                Ok(samples) if samples > 0 => (outcome, samples),
                // Bytes that passed the packet parser and still do not decode: a frame is missing.
                _ => (FrameOutcome::Concealed, self.conceal(rate.bus_samples(wanted))),
            };
            if let Some(timestamp) = folded_at {
                cross_fade(&self.fold[..folded.min(samples)], &mut self.queue[self.queued..]);
                self.folds += 1;
                self.queued += samples;
                return (outcome, timestamp);
            }
            self.queued += samples;
            return (outcome, timestamp);
        }
    }

    /// Conceals `wanted` bus samples at the end of the queue, and gives how many there was room for.
    fn conceal(&mut self, wanted: usize) -> usize {
        let room = &mut self.queue[self.queued..];
        let wanted = wanted.clamp(1, room.len());
        if self.decoder.conceal(&mut room[..wanted]).is_err() {
            room[..wanted].fill(0.0);
        }
        wanted
    }
}

/// Fades from `from` to what is in `to`, in place.
fn cross_fade(from: &[f32], to: &mut [f32]) {
    let step = 1.0 / from.len().max(1) as f32;
    for (at, (to, from)) in to.iter_mut().zip(from).enumerate() {
        *to = from + (*to - from) * (at as f32 * step);
    }
}
