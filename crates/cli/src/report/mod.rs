//! What the demo found, as data.
//!
//! Owns the report's types, which are also the `--json` output. In the flow: the conductor fills a [`Report`],
//! [`text`] prints it, [`html`] writes it as one self-contained page. Pure: nothing here measures or does I/O.

pub(crate) mod chart;
pub(crate) mod figures;
pub(crate) mod html;
pub(crate) mod text;

use serde::Serialize;

use crate::demo::matrix::Matrix;
pub(crate) use figures::{Counted, Distribution, Figures};

/// One run, start to end.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// What was asked for.
    pub(crate) run: Run,
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// Length of the recorded time, seconds.
    pub(crate) seconds: f64,
    /// The phases that were measured.
    pub(crate) phases: Vec<PhaseReport>,
    /// The notifications that had to come.
    pub(crate) notices: Vec<NoticeReport>,
    /// Numbers.
    pub(crate) figures: Figures,
    /// Sound, as envelopes; the samples are in the WAV files.
    pub(crate) recordings: Vec<Recording>,
}

/// What was asked for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// This program's version.
    pub(crate) version: String,
    /// Talkers at the start.
    pub(crate) talkers: usize,
    /// Asked budget, seconds.
    pub(crate) budget_seconds: u64,
    /// Share of datagrams thrown away on the way, each direction, percent.
    pub(crate) loss_percent: f64,
    /// Extra random delay on the way, milliseconds.
    pub(crate) jitter_ms: f64,
    /// Seed of loss and jitter.
    pub(crate) seed: u64,
    /// Start, to the minute, UTC.
    pub(crate) started: String,
}

/// How a run ended.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    /// Stopped by the user before the end.
    pub(crate) interrupted: bool,
    /// Everything that was not as planned, one sentence each; empty means the run passed.
    pub(crate) problems: Vec<String>,
}

impl Verdict {
    /// Everything was as planned, to the end.
    pub(crate) fn passed(&self) -> bool {
        self.problems.is_empty() && !self.interrupted
    }
}

/// One measured phase. Times are seconds from the start of the recordings.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PhaseReport {
    /// `a` … `h`.
    pub(crate) letter: char,
    /// A few words.
    pub(crate) title: String,
    /// When the first step of the phase was taken.
    pub(crate) begin: f64,
    /// Start of the measured window.
    pub(crate) from: f64,
    /// End of the measured window.
    pub(crate) to: f64,
    /// Measured against plan.
    pub(crate) matrix: Matrix,
}

/// One kind of notification that had to arrive.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NoticeReport {
    /// What it says, for a reader.
    pub(crate) what: String,
    /// In which phase it was due.
    pub(crate) phase: char,
    /// Milliseconds from the request that caused it, when it came.
    pub(crate) after_ms: Option<f64>,
}

/// Whose sound a recording holds; groups the waveforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Track {
    /// What somebody said.
    Said,
    /// The mix somebody was sent.
    Heard,
    /// One source as the bot got it unmixed.
    Lane,
}

/// One WAV file, and its envelope for drawing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recording {
    /// Row heading.
    pub(crate) label: String,
    /// What it holds.
    pub(crate) track: Track,
    /// File name beside the report.
    pub(crate) file: String,
    /// Largest magnitude in each of equally long slices over the whole run, 0 to 1.
    #[serde(skip)]
    pub(crate) envelope: Vec<f32>,
}

/// The envelope of a recording that starts `offset` samples into a run of `total` samples.
pub(crate) fn envelope(samples: &[f32], offset: usize, total: usize, slices: usize) -> Vec<f32> {
    let mut out = vec![0.0_f32; slices];
    if total == 0 || slices == 0 {
        return out;
    }
    for (index, sample) in samples.iter().enumerate() {
        let slice = (offset + index) * slices / total;
        if let Some(peak) = out.get_mut(slice) {
            *peak = peak.max(sample.abs());
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::demo::matrix::{Ear, Reading};
    use crate::demo::script::Script;
    use antiphon_load::signature::Verdict as Sounds;

    #[test]
    fn envelope_puts_a_click_where_it_was() {
        let mut samples = vec![0.0; 100];
        samples[50] = -0.5;
        let drawn = envelope(&samples, 100, 400, 8);
        let loud: Vec<usize> = drawn.iter().enumerate().filter(|(_, v)| **v > 0.0).map(|(i, _)| i).collect();
        assert_eq!(loud, [3]);
        assert_eq!(drawn[3], 0.5);
    }

    #[test]
    fn envelope_of_nothing_is_silence_not_a_panic() {
        assert_eq!(envelope(&[], 0, 0, 4), [0.0; 4]);
        assert!(envelope(&[1.0], 7, 4, 2).iter().all(|v| *v == 0.0));
    }

    /// A whole report with one wrong pair in phase (c), for tests of its renderings.
    pub(crate) fn sample(wrong: bool) -> Report {
        let script = Script::new(6, 60);
        let mut at = 0.0;
        let phases: Vec<PhaseReport> = script
            .phases
            .iter()
            .map(|phase| {
                let begin = at;
                let from = begin + phase.settle.as_secs_f64();
                at = from + phase.window.as_secs_f64();
                let matrix = Matrix::measure(&phase.expected, &script.cast, |ear, source| {
                    let planned = phase.expected.rows.iter().any(|(row, heard)| *row == ear && heard.contains(&source));
                    let flip = wrong && phase.letter == 'c' && ear == Ear::Mixed(script.cast[0]);
                    let heard = planned != (flip && source == script.cast[1]);
                    if heard {
                        Reading { verdict: Sounds::Heard, margin_db: 14.2 }
                    } else {
                        Reading { verdict: Sounds::NotHeard, margin_db: -8.0 }
                    }
                });
                PhaseReport { letter: phase.letter, title: phase.title.clone(), begin, from, to: at, matrix }
            })
            .collect();
        let seconds = at;
        let problems = phases.iter().flat_map(|p| p.matrix.wrong_pairs()).collect();
        let tracks = [(Track::Said, "said"), (Track::Heard, "heard"), (Track::Lane, "lane")];
        let recordings = script
            .cast
            .iter()
            .enumerate()
            .flat_map(|(n, person)| {
                tracks.map(|(track, word)| Recording {
                    label: person.short(),
                    track,
                    file: format!("{}-{word}.wav", person.file_stem()),
                    envelope: (0..600)
                        .map(|i| {
                            let x = i as f32 / 7.0 + n as f32;
                            ((x.sin() * (x * 0.37).cos()).abs() * 0.8).min(1.0)
                        })
                        .collect(),
                })
            })
            .collect();
        let ticks: Vec<f64> = (0..3000).map(|i| 400.0 + f64::from(i % 97) * 3.0 + f64::from(i % 7) * 11.0).collect();
        let delays: Vec<f64> = (0..900).map(|i| 22.0 + f64::from(i % 41) * 0.4).collect();
        Report {
            run: Run {
                version: "0.0.0".into(),
                talkers: 6,
                budget_seconds: 60,
                loss_percent: 0.0,
                jitter_ms: 0.0,
                seed: 1,
                started: "2026-01-01T00:00:00Z".into(),
            },
            verdict: Verdict { interrupted: false, problems },
            seconds,
            phases,
            notices: vec![
                NoticeReport { what: "call established".into(), phase: 'a', after_ms: Some(14.0) },
                NoticeReport { what: "roster without talker 1".into(), phase: 'g', after_ms: None },
            ],
            figures: figures::tests::sample(&ticks, &delays),
            recordings,
        }
    }
}
