//! Audio levels: the unit, and the header extensions that carry them.
//!
//! Senders stamp [`LevelExtension`] on their packets; pipeline takes it as a hint which frames are silent, passes it on with lanes
//! and writes both extensions on mixes. It does not spare decoding by it.
//! Thread: any, no allocation. Does not: trust a level; that is pipeline's policy.
//! Spec: RFC 6464 §3 (client to mixer), RFC 6465 §3 (mixer to client).

use crate::extension::ONE_BYTE_MAX_LEN;

/// A level in -dBov: 0 is the loudest possible, 127 is silence (RFC 6464 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AudioLevel(u8);

impl AudioLevel {
    /// The loudest level, 0 dBov.
    pub const LOUDEST: Self = Self(0);
    /// Digital silence, -127 dBov.
    pub const SILENCE: Self = Self(127);

    /// A level of `minus_dbov` below overload; more than 127 counts as silence.
    pub const fn new(minus_dbov: u8) -> Self {
        if minus_dbov > 127 { Self::SILENCE } else { Self(minus_dbov) }
    }

    /// How far below overload, in dB: 0 to 127.
    pub const fn minus_dbov(self) -> u8 {
        self.0
    }

    /// Whether this level is louder than `other` (a smaller number).
    pub const fn is_louder_than(self, other: Self) -> bool {
        self.0 < other.0
    }

    /// The level of a frame of mono samples in [-1, 1], RMS against a full-scale square wave, rounded to the nearest dB.
    ///
    /// # Real-time
    /// O(samples), no allocation.
    pub fn of(samples: &[f32]) -> Self {
        if samples.is_empty() {
            return Self::SILENCE;
        }
        let energy: f32 = samples.iter().map(|s| s * s).sum();
        Self::from_mean_square(energy / samples.len() as f32)
    }

    /// The level of a mean square (RMS squared) where 1.0 is overload, rounded to the nearest dB.
    pub fn from_mean_square(mean_square: f32) -> Self {
        // At or under -127 dBov, or not a number: silence.
        if mean_square.is_nan() || mean_square <= 1.995e-13 {
            return Self::SILENCE;
        }
        Self((-10.0 * mean_square.log10()).round().clamp(0.0, 127.0) as u8)
    }
}

/// The client-to-mixer level of a packet: level and voice flag (RFC 6464 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelExtension {
    /// The sender's level.
    pub level: AudioLevel,
    /// The V bit: the sender believes that this frame is voice.
    pub voice: bool,
}

impl LevelExtension {
    /// The `a=extmap` URI.
    pub const URI: &'static str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

    /// Reads the element's data; `None` if it is empty. Two-byte-form padding after the first byte is ignored.
    pub fn parse(data: &[u8]) -> Option<Self> {
        let byte = *data.first()?;
        Some(Self { level: AudioLevel(byte & 0x7f), voice: byte & 0x80 != 0 })
    }

    /// The element's data.
    pub const fn to_bytes(self) -> [u8; 1] {
        [self.level.0 | if self.voice { 0x80 } else { 0 }]
    }
}

/// The mixer-to-client levels of a packet: one byte per CSRC, in CSRC order (RFC 6465 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CsrcLevels {
    bytes: [u8; crate::MAX_CSRCS],
    len: u8,
}

impl CsrcLevels {
    /// The `a=extmap` URI.
    pub const URI: &'static str = "urn:ietf:params:rtp-hdrext:csrc-audio-level";

    /// Collects the levels of the first [`crate::MAX_CSRCS`] sources.
    pub fn collect(levels: impl IntoIterator<Item = AudioLevel>) -> Self {
        let mut this = Self { bytes: [0; crate::MAX_CSRCS], len: 0 };
        for (slot, level) in this.bytes.iter_mut().zip(levels) {
            *slot = level.0;
            this.len += 1;
        }
        this
    }

    /// The element's data; empty when there is no source, and then the element must be left out.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// Reads an element's data as levels in CSRC order.
    pub fn parse(data: &[u8]) -> impl Iterator<Item = AudioLevel> + '_ {
        data.iter().take(ONE_BYTE_MAX_LEN).map(|b| AudioLevel(b & 0x7f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_of_known_signals() {
        let cases: &[(&str, Vec<f32>, u8)] = &[
            ("empty", vec![], 127),
            ("zero", vec![0.0; 320], 127),
            ("full-scale square", vec![1.0, -1.0], 0),
            ("over full scale", vec![2.0; 4], 0),
            ("a tenth", vec![0.1; 960], 20),
            ("not a number", vec![f32::NAN; 4], 127),
            ("one step of 16 bits", vec![1.0 / 32_768.0; 960], 90),
        ];
        for (name, samples, expected) in cases {
            assert_eq!(AudioLevel::of(samples).minus_dbov(), *expected, "{name}");
        }
    }

    #[test]
    fn every_level_byte_survives_parse_and_write() {
        for byte in 0..=255u8 {
            assert_eq!(LevelExtension::parse(&[byte]).unwrap().to_bytes(), [byte]);
        }
        assert_eq!(LevelExtension::parse(&[]), None);
    }

    #[test]
    fn csrc_levels_keep_order_and_stop_at_fifteen() {
        let levels = CsrcLevels::collect((0..20).map(AudioLevel::new));
        assert_eq!(levels.as_bytes(), (0..15).collect::<Vec<u8>>());
        let back: Vec<_> = CsrcLevels::parse(levels.as_bytes()).map(AudioLevel::minus_dbov).collect();
        assert_eq!(back, (0..15).collect::<Vec<u8>>());
    }

    #[test]
    fn louder_is_the_smaller_number() {
        assert!(AudioLevel::LOUDEST.is_louder_than(AudioLevel::SILENCE));
        assert_eq!(AudioLevel::new(200), AudioLevel::SILENCE);
    }
}
