//! The governor against a model of a media thread, in virtual time: what ticks cost is a function of effort and talkers.

use super::*;
use antiphon_rt::runner::Schedule;
use proptest::prelude::*;

const CEILING: Ceiling = Ceiling { complexity: 5, bitrate: 24_000, talkers: 0 };

/// What a tick costs: an encode for each talker that is mixed and one for the rest, a decode for each talker.
fn cost(effort: &Effort, talkers: u16) -> Duration {
    let encode = match (effort.max_complexity.min(5), effort.max_bitrate) {
        (0, ..=16_000) => 40,
        (0, _) => 51,
        (1..3, _) => 75,
        (3..5, _) => 100,
        _ => 119,
    };
    let mixed = u64::from(effort.max_talkers.min(talkers));
    Duration::from_micros((mixed + 1) * encode + u64::from(talkers) * 20)
}

/// A media thread of the model.
struct Model {
    governor: Governor,
    schedule: Schedule,
    now: MonoTime,
    /// Ticks left out, with the level at which it happened.
    missed: Vec<u8>,
    /// Each level in turn.
    levels: Vec<u8>,
}

impl Model {
    fn new() -> Self {
        let governor = Governor::new();
        Self {
            governor,
            schedule: Schedule::new(MonoTime::ZERO, BUDGET),
            now: MonoTime::ZERO,
            missed: vec![],
            levels: vec![0],
        }
    }

    fn tick(&mut self, talkers: u16) {
        self.tick_of(cost(&self.governor.effort(), talkers), Duration::ZERO, talkers);
    }

    /// A tick of so much work in which others had the core for `stolen`.
    fn tick_of(&mut self, own: Duration, stolen: Duration, talkers: u16) {
        self.now = self.now.max(self.schedule.deadline());
        let wake = self.schedule.wake(self.now);
        let level = self.governor.stats().level;
        self.missed.extend((0..wake.skipped).map(|_| level));
        self.now += own + stolen;
        if self.governor.note(Load { wall: own + stolen, own }, Ceiling { talkers, ..CEILING }) {
            self.levels.push(self.governor.stats().level);
        }
    }

    fn seconds(&mut self, seconds: u32, talkers: u16) {
        (0..seconds * 50).for_each(|_| self.tick(talkers));
    }
}

#[test]
fn effort_falls_in_the_fixed_order_and_comes_back_in_reverse_with_no_tick_missed() {
    let mut model = Model::new();
    (0..=320).for_each(|talkers| model.seconds(1, talkers));
    let one_by_one = |levels: &[u8]| levels.windows(2).all(|pair| pair[1].abs_diff(pair[0]) <= 2);
    assert!(one_by_one(&model.levels), "{:?}", model.levels);
    // Attempts to go up come to nothing while there are ever more talkers.
    let depths = |levels: &[u8]| levels.iter().filter(|level| **level <= 5).copied().collect::<Vec<_>>();
    assert_eq!(depths(&model.levels), [0, 2, 3, 4, 5], "5 saves nothing where encoders are at 5");
    let stats = *model.governor.stats();
    assert_eq!(stats.lowered.complexity, 3, "from 5 to 3, 1 and 0");
    assert_eq!(stats.lowered.bitrate, 1);
    assert!(stats.lowered.talkers > 0);
    let down = model.levels.len();
    (0..=320).rev().for_each(|talkers| model.seconds(1, talkers));
    model.seconds(60, 0);
    let up = depths(&model.levels[down..]);
    assert!(up.is_sorted_by(|a, b| a > b) && up.last() == Some(&0), "{up:?}");
    assert_eq!(model.governor.effort(), Effort::FULL);
    assert_eq!(model.missed, [0_u8; 0]);
    assert!(model.governor.stats().limited_ticks > 0);
}

#[test]
fn the_rungs_are_complexity_then_bitrate_then_talkers_and_each_asks_less() {
    let levers: Vec<Lever> = RUNGS.iter().map(|(lever, _)| *lever).collect();
    let order = |lever: &Lever| [Lever::Complexity, Lever::Bitrate, Lever::Talkers].iter().position(|l| l == lever);
    assert!(levers.is_sorted_by_key(order), "{levers:?}");
    let full = Ceiling { complexity: 10, bitrate: 510_000, talkers: u16::MAX };
    for level in 0..RUNGS.len() {
        assert!(cost(&effort_at(level + 1), 600) <= cost(&effort_at(level), 600), "rung {level}");
        assert_ne!(limited(effort_at(level + 1), full), limited(effort_at(level), full), "rung {level}");
    }
}

