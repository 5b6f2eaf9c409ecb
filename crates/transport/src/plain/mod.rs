//! One plain RTP peer: no ICE, no DTLS, with SRTP if the caller brings the keys. Sans-IO, as [`crate::peer`] is.
//!
//! In the flow: datagrams of the leg's own socket, packets to send and time in; datagrams and events out.
//! Invariants: a datagram changes nothing unless its address is admitted, it parses (with SRTP: is authentic) and
//! its payload type was agreed; state is bounded, one stream at a time without SRTP; the last event is `Closed`, once.
//! Not here: sockets (`net`), how both sides came to agree. Specs: RFC 3550, RFC 3551, RFC 4961, RFC 5761, RFC 4568.

mod latch;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use antiphon_rtp::demux::DatagramKind;
use antiphon_rtp::{PayloadType, RtpPacket, SeqNo, Ssrc};
use bytes::BytesMut;

use self::latch::Latch;
pub use self::latch::{RELATCH, Remote};
use crate::identity::{NoRandomness, random};
use crate::negotiate::{LaneParams, Negotiated};
use crate::net::leg::CloseReason;
use crate::peer::{PeerEvent, Received, inbound_reason};
use crate::reports::Reports;
use crate::sdp::{Codec, Direction};
use crate::srtp::{Inbound, KeyPair, MAX_OVERHEAD, Outbound, SrtpError};
use crate::stats::{DropReason, LegCounters, LegStats, add};

/// A sequence number further ahead than this begins the stream anew (RFC 3550 §A.1).
const MAX_DROPOUT: i32 = 3_000;
/// And one further behind than this.
const MAX_MISORDER: i32 = 100;

/// What both sides of a plain leg agreed on, by whatever way.
#[derive(Clone, Debug)]
pub struct PlainParams {
    /// Where the peer is.
    pub remote: Remote,
    /// The codec of both directions: Opus, PCMU or PCMA.
    pub codec: Codec,
    /// Its payload type in both directions.
    pub payload_type: u8,
    /// Payload type of digits (RFC 4733) on that codec's clock, if agreed.
    pub tones: Option<u8>,
    /// Header extension id of levels (RFC 6464), if agreed.
    pub level_extension: Option<u8>,
    /// From our point of view.
    pub direction: Direction,
    /// SRTP keys; plain RTP without.
    pub srtp: Option<KeyPair>,
    /// The leg ends when nothing good was heard for so long, neither RTP nor RTCP; never, if absent.
    pub idle: Option<Duration>,
}

/// What was agreed cannot work: the caller's mistake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlainParamsError {
    /// Not one host's port.
    #[error("audio cannot be sent to {address}: {why}")]
    Remote {
        /// The address.
        address: SocketAddr,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Above 127, or one that RTCP on the same port looks like (RFC 5761 §4).
    #[error("{0} is no usable payload type; take one of 0 to 63 or 96 to 127")]
    PayloadType(u8),
    /// Digits under the number of the audio.
    #[error("payload type {0} cannot be both audio and telephone-event")]
    SamePayloadType(u8),
    /// RED or digits in the codec's place.
    #[error("{0:?} is no codec of a plain leg; take Opus, PCMU or PCMA")]
    Codec(Codec),
    /// Outside of what a one-byte header extension can be (RFC 8285 §4.2).
    #[error("{0} is no header extension id; take one of 1 to 14")]
    LevelExtension(u8),
    /// Both directions would share one key stream as soon as SSRCs meet.
    #[error("both directions have the same SRTP key; each needs its own")]
    SameKey,
    /// No time at all.
    #[error("the idle time is zero; leave it out for a leg that never ends by silence")]
    Idle,
}

impl PlainParams {
    /// Plain RTP both ways.
    #[must_use]
    pub const fn new(remote: Remote, codec: Codec, payload_type: u8) -> Self {
        let direction = Direction::SendRecv;
        Self { remote, codec, payload_type, tones: None, level_extension: None, direction, srtp: None, idle: None }
    }

