//! The encoding half: one Opus encoder, its settings and the copy of its state.
//!
//! Lives in a mixer slot on a media thread; built elsewhere, because creating one allocates.
//! DTX is never used: it saves bytes but no time, and the mixer stops encoding silence itself.

use std::fmt;

use opusic_sys as opus;

use crate::sys::RawEncoder;
use crate::{Channels, CodecError, CodecRate};

/// What the encoder optimises for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Application {
    /// Speech: the low-rate tools are used where they sound better.
    #[default]
    Voip,
    /// Fidelity to any input.
    Audio,
    /// Transform coding only, least algorithmic delay.
    LowDelay,
}

impl Application {
    const fn code(self) -> i32 {
        match self {
            Self::Voip => opus::OPUS_APPLICATION_VOIP,
            Self::Audio => opus::OPUS_APPLICATION_AUDIO,
            Self::LowDelay => opus::OPUS_APPLICATION_RESTRICTED_LOWDELAY,
        }
    }
}

/// Settings of an encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EncoderConfig {
    /// Input sample rate.
    pub rate: CodecRate,
    /// Input channels.
    pub channels: Channels,
    /// What to optimise for.
    pub application: Application,
    /// Target bit rate in bits per second, 6,000 to 510,000. More bits buy quality for nearly
    /// no time.
    pub bitrate: u32,
    /// Effort, 0 to 10. Time per frame roughly triples from 0 to 9.
    pub complexity: u8,
    /// Whether to put a low-rate copy of the previous frame into packets (in-band FEC).
    pub fec: bool,
    /// The loss the encoder is told to expect, in percent, 0 to 100. Below 10 hardly any frame
    /// carries FEC at 24 kb/s.
    pub expected_loss: u8,
}

impl EncoderConfig {
    /// Speech at 24 kb/s, complexity 5, mono, no FEC: the engine's default.
    #[must_use]
    pub const fn speech(rate: CodecRate) -> Self {
        Self {
            rate,
            channels: Channels::Mono,
            application: Application::Voip,
            bitrate: 24_000,
            complexity: 5,
            fec: false,
            expected_loss: 0,
        }
    }
}

/// One Opus encoder.
pub struct Encoder {
    raw: RawEncoder,
}

impl Encoder {
    /// Creates an encoder with these settings.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] for a setting out of range, [`CodecError::OutOfMemory`].
    ///
    /// # Real-time
    /// Allocates about 32 KB (mono): build it off the media thread.
    pub fn new(config: &EncoderConfig) -> Result<Self, CodecError> {
        let raw = RawEncoder::new(config.rate, config.channels, config.application.code())?;
        let mut encoder = Self { raw };
        encoder.apply(config)?;
        Ok(encoder)
    }

    /// Changes bit rate, complexity and FEC settings in one go; rate and channels are fixed.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] for a setting out of range.
    ///
    /// # Real-time
    /// No allocation; takes effect with the next frame, without a glitch.
    pub fn apply(&mut self, config: &EncoderConfig) -> Result<(), CodecError> {
        let bitrate = i32::try_from(config.bitrate).map_err(|_| CodecError::BadArgument)?;
        self.raw.set(opus::OPUS_SET_BITRATE_REQUEST, bitrate)?;
        self.raw.set(opus::OPUS_SET_COMPLEXITY_REQUEST, i32::from(config.complexity))?;
        self.raw.set(opus::OPUS_SET_INBAND_FEC_REQUEST, i32::from(config.fec))?;
        self.raw.set(opus::OPUS_SET_PACKET_LOSS_PERC_REQUEST, i32::from(config.expected_loss))?;
        self.raw.set(opus::OPUS_SET_DTX_REQUEST, 0)
    }

    /// Encodes one frame of `pcm` (full scale ±1, interleaved, 2.5 to 60 ms) and gives the
    /// packet's length in `out`.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] if `pcm` is not a frame length Opus has,
    /// [`CodecError::BufferTooSmall`] if `out` cannot hold the packet;
    /// [`crate::MAX_FRAME_BYTES`] is always enough for 20 ms.
    ///
    /// # Real-time
    /// No allocation; tens of microseconds, 50 to 70 KB of stack.
    pub fn encode(&mut self, pcm: &[f32], out: &mut [u8]) -> Result<usize, CodecError> {
        self.raw.encode(pcm, out)
    }

    /// Makes this encoder continue exactly where `source` stands, settings included: fed the
    /// same samples, both then give the same bytes.
    ///
    /// # Errors
    /// [`CodecError::StateMismatch`] if rate or channel count differ.
    ///
    /// # Real-time
    /// One `memcpy` of about 32 KB; about a microsecond.
    pub fn copy_state_from(&mut self, source: &Self) -> Result<(), CodecError> {
        self.raw.copy_from(&source.raw)
    }

    /// With `true`, the next frames are coded without reference to earlier ones, so that a
    /// decoder that heard nothing before can start there.
    ///
    /// # Errors
    /// [`CodecError::Internal`] if libopus refuses.
    ///
    /// # Real-time
    /// No allocation.
    pub fn set_prediction_disabled(&mut self, disabled: bool) -> Result<(), CodecError> {
        self.raw.set(opus::OPUS_SET_PREDICTION_DISABLED_REQUEST, i32::from(disabled))
    }

    /// Sets the effort, 0 to 10.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] above 10.
    ///
    /// # Real-time
    /// No allocation; no glitch.
    pub fn set_complexity(&mut self, complexity: u8) -> Result<(), CodecError> {
        self.raw.set(opus::OPUS_SET_COMPLEXITY_REQUEST, i32::from(complexity))
    }

    /// Forgets all history, as if just created; settings stay.
    ///
    /// # Errors
    /// [`CodecError::Internal`] if libopus refuses.
    ///
    /// # Real-time
    /// No allocation.
    pub fn reset(&mut self) -> Result<(), CodecError> {
        self.raw.reset()
    }

    /// The encoder's own delay in samples at its rate (RFC 6716 §2.1.8 and 6.5 ms in practice).
    ///
    /// # Errors
    /// [`CodecError::Internal`] if libopus refuses.
    pub fn lookahead(&self) -> Result<usize, CodecError> {
        let samples = self.raw.get(opus::OPUS_GET_LOOKAHEAD_REQUEST)?;
        usize::try_from(samples).map_err(|_| CodecError::Internal(samples))
    }

    /// The input rate.
    #[must_use]
    pub fn rate(&self) -> CodecRate {
        self.raw.rate()
    }

    /// The input channels.
    #[must_use]
    pub fn channels(&self) -> Channels {
        self.raw.channels()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("rate", &self.rate())
            .field("channels", &self.channels())
            .finish_non_exhaustive()
    }
}
