//! [`Endpoint`]: the service side. One UDP port for all peers, ICE-lite, answers offers.
//!
//! In the flow: call control gives it an offer and takes the answer back, about a millisecond.
//! Threads: control threads; `answer` parses and builds the peer in the caller's thread.
//! Invariants: no state for a peer before its offer was accepted.
//! Not here: offers of our own (see `connector`).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use antiphon_rt::packet_ring::packet_ring;

use super::leg::{Leg, LegCallback, LegEvent, OfferError};
use super::plain::PortRange;
use super::quota::LegQuota;
use super::socket::{UdpPort, local_addresses};
use super::thread::{Command, NewLeg};
use super::{Limits, NetOwner, NetThread};
use crate::identity::{Identity, IdentityError};
use crate::peer::{Peer, PeerConfig};
use crate::sdp::Setup;

/// How an [`Endpoint`] is made.
#[derive(Clone)]
pub struct EndpointConfig {
    /// The address to listen on; port 0 lets the system choose. With a wildcard address the answer lists
    /// every address of the machine, unless `advertise` is given.
    pub bind: SocketAddr,
    /// The address peers are told instead of `bind` (1:1 NAT); port 0 means the bound port.
    pub advertise: Option<SocketAddr>,
    /// Ports for plain legs that ask for none; `None`: any that is free.
    pub plain_ports: Option<PortRange>,
    /// The DTLS certificate; `None` makes one.
    pub identity: Option<Identity>,
    /// The DTLS role in answers when the offer leaves the choice. Passive (the default) saves a browser a
    /// round trip; active makes us the DTLS client.
    pub setup: Setup,
    /// Told about every leg.
    pub on_event: LegCallback,
    /// Capacities and times.
    pub limits: Limits,
}

impl EndpointConfig {
    /// The defaults, listening on `bind`.
    pub fn new(bind: SocketAddr, on_event: impl Fn(super::leg::LegId, LegEvent) + Send + Sync + 'static) -> Self {
        let on_event: LegCallback = Arc::new(on_event);
        let limits = Limits::endpoint();
        let setup = Setup::Passive;
        Self { bind, advertise: None, plain_ports: None, identity: None, setup, on_event, limits }
    }
}

impl fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bind, advertise, plain_ports, identity, setup, on_event: _, limits } = self;
        let mut s = f.debug_struct("EndpointConfig");
        s.field("bind", bind)
            .field("advertise", advertise)
            .field("plain_ports", plain_ports)
            .field("identity", identity);
        s.field("setup", setup).field("limits", limits).finish_non_exhaustive()
    }
}

/// The endpoint could not start: the environment's fault, in one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody else has the port.
    #[error("UDP port {port} on {address} is in use; choose another port, or port 0 for any free one", port = .0.port(), address = .0.ip())]
    PortInUse(SocketAddr),
    /// A privileged port.
    #[error("binding UDP {0} is not permitted; choose a port above 1023 or grant CAP_NET_BIND_SERVICE")]
    NotPermitted(SocketAddr),
    /// The machine does not have that address.
    #[error("this machine has no address {0}; bind to one it has, or to 0.0.0.0 with an advertised address")]
    NoSuchAddress(std::net::IpAddr),
    /// Anything else the system says.
    #[error("cannot listen on UDP {address}: {source}")]
    Other {
        /// The address asked for.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No DTLS certificate.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A setting that cannot work.
    #[error("the endpoint's configuration is not usable: {0}")]
    Config(&'static str),
}

impl BindError {
    pub(super) fn from_io(address: SocketAddr, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::AddrInUse => Self::PortInUse(address),
            std::io::ErrorKind::PermissionDenied => Self::NotPermitted(address),
            std::io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress(address.ip()),
            _ => Self::Other { address, source },
        }
    }
}

/// An accepted offer.
#[derive(Debug)]
pub struct Answered {
    /// The connection, which the peer will now open.
    pub leg: Leg,
    /// The answer for the peer.
    pub sdp: String,
}

