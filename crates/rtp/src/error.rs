//! Why bytes from the wire were refused, and why a packet could not be written.
//!
//! Two types by culprit: [`RtpError`] is the peer's fault, [`WriteError`] the caller's.
//! Both are small and `Copy`, so a media thread can count them by kind.

/// A peer sent bytes that are not what they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// The bytes end before the part that a length or count promises.
    #[error("packet is truncated")]
    Truncated,
    /// The version field is not 2 (RFC 3550 §5.1).
    #[error("RTP version is not 2")]
    Version,
    /// The padding count is zero or larger than what it pads (RFC 3550 §5.1).
    #[error("padding count is impossible")]
    Padding,
    /// A count or length field contradicts the bytes that follow it.
    #[error("length field contradicts the packet")]
    Length,
}

/// The caller asked for a packet that cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The output buffer is too small; the whole packet needs `needed` bytes.
    #[error("buffer too small: {needed} bytes needed")]
    Buffer {
        /// Size in bytes of the whole packet.
        needed: usize,
    },
    /// More CSRCs, report blocks or sources than the count field can say.
    #[error("{count} items, at most {max} fit")]
    TooMany {
        /// How many were given.
        count: usize,
        /// How many the field can say.
        max: usize,
    },
    /// An extension id outside 1..=14 or data outside 1..=16 bytes (RFC 8285 §4.2).
    #[error("header extension {id} with {len} bytes does not fit the one-byte form")]
    Extension {
        /// The extension id.
        id: u8,
        /// Its length in bytes.
        len: usize,
    },
    /// A text, block or offset longer than its field can say.
    #[error("field of {len} does not fit, at most {max}")]
    FieldTooLong {
        /// The value given.
        len: usize,
        /// The largest value the field can say.
        max: usize,
    },
}
