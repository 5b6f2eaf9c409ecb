//! Goodbyes: two peers on a virtual clock and a wire without delay, where one says BYE and may live on.

use super::*;

const BOT: usize = 0;
const SERVICE: usize = 1;

struct Two {
    now: Instant,
    peers: [Peer; 2],
    at: [SocketAddr; 2],
    /// Whether what a side sends arrives.
    heard: [bool; 2],
    closed: [Option<(Instant, CloseReason)>; 2],
}

impl Two {
    fn connected() -> Self {
        let (identity, now) = (Identity::generate().unwrap(), Instant::now());
        let at: [SocketAddr; 2] = ["192.0.2.2:5000".parse().unwrap(), "192.0.2.1:4000".parse().unwrap()];
        let config = |side: usize| PeerConfig {
            identity: &identity,
            candidates: &at[side..=side],
            max_ssrcs: 8,
            connect_timeout: Duration::from_secs(30),
            unix_now: Duration::ZERO,
        };
        let (mut bot, offer) = Peer::offer(now, &config(BOT), false).unwrap();
        let (service, answer) = Peer::answer(now, &config(SERVICE), Setup::Passive, &offer).unwrap();
        bot.accept(now, &answer).unwrap();
        let mut two = Self { now, peers: [bot, service], at, heard: [true; 2], closed: [None; 2] };
        two.pass(Duration::from_secs(5));
        assert!(two.peers.iter().all(Peer::is_connected));
        two
    }

    /// Delivers what both have to say, and what that leads to.
    fn carry(&mut self) {
        for side in [BOT, SERVICE, BOT, SERVICE, BOT, SERVICE] {
            while let Some((_, mut datagram)) = self.peers[side].poll_transmit() {
                if self.heard[side] {
                    self.peers[1 - side].handle_datagram(self.now, self.at[side], &mut datagram);
                }
            }
            while let Some(event) = self.peers[side].poll_event() {
                if let PeerEvent::Closed(reason) = event {
                    self.closed[side] = Some((self.now, reason));
                }
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            let next = self.peers.iter().filter_map(Peer::poll_timeout).min();
            self.now = next.map_or(end, |next| next.clamp(self.now, end));
            self.peers.iter_mut().for_each(|peer| peer.handle_timeout(self.now));
            self.carry();
            if self.now == end {
                return;
            }
        }
    }

    /// One side ends its stream, as far as RTCP tells, and is still there.
    fn say_bye(&mut self, side: usize) {
        let peer = &mut self.peers[side];
        let goodbye = peer.reports.write(self.now, true).unwrap();
        peer.send_report(goodbye);
        self.carry();
    }

    /// A protected media packet of this side.
    fn media(&mut self, side: usize, seq: u16) -> Vec<u8> {
        let mut buffer = [0; 256];
        buffer[..4].copy_from_slice(&[0x80, 111, (seq >> 8) as u8, seq as u8]);
        buffer[11] = 1;
        let (len, _) = self.peers[side].protect(self.now, &mut buffer, 92).unwrap();
        buffer[..len].to_vec()
    }
}

#[test]
fn a_peer_that_says_bye_and_falls_silent_is_gone_after_eight_seconds_on_both_sides() {
    for leaver in [BOT, SERVICE] {
        let mut two = Two::connected();
        two.say_bye(leaver);
        two.heard = [false; 2];
        let said = two.now;
        two.pass(Duration::from_secs(20));
        assert_eq!(two.closed[1 - leaver], Some((said + AFTER_BYE, CloseReason::ConsentExpired)), "{leaver}");
        assert_eq!(two.closed[leaver], None, "it heard no BYE and has 30 s");
    }
}

#[test]
fn a_peer_whose_checks_go_on_after_its_bye_stays() {
    for side in [BOT, SERVICE] {
        let mut two = Two::connected();
        two.say_bye(side);
        two.pass(Duration::from_secs(120));
        assert_eq!(two.closed, [None; 2], "{side}");
    }
}

#[test]
fn media_after_a_bye_counts_only_if_the_bye_has_not_overtaken_it() {
    for leaver in [BOT, SERVICE] {
        for (late, stays) in [(Duration::from_millis(200), false), (Duration::from_secs(3), true)] {
            let mut two = Two::connected();
            let mut packet = two.media(leaver, 7);
            two.say_bye(leaver);
            two.heard = [false; 2];
            two.pass(late);
            let received = two.peers[1 - leaver].handle_datagram(two.now, two.at[leaver], &mut packet);
            assert_eq!(received, Received::Media { len: 92 });
            two.pass(Duration::from_secs(15));
            assert_eq!(two.closed[1 - leaver].is_none(), stays, "{leaver}, {late:?}");
        }
    }
}

#[test]
fn a_repeated_bye_does_not_put_the_end_off() {
    let mut two = Two::connected();
    two.say_bye(SERVICE);
    let said = two.now;
    two.heard = [false; 2];
    two.pass(Duration::from_secs(5));
    two.heard = [true; 2];
    two.say_bye(SERVICE);
    two.heard = [false; 2];
    two.pass(Duration::from_secs(10));
    assert_eq!(two.closed[BOT], Some((said + AFTER_BYE, CloseReason::ConsentExpired)));
}
