//! PCM formats of an audio socket: what a bot may hear and speak in, and which rate the call then runs at.
//!
//! The call itself decodes, mixes and encodes at 16 or 48 kHz; the other rates are converted on the app's side
//! (see `convert`), never on a media thread. Pure values, checked when they are made.

use antiphon_engine::BusRate;
use std::time::Duration;

/// PCM of a call: 16-bit signed, 20 ms frames, mono or interleaved stereo.
///
/// | rate | samples per frame and channel | the call runs at | delay of the conversion, each way |
/// |---|---|---|---|
/// | 8 kHz | 160 | 16 kHz | 5 ms |
/// | 16 kHz | 320 | 16 kHz | none |
/// | 24 kHz | 480 | 48 kHz | 5 ms |
/// | 44.1 kHz | 882 | 48 kHz | 5 ms |
/// | 48 kHz | 960 | 48 kHz | none |
///
/// Calls are mono. What a stereo socket says is folded down, half of either side, so that it cannot clip: the same on both
/// sides keeps its level, one side alone loses 6 dB. What it hears is the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioFormat {
    sample_rate: u32,
    channels: u16,
}

/// A format that an audio socket does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AudioFormatError {
    /// Another rate.
    #[error("a sample rate of {0} Hz is not offered; use 8000, 16000, 24000, 44100 or 48000")]
    SampleRate(u32),
    /// Neither mono nor stereo.
    #[error("{0} channels are not offered; use 1 or 2")]
    Channels(u16),
}

impl Default for AudioFormat {
    /// 16 kHz, mono.
    fn default() -> Self {
        Self::PCM_16K
    }
}

impl AudioFormat {
    /// 8 kHz, mono.
    pub const PCM_8K: Self = Self::mono(8_000);
    /// 16 kHz, mono: Graph's `Pcm16K`.
    pub const PCM_16K: Self = Self::mono(16_000);
    /// 24 kHz, mono.
    pub const PCM_24K: Self = Self::mono(24_000);
    /// 44.1 kHz, mono; stereo it is Graph's `Pcm44KStereo`.
    pub const PCM_44K: Self = Self::mono(44_100);
    /// 48 kHz, mono.
    pub const PCM_48K: Self = Self::mono(48_000);

    const fn mono(sample_rate: u32) -> Self {
        Self { sample_rate, channels: 1 }
    }

    /// A format by its numbers.
    ///
    /// # Errors
    /// [`AudioFormatError`] names the number that is not offered.
    pub const fn new(sample_rate: u32, channels: u16) -> Result<Self, AudioFormatError> {
        if !matches!(sample_rate, 8_000 | 16_000 | 24_000 | 44_100 | 48_000) {
            return Err(AudioFormatError::SampleRate(sample_rate));
        }
        if !matches!(channels, 1 | 2) {
            return Err(AudioFormatError::Channels(channels));
        }
        Ok(Self { sample_rate, channels })
    }

    /// The same rate in interleaved stereo, left first.
    #[must_use]
    pub const fn stereo(self) -> Self {
        Self { channels: 2, ..self }
    }

    /// Samples per second and channel.
    #[must_use]
    pub const fn sample_rate(self) -> u32 {
        self.sample_rate
    }

    /// 1 or 2.
    #[must_use]
    pub const fn channels(self) -> u16 {
        self.channels
    }

    /// Samples per channel in a frame of 20 ms.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        self.sample_rate as usize / 50
    }

    /// Samples in a frame, of all channels: the length of its slice.
    #[must_use]
    pub const fn frame_len(self) -> usize {
        self.frame_samples() * self.channels as usize
    }

    /// By how much the conversion to or from the call's rate delays, each way.
    #[must_use]
    pub const fn delay(self) -> Duration {
        Duration::from_millis(if self.is_converted() { 5 } else { 0 })
    }

    pub(crate) const fn is_converted(self) -> bool {
        self.sample_rate != self.bus_rate().hz()
    }

    /// The rate the call's media run at.
    pub(crate) const fn bus_rate(self) -> BusRate {
        if self.sample_rate <= 16_000 { BusRate::Hz16000 } else { BusRate::Hz48000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_20_ms_at_every_rate_and_bad_numbers_are_named() {
        let lengths = [8_000, 16_000, 24_000, 44_100, 48_000].map(|rate| {
            let mono = AudioFormat::new(rate, 1).unwrap();
            assert_eq!(mono.stereo(), AudioFormat::new(rate, 2).unwrap());
            assert_eq!(mono.stereo().frame_len(), 2 * mono.frame_samples());
            mono.frame_len()
        });
        assert_eq!(lengths, [160, 320, 480, 882, 960]);
        assert_eq!(AudioFormat::new(22_050, 1), Err(AudioFormatError::SampleRate(22_050)));
        assert_eq!(AudioFormat::new(48_000, 6), Err(AudioFormatError::Channels(6)));
        assert_eq!(AudioFormat::default().delay(), Duration::ZERO);
    }
}
