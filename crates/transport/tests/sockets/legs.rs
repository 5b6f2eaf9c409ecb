//! A connector's legs against an endpoint's, over loopback.

use std::collections::HashSet;

use antiphon_rtp::RtpPacket;
use antiphon_transport::{
    AnswerError, BindError, CloseReason, Connector, ConnectorConfig, Direction, DropReason, Endpoint, EndpointConfig,
    Leg, LegEvent, OfferError, OfferOptions,
};

use crate::rig::{Events, Out, connector, endpoint, loopback, next, rtp, take, wait_for};

struct Call {
    service: Endpoint,
    service_events: Events,
    service_leg: Leg,
    bot: Connector,
    bot_events: Events,
    bot_leg: Leg,
}

fn call(lanes: bool) -> Call {
    let (service, service_events) = endpoint(|_| ());
    let (bot, bot_events) = connector();
    let (service_leg, bot_leg) = join(&service, &bot, lanes);
    assert_eq!(next(&service_events), (service_leg.id(), LegEvent::Connected));
    assert_eq!(next(&bot_events), (bot_leg.id(), LegEvent::Connected));
    Call { service, service_events, service_leg, bot, bot_events, bot_leg }
}

fn join(service: &Endpoint, bot: &Connector, lanes: bool) -> (Leg, Leg) {
    let mut offered = bot.offer(loopback(lanes)).unwrap();
    let answered = service.answer(&offered.sdp).unwrap();
    offered.leg.accept(&answered.sdp).unwrap();
    (answered.leg, offered.leg)
}

#[test]
fn media_flows_both_ways_and_on_lanes() {
    let mut call = call(true);
    let (bot, service) = (call.bot_leg.negotiated().unwrap().clone(), call.service_leg.negotiated().unwrap().clone());
    assert_eq!(service.lanes.as_ref().unwrap().direction, Direction::SendOnly);
    let (mut to_service, mut to_bot) = (Out::new(&call.bot_leg), Out::new(&call.service_leg));
    let pt = bot.mix.payload_type.as_u8();
    for i in 0..50_u16 {
        to_service.send(&rtp(pt, bot.mix.ssrc.as_u32(), i, &[i as u8; 80]));
        to_bot.send(&rtp(pt, service.mix.ssrc.as_u32(), i, &[!i as u8; 60]));
        for lane in 0..3 {
            to_bot.send(&rtp(pt, 1000 + lane, i, &[lane as u8; 40]));
        }
    }
    let heard = take(&mut call.service_leg.take_ingress().unwrap(), 50);
    assert_eq!(heard.len(), 50);
    let leg = call.service_leg.id().as_u32();
    assert!(heard.iter().all(|(meta, _)| meta.leg == leg));
    assert!(heard.is_sorted_by_key(|(meta, _)| meta.at));
    let last = RtpPacket::parse(&heard[49].1).unwrap();
    assert_eq!((last.ssrc(), last.seq().as_u16(), last.payload()), (bot.mix.ssrc, 49, &[49; 80][..]));

    let heard = take(&mut call.bot_leg.take_ingress().unwrap(), 200);
    let ssrcs: HashSet<u32> = heard.iter().map(|(_, p)| RtpPacket::parse(p).unwrap().ssrc().as_u32()).collect();
    assert_eq!(ssrcs, HashSet::from([service.mix.ssrc.as_u32(), 1000, 1001, 1002]));
    assert!(call.bot_leg.take_ingress().is_none(), "there is one reader");
    let stats = call.bot_leg.stats();
    assert_eq!((stats.packets_sent, stats.packets_received, stats.ssrcs), (50, 200, 4));
    assert_eq!(stats.remote, Some(call.service.local_addr()));
    assert_eq!((call.service.net().drops().total(), call.bot.net().drops().total()), (0, 0));
}

#[test]
fn both_sides_see_each_others_reports() {
    let call = call(false);
    let ssrc = call.bot_leg.negotiated().unwrap().mix.ssrc.as_u32();
    let mut out = Out::new(&call.bot_leg);
    let mut seq = 0;
    // The first report comes a second after the handshake; the answer to it carries the round trip.
    wait_for("a sender report and a reception report", || {
        seq += 1;
        out.send(&rtp(111, ssrc, seq, &[1; 80]));
        let (service, bot) = (call.service_leg.stats().report, call.bot_leg.stats().report);
        (service.sender_reports > 0 && bot.reception_reports > 0).then_some(())
    });
}

#[test]
fn closing_one_side_ends_the_other_at_once() {
    let ends = call(false);
    ends.bot_leg.close();
    assert_eq!(next(&ends.bot_events).1, LegEvent::Closed(CloseReason::Local));
    assert_eq!(next(&ends.service_events), (ends.service_leg.id(), LegEvent::Closed(CloseReason::Remote)));
    assert!(ends.service_leg.stats().report.bye);

    let ends = call(false);
    drop(ends.service_leg); // dropping closes
    assert_eq!(next(&ends.service_events).1, LegEvent::Closed(CloseReason::Local));
    assert_eq!(next(&ends.bot_events), (ends.bot_leg.id(), LegEvent::Closed(CloseReason::Remote)));

    let ends = call(false);
    drop(ends.service); // so does stopping the whole service
    assert_eq!(next(&ends.service_events).1, LegEvent::Closed(CloseReason::Shutdown));
    assert_eq!(next(&ends.bot_events).1, LegEvent::Closed(CloseReason::Remote));
    assert!(matches!(
        ends.bot.offer(loopback(false)).map(|mut o| o.leg.accept("").err()),
        Ok(Some(AnswerError::Sdp(_)))
    ));
}

