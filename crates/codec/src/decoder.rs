//! The decoding half: packets, the FEC copies in them, and concealment when there is neither.
//!
//! One per source, fed by its jitter buffer on a media thread; built elsewhere. A decoder is
//! never reset in mid-stream: a stale one resumes cleanly, a reset one can blast.

use std::fmt;

use opusic_sys as opus;

use crate::sys::RawDecoder;
use crate::{Channels, CodecError, CodecRate};

/// The decoder complexity request, which the binding leaves out of its list because it shares
/// the encoder's number (`opus_defines.h`).
const SET_COMPLEXITY: i32 = opus::OPUS_SET_COMPLEXITY_REQUEST;

/// One Opus decoder. It takes packets of any rate, bandwidth and channel count and gives
/// samples at its own.
pub struct Decoder {
    raw: RawDecoder,
}

impl Decoder {
    /// Creates a decoder for this output shape.
    ///
    /// # Errors
    /// [`CodecError::OutOfMemory`].
    ///
    /// # Real-time
    /// Allocates about 18 KB: build it off the media thread.
    pub fn new(rate: CodecRate, channels: Channels) -> Result<Self, CodecError> {
        RawDecoder::new(rate, channels).map(|raw| Self { raw })
    }

    /// Decodes `packet` into `out` (full scale ±1, interleaved) and gives the samples per
    /// channel; they may slightly exceed full scale.
    ///
    /// # Errors
    /// [`CodecError::InvalidPacket`] for bytes that are no Opus packet,
    /// [`CodecError::BufferTooSmall`] if `out` is shorter than the packet's audio.
    ///
    /// # Real-time
    /// No allocation; tens of microseconds, 50 to 70 KB of stack.
    pub fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        self.raw.decode(packet, out)
    }

    /// Rebuilds the lost audio just before `next` from the FEC copy in it, filling all of `out`
    /// (a multiple of 2.5 ms, the lost duration). Without such a copy libopus conceals.
    /// Decode `next` itself afterwards, as usual.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    ///
    /// # Real-time
    /// As [`Decoder::decode`].
    pub fn decode_fec(&mut self, next: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        self.raw.decode_fec(next, out)
    }

    /// Conceals a loss, filling all of `out` (a multiple of 2.5 ms) with a plausible
    /// continuation that fades when repeated.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] for another length.
    ///
    /// # Real-time
    /// As [`Decoder::decode`].
    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        self.raw.conceal(out)
    }

    /// Sets the effort, 0 to 10. Without the neural tools in the build it changes nothing
    /// audible.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] above 10.
    ///
    /// # Real-time
    /// No allocation.
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), CodecError> {
        self.raw.set(SET_COMPLEXITY, i32::from(complexity))
    }

    /// Forgets all history. Only between streams, never inside one.
    ///
    /// # Errors
    /// [`CodecError::Internal`] if libopus refuses.
    ///
    /// # Real-time
    /// No allocation.
    pub fn reset(&mut self) -> Result<(), CodecError> {
        self.raw.reset()
    }

    /// The output rate.
    #[must_use]
    pub fn rate(&self) -> CodecRate {
        self.raw.rate()
    }

    /// The output channels.
    #[must_use]
    pub fn channels(&self) -> Channels {
        self.raw.channels()
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("rate", &self.rate())
            .field("channels", &self.channels())
            .finish_non_exhaustive()
    }
}
