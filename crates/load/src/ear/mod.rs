//! The listening half of a participant: packets in, a recording on the run's timebase out.
//!
//! Fed by the webrtc participants as packets arrive, or by a simulated call on a virtual clock. Sans-IO; time is an argument.
//! Decodes in order of sequence number after a short wait for late packets; gaps are filled by FEC and PLC and counted.
//! Frames are placed by RTP timestamp, anchored at the quickest packet: jitter moves no sample, pauses stay as long as they were.
//! Does not: play out. Lateness against the anchor is kept per packet instead, for the latency probe.

use crate::recording::Recording;
use crate::speech::SpeechRate;
use antiphon_codec::{Channels, CodecError, Decoder, MAX_PACKET_SAMPLES};
use antiphon_rtp::{AudioLevel, RtpTimestamp, SeqNo, SourceId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A gap is given up once this many later packets wait behind it (100 ms of frames).
const PATIENCE: usize = 5;
/// A gap longer than this many packets is silence or a restart, and is not concealed.
const MAX_CONCEALED: u64 = 10;
/// A timestamp that moved against arrival by more than this is nonsense and would make a recording of any length.
const MAX_SHIFT: Duration = Duration::from_secs(60);
/// Opus timestamps run at 48 kHz (RFC 7587 §4.1).
const CLOCK: u64 = 48_000;

/// What an ear has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarStats {
    /// Packets that arrived, duplicates and late ones included.
    pub packets: u64,
    /// Packets whose frame was decoded.
    pub decoded: u64,
    /// Sequence numbers that never came in time.
    pub lost: u64,
    /// Of those, frames recovered from the next packet's FEC.
    pub recovered: u64,
    /// Of those, frames concealed by PLC.
    pub concealed: u64,
    /// Packets that came after their gap was given up (then they also count as lost) or before the stream's start.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets that are no Opus, or whose timestamp is a minute off.
    pub refused: u64,
    /// Every contributing source seen in a header.
    pub csrcs: BTreeSet<SourceId>,
    /// The loudest level a packet's header stated, if any did.
    pub loudest: Option<AudioLevel>,
    /// How much later than the quickest each packet came, in microseconds, in order of arrival.
    pub lateness_us: Vec<u32>,
}

/// One packet as an ear takes it.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Sequence number.
    pub seq: SeqNo,
    /// RTP timestamp, 48 kHz.
    pub timestamp: RtpTimestamp,
    /// The Opus packet; an empty one is refused.
    pub payload: &'a [u8],
    /// Contributing sources of the header.
    pub csrcs: &'a [SourceId],
    /// The level of the RFC 6464 extension.
    pub level: Option<AudioLevel>,
}

/// Listens to one RTP stream.
#[derive(Debug)]
pub struct Ear {
    rate: SpeechRate,
    decoder: Decoder,
    /// Packets waiting for an earlier one, by extended sequence number.
    waiting: BTreeMap<u64, Waiting>,
    /// Extended sequence number of the first packet to arrive.
    first: u64,
    /// Extended sequence numbers given up on.
    given_up: BTreeSet<u64>,
    /// Extended sequence number and timestamp of the next frame, once the first packet came.
    next: Option<Next>,
    /// Extended counters that arriving numbers are taken nearest to.
    newest: (u64, u64),
    /// Decoded frames: extended timestamp and PCM.
    frames: Vec<(u64, Vec<f32>)>,
    /// Transit of each packet: arrival less timestamp, in nanoseconds.
    transits: Vec<i128>,
    stats: EarStats,
}

#[derive(Debug)]
struct Waiting {
    timestamp: u64,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Next {
    seq: u64,
    timestamp: u64,
}

impl Ear {
    /// An ear that records at `rate`, whatever the sender encoded at.
    ///
    /// # Errors
    /// [`CodecError`] if libopus cannot make a decoder.
    pub fn new(rate: SpeechRate) -> Result<Self, CodecError> {
        Ok(Self {
            rate,
            decoder: Decoder::new(rate.codec_rate(), Channels::Mono)?,
            waiting: BTreeMap::new(),
            first: 0,
            given_up: BTreeSet::new(),
            next: None,
            newest: (0, 0),
            frames: vec![],
            transits: vec![],
            stats: EarStats::default(),
        })
    }

