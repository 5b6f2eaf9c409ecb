//! One WebRTC audio peer: a lite answerer or a full, controlling offerer. Sans-IO.
//!
//! In the flow: datagrams, packets to send and time in; datagrams to send, events and a deadline out.
//! After every call drain [`Peer::poll_transmit`] and [`Peer::poll_event`], then ask [`Peer::poll_timeout`].
//! Invariants: media is unprotected and protected in the caller's buffer, without allocation; DTLS is
//! believed from checked addresses only; the last event is `Closed`, once.
//! Not here: sockets, rings, renegotiation, ICE restart. Specs: RFC 7983, RFC 8445, RFC 5764, RFC 3550.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use antiphon_rtp::demux::DatagramKind;
use antiphon_rtp::{RtpPacket, Ssrc};
use bytes::BytesMut;

use crate::dtls::{Dtls, DtlsError, DtlsEvent, DtlsFailure};
use crate::ice::{Full, Ice, Lite, Outbox};
use crate::identity::{Identity, ice_credentials, random};
use crate::negotiate::{Negotiated, OurSsrcs, Taken, answer_sections, match_answer, offer_sections};
use crate::net::leg::{AnswerError, CloseReason, OfferError};
use crate::reports::Reports;
use crate::sdp::{self, LocalDescription, RemoteDescription, Setup};
use crate::srtp::{Inbound, KeyPair, MAX_OVERHEAD, Outbound, Profile, SrtpError};
use crate::stats::{DropReason, LegCounters, LegStats, add};

/// How often authentic media is told to ICE as a sign of life.
const MEDIA_NOTE: Duration = Duration::from_secs(1);
/// How long a leg outlives the peer's BYE without a sign of life: consent checks are at most 5 s apart, so
/// a peer that only ended a stream is heard of before that.
const AFTER_BYE: Duration = Duration::from_secs(8);

/// What all peers of one side share.
#[derive(Clone, Copy, Debug)]
pub struct PeerConfig<'a> {
    /// Certificate and crypto provider.
    pub identity: &'a Identity,
    /// Where we can be reached, best first; not empty.
    pub candidates: &'a [SocketAddr],
    /// SSRCs the peer may send with over its whole life; see [`Limits::max_ssrcs`](crate::Limits::max_ssrcs).
    pub max_ssrcs: usize,
    /// From the description being complete to the handshake being done.
    pub connect_timeout: Duration,
    /// Wall clock now, since the Unix epoch, for sender reports.
    pub unix_now: Duration,
}

/// What happened, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// This address has passed a check: on a shared port its datagrams are this peer's from now on.
    SourceAdded(SocketAddr),
    /// This address is no longer remembered.
    SourceRemoved(SocketAddr),
    /// Keys are agreed.
    Connected,
    /// The end.
    Closed(CloseReason),
}

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// RTP, now plain in the first `len` bytes of the buffer.
    Media {
        /// Length of the plain packet.
        len: usize,
    },
    /// STUN, DTLS or RTCP, dealt with.
    Control,
    /// Nothing; counted under this reason.
    Dropped(DropReason),
}

/// The SRTP session, once there are keys.
#[derive(Debug)]
struct Session {
    inbound: Inbound,
    outbound: Outbound,
}

/// See the module's page.
#[derive(Debug)]
pub struct Peer {
    identity: Identity,
    max_ssrcs: usize,
    connect_timeout: Duration,
    ufrag: String,
    ssrcs: OurSsrcs,
    ice: Ice,
    /// Where to send: what ICE has selected, kept here because it is needed for every packet.
    path: Option<SocketAddr>,
    dtls: Option<Dtls>,
    /// In place: it is needed for every packet, and each pointer may miss the cache.
    session: Option<Session>,
    reports: Reports,
    counters: Arc<LegCounters>,
    negotiated: Option<Negotiated>,
    /// Offerer, before the answer: whether lanes were offered.
    offered_lanes: Option<bool>,
    /// Until connected: when to give up.
    deadline: Option<Instant>,
    media_noted: Instant,
    /// After a BYE: when the leg ends unless the peer shows that it is there.
    bye_deadline: Option<Instant>,
    out: Outbox,
    events: VecDeque<PeerEvent>,
    closed: bool,
}

