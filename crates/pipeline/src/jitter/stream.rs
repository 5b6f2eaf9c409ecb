//! The numbers of one RTP stream: wraps undone, duplicates and jumps told, holes counted.
//!
//! Invariant: a sequence number is new once. What lies 128 or more behind the newest is forgotten: nobody knows whether
//! it is new, so it is late. Spec: RFC 3550 §5.1, appendix A.1.

use antiphon_rt::MonoTime;
use antiphon_rtp::{RtpTimestamp, SeqNo};

use super::transit_ns;

/// A sequence jump beyond this starts the stream anew (RFC 3550 appendix A.1).
const MAX_SEQ_JUMP: u64 = 3_000;
/// A change of transit time beyond this starts the stream anew; in a packet with an old number it is a mistake.
const MAX_TRANSIT_JUMP_NS: i64 = 1_000_000_000;

/// Numbers remembered behind the newest.
const REMEMBERED: u64 = 128;

/// What is known of the numbers of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    /// Highest extended sequence number received.
    highest: u64,
    /// Highest extended timestamp received with one.
    timestamp: u64,
    /// Bit n: `highest - n` was received.
    seen: u128,
    /// Bit n: `highest - n` was something else than audio.
    noted: u128,
    /// The next sequence number to play; older ones are late.
    pub(super) next: u64,
    /// Arrival time less media time of the newest packet.
    transit: i64,
}

impl Stream {
    /// The stream that begins with this packet.
    pub(super) fn new(at: MonoTime, seq: SeqNo, timestamp: RtpTimestamp) -> Self {
        // Far enough from zero that neither number can run below it.
        let highest = (1 << 32) + u64::from(seq.as_u16()) - 1;
        let timestamp = (1 << 40) + u64::from(timestamp.as_u32());
        Self { highest, timestamp, seen: 0, noted: 0, next: 0, transit: transit_ns(at, timestamp) }
    }

    /// Whether these numbers make no sense in it: its sender began another one.
    pub(super) fn is_left_by(&self, at: MonoTime, seq: SeqNo, timestamp: RtpTimestamp) -> bool {
        let seq = seq.extend_near(self.highest);
        seq.abs_diff(self.highest) > MAX_SEQ_JUMP || (seq > self.highest && self.jumps(at, timestamp))
    }

    /// Whether a packet with an old number has a timestamp that makes no sense: nothing is to be learnt from it.
    pub(super) fn is_strayed_by(&self, at: MonoTime, seq: SeqNo, timestamp: RtpTimestamp) -> bool {
        seq.extend_near(self.highest) <= self.highest && self.jumps(at, timestamp)
    }

    /// Whether this number lies too far back to know whether it is new.
    pub(super) fn forgets(&self, seq: u64) -> bool {
        seq + REMEMBERED <= self.highest
    }

    fn jumps(&self, at: MonoTime, timestamp: RtpTimestamp) -> bool {
        let transit = transit_ns(at, timestamp.extend_near(self.timestamp));
        (transit - self.transit).abs() > MAX_TRANSIT_JUMP_NS
    }

    /// Extends the numbers of a packet; `None` if it has come before.
    pub(super) fn place(&mut self, at: MonoTime, seq: SeqNo, timestamp: RtpTimestamp) -> Option<(u64, u64)> {
        let seq = seq.extend_near(self.highest);
        let timestamp = timestamp.extend_near(self.timestamp);
        if seq > self.highest {
            self.timestamp = timestamp;
            self.transit = transit_ns(at, timestamp);
        }
        self.mark(seq).then_some((seq, timestamp))
    }

    /// Extends the numbers of the copy of an older packet; `None` if that or another copy has come before.
    pub(super) fn place_copy(&mut self, seq: SeqNo, timestamp: RtpTimestamp) -> Option<(u64, u64)> {
        let seq = seq.extend_near(self.highest);
        let timestamp = timestamp.extend_near(self.timestamp);
        let behind = seq <= self.highest && !self.forgets(seq) && timestamp <= self.timestamp;
        (behind && self.mark(seq)).then_some((seq, timestamp))
    }

    /// Takes note that this number belongs to something else than audio.
    pub(super) fn note(&mut self, seq: SeqNo) {
        let seq = seq.extend_near(self.highest);
        if seq.abs_diff(self.highest) <= MAX_SEQ_JUMP {
            self.mark(seq);
            let back = self.highest - seq;
            self.noted |= if back < 128 { 1 << back } else { 0 };
        }
    }

    /// How many packets are missing before `seq`, from the next one to play on.
    pub(super) fn lost_before(&self, seq: u64) -> u64 {
        let gap = seq.saturating_sub(self.next);
        let others = (self.highest.saturating_sub(127).max(self.next)..seq.min(self.highest + 1))
            .filter(|other| self.noted & (1 << (self.highest - other)) != 0)
            .count();
        gap - others as u64
    }

    /// Marks a number as received; `false` if it was.
    fn mark(&mut self, seq: u64) -> bool {
        if seq > self.highest {
            let step = seq - self.highest;
            let shift = |bits: u128| if step < 128 { bits << step } else { 0 };
            (self.seen, self.noted) = (shift(self.seen) | 1, shift(self.noted));
            self.highest = seq;
            return true;
        }
        let back = self.highest - seq;
        let bit = if back < 128 { 1_u128 << back } else { 0 };
        let new = self.seen & bit == 0;
        self.seen |= bit;
        new
    }
}
