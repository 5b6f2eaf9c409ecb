//! DTLS-SRTP: the handshake, the certificate check against the description, the exported keys.
//!
//! In the flow: one per leg, on `rtc_dtls::Endpoint`; about 0.3 ms of CPU per join. Sans-IO.
//! Invariants: keys exist only after the peer has shown the announced certificate; after completion a
//! datagram that does not authenticate changes nothing.
//! Guards: a lost flight is repeated although the library forgets its timer (see [`Dtls::handle`]);
//! repeats back off. Not here: application data; it is dropped.
//! Specs: RFC 6347, RFC 5764, RFC 8122, RFC 7627 (extended master secret is required).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile as Offered;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use zeroize::Zeroizing;

use crate::identity::{Identity, fingerprint_of};
use crate::sdp::Fingerprint;
use crate::srtp::{KeyPair, Profile};
use crate::stats::DropReason;

/// First repetition of a flight; doubles each time up to [`MAX_WAIT`].
const FLIGHT: Duration = Duration::from_millis(100);
/// The library gives up after seven repetitions: 100 ms doubling to this makes about 12 s.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// Datagrams a handshake may consist of, repeats included; more is an attack on our memory.
const MAX_HANDSHAKE_DATAGRAMS: u32 = 512;
/// Handshake fragments remembered; a full handshake has about 20.
const MAX_SEEN: usize = 64;
/// `EXTRACTOR-dtls_srtp` (RFC 5764 §4.2).
const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";
/// The library keys associations by address; each of ours has one for life, so a path change is free.
const KEY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// What a datagram led to.
#[derive(Debug)]
pub(crate) enum DtlsEvent {
    /// The handshake is complete.
    Keys(Box<(Profile, KeyPair)>),
    /// The peer has closed.
    PeerClosed,
}

/// The handshake cannot succeed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DtlsFailure {
    Fingerprint,
    Handshake,
}

/// A datagram was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DtlsError {
    /// It is dropped; nothing else happens.
    Dropped(DropReason),
    /// The association is over.
    Failed(DtlsFailure),
}

pub(crate) struct Dtls {
    endpoint: Endpoint,
    config: Arc<HandshakeConfig>,
    is_client: bool,
    started: bool,
    complete: bool,
    mismatch: Arc<AtomicBool>,
    /// The instant the library armed, and the (later) one at which we fire it.
    timer: Option<(Instant, Instant)>,
    wait: Duration,
    /// When the last flight left.
    sent: Instant,
    /// `(message_seq, fragment_offset)` of the handshake fragments fed so far.
    seen: Vec<(u16, u32)>,
    datagrams: u32,
}

impl std::fmt::Debug for Dtls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut s = f.debug_struct("Dtls");
        s.field("is_client", &self.is_client).field("complete", &self.complete).finish_non_exhaustive()
    }
}