impl Peer {
    /// Service side: takes an offer, writes the answer. `setup` is our DTLS role if the offer leaves it open.
    ///
    /// # Errors
    /// [`OfferError`] if the offer is bad or the libraries fail.
    pub fn answer(
        now: Instant,
        config: &PeerConfig<'_>,
        setup: Setup,
        offer: &str,
    ) -> Result<(Self, String), OfferError> {
        let offer: RemoteDescription = sdp::parse(offer)?;
        let setup = match offer.setup {
            Setup::ActPass => setup,
            Setup::Active => Setup::Passive,
            Setup::Passive => Setup::Active,
        };
        let credentials = ice_credentials()?;
        let ice = Ice::Lite(Box::new(Lite::new(now, &credentials, &offer.credentials.ufrag)));
        let mut peer = Self::new(now, config, ice, credentials.ufrag.clone())?;
        let dtls = Dtls::new(now, config.identity, setup == Setup::Active, offer.fingerprint);
        peer.dtls = Some(dtls.map_err(OfferError::Setup)?);
        peer.deadline = Some(now + config.connect_timeout);
        let taken = Taken::of(&offer);
        let (sections, negotiated) = answer_sections(&offer, &taken, peer.ssrcs);
        peer.reports.use_payloads(&negotiated);
        peer.negotiated = Some(negotiated);
        let text = sdp::write(
            &LocalDescription {
                session_id: u64::from_be_bytes(random()?),
                credentials: &credentials,
                bundle: offer.bundle,
                ice_lite: true,
                fingerprint: config.identity.fingerprint(),
                setup,
                candidates: config.candidates,
                cname: peer.reports.cname(),
            },
            &sections,
        );
        Ok((peer, text))
    }

    /// Bot side: writes an offer; [`Self::accept`] takes the answer. Nothing is sent before.
    ///
    /// # Errors
    /// [`OfferError`] if the libraries fail.
    pub fn offer(now: Instant, config: &PeerConfig<'_>, lanes: bool) -> Result<(Self, String), OfferError> {
        let credentials = ice_credentials()?;
        let local = *config.candidates.first().ok_or_else(|| OfferError::Setup("no local address".to_owned()))?;
        let provider = Arc::clone(config.identity.provider());
        let full = Full::new(now, provider, local, &credentials).map_err(OfferError::Setup)?;
        let mut peer = Self::new(now, config, Ice::Full(Box::new(full)), credentials.ufrag.clone())?;
        peer.offered_lanes = Some(lanes);
        let text = sdp::write(
            &LocalDescription {
                session_id: u64::from_be_bytes(random()?),
                credentials: &credentials,
                bundle: true,
                ice_lite: false,
                fingerprint: config.identity.fingerprint(),
                setup: Setup::ActPass,
                candidates: config.candidates,
                cname: peer.reports.cname(),
            },
            &offer_sections(lanes, peer.ssrcs),
        );
        Ok((peer, text))
    }

    /// Applies the answer to our offer and starts connecting.
    ///
    /// # Errors
    /// [`AnswerError`]; the offer still stands then.
    pub fn accept(&mut self, now: Instant, answer: &str) -> Result<Negotiated, AnswerError> {
        let lanes = self.offered_lanes.ok_or(AnswerError::NotWaiting)?;
        let answer: RemoteDescription = sdp::parse(answer)?;
        let negotiated = match_answer(&answer, lanes, self.ssrcs)?;
        // We said actpass: a passive answerer makes us the DTLS client, an active one the server.
        let is_client = match answer.setup {
            Setup::Passive => true,
            Setup::Active => false,
            Setup::ActPass => return Err(AnswerError::Mismatch("it leaves the DTLS role open")),
        };
        let dtls = Dtls::new(now, &self.identity, is_client, answer.fingerprint).map_err(AnswerError::Setup)?;
        let Ice::Full(full) = &mut self.ice else { return Err(AnswerError::NotWaiting) };
        full.start(now, &answer.credentials, &answer.candidates).map_err(AnswerError::Setup)?;
        self.dtls = Some(dtls);
        self.offered_lanes = None;
        self.deadline = Some(now + self.connect_timeout);
        self.reports.use_payloads(&negotiated);
        self.negotiated = Some(negotiated.clone());
        Ok(negotiated)
    }

    fn new(now: Instant, config: &PeerConfig<'_>, ice: Ice, ufrag: String) -> Result<Self, OfferError> {
        let bytes: [u8; 20] = random()?;
        let word = |at: usize| Ssrc::new(u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        // RFC 7022 §4.2: 96 random bits.
        let cname: String = bytes[8..].iter().map(|b| format!("{b:02x}")).collect();
        let ssrcs = OurSsrcs { mix: word(0), lanes: word(4) };
        Ok(Self {
            identity: config.identity.clone(),
            max_ssrcs: config.max_ssrcs,
            connect_timeout: config.connect_timeout,
            ufrag,
            ssrcs,
            ice,
            path: None,
            dtls: None,
            session: None,
            reports: Reports::new(now, config.unix_now, ssrcs.mix, cname),
            counters: Arc::default(),
            negotiated: None,
            offered_lanes: None,
            deadline: None,
            media_noted: now,
            bye_deadline: None,
            out: Outbox::new(),
            events: VecDeque::new(),
            closed: false,
        })
    }

    /// The ufrag the peer's checks begin with: the key of a shared port.
    #[must_use]
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// What was agreed; `None` before the answer.
    #[must_use]
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Whether keys are agreed.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.session.is_some() && !self.closed
    }

