//! Who heard whom: the expected rows, the measured rows, and where they differ.
//!
//! Owns the comparison and its sentences, and the text form that the terminal shows. In the flow: a phase's
//! [`Expected`] comes from the script, the levels from the recordings; [`Matrix`] goes into the report.
//! Pure: no I/O, no clock.

use std::collections::BTreeSet;
use std::fmt;

use antiphon_load::signature::Verdict;
use serde::Serialize;

use super::model::Person;

/// A place where sound was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "of")]
pub(crate) enum Ear {
    /// What this person was sent as their mix.
    Mixed(Person),
    /// What the bot got unmixed under this person's source id.
    Lane(Person),
}

impl Ear {
    /// The row heading.
    pub(crate) fn short(self) -> String {
        match self {
            Self::Mixed(person) => person.short(),
            Self::Lane(person) => format!("lane {}", person.short()),
        }
    }

    /// The name of this ear's recording.
    pub(crate) fn file_name(self) -> String {
        match self {
            Self::Mixed(person) => format!("{}-heard.wav", person.file_stem()),
            Self::Lane(person) => format!("bot-lane-{}.wav", person.file_stem()),
        }
    }
}

impl fmt::Display for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mixed(person) => write!(f, "{person}"),
            Self::Lane(person) => write!(f, "the bot's lane of {person}"),
        }
    }
}

/// The plan of one phase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Each ear with everyone it must hear; nobody else may be heard there.
    pub(crate) rows: Vec<(Ear, BTreeSet<Person>)>,
    /// Who is in the meeting: the columns.
    pub(crate) sources: Vec<Person>,
}

/// One pair of ear and source.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cell {
    /// The plan says so.
    pub(crate) expected: bool,
    /// The recording says so. Heard for a part of the window counts as the opposite of the plan, whichever that is.
    pub(crate) heard: bool,
    /// It was heard for a part of the window only: it came late, died, had a hole, or leaked.
    pub(crate) partly: bool,
    /// How far the source's signature stands above what chance gives, in dB; larger is surer.
    pub(crate) margin_db: f32,
}

impl Cell {
    /// Plan and recording agree.
    pub(crate) fn agrees(self) -> bool {
        self.expected == self.heard
    }
}

/// What one ear heard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    /// Whose ear.
    pub(crate) ear: Ear,
    /// One cell per column.
    pub(crate) cells: Vec<Cell>,
}

/// A measured matrix beside its plan.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Matrix {
    /// Column order.
    pub(crate) sources: Vec<Person>,
    /// One row per ear.
    pub(crate) rows: Vec<Row>,
}

/// What a detector says about one source in one recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Reading {
    /// Throughout, never, or for a part of the window.
    pub(crate) verdict: Verdict,
    /// See [`Cell::margin_db`].
    pub(crate) margin_db: f32,
}

impl Matrix {
    /// Fills the plan with readings.
    ///
    /// `columns` are the sources looked for: everyone of the run, so that who has left or is not there yet
    /// is looked for too and must be absent.
    pub(crate) fn measure(
        expected: &Expected,
        columns: &[Person],
        mut read: impl FnMut(Ear, Person) -> Reading,
    ) -> Self {
        let rows = expected
            .rows
            .iter()
            .map(|(ear, heard)| Row {
                ear: *ear,
                cells: columns
                    .iter()
                    .map(|source| {
                        let reading = read(*ear, *source);
                        let expected = heard.contains(source);
                        let (heard, partly) = match reading.verdict {
                            Verdict::Heard => (true, false),
                            Verdict::NotHeard => (false, false),
                            Verdict::Partly => (!expected, true),
                        };
                        Cell { expected, heard, partly, margin_db: reading.margin_db }
                    })
                    .collect(),
            })
            .collect();
        Self { sources: columns.to_vec(), rows }
    }

    /// Every wrong pair, as a sentence.
    pub(crate) fn wrong_pairs(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for row in &self.rows {
            for (source, cell) in self.sources.iter().zip(&row.cells) {
                if cell.agrees() {
                    continue;
                }
                let verb = match (cell.partly, cell.heard) {
                    (true, _) => "heard, for a part of the time only,",
                    (false, true) => "heard",
                    (false, false) => "did not hear",
                };
                let plan = if cell.expected { "the plan says it must" } else { "the plan says it must not" };
                let what = match row.ear {
                    Ear::Mixed(_) => format!("{} {verb} {source}", row.ear),
                    Ear::Lane(_) if cell.partly => {
                        format!("{} contained {source} for a part of the time only", row.ear)
                    }
                    Ear::Lane(_) if cell.heard => format!("{} contained {source}", row.ear),
                    Ear::Lane(_) => format!("{} was without {source}", row.ear),
                };
                wrong.push(format!("{what}, and {plan} ({:+.1} dB)", cell.margin_db));
            }
        }
        wrong
    }

