//! Who heard whom, measured: every ear's recording asked for every source's signature, and compared with the plan.
//!
//! The last step of a run; pure. Rows are ears, columns sources. Margins come with each verdict.
//! Does not: know the plan; the caller says who must be heard.

use crate::recording::Recording;
use crate::signature::{Detection, Detector, Signature};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// A source to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name in sentences.
    pub name: String,
    /// The mark it speaks with.
    pub signature: Signature,
}

/// An ear to look in.
#[derive(Clone, Copy, Debug)]
pub struct Ear<'a> {
    /// Its name in sentences.
    pub name: &'a str,
    /// What it heard.
    pub recording: &'a Recording,
}

/// What was found: one row per ear, one column per source.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    ears: Vec<String>,
    sources: Vec<Source>,
    cells: Vec<Vec<Detection>>,
}

/// A pair where recording and plan differ.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongPair {
    /// Who listened.
    pub ear: String,
    /// Who spoke.
    pub source: String,
    /// What was found; the plan says the opposite.
    pub found: Detection,
}

impl WrongPair {
    /// The difference in words: `in phase (c) 'Bea' heard 'Bot' but must not`.
    pub fn sentence(&self, phase: &str) -> String {
        format!("in phase ({phase}) {self}")
    }
}

impl fmt::Display for WrongPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ear, source, found } = self;
        if found.is_present() {
            write!(f, "'{ear}' heard '{source}' but must not")
        } else {
            write!(f, "'{ear}' did not hear '{source}' but must")
        }
    }
}

impl Matrix {
    /// Looks for every source in every ear's recording of `window`.
    pub fn measure(ears: &[Ear<'_>], sources: &[Source], window: &Range<Duration>) -> Self {
        let row = |ear: &Ear<'_>| {
            let detector = Detector::new(ear.recording.between(window), ear.recording.rate());
            sources.iter().map(|source| detector.detect(source.signature)).collect()
        };
        Self {
            ears: ears.iter().map(|ear| ear.name.to_owned()).collect(),
            sources: sources.to_vec(),
            cells: ears.iter().map(row).collect(),
        }
    }

    /// The ears, in row order.
    pub fn ears(&self) -> impl Iterator<Item = &str> {
        self.ears.iter().map(String::as_str)
    }

    /// The sources, in column order.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// What was found, row by row.
    pub fn cells(&self) -> &[Vec<Detection>] {
        &self.cells
    }

    /// The smallest distance of any verdict from tipping, in dB; `None` for an empty matrix.
    pub fn least_margin_db(&self) -> Option<f32> {
        self.cells.iter().flatten().map(|cell| cell.margin_db().abs()).min_by(f32::total_cmp)
    }

    /// Every pair that differs from the plan, where `expected(ear, source)` says what must be; rows first.
    pub fn diff(&self, expected: impl Fn(&str, &str) -> bool) -> Vec<WrongPair> {
        let mut wrong = vec![];
        for (ear, row) in self.ears.iter().zip(&self.cells) {
            for (source, found) in self.sources.iter().zip(row) {
                if found.is_present() != expected(ear, &source.name) {
                    wrong.push(WrongPair { ear: ear.clone(), source: source.name.clone(), found: *found });
                }
            }
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::Marker;
    use crate::speech::{SpeechLoop, SpeechRate, Voice};

    fn heard(who: &[usize]) -> Recording {
        let rate = SpeechRate::Hz16000;
        let mut mix = vec![0.0; 320 * 200];
        for n in who {
            let mut speech = SpeechLoop::new(Voice::nth(*n), rate, 0);
            let mut marker = Marker::new(Signature::new(*n).unwrap(), rate.sample_rate());
            for sum in mix.chunks_exact_mut(320) {
                let mut frame = [0.0; 320];
                let speaking = speech.next_frame(&mut frame);
                marker.mark(&mut frame, speaking);
                sum.iter_mut().zip(frame).for_each(|(a, b)| *a += b);
            }
        }
        let mut recording = Recording::new(rate);
        recording.append(&mix);
        recording
    }

    fn measured() -> Matrix {
        let names = ["Ann", "Bea", "Bot"];
        let sources: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(n, name)| Source { name: (*name).into(), signature: Signature::new(n).unwrap() })
            .collect();
        let recordings = [heard(&[1]), heard(&[0, 2]), heard(&[])];
        let ears: Vec<_> = names.iter().zip(&recordings).map(|(name, recording)| Ear { name, recording }).collect();
        Matrix::measure(&ears, &sources, &(Duration::ZERO..Duration::from_secs(4)))
    }

    #[test]
    fn matrix_equals_what_was_played() {
        let matrix = measured();
        let found: Vec<Vec<bool>> =
            matrix.cells().iter().map(|row| row.iter().map(Detection::is_present).collect()).collect();
        assert_eq!(found, [[false, true, false], [true, false, true], [false, false, false]]);
        assert!(matrix.least_margin_db().unwrap() > 0.5);
        assert_eq!(matrix.diff(|ear, source| matches!((ear, source), ("Ann", "Bea") | ("Bea", "Ann" | "Bot"))), []);
    }

    #[test]
    fn wrong_pairs_are_named_in_a_sentence() {
        let matrix = measured();
        let wrong = matrix.diff(|ear, source| matches!((ear, source), ("Ann", "Bea") | ("Bea" | "Bot", "Ann")));
        let sentences: Vec<_> = wrong.iter().map(|w| w.sentence("c")).collect();
        assert_eq!(
            sentences,
            ["in phase (c) 'Bea' heard 'Bot' but must not", "in phase (c) 'Bot' did not hear 'Ann' but must"]
        );
    }
}
