//! The sending half of an SRTP session.
//!
//! In the flow: network thread, plain packet in a send buffer → protected packet in the same buffer.
//! Invariants: each (SSRC, index) is protected once; a second try is refused, since repeating a GCM nonce
//! would give the key away (RFC 7714 §13.1).
//! Not here: making packets.

use std::collections::HashMap;

use super::cipher::Cipher;
use super::index::{RTP_INDICES, Window};
use super::{MasterKey, SrtpError, rtcp_ssrc, rtp_header_len, rtp_ids};

/// Encrypts and authenticates what we send.
pub struct Outbound {
    rtp: Cipher,
    rtcp: Cipher,
    /// The first stream, in place: most legs have no other.
    first: Option<(u32, Window)>,
    others: HashMap<u32, Window>,
    next_rtcp_index: u32,
}

impl Outbound {
    /// Session keys from our master key.
    #[must_use]
    pub fn new(master: &MasterKey) -> Self {
        let (rtp, rtcp) = (Cipher::rtp(master), Cipher::rtcp(master));
        Self { rtp, rtcp, first: None, others: HashMap::new(), next_rtcp_index: 0 }
    }

    /// Reads what the next packet will need.
    pub(crate) fn warm(&self) -> u64 {
        self.first.map_or(0, |(ssrc, _)| u64::from(ssrc)) ^ self.rtp.warm()
    }

    /// Protects the RTP packet in `buf[..len]` in place; returns its new length.
    ///
    /// # Errors
    /// [`SrtpError`]; `buf` must have [`super::MAX_OVERHEAD`] bytes of room behind the packet.
    ///
    /// # Real-time
    /// Allocates only for the first packet of a new SSRC; O(packet).
    pub fn protect_rtp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let packet = buf.get(..len).ok_or(SrtpError::Malformed)?;
        let header = rtp_header_len(packet)?;
        let (ssrc, seq) = rtp_ids(packet);
        let window = match self.first.get_or_insert_with(|| (ssrc, Window::default())) {
            (first, window) if *first == ssrc => window,
            _ => self.others.entry(ssrc).or_default(),
        };
        let index = window.estimate(seq).filter(|i| window.is_new(*i)).ok_or(SrtpError::ReusedIndex)?;
        if index >= RTP_INDICES {
            return Err(SrtpError::KeyExhausted);
        }
        let len = self.rtp.seal_rtp(buf, header, len, ssrc, index)?;
        window.note(index);
        Ok(len)
    }

    /// Protects the RTCP compound in `buf[..len]` in place; returns its new length.
    ///
    /// # Errors
    /// [`SrtpError`]; `buf` must have [`super::MAX_OVERHEAD`] bytes of room behind the compound.
    pub fn protect_rtcp(&mut self, buf: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let ssrc = buf.get(..len).and_then(rtcp_ssrc).ok_or(SrtpError::Malformed)?;
        let index = self.next_rtcp_index;
        if index >> 31 != 0 {
            return Err(SrtpError::KeyExhausted);
        }
        let len = self.rtcp.seal_rtcp(buf, len, ssrc, index)?;
        self.next_rtcp_index = index + 1;
        Ok(len)
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound")
            .field("streams", &(usize::from(self.first.is_some()) + self.others.len()))
            .finish_non_exhaustive()
    }
}
