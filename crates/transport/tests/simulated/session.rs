//! What two peers of ours do with each other, without loss: roles, media, reports, goodbyes.

use std::time::Duration;

use antiphon_rtp::rtcp::{Compound, RtcpPacket};
use antiphon_transport::peer::PeerEvent;
use antiphon_transport::sdp::Setup;
use antiphon_transport::{CloseReason, Direction, DropReason, Identity};

use crate::pair::{Loss, Pair, Tamper, bot_address, rtp, service_address};

fn connected(tamper: Tamper<'_>) -> Pair {
    let mut pair = Pair::new(&Identity::generate().unwrap(), tamper);
    pair.connect();
    pair
}

#[test]
fn both_dtls_roles_connect_within_six_one_way_times_each() {
    for setup in [Setup::Passive, Setup::Active] {
        let pair = connected(Tamper { setup, ..Tamper::default() });
        // STUN request and response, then four DTLS flights; a passive server hears the last one.
        assert!(pair.now - pair.start <= Duration::from_millis(100), "{setup:?} took {:?}", pair.now - pair.start);
        assert_eq!(pair.bot.events, [PeerEvent::Connected]);
        let added = PeerEvent::SourceAdded(bot_address());
        assert_eq!(pair.service.events, [added, PeerEvent::Connected]);
        assert_eq!(pair.service.peer.stats().remote, Some(bot_address()));
        assert_eq!(pair.bot.peer.stats().remote, Some(service_address()));
        assert_eq!(pair.bot.peer.stats().profile, pair.service.peer.stats().profile);
    }
}

#[test]
fn lanes_are_agreed_and_the_answerer_mirrors_the_offers_numbers() {
    let renumber = |offer: String| {
        let offer = offer.replace("extmap:1 ", "extmap:7 ").replace("extmap:3 ", "extmap:9 ");
        offer.replace("SAVPF 111", "SAVPF 96").replace(":111 ", ":96 ")
    };
    let identity = Identity::generate().unwrap();
    let pair = connected(Tamper::default());
    let (bot, service) = (pair.bot.peer.negotiated().unwrap(), pair.service.peer.negotiated().unwrap());
    assert_eq!((bot.mix.mid.as_str(), service.mix.mid.as_str()), ("mix", "mix"));
    assert_eq!((bot.mix.direction, service.mix.direction), (Direction::SendRecv, Direction::SendRecv));
    let (bot_lanes, service_lanes) = (bot.lanes.as_ref().unwrap(), service.lanes.as_ref().unwrap());
    assert_eq!((bot_lanes.direction, service_lanes.direction), (Direction::RecvOnly, Direction::SendOnly));
    assert_eq!(bot_lanes.mid_ext, service_lanes.mid_ext);
    assert!(bot_lanes.mid_ext.is_some() && bot.mix.csrc_level_ext.is_some());

    let stranger = renumber(pair.offer.clone());
    let at = [service_address()];
    let config = crate::pair::config(&identity, &at);
    let (peer, answer) =
        antiphon_transport::peer::Peer::answer(pair.start, &config, Setup::Passive, &stranger).unwrap();
    let mix = &peer.negotiated().unwrap().mix;
    assert_eq!((mix.payload_type.as_u8(), mix.level_ext, mix.mid_ext), (96, Some(7), Some(9)));
    assert!(answer.contains("a=rtpmap:96 opus/48000/2") && answer.contains("a=extmap:7 urn:"), "{answer}");
}

#[test]
fn media_arrives_decrypted_in_both_directions_and_is_counted() {
    let mut pair = connected(Tamper::default());
    let ours = pair.bot.peer.negotiated().unwrap().mix.ssrc.as_u32();
    let theirs = pair.service.peer.negotiated().unwrap().mix.ssrc.as_u32();
    for i in 0..100_u16 {
        pair.send(true, &rtp(ours, i, u32::from(i) * 960));
        pair.send(false, &rtp(theirs, i, u32::from(i) * 960));
        pair.send(false, &rtp(theirs ^ 0x5555, i, u32::from(i) * 960)); // a lane, unannounced
        pair.pass(Duration::from_millis(20));
    }
    pair.pass(Duration::from_millis(50));
    assert_eq!((pair.service.media.len(), pair.bot.media.len()), (100, 200));
    assert_eq!(pair.service.media[7], rtp(ours, 7, 7 * 960));
    let stats = pair.bot.peer.stats();
    assert_eq!((stats.packets_sent, stats.packets_received, stats.ssrcs), (100, 200, 2));
    assert_eq!(stats.octets_received, 200 * 92);
    assert_eq!(stats.drops.total(), 0);
}

