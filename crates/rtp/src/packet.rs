//! One RTP packet: a view over received bytes and a writer into a buffer.
//!
//! Pipeline reads [`RtpPacket`] from the ingress ring and writes [`RtpHeader`] into the egress ring. Thread: any.
//! Invariant: `parse` checks every length once; accessors then only slice. No allocation, O(header).
//! Does not: validate against a session (payload types, SSRCs); that is the reader's policy.
//! Spec: RFC 3550 §5.1, §5.3.1; RFC 8285 for the extension block.

use crate::extension::{Extension, Extensions, ONE_BYTE_MAX_ID, ONE_BYTE_MAX_LEN, ONE_BYTE_PROFILE};
use crate::{PayloadType, RtpError, RtpTimestamp, SeqNo, SourceId, Ssrc, WriteError};

/// Fixed part of the header, in bytes (RFC 3550 §5.1).
const FIXED_LEN: usize = 12;
/// Most CSRCs a packet can carry: the count has four bits (RFC 3550 §5.1).
pub const MAX_CSRCS: usize = 15;

/// A zero-copy view of one RTP packet.
///
/// # Real-time
/// Parsing and every accessor are wait-free and allocate nothing.
#[derive(Clone, Copy, Debug)]
pub struct RtpPacket<'a> {
    fixed: &'a [u8; FIXED_LEN],
    csrcs: &'a [u8],
    extension_profile: u16,
    extension: &'a [u8],
    payload: &'a [u8],
}

impl<'a> RtpPacket<'a> {
    /// Reads `bytes` as one plain (not encrypted) RTP packet.
    ///
    /// # Errors
    /// [`RtpError`] if the version is not 2, or a length, count or padding field contradicts the bytes.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtpError> {
        let (fixed, rest) = bytes.split_first_chunk::<FIXED_LEN>().ok_or(RtpError::Truncated)?;
        if fixed[0] >> 6 != 2 {
            return Err(RtpError::Version);
        }
        let csrc_len = usize::from(fixed[0] & 0x0f) * 4;
        let (csrcs, mut rest) = rest.split_at_checked(csrc_len).ok_or(RtpError::Truncated)?;
        let mut extension_profile = 0;
        let mut extension: &[u8] = &[];
        if fixed[0] & 0x10 != 0 {
            let (head, after) = rest.split_first_chunk::<4>().ok_or(RtpError::Truncated)?;
            extension_profile = u16::from_be_bytes([head[0], head[1]]);
            let len = usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
            (extension, rest) = after.split_at_checked(len).ok_or(RtpError::Truncated)?;
        }
        let mut payload = rest;
        if fixed[0] & 0x20 != 0 {
            let pad = usize::from(*payload.last().ok_or(RtpError::Padding)?);
            if pad == 0 || pad > payload.len() {
                return Err(RtpError::Padding);
            }
            payload = &payload[..payload.len() - pad];
        }
        Ok(Self { fixed, csrcs, extension_profile, extension, payload })
    }

    /// The marker bit; for speech, the first packet of a talkspurt (RFC 3551 §4.1).
    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The payload type.
    pub fn payload_type(&self) -> PayloadType {
        PayloadType::from_header_byte(self.fixed[1])
    }

    /// The sequence number.
    pub fn seq(&self) -> SeqNo {
        SeqNo::new(u16::from_be_bytes([self.fixed[2], self.fixed[3]]))
    }

    /// The media timestamp.
    pub fn timestamp(&self) -> RtpTimestamp {
        RtpTimestamp::new(u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]]))
    }

    /// The synchronisation source.
    pub fn ssrc(&self) -> Ssrc {
        Ssrc::new(u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]]))
    }

    /// The contributing sources, at most [`MAX_CSRCS`].
    pub fn csrcs(&self) -> Csrcs<'a> {
        Csrcs { rest: self.csrcs }
    }

    /// The header extension elements, in wire order.
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions::new(self.extension_profile, self.extension)
    }

    /// The data of the first header extension with this negotiated id.
    pub fn extension(&self, id: u8) -> Option<&'a [u8]> {
        self.extensions().find(|e| e.id == id).map(|e| e.data)
    }

    /// The payload without padding; may be empty.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// Iterates the contributing sources of a packet; made by [`RtpPacket::csrcs`].
#[derive(Clone, Copy, Debug)]
pub struct Csrcs<'a> {
    rest: &'a [u8],
}

