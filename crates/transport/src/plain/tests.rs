//! A plain peer on a virtual clock: whose packets count, with and without SRTP, and what everything else costs.

use antiphon_rtp::rtcp::{Compound, RtcpPacket, RtcpWriter};
use proptest::prelude::*;

use super::*;
use crate::srtp::{MasterKey, Profile};

const PEER: &str = "192.0.2.7:4000";
const THIEF: &str = "203.0.113.9:4000";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn symmetric() -> PlainParams {
    let params = PlainParams::new(Remote::Symmetric { first: None }, Codec::Opus, 111);
    PlainParams { tones: Some(101), ..params }
}

fn keys(profile: Profile) -> [KeyPair; 2] {
    let salt = vec![5; profile.keying_material_len() / 2 - 16];
    let key = |byte| MasterKey::new(profile, [byte; 16], &salt).unwrap();
    let ours = KeyPair { local: key(1), remote: key(2) };
    [ours.clone(), KeyPair { local: ours.remote, remote: ours.local }]
}

fn peer(now: Instant, params: &PlainParams) -> PlainPeer {
    params.validate().unwrap();
    PlainPeer::new(now, params, 4, Duration::from_secs(1_700_000_000)).unwrap()
}

fn rtp(payload_type: u8, ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 960).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([7; 40]);
    packet
}

/// What became of a datagram: its length if it was media.
fn feed(peer: &mut PlainPeer, now: Instant, from: &str, mut datagram: Vec<u8>) -> Result<usize, DropReason> {
    match peer.handle_datagram(now, at(from), &mut datagram) {
        Received::Media { len } => Ok(len),
        Received::Control => Ok(0),
        Received::Dropped(reason) => Err(reason),
    }
}

fn goodbye(ssrc: u32) -> Vec<u8> {
    let mut compound = vec![0; 64];
    let mut writer = RtcpWriter::new(&mut compound);
    writer.receiver_report(Ssrc::new(ssrc), &[]).unwrap();
    writer.bye(&[Ssrc::new(ssrc)], None).unwrap();
    let len = writer.finish();
    compound.truncate(len);
    compound
}

#[test]
fn the_first_good_packet_latches_and_a_hijacker_is_refused_until_silence() {
    let start = Instant::now();
    let mut peer = peer(start, &symmetric());
    let mut buffer = rtp(111, peer.ssrc.as_u32(), 0);
    let len = buffer.len();
    assert_eq!(peer.protect(start, &mut buffer, len), Err(DropReason::NotConnected), "nobody to send to yet");
    assert_eq!(feed(&mut peer, start, THIEF, rtp(96, 5, 1)), Err(DropReason::PayloadType));
    assert_eq!(feed(&mut peer, start, THIEF, vec![0x80, 111, 0]), Err(DropReason::RtpMalformed));
    assert_eq!(peer.poll_event(), None, "neither of them latches");
    assert_eq!(feed(&mut peer, start, PEER, rtp(111, 5, 1)), Ok(52));
    assert!(peer.has_event());
    assert_eq!(peer.poll_event(), Some(PeerEvent::Connected));
    assert_eq!(peer.protect(start, &mut buffer, len), Ok((len, at(PEER))));
    let soon = start + RELATCH - Duration::from_millis(1);
    assert_eq!(feed(&mut peer, soon, THIEF, rtp(111, 6, 1)), Err(DropReason::WrongSource));
    assert_eq!(feed(&mut peer, soon, PEER, rtp(101, 5, 2)), Ok(52), "digits count as a sign of life");
    assert_eq!(feed(&mut peer, start + RELATCH, THIEF, rtp(111, 6, 2)), Err(DropReason::WrongSource));
    assert_eq!(feed(&mut peer, soon + RELATCH, "192.0.2.7:4002", rtp(111, 5, 3)), Ok(52), "the NAT moved it");
    assert_eq!(peer.stats().remote, Some(at("192.0.2.7:4002")));
    assert_eq!(peer.poll_event(), None, "connected once");
    let stats = peer.stats();
    assert_eq!((stats.packets_received, stats.drops.of(DropReason::WrongSource)), (3, 2));
}