#[test]
fn reports_give_round_trip_time_loss_and_jitter() {
    let mut pair = connected(Tamper::default());
    let ours = pair.bot.peer.negotiated().unwrap().mix.ssrc.as_u32();
    for i in 0..600_u16 {
        if i % 10 != 3 {
            pair.send(true, &rtp(ours, i, u32::from(i) * 960));
        }
        pair.pass(Duration::from_millis(20));
    }
    let (bot, service) = (pair.bot.peer.stats(), pair.service.peer.stats());
    assert!(bot.report.reception_reports >= 2 && service.report.sender_reports >= 2, "{bot:?} {service:?}");
    // 256 / 10, give or take what a report's window cuts off.
    assert!((24..=27).contains(&bot.report.fraction_lost), "{}", bot.report.fraction_lost);
    assert!((40..=60).contains(&bot.report.packets_lost), "{}", bot.report.packets_lost);
    let rtt = bot.report.rtt.unwrap();
    assert!(rtt.abs_diff(Duration::from_millis(20)) < Duration::from_millis(1), "{rtt:?}");
    assert!(service.reception.packets_lost >= 40);
    assert!(bot.report.jitter < Duration::from_millis(1), "{:?}", bot.report.jitter);
}

#[test]
fn reports_come_after_one_second_then_about_every_five() {
    let mut pair = connected(Tamper::default());
    let quiet = pair.service.sent;
    pair.pass(Duration::from_millis(990));
    let before = pair.service.peer.stats().report.sender_reports;
    pair.pass(Duration::from_secs(60));
    assert_eq!(before, 0);
    // STUN answers to the bot's consent checks and 12 or 13 receiver reports.
    let reports = pair.bot.peer.stats().report;
    assert_eq!(reports.sender_reports, 0, "nobody sends media");
    assert!(pair.service.sent - quiet <= 13 + 20, "{}", pair.service.sent - quiet);
}

#[test]
fn goodbye_is_bye_and_close_notify_and_ends_the_other_side() {
    for bot_closes in [true, false] {
        let mut pair = connected(Tamper::default());
        pair.close(bot_closes);
        pair.pass(Duration::from_millis(50));
        let (closer, other) = if bot_closes { (&pair.bot, &pair.service) } else { (&pair.service, &pair.bot) };
        assert_eq!(closer.closed(), Some(CloseReason::Local));
        assert_eq!(other.closed(), Some(CloseReason::Remote));
        assert!(other.peer.stats().report.bye, "the BYE came before the close_notify");
        assert_eq!(other.peer.poll_timeout(), None);
    }
}

