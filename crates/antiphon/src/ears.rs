//! What a bot hears, in its own format: frames mixed and apart, on one sample clock, with nothing missing unnoticed.
//!
//! In the flow: rings from the media thread → here (conversion, alignment) → audio socket. Runs in the bot's tasks.
//! Invariants: ticks never repeat or go back; a source's frames are whole, and a tick without one is exact silence; all
//! voices and the mix are delayed by the same conversion. Not here: waiting for frames.

use crate::AudioFormat;
use crate::convert::Converter;
use antiphon_engine::{AudioLevel, FrameOutcome, MixedEar, RtpTimestamp, SourceId, Stretched, UnmixedEar};
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

    /// From mono at the call's own rate to `format`, by the voice's converter.
    fn bring_to(&mut self, format: AudioFormat, converter: Option<&mut Converter>) {
        if let Some(converter) = converter {
            let mut converted = Vec::with_capacity(format.frame_len());
            converter.push(self.0.iter().copied(), &mut converted);
            self.0 = converted.into();
        }
        self.widen(format);
    }

    /// From mono to the channels of `format`.
    fn widen(&mut self, format: AudioFormat) {
        if format.channels() == 2 {
            self.0 = self.0.iter().flat_map(|&sample| [sample; 2]).collect();
        }
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
    /// Whether playout was sped up or slowed down in it, to follow the network without a gap.
    pub stretched: Stretched,
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

/// Where frames come from: mono, at the call's own rate, oldest first.
pub(crate) trait Frames {
    type Frame;

    fn next_frame(&mut self) -> Option<Self::Frame>;
}

impl Frames for MixedEar {
    type Frame = MixedFrame;

    fn next_frame(&mut self) -> Option<MixedFrame> {
        let frame = Self::next_frame(self)?;
        let samples = Pcm(frame.samples.as_slice().into());
        Some(MixedFrame { tick: frame.tick, level: frame.level, talking: frame.talking, samples })
    }
}

impl Frames for UnmixedEar {
    type Frame = UnmixedFrame;

    fn next_frame(&mut self) -> Option<UnmixedFrame> {
        let frame = Self::next_frame(self)?;
        Some(UnmixedFrame {
            tick: frame.tick,
            source_id: frame.source_id,
            timestamp: frame.timestamp,
            outcome: frame.outcome,
            stretched: frame.stretched,
            level: frame.level,
            samples: Pcm(frame.samples.as_slice().into()),
        })
    }
}

/// Reads mixed frames.
#[derive(Debug)]
pub(crate) struct MixedReader<E = MixedEar> {
    ear: E,
    format: AudioFormat,
    converter: Option<Converter>,
    /// A frame that waits for its turn.
    waiting: Option<MixedFrame>,
    /// The tick after the last one handed out.
    next: Option<u64>,
}

impl<E: Frames<Frame = MixedFrame>> MixedReader<E> {
    pub(crate) fn new(ear: E, format: AudioFormat) -> Self {
        Self { ear, format, converter: converter(format), waiting: None, next: None }
    }

    /// The oldest frame there is.
    pub(crate) fn next_frame(&mut self) -> Option<MixedFrame> {
        let mut frame = self.waiting.take().or_else(|| self.ear.next_frame())?;
        if self.next != Some(frame.tick) {
            self.break_off();
        }
        self.next = Some(frame.tick + 1);
        frame.samples.bring_to(self.format, self.converter.as_mut());
        Some(frame)
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
            self.break_off();
            return Some((due, None));
        }
        Some((came, self.next_frame()))
    }

    /// What comes next does not follow on what came last.
    fn break_off(&mut self) {
        if let Some(converter) = &mut self.converter {
            converter.reset();
        }
    }
}

/// Reads unmixed frames.
#[derive(Debug)]
pub(crate) struct UnmixedReader<E = UnmixedEar> {
    ear: E,
    format: AudioFormat,
    /// A frame that waits for its turn.
    waiting: Option<UnmixedFrame>,
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

impl<E: Frames<Frame = UnmixedFrame>> UnmixedReader<E> {
    pub(crate) fn new(ear: E, format: AudioFormat) -> Self {
        Self { ear, format, waiting: None, lanes: Vec::new(), spare: Vec::new(), ready: VecDeque::new() }
    }