#[test]
fn under_srtp_only_authentic_packets_latch_and_a_wrong_key_is_counted() {
    for profile in [Profile::AeadAes128Gcm, Profile::Aes128CmSha1_80] {
        let now = Instant::now();
        let [ours, theirs] = keys(profile);
        let mut a = peer(now, &PlainParams { srtp: Some(ours), ..symmetric() });
        let fixed = PlainParams::new(Remote::Fixed(at(THIEF)), Codec::Opus, 111);
        let mut b = peer(now, &PlainParams { srtp: Some(theirs), ..fixed.clone() });
        let wrong = KeyPair { local: keys(profile)[0].local.clone(), remote: keys(profile)[1].local.clone() };
        let mut stranger = peer(now, &PlainParams { srtp: Some(wrong), ..fixed });
        let protect = |from: &mut PlainPeer, seq| {
            let mut packet = rtp(111, from.ssrc.as_u32(), seq);
            let len = packet.len();
            packet.resize(len + MAX_OVERHEAD, 0);
            let (len, _) = from.protect(now, &mut packet, len).unwrap();
            packet.truncate(len);
            packet
        };
        let forged = protect(&mut stranger, 1);
        assert_eq!(feed(&mut a, now, THIEF, forged), Err(DropReason::SrtpUnauthenticated));
        assert_eq!(feed(&mut a, now, THIEF, rtp(111, 5, 1)), Err(DropReason::SrtpUnauthenticated), "plain RTP");
        assert_eq!((a.poll_event(), a.latch.address()), (None, None));
        let good = protect(&mut b, 1);
        assert_eq!(feed(&mut a, now, PEER, good.clone()), Ok(52));
        assert_eq!(a.poll_event(), Some(PeerEvent::Connected));
        assert_eq!(feed(&mut a, now, PEER, good), Err(DropReason::SrtpReplayed));
        let back = protect(&mut a, 9);
        assert_eq!(feed(&mut b, now, THIEF, back), Ok(52));
        assert_eq!(a.stats().drops.of(DropReason::SrtpUnauthenticated), 2);
        assert_eq!(a.stats().profile, Some(profile));
    }
}

#[test]
fn reports_go_both_ways_on_one_port_and_tell_loss() {
    let start = Instant::now();
    let mut peer = peer(start, &PlainParams::new(Remote::Fixed(at(PEER)), Codec::Pcmu, 0));
    peer.handle_timeout(start);
    assert_eq!(peer.poll_event(), Some(PeerEvent::Connected), "a fixed address is known at once");
    for seq in [65_530_u16, 65_531, 65_533, 0, 2] {
        assert_eq!(feed(&mut peer, start, PEER, rtp(0, 77, seq)), Ok(52));
    }
    let due = peer.poll_timeout().unwrap();
    peer.handle_timeout(due);
    let (to, report) = peer.poll_transmit().unwrap();
    assert_eq!(to, at(PEER));
    let blocks: Vec<_> = match Compound::new(&report).next() {
        Some(Ok(RtcpPacket::ReceiverReport(report))) => report.blocks().collect(),
        other => panic!("{other:?}"),
    };
    assert_eq!((blocks[0].ssrc, blocks[0].cumulative_lost), (Ssrc::new(77), 4), "9 expected over the wrap, 5 came");
    assert_eq!(peer.stats().reception.packets_lost, 4);
    // RTCP of many comes from the next port of the same host.
    assert_eq!(feed(&mut peer, due, "192.0.2.7:4001", goodbye(77)), Ok(0));
    assert!(peer.stats().report.bye);
    assert_eq!(feed(&mut peer, due, THIEF, goodbye(77)), Err(DropReason::WrongSource));
    assert_eq!(feed(&mut peer, due, PEER, vec![0x81, 200, 0, 9, 0]), Err(DropReason::RtcpMalformed));
}

#[test]
fn a_jump_or_a_new_ssrc_begins_the_reckoning_anew_and_keeps_one_stream() {
    let now = Instant::now();
    let mut peer = peer(now, &symmetric());
    for seq in 0..10 {
        feed(&mut peer, now, PEER, rtp(111, 5, seq)).unwrap();
    }
    for seq in [40_000, 40_001, 40_004] {
        feed(&mut peer, now, PEER, rtp(111, 5, seq)).unwrap();
    }
    assert_eq!(peer.reports.reception().packets_lost, 2, "not forty thousand");
    for (ssrc, seq) in (100..5_100).flat_map(|ssrc| [(ssrc, 65_535), (ssrc, 0)]) {
        feed(&mut peer, now, PEER, rtp(111, ssrc, seq)).unwrap();
    }
    assert_eq!(peer.reports.reception().packets_lost, 0);
    assert_eq!(peer.stats().ssrcs, 5_001);
    let own = peer.ssrc.as_u32();
    assert_eq!(feed(&mut peer, now, PEER, rtp(111, own, 3)), Err(DropReason::OwnSsrc));
}

