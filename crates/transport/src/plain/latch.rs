//! Where a plain leg's peer is: told once, or learned from its packets.
//!
//! In the flow: asked before anything else is done with a datagram, told afterwards whether it was good. Pure.
//! Invariants: without good packets nothing changes; an address that speaks cannot be taken over by another one.
//! Specs: RFC 4961 (symmetric RTP), RFC 7362 §4 (latching and how it is abused).

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long the address that was learned must be silent before another may take its place.
pub const RELATCH: Duration = Duration::from_secs(5);

/// Where a plain leg's peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// At this address and nowhere else.
    Fixed(SocketAddr),
    /// Wherever its first good packet comes from; until then what we send goes to `first`, if given. After
    /// [`RELATCH`] of silence the next good packet may move it, as after a change of a NAT.
    Symmetric {
        /// Where to send before the peer was heard.
        first: Option<SocketAddr>,
    },
}

/// The address of a plain leg's peer now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latch {
    remote: Remote,
    learned: Option<(SocketAddr, Instant)>,
}

impl Latch {
    pub(super) const fn new(remote: Remote) -> Self {
        Self { remote, learned: None }
    }

    /// Whether RTP from this address may be looked at.
    pub(super) fn admits(&self, now: Instant, from: SocketAddr) -> bool {
        match (self.remote, self.learned) {
            (Remote::Fixed(address), _) => same(address, from),
            (Remote::Symmetric { .. }, None) => true,
            (Remote::Symmetric { .. }, Some((address, heard))) => {
                same(address, from) || now.saturating_duration_since(heard) >= RELATCH
            }
        }
    }

    /// Whether RTCP from this address may be looked at: the peer's host; many send it from a port of its own.
    pub(super) fn admits_host(&self, from: IpAddr) -> bool {
        self.address().is_some_and(|address| address.ip() == from)
    }

    /// A packet from an admitted address was good; returns whether the address is news.
    pub(super) fn note(&mut self, now: Instant, from: SocketAddr) -> bool {
        let news = self.learned.is_none_or(|(address, _)| !same(address, from));
        self.learned = Some((from, now));
        news
    }

    /// The peer has said goodbye: whoever comes next need not wait.
    pub(super) fn release(&mut self, now: Instant) {
        if let (Some((_, heard)), Some(past)) = (&mut self.learned, now.checked_sub(RELATCH)) {
            *heard = past.min(*heard);
        }
    }

    /// Where to send.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match (self.remote, self.learned) {
            (Remote::Fixed(address), _) => Some(address),
            (Remote::Symmetric { .. }, Some((address, _))) => Some(address),
            (Remote::Symmetric { first }, None) => first,
        }
    }
}

/// Flow labels and scopes do not matter.
fn same(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip() == b.ip() && a.port() == b.port()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_fixed_address_admits_no_other_whoever_speaks() {
        let (now, peer) = (Instant::now(), at("192.0.2.1:5004"));
        let latch = Latch::new(Remote::Fixed(peer));
        assert!(latch.admits(now, peer));
        assert!(!latch.admits(now, at("192.0.2.1:5006")) && !latch.admits(now + 9 * RELATCH, at("192.0.2.2:5004")));
        assert!(latch.admits_host(peer.ip()) && !latch.admits_host(at("192.0.2.2:1").ip()));
        assert_eq!(latch.address(), Some(peer));
    }

    #[test]
    fn a_learned_address_keeps_its_place_until_it_has_been_silent() {
        let start = Instant::now();
        let (first, peer, thief) = (at("192.0.2.1:5004"), at("192.0.2.7:4000"), at("203.0.113.9:4000"));
        let mut latch = Latch::new(Remote::Symmetric { first: Some(first) });
        assert_eq!(latch.address(), Some(first));
        assert!(latch.admits(start, peer) && latch.note(start, peer));
        assert_eq!(latch.address(), Some(peer));
        assert!(!latch.note(start + RELATCH / 2, peer), "no news");
        assert!(!latch.admits(start + RELATCH, thief), "it spoke half as long ago");
        let quiet = start + RELATCH / 2 + RELATCH;
        assert!(latch.admits(quiet, thief) && latch.note(quiet, thief));
        assert!(!latch.admits(quiet, peer));
    }

    #[test]
    fn a_goodbye_frees_the_place_at_once() {
        let now = Instant::now() + 2 * RELATCH;
        let mut latch = Latch::new(Remote::Symmetric { first: None });
        assert_eq!(latch.address(), None);
        latch.note(now, at("192.0.2.7:4000"));
        latch.release(now);
        assert!(latch.admits(now, at("192.0.2.8:4000")));
    }
}
