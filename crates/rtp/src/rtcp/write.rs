//! Writes RTCP compounds into a caller's buffer, one part after the other.
//!
//! Used by transport for reports and BYE. Thread: any, no allocation.
//! Invariant: a part that does not fit is refused whole; what was written before it stays valid.
//! Does not: order the parts; the caller puts SR or RR first (RFC 3550 §6.1).
//! Spec: RFC 3550 §6.4 to §6.6.

use super::report::{BLOCK_LEN, MAX_BLOCKS, ReportBlock, SENDER_INFO_LEN, SenderInfo};
use super::{HEADER_LEN, PT_BYE, PT_RR, PT_SDES, PT_SR, sdes};
use crate::{Ssrc, WriteError};

/// Longest text of an SDES item or a BYE reason, in bytes (RFC 3550 §6.5).
const MAX_TEXT: usize = 255;
/// Most sources of one BYE or SDES (RFC 3550 §6.6).
const MAX_SOURCES: usize = 31;

/// A compound being written.
#[derive(Debug)]
pub struct RtcpWriter<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> RtcpWriter<'a> {
    /// Starts at the front of `out`.
    pub fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Appends an SR (RFC 3550 §6.4.1).
    ///
    /// # Errors
    /// [`WriteError`] if there is no room or there are more than [`MAX_BLOCKS`] blocks.
    pub fn sender_report(&mut self, ssrc: Ssrc, info: SenderInfo, blocks: &[ReportBlock]) -> Result<(), WriteError> {
        let part = self.part(PT_SR, blocks.len(), 4 + SENDER_INFO_LEN + blocks.len() * BLOCK_LEN)?;
        part[..4].copy_from_slice(&ssrc.as_u32().to_be_bytes());
        part[4..12].copy_from_slice(&info.ntp.as_u64().to_be_bytes());
        part[12..16].copy_from_slice(&info.rtp.as_u32().to_be_bytes());
        part[16..20].copy_from_slice(&info.packets.to_be_bytes());
        part[20..24].copy_from_slice(&info.octets.to_be_bytes());
        write_blocks(&mut part[24..], blocks);
        Ok(())
    }

    /// Appends an RR (RFC 3550 §6.4.2).
    ///
    /// # Errors
    /// [`WriteError`] if there is no room or there are more than [`MAX_BLOCKS`] blocks.
    pub fn receiver_report(&mut self, ssrc: Ssrc, blocks: &[ReportBlock]) -> Result<(), WriteError> {
        let part = self.part(PT_RR, blocks.len(), 4 + blocks.len() * BLOCK_LEN)?;
        part[..4].copy_from_slice(&ssrc.as_u32().to_be_bytes());
        write_blocks(&mut part[4..], blocks);
        Ok(())
    }

    /// Appends an SDES with one CNAME (RFC 3550 §6.5.1).
    ///
    /// # Errors
    /// [`WriteError`] if there is no room or the name is longer than 255 bytes.
    pub fn sdes_cname(&mut self, ssrc: Ssrc, cname: &str) -> Result<(), WriteError> {
        let text = check_text(cname)?;
        // SSRC, item head, text, at least one zero, to the next word.
        let part = self.part(PT_SDES, 1, (4 + 2 + text.len() + 1).next_multiple_of(4))?;
        part[..4].copy_from_slice(&ssrc.as_u32().to_be_bytes());
        part[4] = sdes::CNAME;
        part[5] = text.len() as u8;
        part[6..6 + text.len()].copy_from_slice(text);
        Ok(())
    }

    /// Appends a BYE (RFC 3550 §6.6).
    ///
    /// # Errors
    /// [`WriteError`] if there is no room, more than 31 sources, or the reason is longer than 255 bytes.
    pub fn bye(&mut self, sources: &[Ssrc], reason: Option<&str>) -> Result<(), WriteError> {
        let text = reason.map(check_text).transpose()?;
        let text_len = text.map_or(0, |t| (1 + t.len()).next_multiple_of(4));
        let part = self.part(PT_BYE, sources.len(), sources.len() * 4 + text_len)?;
        let (ids, tail) = part.split_at_mut(sources.len() * 4);
        for (slot, ssrc) in ids.as_chunks_mut::<4>().0.iter_mut().zip(sources) {
            *slot = ssrc.as_u32().to_be_bytes();
        }
        if let Some(text) = text {
            tail[0] = text.len() as u8;
            tail[1..1 + text.len()].copy_from_slice(text);
        }
        Ok(())
    }

    /// Bytes written so far: the length of the compound.
    pub fn finish(self) -> usize {
        self.len
    }

    /// Claims the next part, zeroed, with its common header written; `body` is a whole number of words.
    fn part(&mut self, packet_type: u8, count: usize, body: usize) -> Result<&mut [u8], WriteError> {
        const { assert!(MAX_BLOCKS == MAX_SOURCES) };
        if count > MAX_SOURCES {
            return Err(WriteError::TooMany { count, max: MAX_SOURCES });
        }
        let end = self.len + HEADER_LEN + body;
        let part = self.out.get_mut(self.len..end).ok_or(WriteError::Buffer { needed: end })?;
        self.len = end;
        let (header, body_bytes) = part.split_at_mut(HEADER_LEN);
        header[0] = 0x80 | count as u8;
        header[1] = packet_type;
        header[2..].copy_from_slice(&((body / 4) as u16).to_be_bytes());
        body_bytes.fill(0);
        Ok(body_bytes)
    }
}

fn write_blocks(out: &mut [u8], blocks: &[ReportBlock]) {
    for (slot, block) in out.as_chunks_mut::<BLOCK_LEN>().0.iter_mut().zip(blocks) {
        block.write(slot);
    }
}

fn check_text(text: &str) -> Result<&[u8], WriteError> {
    let bytes = text.as_bytes();
    if bytes.len() > MAX_TEXT {
        return Err(WriteError::FieldTooLong { len: bytes.len(), max: MAX_TEXT });
    }
    Ok(bytes)
}
