//! RTCP of one leg: what we report about the peer's streams, what it reports about ours.
//!
//! In the flow: told of every packet by `peer`; makes one compound every five seconds. Sans-IO.
//! Invariants: noting a packet is O(1) and allocates only for a new stream; a compound fits a datagram.
//! Not here: encryption, feedback messages (NACK, PLI), sender reports for lanes.
//! Specs: RFC 3550 §6, §A.1, §A.3, §A.8; RFC 7022 (CNAME).

use std::time::{Duration, Instant};

use antiphon_rtp::rtcp::{
    Compound, MAX_BLOCKS, NtpTime, ReportBlock, ReportBlocks, RtcpPacket, RtcpWriter, SenderInfo,
};
use antiphon_rtp::{OPUS_CLOCK, RtpError, RtpPacket, RtpTimestamp, Ssrc, WriteError};

use crate::negotiate::Negotiated;
use crate::sdp::Codec;
use crate::stats::{ReceptionStats, RemoteReport};

/// After the handshake.
const FIRST_REPORT: Duration = Duration::from_secs(1);
/// Mean time between reports; each is up to a tenth off, so that peers do not fall into step (RFC 3550 §6.2).
const INTERVAL: Duration = Duration::from_secs(5);
/// Room for any compound we write: 31 blocks, sender info, CNAME, BYE.
const COMPOUND: usize = 1024;
/// Ticks per second of the RTP clock.
const CLOCK: u32 = OPUS_CLOCK.hertz();
/// The RTP clock of G.711.
const NARROW_CLOCK: u32 = 8_000;

/// One received SSRC.
#[derive(Clone, Copy, Debug)]
struct Reception {
    ssrc: Ssrc,
    /// Extended sequence numbers.
    first: u64,
    highest: u64,
    received: u64,
    /// As of the last report.
    reported_expected: u64,
    reported_received: u64,
    /// In 1/16 of a tick of the RTP clock (RFC 3550 §A.8).
    jitter16: u32,
    transit: u32,
    clock: u32,
    /// Middle of the NTP time of the last SR, and when it came.
    last_sr: Option<(u32, Instant)>,
}

impl Reception {
    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    fn note(&mut self, index: u64) {
        self.first = self.first.min(index);
        self.highest = self.highest.max(index);
        self.received += 1;
    }

    fn note_transit(&mut self, timestamp: RtpTimestamp, arrival: u32) {
        let transit = arrival.wrapping_sub(timestamp.as_u32());
        let difference = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        self.transit = transit;
        if difference < self.clock {
            // A jump of a second or more is a new timeline, not jitter.
            self.jitter16 = self.jitter16 + difference - ((self.jitter16 + 8) >> 4);
        }
    }

    fn block(&mut self, now: Instant) -> ReportBlock {
        let expected = self.expected();
        let new_expected = expected.saturating_sub(self.reported_expected);
        let new_received = self.received - self.reported_received;
        (self.reported_expected, self.reported_received) = (expected, self.received);
        let new_lost = new_expected.saturating_sub(new_received);
        let (last_sr, delay_since_last_sr) = self.last_sr.map_or((0, 0), |(middle, at)| {
            let delay = now.saturating_duration_since(at).as_nanos() * 65_536 / 1_000_000_000;
            (middle, u32::try_from(delay).unwrap_or(u32::MAX))
        });
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: (new_lost * 256).checked_div(new_expected).map_or(0, |f| f.min(255) as u8),
            cumulative_lost: self.lost(),
            highest_seq: (self.highest & 0xffff_ffff) as u32,
            jitter: self.jitter16 >> 4,
            last_sr,
            delay_since_last_sr,
        }
    }

    /// 24 bits, signed: duplicates make it negative (RFC 3550 §A.3).
    fn lost(&self) -> i32 {
        let lost =
            i64::try_from(self.expected()).unwrap_or(i64::MAX) - i64::try_from(self.received).unwrap_or(i64::MAX);
        i32::try_from(lost.clamp(-0x80_0000, 0x7f_ffff)).expect("invariant: clamped to 24 bits")
    }
}