    /// Takes a packet that arrived `at`, since the run's epoch.
    pub fn hear(&mut self, at: Duration, packet: Heard<'_>) {
        self.stats.packets += 1;
        self.stats.csrcs.extend(packet.csrcs);
        if let Some(level) = packet.level {
            let louder = self.stats.loudest.is_none_or(|loudest| level.is_louder_than(loudest));
            if louder {
                self.stats.loudest = Some(level);
            }
        }
        let (seq, timestamp) = self.extend(packet.seq, packet.timestamp);
        let transit = at.as_nanos() as i128 - i128::from(timestamp) * 1_000_000_000 / i128::from(CLOCK);
        let reference = self.transits.first().copied().unwrap_or(transit);
        if packet.payload.is_empty() || (transit - reference).abs() > MAX_SHIFT.as_nanos() as i128 {
            self.stats.refused += 1;
            return;
        }
        self.transits.push(transit);
        if self.next.is_none() {
            self.first = seq;
        }
        let next = *self.next.get_or_insert(Next { seq, timestamp });
        if seq < next.seq {
            let late = self.given_up.remove(&seq) || seq < self.first;
            *(if late { &mut self.stats.late } else { &mut self.stats.duplicates }) += 1;
            return;
        }
        if self.waiting.contains_key(&seq) {
            self.stats.duplicates += 1;
            return;
        }
        self.waiting.insert(seq, Waiting { timestamp, payload: packet.payload.to_vec() });
        self.decode_ready();
    }

    /// What it has counted so far; lateness is against the quickest packet so far.
    pub fn stats(&self) -> EarStats {
        let quickest = self.quickest();
        let late = |transit: &i128| u32::try_from((transit - quickest) / 1_000).unwrap_or(u32::MAX);
        EarStats { lateness_us: self.transits.iter().map(late).collect(), ..self.stats.clone() }
    }

    /// Everything decoded so far, each frame at the time the quickest packet would have brought it.
    pub fn recording(&self) -> Recording {
        let mut recording = Recording::new(self.rate);
        let rate = i128::from(self.rate.sample_rate().hertz());
        let anchor = self.quickest() * rate / 1_000_000_000;
        for (timestamp, pcm) in &self.frames {
            let start = anchor + i128::from(*timestamp) * rate / i128::from(CLOCK);
            // A frame from before the epoch belongs to no phase.
            if let Ok(start) = usize::try_from(start) {
                recording.put_at(start, pcm);
            }
        }
        recording
    }

    /// Gives up waiting and decodes what is left; the stream may go on afterwards.
    pub fn flush(&mut self) {
        while !self.waiting.is_empty() {
            self.decode_next();
        }
    }

    fn quickest(&self) -> i128 {
        self.transits.iter().copied().min().unwrap_or(0)
    }

    /// Undoes the wraps of both counters. The first packet starts one turn up, so that earlier ones stay positive.
    fn extend(&mut self, seq: SeqNo, timestamp: RtpTimestamp) -> (u64, u64) {
        if self.stats.packets == 1 {
            self.newest = (u64::from(seq.as_u16()) + (1 << 16), u64::from(timestamp.as_u32()) + (1 << 32));
        }
        let extended = (seq.extend_near(self.newest.0), timestamp.extend_near(self.newest.1));
        if extended.0 > self.newest.0 {
            self.newest = extended;
        }
        extended
    }

    fn decode_ready(&mut self) {
        while let (Some(next), Some(first)) = (self.next, self.waiting.keys().next()) {
            if *first != next.seq && self.waiting.len() < PATIENCE {
                break;
            }
            self.decode_next();
        }
    }

    /// Decodes the earliest waiting packet, after filling the gap before it.
    fn decode_next(&mut self) {
        let (Some((seq, packet)), Some(next)) = (self.waiting.pop_first(), self.next) else { return };
        let missing = seq - next.seq;
        self.stats.lost += missing;
        self.given_up.extend(next.seq..seq);
        // Timestamps that went on by more than the missing packets can fill are a pause in talking, not frames.
        let frame = CLOCK / 50;
        let gap = packet.timestamp.saturating_sub(next.timestamp);
        if missing > 0 && missing <= MAX_CONCEALED && gap == missing * frame {
            for n in 0..missing {
                let at = next.timestamp + n * frame;
                let mut pcm = vec![0.0; self.rate.frame()];
                let last = n + 1 == missing;
                let recovered = last
                    && antiphon_codec::PacketInfo::has_fec(&packet.payload)
                    && self.decoder.decode_fec(&packet.payload, &mut pcm).is_ok();
                if recovered {
                    self.stats.recovered += 1;
                } else if self.decoder.conceal(&mut pcm).is_ok() {
                    self.stats.concealed += 1;
                }
                self.frames.push((at, pcm));
            }
        }
        let mut pcm = vec![0.0; self.rate.codec_rate().samples_from_48k(MAX_PACKET_SAMPLES)];
        let samples = match self.decoder.decode(&packet.payload, &mut pcm) {
            Ok(samples) => {
                self.stats.decoded += 1;
                samples
            }
            Err(_) => {
                self.stats.refused += 1;
                self.rate.frame()
            }
        };
        pcm.truncate(samples);
        let span = samples as u64 * CLOCK / u64::from(self.rate.sample_rate().hertz());
        self.frames.push((packet.timestamp, pcm));
        self.next = Some(Next { seq: seq + 1, timestamp: packet.timestamp + span });
    }
}

#[cfg(test)]
mod tests;
