//! Fuzz bodies as ordinary functions: the targets are shells around these, and the corpus replays through
//! them as tests.
//!
//! [`sdp()`] and [`stun`] take wire text and bytes; [`srtp`], [`peers`] and [`plain`] read their input as operations
//! on a state machine. They panic only when an invariant of this crate is broken. Keys and credentials of
//! [`peers`] are random, so two runs of one input may differ in what a corrupted byte does.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use antiphon_rtp::rtcp::RtcpWriter;
use antiphon_rtp::{PayloadType, RtpHeader, RtpTimestamp, SeqNo, Ssrc};

use crate::Identity;
use crate::ice::stun::{IntegrityKey, StunMessage};
use crate::negotiate::{OurSsrcs, Taken, answer_sections, match_answer};
use crate::peer::{Peer, PeerConfig, PeerEvent, Received};
use crate::plain::{PlainParams, PlainPeer, Remote};
use crate::sdp::{self, Codec, Fingerprint, IceCredentials, LocalDescription, Setup};
use crate::srtp::{Inbound, KeyPair, MAX_OVERHEAD, MasterKey, Outbound, Profile};

/// Reads `data` as a session description; answers what is accepted, and reads the answer.
///
/// # Panics
/// If our answer to an offer that we accept is one that we would refuse.
pub fn sdp(data: &[u8]) {
    let Ok(offer) = sdp::parse(&String::from_utf8_lossy(data)) else { return };
    let ssrcs = OurSsrcs { mix: Ssrc::new(1), lanes: Ssrc::new(2) };
    let _ = (match_answer(&offer, false, ssrcs), match_answer(&offer, true, ssrcs));
    let taken = Taken::of(&offer);
    let (sections, negotiated) = answer_sections(&offer, &taken, ssrcs);
    let credentials = IceCredentials { ufrag: "abcd".into(), pwd: "0123456789012345678901".to_owned().into() };
    let local = LocalDescription {
        session_id: 7,
        credentials: &credentials,
        bundle: offer.bundle,
        ice_lite: true,
        fingerprint: Fingerprint::new([7; 32]),
        setup: Setup::Passive,
        candidates: &[address(1)],
        cname: "fuzz",
    };
    let text = sdp::write(&local, &sections);
    let answer = sdp::parse(&text).unwrap_or_else(|e| panic!("we would refuse our own answer: {e}\n{text}"));
    assert_eq!(answer.sections.len(), offer.sections.len(), "{text}");
    let mix = &answer.sections[answer.mix];
    let agreed: Vec<_> = negotiated.mix.payloads.iter().map(|(number, codec)| (number.as_u8(), *codec)).collect();
    assert_eq!(mix.codecs, agreed, "{text}");
    assert!(agreed.contains(&(negotiated.mix.payload_type.as_u8(), negotiated.mix.codec)), "{text}");
    assert_eq!(agreed.iter().filter(|(_, codec)| codec.is_audio()).count(), 1, "{text}");
    assert_eq!(mix.direction, negotiated.mix.direction, "{text}");
}

/// Reads `data` as a STUN message, verifies it and, if it is a request, answers it.
///
/// # Panics
/// If our reply is not a valid, authentic message.
pub fn stun(data: &[u8]) {
    let Some(message) = StunMessage::parse(data) else { return };
    let key = IntegrityKey::new("0123456789012345678901");
    let _ = (message.receiver_ufrag(), message.verify(&key), message.use_candidate(), message.is_controlled());
    if message.is_request() {
        for reply in [message.success(address(9), &key), message.role_conflict(&key)] {
            assert!(StunMessage::parse(&reply).is_some_and(|m| m.verify(&key)), "we would refuse our own reply");
        }
    }
}

