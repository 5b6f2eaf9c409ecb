//! The network thread's passes, driven from the test's own thread: real sockets, frozen time, counted allocations.

use std::net::SocketAddr;

use antiphon_rt::packet_ring::packet_ring;
use antiphon_rt::wake::wake_pair;
use antiphon_testkit::alloc_guard;
use crossbeam_channel::Sender;

use super::super::quota::LegQuota;
use super::*;
use crate::identity::Identity;
use crate::peer::{Peer, PeerConfig};
use crate::plain::{PlainParams, PlainPeer, Remote};
use crate::sdp::{Codec, Setup};
use crate::srtp::{KeyPair, MasterKey, Outbound, Profile};
use crate::stats::LegStats;

/// A worker nobody runs but the test.
struct Bench {
    worker: Worker,
    commands: Sender<Command>,
    to_send: PacketSender,
}

impl Bench {
    fn new(shared: Option<UdpPort>) -> Self {
        let (waker, wakeable) = wake_pair().unwrap();
        drop(waker);
        let (commands, inbox) = crossbeam_channel::bounded(64);
        let limits = Limits::endpoint();
        let on_event: LegCallback = Arc::new(|_, _| ());
        let seed = Seed::new(inbox, wakeable, shared, &limits, Arc::default(), on_event).unwrap();
        let (to_send, receiver) = packet_ring(64 * 1024);
        commands.send(Command::AddEgress(EgressId(1), receiver)).unwrap();
        Self { worker: seed.into_worker(), commands, to_send }
    }

    fn pass(&mut self, now: Instant) {
        let ready = self.worker.wait(EpollTimeout::ZERO);
        self.worker.pass(now, ready).unwrap();
    }
}

fn port() -> UdpPort {
    UdpPort::bind("127.0.0.1:0".parse().unwrap(), 1 << 20).unwrap()
}

fn config<'a>(identity: &'a Identity, candidates: &'a [SocketAddr]) -> PeerConfig<'a> {
    let connect_timeout = Duration::from_secs(30);
    PeerConfig { identity, candidates, max_ssrcs: 64, connect_timeout, unix_now: Duration::ZERO }
}

/// A connected pair of workers with one leg each, and their ingress rings.
struct Joined {
    service: Bench,
    bot: Bench,
    from_bot: PacketReceiver,
    from_service: PacketReceiver,
    now: Instant,
    ssrcs: (u32, u32),
}

const LEG: LegId = LegId::new(5);

fn joined() -> Joined {
    let identity = Identity::generate().unwrap();
    let (shared, own) = (port(), port());
    let (service_at, bot_at) = ([shared.local()], [own.local()]);
    let now = Instant::now();
    let (mut bot_peer, offer) = Peer::offer(now, &config(&identity, &bot_at), false).unwrap();
    let (service_peer, answer) = Peer::answer(now, &config(&identity, &service_at), Setup::Passive, &offer).unwrap();
    bot_peer.accept(now, &answer).unwrap();
    let ssrc = |peer: &Peer| peer.negotiated().unwrap().mix.ssrc.as_u32();
    let ssrcs = (ssrc(&bot_peer), ssrc(&service_peer));
    let (mut service, mut bot) = (Bench::new(Some(shared)), Bench::new(None));
    let add = |bench: &Bench, peer: Peer, port| {
        let (ingress, packets) = packet_ring(64 * 1024);
        let permit = LegQuota::new(1).take().unwrap();
        bench.commands.send(Command::AddLeg(NewLeg { id: LEG, peer: peer.into(), ingress, port, permit })).unwrap();
        packets
    };
    let from_bot = add(&service, service_peer, None);
    let from_service = add(&bot, bot_peer, Some(own));
    let connected = |bench: &mut Bench| {
        let slot = bench.worker.table.by_id(LEG);
        slot.and_then(|slot| bench.worker.table.get_mut(slot)).is_some_and(|leg| leg.peer.is_connected())
    };
    let mut passes = 0;
    while !(connected(&mut service) && connected(&mut bot)) {
        service.pass(Instant::now());
        bot.pass(Instant::now());
        passes += 1;
        assert!(passes < 5_000_000, "never connected");
    }
    Joined { service, bot, from_bot, from_service, now: Instant::now(), ssrcs }
}

fn rtp(ssrc: u32, seq: u16) -> [u8; 92] {
    let mut packet = [seq as u8; 92];
    packet[..2].copy_from_slice(&[0x80, 111]);
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(seq) * 960).to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet
}

fn push(ring: &mut PacketSender, packet: &[u8]) {
    ring.push(PacketMeta { at: MonoTime::ZERO, leg: LEG.as_u32() }, packet).unwrap();
}

impl Joined {
    /// Both sides send `count` packets, ten per pass, and read what arrived; returns how many arrived.
    fn exchange(&mut self, first: u16, count: u16) -> usize {
        let mut buffer = [0; MAX_PACKET];
        let mut heard = 0;
        for seq in first..first + count {
            push(&mut self.bot.to_send, &rtp(self.ssrcs.0, seq));
            push(&mut self.service.to_send, &rtp(self.ssrcs.1, seq));
            if seq % 10 == 9 {
                for _ in 0..3 {
                    self.bot.pass(self.now);
                    self.service.pass(self.now);
                }
                while self.from_bot.pop(&mut buffer).is_some() || self.from_service.pop(&mut buffer).is_some() {
                    heard += 1;
                }
            }
        }
        heard
    }

