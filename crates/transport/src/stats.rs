//! What is counted: per leg and per network thread, with a name for every reason to drop something.
//!
//! In the flow: the network thread is the only writer; any thread reads a snapshot.
//! Invariants: writing is a plain relaxed store (one writer), so counting costs no locked instruction.
//! Not here: histograms, metrics export.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::srtp::Profile;

macro_rules! drop_reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Why a datagram or packet went no further.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum DropReason {
            $($(#[$doc])* $name,)+
        }

        impl DropReason {
            /// All reasons, in the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// A stable name for logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Empty, or its first byte is no protocol of ours (RFC 7983); on a plain leg STUN and DTLS too.
    NotOurs = "not_ours",
    /// Longer than any packet we carry, or cut off by the system for its length.
    TooLong = "too_long",
    /// On a plain leg: from an address that is not the peer's.
    WrongSource = "wrong_source",
    /// On a plain leg: a payload type nobody agreed on.
    PayloadType = "payload_type",
    /// On a plain leg: our own SSRC comes back, by a loop or by chance.
    OwnSsrc = "own_ssrc",
    /// No leg knows the source address and it is no STUN request.
    UnknownSource = "unknown_source",
    /// A STUN request for a ufrag we did not hand out.
    UnknownUfrag = "unknown_ufrag",
    /// Not parseable as STUN, or not a message that a check consists of.
    StunMalformed = "stun_malformed",
    /// Wrong user name or message integrity.
    StunUnauthenticated = "stun_unauthenticated",
    /// The queue for STUN and DTLS is full: the network thread is behind with handshakes.
    HandshakeBacklog = "handshake_backlog",
    /// DTLS from an address that has passed no check, or before its description was known.
    DtlsUnexpected = "dtls_unexpected",
    /// DTLS that does not parse or does not fit the handshake.
    DtlsInvalid = "dtls_invalid",
    /// RTP or RTCP before the handshake gave keys.
    NotConnected = "not_connected",
    /// Shorter than its own headers say, or not version 2.
    RtpMalformed = "rtp_malformed",
    /// SRTP or SRTCP authentication failed.
    SrtpUnauthenticated = "srtp_unauthenticated",
    /// Seen before, or too old to tell.
    SrtpReplayed = "srtp_replayed",
    /// More SSRCs than the leg may have.
    TooManySsrcs = "too_many_ssrcs",
    /// Decrypted RTCP that does not parse.
    RtcpMalformed = "rtcp_malformed",
    /// Nobody reads the leg's ingress ring fast enough.
    IngressFull = "ingress_full",
    /// A packet to send for a leg that is gone.
    UnknownLeg = "unknown_leg",
    /// A packet to send whose SSRC and index were already used (sending it would break the cipher).
    ReusedIndex = "reused_index",
    /// A packet to send that is no RTP or would exceed a datagram.
    SendMalformed = "send_malformed",
    /// The socket's send buffer is full.
    SendBufferFull = "send_buffer_full",
    /// The system refused to send, e.g. there is no route.
    SendFailed = "send_failed",
}

/// Counters per [`DropReason`], written by one thread.
#[derive(Debug, Default)]
pub(crate) struct DropCounters([AtomicU64; DropReason::ALL.len()]);

impl DropCounters {
    pub(crate) fn count(&self, reason: DropReason) {
        add(&self.0[reason as usize], 1);
    }

    pub(crate) fn count_many(&self, reason: DropReason, n: u64) {
        add(&self.0[reason as usize], n);
    }

    pub(crate) fn snapshot(&self) -> DropCounts {
        DropCounts(std::array::from_fn(|i| self.0[i].load(Ordering::Relaxed)))
    }
}

/// A snapshot of how much was dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// How many for this reason.
    #[must_use]
    pub const fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// How many in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().copied().zip(self.0).filter(|(_, n)| *n > 0)
    }
}

/// Single-writer add: no other thread stores, so load and store need not be one operation.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

/// Live counters of one leg. The network thread writes, [`Self::snapshot`] reads.
#[derive(Debug, Default)]
pub(crate) struct LegCounters {
    pub(crate) packets_received: AtomicU64,
    pub(crate) octets_received: AtomicU64,
    pub(crate) packets_sent: AtomicU64,
    pub(crate) octets_sent: AtomicU64,
    pub(crate) ssrcs: AtomicU32,
    pub(crate) drops: DropCounters,
    /// Changes a few times a minute, with RTCP and path changes; never locked per media packet.
    pub(crate) slow: Mutex<SlowStats>,
}

/// What changes with RTCP and with the path.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlowStats {
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) profile: Option<Profile>,
    pub(crate) reception: ReceptionStats,
    pub(crate) report: RemoteReport,
}

/// What we measured on the streams we receive, summed over their SSRCs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceptionStats {
    /// Expected less received, as of our last report (RFC 3550 §A.3).
    pub packets_lost: u64,
    /// Interarrival jitter of the stream with the most (RFC 3550 §6.4.1).
    pub jitter: Duration,
}

/// What the peer reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteReport {
    /// Sender reports received.
    pub sender_reports: u32,
    /// Reception reports received about our own stream.
    pub reception_reports: u32,
    /// Of our packets, the 256ths lost since the report before.
    pub fraction_lost: u8,
    /// Of our packets, lost in all.
    pub packets_lost: i32,
    /// Interarrival jitter of our packets there.
    pub jitter: Duration,
    /// Round-trip time (RFC 3550 §6.4.1).
    pub rtt: Option<Duration>,
    /// RTCP BYE was received for our peer's stream.
    pub bye: bool,
}

/// A snapshot of one leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LegStats {
    /// Authenticated RTP packets.
    pub packets_received: u64,
    /// Their bytes, decrypted, with headers.
    pub octets_received: u64,
    /// RTP packets handed to the socket.
    pub packets_sent: u64,
    /// Their bytes before encryption, with headers.
    pub octets_sent: u64,
    /// Distinct SSRCs received.
    pub ssrcs: u32,
    /// The nominated address.
    pub remote: Option<SocketAddr>,
    /// The negotiated SRTP profile.
    pub profile: Option<Profile>,
    /// Our view of what we receive; updated with each report we send.
    pub reception: ReceptionStats,
    /// The peer's view of what we send; updated with each report it sends.
    pub report: RemoteReport,
    /// What was dropped on this leg.
    pub drops: DropCounts,
}

impl LegCounters {
    pub(crate) fn snapshot(&self) -> LegStats {
        let slow = *self.slow();
        LegStats {
            packets_received: self.packets_received.load(Ordering::Relaxed),
            octets_received: self.octets_received.load(Ordering::Relaxed),
            packets_sent: self.packets_sent.load(Ordering::Relaxed),
            octets_sent: self.octets_sent.load(Ordering::Relaxed),
            ssrcs: self.ssrcs.load(Ordering::Relaxed),
            remote: slow.remote,
            profile: slow.profile,
            reception: slow.reception,
            report: slow.report,
            drops: self.drops.snapshot(),
        }
    }

    pub(crate) fn slow(&self) -> std::sync::MutexGuard<'_, SlowStats> {
        self.slow.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter_and_name() {
        let counters = DropCounters::default();
        for (i, reason) in DropReason::ALL.iter().enumerate() {
            counters.count_many(*reason, i as u64 + 1);
        }
        let counts = counters.snapshot();
        let mut names = std::collections::HashSet::new();
        for (i, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(counts.of(*reason), i as u64 + 1);
            assert!(names.insert(reason.as_str()));
        }
        assert_eq!(counts.iter().count(), DropReason::ALL.len());
    }
}