impl Iterator for Csrcs<'_> {
    type Item = SourceId;

    fn next(&mut self) -> Option<SourceId> {
        let (word, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(SourceId::new(u32::from_be_bytes(*word)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len() / 4, Some(self.rest.len() / 4))
    }
}

impl ExactSizeIterator for Csrcs<'_> {}

/// The header of a packet to be written; borrows its lists.
#[derive(Clone, Copy, Debug)]
pub struct RtpHeader<'a> {
    /// First packet of a talkspurt.
    pub marker: bool,
    /// Negotiated payload type.
    pub payload_type: PayloadType,
    /// Sequence number.
    pub seq: SeqNo,
    /// Media timestamp in the payload's clock.
    pub timestamp: RtpTimestamp,
    /// Synchronisation source.
    pub ssrc: Ssrc,
    /// Contributing sources, at most [`MAX_CSRCS`].
    pub csrcs: &'a [SourceId],
    /// Extension elements in the one-byte form: id 1 to 14, 1 to 16 bytes each.
    pub extensions: &'a [Extension<'a>],
}

impl RtpHeader<'_> {
    /// Bytes this header takes on the wire, extension padding included.
    ///
    /// # Errors
    /// [`WriteError`] if the lists do not fit an RTP header.
    pub fn wire_len(&self) -> Result<usize, WriteError> {
        if self.csrcs.len() > MAX_CSRCS {
            return Err(WriteError::TooMany { count: self.csrcs.len(), max: MAX_CSRCS });
        }
        for Extension { id, data } in self.extensions {
            let fits = (1..=ONE_BYTE_MAX_ID).contains(id) && (1..=ONE_BYTE_MAX_LEN).contains(&data.len());
            if !fits {
                return Err(WriteError::Extension { id: *id, len: data.len() });
            }
        }
        let block = self.extension_words() * 4;
        if block > usize::from(u16::MAX) * 4 {
            return Err(WriteError::TooMany { count: self.extensions.len(), max: usize::from(u16::MAX) });
        }
        let extension_head = if self.extensions.is_empty() { 0 } else { 4 };
        Ok(FIXED_LEN + self.csrcs.len() * 4 + extension_head + block)
    }

    /// Writes the header to the front of `out` and returns its length; the payload may then be written after it in place.
    ///
    /// # Errors
    /// [`WriteError`] if `out` is too small or the lists do not fit; `out` is then untouched.
    pub fn write_header(&self, out: &mut [u8]) -> Result<usize, WriteError> {
        let needed = self.wire_len()?;
        let out = out.get_mut(..needed).ok_or(WriteError::Buffer { needed })?;
        let has_extension = !self.extensions.is_empty();
        out[0] = 0x80 | if has_extension { 0x10 } else { 0 } | self.csrcs.len() as u8;
        out[1] = self.payload_type.as_u8() | if self.marker { 0x80 } else { 0 };
        out[2..4].copy_from_slice(&self.seq.as_u16().to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.as_u32().to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.as_u32().to_be_bytes());
        let (csrcs, block) = out[FIXED_LEN..].split_at_mut(self.csrcs.len() * 4);
        for (slot, csrc) in csrcs.chunks_exact_mut(4).zip(self.csrcs) {
            slot.copy_from_slice(&csrc.as_u32().to_be_bytes());
        }
        if has_extension {
            block[..2].copy_from_slice(&ONE_BYTE_PROFILE.to_be_bytes());
            block[2..4].copy_from_slice(&(self.extension_words() as u16).to_be_bytes());
            let mut at = 4;
            for Extension { id, data } in self.extensions {
                block[at] = id << 4 | (data.len() - 1) as u8;
                block[at + 1..][..data.len()].copy_from_slice(data);
                at += 1 + data.len();
            }
            block[at..].fill(0);
        }
        Ok(needed)
    }

    /// Writes header and `payload` to the front of `out` and returns the packet's length.
    ///
    /// # Errors
    /// [`WriteError`] if `out` is too small or the lists do not fit; `out` is then untouched.
    ///
    /// # Real-time
    /// Wait-free, allocates nothing, O(packet).
    pub fn write(&self, out: &mut [u8], payload: &[u8]) -> Result<usize, WriteError> {
        let header = self.wire_len()?;
        let needed = header + payload.len();
        let out = out.get_mut(..needed).ok_or(WriteError::Buffer { needed })?;
        self.write_header(out)?;
        out[header..].copy_from_slice(payload);
        Ok(needed)
    }

    fn extension_words(&self) -> usize {
        let bytes: usize = self.extensions.iter().map(|e| 1 + e.data.len()).sum();
        bytes.div_ceil(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> RtpHeader<'static> {
        RtpHeader {
            marker: true,
            payload_type: PayloadType::new(111).unwrap(),
            seq: SeqNo::new(0x1234),
            timestamp: RtpTimestamp::new(0x89ab_cdef),
            ssrc: Ssrc::new(0xdead_beef),
            csrcs: &[],
            extensions: &[],
        }
    }

    #[test]
    fn plain_header_has_the_published_layout() {
        let mut out = [0; 16];
        let n = header().write(&mut out, &[7, 8]).unwrap();
        assert_eq!(&out[..n], &[0x80, 0xef, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 0xde, 0xad, 0xbe, 0xef, 7, 8]);
    }

    #[test]
    fn hostile_packets_are_refused_by_name() {
        let fixed = |first: u8| [first, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2];
        let with = |first: u8, tail: &[u8]| [&fixed(first)[..], tail].concat();
        let cases: &[(&str, Vec<u8>, RtpError)] = &[
            ("empty", vec![], RtpError::Truncated),
            ("eleven bytes", fixed(0x80)[..11].to_vec(), RtpError::Truncated),
            ("version 1", with(0x40, &[]), RtpError::Version),
            ("version 3", with(0xc0, &[]), RtpError::Version),
            ("csrcs missing", with(0x82, &[0; 7]), RtpError::Truncated),
            ("extension head missing", with(0x90, &[0xbe, 0xde, 0]), RtpError::Truncated),
            ("extension too long", with(0x90, &[0xbe, 0xde, 0, 2, 1, 2, 3, 4]), RtpError::Truncated),
            ("padding without payload", with(0xa0, &[]), RtpError::Padding),
            ("padding of zero", with(0xa0, &[1, 0]), RtpError::Padding),
            ("padding larger than payload", with(0xa0, &[1, 3]), RtpError::Padding),
        ];
        for (name, bytes, expected) in cases {
            assert_eq!(RtpPacket::parse(bytes).err(), Some(*expected), "{name}");
        }
    }

    #[test]
    fn padding_is_not_payload() {
        let mut bytes = vec![0xa0, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2];
        bytes.extend([9, 9, 0, 0, 3]);
        assert_eq!(RtpPacket::parse(&bytes).unwrap().payload(), &[9, 9]);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_leaves_the_buffer_alone() {
        let many = [SourceId::new(1); 16];
        let long = [0; 17];
        let cases: &[(RtpHeader<'_>, usize, WriteError)] = &[
            (header(), 13, WriteError::Buffer { needed: 14 }),
            (RtpHeader { csrcs: &many, ..header() }, 200, WriteError::TooMany { count: 16, max: 15 }),
            (
                RtpHeader { extensions: &[Extension { id: 15, data: &[1] }], ..header() },
                200,
                WriteError::Extension { id: 15, len: 1 },
            ),
            (
                RtpHeader { extensions: &[Extension { id: 1, data: &long }], ..header() },
                200,
                WriteError::Extension { id: 1, len: 17 },
            ),
        ];
        for (header, room, expected) in cases {
            let mut out = vec![0x55; *room];
            assert_eq!(header.write(&mut out, &[1, 2]), Err(*expected));
            assert!(out.iter().all(|b| *b == 0x55));
        }
    }

    proptest! {
        #[test]
        fn parse_of_write_gives_everything_back(
            marker: bool, pt in 0u8..128, seq: u16, ts: u32, ssrc: u32,
            csrcs in prop::collection::vec(any::<u32>(), 0..=15),
            extensions in prop::collection::vec((1u8..=14, prop::collection::vec(any::<u8>(), 1..=16)), 0..=4),
            payload in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let csrcs: Vec<_> = csrcs.into_iter().map(SourceId::new).collect();
            let elements: Vec<_> = extensions.iter().map(|(id, data)| Extension { id: *id, data }).collect();
            let header = RtpHeader {
                marker, payload_type: PayloadType::new(pt).unwrap(), seq: SeqNo::new(seq),
                timestamp: RtpTimestamp::new(ts), ssrc: Ssrc::new(ssrc), csrcs: &csrcs, extensions: &elements,
            };
            let mut out = [0xaa; 1500];
            let n = header.write(&mut out, &payload).unwrap();
            let packet = RtpPacket::parse(&out[..n]).unwrap();
            prop_assert_eq!(packet.marker(), marker);
            prop_assert_eq!(packet.payload_type().as_u8(), pt);
            prop_assert_eq!(packet.seq(), header.seq);
            prop_assert_eq!(packet.timestamp(), header.timestamp);
            prop_assert_eq!(packet.ssrc(), header.ssrc);
            prop_assert_eq!(packet.csrcs().collect::<Vec<_>>(), csrcs);
            prop_assert_eq!(packet.extensions().collect::<Vec<_>>(), elements.clone());
            for element in &elements {
                let first = elements.iter().find(|e| e.id == element.id).unwrap();
                prop_assert_eq!(packet.extension(element.id), Some(first.data));
            }
            prop_assert_eq!(packet.payload(), &payload[..]);
        }

        #[test]
        fn any_bytes_parse_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), first in 0x80u8..0xc0) {
            crate::fuzz::rtp(&bytes);
            // Most random bytes fail at the version; force it right to reach the rest.
            let mut bytes = bytes;
            if let Some(b) = bytes.first_mut() { *b = first; }
            crate::fuzz::rtp(&bytes);
        }
    }
}