/// RTCP state of one leg.
#[derive(Debug)]
pub(crate) struct Reports {
    ssrc: Ssrc,
    cname: String,
    start: Instant,
    /// Wall clock at `start`, since the Unix epoch.
    unix_start: Duration,
    packets: u32,
    octets: u32,
    last_sent: Option<(RtpTimestamp, Instant)>,
    streams: Vec<Reception>,
    /// Where the next report goes on when there are more streams than blocks.
    cursor: usize,
    next: Option<Instant>,
    spread: u32,
    remote: RemoteReport,
    /// RTP clock of what we send.
    clock: u32,
    /// Payload types on the clocks of Opus and of G.711, and those of digits, whose timestamps stand still: a bit each.
    wide: u128,
    narrow: u128,
    digits: u128,
}

impl Reports {
    pub(crate) fn new(now: Instant, unix_now: Duration, ssrc: Ssrc, cname: String) -> Self {
        Self {
            ssrc,
            cname,
            start: now,
            unix_start: unix_now,
            packets: 0,
            octets: 0,
            last_sent: None,
            streams: Vec::new(),
            cursor: 0,
            next: None,
            spread: ssrc.as_u32() | 1,
            remote: RemoteReport::default(),
            clock: CLOCK,
            wide: 0,
            narrow: 0,
            digits: 0,
        }
    }

    /// Reckons by the clocks of what was agreed. Lanes share payload types with the mix (RFC 8843 §10.1).
    pub(crate) fn use_payloads(&mut self, agreed: &Negotiated) {
        self.clock = agreed.mix.codec.clock();
        let lanes = agreed.lanes.iter().flat_map(|lanes| &lanes.payloads);
        for (number, codec) in agreed.mix.payloads.iter().chain(lanes) {
            let bit = 1 << number.as_u8();
            match codec {
                Codec::TelephoneEvent { .. } => self.digits |= bit,
                codec if codec.clock() == NARROW_CLOCK => self.narrow |= bit,
                _ => self.wide |= bit,
            }
        }
    }

    pub(crate) fn cname(&self) -> &str {
        &self.cname
    }

    /// Reads what the next packet will need.
    pub(crate) fn warm(&self) -> u64 {
        self.streams.first().map_or(0, |stream| stream.received)
    }

    /// The same for a packet to be sent.
    pub(crate) fn warm_out(&self) -> u64 {
        u64::from(self.packets)
    }

    /// The streams received so far are over: what comes is counted anew.
    pub(crate) fn restart(&mut self) {
        self.streams.clear();
        self.cursor = 0;
    }

    /// The handshake is done: reports begin.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.next = Some(now + FIRST_REPORT);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// A packet of stream number `stream` was authenticated.
    pub(crate) fn note_received(&mut self, now: Instant, stream: usize, index: u64, packet: &RtpPacket<'_>) {
        let bit = 1_u128 << packet.payload_type().as_u8();
        let clock = match bit {
            bit if self.narrow & bit != 0 => NARROW_CLOCK,
            bit if self.wide & bit != 0 => CLOCK,
            _ => self.clock,
        };
        let arrival = rtp_ticks(now.saturating_duration_since(self.start), clock);
        if let Some(known) = self.streams.get_mut(stream) {
            known.note(index);
            if self.digits & bit == 0 {
                known.clock = clock;
                known.note_transit(packet.timestamp(), arrival);
            }
            return;
        }
        self.streams.push(Reception {
            ssrc: packet.ssrc(),
            first: index,
            highest: index,
            received: 1,
            reported_expected: 0,
            reported_received: 0,
            jitter16: 0,
            transit: arrival.wrapping_sub(packet.timestamp().as_u32()),
            clock,
            last_sr: None,
        });
    }

    /// A packet is being sent; only those of our own stream count.
    pub(crate) fn note_sent(&mut self, now: Instant, packet: &RtpPacket<'_>) {
        if packet.ssrc() == self.ssrc {
            self.packets = self.packets.wrapping_add(1);
            let octets = u32::try_from(packet.payload().len()).unwrap_or(0);
            self.octets = self.octets.wrapping_add(octets);
            // A digit's timestamp is that of its start (RFC 4733 §2.2.1).
            let stands_still = self.digits >> packet.payload_type().as_u8() & 1 != 0;
            if !stands_still || self.last_sent.is_none() {
                self.last_sent = Some((packet.timestamp(), now));
            }
        }
    }

