//! ICE: our own lite responder for the service side, `rtc_ice`'s full agent for the bot side.
//!
//! In the flow: STUN datagrams and time in; STUN datagrams and the address to send to out.
//! Invariants: an address is only used after a check with the right credentials; the newest nomination
//! wins; without consent the leg ends.
//! Not here: gathering from STUN or TURN servers, trickle, restarts.
//! Specs: RFC 8445, RFC 8489, RFC 7675.

pub mod stun;

mod full;
mod lite;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;

pub(crate) use full::Full;
pub(crate) use lite::Lite;

use crate::stats::DropReason;

/// Consent is gone when nothing authentic was heard for this long (RFC 7675 §5.1).
pub const CONSENT: Duration = Duration::from_secs(30);

/// Datagrams to send, in order.
pub(crate) type Outbox = VecDeque<(SocketAddr, BytesMut)>;

/// How the set of addresses that passed a check has changed; only a shared port needs to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceChange {
    pub(crate) added: Option<SocketAddr>,
    pub(crate) removed: Option<SocketAddr>,
}

/// Either kind of agent.
#[derive(Debug)]
pub(crate) enum Ice {
    Lite(Box<Lite>),
    Full(Box<Full>),
}

impl Ice {
    /// Feeds a STUN datagram; what must be sent goes to `out`.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut Outbox,
    ) -> Result<SourceChange, DropReason> {
        match self {
            Self::Lite(lite) => {
                let reply = lite.handle(now, from, datagram)?;
                out.push_back((from, reply.bytes));
                Ok(reply.change)
            }
            Self::Full(full) => full.handle(now, from, datagram, out).map(|()| SourceChange::default()),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox) {
        if let Self::Full(full) = self {
            full.handle_timeout(now, out);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Lite(lite) => Some(lite.consent_ends()),
            Self::Full(full) => full.poll_timeout(),
        }
    }

    /// Where to send: the nominated address.
    pub(crate) fn selected(&self) -> Option<SocketAddr> {
        match self {
            Self::Lite(lite) => lite.selected(),
            Self::Full(full) => full.selected(),
        }
    }

    /// Whether `from` is an address of the peer's, so that DTLS from there may be looked at: one that has
    /// passed a check, or for the full agent one of the answer's candidates too.
    pub(crate) fn is_known(&self, from: SocketAddr) -> bool {
        match self {
            Self::Lite(lite) => lite.is_known(from),
            Self::Full(full) => full.is_known(from),
        }
    }

    /// Authentic media came from `from`; if that address is known, consent is renewed.
    pub(crate) fn note_media(&mut self, now: Instant, from: SocketAddr) {
        match self {
            Self::Lite(lite) => lite.note_media(now, from),
            Self::Full(full) => full.note_media(now, from),
        }
    }

    /// Whether the path is lost for good.
    pub(crate) fn failed(&mut self, now: Instant) -> bool {
        match self {
            Self::Lite(lite) => now >= lite.consent_ends(),
            Self::Full(full) => full.failed(),
        }
    }
}
