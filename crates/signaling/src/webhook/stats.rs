//! Counters of the webhook: every request and notification ends in one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::verify::TokenFault;

/// What became of requests and notifications so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WebhookStats {
    /// Requests answered 202.
    pub accepted: u64,
    /// Requests answered 401, by reason; only reasons that occurred.
    pub refused: Vec<(TokenFault, u64)>,
    /// Verified requests whose body was no notification.
    pub malformed: u64,
    /// Verified requests whose body was too long.
    pub too_long: u64,
    /// Verified requests whose body did not arrive in time or whole.
    pub cut_off: u64,
    /// Notifications delivered to the queue of their call.
    pub delivered: u64,
    /// Notifications held for a call that is not registered yet.
    pub held: u64,
    /// Notifications about something else than a call.
    pub unknown: u64,
    /// Notifications dropped since their call's queue was full.
    pub overflowed: u64,
    /// Held notifications nobody claimed in time.
    pub unclaimed: u64,
    /// Incoming calls nobody took in time.
    pub missed_calls: u64,
    /// Incoming calls told again after they were over.
    pub repeated_calls: u64,
    /// Participants joining under a recording policy, decided here.
    pub joinings: u64,
    /// TLS handshakes that failed.
    pub handshakes_failed: u64,
    /// Connections refused since there were too many.
    pub connections_refused: u64,
}

impl WebhookStats {
    /// How often a token was refused, for any reason.
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().map(|(_, count)| count).sum()
    }
}

/// The counters themselves. Relaxed: each is read on its own, for display.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: Counter,
    refused: [Counter; TokenFault::ALL.len()],
    pub(super) malformed: Counter,
    pub(super) too_long: Counter,
    pub(super) cut_off: Counter,
    pub(super) delivered: Counter,
    pub(super) held: Counter,
    pub(super) unknown: Counter,
    pub(super) overflowed: Counter,
    pub(super) unclaimed: Counter,
    pub(super) missed_calls: Counter,
    pub(super) repeated_calls: Counter,
    pub(super) joinings: Counter,
    pub(super) handshakes_failed: Counter,
    pub(super) connections_refused: Counter,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(super) fn refuse(&self, fault: TokenFault) {
        let index = TokenFault::ALL.iter().position(|one| *one == fault);
        self.refused[index.expect("invariant: ALL lists every fault")].add(1);
    }

    pub(super) fn snapshot(&self) -> WebhookStats {
        let refused = TokenFault::ALL.into_iter().zip(&self.refused).map(|(fault, counter)| (fault, counter.value()));
        WebhookStats {
            accepted: self.accepted.value(),
            refused: refused.filter(|(_, count)| *count > 0).collect(),
            malformed: self.malformed.value(),
            too_long: self.too_long.value(),
            cut_off: self.cut_off.value(),
            delivered: self.delivered.value(),
            held: self.held.value(),
            unknown: self.unknown.value(),
            overflowed: self.overflowed.value(),
            unclaimed: self.unclaimed.value(),
            missed_calls: self.missed_calls.value(),
            repeated_calls: self.repeated_calls.value(),
            joinings: self.joinings.value(),
            handshakes_failed: self.handshakes_failed.value(),
            connections_refused: self.connections_refused.value(),
        }
    }
}
