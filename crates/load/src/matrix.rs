//! Who heard whom, measured: every ear's recording asked for every source's signature, and compared with the plan.
//!
//! The last step of a run; pure. Rows are ears, columns sources. Margins come with each verdict.
//! Invariant: a window is judged whole; what was not recorded is silence, and a source there for part of it only is wrong either way.
//! Does not: know the plan; the caller says who must be heard.

use crate::recording::Recording;
use crate::signature::{Detector, Judgement, Signature, Verdict};
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
    cells: Vec<Vec<Judgement>>,
}

/// A pair where recording and plan differ.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongPair {
    /// Who listened.
    pub ear: String,
    /// Who spoke.
    pub source: String,
    /// Whether the plan says that it must be heard.
    pub expected: bool,
    /// What was found instead.
    pub found: Judgement,
}

impl WrongPair {
    /// The difference in words: `in phase (c) 'Bea' heard 'Bot' but must not`.
    pub fn sentence(&self, phase: &str) -> String {
        format!("in phase ({phase}) {self}")
    }
}

impl fmt::Display for WrongPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ear, source, expected, found } = self;
        match (found.verdict(), expected) {
            (Verdict::Partly, true) => {
                write!(f, "'{ear}' heard '{source}' for only part of the time but must throughout")
            }
            (Verdict::Partly, false) => write!(f, "'{ear}' heard '{source}' for part of the time but must not at all"),
            (Verdict::Heard, _) => write!(f, "'{ear}' heard '{source}' but must not"),
            (Verdict::NotHeard, _) => write!(f, "'{ear}' did not hear '{source}' but must"),
        }
    }
}

