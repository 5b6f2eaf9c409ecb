//! What a bot hears, in its own format: frames mixed and apart, on one sample clock, with nothing missing unnoticed.
//!
//! In the flow: rings from the media thread → here (conversion, alignment) → audio socket. Runs in the bot's tasks.
//! Invariants: ticks never repeat or go back; a source's frames are whole, and a tick without one is exact silence; all
//! voices and the mix are delayed by the same conversion. Not here: waiting for frames.

use crate::AudioFormat;
use crate::convert::Converter;
use antiphon_engine::{AudioLevel, FrameOutcome, MixedEar, RtpTimestamp, SourceId, UnmixedEar};
use std::collections::VecDeque;
use std::fmt;

/// 20 ms of samples in the socket's format.
#[derive(Clone, PartialEq, Eq)]
pub struct Pcm(Box<[i16]>);

impl Pcm {
    /// The samples, interleaved if they are stereo: [`AudioFormat::frame_len`] of them.
    #[must_use]
    pub fn as_slice(&self) -> &[i16] {
        &self.0
    }

    fn new(mono: &[i16], format: AudioFormat) -> Self {
        Self(if format.channels() == 2 { mono.iter().flat_map(|&sample| [sample; 2]).collect() } else { mono.into() })
    }
}

impl fmt::Debug for Pcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pcm").field(&self.0.len()).finish()
    }
}

/// What a bot hears in one tick, everybody mixed. One comes every tick.
#[derive(Clone, Debug)]
pub struct MixedFrame {
    /// Number of the tick: the sample clock in units of 20 ms.
    pub tick: u64,
    /// Its level.
    pub level: AudioLevel,
    /// How many voices the bot's media thread put into it; a service sends one, its mix.
    pub talking: u16,
    /// The audio.
    pub samples: Pcm,
}

/// One participant in one tick. None comes for a tick in which it was silent by its own will: a gap in `tick` is digital
/// silence of exactly that length.
#[derive(Clone, Debug)]
pub struct UnmixedFrame {
    /// Number of the tick, on the same clock as [`MixedFrame::tick`].
    pub tick: u64,
    /// Whose voice it is; [`Call::participant_of`](crate::Call::participant_of) names the participant.
    pub source_id: SourceId,
    /// The sender's RTP timestamp of the first sample (48 kHz).
    pub timestamp: RtpTimestamp,
    /// How the frame came to be.
    pub outcome: FrameOutcome,
    /// Its level.
    pub level: AudioLevel,
    /// The audio.
    pub samples: Pcm,
}

/// Everything a bot hears in one tick.
#[derive(Clone, Debug)]
pub struct AudioTick {
    /// Number of the tick: one more than that of the [`AudioTick`] before.
    pub tick: u64,
    /// Everybody mixed; `None` if the frame was lost, because nobody read for half a second or the machine stood still.
    pub mixed: Option<MixedFrame>,
    /// Everybody who sounded, apart.
    pub unmixed: Vec<UnmixedFrame>,
}

/// Reads mixed frames.
#[derive(Debug)]
pub(crate) struct MixedReader {
    ear: MixedEar,
    format: AudioFormat,
    converter: Option<Converter>,
    /// A frame that waits for its turn.
    waiting: Option<antiphon_engine::MixedFrame>,
    /// The tick after the last one handed out.
    next: Option<u64>,
}

impl MixedReader {
    pub(crate) fn new(ear: MixedEar, format: AudioFormat) -> Self {
        Self { ear, format, converter: converter(format), waiting: None, next: None }
    }

    /// The oldest frame there is.
    pub(crate) fn next_frame(&mut self) -> Option<MixedFrame> {
        let frame = self.waiting.take().or_else(|| self.ear.next_frame())?;
        if self.next != Some(frame.tick)
            && let Some(converter) = &mut self.converter
        {
            converter.reset();
        }
        self.next = Some(frame.tick + 1);
        let mut converted = Vec::new();
        let samples = convert(self.converter.as_mut(), frame.samples.as_slice(), &mut converted);
        let samples = Pcm::new(samples, self.format);
        Some(MixedFrame { tick: frame.tick, level: frame.level, talking: frame.talking, samples })
    }

    /// The next tick in order and its frame, if that was not lost; nothing before a frame of it or of a later one came.
    fn next_tick(&mut self) -> Option<(u64, Option<MixedFrame>)> {
        if self.waiting.is_none() {
            self.waiting = self.ear.next_frame();
        }
        let came = self.waiting.as_ref()?.tick;
        let due = self.next.unwrap_or(came);
        if came > due {
            self.next = Some(due + 1);
            if let Some(converter) = &mut self.converter {
                converter.reset();
            }
            return Some((due, None));
        }
        Some((came, self.next_frame()))
    }
}

/// Reads unmixed frames.
#[derive(Debug)]
pub(crate) struct UnmixedReader {
    ear: UnmixedEar,
    format: AudioFormat,
    /// A frame that waits for its turn.
    waiting: Option<antiphon_engine::UnmixedFrame>,
    /// Who sounds, if it has to be converted.
    lanes: Vec<Lane>,
    /// Converters that nobody uses now.
    spare: Vec<Converter>,
    /// The last sounds of those who fell silent.
    ready: VecDeque<UnmixedFrame>,
}

