//! The notifications that had to come, and whether they did.
//!
//! Owns the list of what the service owes the bot for the demo's steps, and matches it against what the bot's
//! webhook delivered. In the flow: the conductor adds a debt at each step and every delivered notification; the
//! report shows the rest. Pure: times are handed in. Only notifications whose signature was verified get here.

use std::collections::BTreeSet;
use std::time::Duration;

use super::model::Person;
use crate::report::NoticeReport;

/// What a delivered notification said, as far as the demo cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// The call's state, in Graph's words.
    State(String),
    /// A roster: exactly these are in the meeting.
    Roster(BTreeSet<Person>),
}

impl Notice {
    fn describe(&self) -> String {
        match self {
            Self::State(state) => format!("call {state}"),
            Self::Roster(people) => {
                let names: Vec<String> = people.iter().map(|person| person.short()).collect();
                format!("roster of {}", names.join(", "))
            }
        }
    }
}

/// Something the service owes.
#[derive(Clone, Debug)]
struct Debt {
    phase: char,
    notice: Notice,
    since: Duration,
    paid: Option<Duration>,
}

/// Debts and payments of one run. Times are since the start of the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices {
    debts: Vec<Debt>,
    seen: Vec<(Duration, Notice)>,
    tallies: Vec<Tally>,
}

/// Notifications of one phase by number: a state or roster may also be learnt by asking, a delivery cannot.
#[derive(Clone, Copy, Debug)]
struct Tally {
    phase: char,
    due: u64,
    came: u64,
}

impl Notices {
    /// From `since` (just before its cause) on, `notice` must come.
    pub(crate) fn expect(&mut self, phase: char, notice: Notice, since: Duration) {
        self.debts.push(Debt { phase, notice, since, paid: None });
        self.settle();
    }

    /// A verified notification came.
    pub(crate) fn saw(&mut self, at: Duration, notice: Notice) {
        self.seen.push((at, notice));
        self.settle();
    }

    /// Is everything there that is due in `phase`?
    pub(crate) fn complete(&self, phase: char) -> bool {
        self.debts.iter().filter(|debt| debt.phase == phase).all(|debt| debt.paid.is_some())
    }

    /// The webhook accepted `came` notifications in `phase`, and at least `due` had to come.
    pub(crate) fn tally(&mut self, phase: char, due: u64, came: u64) {
        self.tallies.push(Tally { phase, due, came });
    }

    /// One sentence for each that is missing.
    pub(crate) fn missing(&self) -> Vec<String> {
        let unpaid = self.debts.iter().filter(|debt| debt.paid.is_none());
        let short = self.tallies.iter().filter(|tally| tally.came < tally.due);
        unpaid
            .map(|debt| format!("phase ({}): the notification \"{}\" did not come", debt.phase, debt.notice.describe()))
            .chain(short.map(|Tally { phase, due, came }| {
                format!("phase ({phase}): only {came} of at least {due} notifications reached the webhook")
            }))
            .collect()
    }

    /// For the report.
    pub(crate) fn report(&self) -> Vec<NoticeReport> {
        self.debts
            .iter()
            .map(|debt| NoticeReport {
                what: debt.notice.describe(),
                phase: debt.phase,
                after_ms: debt.paid.map(|paid| paid.saturating_sub(debt.since).as_secs_f64() * 1000.0),
            })
            .collect()
    }

    /// Pays each open debt with the first fitting notice that is not older than the debt; rosters and states repeat, so a
    /// notice is not used up.
    fn settle(&mut self) {
        for debt in self.debts.iter_mut().filter(|debt| debt.paid.is_none()) {
            let fitting = self.seen.iter().find(|(at, notice)| *at >= debt.since && *notice == debt.notice);
            debt.paid = fitting.map(|(at, _)| *at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Person::{Bot, Talker};

    const MS: Duration = Duration::from_millis(1);

    fn roster(people: &[Person]) -> Notice {
        Notice::Roster(people.iter().copied().collect())
    }

    #[test]
    fn a_notice_that_came_in_time_pays_its_debt() {
        let mut notices = Notices::default();
        notices.expect('a', Notice::State("established".into()), 5 * MS);
        assert!(!notices.complete('a'));
        notices.saw(9 * MS, Notice::State("established".into()));
        assert!(notices.complete('a') && notices.missing().is_empty());
        assert_eq!(notices.report()[0].after_ms, Some(4.0));
    }

    #[test]
    fn a_missing_notice_is_named_with_its_phase() {
        let mut notices = Notices::default();
        notices.expect('g', roster(&[Talker(2), Bot]), MS);
        notices.saw(2 * MS, roster(&[Talker(1), Talker(2), Bot]));
        assert_eq!(notices.missing(), ["phase (g): the notification \"roster of T2, bot\" did not come"]);
        assert_eq!(notices.report()[0].after_ms, None);
    }

    #[test]
    fn too_few_deliveries_are_missing_even_if_all_was_learnt_otherwise() {
        let mut notices = Notices::default();
        notices.tally('a', 3, 3);
        assert!(notices.missing().is_empty());
        notices.tally('g', 2, 1);
        assert_eq!(notices.missing(), ["phase (g): only 1 of at least 2 notifications reached the webhook"]);
    }

    #[test]
    fn an_older_notice_does_not_pay_a_newer_debt() {
        let mut notices = Notices::default();
        notices.saw(MS, roster(&[Bot]));
        notices.expect('g', roster(&[Bot]), 2 * MS);
        assert!(!notices.complete('g'));
        notices.saw(3 * MS, roster(&[Bot]));
        assert!(notices.complete('g'));
    }
}
