//! The lite responder: answers authentic checks, remembers who passed, follows the newest nomination.
//!
//! In the flow: one per peer of an endpoint. Sans-IO.
//! Invariants: nothing is remembered or answered before the integrity is right; at most [`MAX_SOURCES`]
//! addresses are remembered; it never sends a check.
//! Not here: finding the leg by ufrag (see `net::table`).
//! Specs: RFC 8445 §2.5, §7.3, §8.2.1; RFC 7675 §5.1.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::BytesMut;

use super::stun::{IntegrityKey, StunMessage};
use super::{CONSENT, SourceChange};
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
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use zeroize::Zeroizing;

    use super::super::stun::request;
    use super::*;

    const PWD: &str = "0123456789abcdef01234567";

    fn lite(now: Instant) -> Lite {
        let credentials = IceCredentials { ufrag: "ours".into(), pwd: Zeroizing::new(PWD.into()) };
        Lite::new(now, &credentials, "theirs")
    }

    fn host(n: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, n], 4000))
    }

    fn check(lite: &mut Lite, now: Instant, from: SocketAddr, nominate: bool) -> SourceChange {
        lite.handle(now, from, &request("ours:theirs", PWD, nominate, false)).unwrap().change
    }

    #[test]
    fn the_newest_nomination_wins_and_mere_checks_move_nothing() {
        let now = Instant::now();
        let mut lite = lite(now);
        assert_eq!(lite.selected(), None);
        check(&mut lite, now, host(1), false);
        assert_eq!(lite.selected(), Some(host(1)), "better than nothing");
        check(&mut lite, now, host(2), false);
        assert_eq!(lite.selected(), Some(host(1)));
        check(&mut lite, now, host(2), true);
        assert_eq!(lite.selected(), Some(host(2)));
        check(&mut lite, now, host(3), true);
        assert_eq!(lite.selected(), Some(host(3)));
        check(&mut lite, now, host(2), false);
        assert_eq!(lite.selected(), Some(host(3)));
    }

    #[test]
    fn a_request_that_is_not_authentic_is_neither_answered_nor_remembered() {
        let now = Instant::now();
        let mut lite = lite(now);
        let requests = [
            request("ours:theirs", "0123456789abcdef01234568", true, false),
            request("ours:others", PWD, true, false),
            request("ours", PWD, true, false),
        ];
        for request in requests {
            let handled = lite.handle(now + CONSENT / 2, host(1), &request);
            assert_eq!(handled.unwrap_err(), DropReason::StunUnauthenticated);
        }
        assert_eq!((lite.selected(), lite.is_known(host(1))), (None, false));
        assert_eq!(lite.consent_ends(), now + CONSENT, "consent is for the authentic only");
    }

    #[test]
    fn a_controlled_peer_is_told_of_the_role_conflict() {
        let now = Instant::now();
        let mut lite = lite(now);
        let reply = lite.handle(now, host(1), &request("ours:theirs", PWD, false, true)).unwrap();
        assert_eq!((&reply.bytes[..2], reply.change), (&[1, 0x11][..], SourceChange::default()));
        assert_eq!(lite.selected(), None);
    }

    #[test]
    fn few_addresses_are_remembered_and_the_selected_one_always() {
        let now = Instant::now();
        let mut lite = lite(now);
        check(&mut lite, now, host(0), true);
        for n in 1..MAX_SOURCES as u8 {
            assert_eq!(check(&mut lite, now, host(n), false), SourceChange { added: Some(host(n)), removed: None });
        }
        let change = check(&mut lite, now, host(100), false);
        assert_eq!(change, SourceChange { added: Some(host(100)), removed: Some(host(1)) });
        assert!(lite.is_known(host(0)) && !lite.is_known(host(1)));
        assert_eq!(check(&mut lite, now, host(100), false), SourceChange::default(), "known already");
    }

    #[test]
    fn checks_and_media_renew_consent() {
        let now = Instant::now();
        let mut lite = lite(now);
        check(&mut lite, now, host(1), true);
        let later = now + Duration::from_secs(20);
        lite.note_media(later, host(9)); // an address that passed no check
        assert_eq!(lite.consent_ends(), now + CONSENT);
        lite.note_media(later, host(1));
        assert_eq!(lite.consent_ends(), later + CONSENT);
        check(&mut lite, later + CONSENT / 2, host(1), false);
        assert_eq!(lite.consent_ends(), later + CONSENT / 2 + CONSENT);
    }
}
