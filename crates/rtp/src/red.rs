//! Redundant audio (RED): a view over a RED payload and a writer for one.
//!
//! Pipeline unpacks received RED with it and packs what it sends where RED was negotiated. Thread: any, no allocation.
//! Invariant: `parse` checks that the blocks fit, so the walk cannot fail.
//! Does not: choose what to repeat.
//! Spec: RFC 2198 §3.

use crate::{PayloadType, RtpError, WriteError};

/// Largest timestamp offset of a redundant block: 14 bits (RFC 2198 §3).
pub const MAX_OFFSET: u16 = 0x3fff;
/// Largest redundant block in bytes: 10 bits (RFC 2198 §3).
pub const MAX_BLOCK_LEN: usize = 0x3ff;

/// One block of a RED payload; the primary one has offset 0 and comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedBlock<'a> {
    /// Payload type of the block's own encoding.
    pub payload_type: PayloadType,
    /// How many clock ticks this block is older than the packet's timestamp.
    pub offset: u16,
    /// The encoded frame.
    pub data: &'a [u8],
}

/// A checked RED payload, iterated oldest block first as it is on the wire, primary last.
#[derive(Clone, Copy, Debug)]
pub struct RedPayload<'a> {
    headers: &'a [u8],
    data: &'a [u8],
}

impl<'a> RedPayload<'a> {
    /// Reads an RTP payload as RED.
    ///
    /// # Errors
    /// [`RtpError::Truncated`] if a header or block is cut short.
    pub fn parse(payload: &'a [u8]) -> Result<Self, RtpError> {
        let mut at = 0;
        let mut needed = 0;
        loop {
            let first = *payload.get(at).ok_or(RtpError::Truncated)?;
            if first & 0x80 == 0 {
                break;
            }
            let header = payload.get(at..at + 4).ok_or(RtpError::Truncated)?;
            needed += block_len(header);
            at += 4;
        }
        let (headers, data) = payload.split_at(at + 1);
        if data.len() < needed {
            return Err(RtpError::Truncated);
        }
        Ok(Self { headers, data })
    }

    /// The newest frame: what the packet would carry without RED.
    pub fn primary(&self) -> RedBlock<'a> {
        self.last().expect("invariant: a parsed RED payload ends with its primary block")
    }
}

impl<'a> Iterator for RedPayload<'a> {
    type Item = RedBlock<'a>;

    fn next(&mut self) -> Option<RedBlock<'a>> {
        let first = *self.headers.first()?;
        let payload_type = PayloadType::from_header_byte(first);
        if first & 0x80 == 0 {
            let data = self.data;
            (self.headers, self.data) = (&[], &[]);
            return Some(RedBlock { payload_type, offset: 0, data });
        }
        let (header, headers) = self.headers.split_at_checked(4)?;
        let (data, rest) = self.data.split_at_checked(block_len(header))?;
        (self.headers, self.data) = (headers, rest);
        let offset = u16::from_be_bytes([header[1], header[2]]) >> 2;
        Some(RedBlock { payload_type, offset, data })
    }
}

fn block_len(header: &[u8]) -> usize {
    usize::from(u16::from_be_bytes([header[2], header[3]])) & MAX_BLOCK_LEN
}

