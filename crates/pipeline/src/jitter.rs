//! The jitter buffer: packets in as they come, one decision per stretch of audio out.
//!
//! Between the inlet's demultiplexer and one source's decoder; runs in the tick; no codec in it, so
//! days of packets run in seconds. Invariants: each inserted packet ends exactly once (see
//! `PacketCounts`); memory is fixed at construction; work per call is bounded by the capacity.
//! It plays by RTP time and holds that clock still when it runs dry, so a late packet delays
//! the stream instead of being lost. Not here: how long to wait (see `playout`), decoding.
//! Spec: RFC 3550 §5.1, RFC 7587 §4.

mod playout;
mod store;

use antiphon_codec::PacketInfo;
use antiphon_rt::MonoTime;
use antiphon_rtp::{AudioLevel, RtpTimestamp, SeqNo};

use crate::{FrameOutcome, PacketCounts, PacketOutcome, RTP_FRAME};
use playout::{FRAME_NS, Playout, WindowPlayout};
use store::{Store, Stored};

/// Packets a buffer can hold: 640 ms at 20 ms each.
pub(crate) const CAPACITY: usize = 32;
/// Longest payload kept; three 20 ms frames of the highest rate would be longer, an MTU is not.
pub(crate) const MAX_PAYLOAD: usize = 1_460;
/// Concealed frames in a row after which a source counts as gone quiet.
const MAX_CONCEALED: u32 = 5;
/// A sequence jump beyond this starts the stream anew (RFC 3550 appendix A.1).
const MAX_SEQ_JUMP: u64 = 3_000;
/// A change of transit time beyond this starts the stream anew.
const MAX_TRANSIT_JUMP_NS: i64 = 1_000_000_000;
/// With this much more delay than aimed at, even a loud frame is dropped to catch up.
const MAX_EXCESS_NS: i64 = 300_000_000;
/// Delay beyond the aim that is worth a quiet frame, over the frame itself.
const SHRINK_MARGIN_NS: i64 = 5_000_000;
/// Delay beyond the aim, over the frame itself, at which loud frames are folded too.
const FOLD_MARGIN_NS: i64 = 35_000_000;
/// Packets between two folds: 200 ms.
const FOLD_EVERY: u32 = 10;
/// A payload this short carries no audio: the sender is in DTX (RFC 6716 §2.1.9).
const DTX_PAYLOAD: usize = 2;
/// G.711 payloads are multiples of 5 ms up to 120 ms (RFC 3551 §4.5.14 names no bound; one is needed).
const G711_UNIT: usize = 40;
const G711_MAX: usize = 960;

/// What insertion did; the counts are kept by the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insert {
    /// It waits for its turn.
    Buffered,
    /// It waits, and the stream was started anew for it.
    Restarted,
    /// It ended at once.
    Ended(PacketOutcome),
}

/// What the source has to do for the next stretch of audio.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// Decode this payload. With `fold`, fade its audio into that of the next step, which is a
    /// `Decode` of the same length: two frames in the time of one.
    Decode { payload: &'a [u8], kind: FrameKind, timestamp: u64, level: Option<AudioLevel>, fold: bool },
    /// Rebuild `samples` of RTP clock from the FEC copy in `next`, which stays in the buffer.
    Recover { next: &'a [u8], level: Option<AudioLevel>, samples: u32, timestamp: u64 },
    /// Conceal `samples` of RTP clock.
    Conceal { samples: u32, timestamp: u64 },
    /// One frame of silence that the sender announced.
    Comfort,
    /// One frame of nothing.
    Idle,
}

/// One received packet on its way in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) at: MonoTime,
    pub(crate) seq: SeqNo,
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) payload: &'a [u8],
    pub(crate) kind: FrameKind,
    /// The level its sender stamped (RFC 6464).
    pub(crate) level: Option<AudioLevel>,
}

/// What a payload is coded with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FrameKind {
    #[default]
    Opus,
    /// G.711 by the mu-law, one byte a sample at 8 kHz; its timestamps come scaled to 48 kHz.
    Mulaw,
    /// The same by the A-law.
    Alaw,
}