    /// What is wrong, if anything is.
    ///
    /// # Errors
    /// [`PlainParamsError`] names it.
    pub fn validate(&self) -> Result<(), PlainParamsError> {
        match self.remote {
            Remote::Fixed(address) | Remote::Symmetric { first: Some(address) } => check_address(address)?,
            Remote::Symmetric { first: None } => {}
        }
        if !self.codec.is_audio() {
            return Err(PlainParamsError::Codec(self.codec));
        }
        for number in [Some(self.payload_type), self.tones].into_iter().flatten() {
            if number > 127 || (64..=95).contains(&number) {
                return Err(PlainParamsError::PayloadType(number));
            }
        }
        if self.tones == Some(self.payload_type) {
            return Err(PlainParamsError::SamePayloadType(self.payload_type));
        }
        if let Some(id) = self.level_extension.filter(|id| !(1..=14).contains(id)) {
            return Err(PlainParamsError::LevelExtension(id));
        }
        if self.srtp.as_ref().is_some_and(|keys| keys.local.same_key(&keys.remote)) {
            return Err(PlainParamsError::SameKey);
        }
        if self.idle == Some(Duration::ZERO) {
            return Err(PlainParamsError::Idle);
        }
        Ok(())
    }

    fn negotiated(&self, ssrc: Ssrc) -> Negotiated {
        let number = |raw| PayloadType::new(raw).expect("invariant: validated");
        let tones = self.tones.map(|raw| (number(raw), Codec::TelephoneEvent { clock: self.codec.clock() }));
        let mix = LaneParams {
            mid: String::new(),
            codec: self.codec,
            payload_type: number(self.payload_type),
            payloads: [(number(self.payload_type), self.codec)].into_iter().chain(tones).collect(),
            ssrc,
            level_ext: self.level_extension,
            csrc_level_ext: None,
            mid_ext: None,
            direction: self.direction,
        };
        Negotiated { mix, lanes: None }
    }
}

fn check_address(address: SocketAddr) -> Result<(), PlainParamsError> {
    let ip = address.ip();
    let broadcast = matches!(ip, std::net::IpAddr::V4(v4) if v4.is_broadcast());
    let why = match () {
        () if address.port() == 0 => "it has no port",
        () if ip.is_unspecified() => "it is no host's address",
        () if ip.is_multicast() || broadcast => "it is the address of many",
        () => return Ok(()),
    };
    Err(PlainParamsError::Remote { address, why })
}

/// The one stream of a leg without SRTP.
#[derive(Clone, Copy, Debug)]
struct Stream {
    ssrc: Ssrc,
    /// Extended sequence number, never below 2^16, so that early stragglers have a place.
    highest: u64,
    /// The packet before did not belong here; this one would make two in a row (RFC 3550 §A.1).
    next_odd: Option<(Ssrc, SeqNo)>,
}

/// Both SRTP halves.
#[derive(Debug)]
struct Session {
    inbound: Inbound,
    outbound: Outbound,
}

/// See the module's page.
#[derive(Debug)]
pub struct PlainPeer {
    latch: Latch,
    session: Option<Session>,
    stream: Option<Stream>,
    ssrc: Ssrc,
    /// A bit for each payload type that was agreed.
    payload_types: u128,
    negotiated: Negotiated,
    reports: Reports,
    counters: Arc<LegCounters>,
    idle: Option<Duration>,
    /// When anything good came last, RTP or RTCP; from the start on silence counts.
    heard: Instant,
    connected: bool,
    out: VecDeque<(SocketAddr, BytesMut)>,
    events: VecDeque<PeerEvent>,
    closed: bool,
}

impl PlainPeer {
    /// A peer of these parameters, which must be valid. `unix_now` is the wall clock, for sender reports.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn new(now: Instant, params: &PlainParams, max_ssrcs: usize, unix_now: Duration) -> Result<Self, NoRandomness> {
        let bytes: [u8; 16] = random()?;
        let ssrc = Ssrc::new(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
        let cname: String = bytes[4..].iter().map(|b| format!("{b:02x}")).collect(); // RFC 7022 §4.2
        let negotiated = params.negotiated(ssrc);
        let mut reports = Reports::new(now, unix_now, ssrc, cname);
        reports.use_payloads(&negotiated);
        reports.begin(now);
        let session = params.srtp.as_ref().map(|keys| {
            let inbound = Inbound::new(&keys.remote, max_ssrcs);
            Session { inbound, outbound: Outbound::new(&keys.local) }
        });
        let counters: Arc<LegCounters> = Arc::default();
        let latch = Latch::new(params.remote);
        {
            let mut slow = counters.slow();
            slow.profile = params.srtp.as_ref().map(|keys| keys.local.profile());
            slow.remote = latch.address();
        }
        Ok(Self {
            latch,
            session,
            stream: None,
            ssrc,
            payload_types: negotiated.mix.payloads.iter().fold(0, |bits, (number, _)| bits | 1 << number.as_u8()),
            negotiated,
            reports,
            counters,
            idle: params.idle,
            heard: now,
            connected: false,
            out: VecDeque::new(),
            events: VecDeque::new(),
            closed: false,
        })
    }

