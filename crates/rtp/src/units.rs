//! Ids and units as newtypes: sequence numbers, timestamps, SSRCs, sample rates and counts.
//!
//! Used by every crate that touches media. Thread: any.
//! Invariant: sequence numbers and timestamps wrap, so they have distances and no order (`Ord` is left out on purpose).
//! Does not: convert between clocks without being told a rate.
//! Spec: RFC 3550 §5.1 (fields), RFC 1982 (serial arithmetic), RFC 7587 §4.1 (Opus clock).

use std::fmt;
use std::time::Duration;

/// The RTP clock of Opus, whatever rate it is encoded or decoded at (RFC 7587 §4.1).
pub const OPUS_CLOCK: SampleRate = SampleRate::HZ_48000;

/// A 16-bit RTP sequence number that wraps (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNo(u16);

impl SeqNo {
    /// Takes the number as it is on the wire.
    pub const fn new(raw: u16) -> Self {
        Self(raw)
    }

    /// The number as it is on the wire.
    pub const fn as_u16(self) -> u16 {
        self.0
    }

    /// The next number, wrapping after 65,535.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// This number moved by `n` packets, wrapping.
    #[must_use]
    pub const fn offset(self, n: i32) -> Self {
        Self(self.0.wrapping_add(n as u16))
    }

    /// How many packets this one is after `other` (negative: before), by the shorter way round.
    ///
    /// Exactly half a turn apart is [`i16::MIN`] in both directions.
    pub const fn distance_from(self, other: Self) -> i16 {
        self.0.wrapping_sub(other.0) as i16
    }

