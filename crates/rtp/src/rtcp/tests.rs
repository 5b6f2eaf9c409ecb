//! Tests of the RTCP views and writer: published layout, round trips, hostile bytes.

use super::*;
use crate::{RtpTimestamp, WriteError};
use proptest::prelude::*;
use std::time::Duration;

fn compound(bytes: &[u8]) -> Result<Vec<RtcpPacket<'_>>, RtpError> {
    Compound::new(bytes).collect()
}

#[test]
fn receiver_report_has_the_published_layout() {
    let block = ReportBlock {
        ssrc: Ssrc::new(2),
        fraction_lost: 0x40,
        cumulative_lost: -1,
        highest_seq: 0x0001_ffff,
        jitter: 5,
        last_sr: 6,
        delay_since_last_sr: 7,
    };
    let mut out = [0xff; 64];
    let mut writer = RtcpWriter::new(&mut out);
    writer.receiver_report(Ssrc::new(1), &[block]).unwrap();
    let len = writer.finish();
    #[rustfmt::skip]
    assert_eq!(&out[..len], &[
        0x81, 201, 0, 7, 0, 0, 0, 1,
        0, 0, 0, 2, 0x40, 0xff, 0xff, 0xff, 0, 1, 0xff, 0xff, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7,
    ]);
}

#[test]
fn whole_compound_survives_write_and_walk() {
    let ssrc = Ssrc::new(0x1122_3344);
    let info = SenderInfo {
        ntp: NtpTime::from_unix(Duration::new(1, 500_000_000)),
        rtp: RtpTimestamp::new(960),
        packets: 50,
        octets: 3_000,
    };
    let mut out = [0xff; 256];
    let mut writer = RtcpWriter::new(&mut out);
    writer.sender_report(ssrc, info, &[ReportBlock::default()]).unwrap();
    writer.sdes_cname(ssrc, "a talker").unwrap();
    writer.bye(&[ssrc, Ssrc::new(9)], Some("done")).unwrap();
    let len = writer.finish();
    assert_eq!(len % 4, 0);
    let parts = compound(&out[..len]).unwrap();
    let [RtcpPacket::SenderReport(sr), RtcpPacket::Sdes(sdes), RtcpPacket::Bye(bye)] = parts[..] else {
        panic!("wrong parts: {parts:?}")
    };
    assert_eq!((sr.ssrc(), sr.info()), (ssrc, info));
    assert_eq!(sr.blocks().collect::<Vec<_>>(), [ReportBlock::default()]);
    assert_eq!(sdes.cname(ssrc), Some(&b"a talker"[..]));
    assert_eq!(sdes.cname(Ssrc::new(1)), None);
    assert_eq!(bye.sources().collect::<Vec<_>>(), [ssrc, Ssrc::new(9)]);
    assert_eq!(bye.reason(), Some(&b"done"[..]));
}

#[test]
fn ntp_time_of_the_unix_epoch_is_1970() {
    assert_eq!(NtpTime::from_unix(Duration::ZERO).as_u64() >> 32, 2_208_988_800);
    assert_eq!(NtpTime::from_unix(Duration::from_millis(500)).middle(), (2_208_988_800u64 << 16) as u32 + 0x8000);
}

#[test]
fn hostile_parts_are_refused_by_name() {
    let cases: &[(&str, &[u8], RtpError)] = &[
        ("three bytes", &[0x80, 201, 0], RtpError::Truncated),
        ("version 1", &[0x40, 201, 0, 0], RtpError::Version),
        ("length beyond the datagram", &[0x80, 201, 0, 2, 0, 0, 0, 1], RtpError::Truncated),
        ("RR without SSRC", &[0x80, 201, 0, 0], RtpError::Length),
        ("RR with a missing block", &[0x81, 201, 0, 1, 0, 0, 0, 1], RtpError::Length),
        ("SR without sender info", &[0x80, 200, 0, 1, 0, 0, 0, 1], RtpError::Length),
        ("BYE with a missing source", &[0x81, 203, 0, 0], RtpError::Length),
        ("BYE with a reason too long", &[0x80, 203, 0, 1, 9, 0, 0, 0], RtpError::Length),
        ("SDES without a chunk", &[0x81, 202, 0, 0], RtpError::Length),
        ("SDES without a terminator", &[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4], RtpError::Length),
        ("SDES with an item too long", &[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, 3, 0], RtpError::Length),
        ("padding of zero", &[0xa0, 204, 0, 1, 0, 0, 0, 0], RtpError::Padding),
        ("padding too large", &[0xa0, 204, 0, 1, 0, 0, 0, 8], RtpError::Padding),
        ("padding before the end", &[0xa0, 204, 0, 1, 0, 0, 0, 4, 0x80, 204, 0, 0], RtpError::Padding),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(compound(bytes).err(), Some(*expected), "{name}");
    }
}