/// Runs `data` as operations on a pair of SRTP contexts: protect and unprotect, replay, corrupt, inject.
///
/// # Panics
/// If a protected packet does not come back as it was, or a replayed or changed one comes back at all.
pub fn srtp(data: &[u8]) {
    let mut input = Input(data);
    let (profile, salt): (_, &[u8]) = match input.byte() & 1 {
        0 => (Profile::AeadAes128Gcm, &[3; 12]),
        _ => (Profile::Aes128CmSha1_80, &[3; 14]),
    };
    let master = MasterKey::new(profile, [9; 16], salt).expect("invariant: the salt has the profile's length");
    let (mut outbound, mut inbound) = (Outbound::new(&master), Inbound::new(&master, 4));
    while !input.is_empty() {
        let (op, at) = (input.byte(), usize::from(input.byte()));
        let plain = input.chunk();
        let mut buf = [plain, &[0; MAX_OVERHEAD]].concat();
        if op & 4 != 0 {
            // Not ours: with all but no chance of being authentic.
            let outcome = if op & 1 == 0 {
                inbound.unprotect_rtp(&mut buf[..plain.len()]).map(|u| u.len)
            } else {
                inbound.unprotect_rtcp(&mut buf[..plain.len()])
            };
            assert!(outcome.is_err(), "a made-up packet was believed");
            continue;
        }
        let rtcp = op & 1 != 0;
        let sealed = if rtcp {
            outbound.protect_rtcp(&mut buf, plain.len())
        } else {
            outbound.protect_rtp(&mut buf, plain.len())
        };
        let Ok(len) = sealed else { continue };
        let mut unprotect = |packet: &mut [u8]| {
            if rtcp { inbound.unprotect_rtcp(packet) } else { inbound.unprotect_rtp(packet).map(|u| u.len) }
        };
        if op & 2 != 0 {
            let mut changed = buf[..len].to_vec();
            changed[at % len] ^= op | 1;
            assert!(unprotect(&mut changed).is_err(), "a changed packet was believed");
        }
        let mut first = buf[..len].to_vec();
        // The window may have passed it by, or the SSRC may be one too many; but what comes out is what went in.
        if let Ok(len) = unprotect(&mut first) {
            assert_eq!(&first[..len], plain);
            assert!(unprotect(&mut buf[..len]).is_err(), "a replay was believed");
        }
    }
}

/// Runs `data` as what a network does to two peers, an offerer and an answerer: datagrams delivered, lost,
/// duplicated, reordered, changed or invented, time passing, media sent. Returns how many media packets
/// arrived.
///
/// # Panics
/// If media is delivered that was not sent, or a peer says anything after its end.
pub fn peers(data: &[u8]) -> usize {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Identity::generate().expect("invariant: the system has randomness"));
    let mut input = Input(data);
    let mut now = Instant::now();
    let config = |candidates| PeerConfig {
        identity,
        candidates,
        max_ssrcs: 2,
        connect_timeout: Duration::from_secs(15),
        unix_now: Duration::from_secs(1_700_000_000),
    };
    let (ours, theirs) = ([address(1)], [address(2)]);
    let (mut offerer, offer) = Peer::offer(now, &config(&ours), true).expect("invariant: nothing of the peer's yet");
    let (answerer, answer) =
        Peer::answer(now, &config(&theirs), Setup::Passive, &offer).expect("invariant: we accept our own offer");
    offerer.accept(now, &answer).expect("invariant: we accept our own answer");
    let mut sides = [Side::new(offerer, address(1)), Side::new(answerer, address(2))];
    let (mut seq, mut arrived) = (0, 0);
    for side in &mut sides {
        side.drain();
    }
    while !input.is_empty() {
        let op = input.byte();
        let from = usize::from(op & 1);
        let (a, b) = sides.split_at_mut(1);
        let (from, to) = if from == 0 { (&mut a[0], &mut b[0]) } else { (&mut b[0], &mut a[0]) };
        match op >> 1 & 7 {
            0 | 1 => {
                if let Some(mut datagram) = from.sent.pop_front() {
                    to.receive(now, from.address, &mut datagram);
                }
            }
            2 => drop(from.sent.pop_front()),
            3 => {
                if let Some(datagram) = from.sent.pop_front() {
                    from.sent.push_back(datagram.clone());
                    to.receive(now, from.address, &mut datagram.clone());
                }
            }
            4 => {
                if let Some(mut datagram) = from.sent.pop_front().filter(|d| !d.is_empty()) {
                    let at = usize::from(input.byte()) % datagram.len();
                    datagram[at] ^= input.byte();
                    to.receive(now, from.address, &mut datagram);
                }
            }
            5 => {
                let stranger = address(u16::from(op >> 4 & 3));
                to.receive(now, stranger, &mut input.chunk().to_vec());
            }
            6 => {
                now += Duration::from_millis(u64::from(input.byte()) * 20);
                from.pass(now);
                to.pass(now);
            }
            _ => {
                seq += 1;
                arrived += usize::from(from.send_media(now, seq, to));
            }
        }
    }
    arrived
}

/// One peer and what it has sent.
struct Side {
    peer: Peer,
    address: SocketAddr,
    sent: VecDeque<Vec<u8>>,
    closed: bool,
}

impl Side {
    fn new(peer: Peer, address: SocketAddr) -> Self {
        Self { peer, address, sent: VecDeque::new(), closed: false }
    }

    fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) {
        let received = self.peer.handle_datagram(now, from, datagram);
        // All media takes the way of `send_media`, so what comes by datagram here is changed or invented.
        assert!(!matches!(received, Received::Media { .. }), "media was believed that nobody sent");
        self.drain();
    }

    fn pass(&mut self, now: Instant) {
        for _ in 0..100 {
            if self.peer.poll_timeout().is_none_or(|deadline| deadline > now) {
                return;
            }
            self.peer.handle_timeout(now);
            self.drain();
        }
        assert!(self.peer.is_closed(), "a hundred timeouts at one time: the deadline does not move");
    }

    fn send_media(&mut self, now: Instant, seq: u16, to: &mut Self) -> bool {
        let (mut buf, len) = frame(77, seq);
        let plain = buf[..len].to_vec();
        let Ok((len, _)) = self.peer.protect(now, &mut buf, len) else { return false };
        let received = to.peer.handle_datagram(now, self.address, &mut buf[..len]);
        if let Received::Media { len } = received {
            assert_eq!(&buf[..len], plain);
        }
        to.drain();
        matches!(received, Received::Media { .. })
    }

    fn drain(&mut self) {
        while let Some((_, datagram)) = self.peer.poll_transmit() {
            self.sent.push_back(datagram.to_vec());
        }
        while let Some(event) = self.peer.poll_event() {
            assert!(!self.closed, "{event:?} after the end");
            self.closed = matches!(event, PeerEvent::Closed(_));
        }
    }
}

/// Runs `data` as what comes to a plain peer, from a right sender and from others, with SRTP or without, and as what it
/// sends; and reads some of it as SRTP keys. Returns how many media packets were taken.
///
/// # Panics
/// If a datagram is not counted exactly once, if SRTP believes what nobody sealed, if what is sent is not what was
/// given, or if a peer says anything after its end.
pub fn plain(data: &[u8]) -> usize {
    let mut input = Input(data);
    let setup = input.byte();
    let key =
        |byte| MasterKey::new(Profile::Aes128CmSha1_80, [byte; 16], &[3; 14]).expect("invariant: 14 bytes of salt");
    let keys = (setup & 1 != 0).then(|| KeyPair { local: key(1), remote: key(2) });
    let remote = if setup & 2 != 0 { Remote::Fixed(address(0)) } else { Remote::Symmetric { first: None } };
    let idle = (setup & 4 != 0).then(|| Duration::from_secs(3));
    let params = PlainParams { tones: Some(101), srtp: keys, idle, ..PlainParams::new(remote, Codec::Opus, 111) };
    let mut now = Instant::now();
    let mut far = Far::new(now, &params);
    let mut seq = 0_u16;
    while !input.is_empty() {
        let op = input.byte();
        let from = address(u16::from(op >> 3 & 3));
        let ssrc = 77 + u32::from(op >> 5 & 1);
        match op & 7 {
            0 | 1 => far.receive(now, from, input.chunk(), op & 0x20 != 0),
            2 | 3 => {
                seq = seq.wrapping_add(u16::from(input.byte()).wrapping_sub(3));
                let (packet, len) = frame(ssrc, seq);
                far.receive(now, from, &packet[..len], true);
            }
            4 => {
                let (mut report, us) = ([0; 64], Ssrc::new(ssrc));
                let mut writer = RtcpWriter::new(&mut report);
                let written = writer.receiver_report(us, &[]).and_then(|()| match op >> 6 & 1 {
                    0 => Ok(()),
                    _ => writer.bye(&[us], None),
                });
                written.expect("invariant: a short report fits");
                let len = writer.finish();
                far.receive(now, from, &report[..len], true);
            }
            5 => {
                now += Duration::from_millis(u64::from(input.byte()) * 20);
                far.pass(now);
            }
            6 => far.listen(now),
            _ => sdes(&String::from_utf8_lossy(input.chunk())),
        }
    }
    far.media
}

/// A key text under each suite: what is read is a key of that suite.
fn sdes(text: &str) {
    for suite in [Profile::AeadAes128Gcm.sdes_name(), Profile::Aes128CmSha1_80.sdes_name(), text] {
        for key in [text, &format!("inline:{text}")] {
            if let Ok(key) = MasterKey::from_sdes(suite, key) {
                assert_eq!(key.profile().sdes_name(), suite);
            }
        }
    }
}

/// A plain peer, and the far end's half of its SRTP.
struct Far {
    peer: PlainPeer,
    srtp: Option<(Outbound, Inbound)>,
    sent: u16,
    media: usize,
    /// All datagrams that came before the end, and those of them that were RTCP.
    datagrams: u64,
    control: u64,
    /// What the peer could not send.
    unsent: u64,
    closed: bool,
}