    /// Reads a decrypted compound and says whether its sender takes leave. What came before an error counts.
    pub(crate) fn handle(&mut self, now: Instant, compound: &[u8]) -> Result<bool, RtpError> {
        let (mut sender, mut leaves) = (None, false);
        for packet in Compound::new(compound) {
            match packet? {
                RtcpPacket::SenderReport(report) => {
                    sender = sender.or(Some(report.ssrc()));
                    self.remote.sender_reports += 1;
                    if let Some(stream) = self.streams.iter_mut().find(|s| s.ssrc == report.ssrc()) {
                        stream.last_sr = Some((report.info().ntp.middle(), now));
                    }
                    self.note_blocks(now, report.blocks());
                }
                RtcpPacket::ReceiverReport(report) => {
                    sender = sender.or(Some(report.ssrc()));
                    self.note_blocks(now, report.blocks());
                }
                RtcpPacket::Bye(bye) => {
                    // Lanes come and go; only a goodbye of the reporter itself is the peer's.
                    leaves |= bye.sources().any(|s| sender.is_none_or(|reporter| reporter == s));
                }
                _ => {}
            }
        }
        self.remote.bye |= leaves;
        Ok(leaves)
    }

    fn note_blocks(&mut self, now: Instant, blocks: ReportBlocks<'_>) {
        let middle = self.ntp(now).middle();
        for block in blocks.filter(|b| b.ssrc == self.ssrc) {
            let remote = &mut self.remote;
            remote.reception_reports += 1;
            remote.fraction_lost = block.fraction_lost;
            remote.packets_lost = block.cumulative_lost;
            remote.jitter = ticks(block.jitter, self.clock);
            let rtt = middle.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
            if block.last_sr != 0 && rtt < 1 << 24 {
                // More than 256 s is a clock that was set, not a round trip.
                remote.rtt = Some(Duration::from_nanos(u64::from(rtt) * 1_000_000_000 / 65_536));
            }
        }
    }

    /// Writes the report that is due, if one is, and plans the next.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.next.is_none_or(|next| next > now) {
            return None;
        }
        self.spread ^= self.spread << 13;
        self.spread ^= self.spread >> 17;
        self.spread ^= self.spread << 5;
        let fifth = INTERVAL / 5;
        self.next = Some(now + INTERVAL - fifth / 2 + fifth.mul_f64(f64::from(self.spread) / f64::from(u32::MAX)));
        self.write(now, false).ok()
    }

    /// SR if we have sent, else RR; CNAME; BYE if asked for.
    pub(crate) fn write(&mut self, now: Instant, bye: bool) -> Result<Vec<u8>, WriteError> {
        let mut blocks = [ReportBlock::default(); MAX_BLOCKS];
        let mut used = 0;
        let streams = self.streams.len();
        for offset in 0..streams {
            let at = (self.cursor + offset) % streams;
            let stream = &mut self.streams[at];
            if stream.received == stream.reported_received {
                continue;
            }
            if used == MAX_BLOCKS {
                self.cursor = at;
                break;
            }
            blocks[used] = stream.block(now);
            used += 1;
        }
        let mut compound = vec![0; COMPOUND];
        let mut writer = RtcpWriter::new(&mut compound);
        match self.last_sent {
            Some((timestamp, at)) => {
                let since = now.saturating_duration_since(at);
                let rtp = timestamp.advance(rtp_ticks(since, self.clock));
                let info = SenderInfo { ntp: self.ntp(now), rtp, packets: self.packets, octets: self.octets };
                writer.sender_report(self.ssrc, info, &blocks[..used])?;
            }
            None => writer.receiver_report(self.ssrc, &blocks[..used])?,
        }
        writer.sdes_cname(self.ssrc, &self.cname)?;
        if bye {
            writer.bye(&[self.ssrc], None)?;
        }
        let len = writer.finish();
        compound.truncate(len);
        Ok(compound)
    }

    pub(crate) fn reception(&self) -> ReceptionStats {
        let lost = self.streams.iter().map(|s| s.expected().saturating_sub(s.received)).sum();
        let jitter = self.streams.iter().map(|s| ticks(s.jitter16 >> 4, s.clock)).max().unwrap_or_default();
        ReceptionStats { packets_lost: lost, jitter }
    }

    pub(crate) fn remote(&self) -> RemoteReport {
        self.remote
    }

    fn ntp(&self, now: Instant) -> NtpTime {
        NtpTime::from_unix(self.unix_start + now.saturating_duration_since(self.start))
    }
}

