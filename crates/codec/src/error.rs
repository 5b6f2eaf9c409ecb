//! What can go wrong in the codec, sorted by culprit: the peer's bytes, or the caller's arguments.

/// Why a codec call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The peer's packet is not a valid Opus packet (RFC 6716 §3.4).
    #[error("not a valid Opus packet")]
    InvalidPacket,
    /// The caller's output buffer cannot hold the result.
    #[error("the output buffer is too small")]
    BufferTooSmall,
    /// The caller's input length or setting is outside what Opus takes.
    #[error("an argument is outside what Opus takes")]
    BadArgument,
    /// State can be copied only between encoders of one rate and channel count.
    #[error("encoders of different rate or channel count cannot share state")]
    StateMismatch,
    /// The environment gave no memory for the state.
    #[error("no memory for the codec state")]
    OutOfMemory,
    /// libopus reported an internal error.
    #[error("libopus failed with code {0}")]
    Internal(i32),
}

impl CodecError {
    pub(crate) fn from_code(code: i32) -> Self {
        match code {
            opusic_sys::OPUS_INVALID_PACKET => Self::InvalidPacket,
            opusic_sys::OPUS_BUFFER_TOO_SMALL => Self::BufferTooSmall,
            opusic_sys::OPUS_BAD_ARG => Self::BadArgument,
            opusic_sys::OPUS_ALLOC_FAIL => Self::OutOfMemory,
            other => Self::Internal(other),
        }
    }
}