#[test]
fn one_stale_or_foreign_packet_leaves_the_reckoning_alone() {
    let now = Instant::now();
    let mut peer = peer(now, &symmetric());
    for seq in (1_000..1_200).filter(|seq| seq % 50 != 7) {
        feed(&mut peer, now, PEER, rtp(111, 5, seq)).unwrap();
    }
    // A duplicate that was long under way, and a second stream in step with the first.
    feed(&mut peer, now, PEER, rtp(111, 5, 1_010)).unwrap();
    for seq in 1_200..1_300 {
        feed(&mut peer, now, PEER, rtp(111, 5, seq)).unwrap();
        feed(&mut peer, now, PEER, rtp(111, 6, seq)).unwrap();
    }
    for (ssrc, seq) in [(7, 50), (8, 51), (8, 90)] {
        feed(&mut peer, now, PEER, rtp(111, ssrc, seq)).unwrap();
    }
    assert_eq!((peer.reports.reception().packets_lost, peer.stats().ssrcs), (4, 1));
    assert_eq!(peer.stats().packets_received, 400, "heard they were, all of them");
    feed(&mut peer, now, PEER, rtp(111, 8, 91)).unwrap();
    assert_eq!((peer.reports.reception().packets_lost, peer.stats().ssrcs), (0, 2), "two in a row");
}

#[test]
fn reports_of_a_peer_that_only_listens_are_signs_of_life_and_a_goodbye_is_no_silence() {
    let start = Instant::now();
    let idle = Duration::from_secs(3);
    let mut plain =
        peer(start, &PlainParams { idle: Some(idle), ..PlainParams::new(Remote::Fixed(at(PEER)), Codec::Opus, 111) });
    let report = |ssrc| goodbye(ssrc)[..8].to_vec();
    let lives_until = |peer: &PlainPeer| peer.silent_from().unwrap() - idle - start;
    let seconds = Duration::from_secs;
    assert_eq!(feed(&mut plain, start + seconds(2), "192.0.2.7:4001", report(5)), Ok(0));
    assert_eq!(lives_until(&plain), seconds(2));
    assert!(feed(&mut plain, start + seconds(3), PEER, vec![0x81, 201, 0, 9, 0]).is_err());
    assert!(feed(&mut plain, start + seconds(3), THIEF, report(5)).is_err());
    assert_eq!(lives_until(&plain), seconds(2), "neither of them");
    feed(&mut plain, start + seconds(4), PEER, rtp(111, 5, 1)).unwrap();
    feed(&mut plain, start + seconds(4), PEER, goodbye(5)).unwrap();
    plain.handle_timeout(start + seconds(6));
    assert!(plain.is_connected(), "two seconds after the goodbye");

    let [ours, _] = keys(Profile::AeadAes128Gcm);
    let fixed = PlainParams::new(Remote::Fixed(at(PEER)), Codec::Opus, 111);
    let mut secured = peer(start, &PlainParams { idle: Some(idle), srtp: Some(ours), ..fixed });
    assert!(feed(&mut secured, start + seconds(2), PEER, report(5)).is_err());
    assert_eq!(lives_until(&secured), seconds(0), "it is not authentic");
}

#[test]
fn an_idle_time_past_the_end_of_time_is_never() {
    let start = Instant::now();
    let mut peer = peer(start, &PlainParams { idle: Some(Duration::MAX), ..symmetric() });
    peer.handle_timeout(start + Duration::from_secs(1_000_000));
    assert!(!peer.has_event() && peer.poll_timeout().is_some());
}

