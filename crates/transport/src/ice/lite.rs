//! The lite responder: answers authentic checks, remembers who passed, follows the newest nomination.
//!
//! In the flow: one per peer of an endpoint. Sans-IO.
//! Invariants: nothing is remembered or answered before the integrity is right; at most [`MAX_SOURCES`]
//! addresses are remembered; it never sends a check.
//! Not here: finding the leg by ufrag (see `net::table`).
//! Specs: RFC 8445 §2.5, §7.3, §8.2.1; RFC 7675 §5.1.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::{CONSENT, SourceChange};
use super::stun::{IntegrityKey, StunMessage};
use crate::sdp::IceCredentials;
use crate::stats::DropReason;

/// Addresses remembered per peer; the oldest that is not selected makes room.
pub(crate) const MAX_SOURCES: usize = 8;

/// What to send back, and what a shared port must learn.
#[derive(Debug)]
pub(crate) struct LiteReply {
    pub(crate) bytes: BytesMut,
    pub(crate) change: SourceChange,
}

#[derive(Debug)]
pub(crate) struct Lite {
    key: IntegrityKey,
    /// `ours:theirs`, as it stands in every request of the peer.
    username: String,
    selected: Option<SocketAddr>,
    sources: Vec<SocketAddr>,
    consent_ends: Instant,
}

impl Lite {
    pub(crate) fn new(now: Instant, local: &IceCredentials, remote_ufrag: &str) -> Self {
        Self {
            key: IntegrityKey::new(&local.pwd),
            username: format!("{}:{remote_ufrag}", local.ufrag),
            selected: None,
            sources: Vec::new(),
            consent_ends: now + CONSENT,
        }
    }

    /// Returns the response to send back to `from`.
    pub(crate) fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<LiteReply, DropReason> {
        let request = StunMessage::parse(datagram).filter(StunMessage::is_request);
        let request = request.ok_or(DropReason::StunMalformed)?;
        if request.username() != Some(&self.username) || !request.verify(&self.key) {
            return Err(DropReason::StunUnauthenticated);
        }
        if request.is_controlled() {
            // Lite is always the controlled side.
            return Ok(LiteReply { bytes: request.role_conflict(&self.key), change: SourceChange::default() });
        }
        self.consent_ends = now + CONSENT;
        let change = self.remember(from);
        // Before a nomination any address that passed will do; a later nomination always wins.
        if request.use_candidate() || self.selected.is_none() {
            self.selected = Some(from);
        }
        Ok(LiteReply { bytes: request.success(from, &self.key), change })
    }

    fn remember(&mut self, from: SocketAddr) -> SourceChange {
        if self.sources.contains(&from) {
            return SourceChange::default();
        }
        let mut removed = None;
        if self.sources.len() == MAX_SOURCES {
            let oldest = self.sources.iter().position(|s| Some(*s) != self.selected).unwrap_or(0);
            removed = Some(self.sources.remove(oldest));
        }
        self.sources.push(from);
        SourceChange { added: Some(from), removed }
    }

    pub(crate) fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    pub(crate) fn is_known(&self, from: SocketAddr) -> bool {
        self.sources.contains(&from)
    }

    pub(crate) fn note_media(&mut self, now: Instant, from: SocketAddr) {
        if self.is_known(from) {
            self.consent_ends = now + CONSENT;
        }
    }

    pub(crate) fn consent_ends(&self) -> Instant {
        self.consent_ends
    }

    pub(crate) fn shorten_consent(&mut self, now: Instant, span: Duration) {
        self.consent_ends = self.consent_ends.min(now + span);
    }
}
