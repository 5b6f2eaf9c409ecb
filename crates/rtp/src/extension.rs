//! RTP header extensions: a walk over the elements of the one-byte and the two-byte form.
//!
//! Read by [`crate::RtpPacket::extension`], written by [`crate::RtpHeader`]. Thread: any, no allocation.
//! Invariant: a malformed element ends the walk, it never fails the packet (the media is still good).
//! Does not: know which id means what; that is negotiated in SDP.
//! Spec: RFC 8285 §4.2 (one-byte), §4.3 (two-byte).

/// `defined by profile` value that marks the one-byte form (RFC 8285 §4.2).
pub(crate) const ONE_BYTE_PROFILE: u16 = 0xbede;
/// The same for the two-byte form; the low four bits are "appbits" (RFC 8285 §4.3).
const TWO_BYTE_PROFILE: u16 = 0x1000;
const TWO_BYTE_MASK: u16 = 0xfff0;
/// Largest id of the one-byte form; 15 is reserved and ends the walk (RFC 8285 §4.2).
pub(crate) const ONE_BYTE_MAX_ID: u8 = 14;
/// Largest element of the one-byte form, in bytes (RFC 8285 §4.2).
pub(crate) const ONE_BYTE_MAX_LEN: usize = 16;

/// One header extension element: the negotiated id and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// The id from SDP `a=extmap`.
    pub id: u8,
    /// The element's bytes; may be empty in the two-byte form.
    pub data: &'a [u8],
}

/// Iterates the elements of a header extension block; made by [`crate::RtpPacket::extensions`].
#[derive(Clone, Copy, Debug)]
pub struct Extensions<'a> {
    form: Form,
    rest: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    OneByte,
    TwoByte,
    /// No extension, or a profile of RFC 3550 §5.3.1 that has no elements.
    Opaque,
}

impl<'a> Extensions<'a> {
    pub(crate) fn new(profile: u16, block: &'a [u8]) -> Self {
        let form = if profile == ONE_BYTE_PROFILE {
            Form::OneByte
        } else if profile & TWO_BYTE_MASK == TWO_BYTE_PROFILE {
            Form::TwoByte
        } else {
            Form::Opaque
        };
        Self { form, rest: block }
    }

    fn end(&mut self) -> Option<Extension<'a>> {
        self.rest = &[];
        None
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    fn next(&mut self) -> Option<Extension<'a>> {
        loop {
            let (&first, after) = self.rest.split_first()?;
            let (id, len, after) = match self.form {
                Form::Opaque => return self.end(),
                // A zero byte is padding in both forms.
                _ if first == 0 => {
                    self.rest = after;
                    continue;
                }
                Form::OneByte => {
                    let id = first >> 4;
                    if id == 0 || id > ONE_BYTE_MAX_ID {
                        return self.end();
                    }
                    (id, usize::from(first & 0x0f) + 1, after)
                }
                Form::TwoByte => {
                    let Some((&len, after)) = after.split_first() else { return self.end() };
                    (first, usize::from(len), after)
                }
            };
            let Some((data, rest)) = after.split_at_checked(len) else { return self.end() };
            self.rest = rest;
            return Some(Extension { id, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(profile: u16, block: &[u8]) -> Vec<(u8, Vec<u8>)> {
        Extensions::new(profile, block).map(|e| (e.id, e.data.to_vec())).collect()
    }

    #[test]
    fn elements_are_found_past_padding_and_up_to_a_malformed_one() {
        type Case<'a> = (&'a str, u16, &'a [u8], &'a [(u8, &'a [u8])]);
        let cases: &[Case<'_>] = &[
            ("one element", 0xbede, &[0x10, 0x85, 0, 0], &[(1, &[0x85])]),
            ("padding between", 0xbede, &[0x10, 1, 0, 0, 0x21, 2, 3, 0], &[(1, &[1]), (2, &[2, 3])]),
            ("id 15 stops", 0xbede, &[0x10, 1, 0xf0, 9, 0x20, 2], &[(1, &[1])]),
            ("id 0 with a length stops", 0xbede, &[0x03, 1, 2, 3, 0x10, 1], &[]),
            ("data cut short", 0xbede, &[0x10, 1, 0x2f, 1], &[(1, &[1])]),
            ("two-byte form", 0x1000, &[1, 0, 16, 2, 7, 8, 0, 0], &[(1, &[]), (16, &[7, 8])]),
            ("two-byte with appbits", 0x100f, &[3, 1, 5], &[(3, &[5])]),
            ("two-byte cut at length", 0x1000, &[3], &[]),
            ("other profile", 0x1234, &[0x10, 1, 0, 0], &[]),
        ];
        for (name, profile, block, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(id, d)| (*id, d.to_vec())).collect();
            assert_eq!(walk(*profile, block), expected, "{name}");
        }
    }
}
