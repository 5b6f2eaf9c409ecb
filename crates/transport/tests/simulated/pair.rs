//! Two peers in memory on a virtual clock, joined by a wire that loses datagrams by a seed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use antiphon_transport::peer::{Peer, PeerConfig, PeerEvent, Received};
use antiphon_transport::sdp::Setup;
use antiphon_transport::{CloseReason, Identity};

pub(crate) const ONE_WAY: Duration = Duration::from_millis(10);

pub(crate) fn service_address() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

pub(crate) fn bot_address() -> SocketAddr {
    "192.0.2.2:5000".parse().unwrap()
}

/// Loses `percent` of what passes.
pub(crate) struct Loss {
    percent: u64,
    state: u64,
}

impl Loss {
    pub(crate) fn new(percent: u64, seed: u64) -> Self {
        Self { percent, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    pub(crate) fn strikes(&mut self) -> bool {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % 100 < self.percent
    }
}

/// One side of a [`Pair`].
pub(crate) struct Side {
    pub(crate) peer: Peer,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<PeerEvent>,
    pub(crate) media: Vec<Vec<u8>>,
    pub(crate) sent: usize,
}

impl Side {
    fn new(peer: Peer, address: SocketAddr) -> Self {
        Self { peer, address, events: Vec::new(), media: Vec::new(), sent: 0 }
    }

    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.events.iter().find_map(|e| match e {
            PeerEvent::Closed(reason) => Some(*reason),
            _ => None,
        })
    }
}

/// An offering bot and an answering service.
pub(crate) struct Pair {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) bot: Side,
    pub(crate) service: Side,
    pub(crate) offer: String,
    wire: VecDeque<(Instant, bool, Vec<u8>)>,
    pub(crate) loss: Loss,
    /// `(datagram, byte, mask)`: bits to flip, datagrams counted over the whole run.
    pub(crate) corrupt: Vec<(usize, usize, u8)>,
    carried: usize,
}

/// What a test may change between the two sides.
pub(crate) struct Tamper<'a> {
    pub(crate) setup: Setup,
    pub(crate) lanes: bool,
    pub(crate) loss: Loss,
    pub(crate) offer: &'a dyn Fn(String) -> String,
    pub(crate) answer: &'a dyn Fn(String) -> String,
}

impl Default for Tamper<'_> {
    fn default() -> Self {
        let (offer, answer) = (&|s| s, &|s| s);
        Self { setup: Setup::Passive, lanes: true, loss: Loss::new(0, 1), offer, answer }
    }
}

pub(crate) fn config<'a>(identity: &'a Identity, candidates: &'a [SocketAddr]) -> PeerConfig<'a> {
    PeerConfig {
        identity,
        candidates,
        max_ssrcs: 64,
        connect_timeout: Duration::from_secs(30),
        unix_now: Duration::from_secs(1_700_000_000),
    }
}

impl Pair {
    pub(crate) fn new(identity: &Identity, tamper: Tamper<'_>) -> Self {
        let now = Instant::now();
        let (bot_at, service_at) = ([bot_address()], [service_address()]);
        let (bot, offer) = Peer::offer(now, &config(identity, &bot_at), tamper.lanes).unwrap();
        let offer = (tamper.offer)(offer);
        let (service, answer) = Peer::answer(now, &config(identity, &service_at), tamper.setup, &offer).unwrap();
        let answer = (tamper.answer)(answer);
        let mut pair = Self {
            start: now,
            now,
            bot: Side::new(bot, bot_at[0]),
            service: Side::new(service, service_at[0]),
            offer,

            wire: VecDeque::new(),
            loss: tamper.loss,
            corrupt: Vec::new(),
            carried: 0,
        };
        pair.bot.peer.accept(now, &answer).unwrap();
        pair.drain();
        pair
    }

    /// Lets time pass until `done` or until `limit` after the start; says whether `done`.
    pub(crate) fn run(&mut self, limit: Duration, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.start + limit;
        loop {
            if done(self) {
                return true;
            }
            let deadlines = [self.bot.peer.poll_timeout(), self.service.peer.poll_timeout()];
            let next = deadlines.into_iter().flatten().chain(self.wire.front().map(|w| w.0)).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return done(self);
            };
            self.now = self.now.max(next);
            self.step();
        }
    }

    /// Runs until both are connected.
    pub(crate) fn connect(&mut self) {
        let up = self.run(Duration::from_secs(30), |p| p.bot.peer.is_connected() && p.service.peer.is_connected());
        assert!(up, "bot {:?}, service {:?}", self.bot.events, self.service.events);
    }

    /// Lets `span` pass.
    pub(crate) fn pass(&mut self, span: Duration) {
        let limit = self.now + span - self.start;
        self.run(limit, |_| false);
    }

    fn step(&mut self) {
        while self.wire.front().is_some_and(|w| w.0 <= self.now) {
            let (_, to_service, mut datagram) = self.wire.pop_front().unwrap();
            for (_, byte, mask) in self.corrupt.iter().filter(|c| c.0 == self.carried) {
                let len = datagram.len();
                datagram[byte % len] ^= mask;
            }
            self.carried += 1;
            let (from, to) =
                if to_service { (self.bot.address, &mut self.service) } else { (self.service.address, &mut self.bot) };
            if let Received::Media { len } = to.peer.handle_datagram(self.now, from, &mut datagram) {
                to.media.push(datagram[..len].to_vec());
            }
            self.drain();
        }
        for side in [&mut self.bot, &mut self.service] {
            if side.peer.poll_timeout().is_some_and(|t| t <= self.now) {
                side.peer.handle_timeout(self.now);
            }
        }
        self.drain();
    }

    fn drain(&mut self) {
        for (to_service, side) in [(true, &mut self.bot), (false, &mut self.service)] {
            while let Some((_, datagram)) = side.peer.poll_transmit() {
                side.sent += 1;
                if !self.loss.strikes() {
                    self.wire.push_back((self.now + ONE_WAY, to_service, datagram.to_vec()));
                }
            }
            while let Some(event) = side.peer.poll_event() {
                side.events.push(event);
            }
        }
    }

    /// Sends one plain RTP packet from the bot (or from the service).
    pub(crate) fn send(&mut self, from_bot: bool, plain: &[u8]) {
        let side = if from_bot { &mut self.bot } else { &mut self.service };
        let mut buffer = [0; 1600];
        buffer[..plain.len()].copy_from_slice(plain);
        let (len, _) = side.peer.protect(self.now, &mut buffer, plain.len()).unwrap();
        if !self.loss.strikes() {
            self.wire.push_back((self.now + ONE_WAY, from_bot, buffer[..len].to_vec()));
        }
    }

    /// Closes one side.
    pub(crate) fn close(&mut self, bot: bool) {
        let side = if bot { &mut self.bot } else { &mut self.service };
        side.peer.close(self.now, CloseReason::Local);
        self.drain();
    }

    /// Cuts the wire for what is under way.
    pub(crate) fn cut(&mut self) {
        self.wire.clear();
        self.loss = Loss::new(100, 1);
    }
}

/// A plain RTP packet with a 20 ms payload.
pub(crate) fn rtp(ssrc: u32, seq: u16, timestamp: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..80).map(|i| (seq as u8).wrapping_add(i)));
    packet
}
