//! Eight small spoken clips, looped as talkers.
//!
//! Talkers and the demo's bot read their voice here. Thread: any; loading resamples once and allocates.
//! Clips are mono at about -23 dBFS RMS, kept as 16 kHz WAV in `speech/` (how they were made: `speech/README.md`).
//! Does not: mark the voice (that is `signature`) or encode it.

use crate::fourier;
use antiphon_rtp::{AudioLevel, SampleRate};
use std::sync::{Arc, LazyLock};

/// A frame of a clip counts as speech when it is at least this loud.
const SPEECH_LEVEL: AudioLevel = AudioLevel::new(45);
/// Speech is taken to last this many 20 ms frames beyond the last loud one, so pauses between words stay inside it.
const HANGOVER: usize = 12;
/// Silence between two rounds of a looped clip, in 20 ms frames.
const GAP: usize = 20;

/// The clips, in the order talkers take them.
static CLIPS: [(&str, &[u8]); 8] = [
    ("ada", include_bytes!("../speech/ada.wav")),
    ("boris", include_bytes!("../speech/boris.wav")),
    ("clara", include_bytes!("../speech/clara.wav")),
    ("dmitri", include_bytes!("../speech/dmitri.wav")),
    ("edith", include_bytes!("../speech/edith.wav")),
    ("felix", include_bytes!("../speech/felix.wav")),
    ("greta", include_bytes!("../speech/greta.wav")),
    ("hugo", include_bytes!("../speech/hugo.wav")),
];

/// One spoken clip.
#[derive(Clone, Debug)]
pub struct Voice {
    name: &'static str,
    at_16k: Arc<[f32]>,
    at_48k: Arc<[f32]>,
}

impl Voice {
    /// The voices of the clips kept in the repository, eight of them.
    pub fn all() -> &'static [Self] {
        static VOICES: LazyLock<Vec<Voice>> = LazyLock::new(|| CLIPS.iter().map(Voice::load).collect());
        &VOICES
    }

    /// The voice of the `n`th talker: the clips in turn.
    pub fn nth(n: usize) -> &'static Self {
        let all = Self::all();
        &all[n % all.len()]
    }

    /// Its name, in small letters.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The clip at 48 kHz, or at 16 kHz for any other rate.
    pub fn samples(&self, rate: SpeechRate) -> &Arc<[f32]> {
        match rate {
            SpeechRate::Hz16000 => &self.at_16k,
            SpeechRate::Hz48000 => &self.at_48k,
        }
    }

    fn load((name, bytes): &(&'static str, &'static [u8])) -> Self {
        let mut reader = hound::WavReader::new(*bytes).expect("invariant: the built-in clips are WAV files");
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate), (1, 16_000), "invariant: clips are 16 kHz mono");
        let samples: Vec<f32> = reader
            .samples::<i16>()
            .map(|s| f32::from(s.expect("invariant: the built-in clips are whole")) / 32_768.0)
            .collect();
        Self { name, at_48k: fourier::triple(&samples).into(), at_16k: samples.into() }
    }
}

/// The two rates speech comes in; Opus takes both natively.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpeechRate {
    /// 16 kHz: 320 samples per frame.
    Hz16000,
    /// 48 kHz: 960 samples per frame.
    Hz48000,
}

impl SpeechRate {
    /// Samples in a 20 ms frame.
    pub const fn frame(self) -> usize {
        match self {
            Self::Hz16000 => 320,
            Self::Hz48000 => 960,
        }
    }

    /// As the unit the rest of the workspace uses.
    pub const fn sample_rate(self) -> SampleRate {
        match self {
            Self::Hz16000 => SampleRate::HZ_16000,
            Self::Hz48000 => SampleRate::HZ_48000,
        }
    }

    /// As the codec names it.
    pub const fn codec_rate(self) -> antiphon_codec::CodecRate {
        match self {
            Self::Hz16000 => antiphon_codec::CodecRate::Hz16000,
            Self::Hz48000 => antiphon_codec::CodecRate::Hz48000,
        }
    }
}