    /// The oldest frame there is. A voice that stopped is heard to its end as soon as a later tick is known of.
    pub(crate) fn next_frame(&mut self) -> Option<UnmixedFrame> {
        if let Some(frame) = self.ready.pop_front() {
            return Some(frame);
        }
        let frame = self.waiting.take().or_else(|| self.ear.next_frame())?;
        self.settle(frame.tick.saturating_sub(1));
        if let Some(rest) = self.ready.pop_front() {
            self.waiting = Some(frame);
            return Some(rest);
        }
        Some(self.convert(frame))
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
                frames.push(self.convert(frame));
            }
        }
        self.settle(tick);
        frames.extend(self.ready.drain(..).filter(|frame| frame.tick == tick));
        frames
    }

    fn convert(&mut self, mut frame: UnmixedFrame) -> UnmixedFrame {
        let format = self.format;
        let converter = if format.is_converted() { self.converter(&frame) } else { None };
        frame.samples.bring_to(format, converter);
        frame
    }

    /// The converter of a frame's voice, whose lane is brought up to the frame.
    fn converter(&mut self, frame: &UnmixedFrame) -> Option<&mut Converter> {
        let (tick, timestamp) = (frame.tick, frame.timestamp);
        let at = match self.lanes.iter().position(|lane| lane.source_id == frame.source_id) {
            Some(at) => at,
            None => {
                let converter = self.spare.pop().or_else(|| converter(self.format))?;
                self.lanes.push(Lane { converter, source_id: frame.source_id, tick, timestamp });
                self.lanes.len() - 1
            }
        };
        let lane = &mut self.lanes[at];
        (lane.tick, lane.timestamp) = (tick, timestamp);
        Some(&mut lane.converter)
    }

    /// Every frame up to and with `through` has come: whoever has none in it has stopped, and what is left in its
    /// converter is its last frame.
    fn settle(&mut self, through: u64) {
        for lane in self.lanes.extract_if(.., |lane| lane.tick < through) {
            let Lane { mut converter, source_id, tick, timestamp } = lane;
            let mut rest = Vec::new();
            converter.finish(&mut rest);
            converter.reset();
            self.spare.push(converter);
            rest.resize(self.format.frame_samples(), 0);
            let energy: f64 = rest.iter().map(|&sample| (f64::from(sample) / 32_768.0).powi(2)).sum();
            let level = AudioLevel::from_mean_square((energy / rest.len() as f64) as f32);
            let mut samples = Pcm(rest.into());
            samples.widen(self.format);
            let (tick, timestamp) = (tick + 1, timestamp.advance(RTP_FRAME));
            let (outcome, stretched) = (FrameOutcome::Comfort, Stretched::No);
            self.ready.push_back(UnmixedFrame { tick, source_id, timestamp, outcome, stretched, level, samples });
        }
    }
}

/// Reads both, tick by tick.
pub(crate) fn next_tick<M, U>(mixed: &mut MixedReader<M>, unmixed: &mut UnmixedReader<U>) -> Option<AudioTick>
where
    M: Frames<Frame = MixedFrame>,
    U: Frames<Frame = UnmixedFrame>,
{
    let (tick, mixed) = mixed.next_tick()?;
    Some(AudioTick { tick, mixed, unmixed: unmixed.frames_of(tick) })
}

