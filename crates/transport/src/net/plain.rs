//! Plain legs of an [`Endpoint`]: each with a socket of its own on the endpoint's network thread.
//!
//! In the flow: call control says what was agreed and gets the leg and our port back.
//! Threads: control threads. Invariants: a refusal leaves nothing behind, no port and no leg.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use antiphon_rt::packet_ring::packet_ring;

use super::endpoint::{BindError, Endpoint};
use super::leg::Leg;
use super::socket::{UdpPort, local_addresses};
use super::thread::{Command, NewLeg};
use crate::identity::NoRandomness;
use crate::plain::{PlainParams, PlainParamsError, PlainPeer, Remote};

/// Bytes asked for in each direction of a leg's socket: seconds of one voice.
const SOCKET_BUFFER: usize = 256 * 1024;

/// Ports tried for one leg: others wait meanwhile. Whoever asks again is served from behind them.
const MAX_TRIES: usize = 256;

/// The local ports that plain legs may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// `None` if it would be empty or hold port 0.
    #[must_use]
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first > 0 && first <= last { Some(Self { first, last }) } else { None }
    }

    /// The lowest port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Every port once, from the `turn`-th on.
    fn from(self, turn: u32) -> impl Iterator<Item = u16> {
        let count = u32::from(self.last - self.first) + 1;
        (0..count).map(move |step| self.first + ((turn % count + step) % count) as u16)
    }

    /// What `bind` makes of the first port that is not in use, of [`MAX_TRIES`] at most; or how many were tried. The next
    /// search goes on where this one ended: a port that was just given up may still be sent to.
    fn search<T>(
        self,
        turn: &AtomicU32,
        mut bind: impl FnMut(u16) -> Result<T, BindError>,
    ) -> Result<Result<T, usize>, BindError> {
        let mut tried = 0;
        let start = turn.fetch_add(1, Ordering::Relaxed);
        for port in self.from(start).take(MAX_TRIES) {
            if tried > 0 {
                turn.fetch_add(1, Ordering::Relaxed);
            }
            tried += 1;
            match bind(port) {
                Err(BindError::PortInUse(_)) => {}
                bound => return bound.map(Ok),
            }
        }
        Ok(Err(tried))
    }
}

/// The text is no [`PortRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no range of ports, such as 40000-40999")]
pub struct PortRangeError(String);

impl std::str::FromStr for PortRange {
    type Err = PortRangeError;

    /// Reads `40000-40999`.
    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let ends = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        ends.and_then(|(first, last)| Self::new(first, last)).ok_or_else(|| PortRangeError(text.to_owned()))
    }
}

/// A plain leg could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlainError {
    /// What was agreed cannot work (culprit: caller).
    #[error(transparent)]
    Params(#[from] PlainParamsError),
    /// The peer and the leg's socket are of different families (culprit: caller).
    #[error("{remote} cannot be reached from {local}: one is IPv4, the other IPv6; give the leg a local address")]
    Family {
        /// Where the peer is.
        remote: SocketAddr,
        /// What the leg's socket would be bound to.
        local: IpAddr,
    },
    /// The leg would send to itself (culprit: caller).
    #[error("{0} is the leg's own address; give the peer's")]
    Itself(SocketAddr),
    /// The socket could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Every port that plain legs may have is taken, or so many in a row that the search was given up.
    #[error("found no free UDP port on {address} from {first} to {last} ({tried} tried); widen the range of plain ports", first = .range.first(), last = .range.last())]
    NoFreePort {
        /// The local address.
        address: IpAddr,
        /// The ports.
        range: PortRange,
        /// How many of them were tried; the next try goes on behind them.
        tried: usize,
    },
    /// The endpoint has its maximum of legs.
    #[error("no more than {0} legs are allowed at one time")]
    TooManyLegs(usize),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// The network thread has ended.
    #[error("the network thread has ended")]
    Ended,
}

/// A plain leg and where the peer sends to.
#[derive(Debug)]
pub struct PlainJoined {
    /// The leg; [`Leg::negotiated`] says what was agreed.
    pub leg: Leg,
    /// Our address and port, for the peer: RTP and RTCP.
    pub local: SocketAddr,
}