/// The service side of the transport. Dropping it closes all its legs.
pub struct Endpoint {
    owner: NetOwner,
    identity: Identity,
    setup: Setup,
    pub(super) limits: Limits,
    pub(super) local: SocketAddr,
    pub(super) advertised: Option<SocketAddr>,
    pub(super) plain_ports: Option<PortRange>,
    pub(super) plain_turn: AtomicU32,
    candidates: Vec<SocketAddr>,
    pub(super) quota: LegQuota,
}

impl Endpoint {
    /// Binds the port and starts the network thread.
    ///
    /// # Errors
    /// [`BindError`] says what to do.
    pub fn bind(config: EndpointConfig) -> Result<Self, BindError> {
        let EndpointConfig { bind, advertise, plain_ports, identity, setup, on_event, limits } = config;
        if setup == Setup::ActPass {
            return Err(BindError::Config("an answer is active or passive, not actpass"));
        }
        let identity = identity.map_or_else(Identity::generate, Ok)?;
        let port = UdpPort::bind(bind, limits.socket_buffer).map_err(|e| BindError::from_io(bind, e))?;
        let local = port.local();
        let candidates = match advertise {
            Some(a) if a.port() == 0 => vec![SocketAddr::new(a.ip(), local.port())],
            Some(a) => vec![a],
            None if local.ip().is_unspecified() => local_addresses(local),
            None => vec![local],
        };
        let quota = LegQuota::new(limits.max_legs);
        let owner = NetOwner::start("antiphon-net", Some(port), &limits, on_event)
            .map_err(|source| BindError::Other { address: bind, source })?;
        let plain_turn = AtomicU32::new(0);
        let advertised = advertise;
        Ok(Self { owner, identity, setup, limits, local, advertised, plain_ports, plain_turn, candidates, quota })
    }

    /// The address the socket is bound to.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// The addresses peers are told, best first.
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }

    /// The network thread: egress rings, waker, drops.
    #[must_use]
    pub const fn net(&self) -> &NetThread {
        &self.owner.net
    }

    /// Takes an offer and writes the answer; about 30 µs, no I/O. The peer has
    /// [`Limits::connect_timeout`] to connect.
    ///
    /// # Errors
    /// [`OfferError`]; nothing has changed then.
    pub fn answer(&self, offer: &str) -> Result<Answered, OfferError> {
        let permit = self.quota.take().ok_or(OfferError::TooManyLegs(self.limits.max_legs))?;
        let config = PeerConfig {
            identity: &self.identity,
            candidates: &self.candidates,
            max_ssrcs: self.limits.max_ssrcs,
            connect_timeout: self.limits.connect_timeout,
            unix_now: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        let (peer, sdp) = Peer::answer(Instant::now(), &config, self.setup, offer)?;
        let negotiated = peer.negotiated().cloned();
        let counters = peer.counters();
        let (ingress, packets) = packet_ring(self.limits.ingress_bytes);
        let id = self.net().next_leg_id();
        let new = NewLeg { id, peer: peer.into(), ingress, port: None, permit };
        self.net().send(Command::AddLeg(new)).map_err(|_| OfferError::Ended)?;
        Ok(Answered { leg: Leg::new(id, self.net().clone(), packets, counters, negotiated, None), sdp })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("local", &self.local).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_fails_takes_up_no_leg() {
        let mut config = EndpointConfig::new("127.0.0.1:0".parse().unwrap(), |_, _| ());
        config.limits.max_legs = 1;
        let mut endpoint = Endpoint::bind(config).unwrap();
        for _ in 0..3 {
            assert!(matches!(endpoint.answer("nonsense"), Err(OfferError::Sdp(_))));
        }
        let peer = PeerConfig {
            identity: &endpoint.identity,
            candidates: &endpoint.candidates,
            max_ssrcs: 1,
            connect_timeout: endpoint.limits.connect_timeout,
            unix_now: std::time::Duration::ZERO,
        };
        let (_, offer) = Peer::offer(Instant::now(), &peer, false).unwrap();
        // The network thread ends, so the leg cannot be handed over.
        let _ = endpoint.net().send(Command::Shutdown);
        endpoint.owner.thread.take().unwrap().join().unwrap();
        for _ in 0..3 {
            assert!(matches!(endpoint.answer(&offer), Err(OfferError::Ended)));
        }
        assert!(endpoint.quota.take().is_some());
    }
}
