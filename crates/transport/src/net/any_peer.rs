//! Either kind of peer, as the network thread sees it.
//!
//! In the flow: between the thread and the two sans-IO peers, whose methods have the same names and meanings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

use super::leg::CloseReason;
use crate::peer::{Peer, PeerEvent, Received};
use crate::plain::PlainPeer;
use crate::stats::{DropReason, LegCounters};

/// A WebRTC or a plain peer.
#[derive(Debug)]
pub(super) enum AnyPeer {
    WebRtc(Box<Peer>),
    Plain(Box<PlainPeer>),
}

/// Calls the method of whichever it is.
macro_rules! either {
    ($self:expr, $peer:ident => $call:expr) => {
        match $self {
            Self::WebRtc($peer) => $call,
            Self::Plain($peer) => $call,
        }
    };
}

impl AnyPeer {
    pub(super) fn counters(&self) -> Arc<LegCounters> {
        either!(self, peer => peer.counters())
    }

    /// Whether STUN and DTLS mean anything to it.
    pub(super) fn has_control(&self) -> bool {
        matches!(self, Self::WebRtc(_))
    }

    /// What its checks begin with on a shared port; empty if it makes none.
    pub(super) fn ufrag(&self) -> &str {
        match self {
            Self::WebRtc(peer) => peer.ufrag(),
            Self::Plain(_) => "",
        }
    }

    /// Reads what the next packet will need.
    pub(super) fn warm(&self) -> u64 {
        either!(self, peer => peer.warm())
    }

    /// The same for a packet to the peer.
    pub(super) fn warm_out(&self) -> u64 {
        either!(self, peer => peer.warm_out())
    }

    pub(super) fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> Received {
        either!(self, peer => peer.handle_datagram(now, from, datagram))
    }

    pub(super) fn protect(
        &mut self,
        now: Instant,
        buf: &mut [u8],
        len: usize,
    ) -> Result<(usize, SocketAddr), DropReason> {
        either!(self, peer => peer.protect(now, buf, len))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        either!(self, peer => peer.handle_timeout(now));
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        either!(self, peer => peer.poll_timeout())
    }

    pub(super) fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        either!(self, peer => peer.poll_transmit())
    }

    pub(super) fn poll_event(&mut self) -> Option<PeerEvent> {
        either!(self, peer => peer.poll_event())
    }

    /// Whether media alone has led to an event: a plain peer's address was learned.
    pub(super) fn has_event(&self) -> bool {
        matches!(self, Self::Plain(peer) if peer.has_event())
    }

    pub(super) fn close(&mut self, now: Instant, reason: CloseReason) {
        either!(self, peer => peer.close(now, reason));
    }
}

#[cfg(test)]
impl AnyPeer {
    pub(super) fn is_connected(&self) -> bool {
        either!(self, peer => peer.is_connected())
    }

    pub(super) fn stats(&self) -> crate::LegStats {
        either!(self, peer => peer.stats())
    }
}

impl From<Peer> for AnyPeer {
    fn from(peer: Peer) -> Self {
        Self::WebRtc(Box::new(peer))
    }
}

impl From<PlainPeer> for AnyPeer {
    fn from(peer: PlainPeer) -> Self {
        Self::Plain(Box::new(peer))
    }
}