#[test]
fn silence_ends_a_leg_that_says_so_and_a_close_says_goodbye() {
    let start = Instant::now();
    let mut idle = peer(start, &PlainParams { idle: Some(Duration::from_secs(10)), ..symmetric() });
    let heard = start + Duration::from_secs(4);
    feed(&mut idle, heard, PEER, rtp(111, 5, 1)).unwrap();
    let end = heard + Duration::from_secs(10);
    let mut last = start;
    while let Some(due) = idle.poll_timeout() {
        last = due;
        idle.handle_timeout(due);
    }
    assert_eq!(last, end);
    assert_eq!(idle.poll_event(), Some(PeerEvent::Connected));
    assert_eq!(idle.poll_event(), Some(PeerEvent::Closed(CloseReason::Silent)));
    assert_eq!(feed(&mut idle, end, PEER, rtp(111, 5, 2)), Err(DropReason::UnknownSource));

    let mut peer = peer(start, &PlainParams::new(Remote::Fixed(at(PEER)), Codec::Opus, 111));
    peer.close(start, CloseReason::Local);
    let (_, last_words) = peer.poll_transmit().unwrap();
    assert!(Compound::new(&last_words).any(|p| matches!(p, Ok(RtcpPacket::Bye(_)))));
    assert_eq!(peer.poll_event(), Some(PeerEvent::Closed(CloseReason::Local)));
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let remote = |text: &str| PlainParams { remote: Remote::Fixed(at(text)), ..symmetric() };
    let [pair, _] = keys(Profile::AeadAes128Gcm);
    let same = KeyPair { local: pair.local.clone(), remote: pair.local };
    let cases = [
        (remote("0.0.0.0:5004"), "audio cannot be sent to 0.0.0.0:5004: it is no host's address"),
        (remote("192.0.2.1:0"), "audio cannot be sent to 192.0.2.1:0: it has no port"),
        (remote("224.0.0.1:5004"), "audio cannot be sent to 224.0.0.1:5004: it is the address of many"),
        (remote("255.255.255.255:1"), "audio cannot be sent to 255.255.255.255:1: it is the address of many"),
        (
            PlainParams { payload_type: 72, ..symmetric() },
            "72 is no usable payload type; take one of 0 to 63 or 96 to 127",
        ),
        (PlainParams { tones: Some(111), ..symmetric() }, "payload type 111 cannot be both audio and telephone-event"),
        (PlainParams { level_extension: Some(15), ..symmetric() }, "15 is no header extension id; take one of 1 to 14"),
        (PlainParams { codec: Codec::Red, ..symmetric() }, "Red is no codec of a plain leg; take Opus, PCMU or PCMA"),
        (PlainParams { srtp: Some(same), ..symmetric() }, "both directions have the same SRTP key; each needs its own"),
    ];
    for (params, text) in cases {
        assert_eq!(params.validate().unwrap_err().to_string(), text);
    }
}

proptest! {
    #[test]
    fn no_datagram_breaks_a_plain_peer_and_every_one_is_counted(
        datagrams in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..80), 0..3_u8, 0..3_000_u64), 1..60),
        secured in any::<bool>(),
        rtp_like in any::<bool>(),
    ) {
        let start = Instant::now();
        let srtp = secured.then(|| keys(Profile::Aes128CmSha1_80)[0].clone());
        let mut peer = peer(start, &PlainParams { srtp, ..symmetric() });
        let (mut now, mut media, mut control, total) = (start, 0, 0, datagrams.len() as u64);
        for (mut datagram, host, millis) in datagrams {
            now += Duration::from_millis(millis);
            if let (true, [first, second, ..]) = (rtp_like, &mut datagram[..]) {
                (*first, *second) = (0x80 | (*first & 0x3f), if *second & 1 == 0 { 111 } else { 200 });
            }
            let from = SocketAddr::from(([192, 0, 2, host], 4_000));
            match peer.handle_datagram(now, from, &mut datagram) {
                Received::Media { len } => {
                    prop_assert!(len <= datagram.len() && !secured, "nobody has the key");
                    media += 1;
                }
                Received::Control => control += 1,
                Received::Dropped(_) => {}
            }
            peer.handle_timeout(now);
            while peer.poll_transmit().is_some() || peer.poll_event().is_some() {}
        }
        let stats = peer.stats();
        prop_assert_eq!(stats.packets_received, media);
        prop_assert_eq!(stats.drops.total() + media + control, total);
    }
}
