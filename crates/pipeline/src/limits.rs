//! Capacities and settings of one conversation, fixed when it is made.
//!
//! Everything the tick needs is allocated from these numbers, so they bound memory and work.
//! Plain values, checked once by [`ConversationConfig::validate`]. Not here: anything that changes later.

use antiphon_codec::g711::Law;
use antiphon_codec::{Application, Channels, CodecRate, EncoderConfig};

/// The most sources, receivers or inlets a conversation can be sized for.
pub const MAX_SLOTS: usize = 65_534;

/// The most samples a 20 ms frame has on any bus.
pub const MAX_FRAME_SAMPLES: usize = 960;

/// The RTP clock's samples per 20 ms frame, whatever the bus rate (RFC 7587 §4.2).
pub const RTP_FRAME: u32 = 960;

/// The sample rate at which a conversation decodes, mixes and encodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BusRate {
    /// 16 kHz, 320 samples per tick: wideband, about a quarter cheaper.
    Hz16000,
    /// 48 kHz, 960 samples per tick: full band.
    #[default]
    Hz48000,
}

impl BusRate {
    /// Samples per second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.codec_rate().hz()
    }

    /// Samples in one 20 ms frame.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        self.codec_rate().frame_samples()
    }

    /// By how many samples a mix lags behind the sources in it, which the limiter looks ahead in: 2 ms. An unmixed frame
    /// of the same tick is that much earlier.
    #[must_use]
    pub const fn mix_delay_samples(self) -> usize {
        crate::limiter::DELAY * self.frame_samples() / crate::limiter::BLOCKS
    }

    pub(crate) const fn codec_rate(self) -> CodecRate {
        match self {
            Self::Hz16000 => CodecRate::Hz16000,
            Self::Hz48000 => CodecRate::Hz48000,
        }
    }

    /// Samples to one of telephony.
    pub(crate) const fn phone_ratio(self) -> usize {
        (self.hz() / antiphon_codec::g711::RATE) as usize
    }

    /// Converts a difference of bus samples to RTP clock.
    pub(crate) const fn rtp_span(self, samples: isize) -> i64 {
        samples as i64 * (RTP_FRAME as i64 / self.frame_samples() as i64)
    }

    /// Converts a span of RTP clock to bus samples, rounding down.
    pub(crate) const fn bus_samples(self, samples_48k: u32) -> usize {
        self.codec_rate().samples_from_48k(samples_48k as usize)
    }
}

/// How many of everything a conversation has room for.
///
/// Memory per unit: a source about 70 KB (decoder, jitter buffer, frames), a receiver about
/// 40 KB (its share of the encoder pool), an inlet 1 KB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Inlets: legs that packets come in from.
    pub inlets: usize,
    /// Sources, lanes of bot legs included.
    pub sources: usize,
    /// Receivers.
    pub receivers: usize,
    /// Commands that may wait for the next tick.
    pub commands: usize,
    /// Most commands carried out in one tick; the rest wait.
    pub commands_per_tick: usize,
    /// Events that may wait to be read; the newest are dropped and counted beyond that.
    pub events: usize,
    /// Tick records that may wait to be read; the newest are dropped and counted beyond that.
    pub tick_records: usize,
    /// Most packets taken from one inlet in one tick; the rest wait in its ring.
    pub packets_per_inlet: usize,
}

impl Limits {
    /// Room for `participants` that each speak and listen over one leg, and for the lanes of one
    /// bot leg on top.
    #[must_use]
    pub const fn for_participants(participants: usize) -> Self {
        Self {
            inlets: participants,
            sources: participants * 2,
            receivers: participants,
            commands: 1_024,
            commands_per_tick: 256,
            events: 4_096,
            tick_records: 512,
            packets_per_inlet: 128,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::for_participants(128)
    }
}

/// How the packets of a class of receivers are made. A mix is encoded once per class that hears it, so classes
/// are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeClass {
    /// Opus with these settings.
    Opus(OpusSettings),
    /// G.711 by this law, for telephony: 160 bytes every 20 ms. Silence is sent too, since without comfort noise
    /// a gateway takes a pause in the packets for a dead leg.
    G711(Law),
}

impl Default for EncodeClass {
    fn default() -> Self {
        Self::Opus(OpusSettings::default())
    }
}

impl EncodeClass {
    /// This class under a load governor's limits.
    pub(crate) fn within(self, effort: Effort) -> Self {
        match self {
            Self::Opus(settings) => Self::Opus(settings.within(effort)),
            Self::G711(law) => Self::G711(law),
        }
    }

    /// Whether both are of one codec, so that a receiver can move between them: it has one payload type.
    pub(crate) fn is_like(self, other: Self) -> bool {
        self == other || matches!((self, other), (Self::Opus(_), Self::Opus(_)))
    }
}

impl From<OpusSettings> for EncodeClass {
    fn from(settings: OpusSettings) -> Self {
        Self::Opus(settings)
    }
}

/// Settings of an Opus encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpusSettings {
    /// Bits per second, 6,000 to 510,000.
    pub bitrate: u32,
    /// Effort, 0 to 10.
    pub complexity: u8,
    /// In-band FEC: costs about a fifth more time.
    pub fec: bool,
    /// Loss the encoder is told to expect, in percent; below 10 FEC is hardly ever sent.
    pub expected_loss: u8,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { bitrate: 24_000, complexity: 5, fec: false, expected_loss: 0 }
    }
}

impl OpusSettings {
    pub(crate) const fn encoder_config(&self, rate: BusRate) -> EncoderConfig {
        EncoderConfig {
            rate: rate.codec_rate(),
            channels: Channels::Mono,
            application: Application::Voip,
            bitrate: self.bitrate,
            complexity: self.complexity,
            fec: self.fec,
            expected_loss: self.expected_loss,
        }
    }

