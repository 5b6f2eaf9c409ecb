//! Sender and receiver reports and their blocks.
//!
//! Part of [`crate::rtcp`]. Thread: any, no allocation. Invariant: views are length-checked when made.
//! Spec: RFC 3550 §6.4.1 (SR), §6.4.2 (RR), §4 (NTP format).

use crate::{RtpError, RtpTimestamp, Ssrc};
use std::time::Duration;

/// Most report blocks of one SR or RR: the count has five bits (RFC 3550 §6.4.1).
pub const MAX_BLOCKS: usize = 31;
/// Bytes of one report block (RFC 3550 §6.4.1).
pub(super) const BLOCK_LEN: usize = 24;
/// Bytes of the sender info after the SSRC (RFC 3550 §6.4.1).
pub(super) const SENDER_INFO_LEN: usize = 20;
/// Seconds from the NTP epoch (1900) to the Unix epoch (1970) (RFC 5905 §6, figure 4).
const NTP_UNIX_OFFSET: u64 = 2_208_988_800;

/// A 64-bit NTP timestamp: seconds since 1900 and a binary fraction (RFC 3550 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtpTime(u64);

impl NtpTime {
    /// Takes the 64 bits as on the wire.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The 64 bits as on the wire.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The NTP time of a Unix time, fraction rounded down; seconds wrap in 2036 as NTP's do.
    pub const fn from_unix(since_epoch: Duration) -> Self {
        let seconds = since_epoch.as_secs().wrapping_add(NTP_UNIX_OFFSET);
        let fraction = ((since_epoch.subsec_nanos() as u64) << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }

    /// The middle 32 bits: 16.16 seconds, as LSR and DLSR use (RFC 3550 §6.4.1).
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender says about its stream (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// Wall clock of this report.
    pub ntp: NtpTime,
    /// The same instant on the stream's media clock.
    pub rtp: RtpTimestamp,
    /// Packets sent so far, wrapping.
    pub packets: u32,
    /// Payload bytes sent so far, wrapping.
    pub octets: u32,
}

/// What a receiver says about one stream it hears (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream reported on.
    pub ssrc: Ssrc,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost so far: 24 bits with sign on the wire; written clamped.
    pub cumulative_lost: i32,
    /// Highest sequence number seen, with the wrap count in the upper half.
    pub highest_seq: u32,
    /// Interarrival jitter in clock ticks (RFC 3550 A.8).
    pub jitter: u32,
    /// Middle bits of the last SR's NTP time, 0 if none came.
    pub last_sr: u32,
    /// Delay since that SR, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    fn parse(b: &[u8; BLOCK_LEN]) -> Self {
        let word = |i: usize| u32::from_be_bytes([b[i], b[i + 1], b[i + 2], b[i + 3]]);
        Self {
            ssrc: Ssrc::new(word(0)),
            fraction_lost: b[4],
            // Shift the sign of the 24-bit field into the sign of the i32.
            cumulative_lost: (word(4) << 8) as i32 >> 8,
            highest_seq: word(8),
            jitter: word(12),
            last_sr: word(16),
            delay_since_last_sr: word(20),
        }
    }

    pub(super) fn write(&self, out: &mut [u8; BLOCK_LEN]) {
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        let words = [
            self.ssrc.as_u32(),
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_seq,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ];
        for (slot, word) in out.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *slot = word.to_be_bytes();
        }
    }
}

/// A sender report.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    ssrc: Ssrc,
    info: SenderInfo,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtpError> {
        let (ssrc, body) = split_word(body)?;
        let (info, body) = body.split_first_chunk::<SENDER_INFO_LEN>().ok_or(RtpError::Length)?;
        let word = |i: usize| u32::from_be_bytes([info[i], info[i + 1], info[i + 2], info[i + 3]]);
        let info = SenderInfo {
            ntp: NtpTime::new(u64::from(word(0)) << 32 | u64::from(word(4))),
            rtp: RtpTimestamp::new(word(8)),
            packets: word(12),
            octets: word(16),
        };
        Ok(Self { ssrc: Ssrc::new(ssrc), info, blocks: take_blocks(count, body)? })
    }

    /// The sender.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// The sender's clocks and counters.
    pub fn info(&self) -> SenderInfo {
        self.info
    }

    /// What the sender hears of others.
    pub fn blocks(&self) -> ReportBlocks<'a> {
        ReportBlocks { rest: self.blocks }
    }
}

/// A receiver report.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    ssrc: Ssrc,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(count: u8, body: &'a [u8]) -> Result<Self, RtpError> {
        let (ssrc, body) = split_word(body)?;
        Ok(Self { ssrc: Ssrc::new(ssrc), blocks: take_blocks(count, body)? })
    }

    /// The reporter.
    pub fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// What it hears.
    pub fn blocks(&self) -> ReportBlocks<'a> {
        ReportBlocks { rest: self.blocks }
    }
}

/// Iterates report blocks.
#[derive(Clone, Copy, Debug)]
pub struct ReportBlocks<'a> {
    rest: &'a [u8],
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.rest.split_first_chunk::<BLOCK_LEN>()?;
        self.rest = rest;
        Some(ReportBlock::parse(block))
    }
}

/// The blocks the count promises; a profile extension may follow (RFC 3550 §6.4.3) and is dropped.
fn take_blocks(count: u8, body: &[u8]) -> Result<&[u8], RtpError> {
    body.get(..usize::from(count) * BLOCK_LEN).ok_or(RtpError::Length)
}

fn split_word(body: &[u8]) -> Result<(u32, &[u8]), RtpError> {
    let (word, rest) = body.split_first_chunk::<4>().ok_or(RtpError::Length)?;
    Ok((u32::from_be_bytes(*word), rest))
}
