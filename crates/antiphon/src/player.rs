//! A player: sends PCM and WAV files of any common rate into a call, in order, in the background.
//!
//! In the flow: bot's buffers or files → resampler (`rubato`, only when the rates differ, straight to the call's rate) →
//! audio socket. One task per player; what is queued is bounded by clips, not by seconds. Bad files are refused by name.
//! Not here: mixing of clips.

use crate::{AudioEnded, AudioSocket};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Clips that may wait.
const CLIPS: usize = 16;
/// Input frames the resampler takes at a time.
const CHUNK: usize = 1_024;
/// What a sample of 1.0 is in 16 bits.
const FULL_SCALE: f32 = 32_768.0;

/// A clip could not be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlayerError {
    /// The rate is outside 4 kHz to 192 kHz.
    #[error("a sample rate of {0} Hz cannot be played; use 4000 to 192000")]
    SampleRate(u32),
    /// Not a WAV file that can be read.
    #[error("the clip is not a WAV file that can be read: {0}")]
    NotWav(String),
    /// More channels than two.
    #[error("the WAV file has {0} channels; use 1 or 2")]
    Channels(u16),
    /// The resampler refused (a fault of ours).
    #[error("the clip could not be resampled: {0}")]
    Resample(String),
    /// The call's audio has ended.
    #[error(transparent)]
    Ended(#[from] AudioEnded),
}

/// Plays clips one after the other. Dropping it stops after the clip that is playing.
#[derive(Debug)]
pub struct Player {
    audio: AudioSocket,
    clips: mpsc::Sender<Arc<[i16]>>,
    /// Clips given and clips done.
    done: watch::Receiver<u64>,
    given: u64,
}

impl Player {
    /// A player into `audio`. Must run inside a tokio runtime.
    #[must_use]
    pub fn new(audio: &AudioSocket) -> Self {
        let (clips, mut queue) = mpsc::channel::<Arc<[i16]>>(CLIPS);
        let (tell, done) = watch::channel(0);
        let out = audio.clone();
        tokio::spawn(async move {
            while let Some(clip) = queue.recv().await {
                if out.speak_converted(&clip).await.is_err() {
                    return;
                }
                tell.send_modify(|n| *n += 1);
            }
        });
        Self { audio: audio.clone(), clips, done, given: 0 }
    }

    /// Queues a clip: mono samples at `sample_rate`. Waits while sixteen clips wait.
    ///
    /// # Errors
    /// [`PlayerError`]; nothing is queued then.
    pub async fn play(&mut self, samples: &[i16], sample_rate: u32) -> Result<(), PlayerError> {
        let samples: Vec<f32> = samples.iter().map(|&sample| f32::from(sample) / FULL_SCALE).collect();
        self.queue(&samples, sample_rate).await
    }

    /// Queues a WAV file: 8 to 32 bits or float, mono or stereo (folded down, half of either side), 4 to 192 kHz. Waits
    /// while sixteen clips wait.
    ///
    /// # Errors
    /// [`PlayerError`]; nothing is queued then.
    pub async fn play_wav(&mut self, file: &[u8]) -> Result<(), PlayerError> {
        let (samples, sample_rate) = read_wav(file)?;
        self.queue(&samples, sample_rate).await
    }

    async fn queue(&mut self, samples: &[f32], sample_rate: u32) -> Result<(), PlayerError> {
        let clip = resample(samples, sample_rate, self.audio.format().bus_rate().hz())?;
        self.clips.send(clip.into()).await.map_err(|_| AudioEnded)?;
        self.given += 1;
        Ok(())
    }

    /// Waits until every clip queued so far has gone into the socket.
    ///
    /// # Errors
    /// [`AudioEnded`].
    pub async fn finished(&mut self) -> Result<(), AudioEnded> {
        let given = self.given;
        self.done.wait_for(|&n| n >= given).await.map(drop).map_err(|_| AudioEnded)
    }
}

/// Mono samples and rate of a WAV file.
fn read_wav(file: &[u8]) -> Result<(Vec<f32>, u32), PlayerError> {
    let not_wav = |error: hound::Error| PlayerError::NotWav(error.to_string());
    let mut reader = hound::WavReader::new(std::io::Cursor::new(file)).map_err(not_wav)?;
    let hound::WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
    if !(1..=2).contains(&channels) {
        return Err(PlayerError::Channels(channels));
    }
    // From the declared width to ±1. A file that claims to be longer than it is ends in an error.
    let scale = 1.0 / (1_u64 << (bits_per_sample.clamp(1, 32) - 1)) as f32;
    let interleaved: Vec<f32> = match sample_format {
        hound::SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>(),
        hound::SampleFormat::Int => reader.samples::<i32>().map(|sample| sample.map(|s| s as f32 * scale)).collect(),
    }
    .map_err(not_wav)?;
    let mono = match channels {
        1 => interleaved,
        _ => interleaved.chunks_exact(2).map(|sides| (sides[0] + sides[1]) * 0.5).collect(),
    };
    Ok((mono, sample_rate))
}