    /// What was agreed, with our SSRC.
    #[must_use]
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Whether it is known where to send.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.connected && !self.closed
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> LegStats {
        self.counters.snapshot()
    }

    pub(crate) fn counters(&self) -> Arc<LegCounters> {
        Arc::clone(&self.counters)
    }

    /// As [`crate::peer::Peer::warm`].
    pub(crate) fn warm(&self) -> u64 {
        let session = self.session.as_ref().map_or(0, |session| session.inbound.warm());
        session ^ self.counters.packets_received.load(Ordering::Relaxed) ^ self.reports.warm()
    }

    /// The same for a packet to this peer.
    pub(crate) fn warm_out(&self) -> u64 {
        let session = self.session.as_ref().map_or(0, |session| session.outbound.warm());
        let to = self.latch.address().map_or(0, |to| u64::from(to.port()));
        session ^ to ^ self.counters.packets_sent.load(Ordering::Relaxed) ^ self.reports.warm_out()
    }

    /// Feeds a datagram. SRTP is decrypted in place.
    ///
    /// # Real-time
    /// No allocation for RTP, but for the first packet of an SSRC under SRTP; O(datagram).
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Received {
        if self.closed {
            return Received::Dropped(DropReason::UnknownSource);
        }
        let result = match DatagramKind::of(datagram) {
            DatagramKind::Rtp => self.handle_rtp(now, from, datagram),
            DatagramKind::Rtcp => self.handle_rtcp(now, from, datagram).map(|()| Received::Control),
            DatagramKind::Stun | DatagramKind::Dtls | DatagramKind::Other => Err(DropReason::NotOurs),
        };
        result.unwrap_or_else(|reason| {
            self.counters.drops.count(reason);
            Received::Dropped(reason)
        })
    }

    fn handle_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<Received, DropReason> {
        if !self.latch.admits(now, from) {
            return Err(DropReason::WrongSource);
        }
        let unprotected = match &mut self.session {
            Some(session) => Some(session.inbound.unprotect_rtp(datagram).map_err(inbound_reason)?),
            None => None,
        };
        let len = unprotected.map_or(datagram.len(), |unprotected| unprotected.len);
        let packet = RtpPacket::parse(&datagram[..len]).map_err(|_| DropReason::RtpMalformed)?;
        if packet.ssrc() == self.ssrc {
            return Err(DropReason::OwnSsrc); // RFC 3550 §8.2: a loop, or a collision that nobody hears twice
        }
        if self.payload_types >> packet.payload_type().as_u8() & 1 == 0 {
            return Err(DropReason::PayloadType);
        }
        let place = match unprotected {
            Some(unprotected) => Some((unprotected.stream, unprotected.index)),
            None => self.follow(packet.ssrc(), packet.seq()).map(|index| (0, index)),
        };
        if let Some((stream, index)) = place {
            self.reports.note_received(now, stream, index, &packet);
        }
        self.heard = now;
        add(&self.counters.packets_received, 1);
        add(&self.counters.octets_received, len as u64);
        if let Some(session) = &self.session {
            let streams = u32::try_from(session.inbound.streams()).unwrap_or(u32::MAX);
            self.counters.ssrcs.store(streams, Ordering::Relaxed);
        }
        if self.latch.note(now, from) {
            self.counters.slow().remote = Some(from);
            self.connect();
        }
        Ok(Received::Media { len })
    }