impl FrameKind {
    /// How much audio `payload` holds, in samples of the 48 kHz RTP clock; `None` if it cannot be.
    pub(crate) fn samples(self, payload: &[u8]) -> Option<u32> {
        match self {
            Self::Opus => PacketInfo::parse(payload).ok().map(|info| info.samples_48k()),
            Self::Mulaw | Self::Alaw => {
                let fits = !payload.is_empty() && payload.len() <= G711_MAX && payload.len().is_multiple_of(G711_UNIT);
                fits.then(|| payload.len() as u32 * 6)
            }
        }
    }

    /// Whether this payload only announces silence.
    fn is_dtx(self, payload_len: usize) -> bool {
        self == Self::Opus && payload_len <= DTX_PAYLOAD
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is playing; the next packet starts when its delay is due.
    Idle { comfort: bool },
    /// Playing; the next sample due has the RTP time `cursor`.
    Playing { cursor: u64 },
}

/// Jitter buffer of one RTP stream.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    store: Store,
    playout: WindowPlayout,
    state: State,
    stream: Option<Stream>,
    /// Concealed frames in a row.
    concealed: u32,
    /// Length of the last packet played.
    last_samples: u32,
    /// Packets played since the last fold.
    unfolded: u32,
    counts: PacketCounts,
    /// Streams started anew.
    restarts: u64,
}

/// What is known of the numbers of the stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    /// Highest extended sequence number received.
    highest: u64,
    /// Its extended timestamp.
    timestamp: u64,
    /// Bit n: `highest - n` was received.
    seen: u128,
    /// The next sequence number to play; older ones are late.
    next: u64,
    /// Arrival time less media time of the newest packet.
    transit: i64,
}

