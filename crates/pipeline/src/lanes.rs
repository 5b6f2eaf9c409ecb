//! Lanes on the way out: each source's Opus packets forwarded to a bot, never re-encoded.
//!
//! Packets leave in the tick they came in, in the order they came in, so the bot's own jitter buffer does the
//! waiting once and losses stay visible to its FEC. Each source has one SSRC for life. Invariant:
//! sequence and timestamp go on without a break when the sender restarts or the route
//! comes and goes; a real loss leaves its gap. Runs in the tick. Spec: RFC 3550 §5.1, RFC 8843 §9.2.

use antiphon_rtp::{Extension, LevelExtension, RtpHeader, RtpTimestamp, SeqNo, Ssrc};

use crate::jitter::FrameKind;
use crate::receiver::{LaneConfig, LanePacket};
use crate::slots::Slot;
use crate::{RTP_FRAME, SourceSlot};

/// A sequence step beyond this is a break in forwarding, not a loss: numbers go on from the last.
const MAX_GAP: i16 = 50;
/// The RTP clock of G.711 per tick.
const G711_FRAME: u32 = 160;

/// One receiver's lanes: the numbers last used for each source.
#[derive(Debug)]
pub(crate) struct LaneTable {
    config: LaneConfig,
    /// By index of source.
    lanes: Box<[Option<LaneNumbers>]>,
}

#[derive(Clone, Copy, Debug)]
struct LaneNumbers {
    source: SourceSlot,
    ssrc: Ssrc,
    /// Last number in, and what it became.
    seq_in: SeqNo,
    seq_out: SeqNo,
    timestamp_in: RtpTimestamp,
    timestamp_out: RtpTimestamp,
    tick: u64,
}

impl LaneTable {
    pub(crate) fn new(config: LaneConfig, sources: usize) -> Self {
        Self { config, lanes: vec![None; sources].into() }
    }

    /// Passes over a packet of `source` that is not forwarded, so that it does not look lost.
    pub(crate) fn skip(&mut self, source: SourceSlot, ssrc: Ssrc, seq: SeqNo) {
        let numbers = self.lanes.get_mut(source.index()).and_then(Option::as_mut);
        let Some(numbers) = numbers.filter(|numbers| numbers.source == source && numbers.ssrc == ssrc) else { return };
        let step = seq.distance_from(numbers.seq_in);
        if (1..=MAX_GAP).contains(&step) {
            numbers.seq_in = seq;
            numbers.seq_out = numbers.seq_out.offset(i32::from(step) - 1);
        }
    }

    /// Writes the packet under its lane's numbers; gives its length, or `None` if it does not fit or its codec was not
    /// agreed.
    pub(crate) fn write(&mut self, packet: &LanePacket<'_>, out: &mut [u8]) -> Option<usize> {
        let payload_type = match packet.kind {
            FrameKind::Opus => self.config.payload_type,
            FrameKind::Mulaw => self.config.pcmu?,
            FrameKind::Alaw => self.config.pcma?,
        };
        let lane = self.lanes.get_mut(packet.source.index())?;
        let ssrc = Ssrc::new(self.config.ssrc_base.wrapping_add(packet.source.as_u32()));
        let numbers = lane.filter(|numbers| numbers.source == packet.source);
        let (seq, timestamp) = number(numbers.as_ref(), packet, self.config.ssrc_base);
        // A reordered packet does not move the reference backwards.
        let newest = numbers.is_none_or(|numbers| numbers.ssrc != packet.ssrc || seq.is_newer_than(numbers.seq_out));
        if newest {
            *lane = Some(LaneNumbers {
                source: packet.source,
                ssrc: packet.ssrc,
                seq_in: packet.seq,
                seq_out: seq,
                timestamp_in: packet.timestamp,
                timestamp_out: timestamp,
                tick: packet.tick,
            });
        }
        let level = packet.level.map(|level| LevelExtension { level, voice: false }.to_bytes());
        let mid = Extension { id: self.config.mid.0, data: self.config.mid.1.as_bytes() };
        let stamped = self.config.level_extension.zip(level.as_ref());
        let extensions = [mid, stamped.map_or(mid, |(id, data)| Extension { id, data })];
        let header = RtpHeader {
            marker: packet.marker,
            payload_type,
            seq,
            timestamp,
            ssrc,
            csrcs: &[packet.source_id],
            extensions: &extensions[..1 + usize::from(stamped.is_some())],
        };
        header.write(out, packet.payload).ok()
    }
}

/// The numbers of `packet` on its lane.
fn number(last: Option<&LaneNumbers>, packet: &LanePacket<'_>, base: u32) -> (SeqNo, RtpTimestamp) {
    let Some(last) = last else {
        // Any start below 2^15 will do (RFC 3711 §3.3.1: else a loss before the first wrap misleads the
        // receiver's rollover counter); the lane's own makes two lanes differ.
        let start = base.wrapping_mul(0x9e37_79b9).wrapping_add(packet.source.as_u32());
        return (SeqNo::new((start >> 17) as u16), RtpTimestamp::new(start));
    };
    let step = packet.seq.distance_from(last.seq_in);
    if last.ssrc == packet.ssrc && (-MAX_GAP..=MAX_GAP).contains(&step) {
        let media = packet.timestamp.distance_from(last.timestamp_in);
        return (
            last.seq_out.offset(i32::from(step)),
            RtpTimestamp::new(last.timestamp_out.as_u32().wrapping_add_signed(media)),
        );
    }
    let ticks = packet.tick.saturating_sub(last.tick).max(1);
    let frame = if packet.kind == FrameKind::Opus { RTP_FRAME } else { G711_FRAME };
    let elapsed = (ticks as u32).wrapping_mul(frame);
    (last.seq_out.next(), last.timestamp_out.advance(elapsed))
}