#[test]
fn unknown_parts_are_passed_over() {
    let bytes = [0x8f, 206, 0, 1, 1, 2, 3, 4, 0x80, 203, 0, 0];
    let parts = compound(&bytes).unwrap();
    assert!(matches!(parts[0], RtcpPacket::Other { packet_type: 206, count: 15, body: [1, 2, 3, 4] }));
    assert!(matches!(parts[1], RtcpPacket::Bye(_)));
}

#[test]
fn parts_that_do_not_fit_leave_the_compound_as_it_was() {
    let mut out = [0; 24];
    let mut writer = RtcpWriter::new(&mut out);
    writer.receiver_report(Ssrc::new(1), &[]).unwrap();
    assert_eq!(writer.bye(&[Ssrc::new(1); 8], None), Err(WriteError::Buffer { needed: 44 }));
    assert_eq!(writer.bye(&[Ssrc::new(1); 32], None), Err(WriteError::TooMany { count: 32, max: 31 }));
    let long = "x".repeat(256);
    assert_eq!(writer.sdes_cname(Ssrc::new(1), &long), Err(WriteError::FieldTooLong { len: 256, max: 255 }));
    assert_eq!(writer.finish(), 8);
}

prop_compose! {
    fn any_block()(
        ssrc: u32, fraction_lost: u8, cumulative_lost in -0x80_0000..0x80_0000, highest_seq: u32, jitter: u32,
        last_sr: u32, delay_since_last_sr: u32,
    ) -> ReportBlock {
        ReportBlock { ssrc: Ssrc::new(ssrc), fraction_lost, cumulative_lost, highest_seq, jitter, last_sr, delay_since_last_sr }
    }
}

proptest! {
    #[test]
    fn parse_of_write_gives_reports_back(
        ssrc: u32, ntp: u64, rtp: u32, packets: u32, octets: u32,
        blocks in prop::collection::vec(any_block(), 0..=31), cname in "[ -~]{0,255}",
    ) {
        let ssrc = Ssrc::new(ssrc);
        let info = SenderInfo { ntp: NtpTime::new(ntp), rtp: RtpTimestamp::new(rtp), packets, octets };
        let mut out = [0xff; 2_000];
        let mut writer = RtcpWriter::new(&mut out);
        writer.sender_report(ssrc, info, &blocks).unwrap();
        writer.sdes_cname(ssrc, &cname).unwrap();
        let len = writer.finish();
        let parts = compound(&out[..len]).unwrap();
        let [RtcpPacket::SenderReport(sr), RtcpPacket::Sdes(sdes)] = parts[..] else { panic!("wrong parts") };
        prop_assert_eq!(sr.info(), info);
        prop_assert_eq!(sr.blocks().collect::<Vec<_>>(), blocks);
        prop_assert_eq!(sdes.cname(ssrc), Some(cname.as_bytes()));
    }

    #[test]
    fn any_bytes_walk_without_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300), kind in 199u8..208, words in 0u8..40, count in 0u8..32,
    ) {
        crate::fuzz::rtcp(&bytes);
        // Steer past the common header so that the bodies are reached.
        let mut steered = vec![0x80 | count, kind, 0, words];
        steered.extend(bytes);
        crate::fuzz::rtcp(&steered);
    }
}