    /// Whether this number comes after `other` by the shorter way round (RFC 1982 §3.2).
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }

    /// The 64-bit count nearest to `reference` whose low 16 bits are this number.
    ///
    /// With the last extended number as reference this undoes the wrap. It never goes below zero: a number that would, is
    /// taken one turn up.
    pub const fn extend_near(self, reference: u64) -> u64 {
        let delta = self.distance_from(Self(reference as u16)) as i64;
        match reference.checked_add_signed(delta) {
            Some(extended) => extended,
            None => reference.wrapping_add_signed(delta + 0x1_0000),
        }
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A 32-bit RTP media timestamp that wraps, in ticks of the payload's clock (RFC 3550 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTimestamp(u32);

impl RtpTimestamp {
    /// Takes the timestamp as it is on the wire.
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The timestamp as it is on the wire.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// This timestamp moved on by `ticks` of its clock, wrapping.
    #[must_use]
    pub const fn advance(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// This timestamp moved back by `ticks` of its clock, wrapping.
    #[must_use]
    pub const fn rewind(self, ticks: u32) -> Self {
        Self(self.0.wrapping_sub(ticks))
    }

    /// How many clock ticks this one is after `other` (negative: before), by the shorter way round.
    pub const fn distance_from(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// Whether this timestamp comes after `other` by the shorter way round.
    pub const fn is_newer_than(self, other: Self) -> bool {
        self.distance_from(other) > 0
    }

    /// The 64-bit count nearest to `reference` whose low 32 bits are this timestamp; never below zero.
    pub const fn extend_near(self, reference: u64) -> u64 {
        let delta = self.distance_from(Self(reference as u32)) as i64;
        match reference.checked_add_signed(delta) {
            Some(extended) => extended,
            None => reference.wrapping_add_signed(delta + 0x1_0000_0000),
        }
    }
}

impl fmt::Display for RtpTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A synchronisation source: one RTP stream of one sender (RFC 3550 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ssrc(u32);

impl Ssrc {
    /// Takes the identifier as it is on the wire.
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The identifier as it is on the wire.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Graph's `mediaStream.sourceId` of a participant, which mixed and forwarded packets carry as CSRC (RFC 3550 §7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

impl SourceId {
    /// Takes the id as it is on the wire and in Graph.
    pub const fn new(raw: u32) -> Self {
        Self(raw)
    }

    /// The id as it is on the wire and in Graph.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A 7-bit RTP payload type (RFC 3550 §5.1, RFC 3551 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PayloadType(u8);

impl PayloadType {
    /// The payload type, or `None` if `raw` does not fit in 7 bits.
    pub const fn new(raw: u8) -> Option<Self> {
        if raw < 0x80 { Some(Self(raw)) } else { None }
    }

    /// The low 7 bits of a header byte.
    pub(crate) const fn from_header_byte(byte: u8) -> Self {
        Self(byte & 0x7f)
    }

    /// The type as a number, 0 to 127.
    pub const fn as_u8(self) -> u8 {
        self.0
    }
}

impl fmt::Display for PayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Samples per second and channel; never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampleRate(u32);

impl SampleRate {
    /// 8 kHz, narrowband.
    pub const HZ_8000: Self = Self(8_000);
    /// 16 kHz, wideband.
    pub const HZ_16000: Self = Self(16_000);
    /// 24 kHz, super-wideband.
    pub const HZ_24000: Self = Self(24_000);
    /// 48 kHz, fullband, and the RTP clock of Opus.
    pub const HZ_48000: Self = Self(48_000);

    /// A rate in hertz, or `None` for zero.
    pub const fn new(hertz: u32) -> Option<Self> {
        if hertz == 0 { None } else { Some(Self(hertz)) }
    }

    /// The rate in hertz.
    pub const fn hertz(self) -> u32 {
        self.0
    }

    /// Samples in `duration`, rounded down; saturates at the largest count.
    pub const fn samples_in(self, duration: Duration) -> SampleCount {
        SampleCount((duration.as_nanos() * self.0 as u128 / 1_000_000_000) as u64)
    }

    /// How long `count` samples last, rounded down to the nanosecond.
    pub const fn duration_of(self, count: SampleCount) -> Duration {
        let rate = self.0 as u64;
        let rest = (count.0 % rate) * 1_000_000_000 / rate;
        Duration::new(count.0 / rate, rest as u32)
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A number of samples per channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampleCount(u64);

impl SampleCount {
    /// A count of `samples` per channel.
    pub const fn new(samples: u64) -> Self {
        Self(samples)
    }

    /// The count as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The sum of two counts, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The same stretch of time counted at another rate, rounded down.
    #[must_use]
    pub const fn at_rate(self, from: SampleRate, to: SampleRate) -> Self {
        Self((self.0 as u128 * to.0 as u128 / from.0 as u128) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sequence_number_wraps_to_zero_and_is_newer() {
        let last = SeqNo::new(u16::MAX);
        assert_eq!(last.next(), SeqNo::new(0));
        assert!(last.next().is_newer_than(last));
        assert!(!last.is_newer_than(last.next()));
        assert_eq!(SeqNo::new(2).distance_from(SeqNo::new(65_534)), 4);
    }

    #[test]
    fn half_a_turn_apart_is_newer_in_neither_direction() {
        let (a, b) = (SeqNo::new(0), SeqNo::new(0x8000));
        assert!(!a.is_newer_than(b) && !b.is_newer_than(a));
    }

    #[test]
    fn extension_below_zero_goes_one_turn_up() {
        assert_eq!(SeqNo::new(65_535).extend_near(0), 65_535);
        assert_eq!(RtpTimestamp::new(u32::MAX).extend_near(3), u64::from(u32::MAX));
    }

    #[test]
    fn payload_type_takes_seven_bits_only() {
        assert!(PayloadType::new(127).is_some());
        assert!(PayloadType::new(128).is_none());
    }

    #[test]
    fn twenty_milliseconds_are_whole_frames_at_opus_rates() {
        for (rate, samples) in [(SampleRate::HZ_8000, 160), (SampleRate::HZ_16000, 320), (SampleRate::HZ_48000, 960)] {
            let count = rate.samples_in(Duration::from_millis(20));
            assert_eq!(count, SampleCount::new(samples));
            assert_eq!(rate.duration_of(count), Duration::from_millis(20));
            assert_eq!(count.at_rate(rate, OPUS_CLOCK), SampleCount::new(960));
        }
        assert!(SampleRate::new(0).is_none());
    }

    proptest! {
        #[test]
        fn sequence_offset_and_distance_are_inverse(start: u16, step in -32_767i32..=32_767) {
            let a = SeqNo::new(start);
            let b = a.offset(step);
            prop_assert_eq!(i32::from(b.distance_from(a)), step);
            prop_assert_eq!(b.is_newer_than(a), step > 0);
        }

        #[test]
        fn timestamp_advance_and_distance_are_inverse(start: u32, step in 0u32..0x7fff_ffff) {
            let a = RtpTimestamp::new(start);
            let b = a.advance(step);
            prop_assert_eq!(b.distance_from(a), i32::try_from(step).unwrap());
            prop_assert_eq!(b.rewind(step), a);
        }

        #[test]
        fn extended_sequence_follows_a_walk_across_wraps(start in 40_000u64..1 << 40, steps in prop::collection::vec(-30_000i64..30_000, 1..60)) {
            let mut reference = start;
            for step in steps {
                let Some(truth) = reference.checked_add_signed(step) else { break };
                let wire = SeqNo::new(truth as u16);
                prop_assert_eq!(wire.extend_near(reference), truth);
                reference = truth;
            }
        }

        #[test]
        fn extended_timestamp_follows_a_walk_across_wraps(start in 1u64 << 32..1 << 50, step in -0x7fff_ffffi64..0x7fff_ffff) {
            let truth = start.checked_add_signed(step).unwrap();
            prop_assert_eq!(RtpTimestamp::new(truth as u32).extend_near(start), truth);
        }

        #[test]
        fn sample_counts_survive_the_way_through_a_duration(samples in 0u64..1 << 40) {
            let rate = SampleRate::HZ_48000;
            let back = rate.samples_in(rate.duration_of(SampleCount::new(samples)));
            // Both ways round down, so at most one sample is lost.
            prop_assert!(samples - back.as_u64() <= 1);
        }
    }
}
