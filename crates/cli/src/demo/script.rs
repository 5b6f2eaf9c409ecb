//! The phases of the demo: what is asked for, when, and what must then be heard.
//!
//! Owns the order (a)–(h), the split of the time budget into settling and measuring, and the expected matrix
//! of each phase, which it takes from [`super::model`] alone. In the flow: built from the options before
//! anything runs; the conductor only executes it. Pure: no I/O, no clock.

use std::time::Duration;

use super::matrix::{Ear, Expected};
use super::model::{Mode, Model, Person, Step};
use Person::{Bot, Talker};

/// Fewest talkers that make every phase meaningful: two receivers of the bot, and another one to switch to.
pub(crate) const MIN_TALKERS: usize = 3;
/// Most talkers whose signatures fit beside the bot's and the newcomer's.
pub(crate) const MAX_TALKERS: usize = 16;
/// The shortest run: below this the measured windows are too short to tell signatures apart.
pub(crate) const MIN_SECONDS: u64 = 40;

/// What start-up (certificates, joins) and the report are expected to take out of the budget.
const OVERHEAD: Duration = Duration::from_secs(4);
/// Of each phase, the part that routes and buffers are given to settle, within the bounds below.
const SETTLE_SHARE: f64 = 0.2;
const SETTLE_MIN: Duration = Duration::from_millis(900);
const SETTLE_MAX: Duration = Duration::from_millis(2_000);

/// Routing group that carries the bot to several talkers.
pub(crate) const ANNOUNCE: &str = "announce";
/// Routing group that carries one talker to the bot.
pub(crate) const LISTEN: &str = "listen";

/// One phase: steps, then a settle time, then a measured window.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// `a` … `h`.
    pub(crate) letter: char,
    /// A few words for headings.
    pub(crate) title: String,
    /// What is asked for, in order.
    pub(crate) steps: Vec<Step>,
    /// From the end of the steps to the start of the window.
    pub(crate) settle: Duration,
    /// How long the window is.
    pub(crate) window: Duration,
    /// Who must hear whom in the window.
    pub(crate) expected: Expected,
}

/// The whole run.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// Every person who is in the meeting at some time, in column order.
    pub(crate) cast: Vec<Person>,
    /// The phases, in order.
    pub(crate) phases: Vec<Phase>,
}

impl Script {
    /// The script for `talkers` talkers in about `seconds` seconds.
    ///
    /// # Panics
    /// If `talkers` or `seconds` is outside the bounds of this module; the command line has checked them.
    pub(crate) fn new(talkers: usize, seconds: u64) -> Self {
        assert!((MIN_TALKERS..=MAX_TALKERS).contains(&talkers), "invariant: talkers checked by the options");
        assert!(seconds >= MIN_SECONDS, "invariant: seconds checked by the options");
        let outline = outline(talkers);
        let phases = u32::try_from(outline.len()).expect("invariant: eight phases");
        let each = Duration::from_secs(seconds).saturating_sub(OVERHEAD) / phases;
        let settle = each.mul_f64(SETTLE_SHARE).clamp(SETTLE_MIN, SETTLE_MAX);
        let cast: Vec<Person> = (1..=talkers + 1).map(Talker).chain([Bot]).collect();
        let mut model = Model::default();
        let phases = outline
            .into_iter()
            .map(|(letter, title, steps)| {
                for step in &steps {
                    model.apply(step);
                }
                Phase { letter, title, steps, settle, window: each - settle, expected: expected(&model) }
            })
            .collect();
        Self { cast, phases }
    }
}

/// What happens in each phase.
fn outline(talkers: usize) -> Vec<(char, String, Vec<Step>)> {
    let newcomer = Talker(talkers + 1);
    let joins = (1..=talkers).map(Talker).chain([Bot]).map(Step::Join).collect();
    let announce =
        Step::CreateGroup { name: ANNOUNCE, mode: Mode::Multicast, source: Bot, receivers: vec![Talker(1), Talker(2)] };
    let listen = Step::CreateGroup { name: LISTEN, mode: Mode::OneToOne, source: Talker(3), receivers: vec![Bot] };
    let patch = Step::PatchReceivers { name: ANNOUNCE, receivers: vec![Talker(2), Talker(3)] };
    let deletes = vec![Step::DeleteGroup(ANNOUNCE), Step::DeleteGroup(LISTEN)];
    let title = |text: &str| text.to_owned();
    vec![
        ('a', title("default group: everyone hears everyone"), joins),
        ('b', title("the bot leaves the default group"), vec![Step::LeaveDefaultGroup(Bot)]),
        ('c', title("multicast group: bot → talkers 1, 2"), vec![announce]),
        ('d', title("oneToOne group: talker 3 → bot"), vec![listen]),
        ('e', title("receivers PATCHed: bot → talkers 2, 3"), vec![patch]),
        ('f', title("both groups deleted"), deletes),
        (
            'g',
            format!("talker 1 leaves, talker {} joins", talkers + 1),
            vec![Step::Leave(Talker(1)), Step::Join(newcomer)],
        ),
        ('h', title("the bot hangs up"), vec![Step::HangUp]),
    ]
}