impl Dtls {
    /// A client or a server that will only talk to the owner of the certificate `expected`.
    pub(crate) fn new(
        now: Instant,
        identity: &Identity,
        is_client: bool,
        expected: Fingerprint,
    ) -> Result<Self, String> {
        let mismatch = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&mismatch);
        let verify = move |chain: &[Vec<u8>], _: &[_]| {
            if chain.first().is_some_and(|leaf| fingerprint_of(leaf) == expected) {
                return Ok(());
            }
            noted.store(true, Ordering::Relaxed);
            Err(Error::ErrNoMatchingCertificateFingerprint)
        };
        let config = ConfigBuilder::default()
            .with_crypto_provider(Arc::clone(identity.provider()))
            .with_certificates(vec![identity.certificate().clone()])
            .with_srtp_protection_profiles(vec![Offered::Srtp_Aead_Aes_128_Gcm, Offered::Srtp_Aes128_Cm_Hmac_Sha1_80])
            .with_client_auth(ClientAuthType::RequireAnyClientCert)
            .with_insecure_skip_verify(true) // there is no CA: the fingerprint above is the check
            .with_verify_peer_certificate(Some(Arc::new(verify)))
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(FLIGHT)
            .build(is_client, Some(KEY))
            .map_err(|e| e.to_string())?;
        let config = Arc::new(config);
        let endpoint = Endpoint::new(KEY, TransportProtocol::UDP, (!is_client).then(|| Arc::clone(&config)));
        Ok(Self {
            endpoint,
            config,
            is_client,
            started: !is_client,
            complete: false,
            mismatch,
            timer: None,
            wait: FLIGHT,
            sent: now,
            seen: Vec::new(),
            datagrams: 0,
        })
    }

    /// A client says hello, once; a server waits. To be called when ICE has a path.
    pub(crate) fn start(&mut self, now: Instant) -> Result<(), DtlsFailure> {
        if self.started {
            return Ok(());
        }
        self.started = true;
        let config = Arc::clone(&self.config);
        self.endpoint.connect(now, KEY, config, None).map_err(|_| DtlsFailure::Handshake)?;
        self.arm(now, true);
        Ok(())
    }

    /// Feeds a datagram.
    ///
    /// The library disarms its flight timer for good when it is fed a flight it has already seen: the
    /// handshake then dies if our answer was lost. So a datagram that holds nothing but known handshake
    /// fragments is not fed; it makes us repeat our flight instead, as RFC 6347 §4.2.4 asks. Only the
    /// stateless first ClientHello must pass. Fragments are compared, not messages: browsers split a large
    /// ClientHello.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<Option<DtlsEvent>, DtlsError> {
        let records = Records::read(datagram).ok_or(DtlsError::Dropped(DropReason::DtlsInvalid))?;
        if !self.started {
            return Err(DtlsError::Dropped(DropReason::DtlsUnexpected));
        }
        if !self.complete {
            self.datagrams += 1;
            if self.datagrams > MAX_HANDSHAKE_DATAGRAMS {
                return Err(DtlsError::Failed(DtlsFailure::Handshake));
            }
            if self.only_repeats(&records) {
                self.repeat_flight(now)?;
                return Ok(None);
            }
            self.remember(records);
        }
        let read = self.endpoint.read(now, KEY, None, BytesMut::from(datagram));
        let event = match read {
            Ok(events) => self.take_event(events)?,
            Err(_) if !self.complete => return Err(DtlsError::Failed(self.failure())),
            Err(Error::ErrAlertFatalOrClose) => Some(DtlsEvent::PeerClosed),
            Err(_) => return Err(DtlsError::Dropped(DropReason::DtlsInvalid)),
        };
        self.arm(now, true);
        Ok(event)
    }

    fn take_event(&mut self, events: Vec<EndpointEvent>) -> Result<Option<DtlsEvent>, DtlsError> {
        let mut event = None;
        for e in events {
            match e {
                EndpointEvent::HandshakeComplete => {
                    self.complete = true;
                    self.seen = Vec::new();
                    let keys = self.export().ok_or(DtlsError::Failed(DtlsFailure::Handshake))?;
                    event = Some(DtlsEvent::Keys(Box::new(keys)));
                }
                EndpointEvent::PeerClosed if self.complete => event = Some(DtlsEvent::PeerClosed),
                EndpointEvent::PeerClosed => return Err(DtlsError::Failed(self.failure())),
                _ => {} // application data is not for us
            }
        }
        Ok(event)
    }

    fn failure(&self) -> DtlsFailure {
        if self.mismatch.load(Ordering::Relaxed) { DtlsFailure::Fingerprint } else { DtlsFailure::Handshake }
    }

    fn only_repeats(&self, records: &Records) -> bool {
        let stateless = !self.is_client && !self.seen.iter().any(|(message, _)| *message > 0);
        let Records::Handshake(fragments) = records else { return false };
        !stateless && fragments.iter().all(|f| self.seen.contains(f))
    }

    fn remember(&mut self, records: Records) {
        if let Records::Handshake(fragments) = records {
            for fragment in fragments {
                if self.seen.len() < MAX_SEEN && !self.seen.contains(&fragment) {
                    self.seen.push(fragment);
                }
            }
        }
    }

    fn repeat_flight(&mut self, now: Instant) -> Result<(), DtlsError> {
        if let Some((armed, _)) = self.timer
            && now.saturating_duration_since(self.sent) >= FLIGHT / 2
        {
            self.fire(now.max(armed)).map_err(DtlsError::Failed)?;
            self.arm(now, false);
        }
        Ok(())
    }

    /// Repeats our flight if it is time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsFailure> {
        if self.timer.is_some_and(|(_, at)| at <= now) {
            self.fire(now)?;
            self.arm(now, false);
        }
        Ok(())
    }

    fn fire(&mut self, at: Instant) -> Result<(), DtlsFailure> {
        self.endpoint.handle_timeout(KEY, at).map_err(|_| self.failure())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timer.map(|(_, at)| at)
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.endpoint.poll_transmit().map(|t| t.message)
    }

    /// Queues `close_notify`.
    pub(crate) fn close(&mut self, now: Instant) {
        let _ = self.endpoint.close(now);
        self.timer = None;
    }

    /// Back-off: the library arms a fixed interval; we fire it later each time.
    fn arm(&mut self, now: Instant, progress: bool) {
        let armed = if self.complete { None } else { self.endpoint.poll_timeout(&KEY) };
        self.timer = match (armed, self.timer) {
            (None, _) => None,
            (Some(t), Some((old, at))) if t == old => Some((old, at)),
            (Some(t), _) => {
                self.sent = now;
                self.wait = if progress { FLIGHT } else { (self.wait * 2).min(MAX_WAIT) };
                Some((t, now + self.wait))
            }
        };
    }

    fn export(&self) -> Option<(Profile, KeyPair)> {
        let state = self.endpoint.get_connection_state(KEY)?;
        let profile = match state.srtp_protection_profile() {
            Offered::Srtp_Aead_Aes_128_Gcm => Profile::AeadAes128Gcm,
            Offered::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Aes128CmSha1_80,
            _ => return None, // the peer does not do SRTP
        };
        let material = state.export_keying_material(EXPORTER_LABEL, &[], profile.keying_material_len()).ok()?;
        let material = Zeroizing::new(material.as_ref().to_vec());
        KeyPair::split(profile, &material, self.is_client).map(|keys| (profile, keys))
    }
}

/// The records of a datagram, as far as the guard must know them.
enum Records {
    /// Only plaintext handshake records: `(message_seq, fragment_offset)` of each.
    Handshake(Vec<(u16, u32)>),
    /// Anything else that is well-formed.
    Other,
}

impl Records {
    /// `None` if the datagram is not a sequence of whole DTLS records (RFC 6347 §4.1).
    fn read(mut datagram: &[u8]) -> Option<Self> {
        let mut fragments = Some(Vec::new());
        while !datagram.is_empty() {
            let header = datagram.first_chunk::<13>()?;
            let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
            let body = datagram.get(13..13 + len)?;
            // Content type 22 in epoch 0; its body starts with type, length, message_seq, fragment_offset.
            let fragment = body.first_chunk::<12>().filter(|_| header[0] == 22 && header[3..5] == [0, 0]);
            fragments = fragments.zip(fragment).map(|(mut all, f)| {
                all.push((u16::from_be_bytes([f[4], f[5]]), u32::from_be_bytes([0, f[6], f[7], f[8]])));
                all
            });
            datagram = &datagram[13 + len..];
        }
        Some(fragments.map_or(Self::Other, Self::Handshake))
    }
}