    /// These settings under a load governor's limits.
    pub(crate) fn within(mut self, effort: Effort) -> Self {
        self.complexity = self.complexity.min(effort.max_complexity);
        self.bitrate = self.bitrate.min(effort.max_bitrate.max(MIN_BITRATE));
        self
    }

    fn is_valid(&self) -> bool {
        (MIN_BITRATE..=510_000).contains(&self.bitrate) && self.complexity <= 10 && self.expected_loss <= 100
    }
}

/// The least an Opus encoder can be told, in bits per second.
const MIN_BITRATE: u32 = 6_000;

/// The most work a conversation may do: a load governor's lever.
///
/// Limits hold for all encoders alike from the next tick on; lifting them restores what the classes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Effort {
    /// Highest complexity of any encoder; 10 is no limit. Changes without a glitch.
    pub max_complexity: u8,
    /// Highest bit rate of any Opus encoder; `u32::MAX` is no limit.
    pub max_bitrate: u32,
    /// How many talkers are mixed at most, the loudest; `u16::MAX` is no limit. Bounds the encodes, since each
    /// talker has a mix of its own. 0 counts as 1.
    pub max_talkers: u16,
}

impl Effort {
    /// No limits.
    pub const FULL: Self = Self { max_complexity: 10, max_bitrate: u32::MAX, max_talkers: u16::MAX };
}

impl Default for Effort {
    fn default() -> Self {
        Self::FULL
    }
}

/// When a source counts as talking.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GateConfig {
    /// Level that opens the gate of a source without noise, in dBov (negative). Higher saves encodes, lower keeps faint
    /// voices. Over a source's own noise floor, up to -50 dBov, it opens 7 dB above that.
    pub open_dbov: f32,
    /// Level below which the gate starts to close; at most `open_dbov`.
    pub close_dbov: f32,
    /// Quiet ticks before the gate closes. At least 15 (300 ms), so that encoder streams that
    /// are merged afterwards have heard the same for long enough.
    pub hangover_ticks: u32,
}

impl Default for GateConfig {
    fn default() -> Self {
        // Measured by `make quality`: -55/-60 costs 0.27 PESQ on a clean link (faint onsets are cut), this 0.02.
        Self { open_dbov: -65.0, close_dbov: -70.0, hangover_ticks: 25 }
    }
}

/// Everything a conversation is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct ConversationConfig {
    /// Bus rate.
    pub rate: BusRate,
    /// Capacities.
    pub limits: Limits,
    /// Encoder classes; receivers name one by index. 1 to 8.
    pub classes: Vec<EncodeClass>,
    /// Talk detection.
    pub gate: GateConfig,
}

impl Default for ConversationConfig {
    fn default() -> Self {
        Self {
            rate: BusRate::default(),
            limits: Limits::default(),
            classes: vec![EncodeClass::default()],
            gate: GateConfig::default(),
        }
    }
}

/// A setting that no conversation can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A capacity is zero or above [`MAX_SLOTS`].
    #[error("{name} is {value}, outside 1 to {MAX_SLOTS}")]
    Capacity {
        /// Which one.
        name: &'static str,
        /// What was asked for.
        value: usize,
    },
    /// No encoder class, or more than 8.
    #[error("{0} encoder classes, outside 1 to 8")]
    Classes(usize),
    /// The class's numbers are outside what Opus takes.
    #[error("encoder class {0} is outside what Opus takes")]
    Class(usize),
    /// The gate would close above where it opens, or before two streams may be merged.
    #[error("the talk gate closes above its opening level or in under 300 ms")]
    Gate,
}

impl ConversationConfig {
    /// Checks every number.
    ///
    /// # Errors
    /// The first [`ConfigError`] found.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        for (name, value) in [
            ("inlets", limits.inlets),
            ("sources", limits.sources),
            ("receivers", limits.receivers),
            ("commands", limits.commands),
            ("commands_per_tick", limits.commands_per_tick),
            ("events", limits.events),
            ("tick_records", limits.tick_records),
            ("packets_per_inlet", limits.packets_per_inlet),
        ] {
            if !(1..=MAX_SLOTS).contains(&value) {
                return Err(ConfigError::Capacity { name, value });
            }
        }
        if !(1..=8).contains(&self.classes.len()) {
            return Err(ConfigError::Classes(self.classes.len()));
        }
        for (index, class) in self.classes.iter().enumerate() {
            if let EncodeClass::Opus(settings) = class
                && !settings.is_valid()
            {
                return Err(ConfigError::Class(index));
            }
        }
        // Written so that a NaN fails too.
        let ordered = self.gate.close_dbov <= self.gate.open_dbov;
        if !ordered || self.gate.hangover_ticks < crate::groups::SETTLE_TICKS {
            return Err(ConfigError::Gate);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_each_bad_number_is_named() {
        let good = ConversationConfig::default();
        assert_eq!(good.validate(), Ok(()));
        let mut bad = good.clone();
        bad.limits.sources = 0;
        assert_eq!(bad.validate(), Err(ConfigError::Capacity { name: "sources", value: 0 }));
        let mut bad = good.clone();
        bad.classes.clear();
        assert_eq!(bad.validate(), Err(ConfigError::Classes(0)));
        let mut bad = good.clone();
        bad.classes[0] = OpusSettings { complexity: 11, ..OpusSettings::default() }.into();
        assert_eq!(bad.validate(), Err(ConfigError::Class(0)));
        let mut bad = good.clone();
        bad.gate.close_dbov = f32::NAN;
        assert_eq!(bad.validate(), Err(ConfigError::Gate));
        let mut bad = good;
        bad.gate.hangover_ticks = 14;
        assert_eq!(bad.validate(), Err(ConfigError::Gate));
    }
}
