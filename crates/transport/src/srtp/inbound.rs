//! The receiving half of an SRTP session.
//!
//! In the flow: network thread, receive buffer → plain packet in the same buffer.
//! Invariants: no state changes before a packet is authenticated; SSRCs are bounded by `max_ssrcs`.
//! Not here: parsing what was decrypted.

use std::collections::HashMap;

use super::cipher::Cipher;
use super::index::{RTP_INDICES, Window};
use super::{MasterKey, SrtpError, rtcp_ssrc, rtp_header_len, rtp_ids};

/// Senders of RTCP per peer; each costs a few bytes. Browsers use one per stream they send or receive.
const MAX_RTCP_SENDERS: usize = 64;

/// A decrypted packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unprotected {
    /// Length of the plain packet at the front of the buffer.
    pub len: usize,
    /// Number of the packet's stream: 0 for the first SSRC heard, 1 for the second, …
    pub stream: usize,
    /// The packet's extended sequence number.
    pub index: u64,
}

/// Decrypts and authenticates what a peer sends.
pub struct Inbound {
    rtp: Cipher,
    rtcp: Cipher,
    max_ssrcs: usize,
    /// Stream 0, in place: most peers have no other, and each look elsewhere may miss the cache.
    first: Option<(u32, Window)>,
    /// From stream 1 on.
    by_ssrc: HashMap<u32, u32>,
    others: Vec<Window>,
    rtcp_senders: Vec<(u32, Window)>,
}

impl Inbound {
    /// Session keys from the peer's master key.
    #[must_use]
    pub fn new(master: &MasterKey, max_ssrcs: usize) -> Self {
        let (rtp, rtcp) = (Cipher::rtp(master), Cipher::rtcp(master));
        let (by_ssrc, others) = (HashMap::new(), Vec::new());
        Self { rtp, rtcp, max_ssrcs, first: None, by_ssrc, others, rtcp_senders: Vec::new() }
    }

    /// Unprotects an SRTP packet in place.
    ///
    /// # Errors
    /// [`SrtpError`]; nothing has changed then, except perhaps the bytes of `packet`.
    ///
    /// # Real-time
    /// Allocates only for the first packet of a new SSRC; O(packet).
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<Unprotected, SrtpError> {
        let header = rtp_header_len(packet)?;
        let (ssrc, seq) = rtp_ids(packet);
        let (known, window) = match self.first {
            Some((first, window)) if first == ssrc => (Some(0), window),
            _ => match self.by_ssrc.get(&ssrc) {
                Some(&i) => (Some(i as usize), self.others[i as usize - 1]),
                None if self.streams() >= self.max_ssrcs => return Err(SrtpError::TooManySsrcs),
                None => (None, Window::default()),
            },
        };
        let index = window.estimate(seq).filter(|i| *i < RTP_INDICES && window.is_new(*i));
        let index = index.ok_or(SrtpError::Replayed)?;
        let len = self.rtp.open_rtp(packet, header, ssrc, index)?;
        let stream = known.unwrap_or_else(|| self.open_stream(ssrc));
        match (stream, &mut self.first) {
            (0, Some((_, window))) => window.note(index),
            _ => self.others[stream - 1].note(index),
        }
        Ok(Unprotected { len, stream, index })
    }

    /// Unprotects an SRTCP packet in place; returns its plain length.
    ///
    /// # Errors
    /// [`SrtpError`]; nothing has changed then, except perhaps the bytes of `packet`.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let index = self.rtcp.rtcp_index(packet)?;
        let known = self.rtcp_senders.iter().position(|(s, _)| *s == ssrc);
        if known.is_none() && self.rtcp_senders.len() >= MAX_RTCP_SENDERS {
            return Err(SrtpError::TooManySsrcs);
        }
        if known.is_some_and(|i| !self.rtcp_senders[i].1.is_new(u64::from(index))) {
            return Err(SrtpError::Replayed);
        }
        let len = self.rtcp.open_rtcp(packet, ssrc, index)?;
        let at = known.unwrap_or_else(|| {
            self.rtcp_senders.push((ssrc, Window::default()));
            self.rtcp_senders.len() - 1
        });
        self.rtcp_senders[at].1.note(u64::from(index));
        Ok(len)
    }

    /// Reads what the next packet will need.
    pub(crate) fn warm(&self) -> u64 {
        self.first.map_or(0, |(ssrc, _)| u64::from(ssrc)) ^ self.rtp.warm()
    }

    /// Distinct SSRCs that have sent authentic packets.
    #[must_use]
    pub fn streams(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    fn open_stream(&mut self, ssrc: u32) -> usize {
        let number = self.streams();
        if number == 0 {
            self.first = Some((ssrc, Window::default()));
            return 0;
        }
        self.others.push(Window::default());
        self.by_ssrc.insert(ssrc, u32::try_from(number).expect("invariant: max_ssrcs is far below 2^32"));
        number
    }
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound").field("streams", &self.streams()).finish_non_exhaustive()
    }
}
