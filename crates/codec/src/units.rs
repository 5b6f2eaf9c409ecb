//! The sample rates and channel counts Opus runs at (RFC 6716 §2).
//! Plain values; used by both halves of the codec and by whoever sizes its buffers.

/// A sample rate Opus decodes to and encodes from natively (RFC 6716 §2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodecRate {
    /// 8 kHz.
    Hz8000,
    /// 12 kHz.
    Hz12000,
    /// 16 kHz.
    Hz16000,
    /// 24 kHz.
    Hz24000,
    /// 48 kHz.
    Hz48000,
}

impl CodecRate {
    /// Samples per second and channel.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz12000 => 12_000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
            Self::Hz48000 => 48_000,
        }
    }

    /// Samples per channel in one 20 ms frame.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        (self.hz() / 50) as usize
    }

    /// Converts a span of the 48 kHz RTP clock (RFC 7587 §4.2) to samples at this rate.
    /// Exact for every span that is a multiple of 6; otherwise rounds down.
    #[must_use]
    pub const fn samples_from_48k(self, samples: usize) -> usize {
        samples * (self.hz() as usize) / 48_000
    }
}

/// How many channels an encoder takes or a decoder gives; interleaved when two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channels {
    /// One channel. A mono decoder mixes stereo packets down by itself.
    Mono,
    /// Two interleaved channels, left first.
    Stereo,
}

impl Channels {
    /// The count as a number.
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::Mono => 1,
            Self::Stereo => 2,
        }
    }
}
