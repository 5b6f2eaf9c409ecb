//! [`Leg`]: the control side's handle on one peer connection.
//!
//! In the flow: made by an endpoint (answered) or a connector (offered); the peer itself lives on the
//! network thread, an offered one from [`Leg::accept`] on.
//! Threads: control threads. Statistics are read from shared counters and wait for nobody.
//! Invariants: dropping the handle closes the leg; each leg's last event is exactly one `Closed`.
//! Not here: media, which goes through the packet rings.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use antiphon_rt::packet_ring::{PacketReceiver, PacketSender};

use super::NetThread;
use super::quota::LegPermit;
use super::socket::UdpPort;
use super::thread::{Command, NewLeg};
use crate::identity::NoRandomness;
use crate::negotiate::Negotiated;
use crate::peer::Peer;
use crate::sdp::SdpError;
use crate::stats::{LegCounters, LegStats};

/// Names a leg within its network thread; never reused there. Egress records carry it as `meta.leg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(u32);

impl LegId {
    /// The leg with this number.
    #[must_use]
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The number for `PacketMeta::leg`.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leg {}", self.0)
    }
}

/// What happens to a leg after it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegEvent {
    /// Keys are agreed; media flows from now on. At most once.
    Connected,
    /// The leg is gone. Exactly once, last, and not for an offer that was never accepted.
    Closed(CloseReason),
}

/// Why a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// We closed it.
    Local,
    /// The peer closed it (DTLS `close_notify`).
    Remote,
    /// No handshake within the limit: the peer never came, or its path is blocked.
    ConnectTimeout,
    /// The peer vanished: no consent for 30 s (RFC 7675), or 8 s after its BYE.
    ConsentExpired,
    /// No candidate pair works.
    IceFailed,
    /// The peer's certificate is not the one its description announced.
    FingerprintMismatch,
    /// The DTLS handshake failed otherwise.
    HandshakeFailed,
    /// Nothing was heard on a plain leg for as long as it allows.
    Silent,
    /// The network thread ended.
    Shutdown,
    /// A defect of ours or of a library; logged.
    Internal,
}

impl CloseReason {
    /// A stable name for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote => "remote",
            Self::ConnectTimeout => "connect_timeout",
            Self::ConsentExpired => "consent_expired",
            Self::IceFailed => "ice_failed",
            Self::FingerprintMismatch => "fingerprint_mismatch",
            Self::HandshakeFailed => "handshake_failed",
            Self::Silent => "silent",
            Self::Shutdown => "shutdown",
            Self::Internal => "internal",
        }
    }
}

/// Called on the network thread for every event of every leg. It must return quickly and not block:
/// media of all legs waits meanwhile. It may call any method of this crate except dropping the endpoint.
pub type LegCallback = Arc<dyn Fn(LegId, LegEvent) + Send + Sync>;

/// An offer was not answered, or could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// The peer's description is bad.
    #[error("the offer is not acceptable: {0}")]
    Sdp(#[from] SdpError),
    /// The peer demands a role for DTLS that an offerer cannot have.
    #[error("the offer is not acceptable: {0}")]
    Peer(&'static str),
    /// The endpoint or connector has its maximum of legs.
    #[error("no more than {0} legs are allowed at one time")]
    TooManyLegs(usize),
    /// The socket for the leg could not be made.
    #[error("cannot open a UDP socket on {address}: {source}")]
    Socket {
        /// The local address asked for.
        address: std::net::IpAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The crypto or ICE library refused our own parameters.
    #[error("the transport could not be set up: {0}")]
    Setup(String),
    /// The network thread has ended.
    #[error("the network thread has ended")]
    Ended,
}

/// An answer was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The peer's description is bad.
    #[error("the answer is not acceptable: {0}")]
    Sdp(#[from] SdpError),
    /// The answer does not fit our offer.
    #[error("the answer does not fit the offer: {0}")]
    Mismatch(&'static str),
    /// The leg was answered, not offered, or has its answer already.
    #[error("the leg is not waiting for an answer")]
    NotWaiting,
    /// The crypto or ICE library refused the parameters.
    #[error("the transport could not be set up: {0}")]
    Setup(String),
    /// The network thread has ended.
    #[error("the network thread has ended")]
    Ended,
}

/// An offered leg before its answer; its socket is bound already, so early checks wait in its buffer.
pub(super) struct Pending {
    pub(super) peer: Peer,
    pub(super) port: UdpPort,
    pub(super) ingress: PacketSender,
    pub(super) permit: LegPermit,
}

/// One peer connection. Dropping it closes the connection.
pub struct Leg {
    id: LegId,
    net: NetThread,
    ingress: Option<PacketReceiver>,
    negotiated: Option<Negotiated>,
    counters: Arc<LegCounters>,
    pending: Mutex<Option<Pending>>,
}

impl Leg {
    pub(super) fn new(
        id: LegId,
        net: NetThread,
        ingress: PacketReceiver,
        counters: Arc<LegCounters>,
        negotiated: Option<Negotiated>,
        pending: Option<Pending>,
    ) -> Self {
        Self { id, net, ingress: Some(ingress), negotiated, counters, pending: Mutex::new(pending) }
    }

    /// Its id within the network thread.
    #[must_use]
    pub const fn id(&self) -> LegId {
        self.id
    }

    /// The network thread it lives on: whose egress rings reach it and whose waker rouses it.
    #[must_use]
    pub const fn net(&self) -> &NetThread {
        &self.net
    }

    /// The ring with the plain RTP packets that arrive; `None` if it was taken before.
    pub fn take_ingress(&mut self) -> Option<PacketReceiver> {
        self.ingress.take()
    }

    /// What was agreed: at once for an answered leg, after [`Leg::accept`] for an offered one.
    #[must_use]
    pub const fn negotiated(&self) -> Option<&Negotiated> {
        self.negotiated.as_ref()
    }

    /// Applies the peer's answer to our offer and starts connecting.
    ///
    /// # Errors
    /// [`AnswerError`]; except for `Ended` the leg still waits and a better answer may be tried.
    pub fn accept(&mut self, answer: &str) -> Result<&Negotiated, AnswerError> {
        let slot = self.pending.get_mut().unwrap_or_else(PoisonError::into_inner);
        let pending = slot.as_mut().ok_or(AnswerError::NotWaiting)?;
        let negotiated = pending.peer.accept(Instant::now(), answer)?;
        let Pending { peer, port, ingress, permit } = slot.take().expect("invariant: it was there a line ago");
        let new = NewLeg { id: self.id, peer: peer.into(), ingress, port: Some(port), permit };
        self.net.send(Command::AddLeg(new)).map_err(|_| AnswerError::Ended)?;
        Ok(self.negotiated.insert(negotiated))
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> LegStats {
        self.counters.snapshot()
    }

    /// Sends RTCP BYE and `close_notify` and forgets the peer. `Closed(Local)` follows. Idempotent.
    pub fn close(&self) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.net.send(Command::Close(self.id)); // ended: then it is closed
    }
}

impl Drop for Leg {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Leg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leg").field("id", &self.id).field("negotiated", &self.negotiated).finish_non_exhaustive()
    }
}