fn converter(format: AudioFormat) -> Option<Converter> {
    format.is_converted().then(|| Converter::new(format.bus_rate().hz(), format.sample_rate()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    impl<T> Frames for VecDeque<T> {
        type Frame = T;

        fn next_frame(&mut self) -> Option<T> {
            self.pop_front()
        }
    }

    /// A frame of a tone that goes on from tick to tick.
    fn pcm(tick: u64, hz: f64, format: AudioFormat) -> Pcm {
        let rate = format.bus_rate().hz();
        let first = tick * u64::from(rate / 50);
        let sample = |n: u64| (8_000.0 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as i16;
        Pcm((first..first + u64::from(rate / 50)).map(sample).collect())
    }

    fn mixed(tick: u64, format: AudioFormat) -> MixedFrame {
        MixedFrame { tick, level: AudioLevel::new(20), talking: 1, samples: pcm(tick, 700.0, format) }
    }

    fn unmixed(tick: u64, source: u32, format: AudioFormat) -> UnmixedFrame {
        UnmixedFrame {
            tick,
            source_id: SourceId::new(source),
            timestamp: RtpTimestamp::new(tick as u32 * RTP_FRAME),
            outcome: FrameOutcome::Decoded,
            stretched: Stretched::No,
            level: AudioLevel::new(20),
            samples: pcm(tick, 700.0, format),
        }
    }

    fn formats() -> Vec<AudioFormat> {
        let rates = [8_000, 16_000, 24_000, 44_100, 48_000];
        rates.iter().flat_map(|&rate| [1, 2].map(|channels| AudioFormat::new(rate, channels).unwrap())).collect()
    }

    #[test]
    fn every_tick_comes_once_and_tracks_written_from_them_are_in_step() {
        for format in formats() {
            // The mix loses ticks 7 and 8; source 1 pauses from 4 to 9, source 2 joins at 3 and leaves after 12.
            let ear: VecDeque<_> = (0..20).filter(|t| ![7, 8].contains(t)).map(|t| mixed(t, format)).collect();
            let apart = (0..20_u64).flat_map(|t| {
                let one = (!(4..10).contains(&t)).then(|| unmixed(t, 1, format));
                let two = (3..13).contains(&t).then(|| unmixed(t, 2, format));
                one.into_iter().chain(two)
            });
            let mut mixed = MixedReader::new(ear, format);
            let mut unmixed = UnmixedReader::new(apart.collect::<VecDeque<_>>(), format);
            let silence = vec![0; format.frame_len()];
            let mut tracks = [const { Vec::new() }; 3];
            let mut ticks = Vec::new();
            while let Some(tick) = next_tick(&mut mixed, &mut unmixed) {
                ticks.push(tick.tick);
                let samples = tick.mixed.as_ref().map_or(&silence[..], |frame| frame.samples.as_slice());
                tracks[0].extend_from_slice(samples);
                for source in [1, 2] {
                    let frame = tick.unmixed.iter().find(|frame| frame.source_id.as_u32() == source);
                    assert!(frame.is_none_or(|frame| frame.tick == tick.tick));
                    tracks[source as usize].extend_from_slice(frame.map_or(&silence, |frame| frame.samples.as_slice()));
                }
                assert!(tick.unmixed.len() <= 2);
            }
            assert_eq!(ticks, (0..20).collect::<Vec<_>>(), "{format:?}");
            let frame = format.frame_len();
            assert!(tracks.iter().all(|track| track.len() == 20 * frame), "{format:?}");
            // Where both sound from the start of a tone they are the same samples: one clock, one delay.
            assert_eq!(tracks[0][..4 * frame], tracks[1][..4 * frame], "{format:?}");
            assert_eq!(tracks[1][11 * frame..13 * frame], tracks[2][11 * frame..13 * frame], "{format:?}");
            // A pause is exact silence, but for the conversion's delay at its beginning.
            let delay = format.frame_len() / 2;
            let rest = &tracks[1][4 * frame..4 * frame + delay];
            assert_eq!(rest.iter().any(|sample| *sample != 0), format.is_converted(), "{format:?}");
            assert!(tracks[1][4 * frame + delay..10 * frame].iter().all(|sample| *sample == 0), "{format:?}");
            assert!(tracks[2][13 * frame + delay..].iter().all(|sample| *sample == 0), "{format:?}");
            if format.channels() == 2 {
                assert!(tracks[0].chunks(2).all(|sides| sides[0] == sides[1]));
            }
        }
    }

    #[test]
    fn frame_by_frame_a_voice_is_heard_to_its_end_and_ticks_do_not_go_back() {
        for format in formats() {
            let apart = [(0, 1), (0, 2), (1, 1), (2, 1), (3, 1), (3, 2)];
            let ear: VecDeque<_> = apart.iter().map(|&(tick, source)| unmixed(tick, source, format)).collect();
            let mut reader = UnmixedReader::new(ear, format);
            let got: Vec<_> = std::iter::from_fn(|| reader.next_frame()).collect();
            assert!(got.windows(2).all(|pair| pair[0].tick <= pair[1].tick));
            assert!(got.iter().all(|frame| frame.samples.as_slice().len() == format.frame_len()));
            let rests: Vec<_> = got.iter().filter(|frame| frame.outcome == FrameOutcome::Comfort).collect();
            assert_eq!(rests.len(), usize::from(format.is_converted()), "{format:?}");
            for rest in rests {
                assert_eq!((rest.tick, rest.source_id.as_u32(), rest.timestamp.as_u32()), (1, 2, RTP_FRAME));
            }
            assert_eq!(got.len() - usize::from(format.is_converted()), apart.len());
        }
    }
}