    /// Whether the end was reached; only `poll_*` make sense then.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> LegStats {
        self.counters.snapshot()
    }

    pub(crate) fn counters(&self) -> Arc<LegCounters> {
        Arc::clone(&self.counters)
    }

    /// Looks at what a packet of this peer will need, so that many peers' memory is fetched at the same time.
    pub(crate) fn warm(&self) -> u64 {
        let session = self.session.as_ref().map_or(0, |session| session.inbound.warm());
        session ^ self.counters.packets_received.load(Ordering::Relaxed) ^ self.reports.warm()
    }

    /// The same for a packet to this peer.
    pub(crate) fn warm_out(&self) -> u64 {
        let session = self.session.as_ref().map_or(0, |session| session.outbound.warm());
        let to = self.path.map_or(0, |path| u64::from(path.port()));
        session ^ to ^ self.counters.packets_sent.load(Ordering::Relaxed) ^ self.reports.warm_out()
    }

    /// Feeds a datagram. RTP is decrypted in place.
    ///
    /// # Real-time
    /// No allocation for RTP of a known SSRC; O(datagram). A DTLS datagram may cost 0.3 ms.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Received {
        if self.closed {
            return Received::Dropped(DropReason::UnknownSource);
        }
        let result = match DatagramKind::of(datagram) {
            DatagramKind::Rtp => self.handle_rtp(now, from, datagram),
            DatagramKind::Rtcp => self.handle_rtcp(now, from, datagram).map(|()| Received::Control),
            DatagramKind::Stun => self.handle_stun(now, from, datagram).map(|()| Received::Control),
            DatagramKind::Dtls => self.handle_dtls(now, from, datagram).map(|()| Received::Control),
            DatagramKind::Other => Err(DropReason::NotOurs),
        };
        result.unwrap_or_else(|reason| {
            self.counters.drops.count(reason);
            Received::Dropped(reason)
        })
    }

    fn handle_rtp(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<Received, DropReason> {
        let session = self.session.as_mut().ok_or(DropReason::NotConnected)?;
        let unprotected = session.inbound.unprotect_rtp(datagram).map_err(inbound_reason)?;
        let len = unprotected.len;
        let packet = RtpPacket::parse(&datagram[..len]).map_err(|_| DropReason::RtpMalformed)?;
        self.reports.note_received(now, unprotected.stream, unprotected.index, &packet);
        add(&self.counters.packets_received, 1);
        add(&self.counters.octets_received, len as u64);
        self.counters.ssrcs.store(u32::try_from(session.inbound.streams()).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.note_media(now, from);
        Ok(Received::Media { len })
    }

    fn handle_rtcp(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Result<(), DropReason> {
        let session = self.session.as_mut().ok_or(DropReason::NotConnected)?;
        let len = session.inbound.unprotect_rtcp(datagram).map_err(inbound_reason)?;
        let read = self.reports.handle(now, &datagram[..len]);
        self.counters.slow().report = self.reports.remote();
        if read == Ok(true) {
            self.bye_deadline.get_or_insert(now + AFTER_BYE);
            self.media_noted = now; // packets that the BYE has overtaken are no sign of life
        } else {
            self.note_media(now, from);
        }
        read.map(|_| ()).map_err(|_| DropReason::RtcpMalformed)
    }

    /// Authentic media came: tells ICE, at most once per [`MEDIA_NOTE`].
    fn note_media(&mut self, now: Instant, from: SocketAddr) {
        if now.saturating_duration_since(self.media_noted) >= MEDIA_NOTE {
            self.media_noted = now;
            self.ice.note_media(now, from);
            if self.ice.is_known(from) {
                self.bye_deadline = None;
            }
        }
    }

    fn handle_stun(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<(), DropReason> {
        let change = self.ice.handle(now, from, datagram, &mut self.out);
        if let Ok(change) = &change {
            self.bye_deadline = None; // it was authentic
            self.events.extend(change.removed.map(PeerEvent::SourceRemoved));
            self.events.extend(change.added.map(PeerEvent::SourceAdded));
        }
        self.after_ice(now);
        change.map(|_| ())
    }

    fn handle_dtls(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<(), DropReason> {
        if !self.ice.is_known(from) {
            return Err(DropReason::DtlsUnexpected);
        }
        let dtls = self.dtls.as_mut().ok_or(DropReason::DtlsUnexpected)?;
        let handled = dtls.handle(now, datagram);
        self.flush_dtls();
        match handled {
            Ok(Some(DtlsEvent::Keys(keys))) => self.connect(now, keys.0, &keys.1),
            Ok(Some(DtlsEvent::PeerClosed)) => self.end(CloseReason::Remote),
            Ok(None) => {}
            Err(DtlsError::Dropped(reason)) => return Err(reason),
            Err(DtlsError::Failed(failure)) => self.end(failure_reason(failure)),
        }
        Ok(())
    }

    fn connect(&mut self, now: Instant, profile: Profile, keys: &KeyPair) {
        let inbound = Inbound::new(&keys.remote, self.max_ssrcs);
        self.session = Some(Session { inbound, outbound: Outbound::new(&keys.local) });
        self.deadline = None;
        self.reports.begin(now);
        self.counters.slow().profile = Some(profile);
        self.events.push_back(PeerEvent::Connected);
    }

    /// Protects the plain RTP packet in `buf[..len]` in place; returns its new length and where it goes.
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
        let session = self.session.as_mut().filter(|_| !self.closed).ok_or(DropReason::NotConnected)?;
        let to = self.path.ok_or(DropReason::NotConnected)?;
        let plain = buf.get(..len).ok_or(DropReason::SendMalformed)?;
        let packet = RtpPacket::parse(plain).map_err(|_| DropReason::SendMalformed)?;
        self.reports.note_sent(now, &packet);
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
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return self.end(CloseReason::ConnectTimeout);
        }
        if self.bye_deadline.is_some_and(|deadline| deadline <= now) {
            return self.end(CloseReason::ConsentExpired);
        }
        self.ice.handle_timeout(now, &mut self.out);
        self.after_ice(now);
        if self.ice.failed(now) {
            let connected = self.session.is_some();
            return self.end(if connected { CloseReason::ConsentExpired } else { CloseReason::IceFailed });
        }
        if let Some(dtls) = &mut self.dtls
            && let Err(failure) = dtls.handle_timeout(now)
        {
            self.flush_dtls();
            return self.end(failure_reason(failure));
        }
        self.flush_dtls();
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
        let dtls = self.dtls.as_ref().and_then(Dtls::poll_timeout);
        let own = [self.deadline, self.bye_deadline, self.reports.poll_timeout()];
        own.into_iter().chain([self.ice.poll_timeout(), dtls]).flatten().min()
    }

    /// The next datagram to send, and where to.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.out.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Ends the connection: RTCP BYE, then `close_notify`, then nothing. Idempotent.
    pub fn close(&mut self, now: Instant, reason: CloseReason) {
        if self.closed {
            return;
        }
        if self.session.is_some()
            && let Ok(goodbye) = self.reports.write(now, true)
        {
            self.send_report(goodbye);
        }
        if let Some(dtls) = &mut self.dtls {
            dtls.close(now);
        }
        self.flush_dtls();
        self.end(reason);
    }

    fn send_report(&mut self, mut compound: Vec<u8>) {
        let (Some(session), Some(to)) = (&mut self.session, self.ice.selected()) else { return };
        let len = compound.len();
        compound.resize(len + MAX_OVERHEAD, 0);
        if let Ok(len) = session.outbound.protect_rtcp(&mut compound, len) {
            self.out.push_back((to, BytesMut::from(&compound[..len])));
        }
    }

    /// A path may have appeared or moved.
    fn after_ice(&mut self, now: Instant) {
        self.path = self.ice.selected();
        let Some(selected) = self.path else { return };
        let mut slow = self.counters.slow();
        slow.remote = Some(selected);
        drop(slow);
        if let Some(dtls) = &mut self.dtls
            && dtls.start(now).is_err()
        {
            return self.end(CloseReason::HandshakeFailed);
        }
        self.flush_dtls();
    }

    /// Before ICE has a path the DTLS output stays where it is: throwing it away would cost a flight.
    fn flush_dtls(&mut self) {
        let (Some(dtls), Some(to)) = (&mut self.dtls, self.ice.selected()) else { return };
        while let Some(datagram) = dtls.poll_transmit() {
            self.out.push_back((to, datagram));
        }
    }

    fn end(&mut self, reason: CloseReason) {
        if !self.closed {
            self.closed = true;
            self.events.push_back(PeerEvent::Closed(reason));
        }
    }
}

fn failure_reason(failure: DtlsFailure) -> CloseReason {
    match failure {
        DtlsFailure::Fingerprint => CloseReason::FingerprintMismatch,
        DtlsFailure::Handshake => CloseReason::HandshakeFailed,
    }
}

pub(crate) fn inbound_reason(error: SrtpError) -> DropReason {
    match error {
        SrtpError::Unauthenticated => DropReason::SrtpUnauthenticated,
        SrtpError::Replayed => DropReason::SrtpReplayed,
        SrtpError::TooManySsrcs => DropReason::TooManySsrcs,
        _ => DropReason::RtpMalformed,
    }
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod tests;