/// Converts a whole clip; the resampler's own delay is cut off.
fn resample(input: &[f32], from: u32, to: u32) -> Result<Vec<i16>, PlayerError> {
    if !(4_000..=192_000).contains(&from) {
        return Err(PlayerError::SampleRate(from));
    }
    if from == to || input.is_empty() {
        return Ok(to_pcm(input));
    }
    let refused = |e: &dyn std::fmt::Display| PlayerError::Resample(e.to_string());
    let mut resampler =
        Fft::<f32>::new(from as usize, to as usize, CHUNK, 1, FixedSync::Both).map_err(|e| refused(&e))?;
    let capacity = resampler.process_all_needed_output_len(input.len());
    let mut output = vec![0.0; capacity];
    let source = InterleavedSlice::new(input, 1, input.len()).map_err(|e| refused(&e))?;
    let mut sink = InterleavedSlice::new_mut(&mut output, 1, capacity).map_err(|e| refused(&e))?;
    let (_, written) =
        resampler.process_all_into_buffer(&source, &mut sink, input.len(), None).map_err(|e| refused(&e))?;
    output.truncate(written);
    Ok(to_pcm(&output))
}

fn to_pcm(samples: &[f32]) -> Vec<i16> {
    // The cast saturates: full-scale overshoot of the filter does not wrap.
    samples.iter().map(|s| (s * FULL_SCALE).round_ties_even() as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, seconds: f64) -> Vec<i16> {
        let n = (f64::from(rate) * seconds) as usize;
        (0..n).map(|i| (8_000.0 * (std::f64::consts::TAU * hz * i as f64 / f64::from(rate)).sin()) as i16).collect()
    }

    /// Frequency by counting upward zero crossings in the middle of the signal.
    fn frequency(samples: &[i16], rate: u32) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let crossings = middle.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count();
        crossings as f64 * f64::from(rate) / middle.len() as f64
    }

    fn floats(samples: &[i16]) -> Vec<f32> {
        samples.iter().map(|&s| f32::from(s) / FULL_SCALE).collect()
    }

    #[test]
    fn every_common_rate_keeps_pitch_and_length() {
        for from in [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] {
            for to in [16_000, 48_000] {
                let out = resample(&floats(&tone(440.0, from, 1.0)), from, to).unwrap();
                assert!(out.len().abs_diff(to as usize) <= 2, "{from} to {to}: {} samples", out.len());
                assert!((frequency(&out, to) - 440.0).abs() < 4.0, "{from} to {to}: {}", frequency(&out, to));
            }
        }
    }

    #[test]
    fn a_senseless_rate_is_named() {
        assert_eq!(resample(&[0.1, 0.2], 100, 16_000), Err(PlayerError::SampleRate(100)));
    }

    /// A WAV file of a quarter second of 440 Hz, at a quarter of full scale on the left and a `right` of it on the right.
    fn wav(rate: u32, channels: u16, bits: u16, right: f64) -> Vec<u8> {
        let sample_format = if bits == 32 { hound::SampleFormat::Float } else { hound::SampleFormat::Int };
        let spec = hound::WavSpec { channels, sample_rate: rate, bits_per_sample: bits, sample_format };
        let mut file = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for n in 0..rate / 4 {
            let sample = 0.25 * (std::f64::consts::TAU * 440.0 * f64::from(n) / f64::from(rate)).sin();
            for side in [sample, sample * right].into_iter().take(usize::from(channels)) {
                match sample_format {
                    hound::SampleFormat::Float => writer.write_sample(side as f32).unwrap(),
                    hound::SampleFormat::Int => {
                        writer.write_sample((side * f64::from(1_u32 << (bits - 1))) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        file.into_inner()
    }

    #[test]
    fn wav_files_of_every_rate_width_and_both_layouts_keep_level_and_length() {
        for rate in [8_000, 16_000, 24_000, 44_100, 48_000] {
            for (channels, right, expected) in [(1, 0.0, 0.25), (2, 1.0, 0.25), (2, 0.0, 0.125)] {
                for bits in [8, 16, 24, 32] {
                    let (samples, from) = read_wav(&wav(rate, channels, bits, right)).unwrap();
                    let out = resample(&samples, from, 48_000).unwrap();
                    assert!(out.len().abs_diff(12_000) <= 2, "{rate}/{channels}/{bits}: {} samples", out.len());
                    let power = floats(&out).iter().map(|s| s * s).sum::<f32>() / out.len() as f32;
                    let level = 20.0 * ((2.0 * power).sqrt() / expected).log10();
                    assert!(level.abs() < 0.5, "{rate}/{channels}/{bits}: {level} dB");
                }
            }
        }
    }

    #[test]
    fn a_bad_file_is_named() {
        assert!(matches!(read_wav(b"RIFF nonsense"), Err(PlayerError::NotWav(_))));
        let mut short = wav(8_000, 1, 16, 0.0);
        short.truncate(short.len() - 100);
        assert!(matches!(read_wav(&short), Err(PlayerError::NotWav(_))), "shorter than it claims to be");
        let spec = hound::WavSpec {
            channels: 6,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = std::io::Cursor::new(Vec::new());
        hound::WavWriter::new(&mut file, spec).unwrap().finalize().unwrap();
        assert_eq!(read_wav(&file.into_inner()), Err(PlayerError::Channels(6)));
    }
}
