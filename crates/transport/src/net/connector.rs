//! [`Connector`]: the bot side. Full ICE, controlling, one UDP socket per leg, makes offers.
//!
//! In the flow: call control asks for an offer, sends it away, and gives the answer to the leg.
//! Threads: control threads; all legs of a connector share its one network thread.
//! Invariants: one socket per leg, because towards one server port all legs of a shared socket would have
//! the same addresses and only STUN names the leg.
//! Not here: answering (see `endpoint`), gathering from STUN or TURN servers (the service is reachable).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use antiphon_rt::packet_ring::packet_ring;

use super::leg::{Leg, LegCallback, LegEvent, OfferError, Pending};
use super::quota::LegQuota;
use super::socket::{UdpPort, local_addresses};
use super::{Limits, NetOwner, NetThread};
use crate::identity::{Identity, IdentityError};
use crate::peer::{Peer, PeerConfig};

/// How a [`Connector`] is made.
#[derive(Clone)]
pub struct ConnectorConfig {
    /// The DTLS certificate; `None` makes one.
    pub identity: Option<Identity>,
    /// Told about every leg.
    pub on_event: LegCallback,
    /// Capacities and times.
    pub limits: Limits,
}

impl ConnectorConfig {
    /// The defaults.
    pub fn new(on_event: impl Fn(super::leg::LegId, LegEvent) + Send + Sync + 'static) -> Self {
        Self { identity: None, on_event: Arc::new(on_event), limits: Limits::connector() }
    }
}

impl fmt::Debug for ConnectorConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { identity, on_event: _, limits } = self;
        f.debug_struct("ConnectorConfig").field("identity", identity).field("limits", limits).finish_non_exhaustive()
    }
}

/// The connector could not start: the environment's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No DTLS certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// No thread or no descriptor.
    #[error("cannot start the network thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// What to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferOptions {
    /// Also offer the one-way section `lanes`, on which the service sends every source apart.
    pub lanes: bool,
    /// The local address of the leg's socket; a wildcard offers every address of the machine.
    pub bind: IpAddr,
}

impl Default for OfferOptions {
    fn default() -> Self {
        Self { lanes: true, bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED) }
    }
}

/// An offer that waits for its answer.
#[derive(Debug)]
pub struct Offered {
    /// The connection; give the answer to [`Leg::accept`].
    pub leg: Leg,
    /// The offer for the peer.
    pub sdp: String,
}

/// The bot side of the transport. Dropping it closes all its legs.
pub struct Connector {
    owner: NetOwner,
    identity: Identity,
    limits: Limits,
    quota: LegQuota,
}

impl Connector {
    /// Starts the network thread.
    ///
    /// # Errors
    /// [`StartError`].
    pub fn new(config: ConnectorConfig) -> Result<Self, StartError> {
        let ConnectorConfig { identity, on_event, limits } = config;
        let identity = identity.map_or_else(Identity::generate, Ok)?;
        let owner = NetOwner::start("antiphon-bot-net", None, &limits, on_event)?;
        let quota = LegQuota::new(limits.max_legs);
        Ok(Self { owner, identity, limits, quota })
    }

    /// The network thread: egress rings, waker, drops.
    #[must_use]
    pub const fn net(&self) -> &NetThread {
        &self.owner.net
    }

    /// Binds a socket for a new leg and writes the offer. Nothing is sent before [`Leg::accept`].
    ///
    /// # Errors
    /// [`OfferError`] if there are [`Limits::max_legs`] already, offers without an answer included, the socket
    /// cannot be bound or the system gives no randomness.
    pub fn offer(&self, options: OfferOptions) -> Result<Offered, OfferError> {
        let permit = self.quota.take().ok_or(OfferError::TooManyLegs(self.limits.max_legs))?;
        let address = options.bind;
        let port = UdpPort::bind(SocketAddr::new(address, 0), self.limits.socket_buffer)
            .map_err(|source| OfferError::Socket { address, source })?;
        let local = port.local();
        let candidates = if local.ip().is_unspecified() { local_addresses(local) } else { vec![local] };
        let config = PeerConfig {
            identity: &self.identity,
            candidates: &candidates,
            max_ssrcs: self.limits.max_ssrcs,
            connect_timeout: self.limits.connect_timeout,
            unix_now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        let (peer, sdp) = Peer::offer(Instant::now(), &config, options.lanes)?;
        let counters = peer.counters();
        let (ingress, packets) = packet_ring(self.limits.ingress_bytes);
        let id = self.net().next_leg_id();
        let pending = Some(Pending { peer, port, ingress, permit });
        Ok(Offered { leg: Leg::new(id, self.net().clone(), packets, counters, None, pending), sdp })
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("net", self.net()).finish_non_exhaustive()
    }
}
