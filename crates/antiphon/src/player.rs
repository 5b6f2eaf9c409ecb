//! A player: sends PCM of any common rate into a call, in order, in the background.
//!
//! In the flow: bot's buffers → resampler (`rubato`, only when the rates differ) → audio socket. One task per
//! player; what is queued is bounded by clips, not by seconds. Not here: file formats, mixing of clips.

use crate::{AudioEnded, AudioSocket};
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Clips that may wait.
const CLIPS: usize = 16;
/// Input frames the resampler takes at a time.
const CHUNK: usize = 1_024;

/// A clip could not be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlayerError {
    /// The rate is outside 4 kHz to 192 kHz.
    #[error("a sample rate of {0} Hz cannot be played; use 4000 to 192000")]
    SampleRate(u32),
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
                if out.speak(&clip).await.is_err() {
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
        let clip = resample(samples, sample_rate, self.audio.format().sample_rate())?;
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

/// Converts a whole clip; the resampler's own delay is cut off.
fn resample(samples: &[i16], from: u32, to: u32) -> Result<Vec<i16>, PlayerError> {
    if from == to || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    if !(4_000..=192_000).contains(&from) {
        return Err(PlayerError::SampleRate(from));
    }
    let refused = |e: &dyn std::fmt::Display| PlayerError::Resample(e.to_string());
    let input: Vec<f32> = samples.iter().map(|&s| f32::from(s) / 32_768.0).collect();
    let mut resampler =
        Fft::<f32>::new(from as usize, to as usize, CHUNK, 1, FixedSync::Both).map_err(|e| refused(&e))?;
    let capacity = resampler.process_all_needed_output_len(input.len());
    let mut output = vec![0.0; capacity];
    let source = InterleavedSlice::new(&input, 1, input.len()).map_err(|e| refused(&e))?;
    let mut sink = InterleavedSlice::new_mut(&mut output, 1, capacity).map_err(|e| refused(&e))?;
    let (_, written) =
        resampler.process_all_into_buffer(&source, &mut sink, input.len(), None).map_err(|e| refused(&e))?;
    output.truncate(written);
    // The cast saturates: full-scale overshoot of the filter does not wrap.
    Ok(output.iter().map(|s| (s * 32_768.0).round_ties_even() as i16).collect())
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

    #[test]
    fn every_common_rate_keeps_pitch_and_length() {
        for from in [8_000, 16_000, 22_050, 24_000, 44_100, 48_000] {
            for to in [16_000, 48_000] {
                let out = resample(&tone(440.0, from, 1.0), from, to).unwrap();
                assert!(out.len().abs_diff(to as usize) <= 2, "{from} to {to}: {} samples", out.len());
                assert!((frequency(&out, to) - 440.0).abs() < 4.0, "{from} to {to}: {}", frequency(&out, to));
            }
        }
    }

    #[test]
    fn a_senseless_rate_is_named() {
        assert_eq!(resample(&[1, 2], 100, 16_000), Err(PlayerError::SampleRate(100)));
    }
}
