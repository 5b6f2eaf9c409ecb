//! Recordings on the run's clock.
//!
//! Owns samples with the instant of the first one, cuts measured windows out of them and writes WAV files. In the
//! flow: talkers, the bot's mix and its lanes each end as a [`Tape`]. A tape may start late (a newcomer) and have
//! gaps (a lane while nobody may be heard); gaps are silence. Thread: any; allocates.

use std::collections::TryReserveError;
use std::path::Path;
use std::time::Duration;

use crate::report::{Recording, Track, envelope};

/// Points of a drawn waveform.
const SLICES: usize = 720;
/// A jump of the clock smaller than this is jitter of whoever stamps, not a gap.
const TOLERANCE: Duration = Duration::from_millis(60);

/// Mono sound from `start` on, without holes.
#[derive(Clone, Debug)]
pub(crate) struct Tape {
    rate: u32,
    start: Option<Duration>,
    samples: Vec<f32>,
}

impl Tape {
    /// An empty tape at `rate` samples per second.
    pub(crate) fn new(rate: u32) -> Self {
        Self { rate, start: None, samples: Vec::new() }
    }

    /// A tape that is recorded already: `samples` begin at `start`.
    pub(crate) fn recorded(rate: u32, start: Duration, samples: Vec<f32>) -> Self {
        Self { rate, start: Some(start), samples }
    }

    /// Adds `samples` that begin at `at`. A jump forward becomes silence; a small one is taken for jitter.
    ///
    /// # Errors
    /// If memory for a gap runs out.
    pub(crate) fn push(&mut self, at: Duration, samples: impl Iterator<Item = f32>) -> Result<(), TryReserveError> {
        let start = *self.start.get_or_insert(at);
        let end = start + self.span(self.samples.len());
        if at > end + TOLERANCE {
            let gap = self.index(at - start).saturating_sub(self.samples.len());
            self.samples.try_reserve(gap)?;
            self.samples.resize(self.samples.len() + gap, 0.0);
        }
        self.samples.extend(samples);
        Ok(())
    }

    /// Samples per second.
    pub(crate) fn rate(&self) -> u32 {
        self.rate
    }

    /// Is there anything?
    pub(crate) fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The samples between two times; what was not recorded is silence, so the length is always `to - from`.
    pub(crate) fn window(&self, from: Duration, to: Duration) -> Vec<f32> {
        let mut out = vec![0.0; self.index(to.saturating_sub(from))];
        let Some(start) = self.start else { return out };
        let skip = self.index(from.saturating_sub(start));
        let lead = self.index(start.saturating_sub(from)).min(out.len());
        let have = self.samples.get(skip..).unwrap_or_default();
        for (slot, sample) in out[lead..].iter_mut().zip(have) {
            *slot = *sample;
        }
        out
    }

    /// Writes 16-bit mono WAV, from the first sample on.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write_wav(&self, path: &Path) -> Result<(), hound::Error> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: self.rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec)?;
        for sample in &self.samples {
            writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
        }
        writer.finalize()
    }

    /// For the report: an envelope over a run of `total`.
    pub(crate) fn drawn(&self, label: String, track: Track, file: String, total: Duration) -> Recording {
        let offset = self.index(self.start.unwrap_or_default());
        let envelope = envelope(&self.samples, offset, self.index(total), SLICES);
        Recording { label, track, file, envelope }
    }

    fn index(&self, span: Duration) -> usize {
        (span.as_secs_f64() * f64::from(self.rate)).round() as usize
    }

    fn span(&self, samples: usize) -> Duration {
        Duration::from_secs_f64(samples as f64 / f64::from(self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 16_000;
    const MS: Duration = Duration::from_millis(1);

    fn frame(value: f32) -> impl Iterator<Item = f32> {
        std::iter::repeat_n(value, 320)
    }

    #[test]
    fn a_gap_becomes_silence_and_jitter_does_not() {
        let mut tape = Tape::new(RATE);
        tape.push(100 * MS, frame(0.1)).expect("room");
        tape.push(125 * MS, frame(0.2)).expect("room");
        tape.push(500 * MS, frame(0.3)).expect("room");
        assert_eq!(tape.window(100 * MS, 120 * MS), vec![0.1; 320]);
        assert_eq!(tape.window(120 * MS, 140 * MS), vec![0.2; 320]);
        assert_eq!(tape.window(140 * MS, 500 * MS), vec![0.0; 5760]);
        assert_eq!(tape.window(500 * MS, 520 * MS), vec![0.3; 320]);
    }

    #[test]
    fn windows_outside_the_tape_are_silence_of_the_asked_length() {
        let mut tape = Tape::new(RATE);
        assert_eq!(tape.window(0 * MS, 20 * MS), vec![0.0; 320]);
        tape.push(100 * MS, frame(0.5)).expect("room");
        let around = tape.window(90 * MS, 130 * MS);
        assert_eq!((around.len(), around[0], around[160], around[479], around[480]), (640, 0.0, 0.5, 0.5, 0.0));
        assert!(tape.window(900 * MS, 920 * MS).iter().all(|s| *s == 0.0));
    }

    #[test]
    fn wav_holds_what_was_recorded() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("tape.wav");
        let tape = Tape::recorded(RATE, 40 * MS, vec![0.0, 0.5, -2.0]);
        tape.write_wav(&path).expect("written");
        let mut reader = hound::WavReader::open(&path).expect("readable");
        assert_eq!(reader.spec().sample_rate, RATE);
        let samples: Vec<i16> = reader.samples().map(|s| s.expect("sample")).collect();
        assert_eq!(samples, [0, 16383, -32767]);
    }

    #[test]
    fn drawing_starts_where_the_tape_starts() {
        let tape = Tape::recorded(RATE, 500 * MS, vec![0.8; 8_000]);
        let drawn = tape.drawn("T1".into(), Track::Said, "x.wav".into(), 1000 * MS);
        assert!(drawn.envelope[..SLICES / 2 - 1].iter().all(|v| *v == 0.0));
        assert!(drawn.envelope[SLICES / 2 + 1..].iter().all(|v| *v == 0.8));
    }
}