impl JitterBuffer {
    /// Allocates all it will ever need, about 48 KB.
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(CAPACITY, MAX_PAYLOAD),
            playout: WindowPlayout::new(),
            state: State::Idle { comfort: false },
            stream: None,
            concealed: 0,
            last_samples: RTP_FRAME,
            unfolded: 0,
            counts: PacketCounts::default(),
            restarts: 0,
        }
    }

    pub(crate) fn counts(&self) -> &PacketCounts {
        &self.counts
    }

    #[cfg(test)]
    pub(crate) fn buffered(&self) -> usize {
        self.store.len()
    }

    /// Whether nothing plays and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.store.is_empty() && matches!(self.state, State::Idle { .. })
    }

    /// What a frame is while nothing plays.
    pub(crate) fn idle_outcome(&self) -> FrameOutcome {
        match self.state {
            State::Idle { comfort: true } => FrameOutcome::Comfort,
            _ => FrameOutcome::Skipped,
        }
    }

    pub(crate) fn target_ns(&self) -> i64 {
        self.playout.target()
    }

    /// Delay of what is played at `due` beyond the fastest packet.
    pub(crate) fn delay_ns(&self, due: MonoTime) -> i64 {
        match self.state {
            State::Idle { .. } => 0,
            State::Playing { cursor } => self.playout.slack(due, cursor),
        }
    }

    /// Takes in one packet. O(capacity).
    pub(crate) fn insert(&mut self, arrival: &Arrival<'_>) -> Insert {
        self.counts.received += 1;
        let Some(samples) = arrival.kind.samples(arrival.payload) else {
            return self.end(PacketOutcome::Skipped);
        };
        if arrival.payload.len() > MAX_PAYLOAD {
            return self.end(PacketOutcome::Skipped);
        }
        let Some((seq, timestamp, restarted)) = self.place(arrival) else {
            return self.end(PacketOutcome::Duplicate);
        };
        let stream = self.stream.as_ref().expect("invariant: `place` starts the stream");
        let passed = matches!(self.state, State::Playing { cursor } if timestamp + u64::from(samples) <= cursor);
        self.playout.on_arrival(arrival.at, timestamp);
        if seq < stream.next || passed {
            return self.end(PacketOutcome::Late);
        }
        if self.store.is_full() {
            // The oldest audio is worth least. It makes room unless the newcomer is older still.
            let oldest = self.store.first().expect("invariant: full is not empty").seq;
            self.counts.end(PacketOutcome::Overflowed);
            if seq < oldest {
                return Insert::Ended(PacketOutcome::Overflowed);
            }
            self.store.pop_first();
            self.skip_to_first_after(oldest);
        }
        let stored = Stored {
            seq,
            timestamp,
            samples,
            kind: arrival.kind,
            fec: arrival.kind == FrameKind::Opus && PacketInfo::has_fec(arrival.payload),
            level: arrival.level,
            ..Stored::default()
        };
        self.store.insert(stored, arrival.payload);
        if restarted { Insert::Restarted } else { Insert::Buffered }
    }

    /// Throws away what waits and forgets the stream: its sender started another one.
    pub(crate) fn restart(&mut self) {
        self.flush();
        self.stream = None;
        self.playout.reset();
        self.state = State::Idle { comfort: false };
        self.concealed = 0;
        self.restarts += 1;
    }

    /// The packet of the last step was not decoded after all, because nobody would hear it.
    pub(crate) fn was_skipped(&mut self) {
        self.counts.played -= 1;
        self.counts.end(PacketOutcome::Skipped);
    }

    /// Decides what comes next for the audio due at `due`; `quiet` says that what was played last
    /// was near silence. The buffer's clock advances by what the step gives.
    pub(crate) fn next(&mut self, due: MonoTime, quiet: bool) -> Step<'_> {
        // Each turn either returns, drops a packet, or changes from playing to idle and back once.
        for _ in 0..CAPACITY * 2 + 4 {
            match self.state {
                State::Idle { comfort } => {
                    if !self.start(due) {
                        return if comfort { Step::Comfort } else { Step::Idle };
                    }
                }
                State::Playing { cursor } => match self.store.first().copied() {
                    None => return self.run_dry(due, cursor),
                    Some(first) if first.timestamp <= cursor => {
                        if quiet && self.playout.slack(due, cursor) + FRAME_NS <= self.playout.target() {
                            return Step::Comfort; // an unheard frame more, to get to the aim
                        }
                        if !self.drop_to_catch_up(due, cursor, first, quiet) {
                            return self.play(due, cursor, first);
                        }
                    }
                    Some(first) => {
                        if let Some(step) = self.bridge(due, cursor, first) {
                            return self.materialise(step);
                        }
                    }
                },
            }
        }
        Step::Idle
    }

    fn end(&mut self, outcome: PacketOutcome) -> Insert {
        self.counts.end(outcome);
        Insert::Ended(outcome)
    }

    fn flush(&mut self) {
        while self.store.pop_first().is_some() {
            self.counts.end(PacketOutcome::Skipped);
        }
    }

    /// Extends the packet's numbers, starting the stream (anew) if they make no sense in it.
    /// `None` for a duplicate.
    fn place(&mut self, arrival: &Arrival<'_>) -> Option<(u64, u64, bool)> {
        let mut restarted = false;
        if let Some(stream) = &self.stream {
            let seq = arrival.seq.extend_near(stream.highest);
            let timestamp = arrival.timestamp.extend_near(stream.timestamp);
            let transit = transit_ns(arrival.at, timestamp);
            let jumped = seq.abs_diff(stream.highest) > MAX_SEQ_JUMP
                || (seq > stream.highest && (transit - stream.transit).abs() > MAX_TRANSIT_JUMP_NS);
            if jumped {
                self.restart();
                restarted = true;
            }
        }
        let stream = self.stream.get_or_insert_with(|| {
            // Far enough from zero that neither number can run below it.
            let highest = (1 << 32) + u64::from(arrival.seq.as_u16()) - 1;
            let timestamp = (1 << 40) + u64::from(arrival.timestamp.as_u32());
            Stream { highest, timestamp, seen: 0, next: 0, transit: transit_ns(arrival.at, timestamp) }
        });
        let seq = arrival.seq.extend_near(stream.highest);
        let timestamp = arrival.timestamp.extend_near(stream.timestamp);
        if seq > stream.highest {
            let step = seq - stream.highest;
            stream.seen = if step < 128 { stream.seen << step } else { 0 } | 1;
            stream.highest = seq;
            stream.timestamp = timestamp;
            stream.transit = transit_ns(arrival.at, timestamp);
        } else {
            let back = stream.highest - seq;
            let bit = if back < 128 { 1_u128 << back } else { 0 };
            if stream.seen & bit != 0 {
                return None;
            }
            stream.seen |= bit;
        }
        Some((seq, timestamp, restarted))
    }

    /// Starts playing if the delay of a waiting packet is due. Packets that are older than the
    /// delay asks for make way, so a spurt begins with no more delay than needed.
    fn start(&mut self, due: MonoTime) -> bool {
        let target = self.playout.target();
        let Some(first) = self.store.first().copied() else { return false };
        if self.playout.slack(due, first.timestamp) < target {
            return false;
        }
        while let Some(second) = self.store.second().copied() {
            if self.playout.slack(due, second.timestamp) < target + FRAME_NS {
                break;
            }
            self.store.pop_first();
            self.counts.end(PacketOutcome::Skipped);
            if let Some(stream) = &mut self.stream {
                stream.next = second.seq;
            }
        }
        let first = self.store.first().expect("invariant: one packet is always left");
        self.state = State::Playing { cursor: first.timestamp };
        if let Some(stream) = &mut self.stream {
            stream.next = first.seq;
        }
        self.concealed = 0;
        true
    }

    /// Nothing waits: conceal with the clock held still, so that what comes late still plays.
    fn run_dry(&mut self, due: MonoTime, cursor: u64) -> Step<'_> {
        self.concealed += 1;
        if self.concealed > MAX_CONCEALED {
            self.state = State::Idle { comfort: false };
            return Step::Idle;
        }
        if self.playout.slack(due, cursor) > self.playout.target() + MAX_EXCESS_NS {
            self.state = State::Playing { cursor: cursor + u64::from(RTP_FRAME) };
        }
        Step::Conceal { samples: RTP_FRAME, timestamp: cursor }
    }

    /// Ends `first` unplayed if that brings the delay back to the aim unheard, or if the delay is
    /// out of all bounds.
    fn drop_to_catch_up(&mut self, due: MonoTime, cursor: u64, first: Stored, quiet: bool) -> bool {
        let excess = self.playout.slack(due, cursor) - self.playout.target();
        let unheard = (quiet || first.is_quiet()) && excess >= span_ns(first.samples) + SHRINK_MARGIN_NS;
        let forced = excess >= MAX_EXCESS_NS;
        if !(unheard || forced) || self.store.second().is_none() {
            return false;
        }
        self.store.pop_first();
        self.counts.end(PacketOutcome::Skipped);
        self.advance_past(first, cursor);
        true
    }

    fn advance_past(&mut self, packet: Stored, cursor: u64) {
        if let Some(stream) = &mut self.stream {
            stream.next = packet.seq + 1;
        }
        let end = packet.timestamp + u64::from(packet.samples);
        self.state = State::Playing { cursor: end.max(cursor) };
    }

    fn play(&mut self, due: MonoTime, cursor: u64, first: Stored) -> Step<'_> {
        let fold = self.folds(due, cursor, first);
        self.unfolded = if fold { 0 } else { self.unfolded.saturating_add(1) };
        let popped = self.store.pop_first().expect("invariant: the caller saw it");
        self.advance_past(first, cursor);
        self.concealed = 0;
        self.last_samples = first.samples;
        if popped.is_dtx() {
            // Nothing to hear, and a decoder that is left alone resumes better than one that made noise.
            self.counts.end(PacketOutcome::Skipped);
            self.state = State::Idle { comfort: true };
            return Step::Comfort;
        }
        self.counts.end(PacketOutcome::Played);
        Step::Decode {
            payload: self.store.payload(&popped),
            kind: first.kind,
            timestamp: first.timestamp,
            level: first.level,
            fold,
        }
    }

    /// Whether `first` and its successor should be played in the time of one.
    fn folds(&self, due: MonoTime, cursor: u64, first: Stored) -> bool {
        let follows = |second: &Stored| {
            !second.is_dtx()
                && second.seq == first.seq + 1
                && second.timestamp == first.timestamp + u64::from(first.samples)
                && second.samples == first.samples
        };
        first.samples <= RTP_FRAME
            && !first.is_dtx()
            && self.unfolded >= FOLD_EVERY
            && self.playout.slack(due, cursor) - self.playout.target() >= span_ns(first.samples) + FOLD_MARGIN_NS
            && self.store.second().is_some_and(follows)
    }

    /// The next packet lies ahead of the clock: the sender paused, or packets between are missing.
    fn bridge(&mut self, due: MonoTime, cursor: u64, first: Stored) -> Option<Bridge> {
        let next = self.stream.as_ref().map_or(first.seq, |stream| stream.next);
        let gap = first.timestamp - cursor;
        let lost = first.seq.saturating_sub(next);
        if lost == 0 {
            // Every packet is here, so the sender left the gap out: silence until it is due.
            self.state = State::Idle { comfort: true };
            return None;
        }
        if gap > u64::from(RTP_FRAME * MAX_CONCEALED) || self.concealed >= MAX_CONCEALED {
            self.state = State::Idle { comfort: false };
            return None;
        }
        let samples = (gap as u32).min(self.last_samples).min(RTP_FRAME * 3);
        let excess = self.playout.slack(due, cursor) - self.playout.target();
        if excess < 0 {
            // Sooner than the aim: what is missing may still come, and waiting for it gets us there.
            self.concealed += 1;
            return Some(Bridge::Conceal { samples, timestamp: cursor });
        }
        let repairs = first.fec && gap <= u64::from(self.last_samples);
        self.playout.on_loss(due, first.fec);
        self.state = State::Playing { cursor: cursor + u64::from(samples) };
        // A frame that is lost anyway is the best one to give back delay with: if concealment has
        // already filled its place, go on with what is here.
        if self.concealed > 0 && excess >= span_ns(samples) {
            return None;
        }
        self.concealed += 1;
        Some(if repairs {
            Bridge::Recover { samples, timestamp: cursor }
        } else {
            Bridge::Conceal { samples, timestamp: cursor }
        })
    }

    fn materialise(&self, bridge: Bridge) -> Step<'_> {
        match bridge {
            Bridge::Conceal { samples, timestamp } => Step::Conceal { samples, timestamp },
            Bridge::Recover { samples, timestamp } => {
                let first = self.store.first().expect("invariant: the gap ends at a waiting packet");
                Step::Recover { next: self.store.payload(first), level: first.level, samples, timestamp }
            }
        }
    }

    /// The packet `dropped` left the front of the store unplayed: go on with the one after it.
    fn skip_to_first_after(&mut self, dropped: u64) {
        if let Some(stream) = &mut self.stream {
            stream.next = dropped + 1;
        }
        self.state = State::Idle { comfort: false };
    }
}

#[derive(Clone, Copy, Debug)]
enum Bridge {
    Recover { samples: u32, timestamp: u64 },
    Conceal { samples: u32, timestamp: u64 },
}

/// Length of a span of RTP clock.
fn span_ns(samples: u32) -> i64 {
    i64::from(samples) * 1_000_000_000 / 48_000
}

/// Arrival time less media time; only differences mean something.
fn transit_ns(at: MonoTime, timestamp: u64) -> i64 {
    (i128::from(at.as_nanos()) - i128::from(timestamp) * 1_000_000_000 / 48_000) as i64
}

#[cfg(test)]
mod tests;