#[test]
fn many_legs_share_one_port_and_none_hears_another() {
    let (service, service_events) = endpoint(|_| ());
    let (bot, bot_events) = connector();
    let mut legs: Vec<(Leg, Leg)> = (0..20).map(|_| join(&service, &bot, false)).collect();
    for _ in 0..20 {
        assert_eq!(next(&service_events).1, LegEvent::Connected);
        assert_eq!(next(&bot_events).1, LegEvent::Connected);
    }
    for (i, (_, bot_leg)) in legs.iter().enumerate() {
        let ssrc = bot_leg.negotiated().unwrap().mix.ssrc.as_u32();
        Out::new(bot_leg).send(&rtp(111, ssrc, 1, &[i as u8; 20]));
    }
    for (i, (service_leg, _)) in legs.iter_mut().enumerate() {
        let heard = take(&mut service_leg.take_ingress().unwrap(), 1);
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].1[12..], [i as u8; 20]);
    }
    // A leg that goes leaves the others alone.
    let (gone, _) = legs.remove(7);
    gone.close();
    assert_eq!(next(&service_events), (gone.id(), LegEvent::Closed(CloseReason::Local)));
    let ssrc = legs[0].0.negotiated().unwrap().mix.ssrc.as_u32();
    Out::new(&legs[0].0).send(&rtp(111, ssrc, 1, &[99; 20]));
    assert_eq!(take(&mut legs[0].1.take_ingress().unwrap(), 1)[0].1[12..], [99; 20]);
}

#[test]
fn strangers_on_the_port_are_counted_and_change_nothing() {
    let mut call = call(false);
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = call.service.local_addr();
    for datagram in [&[0x80, 111, 0, 1][..], &[22, 254, 253, 0][..], &[0, 1, 0, 0][..], &[99, 1][..], &[0x80; 3000][..]]
    {
        stranger.send_to(datagram, to).unwrap();
    }
    wait_for("five drops", || (call.service.net().drops().total() == 5).then_some(()));
    let drops = call.service.net().drops();
    assert_eq!(drops.of(DropReason::UnknownSource), 2, "RTP and DTLS");
    assert_eq!((drops.of(DropReason::StunMalformed), drops.of(DropReason::NotOurs)), (1, 1));
    assert_eq!(drops.of(DropReason::TooLong), 1);
    let ssrc = call.bot_leg.negotiated().unwrap().mix.ssrc.as_u32();
    Out::new(&call.bot_leg).send(&rtp(111, ssrc, 1, &[5; 20]));
    assert_eq!(take(&mut call.service_leg.take_ingress().unwrap(), 1).len(), 1);
}

#[test]
fn packets_for_a_leg_that_is_gone_are_counted() {
    let call = call(false);
    let mut out = Out::new(&call.service_leg);
    call.service_leg.close();
    assert_eq!(next(&call.service_events).1, LegEvent::Closed(CloseReason::Local));
    out.send(&rtp(111, 1, 1, &[0; 20]));
    wait_for("the drop", || (call.service.net().drops().of(DropReason::UnknownLeg) == 1).then_some(()));
}

#[test]
fn a_full_ingress_ring_drops_and_counts_and_recovers() {
    let mut call = call(false);
    let ssrc = call.bot_leg.negotiated().unwrap().mix.ssrc.as_u32();
    let mut out = Out::new(&call.bot_leg);
    for seq in 0..40 {
        out.send(&rtp(111, ssrc, seq, &[0; 1000])); // the default ring holds sixteen of these
    }
    wait_for("all to arrive", || (call.service_leg.stats().packets_received == 40).then_some(()));
    assert_eq!(call.service_leg.stats().drops.of(DropReason::IngressFull), 40 - 15);
    let mut ring = call.service_leg.take_ingress().unwrap();
    assert_eq!(take(&mut ring, 15).len(), 15);
    out.send(&rtp(111, ssrc, 41, &[0; 1000]));
    assert_eq!(take(&mut ring, 1)[0].1[3], 41);
}