#[cfg(test)]
mod tests {
    use antiphon_rt::MonoTime;
    use antiphon_rtp::{AudioLevel, PayloadType, RtpPacket, SourceId};

    use super::*;
    use crate::inlet::Mid;

    fn table() -> LaneTable {
        let config = LaneConfig {
            payload_type: PayloadType::new(96).unwrap(),
            pcmu: None,
            pcma: PayloadType::new(8),
            mid: (4, Mid::new("lanes").unwrap()),
            level_extension: Some(1),
            ssrc_base: 1_000,
        };
        LaneTable::new(config, 4)
    }

    /// Sends one packet and gives what comes out: SSRC, sequence, timestamp.
    fn send(table: &mut LaneTable, tick: u64, ssrc: u32, seq: u16, timestamp: u32) -> (u32, u16, u32) {
        let packet = LanePacket {
            tick,
            at: MonoTime::ZERO,
            source: SourceSlot::from_parts(2, 1),
            source_id: SourceId::new(77),
            ssrc: Ssrc::new(ssrc),
            marker: false,
            seq: SeqNo::new(seq),
            timestamp: RtpTimestamp::new(timestamp),
            level: Some(AudioLevel::new(30)),
            kind: FrameKind::Opus,
            payload: &[1, 2, 3],
        };
        let mut out = [0; 200];
        let len = table.write(&packet, &mut out).unwrap();
        let parsed = RtpPacket::parse(&out[..len]).unwrap();
        assert_eq!(parsed.csrcs().next(), Some(SourceId::new(77)));
        assert_eq!(parsed.extension(4), Some(&b"lanes"[..]));
        assert_eq!(parsed.extension(1), Some(&[30][..]));
        assert_eq!(parsed.payload(), [1, 2, 3]);
        assert_eq!(parsed.payload_type().as_u8(), 96);
        (parsed.ssrc().as_u32(), parsed.seq().as_u16(), parsed.timestamp().as_u32())
    }

    #[test]
    fn losses_and_reordering_keep_their_shape() {
        let mut table = table();
        let (ssrc, seq, ts) = send(&mut table, 0, 5, 65_534, u32::MAX - 100);
        for (index, step) in [1_u16, 4, 3, 5].into_iter().enumerate() {
            let media = u32::from(step) * 960;
            let got =
                send(&mut table, index as u64, 5, 65_534_u16.wrapping_add(step), (u32::MAX - 100).wrapping_add(media));
            assert_eq!(got, (ssrc, seq.wrapping_add(step), ts.wrapping_add(media)));
        }
    }

    #[test]
    fn digits_leave_no_gap_and_a_codec_not_agreed_is_not_forwarded() {
        let mut table = table();
        let (ssrc, seq, ts) = send(&mut table, 0, 5, 100, 5_000);
        let source = SourceSlot::from_parts(2, 1);
        for digit in [101, 102, 104, 103, 105] {
            table.skip(source, Ssrc::new(5), SeqNo::new(digit));
        }
        table.skip(source, Ssrc::new(9), SeqNo::new(106));
        // 103 came late, and may have been audio when 104 was passed over.
        assert_eq!(send(&mut table, 6, 5, 106, 10_760), (ssrc, seq.wrapping_add(2), ts.wrapping_add(5_760)));
        let packet = |kind| LanePacket {
            tick: 7,
            at: MonoTime::ZERO,
            source,
            source_id: SourceId::new(77),
            ssrc: Ssrc::new(5),
            marker: false,
            seq: SeqNo::new(107),
            timestamp: RtpTimestamp::new(1),
            level: None,
            kind,
            payload: &[0xd5; 160],
        };
        let mut out = [0; 300];
        assert_eq!(table.write(&packet(FrameKind::Mulaw), &mut out), None);
        let len = table.write(&packet(FrameKind::Alaw), &mut out).unwrap();
        let parsed = RtpPacket::parse(&out[..len]).unwrap();
        assert_eq!((parsed.payload_type().as_u8(), parsed.payload().len()), (8, 160));
    }

    #[test]
    fn a_restart_or_a_pause_in_the_route_leaves_no_break() {
        let mut table = table();
        let (ssrc, seq, ts) = send(&mut table, 10, 5, 100, 5_000);
        assert_eq!(send(&mut table, 13, 6, 40_000, 9), (ssrc, seq.wrapping_add(1), ts.wrapping_add(3 * 960)));
        assert_eq!(send(&mut table, 113, 6, 40_100, 96_009), (ssrc, seq.wrapping_add(2), ts.wrapping_add(103 * 960)));
    }
}
