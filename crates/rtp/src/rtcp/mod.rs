//! RTCP: a walk over a compound packet, views of its parts, and a writer for compounds of ours.
//!
//! Transport's network thread reads reports and BYE with it and writes SR, RR, SDES and BYE. Thread: any, no allocation.
//! Invariant: every view is length-checked when it is made; a malformed part ends the walk with one error.
//! The first part may be of any type, so reduced-size RTCP (RFC 5506) is read too.
//! Does not: keep statistics or decide when reports are due (RFC 3550 §6.2, §6.3).
//! Spec: RFC 3550 §6.4 to §6.6.

mod report;
mod sdes;
mod write;

use crate::{RtpError, Ssrc};
pub use report::{MAX_BLOCKS, NtpTime, ReceiverReport, ReportBlock, ReportBlocks, SenderInfo, SenderReport};
pub use sdes::{Chunks, Items, Sdes, SdesItem};
pub use write::RtcpWriter;

/// Packet types of RFC 3550 §12.1.
const PT_SR: u8 = 200;
const PT_RR: u8 = 201;
const PT_SDES: u8 = 202;
const PT_BYE: u8 = 203;
/// Common header of every part, in bytes (RFC 3550 §6.4.1).
const HEADER_LEN: usize = 4;

/// One part of a compound.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum RtcpPacket<'a> {
    /// SR (RFC 3550 §6.4.1).
    SenderReport(SenderReport<'a>),
    /// RR (RFC 3550 §6.4.2).
    ReceiverReport(ReceiverReport<'a>),
    /// SDES (RFC 3550 §6.5).
    Sdes(Sdes<'a>),
    /// BYE (RFC 3550 §6.6).
    Bye(Bye<'a>),
    /// Any other type (APP, feedback, XR), unread.
    Other {
        /// RTCP packet type.
        packet_type: u8,
        /// The five-bit count or format field.
        count: u8,
        /// The bytes after the common header, without padding.
        body: &'a [u8],
    },
}

/// Walks the parts of an RTCP datagram. After an error it is finished.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Starts at the front of a plain (not encrypted) RTCP datagram.
    pub const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }

    fn take(&mut self) -> Result<RtcpPacket<'a>, RtpError> {
        let header = self.rest.first_chunk::<HEADER_LEN>().ok_or(RtpError::Truncated)?;
        if header[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let len = usize::from(u16::from_be_bytes([header[2], header[3]])) * 4 + HEADER_LEN;
        let (packet, rest) = self.rest.split_at_checked(len).ok_or(RtpError::Truncated)?;
        let mut body = &packet[HEADER_LEN..];
        if header[0] & 0x20 != 0 {
            // Padding is allowed on the last part only, in whole words (RFC 3550 §6.4.1).
            let pad = usize::from(*body.last().ok_or(RtpError::Padding)?);
            if pad == 0 || pad % 4 != 0 || pad > body.len() || !rest.is_empty() {
                return Err(RtpError::Padding);
            }
            body = &body[..body.len() - pad];
        }
        self.rest = rest;
        let count = header[0] & 0x1f;
        Ok(match header[1] {
            PT_SR => RtcpPacket::SenderReport(SenderReport::parse(count, body)?),
            PT_RR => RtcpPacket::ReceiverReport(ReceiverReport::parse(count, body)?),
            PT_SDES => RtcpPacket::Sdes(Sdes::parse(count, body)?),
            PT_BYE => RtcpPacket::Bye(Bye::parse(count, body)?),
            packet_type => RtcpPacket::Other { packet_type, count, body },
        })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<RtcpPacket<'a>, RtpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let packet = self.take();
        if packet.is_err() {
            self.rest = &[];
        }
        Some(packet)
    }
}

/// A BYE: the sources that leave, and perhaps why (RFC 3550 §6.6).
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
    reason: Option<&'a [u8]>,
}

impl<'a> Bye<'a> {
    fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtpError> {
        let (sources, rest) = body.split_at_checked(usize::from(count) * 4).ok_or(RtpError::Length)?;
        let reason = match rest.split_first() {
            None => None,
            Some((len, text)) => Some(text.get(..usize::from(*len)).ok_or(RtpError::Length)?),
        };
        Ok(Self { sources, reason })
    }

    /// The sources that leave.
    pub fn sources(&self) -> impl Iterator<Item = Ssrc> + 'a {
        self.sources.as_chunks::<4>().0.iter().map(|word| Ssrc::new(u32::from_be_bytes(*word)))
    }

    /// The reason as sent; UTF-8 by the standard, unchecked here.
    pub fn reason(&self) -> Option<&'a [u8]> {
        self.reason
    }
}

#[cfg(test)]
mod tests;