#[test]
fn descriptions_that_do_not_fit_are_refused_and_the_offer_stands() {
    let (service, _) = endpoint(|_| ());
    let (bot, _events) = connector();
    assert!(matches!(service.answer("nonsense"), Err(OfferError::Sdp(_))));
    let mut offered = bot.offer(loopback(true)).unwrap();
    assert!(offered.leg.negotiated().is_none());
    let answer = service.answer(&offered.sdp).unwrap();
    let wrong: [&dyn Fn(&str) -> String; 4] = [
        &|a| a.replace("a=setup:passive", "a=setup:actpass"),
        &|a| a.replace("a=mid:mix", "a=mid:other"),
        &|a| a.replace("SAVPF 111", "SAVPF 96").replace(":111 ", ":96 "),
        &|a| a[..a.rfind("m=audio").unwrap()].to_owned(),
    ];
    for change in wrong {
        let refused = offered.leg.accept(&change(&answer.sdp));
        assert!(matches!(refused, Err(AnswerError::Mismatch(_))), "{refused:?}");
    }
    offered.leg.accept(&answer.sdp).unwrap();
    assert!(matches!(offered.leg.accept(&answer.sdp), Err(AnswerError::NotWaiting)));
    let mut answered = answer.leg;
    assert!(matches!(answered.accept(&answer.sdp), Err(AnswerError::NotWaiting)));
}

#[test]
fn an_endpoint_says_why_it_cannot_start() {
    let (first, _) = endpoint(|_| ());
    let taken = EndpointConfig::new(first.local_addr(), |_, _| ());
    let error = Endpoint::bind(taken).unwrap_err();
    assert!(matches!(error, BindError::PortInUse(_)));
    assert_eq!(
        error.to_string(),
        format!(
            "UDP port {} on 127.0.0.1 is in use; choose another port, or port 0 for any free one",
            first.local_addr().port()
        )
    );
    let absent = EndpointConfig::new("192.0.2.1:0".parse().unwrap(), |_, _| ());
    assert!(matches!(Endpoint::bind(absent), Err(BindError::NoSuchAddress(_))));
}

#[test]
fn the_advertised_address_and_all_local_addresses_reach_the_answer() {
    let (bot, _events) = connector();
    let offer = bot.offer(loopback(false)).unwrap().sdp;
    let (nat, _) = endpoint(|c| c.advertise = Some("203.0.113.5:0".parse().unwrap()));
    let port = nat.local_addr().port();
    assert!(nat.answer(&offer).unwrap().sdp.contains(&format!("203.0.113.5 {port} typ host")));
    let (wildcard, _) = endpoint(|c| c.bind = "0.0.0.0:0".parse().unwrap());
    let answer = wildcard.answer(&offer).unwrap().sdp;
    assert!(answer.contains("127.0.0.1") && !answer.contains("udp 2130706431 0.0.0.0"), "{answer}");
}

#[test]
fn the_number_of_legs_is_limited_and_comes_back() {
    let (service, events) = endpoint(|c| c.limits.max_legs = 2);
    let (bot, _events) = connector();
    let offer = bot.offer(loopback(false)).unwrap().sdp;
    let (one, _two) = (service.answer(&offer).unwrap(), service.answer(&offer).unwrap());
    assert!(matches!(service.answer(&offer), Err(OfferError::TooManyLegs(2))));
    drop(one);
    assert_eq!(next(&events).1, LegEvent::Closed(CloseReason::Local));
    assert!(service.answer(&offer).is_ok(), "there is room as soon as the end is told");
}

#[test]
fn a_connectors_legs_are_limited_and_given_up_offers_make_room() {
    let (service, _service_events) = endpoint(|_| ());
    let (tx, events) = std::sync::mpsc::channel();
    let mut config = ConnectorConfig::new(move |leg, event| {
        let _ = tx.send((leg, event));
    });
    config.limits.max_legs = 2;
    let bot = Connector::new(config).unwrap();
    let (mut one, two) = (bot.offer(loopback(false)).unwrap(), bot.offer(loopback(false)).unwrap());
    assert!(matches!(bot.offer(loopback(false)), Err(OfferError::TooManyLegs(2))));
    drop(two);
    let _two = bot.offer(loopback(false)).unwrap();
    let answered = service.answer(&one.sdp).unwrap();
    one.leg.accept(&answered.sdp).unwrap();
    assert_eq!(next(&events).1, LegEvent::Connected);
    assert!(matches!(bot.offer(loopback(false)), Err(OfferError::TooManyLegs(2))), "an accepted leg counts on");
    drop(one);
    assert_eq!(next(&events).1, LegEvent::Closed(CloseReason::Local));
    assert!(bot.offer(loopback(false)).is_ok());
}

#[test]
fn ipv6_works_where_the_machine_has_it() {
    if std::net::UdpSocket::bind("[::1]:0").is_err() {
        return; // no IPv6 here: nothing to claim
    }
    let (service, service_events) = endpoint(|c| c.bind = "[::1]:0".parse().unwrap());
    let (bot, _events) = connector();
    let mut offered = bot.offer(OfferOptions { lanes: false, bind: "::1".parse().unwrap() }).unwrap();
    let mut answered = service.answer(&offered.sdp).unwrap();
    offered.leg.accept(&answered.sdp).unwrap();
    assert_eq!(next(&service_events).1, LegEvent::Connected);
    let ssrc = offered.leg.negotiated().unwrap().mix.ssrc.as_u32();
    wait_for("the bot to be connected", || offered.leg.stats().profile);
    Out::new(&offered.leg).send(&rtp(111, ssrc, 1, &[6; 20]));
    assert_eq!(take(&mut answered.leg.take_ingress().unwrap(), 1)[0].1[12..], [6; 20]);
}