    fn stats(&mut self) -> [LegStats; 2] {
        [&mut self.service, &mut self.bot].map(|bench| {
            let slot = bench.worker.table.by_id(LEG).unwrap();
            bench.worker.table.get_mut(slot).unwrap().peer.stats()
        })
    }
}

#[test]
fn twenty_thousand_media_packets_allocate_and_free_nothing() {
    let mut joined = joined();
    joined.exchange(0, 100); // the first packet of an SSRC may
    let heard = alloc_guard::forbid(|| joined.exchange(100, 10_000));
    let stats = joined.stats();
    assert!(heard >= 19_990, "only {heard} arrived, the claim would be hollow: {stats:?}");
    assert_eq!(stats.map(|s| s.packets_sent), [10_100, 10_100]);
}

#[test]
fn plain_and_webrtc_packets_allocate_nothing_while_other_legs_come_and_go() {
    let mut joined = joined();
    joined.exchange(0, 100);
    let keys = |ours, theirs| {
        let key = |byte| MasterKey::new(Profile::AeadAes128Gcm, [byte; 16], &[9; 12]).unwrap();
        KeyPair { local: key(ours), remote: key(theirs) }
    };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut buffer = [0; MAX_PACKET];
    for (round, id) in (6..14).map(LegId::new).enumerate() {
        // With SRTP every second time.
        let secured = round % 2 == 1;
        let own = port();
        let to = own.local();
        let remote = Remote::Symmetric { first: None };
        let params = PlainParams { srtp: secured.then(|| keys(1, 2)), ..PlainParams::new(remote, Codec::Opus, 111) };
        let peer = PlainPeer::new(joined.now, &params, 4, Duration::ZERO).unwrap();
        let (ingress, mut packets) = packet_ring(64 * 1024);
        let (ssrc, permit) = (peer.negotiated().mix.ssrc.as_u32(), LegQuota::new(1).take().unwrap());
        let new = NewLeg { id, peer: peer.into(), ingress, port: Some(own), permit };
        joined.service.commands.send(Command::AddLeg(new)).unwrap();
        let mut outbound = Outbound::new(&keys(2, 1).local);
        let mut talk = |joined: &mut Joined, seqs: std::ops::Range<u16>| {
            let (mut heard, mut answered) = (0, 0);
            for seq in seqs {
                let mut datagram = [0; 128];
                datagram[..92].copy_from_slice(&rtp(7, seq));
                let len = if secured { outbound.protect_rtp(&mut datagram, 92).unwrap() } else { 92 };
                socket.send_to(&datagram[..len], to).unwrap();
                let meta = PacketMeta { at: MonoTime::ZERO, leg: id.as_u32() };
                joined.service.to_send.push(meta, &rtp(ssrc, seq)).unwrap();
                for _ in 0..2 {
                    joined.service.pass(joined.now);
                }
                while packets.pop(&mut buffer).is_some() {
                    heard += 1;
                }
                while socket.recv(&mut buffer).is_ok() {
                    answered += 1;
                }
            }
            (heard, answered)
        };
        talk(&mut joined, 0..20); // the first packets: the address is learned, the table grows
        let first = 100 + 200 * round as u16;
        let (webrtc, (heard, answered)) =
            alloc_guard::forbid(|| (joined.exchange(first, 200), talk(&mut joined, 20..520)));
        assert!(webrtc >= 390 && heard >= 490 && answered >= 490, "{webrtc}, {heard}, {answered}: a hollow claim");
        joined.service.commands.send(Command::Close(id)).unwrap();
        joined.service.pass(joined.now);
        assert_eq!(joined.service.worker.table.by_id(id), None);
    }
}

#[test]
fn a_stop_says_goodbye_to_every_leg() {
    let mut joined = joined();
    joined.service.commands.send(Command::Shutdown).unwrap();
    let ready = joined.service.worker.wait(EpollTimeout::ZERO);
    assert_eq!(joined.service.worker.pass(joined.now, ready), None);
    for _ in 0..1000 {
        joined.bot.pass(joined.now);
    }
    assert_eq!(joined.bot.worker.table.by_id(LEG), None, "the bot heard it and dropped the leg");
}

#[test]
fn a_flood_of_handshake_datagrams_fills_a_bounded_queue_and_media_goes_on() {
    let mut joined = joined();
    let stranger = port();
    let to = joined.service.worker.seed.shared.as_ref().unwrap().local();
    let check = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let mut batch = SendBatch::new();
    for _ in 0..40 {
        for _ in 0..BATCH {
            batch.slot()[..check.len()].copy_from_slice(&check);
            batch.commit(check.len(), to);
        }
        batch.flush(Some(&stranger), &DropCounters::default());
    }
    let frozen = joined.now;
    let ready = joined.service.worker.wait(EpollTimeout::ZERO);
    // Time is frozen in the past, so the budget is spent at once: one datagram per pass is dealt with.
    std::hint::black_box(joined.service.worker.pass(frozen, ready));
    assert!(joined.service.worker.control.len() <= CONTROL_QUEUE);
    let mut buffer = [0; MAX_PACKET];
    push(&mut joined.bot.to_send, &rtp(joined.ssrcs.0, 1));
    let mut heard = false;
    for _ in 0..100 {
        joined.bot.pass(frozen);
        joined.service.pass(frozen);
        heard |= joined.from_bot.pop(&mut buffer).is_some();
    }
    let drops = joined.service.worker.seed.drops.snapshot();
    assert!(heard, "{drops:?}");
    assert!(drops.of(DropReason::HandshakeBacklog) > 0, "{drops:?}");
}