impl Far {
    fn new(now: Instant, params: &PlainParams) -> Self {
        params.validate().expect("invariant: the parameters are good");
        let unix_now = Duration::from_secs(1_700_000_000);
        let peer = PlainPeer::new(now, params, 2, unix_now).expect("invariant: the system has randomness");
        let srtp = params.srtp.as_ref().map(|keys| (Outbound::new(&keys.remote), Inbound::new(&keys.local, 2)));
        Self { peer, srtp, sent: 0, media: 0, datagrams: 0, control: 0, unsent: 0, closed: false }
    }

    /// `sealed` packets are those of who has the keys, if there are any.
    fn receive(&mut self, now: Instant, from: SocketAddr, plain: &[u8], sealed: bool) {
        let mut datagram = plain.to_vec();
        let mut authentic = self.srtp.is_none();
        if let Some((outbound, _)) = self.srtp.as_mut().filter(|_| sealed) {
            datagram.resize(plain.len() + MAX_OVERHEAD, 0);
            let rtcp = plain.get(1).is_some_and(|second| (192..224).contains(second));
            let protect = if rtcp { Outbound::protect_rtcp } else { Outbound::protect_rtp };
            let Ok(len) = protect(outbound, &mut datagram, plain.len()) else { return };
            datagram.truncate(len);
            authentic = true;
        }
        self.datagrams += u64::from(!self.closed);
        match self.peer.handle_datagram(now, from, &mut datagram) {
            Received::Media { len } => {
                assert!(authentic && !self.closed, "media was believed that nobody sent");
                assert_eq!(&datagram[..len], plain);
                self.media += 1;
            }
            Received::Control => {
                assert!(authentic && !self.closed, "a report was believed that nobody sent");
                self.control += 1;
            }
            Received::Dropped(_) => {}
        }
        self.drain();
        let stats = self.peer.stats();
        assert_eq!(stats.packets_received, self.media as u64);
        let refused = stats.drops.total() - self.unsent;
        assert_eq!(refused + stats.packets_received + self.control, self.datagrams, "not counted once");
    }

    fn pass(&mut self, now: Instant) {
        for _ in 0..100 {
            if self.peer.poll_timeout().is_none_or(|deadline| deadline > now) {
                return;
            }
            self.peer.handle_timeout(now);
            self.drain();
        }
        panic!("a hundred timeouts at one time: the deadline does not move");
    }

    /// The peer sends a frame.
    fn listen(&mut self, now: Instant) {
        self.sent = self.sent.wrapping_add(1);
        let (mut buf, len) = frame(self.peer.negotiated().mix.ssrc.as_u32(), self.sent);
        let plain = buf[..len].to_vec();
        let Ok((len, _)) = self.peer.protect(now, &mut buf, len) else {
            self.unsent += 1;
            return;
        };
        let len = match &mut self.srtp {
            Some((_, inbound)) => inbound.unprotect_rtp(&mut buf[..len]).map(|unprotected| unprotected.len),
            None => Ok(len),
        };
        assert_eq!(len.map(|len| &buf[..len]), Ok(&plain[..]));
    }

    fn drain(&mut self) {
        while let Some((_, mut datagram)) = self.peer.poll_transmit() {
            if let Some((_, inbound)) = &mut self.srtp {
                assert!(inbound.unprotect_rtcp(&mut datagram).is_ok(), "we cannot read its report");
            }
        }
        while let Some(event) = self.peer.poll_event() {
            assert!(!self.closed, "{event:?} after the end");
            self.closed = matches!(event, PeerEvent::Closed(_));
        }
    }
}

/// A short packet of Opus and its length.
fn frame(ssrc: u32, seq: u16) -> ([u8; 200], usize) {
    let header = RtpHeader {
        marker: false,
        payload_type: PayloadType::new(111).expect("invariant: 111 has seven bits"),
        seq: SeqNo::new(seq),
        timestamp: RtpTimestamp::new(u32::from(seq) * 960),
        ssrc: Ssrc::new(ssrc),
        csrcs: &[],
        extensions: &[],
    };
    let mut buf = [0; 200];
    let len = header.write(&mut buf, b"frame").expect("invariant: a short packet fits");
    (buf, len)
}

fn address(host: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 4_000 + host))
}

/// Bytes read as operations; zeros when they run out.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A length byte and so many bytes, or what is left.
    fn chunk(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.0.len());
        let (chunk, rest) = self.0.split_at(len);
        self.0 = rest;
        chunk
    }
}