    /// How many pairs were measured.
    pub(crate) fn pairs(&self) -> usize {
        self.rows.iter().map(|row| row.cells.len()).sum()
    }

    /// The smallest distance of any agreeing pair from being read the other way, in dB.
    pub(crate) fn narrowest_margin_db(&self) -> Option<f32> {
        let cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.map(|cell| cell.margin_db.abs()).min_by(f32::total_cmp)
    }
}

impl fmt::Display for Matrix {
    /// A table for the terminal: `●` heard as planned, `·` silent as planned, `!` heard against the plan,
    /// `○` planned but not heard.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.sources.iter().map(|s| s.short().len()).max().unwrap_or(0).max(3);
        let head = self.rows.iter().map(|row| row.ear.short().len()).max().unwrap_or(0);
        write!(f, "    {:head$} ←", "")?;
        for source in &self.sources {
            write!(f, " {:>width$}", source.short())?;
        }
        for row in &self.rows {
            write!(f, "\n    {:head$}  ", row.ear.short())?;
            for cell in &row.cells {
                let mark = match (cell.expected, cell.heard) {
                    (true, true) => '●',
                    (false, false) => '·',
                    (false, true) => '!',
                    (true, false) => '○',
                };
                write!(f, " {mark:>width$}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Person::{Bot, Talker};

    fn plan() -> Expected {
        Expected {
            rows: vec![
                (Ear::Mixed(Talker(1)), BTreeSet::from([Bot])),
                (Ear::Mixed(Bot), BTreeSet::from([Talker(1)])),
                (Ear::Lane(Talker(1)), BTreeSet::from([Talker(1)])),
            ],
            sources: vec![Talker(1), Bot],
        }
    }

    fn truth(ear: Ear, source: Person) -> bool {
        plan().rows.iter().any(|(row, heard)| *row == ear && heard.contains(&source))
    }

    fn reading(heard: bool) -> Reading {
        if heard {
            Reading { verdict: Verdict::Heard, margin_db: 12.0 }
        } else {
            Reading { verdict: Verdict::NotHeard, margin_db: -9.0 }
        }
    }

    fn measured(flip: Option<(Ear, Person)>) -> Matrix {
        Matrix::measure(&plan(), &[Talker(1), Bot], |ear, source| {
            reading(truth(ear, source) != (flip == Some((ear, source))))
        })
    }

    #[test]
    fn what_is_heard_for_a_part_of_the_time_is_wrong_whatever_the_plan_says() {
        let matrix =
            Matrix::measure(&plan(), &[Talker(1), Bot], |_, _| Reading { verdict: Verdict::Partly, margin_db: 0.0 });
        let wrong = matrix.wrong_pairs();
        assert_eq!(wrong.len(), matrix.pairs());
        assert!(wrong.iter().all(|sentence| sentence.contains("for a part of the time only")), "{wrong:?}");
    }

    #[test]
    fn recordings_that_match_the_plan_have_no_wrong_pair() {
        let matrix = measured(None);
        assert!(matrix.wrong_pairs().is_empty());
        assert_eq!(matrix.pairs(), 6);
        assert_eq!(matrix.narrowest_margin_db(), Some(9.0));
    }

    #[test]
    fn any_single_flipped_pair_is_found_and_named() {
        for ear in [Ear::Mixed(Talker(1)), Ear::Mixed(Bot), Ear::Lane(Talker(1))] {
            for source in [Talker(1), Bot] {
                let wrong = measured(Some((ear, source))).wrong_pairs();
                assert_eq!(wrong.len(), 1, "{ear} {source}");
                assert!(wrong[0].contains(&ear.to_string()) && wrong[0].contains(&source.to_string()), "{wrong:?}");
            }
        }
    }

    #[test]
    fn an_unplanned_source_in_a_lane_reads_as_contained() {
        let wrong = measured(Some((Ear::Lane(Talker(1)), Bot))).wrong_pairs();
        assert_eq!(wrong, ["the bot's lane of talker 1 contained the bot, and the plan says it must not (+12.0 dB)"]);
    }

    #[test]
    fn table_marks_agreement_and_difference() {
        let text = measured(Some((Ear::Mixed(Bot), Talker(1)))).to_string();
        assert!(text.contains('●') && text.contains('·') && text.contains('○'), "{text}");
        assert!(!text.contains('!'), "{text}");
    }
}