/// Writes a RED payload: `redundant` oldest first, then `primary`, and returns its length.
///
/// # Errors
/// [`WriteError`] if `out` is too small or a redundant block is too long or too old; `out` is then untouched.
///
/// # Real-time
/// Wait-free, allocates nothing.
pub fn write(out: &mut [u8], redundant: &[RedBlock<'_>], primary: RedBlock<'_>) -> Result<usize, WriteError> {
    let mut needed = 1 + primary.data.len();
    for block in redundant {
        if block.data.len() > MAX_BLOCK_LEN {
            return Err(WriteError::FieldTooLong { len: block.data.len(), max: MAX_BLOCK_LEN });
        }
        if block.offset > MAX_OFFSET {
            return Err(WriteError::FieldTooLong { len: block.offset.into(), max: MAX_OFFSET.into() });
        }
        needed += 4 + block.data.len();
    }
    let out = out.get_mut(..needed).ok_or(WriteError::Buffer { needed })?;
    let (mut head, mut body) = out.split_at_mut(4 * redundant.len() + 1);
    for block in redundant {
        let word = 1 << 31
            | u32::from(block.payload_type.as_u8()) << 24
            | u32::from(block.offset) << 10
            | block.data.len() as u32;
        let (slot, rest) = head.split_at_mut(4);
        slot.copy_from_slice(&word.to_be_bytes());
        head = rest;
        let (slot, rest) = body.split_at_mut(block.data.len());
        slot.copy_from_slice(block.data);
        body = rest;
    }
    head[0] = primary.payload_type.as_u8();
    body.copy_from_slice(primary.data);
    Ok(needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pt(raw: u8) -> PayloadType {
        PayloadType::new(raw).unwrap()
    }

    #[test]
    fn one_redundant_block_has_the_published_layout() {
        let mut out = [0; 32];
        let old = RedBlock { payload_type: pt(111), offset: 960, data: &[1, 2] };
        let new = RedBlock { payload_type: pt(111), offset: 0, data: &[3] };
        let n = write(&mut out, &[old], new).unwrap();
        // 1|1101111 then 960 << 10 | 2 in 24 bits, then 0|1101111.
        assert_eq!(&out[..n], &[0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2, 3]);
        let parsed = RedPayload::parse(&out[..n]).unwrap();
        assert_eq!(parsed.primary(), new);
        assert_eq!(parsed.collect::<Vec<_>>(), [old, new]);
    }

    #[test]
    fn cut_payloads_are_refused() {
        for bytes in [&[][..], &[0x80], &[0xef, 0, 0, 2], &[0xef, 0, 0, 2, 0x6f], &[0xef, 0, 0, 2, 0x6f, 1]] {
            assert_eq!(RedPayload::parse(bytes).err(), Some(RtpError::Truncated), "{bytes:?}");
        }
        // An empty primary is legal.
        assert_eq!(RedPayload::parse(&[0x6f]).unwrap().primary().data, &[] as &[u8]);
    }

    #[test]
    fn blocks_too_long_or_too_old_are_refused() {
        let long = [0; 1024];
        let primary = RedBlock { payload_type: pt(1), offset: 0, data: &[] };
        let mut out = [0; 4096];
        for block in [
            RedBlock { payload_type: pt(1), offset: 0, data: &long[..] },
            RedBlock { payload_type: pt(1), offset: 0x4000, data: &[] },
        ] {
            assert!(matches!(write(&mut out, &[block], primary), Err(WriteError::FieldTooLong { .. })));
        }
        assert_eq!(write(&mut [], &[], primary), Err(WriteError::Buffer { needed: 1 }));
    }

    proptest! {
        #[test]
        fn parse_of_write_gives_every_block_back(
            blocks in prop::collection::vec((0u8..128, 0u16..=MAX_OFFSET, prop::collection::vec(any::<u8>(), 0..80)), 0..5),
            primary in prop::collection::vec(any::<u8>(), 0..80),
        ) {
            let blocks: Vec<_> = blocks.iter().map(|(p, offset, data)| RedBlock { payload_type: pt(*p), offset: *offset, data }).collect();
            let primary = RedBlock { payload_type: pt(96), offset: 0, data: &primary };
            let mut out = [0; 1500];
            let n = write(&mut out, &blocks, primary).unwrap();
            let got: Vec<_> = RedPayload::parse(&out[..n]).unwrap().collect();
            prop_assert_eq!(&got[..got.len() - 1], &blocks[..]);
            prop_assert_eq!(got[got.len() - 1], primary);
        }

        #[test]
        fn any_bytes_parse_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            crate::fuzz::red(&bytes);
        }
    }
}
