//! The jitter buffer: packets in as they come, one decision per stretch of audio out.
//!
//! Between the inlet's demultiplexer and one source's decoder; runs in the tick; no codec in it, so
//! days of packets run in seconds. Invariants: each inserted packet ends exactly once (see
//! `PacketCounts`); memory is fixed at construction; work per call is bounded by the capacity.
//! It plays by RTP time and holds that clock still when it runs dry, so a late packet delays
//! the stream instead of being lost; what that costs is given back by time-stretch (see `wish`). Not here: how long
//! to wait (see `playout`), numbers (see `stream`), decoding, stretching.
//! Spec: RFC 3550 §5.1, RFC 7587 §4.

mod playout;
mod store;
mod stream;
mod wish;

use antiphon_codec::PacketInfo;
use antiphon_rt::MonoTime;
use antiphon_rtp::{AudioLevel, RtpTimestamp, SeqNo};

use crate::{FrameOutcome, PacketCounts, PacketOutcome, RTP_FRAME};
use playout::Playout;
use store::{Store, Stored};
use stream::Stream;
use wish::Pace;
pub(crate) use wish::Wish;

/// Packets a buffer can hold: 640 ms at 20 ms each.
pub(crate) const CAPACITY: usize = 32;
/// Longest payload kept; three 20 ms frames of the highest rate would be longer, an MTU is not.
pub(crate) const MAX_PAYLOAD: usize = 1_460;
/// Nanoseconds in one 20 ms frame.
pub(crate) const FRAME_NS: i64 = 20_000_000;
/// Concealment goes on at full level for this long: 60 ms where it is likely that somebody has stopped, and 120 ms on a line
/// that loses packets, where it is likely that he goes on; to fade sooner there costs 0.08 PLCMOS in bursts (`make quality`).
const CONCEAL_FULL: u32 = 3 * RTP_FRAME;
const CONCEAL_FULL_LOSSY: u32 = 6 * RTP_FRAME;
/// And then fades to silence for this long: 60 ms.
const CONCEAL_FADE: u32 = 3 * RTP_FRAME;
/// Packets played until a loss is forgotten: ten seconds' worth.
const LOSSY: u32 = 500;
/// What is cut off in mid-sound goes on for this long and fades: 5 ms.
const CUT: u32 = RTP_FRAME / 4;
/// Concealment comes in multiples of this: 2.5 ms.
const CONCEAL_UNIT: u32 = 120;
/// With this much more delay than aimed at, even a loud packet is dropped to catch up.
const MAX_EXCESS_NS: i64 = 300_000_000;
/// Lateness up to this is the network card's and the scheduler's: it is always there, and waited for without counting.
const MARGIN_NS: i64 = 3_000_000;
/// More tolerance than a whole frame over the aim is given back only beyond this, so that nothing flaps.
const SLACK_NS: i64 = 2_000_000;
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
#[derive(Debug, PartialEq)]
pub(crate) enum Step<'a> {
    /// Decode this payload. `copy`: it rode with another packet, its own was lost. `gain`: what concealment had faded
    /// to, where what is lost ends in the middle of something; 1 elsewhere.
    Decode { payload: &'a [u8], kind: FrameKind, timestamp: u64, level: Option<AudioLevel>, copy: bool, gain: f32 },
    /// Rebuild `samples` of RTP clock from the FEC copy in `next`, which stays in the buffer; `gain` as for `Decode`.
    Recover { next: &'a [u8], level: Option<AudioLevel>, samples: u32, timestamp: u64, gain: f32 },
    /// Conceal `samples` of RTP clock, with a gain that goes straight from the first value to the second.
    Conceal { samples: u32, timestamp: u64, gain: (f32, f32) },
    /// Silence that the sender announced, to the end of the frame.
    Comfort,
    /// Nothing, to the end of the frame.
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
    playout: Playout,
    pace: Pace,
    state: State,
    stream: Option<Stream>,
    /// Samples concealed in a row, and how many of them while the clock was held.
    concealed: u32,
    held: u32,
    /// Length of the last packet played.
    last_samples: u32,
    /// The last packet played was a copy.
    last_copy: bool,
    /// The next packet played is not the beginning of anything: something was lost or cut off before it.
    resumes: bool,
    /// RTP time and gain of sound that was cut off and has to fade yet.
    cut: Option<(u64, f32)>,
    /// RTP time at which concealment ran out; what comes for it late goes on in mid-word.
    ran_out: Option<u64>,
    /// The levels that the sender stamps may be believed.
    believes: bool,
    /// The sender does something else than speak.
    suspended: bool,
    /// Packets to play until the last loss is forgotten.
    lossy: u32,
    /// How much of the concealment under way is at full level.
    full_level: u32,
    counts: PacketCounts,
    /// Streams started anew.
    restarts: u64,
}

impl JitterBuffer {
    /// Allocates all it will ever need, about 48 KB.
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(CAPACITY, MAX_PAYLOAD),
            playout: Playout::new(),
            pace: Pace::default(),
            state: State::Idle { comfort: false },
            stream: None,
            concealed: 0,
            held: 0,
            last_samples: RTP_FRAME,
            last_copy: false,
            resumes: false,
            cut: None,
            ran_out: None,
            believes: true,
            suspended: false,
            lossy: 0,
            full_level: CONCEAL_FULL,
            counts: PacketCounts::default(),
            restarts: 0,
        }
    }

    pub(crate) fn counts(&self) -> &PacketCounts {
        &self.counts
    }

    #[cfg(test)]
    pub(crate) fn buffered(&self) -> usize {
        self.store.packets()
    }

    /// Whether nothing plays and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.store.is_empty() && self.cut.is_none() && matches!(self.state, State::Idle { .. })
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

    /// Delay beyond the fastest packet of what is played at `now`, with `ahead_ns` of audio given and not played yet.
    pub(crate) fn delay_ns(&self, now: MonoTime, ahead_ns: i64) -> i64 {
        match self.state {
            State::Idle { .. } => 0,
            State::Playing { cursor } => self.playout.slack(now, cursor) + ahead_ns,
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
        let Arrival { at, seq, timestamp, .. } = *arrival;
        let restarted = self.stream.as_ref().is_some_and(|stream| stream.is_left_by(at, seq, timestamp));
        if restarted {
            self.restart();
        }
        let stream = self.stream.get_or_insert_with(|| Stream::new(at, seq, timestamp));
        if stream.is_strayed_by(at, seq, timestamp) {
            return self.end(PacketOutcome::Skipped);
        }
        let Some((seq, timestamp)) = stream.place(at, seq, timestamp) else {
            return self.end(PacketOutcome::Duplicate);
        };
        let late = seq < stream.next || stream.forgets(seq) || self.has_passed(timestamp, samples);
        self.suspended = false;
        self.playout.on_arrival(at, timestamp, samples);
        if late {
            return self.end(PacketOutcome::Late);
        }
        if self.store.is_full() {
            // The oldest audio is worth least. It makes room unless the newcomer is older still.
            let oldest = self.store.first().expect("invariant: full is not empty").seq;
            if seq < oldest {
                return self.end(PacketOutcome::Overflowed);
            }
            self.drop_first(PacketOutcome::Overflowed);
            self.cut_off();
            (self.state, self.resumes) = (State::Idle { comfort: false }, true);
        }
        let stored = Stored {
            seq,
            timestamp,
            samples,
            at,
            kind: arrival.kind,
            fec: arrival.kind == FrameKind::Opus && PacketInfo::has_fec(arrival.payload),
            level: arrival.level,
            ..Stored::default()
        };
        self.store.insert(stored, arrival.payload);
        if restarted { Insert::Restarted } else { Insert::Buffered }
    }

    /// Takes in the copy of an older packet that rode with one received at `at` (RFC 2198). It is kept if its own packet
    /// has not come, and is no packet itself: it ends uncounted, and its own packet as a duplicate. O(capacity).
    pub(crate) fn insert_redundant(&mut self, seq: SeqNo, timestamp: RtpTimestamp, payload: &[u8], at: MonoTime) {
        let Some(samples) = FrameKind::Opus.samples(payload) else { return };
        let Some(stream) = &mut self.stream else { return };
        if payload.len() > MAX_PAYLOAD || self.store.is_full() {
            return;
        }
        let Some((seq, timestamp)) = stream.place_copy(seq, timestamp) else { return };
        if seq < stream.next || self.has_passed(timestamp, samples) {
            self.playout.on_copy(at, timestamp); // with more delay it would have been of use
            return;
        }
        let fec = PacketInfo::has_fec(payload);
        self.store.insert(Stored { seq, timestamp, samples, at, fec, copy: true, ..Stored::default() }, payload);
    }

    /// Takes note that a packet which is not audio has this number, so that nobody waits for it.
    pub(crate) fn note_seq(&mut self, seq: SeqNo) {
        if let Some(stream) = &mut self.stream {
            stream.note(seq);
            self.suspended = true;
        }
    }

    /// Whether to believe the levels that the sender stamps: what it calls silence may be dropped.
    pub(crate) fn believe(&mut self, believes: bool) {
        self.believes = believes;
    }

    /// Throws away what waits and forgets the stream: its sender started another one.
    pub(crate) fn restart(&mut self) {
        match self.state {
            State::Playing { .. } => self.cut_off(),
            State::Idle { .. } => self.resumes = false,
        }
        while self.store.first().is_some() {
            self.drop_first(PacketOutcome::Skipped);
        }
        self.stream = None;
        self.playout.reset();
        self.pace = Pace::default();
        self.state = State::Idle { comfort: false };
        (self.concealed, self.held) = (0, 0);
        self.ran_out = None;
        self.restarts += 1;
    }

    /// The packet of the last step was not decoded after all, because nobody would hear it.
    pub(crate) fn was_skipped(&mut self) {
        if !self.last_copy {
            self.counts.played -= 1;
            self.counts.end(PacketOutcome::Skipped);
        }
    }

    /// Decides what comes next at `now`, where `ahead_ns` of the frame are filled; `quiet` says that what was played
    /// last was near silence. The buffer's clock advances by what the step gives.
    pub(crate) fn next(&mut self, now: MonoTime, ahead_ns: i64, quiet: bool) -> Step<'_> {
        // Each turn either returns, drops a packet, or changes from playing to idle and back once.
        for _ in 0..CAPACITY * 2 + 4 {
            if let Some((timestamp, gain)) = self.cut.take() {
                let samples = CUT.min(missing_samples(ahead_ns));
                return Step::Conceal { samples, timestamp, gain: (gain, 0.0) };
            }
            match self.state {
                State::Idle { comfort } => {
                    if !self.start(now) {
                        return if comfort { Step::Comfort } else { Step::Idle };
                    }
                }
                State::Playing { cursor } => match self.store.first().copied() {
                    None => return self.run_dry(ahead_ns, cursor, quiet),
                    Some(first) if first.timestamp <= cursor => {
                        if !self.drop_to_catch_up(now, cursor, first) {
                            return self.play(cursor, first);
                        }
                    }
                    Some(first) => {
                        if let Some(step) = self.bridge(now, ahead_ns, cursor, first) {
                            return self.materialise(step);
                        }
                    }
                },
            }
        }
        Step::Idle
    }

    /// Whether audio of this span has been played or given up.
    fn has_passed(&self, timestamp: u64, samples: u32) -> bool {
        matches!(self.state, State::Playing { cursor } if timestamp + u64::from(samples) <= cursor)
    }

    fn end(&mut self, outcome: PacketOutcome) -> Insert {
        self.counts.end(outcome);
        Insert::Ended(outcome)
    }

    /// Ends the first packet of the store unplayed.
    fn drop_first(&mut self, outcome: PacketOutcome) {
        let Some(first) = self.store.pop_first() else { return };
        if !first.copy {
            self.counts.end(outcome);
        }
        if let Some(stream) = &mut self.stream {
            stream.next = stream.next.max(first.seq + 1);
        }
    }

    /// Sound ends here in the middle: it has to fade, and what comes next to rise.
    fn cut_off(&mut self) {
        let State::Playing { cursor } = self.state else { return };
        if std::mem::replace(&mut self.resumes, true) {
            return; // nothing has sounded since the last time
        }
        let gain = self.gain_after(self.concealed);
        self.cut = (gain > 0.0).then_some((cursor, gain));
    }

    /// Whether a packet is silence, by its form or by the word of a sender that is believed.
    fn is_quiet(&self, packet: &Stored) -> bool {
        packet.is_dtx() || self.believes && packet.level == Some(AudioLevel::SILENCE)
    }

    /// The tolerance to play packets of this length with: what the network asks for, and for short packets the time
    /// between the first of a frame and its last.
    fn need(&self, samples: u32) -> i64 {
        let usual = self.playout.recent().min(MARGIN_NS) * 5 / 4;
        let need = self.playout.target().max(usual) + (FRAME_NS - span_ns(samples)).max(0);
        need.min(most_need(samples))
    }

    /// The tolerance not to go below. Lately packets were this late, often or not.
    fn floor(&self, samples: u32) -> i64 {
        self.need(samples).max(self.playout.recent().min(most_need(samples)))
    }

    /// Starts playing if the delay of a waiting packet is due, which sets the delay of the spurt.
    fn start(&mut self, now: MonoTime) -> bool {
        let Some(mut first) = self.store.first().copied() else { return false };
        let need = self.need(first.samples);
        if self.playout.slack(now, first.timestamp) < need {
            return false;
        }
        let lost =
            self.stream.as_ref().map_or(0, |stream| if stream.next == 0 { 0 } else { stream.lost_before(first.seq) });
        if lost > 0 {
            self.lossy = LOSSY;
        }
        self.resumes |= lost > 0 || self.ran_out.take().is_some_and(|at| first.timestamp <= at);
        while let Some(second) = self.store.second().copied() {
            // A late beginning is better heard late than not at all, unless it is nothing or hopeless.
            let silent = self.is_quiet(&first) && self.playout.slack(now, second.timestamp) >= need;
            if !silent && self.playout.slack(now, first.timestamp) < need + MAX_EXCESS_NS {
                break;
            }
            self.resumes |= !silent;
            self.drop_first(PacketOutcome::Skipped);
            first = second;
        }
        self.state = State::Playing { cursor: first.timestamp };
        if let Some(stream) = &mut self.stream {
            stream.next = first.seq;
        }
        (self.concealed, self.held) = (0, 0);
        true
    }

    /// Nothing waits: conceal with the clock held still, so that what comes late still plays. If what came last was
    /// near silence and nothing comes for a second frame, this is how a pause begins.
    fn run_dry(&mut self, ahead_ns: i64, cursor: u64, quiet: bool) -> Step<'_> {
        // On a line that has lost packets lately it is as likely a burst of losses in a faint sound, and that is concealed.
        let pause = self.suspended || quiet && self.concealed >= RTP_FRAME && self.lossy == 0;
        if self.concealed >= self.full_level + CONCEAL_FADE {
            self.run_out(cursor);
            return Step::Idle;
        }
        if pause {
            self.state = State::Idle { comfort: true };
        }
        let (samples, (from, to)) = self.hold(ahead_ns);
        Step::Conceal { samples, timestamp: cursor, gain: (from, if pause { 0.0 } else { to }) }
    }

    /// Concealment has faded to silence: stop.
    fn run_out(&mut self, cursor: u64) {
        self.ran_out = Some(cursor);
        self.state = State::Idle { comfort: false };
    }

    /// Length and gain of concealment to the end of the frame.
    fn hold(&mut self, ahead_ns: i64) -> (u32, (f32, f32)) {
        let samples = missing_samples(ahead_ns);
        self.held += samples;
        (samples, self.conceal(samples))
    }

    /// Gain of concealment after this much of it.
    fn gain_after(&self, samples: u32) -> f32 {
        let fade = samples.saturating_sub(self.full_level).min(CONCEAL_FADE);
        1.0 - fade as f32 / CONCEAL_FADE as f32
    }

    /// Counts `samples` more of concealment, and gives their gain.
    fn conceal(&mut self, samples: u32) -> (f32, f32) {
        if self.concealed == 0 {
            self.full_level = if self.lossy > 0 { CONCEAL_FULL_LOSSY } else { CONCEAL_FULL };
        }
        let before = self.concealed;
        self.concealed += samples;
        (self.gain_after(before), self.gain_after(self.concealed))
    }

    /// Ends `first` unplayed if it is silence and too much, or if the delay is out of all bounds.
    fn drop_to_catch_up(&mut self, now: MonoTime, cursor: u64, first: Stored) -> bool {
        let tolerance = self.playout.slack(now, cursor);
        let unheard =
            self.is_quiet(&first) && tolerance - span_ns(first.samples) >= self.floor(first.samples) + SLACK_NS;
        let forced = tolerance >= self.need(first.samples) + MAX_EXCESS_NS;
        if !(unheard || forced) || self.store.second().is_none() {
            return false;
        }
        if !unheard {
            self.cut_off();
        }
        self.drop_first(PacketOutcome::Skipped);
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

    fn play(&mut self, cursor: u64, first: Stored) -> Step<'_> {
        self.lossy = self.lossy.saturating_sub(1);
        let popped = self.store.pop_first().expect("invariant: the caller saw it");
        self.advance_past(first, cursor);
        let gain = self.resume();
        self.last_samples = first.samples;
        self.last_copy = first.copy;
        if popped.is_dtx() {
            // Nothing to hear, and a decoder that is left alone resumes better than one that made noise.
            if !first.copy {
                self.counts.end(PacketOutcome::Skipped);
            }
            self.state = State::Idle { comfort: true };
            return Step::Comfort;
        }
        if first.copy {
            self.playout.on_copy(first.at, first.timestamp);
        } else {
            self.counts.end(PacketOutcome::Played);
        }
        Step::Decode {
            payload: self.store.payload(&popped),
            kind: first.kind,
            timestamp: first.timestamp,
            level: first.level,
            copy: first.copy,
            gain,
        }
    }

    /// Ends concealment; the gain of what comes next begins where it has got to.
    fn resume(&mut self) -> f32 {
        let gain = if std::mem::take(&mut self.resumes) { 0.0 } else { self.gain_after(self.concealed) };
        (self.concealed, self.held) = (0, 0);
        gain
    }

    /// The next packet lies ahead of the clock: the sender paused, or packets between are missing.
    fn bridge(&mut self, now: MonoTime, ahead_ns: i64, cursor: u64, first: Stored) -> Option<Bridge> {
        let lost = self.stream.as_ref().map_or(0, |stream| stream.lost_before(first.seq));
        if lost > 0 {
            self.lossy = LOSSY;
        }
        if lost == 0 {
            // Every packet is here, so the sender left the gap out: silence until it is due.
            self.state = State::Idle { comfort: true };
            return None;
        }
        if self.concealed >= self.full_level + CONCEAL_FADE {
            self.run_out(cursor);
            return None;
        }
        let gap = first.timestamp - cursor;
        let samples = gap.min(u64::from(self.last_samples.min(RTP_FRAME * 3))) as u32;
        let tolerance = self.playout.slack(now, cursor);
        let need = self.need(self.last_samples);
        let repairs = first.fec && gap <= u64::from(self.last_samples);
        // If concealment has already filled its place, go on with what is here: that gives the delay back.
        let filled = self.held > 0 && tolerance - span_ns(samples) >= need;
        if !filled && !repairs && tolerance < need {
            // Sooner than the aim: what is missing may still come, and waiting for it gets us there.
            let (samples, gain) = self.hold(ahead_ns);
            return Some(Bridge::Conceal { samples, timestamp: cursor, gain });
        }
        if repairs {
            self.playout.on_copy(first.at, cursor);
        }
        self.state = State::Playing { cursor: cursor + u64::from(samples) };
        if filled {
            self.held = self.held.saturating_sub(samples);
            return None;
        }
        if repairs {
            let gain = self.resume();
            return Some(Bridge::Recover { samples, timestamp: cursor, gain });
        }
        let gain = self.conceal(samples);
        Some(Bridge::Conceal { samples, timestamp: cursor, gain })
    }

    fn materialise(&self, bridge: Bridge) -> Step<'_> {
        match bridge {
            Bridge::Conceal { samples, timestamp, gain } => Step::Conceal { samples, timestamp, gain },
            Bridge::Recover { samples, timestamp, gain } => {
                let first = self.store.first().expect("invariant: the gap ends at a waiting packet");
                Step::Recover { next: self.store.payload(first), level: first.level, samples, timestamp, gain }
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Bridge {
    Recover { samples: u32, timestamp: u64, gain: f32 },
    Conceal { samples: u32, timestamp: u64, gain: (f32, f32) },
}

/// What is missing to a frame of which `ahead_ns` are filled, in the steps that concealment comes in.
fn missing_samples(ahead_ns: i64) -> u32 {
    let missing = (FRAME_NS - ahead_ns).clamp(0, FRAME_NS) * 48 / 1_000_000;
    (missing as u32).next_multiple_of(CONCEAL_UNIT).clamp(CONCEAL_UNIT, RTP_FRAME)
}

/// The most tolerance that packets of this length can be kept for, with the frame and the slack that may come on top.
fn most_need(samples: u32) -> i64 {
    span_ns(samples) * (CAPACITY as i64 - 2) - FRAME_NS - SLACK_NS
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
