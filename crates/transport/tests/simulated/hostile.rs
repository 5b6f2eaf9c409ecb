//! Hostile and broken input: counted by name, never a panic, never harm to a running session.

use std::time::Duration;

use antiphon_transport::peer::Received;
use antiphon_transport::{CloseReason, DropReason, Identity};
use proptest::prelude::*;

use crate::pair::{Pair, Tamper, bot_address, rtp, service_address};

fn connected() -> Pair {
    let mut pair = Pair::new(&Identity::generate().unwrap(), Tamper::default());
    pair.connect();
    pair
}

fn feed(pair: &mut Pair, mut datagram: Vec<u8>) -> Received {
    pair.service.peer.handle_datagram(pair.now, bot_address(), &mut datagram)
}

#[test]
fn every_kind_of_rubbish_has_its_name() {
    let mut pair = connected();
    let cases: [(Vec<u8>, DropReason); 8] = [
        (vec![], DropReason::NotOurs),
        (vec![70; 40], DropReason::NotOurs),
        (vec![0; 40], DropReason::StunMalformed),
        (vec![22; 40], DropReason::DtlsInvalid),
        (vec![0x80, 111, 0], DropReason::RtpMalformed),
        (vec![0x80; 60], DropReason::SrtpUnauthenticated),
        (vec![0x80, 200, 0, 1], DropReason::RtpMalformed),
        ([&[0x80, 200][..], &[0; 60]].concat(), DropReason::SrtpUnauthenticated),
    ];
    for (datagram, reason) in cases {
        assert_eq!(feed(&mut pair, datagram.clone()), Received::Dropped(reason), "{datagram:02x?}");
    }
    assert_eq!(pair.service.peer.stats().drops.total(), 8);
    assert!(pair.service.peer.is_connected());
}

#[test]
fn media_before_the_handshake_and_after_the_end_is_dropped() {
    let mut pair = Pair::new(&Identity::generate().unwrap(), Tamper::default());
    assert_eq!(feed(&mut pair, rtp(1, 1, 1)), Received::Dropped(DropReason::NotConnected));
    let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    assert_eq!(feed(&mut pair, hello.clone()), Received::Dropped(DropReason::DtlsUnexpected), "no check came yet");
    pair.connect();
    pair.close(false);
    hello[0] = 23;
    assert_eq!(feed(&mut pair, rtp(1, 2, 1)), Received::Dropped(DropReason::UnknownSource));
    assert_eq!(feed(&mut pair, hello), Received::Dropped(DropReason::UnknownSource));
}

#[test]
fn forged_ssrcs_cost_no_state_and_honest_ones_are_limited() {
    let mut pair = connected();
    for i in 0..10_000_u32 {
        let forged = [rtp(i, 1, 1), vec![7; 16]].concat();
        assert_eq!(feed(&mut pair, forged), Received::Dropped(DropReason::SrtpUnauthenticated));
    }
    assert_eq!(pair.service.peer.stats().ssrcs, 0);
    for ssrc in 0..100 {
        pair.send(true, &rtp(ssrc, 1, 1));
    }
    pair.pass(Duration::from_millis(20));
    let stats = pair.service.peer.stats();
    assert_eq!((stats.ssrcs, stats.drops.of(DropReason::TooManySsrcs)), (64, 36));
}

#[test]
fn a_check_with_wrong_credentials_moves_nothing() {
    let mut pair = connected();
    let before = pair.service.peer.stats().remote;
    // A binding request with the right user name but no integrity.
    let ufrag = pair.service.peer.ufrag().to_owned();
    let theirs = pair.offer.lines().find_map(|l| l.strip_prefix("a=ice-ufrag:")).unwrap().to_owned();
    let username = format!("{ufrag}:{theirs}");
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend([9; 12]);
    request.extend([0, 6, 0, username.len() as u8]);
    request.extend(username.bytes());
    request.resize(request.len().next_multiple_of(4), 0);
    request.extend([0, 0x25, 0, 0]); // USE-CANDIDATE
    let len = request.len() - 20;
    request[3] = len as u8;
    let elsewhere = "203.0.113.9:9".parse().unwrap();
    let fed = pair.service.peer.handle_datagram(pair.now, elsewhere, &mut request);
    assert_eq!(fed, Received::Dropped(DropReason::StunUnauthenticated));
    assert!(pair.service.peer.poll_transmit().is_none(), "no answer for strangers");
    assert_eq!(pair.service.peer.stats().remote, before);
}

#[test]
fn plaintext_alerts_do_not_end_a_running_session() {
    let mut pair = connected();
    // close_notify and a fatal alert in epoch 0, as somebody who spoofs the address could send.
    for alert in [[1, 0], [2, 40]] {
        let mut record = vec![21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2];
        record.extend(alert);
        feed(&mut pair, record);
    }
    pair.pass(Duration::from_secs(1));
    assert!(pair.service.peer.is_connected() && pair.bot.peer.is_connected());
    assert_ne!(pair.service.closed(), Some(CloseReason::Remote));
}

#[test]
fn what_nobody_authenticated_does_not_keep_consent_alive() {
    let mut pair = connected();
    pair.cut();
    let cut = pair.now;
    let indication = [&[0, 0x11, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[9; 12]].concat();
    let datagrams = [vec![22; 40], vec![23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 1, 0], indication, vec![0x80; 60]];
    // Somebody spoofs the peer's address, far more often than consent would need.
    while pair.now - cut < Duration::from_secs(40) {
        for (side, from) in [(&mut pair.bot, service_address()), (&mut pair.service, bot_address())] {
            for datagram in &datagrams {
                side.peer.handle_datagram(pair.now, from, &mut datagram.clone());
            }
        }
        pair.pass(Duration::from_millis(500));
    }
    assert_eq!(pair.bot.closed(), Some(CloseReason::ConsentExpired));
    assert_eq!(pair.service.closed(), Some(CloseReason::ConsentExpired));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn random_datagrams_disturb_nobody(
        datagrams in prop::collection::vec((0_u8..=255, prop::collection::vec(any::<u8>(), 0..200)), 1..50),
        connect_first in any::<bool>(),
    ) {
        let mut pair = Pair::new(&Identity::generate().unwrap(), Tamper::default());
        if connect_first {
            pair.connect();
        }
        for (first, rest) in datagrams {
            // From somewhere else: the peer's own address may break its own handshake.
            let mut datagram = [&[first][..], &rest].concat();
            let from = "203.0.113.9:9".parse().unwrap();
            let _ = pair.service.peer.handle_datagram(pair.now, from, &mut datagram.clone());
            let _ = pair.bot.peer.handle_datagram(pair.now, from, &mut datagram);
        }
        pair.connect();
    }

    #[test]
    fn corrupted_handshakes_never_panic(flips in prop::collection::vec((0_usize..40, 0_usize..400, 1_u8..=255), 1..20)) {
        let mut pair = Pair::new(&Identity::generate().unwrap(), Tamper::default());
        pair.corrupt = flips;
        // Retransmission repairs most; some forged records end the handshake, which is its right.
        pair.run(Duration::from_secs(60), |p| {
            p.bot.peer.is_connected() && p.service.peer.is_connected() || p.bot.closed().or(p.service.closed()).is_some()
        });
    }
}