#[derive(Debug)]
struct Lane {
    converter: Converter,
    source_id: SourceId,
    tick: u64,
    timestamp: RtpTimestamp,
}

/// RTP samples in a frame.
const RTP_FRAME: u32 = 960;

impl UnmixedReader {
    pub(crate) fn new(ear: UnmixedEar, format: AudioFormat) -> Self {
        Self { ear, format, waiting: None, lanes: Vec::new(), spare: Vec::new(), ready: VecDeque::new() }
    }

    /// The oldest frame there is. A voice that stopped is heard to its end as soon as a later tick is known of.
    pub(crate) fn next_frame(&mut self) -> Option<UnmixedFrame> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            let frame = self.waiting.take().or_else(|| self.ear.next_frame())?;
            if frame.tick > 0 && self.settle(frame.tick - 1) {
                self.waiting = Some(frame);
                continue;
            }
            return Some(self.convert(&frame));
        }
    }

    /// All frames of `tick`, once the mixed frame of it or of a later one has come; older ones are left out.
    fn frames_of(&mut self, tick: u64) -> Vec<UnmixedFrame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.waiting.take().or_else(|| self.ear.next_frame()) {
            if frame.tick > tick {
                self.waiting = Some(frame);
                break;
            }
            if frame.tick == tick {
                frames.push(self.convert(&frame));
            }
        }
        self.settle(tick);
        frames.extend(self.ready.drain(..).filter(|frame| frame.tick == tick));
        frames
    }

    fn convert(&mut self, frame: &antiphon_engine::UnmixedFrame) -> UnmixedFrame {
        let mut converted = Vec::new();
        let lane = self.format.is_converted().then(|| self.lane(frame));
        let samples = convert(lane.map(|lane| &mut lane.converter), frame.samples.as_slice(), &mut converted);
        UnmixedFrame {
            tick: frame.tick,
            source_id: frame.source_id,
            timestamp: frame.timestamp,
            outcome: frame.outcome,
            level: frame.level,
            samples: Pcm::new(samples, self.format),
        }
    }

    /// The lane of a frame's voice, brought up to the frame.
    fn lane(&mut self, frame: &antiphon_engine::UnmixedFrame) -> &mut Lane {
        let known = self.lanes.iter().position(|lane| lane.source_id == frame.source_id);
        let at = known.unwrap_or_else(|| {
            let converter = self.spare.pop().or_else(|| converter(self.format));
            let converter = converter.expect("invariant: only converted formats have lanes");
            let (source_id, tick, timestamp) = (frame.source_id, frame.tick, frame.timestamp);
            self.lanes.push(Lane { converter, source_id, tick, timestamp });
            self.lanes.len() - 1
        });
        let lane = &mut self.lanes[at];
        (lane.tick, lane.timestamp) = (frame.tick, frame.timestamp);
        lane
    }

    /// Every frame up to and with `through` has come: whoever has none in it has stopped, and what is left in its
    /// converter is its last frame. Whether there was anybody.
    fn settle(&mut self, through: u64) -> bool {
        let mut at = 0;
        let mut anybody = false;
        while at < self.lanes.len() {
            if self.lanes[at].tick >= through {
                at += 1;
                continue;
            }
            let Lane { mut converter, source_id, tick, timestamp } = self.lanes.remove(at);
            let mut rest = Vec::new();
            converter.finish(&mut rest);
            converter.reset();
            self.spare.push(converter);
            rest.resize(self.format.frame_samples(), 0);
            let energy: f64 = rest.iter().map(|&sample| (f64::from(sample) / 32_768.0).powi(2)).sum();
            let level = AudioLevel::from_mean_square((energy / rest.len() as f64) as f32);
            self.ready.push_back(UnmixedFrame {
                tick: tick + 1,
                source_id,
                timestamp: timestamp.advance(RTP_FRAME),
                outcome: FrameOutcome::Comfort,
                level,
                samples: Pcm::new(&rest, self.format),
            });
            anybody = true;
        }
        anybody
    }
}

/// Reads both, tick by tick.
pub(crate) fn next_tick(mixed: &mut MixedReader, unmixed: &mut UnmixedReader) -> Option<AudioTick> {
    let (tick, mixed) = mixed.next_tick()?;
    Some(AudioTick { tick, mixed, unmixed: unmixed.frames_of(tick) })
}

fn converter(format: AudioFormat) -> Option<Converter> {
    format.is_converted().then(|| Converter::new(format.bus_rate().hz(), format.sample_rate()))
}

fn convert<'a>(converter: Option<&mut Converter>, samples: &'a [i16], converted: &'a mut Vec<i16>) -> &'a [i16] {
    match converter {
        None => samples,
        Some(converter) => {
            converter.push(samples.iter().copied(), converted);
            converted
        }
    }
}