impl Matrix {
    /// Looks for every source in every ear's recording of `window`, throughout which each must speak or keep silent.
    ///
    /// # Panics
    /// If the window is longer than an hour.
    pub fn measure(ears: &[Ear<'_>], sources: &[Source], window: &Range<Duration>) -> Self {
        let row = |ear: &Ear<'_>| {
            let detector = Detector::new(&ear.recording.padded(window), ear.recording.rate());
            sources.iter().map(|source| detector.judge(source.signature)).collect()
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
    pub fn cells(&self) -> &[Vec<Judgement>] {
        &self.cells
    }

    /// The smallest distance of any verdict from tipping, in dB, 0 if any is partly; `None` for an empty matrix.
    pub fn least_margin_db(&self) -> Option<f32> {
        self.cells.iter().flatten().map(|cell| cell.margin_db().abs()).min_by(f32::total_cmp)
    }

    /// Every pair that differs from the plan, or is heard for part of the time only, where `expected(ear, source)` says what must be; rows first.
    pub fn diff(&self, expected: impl Fn(&str, &str) -> bool) -> Vec<WrongPair> {
        let mut wrong = vec![];
        for (ear, row) in self.ears.iter().zip(&self.cells) {
            for (source, found) in self.sources.iter().zip(row) {
                let expected = expected(ear, &source.name);
                let right = if expected { Verdict::Heard } else { Verdict::NotHeard };
                if found.verdict() != right {
                    wrong.push(WrongPair { ear: ear.clone(), source: source.name.clone(), expected, found: *found });
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

    const RATE: SpeechRate = SpeechRate::Hz16000;
    /// Frames in a window: 6 s.
    const FRAMES: usize = 300;
    const WINDOW: Range<Duration> = Duration::ZERO..Duration::from_secs(6);
    const NAMES: [&str; 3] = ["Ann", "Bea", "Bot"];

    /// The sum of who speaks, each in its own range of frames.
    fn heard(who: &[(usize, Range<usize>)]) -> Recording {
        let mut mix = vec![0.0; 320 * FRAMES];
        for (n, frames) in who {
            let mut speech = SpeechLoop::new(Voice::nth(*n), RATE, 0);
            let mut marker = Marker::new(Signature::new(*n).unwrap(), RATE.sample_rate());
            for (at, sum) in mix.chunks_exact_mut(320).enumerate() {
                let mut frame = [0.0; 320];
                let speaking = speech.next_frame(&mut frame);
                marker.mark(&mut frame, speaking);
                if frames.contains(&at) {
                    sum.iter_mut().zip(frame).for_each(|(a, b)| *a += b);
                }
            }
        }
        let mut recording = Recording::new(RATE);
        recording.append(&mix);
        recording
    }

    fn measure(ears: &[(&str, &Recording)]) -> Matrix {
        let sources: Vec<_> = NAMES
            .iter()
            .enumerate()
            .map(|(n, name)| Source { name: (*name).into(), signature: Signature::new(n).unwrap() })
            .collect();
        let ears: Vec<_> = ears.iter().map(|&(name, recording)| Ear { name, recording }).collect();
        Matrix::measure(&ears, &sources, &WINDOW)
    }

    fn measured() -> Matrix {
        let [ann, bea, bot] = [heard(&[(1, 0..FRAMES)]), heard(&[(0, 0..FRAMES), (2, 0..FRAMES)]), heard(&[])];
        measure(&[("Ann", &ann), ("Bea", &bea), ("Bot", &bot)])
    }

    /// What is wrong at one ear that must hear `expected`.
    fn wrong_at(ear: &Recording, expected: &[&str]) -> Vec<String> {
        let wrong = measure(&[("Ear", ear)]).diff(|_, source| expected.contains(&source));
        wrong.iter().map(WrongPair::to_string).collect()
    }

    #[test]
    fn matrix_equals_what_was_played() {
        let matrix = measured();
        let found: Vec<Vec<bool>> = matrix
            .cells()
            .iter()
            .map(|row| row.iter().map(|cell| cell.verdict() == Verdict::Heard).collect())
            .collect();
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

    #[test]
    fn stream_that_is_missing_for_two_thirds_is_wrong_wherever_they_are() {
        for there in [0..FRAMES / 3, FRAMES / 3..2 * FRAMES / 3, 2 * FRAMES / 3..FRAMES, 0..20] {
            let lane = heard(&[(1, there.clone())]);
            let sentence = "'Ear' heard 'Bea' for only part of the time but must throughout";
            assert_eq!(wrong_at(&lane, &["Bea"]), [sentence], "{there:?}");
        }
    }

    #[test]
    fn recording_that_ends_early_or_never_began_is_wrong() {
        let whole = heard(&[(1, 0..FRAMES)]);
        assert_eq!(wrong_at(&whole, &["Bea"]), [""; 0]);
        let mut short = Recording::new(RATE);
        short.append(&whole.samples()[..whole.samples().len() / 3]);
        assert_eq!(wrong_at(&short, &["Bea"]), ["'Ear' heard 'Bea' for only part of the time but must throughout"]);
        assert_eq!(wrong_at(&Recording::new(RATE), &["Bea"]), ["'Ear' did not hear 'Bea' but must"]);
    }

    #[test]
    fn hole_of_a_third_is_wrong_although_others_speak_on() {
        for hole in [0, 50, 100, 150, 200] {
            let mut mix = heard(&[(0, 0..FRAMES), (1, 0..hole)]);
            mix.add(&heard(&[(1, hole + FRAMES / 3..FRAMES)]));
            let sentence = "'Ear' heard 'Bea' for only part of the time but must throughout";
            assert_eq!(wrong_at(&mix, &["Ann", "Bea"]), [sentence], "hole from frame {hole}");
        }
    }

    #[test]
    fn leak_of_a_third_is_wrong_in_silence_and_among_others() {
        for leak in [0..100, 50..150, 200..300] {
            let sentence = "'Ear' heard 'Bea' for part of the time but must not at all";
            let mix = heard(&[(0, 0..FRAMES), (1, leak.clone())]);
            assert_eq!(wrong_at(&mix, &["Ann"]), [sentence], "{leak:?} in a mix");
            assert_eq!(wrong_at(&heard(&[(1, leak.clone())]), &[]), [sentence], "{leak:?} in silence");
        }
    }
}