#[test]
fn a_peer_that_vanishes_loses_consent_after_thirty_seconds() {
    let mut pair = connected(Tamper::default());
    pair.cut();
    let cut = pair.now;
    assert!(pair.run(Duration::from_secs(90), |p| p.bot.closed().is_some() && p.service.closed().is_some()));
    assert_eq!(pair.service.closed(), Some(CloseReason::ConsentExpired));
    assert_eq!(pair.bot.closed(), Some(CloseReason::ConsentExpired));
    let took = pair.now - cut;
    assert!((25..=36).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn an_idle_connection_keeps_consent_for_an_hour() {
    let mut pair = connected(Tamper::default());
    pair.pass(Duration::from_secs(3600));
    assert_eq!((pair.bot.closed(), pair.service.closed()), (None, None));
}

#[test]
fn a_service_that_never_hears_from_its_peer_gives_up() {
    let nothing = Loss::new(100, 1);
    let mut pair = Pair::new(&Identity::generate().unwrap(), Tamper { loss: nothing, ..Tamper::default() });
    assert!(pair.run(Duration::from_secs(60), |p| p.bot.closed().is_some() && p.service.closed().is_some()));
    assert_eq!(pair.service.closed(), Some(CloseReason::ConnectTimeout));
    assert!(matches!(pair.bot.closed(), Some(CloseReason::ConnectTimeout | CloseReason::IceFailed)));
}

/// Changes the first digit of the fingerprint.
fn forge(description: &str) -> String {
    let at = description.find("sha-256 ").unwrap() + 8;
    let digit = if description.as_bytes()[at] == b'0' { "1" } else { "0" };
    format!("{}{digit}{}", &description[..at], &description[at + 1..]).replace(
        // The second section carries the same value.
        &description[at..at + 95],
        &format!("{digit}{}", &description[at + 1..at + 95]),
    )
}

#[test]
fn a_wrong_fingerprint_is_refused_in_either_direction_and_role() {
    for setup in [Setup::Passive, Setup::Active] {
        for in_offer in [true, false] {
            let (forged, honest) = (&|s: String| forge(&s), &|s: String| s);
            let (offer, answer): (&dyn Fn(String) -> String, &dyn Fn(String) -> String) =
                if in_offer { (forged, honest) } else { (honest, forged) };
            let tamper = Tamper { setup, offer, answer, ..Tamper::default() };
            let mut pair = Pair::new(&Identity::generate().unwrap(), tamper);
            let ended = |p: &Pair| p.bot.closed().is_some() && p.service.closed().is_some();
            assert!(pair.run(Duration::from_secs(40), ended), "{setup:?}, forged offer {in_offer}");
            let (betrayed, other) = if in_offer { (&pair.service, &pair.bot) } else { (&pair.bot, &pair.service) };
            assert_eq!(betrayed.closed(), Some(CloseReason::FingerprintMismatch), "{setup:?}, offer {in_offer}");
            assert_ne!(other.closed(), Some(CloseReason::FingerprintMismatch));
            assert!(!betrayed.events.contains(&PeerEvent::Connected));
        }
    }
}

#[test]
fn a_late_duplicate_of_the_last_flight_is_answered_and_does_no_harm() {
    // 40 % loss makes last flights repeat; whoever connects stays connected and passes media.
    for seed in 1..=20 {
        let tamper = Tamper { loss: Loss::new(40, seed), ..Tamper::default() };
        let mut pair = Pair::new(&Identity::generate().unwrap(), tamper);
        let up = |p: &Pair| p.bot.peer.is_connected() && p.service.peer.is_connected();
        if !pair.run(Duration::from_secs(20), up) {
            continue;
        }
        pair.loss = Loss::new(0, 1);
        pair.pass(Duration::from_secs(5));
        let ours = pair.bot.peer.negotiated().unwrap().mix.ssrc.as_u32();
        pair.send(true, &rtp(ours, 1, 960));
        pair.pass(Duration::from_millis(50));
        assert_eq!(pair.service.media.len(), 1, "seed {seed}");
        assert_eq!((pair.bot.closed(), pair.service.closed()), (None, None), "seed {seed}");
    }
}

#[test]
fn protecting_the_same_packet_twice_is_refused() {
    let mut pair = connected(Tamper::default());
    let ours = pair.bot.peer.negotiated().unwrap().mix.ssrc.as_u32();
    pair.send(true, &rtp(ours, 5, 960));
    let mut buffer = [0; 1600];
    let plain = rtp(ours, 5, 960);
    buffer[..plain.len()].copy_from_slice(&plain);
    assert_eq!(pair.bot.peer.protect(pair.now, &mut buffer, plain.len()), Err(DropReason::ReusedIndex));
}

#[test]
fn plain_reports_are_well_formed_compounds() {
    // Guards the reader used above: an empty compound would make every claim about reports vacuous.
    assert!(Compound::new(&[]).next().is_none());
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 7];
    assert!(matches!(Compound::new(&receiver_report).next(), Some(Ok(RtcpPacket::ReceiverReport(_)))));
}