impl Endpoint {
    /// Opens a plain leg. `local` is where its socket is bound: the endpoint's own address if absent, and with port 0
    /// a port of [`EndpointConfig::plain_ports`](super::endpoint::EndpointConfig::plain_ports) or else any free one.
    ///
    /// # Errors
    /// [`PlainError`] says what to do.
    pub fn plain(&self, params: &PlainParams, local: Option<SocketAddr>) -> Result<PlainJoined, PlainError> {
        params.validate()?;
        let permit = self.quota.take().ok_or(PlainError::TooManyLegs(self.limits.max_legs))?;
        let remote = match params.remote {
            Remote::Fixed(address) => Some(address),
            Remote::Symmetric { first } => first,
        };
        let bind = local.unwrap_or_else(|| SocketAddr::new(self.local.ip(), 0));
        if let Some(remote) = remote.filter(|remote| remote.is_ipv4() != bind.is_ipv4()) {
            return Err(PlainError::Family { remote, local: bind.ip() });
        }
        let port = self.bind_plain(bind)?;
        let bound = port.local();
        if let Some(remote) = remote.filter(|remote| *remote == bound) {
            return Err(PlainError::Itself(remote));
        }
        let unix_now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let peer = PlainPeer::new(Instant::now(), params, self.limits.max_ssrcs, unix_now)?;
        let negotiated = Some(peer.negotiated().clone());
        let counters = peer.counters();
        let (ingress, packets) = packet_ring(self.limits.ingress_bytes);
        let id = self.net().next_leg_id();
        let new = NewLeg { id, peer: peer.into(), ingress, port: Some(port), permit };
        self.net().send(Command::AddLeg(new)).map_err(|_| PlainError::Ended)?;
        let leg = Leg::new(id, self.net().clone(), packets, counters, negotiated, None);
        Ok(PlainJoined { leg, local: self.told(bound) })
    }

    fn bind_plain(&self, at: SocketAddr) -> Result<UdpPort, PlainError> {
        let buffer = SOCKET_BUFFER.min(self.limits.socket_buffer);
        let bind = |at| UdpPort::bind(at, buffer).map_err(|e| BindError::from_io(at, e));
        let Some(range) = self.plain_ports.filter(|_| at.port() == 0) else { return Ok(bind(at)?) };
        let found = range.search(&self.plain_turn, |port| bind(SocketAddr::new(at.ip(), port)))?;
        found.map_err(|tried| PlainError::NoFreePort { address: at.ip(), range, tried })
    }

    /// What the peer is told instead of a bound address: the advertised host, or one of the machine's for a wildcard.
    fn told(&self, bound: SocketAddr) -> SocketAddr {
        let advertised = self.advertised.map(|a| a.ip()).filter(|ip| ip.is_ipv4() == bound.is_ipv4());
        let first = || {
            let v6 = bound.is_ipv6().then_some(IpAddr::V6(Ipv6Addr::LOCALHOST));
            let found = local_addresses(bound).first().map(SocketAddr::ip);
            found.filter(|ip| ip.is_ipv4() == bound.is_ipv4()).or(v6)
        };
        let wildcard = bound.ip().is_unspecified();
        let own = self.local.ip() == bound.ip();
        let ip = match advertised {
            Some(ip) if own || wildcard => ip,
            _ if wildcard => first().unwrap_or(bound.ip()),
            _ => bound.ip(),
        };
        SocketAddr::new(ip, bound.port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_offers_every_port_once_whatever_the_turn() {
        let range = PortRange::new(65_533, 65_535).unwrap();
        assert_eq!(range.from(0).collect::<Vec<_>>(), [65_533, 65_534, 65_535]);
        assert_eq!(range.from(u32::MAX).collect::<Vec<_>>(), [65_533, 65_534, 65_535]);
        assert_eq!(range.from(1).collect::<Vec<_>>(), [65_534, 65_535, 65_533]);
        assert_eq!((PortRange::new(0, 9), PortRange::new(9, 8)), (None, None));
        assert_eq!("65533-65535".parse(), Ok(range));
        for wrong in ["", "7", "9-8", "0-9", "1-65536", "1-2-3", "a-b"] {
            let error = wrong.parse::<PortRange>().unwrap_err().to_string();
            assert_eq!(error, format!("{wrong:?} is no range of ports, such as 40000-40999"));
        }
    }

    #[test]
    fn a_search_is_bounded_and_the_next_one_goes_on_behind_it() {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let range = PortRange::new(20_000, 39_999).unwrap();
        let (turn, mut tries) = (AtomicU32::new(0), Vec::new());
        let mut search = |free: u16| {
            let bind = |port| {
                tries.push(port);
                if port >= free { Ok(port) } else { Err(BindError::PortInUse(at(port))) }
            };
            let found = range.search(&turn, bind).unwrap();
            (found, std::mem::take(&mut tries).len())
        };
        assert_eq!(search(20_000), (Ok(20_000), 1));
        assert_eq!(search(20_300), (Err(MAX_TRIES), MAX_TRIES));
        assert_eq!(search(20_300), (Ok(20_300), 44), "20001 to 20256 were tried before");
        assert_eq!(search(20_000), (Ok(20_301), 1), "the last one may still be sent to");
        let small = PortRange::new(7, 9).unwrap();
        assert_eq!(small.search::<()>(&turn, |port| Err(BindError::PortInUse(at(port)))).unwrap(), Err(3));
        assert!(small.search::<()>(&turn, |port| Err(BindError::NotPermitted(at(port)))).is_err(), "none would help");
    }
}
