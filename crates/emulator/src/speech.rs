//! What people without a connection say: a WAV file, a tone, or samples, made ready for the engine.
//!
//! Mono, 16 bit, at the rate of meetings. Pure functions; a minute takes some ten milliseconds, so callers keep them off
//! locks. Bad sound is refused by name, and a file that claims to be longer than it is costs nothing.

use std::f32::consts::TAU;
use std::io::Cursor;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};
use thiserror::Error;

use crate::meeting::{MAX_WAITING, SPEECH_RATE};

/// Rates a file may have.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// Peak of a tone, a little above what a talker reaches.
const TONE_PEAK: f32 = 8_000.0;
/// A tone swells and fades for this many samples, 10 ms, so that it does not click.
const TONE_RAMP: usize = SPEECH_RATE as usize / 100;
/// Input frames the resampler takes at a time.
const CHUNK: usize = 1_024;

/// Something to be said.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Speech {
    /// A WAV file: mono or stereo, 16 bit, 8 to 48 kHz.
    Wav(Vec<u8>),
    /// A sine.
    Tone {
        /// Frequency: 20 to 20,000 Hz.
        hz: f32,
        /// Length: above 0, up to 120 s.
        seconds: f32,
    },
    /// Mono samples.
    Samples {
        /// Samples per second: 8,000 to 48,000.
        rate: u32,
        /// The samples.
        samples: Vec<i16>,
    },
}

/// Why something cannot be said (culprit: caller).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpeechError {
    /// Not a WAV file.
    #[error("the sound is not a WAV file that can be read: {0}")]
    NotWav(String),
    /// A WAV file of another kind.
    #[error(
        "the WAV file has {channels} channels of {bits} bits at {rate} Hz; send 1 or 2 of 16 bits (integer) at 8000 to 48000 Hz"
    )]
    Format {
        /// Channels.
        channels: u16,
        /// Bits per sample.
        bits: u16,
        /// Samples per second.
        rate: u32,
    },
    /// A rate that is not taken.
    #[error("a rate of {0} Hz is not taken; use 8000 to 48000")]
    Rate(u32),
    /// No such tone.
    #[error("tone must be from 20 to 20000 Hz")]
    Tone,
    /// Nothing, or too much.
    #[error("the sound must be longer than 0 and at most {} seconds long", MAX_WAITING.as_secs())]
    Length,
}

impl Speech {
    /// The samples for the engine.
    pub(crate) fn into_samples(self) -> Result<Vec<i16>, SpeechError> {
        let samples = match self {
            Self::Tone { hz, seconds } => tone(hz, seconds)?,
            Self::Wav(file) => {
                let (rate, samples) = read_wav(&file)?;
                resampled(rate, samples)?
            }
            Self::Samples { rate, samples } => resampled(rate, samples)?,
        };
        if samples.is_empty() { Err(SpeechError::Length) } else { Ok(samples) }
    }
}

fn tone(hz: f32, seconds: f32) -> Result<Vec<i16>, SpeechError> {
    if !(20.0..=20_000.0).contains(&hz) {
        return Err(SpeechError::Tone);
    }
    if !(seconds > 0.0 && seconds <= MAX_WAITING.as_secs_f32()) {
        return Err(SpeechError::Length);
    }
    let length = (seconds * SPEECH_RATE as f32) as usize;
    let sample = |index: usize| {
        let edge = index.min(length - 1 - index);
        let loudness = (edge as f32 / TONE_RAMP as f32).min(1.0);
        // The phase by whole turns first: a float has no room for two minutes of it.
        let turns = (f64::from(hz) * index as f64 / f64::from(SPEECH_RATE)).fract();
        (TONE_PEAK * loudness * (turns as f32 * TAU).sin()) as i16
    };
    Ok((0..length).map(sample).collect())
}

/// Rate and mono samples of a WAV file.
fn read_wav(file: &[u8]) -> Result<(u32, Vec<i16>), SpeechError> {
    let not_wav = |error: hound::Error| SpeechError::NotWav(error.to_string());
    let mut reader = hound::WavReader::new(Cursor::new(file)).map_err(not_wav)?;
    let hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format } = reader.spec();
    let is_taken = matches!(channels, 1 | 2) && bits == 16 && sample_format == hound::SampleFormat::Int;
    if !is_taken || !RATES.contains(&rate) {
        return Err(SpeechError::Format { channels, bits, rate });
    }
    let interleaved: Vec<i16> = reader.samples().collect::<Result<_, _>>().map_err(not_wav)?;
    if channels == 1 {
        return Ok((rate, interleaved));
    }
    let mean = |pair: &[i16]| i16::midpoint(pair[0], pair[1]);
    Ok((rate, interleaved.chunks_exact(2).map(mean).collect()))
}

