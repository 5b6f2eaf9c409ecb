//! A recording on the run's common timebase: PCM placed by time, gaps silent.
//!
//! Every ear and mouth of a run fills one; the matrix, the latency probe and the WAV writer read them. Thread: any.
//! Times are `Duration`s since the run's epoch, one `Instant` that all participants share; sample `n` sounds at `n / rate`.
//! Does not: decode or wait; whoever records decides where a frame belongs.

use crate::speech::SpeechRate;
use std::ops::Range;
use std::time::Duration;

/// The longest window that is filled up with silence.
const LONGEST_WINDOW: Duration = Duration::from_secs(3_600);

/// Mono PCM since the run's epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    rate: SpeechRate,
    samples: Vec<f32>,
}

impl Recording {
    /// An empty recording.
    pub const fn new(rate: SpeechRate) -> Self {
        Self { rate, samples: vec![] }
    }

    /// Its sample rate.
    pub const fn rate(&self) -> SpeechRate {
        self.rate
    }

    /// Everything from the epoch to the last sample recorded.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// How long it is, from the epoch.
    pub fn duration(&self) -> Duration {
        self.rate.sample_rate().duration_of(antiphon_rtp::SampleCount::new(self.samples.len() as u64))
    }

    /// Writes `pcm` where time `at` is, over what was there; silence fills the way from the end. The position is rounded down.
    pub fn put(&mut self, at: Duration, pcm: &[f32]) {
        self.put_at(self.index(at), pcm);
    }

    /// Appends `pcm` right after the last sample.
    pub fn append(&mut self, pcm: &[f32]) {
        self.samples.extend_from_slice(pcm);
    }

    /// Adds another recording of the same rate, sample on sample.
    ///
    /// # Panics
    /// If the rates differ.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.rate, other.rate, "recordings of different rates cannot be added");
        if self.samples.len() < other.samples.len() {
            self.samples.resize(other.samples.len(), 0.0);
        }
        self.samples.iter_mut().zip(&other.samples).for_each(|(a, b)| *a += b);
    }

    /// The samples between two times; what was not recorded is cut off.
    pub fn between(&self, window: &Range<Duration>) -> &[f32] {
        let end = self.index(window.end).min(self.samples.len());
        &self.samples[self.index(window.start).min(end)..end]
    }

    /// The samples between two times; what was not recorded is silence, so that there are always as many as the window is long.
    ///
    /// # Panics
    /// If the window is longer than an hour: an open end has no length to fill.
    pub fn padded(&self, window: &Range<Duration>) -> Vec<f32> {
        let length = window.end.saturating_sub(window.start);
        assert!(length <= LONGEST_WINDOW, "a window to be filled with silence has an end");
        let mut samples = self.between(window).to_vec();
        samples.resize(self.index(length), 0.0);
        samples
    }

    pub(crate) fn put_at(&mut self, start: usize, pcm: &[f32]) {
        let end = start + pcm.len();
        if self.samples.len() < end {
            self.samples.resize(end, 0.0);
        }
        self.samples[start..end].copy_from_slice(pcm);
    }

    fn index(&self, at: Duration) -> usize {
        self.rate.sample_rate().samples_in(at).as_u64() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn frames_land_at_their_time_with_silence_between() {
        let mut recording = Recording::new(SpeechRate::Hz16000);
        recording.put(MS(40), &[0.5; 320]);
        recording.put(MS(100), &[0.25; 320]);
        assert_eq!(recording.duration(), MS(120));
        assert!(recording.between(&(MS(0)..MS(40))).iter().all(|s| *s == 0.0));
        assert!(recording.between(&(MS(40)..MS(60))).iter().all(|s| *s == 0.5));
        assert!(recording.between(&(MS(60)..MS(100))).iter().all(|s| *s == 0.0));
        assert_eq!(recording.between(&(MS(110)..MS(500))).len(), 160);
        assert!(recording.between(&(MS(500)..MS(600))).is_empty());
        assert_eq!(recording.padded(&(MS(110)..MS(500))).len(), 390 * 16, "filled with silence");
        assert_eq!(recording.padded(&(MS(500)..MS(600))), [0.0; 1_600]);
        recording.append(&[1.0]);
        assert_eq!(recording.samples().len(), 1_921);
    }
}