#[test]
fn a_tick_is_missed_only_when_every_rung_is_spent() {
    let mut model = Model::new();
    // Decoding alone is beyond the budget at the end: nothing the governor may do can save that.
    (0..1_100).for_each(|talkers| (0..10).for_each(|_| model.tick(talkers)));
    assert!(!model.missed.is_empty());
    assert!(model.missed.iter().all(|level| usize::from(*level) == RUNGS.len()), "{:?}", model.missed);
}

#[test]
fn a_surge_to_less_than_twice_the_budget_misses_nothing() {
    for talkers in 100..275 {
        let mut model = Model::new();
        model.seconds(1, 3);
        assert!(cost(&Effort::FULL, talkers) < BUDGET * 2);
        model.seconds(20, talkers);
        assert_eq!(model.missed, [0_u8; 0], "{talkers} talkers at once");
    }
}

#[test]
fn a_stall_from_outside_costs_no_effort() {
    let mut model = Model::new();
    for second in 0..600 {
        model.seconds(1, 20);
        let stall = Duration::from_millis(if second % 3 == 0 { 70 } else { 0 });
        model.tick_of(Duration::from_millis(3), stall, 20);
    }
    assert_eq!(model.levels, [0]);
    assert!(!model.missed.is_empty(), "the stalls were real");
}

#[test]
fn a_core_shared_with_others_for_long_is_a_reason_for_less_effort() {
    let mut model = Model::new();
    (0..50).for_each(|_| model.tick_of(Duration::from_millis(9), Duration::from_millis(8), 60));
    assert!(model.governor.stats().level > 0);
}

#[test]
fn a_steady_load_finds_its_level_and_stays() {
    for talkers in (5..300).step_by(5) {
        let mut model = Model::new();
        model.seconds(60, talkers);
        let settled = model.levels.len();
        model.seconds(600, talkers);
        // What is left are attempts to go up, further and further apart.
        let steps = model.levels.len() - settled;
        assert!(steps <= 24, "{talkers} talkers: {steps} steps in ten minutes: {:?}", model.levels);
    }
}

#[test]
fn rungs_that_save_nothing_are_neither_taken_nor_counted() {
    let mut governor = Governor::new();
    let load = Load { wall: BUDGET * 9 / 10, own: BUDGET * 9 / 10 };
    let poor = Ceiling { complexity: 1, bitrate: 16_000, talkers: 10 };
    for _ in 0..200 {
        governor.note(load, poor);
    }
    // From 1 to 0; 16 kb/s already; 8, 5 and 3 of 10 talkers.
    assert_eq!(governor.stats().lowered, StepCounts { complexity: 1, bitrate: 0, talkers: 3 });
    assert_eq!(governor.effort().max_talkers, 3);
    let idle = Load { wall: Duration::ZERO, own: Duration::ZERO };
    for _ in 0..1_000 {
        governor.note(idle, Ceiling { talkers: 0, ..poor });
    }
    assert_eq!(governor.stats().restored, StepCounts { complexity: 1, bitrate: 0, talkers: 0 });
    assert_eq!(governor.stats().lapsed, StepCounts { complexity: 0, bitrate: 0, talkers: 3 }, "nobody was left to mix");
    assert_eq!(governor.effort(), Effort::FULL);
    // The gauge shows it as it is.
    let gauge = Gauge::default();
    gauge.show(governor.stats());
    assert_eq!(gauge.read(), *governor.stats());
}

proptest! {
    #[test]
    fn whatever_talks_below_twice_the_budget_nothing_is_missed(
        spells in prop::collection::vec((0_u16..270, 1_u32..500), 1..60),
    ) {
        let mut model = Model::new();
        for (talkers, ticks) in spells {
            (0..ticks).for_each(|_| model.tick(talkers));
        }
        prop_assert_eq!(model.missed, [0_u8; 0]);
    }
}