/// A clip read round and round in 20 ms frames, with a short silence between rounds.
#[derive(Clone, Debug)]
pub struct SpeechLoop {
    samples: Arc<[f32]>,
    frame: usize,
    /// Whether each frame of the clip belongs to speech.
    speech: Arc<[bool]>,
    at: usize,
}

impl SpeechLoop {
    /// Reads `voice` at `rate` from the `start`th frame on; any start is valid, it wraps.
    pub fn new(voice: &Voice, rate: SpeechRate, start: usize) -> Self {
        let (samples, frame) = (Arc::clone(voice.samples(rate)), rate.frame());
        let mut left = 0;
        let speech: Arc<[bool]> = samples
            .chunks(frame)
            .map(|chunk| {
                left = if SPEECH_LEVEL.is_louder_than(AudioLevel::of(chunk)) {
                    usize::saturating_sub(left, 1)
                } else {
                    HANGOVER
                };
                left > 0
            })
            .collect();
        let at = start % (speech.len() + GAP);
        Self { samples, frame, speech, at }
    }

    /// Writes the next 20 ms into `out` and says whether they belong to speech.
    ///
    /// # Panics
    /// If `out` is not one frame of this rate.
    pub fn next_frame(&mut self, out: &mut [f32]) -> bool {
        assert_eq!(out.len(), self.frame, "speech is read in 20 ms frames");
        let from = (self.at * self.frame).min(self.samples.len());
        let part = &self.samples[from..(from + self.frame).min(self.samples.len())];
        out[..part.len()].copy_from_slice(part);
        out[part.len()..].fill(0.0);
        let speech = self.speech.get(self.at).copied().unwrap_or(false);
        self.at = (self.at + 1) % (self.speech.len() + GAP);
        speech
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_voices_of_four_to_seven_seconds_at_the_stated_level() {
        assert_eq!(Voice::all().len(), 8);
        for voice in Voice::all() {
            let samples = voice.samples(SpeechRate::Hz16000);
            let seconds = samples.len() as f32 / 16_000.0;
            assert!((4.0..7.0).contains(&seconds), "{}: {seconds} s", voice.name());
            let level = AudioLevel::of(samples).minus_dbov();
            assert!((22..=24).contains(&level), "{}: -{level} dBov", voice.name());
            assert_eq!(voice.samples(SpeechRate::Hz48000).len(), samples.len() * 3);
        }
    }

    #[test]
    fn loop_comes_round_after_clip_and_gap() {
        for rate in [SpeechRate::Hz16000, SpeechRate::Hz48000] {
            let voice = Voice::nth(2);
            let frames = voice.samples(rate).len().div_ceil(rate.frame()) + GAP;
            let mut source = SpeechLoop::new(voice, rate, 7);
            let mut round = || {
                (0..frames)
                    .map(|_| {
                        let mut frame = vec![9.0; rate.frame()];
                        let speech = source.next_frame(&mut frame);
                        (frame, speech)
                    })
                    .collect::<Vec<_>>()
            };
            let first = round();
            assert_eq!(first, round());
            assert!(first.iter().any(|(_, speech)| *speech) && first.iter().any(|(_, speech)| !speech));
            assert!(first.iter().flat_map(|(frame, _)| frame).all(|s| s.abs() <= 1.0), "every sample is written");
        }
    }

    #[test]
    fn loud_frames_always_count_as_speech() {
        for voice in Voice::all() {
            let mut source = SpeechLoop::new(voice, SpeechRate::Hz16000, 0);
            for _ in 0..300 {
                let mut frame = [0.0; 320];
                let speech = source.next_frame(&mut frame);
                assert!(speech || SPEECH_LEVEL.is_louder_than(AudioLevel::of(&frame)));
            }
        }
    }
}
