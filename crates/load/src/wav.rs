//! Recordings as 16-bit mono WAV files.
//!
//! The demo writes what everybody heard with it, and reads voices of the user's own. Blocking file access.
//! Does not: convert rates or channels; 16 and 48 kHz mono are what talkers speak.

use crate::recording::Recording;
use crate::speech::SpeechRate;
use std::path::{Path, PathBuf};

/// A WAV file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file system or the file's format refused.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: hound::Error,
    },
    /// The file holds sound of a shape that talkers cannot speak.
    #[error("{path}: {channels} channels at {rate} Hz; use 16-bit mono at 16000 or 48000 Hz")]
    Shape {
        /// Which file.
        path: PathBuf,
        /// Its channels.
        channels: u16,
        /// Its rate in hertz.
        rate: u32,
    },
}

/// Writes `recording` to `path`, over what was there; samples beyond full scale are clipped.
///
/// # Errors
/// [`WavError::File`] if the file cannot be written.
pub fn write(path: &Path, recording: &Recording) -> Result<(), WavError> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: recording.rate().sample_rate().hertz(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let write = || {
        let mut writer = hound::WavWriter::create(path, spec)?;
        for sample in recording.samples() {
            writer.write_sample((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16)?;
        }
        writer.finalize()
    };
    write().map_err(|source| WavError::File { path: path.to_owned(), source })
}

/// Reads a 16-bit mono WAV of 16 or 48 kHz as a recording that starts at the epoch.
///
/// # Errors
/// [`WavError`] if the file cannot be read or holds another shape.
pub fn read(path: &Path) -> Result<Recording, WavError> {
    let file_error = |source| WavError::File { path: path.to_owned(), source };
    let reader = hound::WavReader::open(path).map_err(file_error)?;
    let spec = reader.spec();
    let rate = match (spec.channels, spec.bits_per_sample, spec.sample_rate) {
        (1, 16, 16_000) => SpeechRate::Hz16000,
        (1, 16, 48_000) => SpeechRate::Hz48000,
        (channels, _, rate) => return Err(WavError::Shape { path: path.to_owned(), channels, rate }),
    };
    let mut recording = Recording::new(rate);
    let samples: Result<Vec<f32>, _> =
        reader.into_samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32_768.0)).collect();
    recording.append(&samples.map_err(file_error)?);
    Ok(recording)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path of this test run that is removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("antiphon-{}-{name}.wav", std::process::id())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn every_sample_survives_the_file_and_loud_ones_are_clipped() {
        let scratch = Scratch::new("survives");
        for rate in [SpeechRate::Hz16000, SpeechRate::Hz48000] {
            let mut recording = Recording::new(rate);
            recording.append(&[0.0, 0.5, -1.0, 1.0 / 32_768.0, 3.0, -3.0]);
            write(&scratch.0, &recording).unwrap();
            let back = read(&scratch.0).unwrap();
            assert_eq!(back.rate(), rate);
            assert_eq!(back.samples(), [0.0, 0.5, -1.0, 1.0 / 32_768.0, 32_767.0 / 32_768.0, -1.0]);
        }
    }

    #[test]
    fn missing_file_and_stereo_are_refused_with_the_path() {
        let missing = read(Path::new("no-such-file.wav")).unwrap_err();
        assert!(missing.to_string().contains("no-such-file.wav"), "{missing}");
        let scratch = Scratch::new("stereo");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        hound::WavWriter::create(&scratch.0, spec).unwrap().finalize().unwrap();
        assert!(matches!(read(&scratch.0), Err(WavError::Shape { channels: 2, rate: 44_100, .. })));
    }
}