/// The same sound at the rate of meetings; the resampler's own delay is cut off.
fn resampled(rate: u32, samples: Vec<i16>) -> Result<Vec<i16>, SpeechError> {
    if !RATES.contains(&rate) {
        return Err(SpeechError::Rate(rate));
    }
    if samples.len() as u64 > u64::from(rate) * MAX_WAITING.as_secs() {
        return Err(SpeechError::Length);
    }
    if rate == SPEECH_RATE || samples.is_empty() {
        return Ok(samples);
    }
    let input: Vec<f32> = samples.iter().map(|&sample| f32::from(sample)).collect();
    let mut resampler = Fft::<f32>::new(rate as usize, SPEECH_RATE as usize, CHUNK, 1, FixedSync::Both)
        .expect("invariant: both rates are within what a resampler takes");
    let capacity = resampler.process_all_needed_output_len(input.len());
    let mut output = vec![0.0; capacity];
    let source = InterleavedSlice::new(&input, 1, input.len()).expect("invariant: one channel of that many frames");
    let mut sink = InterleavedSlice::new_mut(&mut output, 1, capacity).expect("invariant: made of that length");
    let (_, written) = resampler
        .process_all_into_buffer(&source, &mut sink, input.len(), None)
        .expect("invariant: the output has the length the resampler asked for");
    output.truncate(written);
    // The cast saturates: overshoot of the filter does not wrap.
    Ok(output.into_iter().map(|sample| sample.round_ties_even() as i16).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hound::{SampleFormat, WavSpec, WavWriter};

    fn wav(spec: WavSpec, samples: &[i16]) -> Vec<u8> {
        let mut file = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).unwrap();
        samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        file.into_inner()
    }

    fn spec(channels: u16, sample_rate: u32) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int }
    }

    fn sine(hz: f32, rate: u32, channels: u16) -> Vec<i16> {
        let at = |frame: u32| (8_000.0 * (TAU * hz * frame as f32 / rate as f32).sin()) as i16;
        (0..rate).flat_map(|frame| vec![at(frame); usize::from(channels)]).collect()
    }

    /// Frequency by upward zero crossings in the middle half.
    fn frequency(samples: &[i16]) -> f32 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let crossings = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
        crossings as f32 * SPEECH_RATE as f32 / middle.len() as f32
    }

    #[test]
    fn every_taken_wav_keeps_pitch_and_length() {
        for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
            for channels in [1, 2] {
                let file = wav(spec(channels, rate), &sine(440.0, rate, channels));
                let samples = Speech::Wav(file).into_samples().unwrap();
                assert!(samples.len().abs_diff(48_000) <= 8, "{rate}: {} samples", samples.len());
                assert!((frequency(&samples) - 440.0).abs() < 4.0, "{rate}: {} Hz", frequency(&samples));
            }
        }
    }

    #[test]
    fn tone_has_pitch_length_and_soft_ends() {
        let samples = Speech::Tone { hz: 700.0, seconds: 1.5 }.into_samples().unwrap();
        assert_eq!(samples.len(), 72_000);
        assert!((frequency(&samples) - 700.0).abs() < 4.0);
        assert!(samples[..10].iter().chain(&samples[71_990..]).all(|sample| sample.abs() < 300));
        assert!(samples.iter().any(|sample| *sample > 7_900));
    }

    #[test]
    fn what_cannot_be_said_is_refused_by_what_is_wrong() {
        let float = WavSpec { sample_format: SampleFormat::Float, bits_per_sample: 32, ..spec(1, 16_000) };
        let mut float_file = Cursor::new(Vec::new());
        WavWriter::new(&mut float_file, float).unwrap().finalize().unwrap();
        let cases = [
            (Speech::Wav(Vec::new()), "WAV"),
            (Speech::Wav(b"RIFF, it says".to_vec()), "WAV"),
            (Speech::Wav(wav(spec(1, 16_000), &[0; 9])[..50].to_vec()), "WAV"),
            (Speech::Wav(float_file.into_inner()), "32 bits"),
            (Speech::Wav(wav(spec(3, 16_000), &[0; 9])), "3 channels"),
            (Speech::Wav(wav(spec(1, 4_000), &[0; 9])), "4000 Hz"),
            (Speech::Wav(wav(spec(1, 96_000), &[0; 9])), "96000 Hz"),
            (Speech::Wav(wav(spec(1, 16_000), &[])), "longer than 0"),
            (Speech::Samples { rate: 1_000, samples: vec![0; 9] }, "1000 Hz"),
            (Speech::Samples { rate: 8_000, samples: vec![0; 8_000 * 121] }, "120 seconds"),
            (Speech::Tone { hz: 10.0, seconds: 1.0 }, "tone"),
            (Speech::Tone { hz: f32::NAN, seconds: 1.0 }, "tone"),
            (Speech::Tone { hz: 440.0, seconds: 0.0 }, "longer than 0"),
            (Speech::Tone { hz: 440.0, seconds: f32::INFINITY }, "120 seconds"),
            (Speech::Tone { hz: 440.0, seconds: -1.0 }, "longer than 0"),
        ];
        for (speech, culprit) in cases {
            let error = speech.into_samples().unwrap_err().to_string();
            assert!(error.contains(culprit), "{error}");
        }
    }

    #[test]
    fn spoiled_files_are_refused_or_read_but_never_panic() {
        let good = wav(spec(2, 16_000), &sine(440.0, 16_000, 2)[..2_000]);
        // Every byte of the header with every bit flipped, and every cut.
        for position in 0..64 {
            for bit in 0..8 {
                let mut file = good.clone();
                file[position] ^= 1 << bit;
                let _ = Speech::Wav(file).into_samples();
            }
        }
        for length in (0..100).chain([good.len() - 1]) {
            let _ = Speech::Wav(good[..length].to_vec()).into_samples();
        }
    }
}