/// A span in RTP ticks, rounded down, modulo 2^32.
fn rtp_ticks(span: Duration, clock: u32) -> u32 {
    // In parts: a division of 128 bits for every packet would be felt.
    let part = u64::from(span.subsec_nanos()) * u64::from(clock) / 1_000_000_000;
    (span.as_secs().wrapping_mul(u64::from(clock)).wrapping_add(part) & 0xffff_ffff) as u32
}

/// RTP ticks as a span.
fn ticks(n: u32, clock: u32) -> Duration {
    Duration::from_nanos(u64::from(n) * 1_000_000_000 / u64::from(clock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rtp(ssrc: u32, timestamp: u32) -> [u8; 12] {
        let mut packet = [0x80, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..].copy_from_slice(&ssrc.to_be_bytes());
        packet
    }

    fn reports(now: Instant) -> Reports {
        Reports::new(now, Duration::from_secs(1_700_000_000), Ssrc::new(1), "us".to_owned())
    }

    fn blocks(compound: &[u8]) -> Vec<ReportBlock> {
        match Compound::new(compound).next() {
            Some(Ok(RtcpPacket::ReceiverReport(report))) => report.blocks().collect(),
            Some(Ok(RtcpPacket::SenderReport(report))) => report.blocks().collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn more_streams_than_blocks_take_turns() {
        let now = Instant::now();
        let mut reports = reports(now);
        let mut seen = std::collections::HashMap::new();
        for round in 0..10_u64 {
            for stream in 0..100 {
                let packet = rtp(stream as u32 + 10, 0);
                reports.note_received(now, stream, round, &RtpPacket::parse(&packet).unwrap());
            }
            let blocks = blocks(&reports.write(now, false).unwrap());
            assert_eq!(blocks.len(), MAX_BLOCKS);
            for block in blocks {
                *seen.entry(block.ssrc).or_insert(0) += 1;
            }
        }
        assert_eq!(seen.len(), 100);
        assert!(seen.values().all(|n| (3..=4).contains(n)), "{seen:?}");
    }

    #[test]
    fn a_silent_stream_is_left_out() {
        let now = Instant::now();
        let mut reports = reports(now);
        let packet = rtp(10, 0);
        reports.note_received(now, 0, 0, &RtpPacket::parse(&packet).unwrap());
        assert_eq!(blocks(&reports.write(now, false).unwrap()).len(), 1);
        assert_eq!(blocks(&reports.write(now, false).unwrap()).len(), 0);
    }

    #[test]
    fn jitter_follows_rfc_3550_a8() {
        let start = Instant::now();
        let mut reports = reports(start);
        // Every second packet is 5 ms late: differences of 240 ticks.
        let mut expected = 0_u32;
        for i in 0..400_u32 {
            let late = Duration::from_millis(if i % 2 == 1 { 5 } else { 0 });
            let at = start + Duration::from_millis(20) * i + late;
            reports.note_received(at, 0, u64::from(i), &RtpPacket::parse(&rtp(10, i * 960)).unwrap());
            if i > 0 {
                expected = expected + 240 - ((expected + 8) >> 4);
            }
        }
        let block = blocks(&reports.write(start, false).unwrap())[0];
        assert_eq!(block.jitter, expected >> 4);
        assert!((235..=240).contains(&block.jitter), "converges on the mean difference: {}", block.jitter);
    }

    fn phone() -> Negotiated {
        let number = |raw| antiphon_rtp::PayloadType::new(raw).unwrap();
        let payloads = vec![(number(0), Codec::Pcmu), (number(101), Codec::TelephoneEvent { clock: 8_000 })];
        let mix = crate::LaneParams {
            mid: String::new(),
            codec: Codec::Pcmu,
            payload_type: number(0),
            payloads,
            ssrc: Ssrc::new(1),
            level_ext: None,
            csrc_level_ext: None,
            mid_ext: None,
            direction: crate::Direction::SendRecv,
        };
        Negotiated { mix, lanes: None }
    }

    #[test]
    fn a_digit_that_is_being_sent_does_not_turn_back_the_clock_of_sender_reports() {
        let start = Instant::now();
        let mut reports = reports(start);
        reports.use_payloads(&phone());
        let mut send = |millis: u32, payload_type, timestamp| {
            let mut packet = rtp(1, timestamp);
            packet[1] = payload_type;
            let at = start + Duration::from_millis(millis.into());
            reports.note_sent(at, &RtpPacket::parse(&packet).unwrap());
            match Compound::new(&reports.write(at, false).unwrap()).next() {
                Some(Ok(RtcpPacket::SenderReport(report))) => (report.info().rtp.as_u32(), report.info().packets),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(send(0, 101, 1_000), (1_000, 1), "its start, if nothing else was sent");
        assert_eq!(send(60, 101, 1_000), (1_480, 2));
        assert_eq!(send(100, 0, 1_800), (1_800, 3));
        assert_eq!(send(120, 101, 1_960), (1_960, 4));
        assert_eq!(send(260, 101, 1_960), (3_080, 5));
    }

    #[test]
    fn jitter_is_reckoned_on_the_clock_of_the_payload_and_digits_have_none() {
        let start = Instant::now();
        let mut reports = reports(start);
        reports.use_payloads(&phone());
        for i in 0..400_u32 {
            let mut packet = rtp(10, if i % 4 < 2 { i * 160 } else { 7 });
            packet[1] = if i % 4 < 2 { 0 } else { 101 };
            let at = start + Duration::from_millis(20) * i;
            reports.note_received(at, 0, u64::from(i), &RtpPacket::parse(&packet).unwrap());
        }
        let block = blocks(&reports.write(start, false).unwrap())[0];
        assert_eq!((block.jitter, block.cumulative_lost), (0, 0));
    }

    #[test]
    fn loss_counts_duplicates_as_negative_and_the_fraction_covers_one_interval() {
        let now = Instant::now();
        let mut reports = reports(now);
        let packet = rtp(10, 0);
        let note = |reports: &mut Reports, index| {
            reports.note_received(now, 0, index, &RtpPacket::parse(&packet).unwrap());
        };
        for index in [100, 101, 103, 104, 107] {
            note(&mut reports, index);
        }
        let first = blocks(&reports.write(now, false).unwrap())[0];
        assert_eq!((first.cumulative_lost, first.fraction_lost, first.highest_seq), (3, (3 * 256 / 8) as u8, 107));
        for index in [105, 106, 102, 108] {
            note(&mut reports, index);
        }
        let second = blocks(&reports.write(now, false).unwrap())[0];
        assert_eq!((second.cumulative_lost, second.fraction_lost), (0, 0), "the late ones came");
    }

    #[test]
    fn a_goodbye_of_somebody_elses_source_is_not_the_peers() {
        let now = Instant::now();
        let mut reports = reports(now);
        let mut goodbye = |reporter, leaver| {
            let mut compound = [0; 64];
            let mut writer = RtcpWriter::new(&mut compound);
            writer.receiver_report(Ssrc::new(reporter), &[]).unwrap();
            writer.bye(&[Ssrc::new(leaver)], None).unwrap();
            let len = writer.finish();
            reports.handle(now, &compound[..len]).unwrap()
        };
        assert!(!goodbye(7, 8));
        assert!(goodbye(7, 7));
        assert!(reports.remote().bye);
    }
}
