//! Source descriptions: chunks of items, of which CNAME is the one that matters.
//!
//! Part of [`crate::rtcp`]. Thread: any, no allocation. Invariant: chunk and item bounds are checked when the view is made.
//! Spec: RFC 3550 §6.5.

use crate::{RtpError, Ssrc};

/// Item type of CNAME (RFC 3550 §6.5.1).
pub(super) const CNAME: u8 = 1;

/// A source description part.
#[derive(Clone, Copy, Debug)]
pub struct Sdes<'a> {
    count: u8,
    body: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtpError> {
        let mut rest = body;
        for _ in 0..count {
            rest = split_chunk(rest).ok_or(RtpError::Length)?.2;
        }
        Ok(Self { count, body })
    }

    /// The described sources with their items.
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks { left: self.count, rest: self.body }
    }

    /// The canonical name of a source, if it is told here; UTF-8 by the standard, unchecked.
    pub fn cname(&self, ssrc: Ssrc) -> Option<&'a [u8]> {
        let (_, mut items) = self.chunks().find(|(chunk, _)| *chunk == ssrc)?;
        items.find(|item| item.kind == CNAME).map(|item| item.text)
    }
}

/// Iterates the chunks of an SDES part.
#[derive(Clone, Copy, Debug)]
pub struct Chunks<'a> {
    left: u8,
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = (Ssrc, Items<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (ssrc, items, rest) = split_chunk(self.rest)?;
        self.rest = rest;
        Some((ssrc, Items { rest: items }))
    }
}

/// One item: its type and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// Item type; 1 is CNAME (RFC 3550 §12.2).
    pub kind: u8,
    /// The text as sent.
    pub text: &'a [u8],
}

/// Iterates the items of one chunk.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = SdesItem<'a>;

    fn next(&mut self) -> Option<SdesItem<'a>> {
        let (kind, text, rest) = split_item(self.rest)?;
        self.rest = rest;
        Some(SdesItem { kind, text })
    }
}

/// Cuts one chunk off: its source, its items without the terminator, and what follows on the next word.
fn split_chunk(bytes: &[u8]) -> Option<(Ssrc, &[u8], &[u8])> {
    let (ssrc, body) = bytes.split_first_chunk::<4>()?;
    let mut items = 0;
    while *body.get(items)? != 0 {
        let (_, text, _) = split_item(&body[items..])?;
        items += 2 + text.len();
    }
    // One or more zero bytes end the list and pad to a word (RFC 3550 §6.5).
    let end = (items + 1).next_multiple_of(4);
    Some((Ssrc::new(u32::from_be_bytes(*ssrc)), &body[..items], body.get(end..)?))
}

fn split_item(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(head[1]))?;
    Some((head[0], text, rest))
}