    /// The extended sequence number of a packet that nothing vouches for. A new SSRC or a jump begins anew, but with the
    /// second packet in a row only: a straggler or somebody else's packet is not reckoned with.
    fn follow(&mut self, ssrc: Ssrc, seq: SeqNo) -> Option<u64> {
        if let Some(stream) = &mut self.stream {
            let step = i32::from(seq.as_u16().wrapping_sub(stream.highest as u16).cast_signed());
            if stream.ssrc == ssrc && (-MAX_MISORDER..=MAX_DROPOUT).contains(&step) {
                let index = stream.highest.saturating_add_signed(i64::from(step));
                stream.highest = stream.highest.max(index);
                stream.next_odd = None;
                return Some(index);
            }
            let next = SeqNo::new(seq.as_u16().wrapping_add(1));
            if stream.next_odd.replace((ssrc, next)) != Some((ssrc, seq)) {
                return None;
            }
        }
        if self.stream.is_none_or(|stream| stream.ssrc != ssrc) {
            self.counters.ssrcs.store(self.counters.ssrcs.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
        let highest = 0x1_0000 | u64::from(seq.as_u16());
        self.stream = Some(Stream { ssrc, highest, next_odd: None });
        self.reports.restart();
        Some(highest)
    }

    fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<(), DropReason> {
        if !self.latch.admits_host(from.ip()) {
            return Err(DropReason::WrongSource);
        }
        let len = match &mut self.session {
            Some(session) => session.inbound.unprotect_rtcp(datagram).map_err(inbound_reason)?,
            None => datagram.len(),
        };
        let read = self.reports.handle(now, &datagram[..len]);
        self.counters.slow().report = self.reports.remote();
        if read.map_err(|_| DropReason::RtcpMalformed)? {
            self.latch.release(now);
        }
        self.heard = now; // who only listens says no more than this
        Ok(())
    }

    /// Makes the plain RTP packet in `buf[..len]` ready to go, in place; returns its length then and where it goes.
    ///
    /// # Errors
    /// The reason it cannot be sent, already counted.
    ///
    /// # Real-time
    /// No allocation for a known SSRC; O(packet).
    pub fn protect(&mut self, now: Instant, buf: &mut [u8], len: usize) -> Result<(usize, SocketAddr), DropReason> {
        let sent = self.try_protect(now, buf, len);
        match sent {
            Ok(_) => {
                add(&self.counters.packets_sent, 1);
                add(&self.counters.octets_sent, len as u64);
            }
            Err(reason) => self.counters.drops.count(reason),
        }
        sent
    }

    fn try_protect(&mut self, now: Instant, buf: &mut [u8], len: usize) -> Result<(usize, SocketAddr), DropReason> {
        let to = self.latch.address().filter(|_| !self.closed).ok_or(DropReason::NotConnected)?;
        let plain = buf.get(..len).ok_or(DropReason::SendMalformed)?;
        let packet = RtpPacket::parse(plain).map_err(|_| DropReason::SendMalformed)?;
        self.reports.note_sent(now, &packet);
        let Some(session) = &mut self.session else { return Ok((len, to)) };
        let protected = session.outbound.protect_rtp(buf, len).map_err(|e| match e {
            SrtpError::ReusedIndex => DropReason::ReusedIndex,
            _ => DropReason::SendMalformed,
        })?;
        Ok((protected, to))
    }

    /// Lets time pass. To be called when [`Self::poll_timeout`] is reached; earlier is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        if self.latch.address().is_some() {
            self.connect();
        }
        if self.silent_from().is_some_and(|end| end <= now) {
            return self.end(CloseReason::Silent);
        }
        if let Some(report) = self.reports.poll(now) {
            self.send_report(report);
            self.counters.slow().reception = self.reports.reception();
        }
    }

    /// When to call [`Self::handle_timeout`] next; `None` if never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        [self.silent_from(), self.reports.poll_timeout()].into_iter().flatten().min()
    }

    /// When the leg ends if nothing is heard until then; never, if that is past the end of time.
    fn silent_from(&self) -> Option<Instant> {
        self.heard.checked_add(self.idle?)
    }

    /// The next datagram to send, and where to.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Whether [`Self::poll_event`] has something.
    #[must_use]
    pub fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// Ends the leg with RTCP BYE. Idempotent.
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        if self.closed {
            return;
        }
        if let Ok(goodbye) = self.reports.write(now, true) {
            self.send_report(goodbye);
        }
        self.end(reason);
    }

    fn send_report(&mut self, mut compound: Vec<u8>) {
        let Some(to) = self.latch.address() else { return };
        if let Some(session) = &mut self.session {
            let len = compound.len();
            compound.resize(len + MAX_OVERHEAD, 0);
            let Ok(len) = session.outbound.protect_rtcp(&mut compound, len) else { return };
            compound.truncate(len);
        }
        self.out.push_back((to, BytesMut::from(&compound[..])));
    }

    fn connect(&mut self) {
        if !std::mem::replace(&mut self.connected, true) {
            self.events.push_back(PeerEvent::Connected);
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if !self.closed {
            self.closed = true;
            self.events.push_back(PeerEvent::Closed(reason));
        }
    }
}

#[cfg(test)]
mod tests;