/// The rows of a phase: every member's ear and, while the bot is there, one lane per other member.
fn expected(model: &Model) -> Expected {
    let mut rows = Vec::new();
    for person in model.members() {
        rows.push((Ear::Mixed(person), model.heard_by(person)));
    }
    if model.members().any(|person| person == Bot) {
        let heard = model.heard_by(Bot);
        for source in model.members().filter(|person| *person != Bot) {
            let lane = heard.get(&source).copied().into_iter().collect();
            rows.push((Ear::Lane(source), lane));
        }
    }
    Expected { rows, sources: model.members().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn heard(script: &Script, letter: char, ear: Ear) -> Option<BTreeSet<Person>> {
        let phase = script.phases.iter().find(|phase| phase.letter == letter).expect("phase");
        phase.expected.rows.iter().find(|(row, _)| *row == ear).map(|(_, set)| set.clone())
    }

    #[test]
    fn phases_are_the_eight_of_the_plan_in_order() {
        let letters: String = Script::new(6, 60).phases.iter().map(|phase| phase.letter).collect();
        assert_eq!(letters, "abcdefgh");
    }

    #[test]
    fn budget_is_spent_but_not_exceeded() {
        for seconds in [MIN_SECONDS, 60, 300] {
            let total: Duration = Script::new(6, seconds).phases.iter().map(|p| p.settle + p.window).sum();
            assert!(total <= Duration::from_secs(seconds), "{seconds}: {total:?}");
            assert!(total + OVERHEAD + Duration::from_millis(1) >= Duration::from_secs(seconds), "{total:?}");
        }
    }

    #[test]
    fn even_the_shortest_run_measures_long_enough_to_trust_a_signature() {
        let script = Script::new(MIN_TALKERS, MIN_SECONDS);
        assert!(script.phases.iter().all(|phase| phase.window >= Duration::from_millis(3_200)));
    }

    #[test]
    fn multicast_reaches_two_talkers_and_patching_moves_it() {
        let script = Script::new(4, 60);
        let hears_bot = |letter, n| heard(&script, letter, Ear::Mixed(Talker(n))).expect("row").contains(&Bot);
        assert_eq!([1, 2, 3, 4].map(|n| hears_bot('a', n)), [true; 4]);
        assert_eq!([1, 2, 3, 4].map(|n| hears_bot('b', n)), [false; 4]);
        assert_eq!([1, 2, 3, 4].map(|n| hears_bot('c', n)), [true, true, false, false]);
        assert_eq!([1, 2, 3, 4].map(|n| hears_bot('e', n)), [false, true, true, false]);
        assert_eq!([1, 2, 3, 4].map(|n| hears_bot('f', n)), [false; 4]);
    }

    #[test]
    fn lanes_follow_what_the_bot_hears() {
        let script = Script::new(3, 60);
        assert_eq!(heard(&script, 'a', Ear::Lane(Talker(2))), Some(BTreeSet::from([Talker(2)])));
        assert_eq!(heard(&script, 'c', Ear::Lane(Talker(3))), Some(BTreeSet::new()));
        assert_eq!(heard(&script, 'd', Ear::Lane(Talker(3))), Some(BTreeSet::from([Talker(3)])));
        assert_eq!(heard(&script, 'd', Ear::Mixed(Bot)), Some(BTreeSet::from([Talker(3)])));
    }

    #[test]
    fn after_the_hang_up_nobody_expects_the_bot() {
        let script = Script::new(3, 60);
        assert_eq!(heard(&script, 'h', Ear::Mixed(Bot)), None);
        assert_eq!(heard(&script, 'h', Ear::Lane(Talker(2))), None);
        let newcomer = heard(&script, 'h', Ear::Mixed(Talker(4))).expect("row");
        assert_eq!(newcomer, BTreeSet::from([Talker(2), Talker(3)]));
        assert_eq!(heard(&script, 'g', Ear::Mixed(Talker(1))), None);
    }
}
