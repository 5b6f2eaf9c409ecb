//! What an Opus packet says about itself in its first bytes (RFC 6716 §3.1, §3.2).
//!
//! Pure parsing of the table-of-contents byte and the frame count, so that the jitter buffer
//! can refuse a malformed packet and size a valid one without calling libopus.
//! Wire bytes never panic.

use crate::{CodecError, sys};

/// Which of the codec's layers a packet uses (RFC 6716 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketMode {
    /// Linear prediction only.
    Silk,
    /// Linear prediction below 8 kHz, transform above.
    Hybrid,
    /// Transform only.
    Celt,
}

/// The shape of one Opus packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketInfo {
    mode: PacketMode,
    stereo: bool,
    frames: u8,
    frame_samples: u16,
}

impl PacketInfo {
    /// Reads the table-of-contents byte and frame count.
    ///
    /// # Errors
    /// [`CodecError::InvalidPacket`] for an empty packet, a missing or zero frame count, more
    /// than 120 ms of audio, or an odd length in a two-frame packet (RFC 6716 §3.4).
    ///
    /// # Real-time
    /// Wait-free, no allocation, a few nanoseconds.
    pub fn parse(packet: &[u8]) -> Result<Self, CodecError> {
        let (&toc, rest) = packet.split_first().ok_or(CodecError::InvalidPacket)?;
        let config = toc >> 3;
        // RFC 6716 table 2: durations are counted here in samples at 48 kHz.
        let (mode, frame_samples) = match config {
            0..=11 => (PacketMode::Silk, [480, 960, 1_920, 2_880][usize::from(config & 3)]),
            12..=15 => (PacketMode::Hybrid, [480, 960][usize::from(config & 1)]),
            _ => (PacketMode::Celt, [120, 240, 480, 960][usize::from(config & 3)]),
        };
        let frames = match toc & 3 {
            0 => 1,
            1 if rest.len().is_multiple_of(2) => 2,
            1 => return Err(CodecError::InvalidPacket),
            2 => 2,
            _ => rest.first().ok_or(CodecError::InvalidPacket)? & 0x3f,
        };
        let total = usize::from(frames) * usize::from(frame_samples);
        if frames == 0 || total > crate::MAX_PACKET_SAMPLES {
            return Err(CodecError::InvalidPacket);
        }
        Ok(Self { mode, stereo: toc & 4 != 0, frames, frame_samples })
    }

    /// The layers in use.
    #[must_use]
    pub const fn mode(&self) -> PacketMode {
        self.mode
    }

    /// Whether the packet is coded in stereo.
    #[must_use]
    pub const fn is_stereo(&self) -> bool {
        self.stereo
    }

    /// How many Opus frames it holds.
    #[must_use]
    pub const fn frames(&self) -> usize {
        self.frames as usize
    }

    /// Its whole duration in samples of the 48 kHz RTP clock (RFC 7587 §4.2).
    #[must_use]
    pub const fn samples_48k(&self) -> u32 {
        self.frames as u32 * self.frame_samples as u32
    }

    /// Whether `packet` carries a low-bitrate copy of the frame before it (RFC 6716 §2.1.7).
    ///
    /// # Real-time
    /// No allocation.
    #[must_use]
    pub fn has_fec(packet: &[u8]) -> bool {
        !packet.is_empty() && sys::packet_has_lbrr(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toc_table_matches_rfc_6716() {
        for (bytes, mode, samples) in [
            (&[0x00u8, 1][..], PacketMode::Silk, 480),
            (&[0x08, 1], PacketMode::Silk, 960),
            (&[0x18, 1], PacketMode::Silk, 2_880),
            (&[0x78, 1], PacketMode::Hybrid, 960),
            (&[0x80, 1], PacketMode::Celt, 120),
            (&[0xf8, 1], PacketMode::Celt, 960),
            (&[0xf9, 1, 1], PacketMode::Celt, 1_920),
            (&[0xfb, 3, 1, 1, 1], PacketMode::Celt, 2_880),
        ] {
            let info = PacketInfo::parse(bytes).unwrap();
            assert_eq!((info.mode(), info.samples_48k()), (mode, samples), "{bytes:02x?}");
        }
    }

    #[test]
    fn impossible_packets_are_refused() {
        for bytes in [&[][..], &[0xf9, 1], &[0xfb], &[0xfb, 0], &[0x1b, 3], &[0xfb, 7]] {
            assert_eq!(PacketInfo::parse(bytes), Err(CodecError::InvalidPacket), "{bytes:02x?}");
        }
    }
}
