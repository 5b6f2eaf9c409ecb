//! Who carries the conversation: dominant speaker identification on three time scales.
//!
//! After Volfin and Cohen, "Dominant speaker identification for multipoint videoconferencing", Computer Speech and
//! Language 27(4), 2013, with the constants of Jitsi's `DominantSpeakerIdentification`, which counts steps of level where
//! the paper counts sub-bands. Levels are those of decoded frames: what a sender claims plays no part. The crate
//! `rust-dominant-speaker` 0.3 (MIT or Apache-2.0, time passed in) keeps speakers in a hash map, collects a `Vec` for each
//! decision, which a tick may not, and rescans fifty levels where one word of history does.
//! Runs in the tick: O(active sources), no allocation; the same inputs give the same answer.

use antiphon_rtp::AudioLevel;

/// Steps of level above the source's noise floor that a frame is told apart by (the paper's sub-bands, N₁).
const STEPS: usize = 13;
/// A step in dB: a frame 16 dB above the floor is active, one 26 dB above it as loud as is told apart.
const STEP_DB: u32 = 2;
/// A frame is active above this many steps.
const ACTIVE_ABOVE: usize = 7;
/// Frames of a medium interval: 100 ms (N₂).
const MEDIUM: usize = 5;
/// Medium intervals of a long one: 1 s (N₃).
const LONG: usize = 10;
/// Active frames with which a medium interval counts. Jitsi asks for all five, which the gaps between the syllables of
/// fluent speech keep breaking: a cough would then weigh as much as a sentence.
const ENOUGH: u64 = 3;
/// Rate of the exponential that activity is held against, per scale (λ).
const LAMBDA: [f32; 3] = [0.78, 24.0, 47.0];
/// What the logarithm of a challenger's score over the present speaker's must exceed, per scale (C₁, C₂, C₃).
const MARGIN: [f32; 3] = [3.0, 2.0, 0.0];
/// Least score; silence has it.
const LEAST_SCORE: f32 = 1e-10;
/// Ticks between a takeover and the next: the published decision interval, 300 ms. Within it a decision is made on every
/// tick here, so that a hand-over waits for nothing.
const DECISION_INTERVAL: u64 = 15;
/// Parts of a dB that noise floors are kept in. A floor rises by one part per tick, 1 dB/s, and falls at once.
const FLOOR_PARTS: u32 = 50;

/// The first frame of every medium interval in a history.
const MEDIUM_STARTS: u64 = {
    let (mut mask, mut at) = (0_u64, 0);
    while at < LONG {
        mask |= 1 << (at * MEDIUM);
        at += 1;
    }
    mask
};

/// The dominant speaker of one conversation.
#[derive(Debug)]
pub(crate) struct Dominant {
    voices: Box<[Voice]>,
    scores: Scores,
    /// Least noise floor, in parts: where gates close.
    least_floor: u32,
    current: Option<usize>,
    /// Whether the current one left since the last decision.
    left: bool,
    /// When the current one took over.
    since: u64,
}

/// What is remembered of one source.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    /// Active frames as of `turn`, the newest in bit 0.
    history: u64,
    turn: u64,
    /// Steps of the frame of `turn`.
    steps: usize,
    /// Above -127 dBov, in parts of a dB; 0 before the first frame.
    floor: u32,
}

/// How active a source is: medium intervals of the last second, frames of the last 100 ms, steps of the last frame.
/// Ordered by the longest scale first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Activity {
    long: usize,
    medium: usize,
    immediate: usize,
}

impl Dominant {
    /// Nobody yet, in a conversation of so many sources, whose gates close at `close_dbov`.
    pub(crate) fn new(sources: usize, close_dbov: f32) -> Self {
        let least_floor = (127.0 + close_dbov).clamp(1.0, 127.0) as u32 * FLOOR_PARTS;
        let voices = vec![Voice::default(); sources].into();
        Self { voices, scores: Scores::new(), least_floor, current: None, left: false, since: 0 }
    }

    /// Takes the level of an active source's frame; call it once per turn for each of them, then [`Dominant::decide`].
    pub(crate) fn hear(&mut self, turn: u64, index: usize, level: AudioLevel) {
        self.voices[index].hear(turn, level, self.least_floor);
    }

    /// Who of the active sources is dominant now, if that changed. It changes to nobody when none is active, from
    /// nobody to the most active at once, and else when somebody beats the present speaker on all three scales, which
    /// takes at most 600 ms from the onset of who speaks while the present speaker does not.
    pub(crate) fn decide(
        &mut self,
        turn: u64,
        active: impl Iterator<Item = (usize, AudioLevel)>,
    ) -> Option<Option<usize>> {
        let incumbent = self.current.map(|index| self.voices[index].activity(turn));
        let waiting = incumbent.is_some() && turn.saturating_sub(self.since) < DECISION_INTERVAL;
        let mut anybody = false;
        let mut best: Option<(Activity, AudioLevel, usize)> = None;
        for (index, level) in active {
            anybody = true;
            if waiting || self.current == Some(index) {
                continue;
            }
            let activity = self.voices[index].activity(turn);
            let stands = incumbent.is_none_or(|incumbent| self.scores.beats(&activity, &incumbent));
            let better = best.is_none_or(|(other, loudness, _)| match activity.cmp(&other) {
                std::cmp::Ordering::Equal => level.is_louder_than(loudness),
                order => order.is_gt(),
            });
            if stands && better {
                best = Some((activity, level, index));
            }
        }
        let next = if anybody { best.map(|(_, _, index)| index).or(self.current) } else { None };
        let left = std::mem::take(&mut self.left);
        (next != self.current || left).then(|| {
            self.current = next;
            self.since = turn;
            next
        })
    }

    /// Forgets a source that leaves.
    pub(crate) fn forget(&mut self, index: usize) {
        self.voices[index] = Voice::default();
        if self.current == Some(index) {
            self.current = None;
            self.left = true;
        }
    }
}

impl Voice {
    fn hear(&mut self, turn: u64, level: AudioLevel, least_floor: u32) {
        let parts = u32::from(127 - level.minus_dbov()) * FLOOR_PARTS;
        let risen = if self.floor == 0 { least_floor } else { self.floor + 1 };
        self.floor = risen.min(parts).max(least_floor);
        self.steps = ((parts - self.floor.min(parts)) / (STEP_DB * FLOOR_PARTS)).min(STEPS as u32) as usize;
        self.history = self.history_at(turn) | u64::from(self.steps > ACTIVE_ABOVE);
        self.turn = turn;
    }

    /// The history as of `turn`; frames not heard of were silent.
    fn history_at(&self, turn: u64) -> u64 {
        let passed = u32::try_from(turn.saturating_sub(self.turn)).unwrap_or(u32::MAX);
        self.history.checked_shl(passed).unwrap_or(0)
    }

    fn activity(&self, turn: u64) -> Activity {
        let history = self.history_at(turn);
        // The active frames of each medium interval, in the five bits it has: at most five, so no carry between them.
        let counts: u64 = (0..MEDIUM).map(|at| (history >> at) & MEDIUM_STARTS).sum();
        // 3 becomes 8 and 5 becomes 10: the fourth bit says whether a count is enough.
        let enough = (counts + (8 - ENOUGH) * MEDIUM_STARTS) & (MEDIUM_STARTS << 3);
        Activity {
            long: enough.count_ones() as usize,
            medium: (counts & 0b1_1111) as usize,
            immediate: if turn == self.turn { self.steps } else { 0 },
        }
    }
}

/// Logarithms of the speech activity scores, by scale and count.
#[derive(Debug)]
struct Scores {
    immediate: [f32; STEPS + 1],
    medium: [f32; MEDIUM + 1],
    long: [f32; LONG + 1],
}

impl Scores {
    fn new() -> Self {
        Self {
            immediate: std::array::from_fn(|active| log_score(active, STEPS, LAMBDA[0])),
            medium: std::array::from_fn(|active| log_score(active, MEDIUM, LAMBDA[1])),
            long: std::array::from_fn(|active| log_score(active, LONG, LAMBDA[2])),
        }
    }

    /// Whether a challenger is more active on all three scales.
    fn beats(&self, challenger: &Activity, incumbent: &Activity) -> bool {
        self.immediate[challenger.immediate] - self.immediate[incumbent.immediate] > MARGIN[0]
            && self.medium[challenger.medium] - self.medium[incumbent.medium] > MARGIN[1]
            && self.long[challenger.long] - self.long[incumbent.long] > MARGIN[2]
    }
}

/// Logarithm of the speech activity score of `active` out of `all`: how much likelier so many are in speech (binomial,
/// p = 1/2) than in silence (exponential with rate λ).
fn log_score(active: usize, all: usize, lambda: f32) -> f32 {
    let choices: f32 = (0..active).map(|n| (all - n) as f32 / (n + 1) as f32).product();
    let score = choices.ln() - all as f32 * std::f32::consts::LN_2 - lambda.ln() + lambda * active as f32;
    score.max(LEAST_SCORE).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of each source on each tick, and who was told to be dominant when.
    struct Talk {
        dominant: Dominant,
        turn: u64,
        hangover: Vec<u32>,
        told: Vec<(u64, Option<usize>)>,
    }

    impl Talk {
        fn new(sources: usize) -> Self {
            let dominant = Dominant::new(sources, -60.0);
            Self { dominant, turn: 0, hangover: vec![0; sources], told: Vec::new() }
        }

        /// One tick with these levels below overload; active as the talk gate has it, 25 ticks longer than loud.
        fn tick(&mut self, levels: &[u8]) {
            self.turn += 1;
            for (left, level) in self.hangover.iter_mut().zip(levels) {
                *left = if *level < 55 { 26 } else { left.saturating_sub(1) };
            }
            let active =
                |(index, level): (usize, &u8)| (self.hangover[index] > 0).then_some((index, AudioLevel::new(*level)));
            let active: Vec<_> = levels.iter().enumerate().filter_map(active).collect();
            for (index, level) in &active {
                self.dominant.hear(self.turn, *index, *level);
            }
            if let Some(next) = self.dominant.decide(self.turn, active.into_iter()) {
                self.told.push((self.turn, next));
            }
        }

        /// So many ticks in which `level` gives each source's level.
        fn run(&mut self, ticks: u64, level: impl Fn(usize, u64) -> u8) {
            for tick in 0..ticks {
                let levels: Vec<u8> = (0..self.hangover.len()).map(|index| level(index, tick)).collect();
                self.tick(&levels);
            }
        }

        fn told(&self) -> Vec<Option<usize>> {
            self.told.iter().map(|(_, who)| *who).collect()
        }
    }

    /// Speech: syllables of 240 ms with 60 ms between them, and a breath of 300 ms every 3 s.
    fn speech(tick: u64) -> u8 {
        if tick % 150 >= 135 {
            70
        } else if tick % 15 < 12 {
            24 + (tick % 5) as u8
        } else {
            52
        }
    }

    #[test]
    fn the_first_to_speak_is_dominant_on_the_very_frame_and_nobody_once_all_are_silent() {
        let mut talk = Talk::new(3);
        talk.run(10, |_, _| 127);
        talk.run(100, |who, tick| if who == 1 { speech(tick) } else { 127 });
        talk.run(60, |_, _| 127);
        assert_eq!(talk.told, [(11, Some(1)), (talk.told[1].0, None)]);
        assert!(talk.told[1].0 - 110 <= 26);
    }

    #[test]
    fn a_cough_does_not_take_over_however_loud_and_whenever() {
        for onset in 0..150 {
            let mut talk = Talk::new(2);
            talk.run(450, |who, tick| match who {
                0 => speech(tick),
                _ if (200 + onset..217 + onset).contains(&tick) => 3, // 340 ms at nearly full scale
                _ => 127,
            });
            assert_eq!(talk.told(), [Some(0)], "a cough {onset} ticks later");
        }
    }

    #[test]
    fn a_long_talker_keeps_it_against_short_interjections() {
        let mut talk = Talk::new(3);
        // Twenty minutes with a word of half a second from one of the others every second or so.
        talk.run(60_000, |who, tick| {
            let word = tick % 53 < 25 && (tick / 53) % 2 + 1 == who as u64;
            if who == 0 {
                speech(tick)
            } else if word {
                speech(tick + 71)
            } else {
                127
            }
        });
        assert_eq!(talk.told(), [Some(0)]);
    }

    #[test]
    fn a_hand_over_takes_at_most_600_ms_from_the_onset_of_the_next() {
        for pause in 0..80 {
            let mut talk = Talk::new(2);
            talk.run(200, |who, tick| if who == 0 { speech(tick) } else { 127 });
            talk.run(pause, |_, _| 127);
            let onset = talk.turn;
            talk.run(60, |who, _| if who == 1 { 25 } else { 127 });
            let (at, _) = talk.told.iter().find(|(_, who)| *who == Some(1)).expect("handed over");
            assert!(at - onset <= 30, "{} ticks after a pause of {pause}", at - onset);
        }
    }

    #[test]
    fn two_who_talk_on_and_on_do_not_flicker() {
        let mut talk = Talk::new(2);
        talk.run(3_000, |who, tick| speech(tick + 71 * who as u64));
        assert!(talk.told.windows(2).all(|pair| pair[1].0 - pair[0].0 >= DECISION_INTERVAL));
        assert!(talk.told.len() <= 3_000 / 75, "at most once for each breath of either: {:?}", talk.told);
    }

    #[test]
    fn steady_noise_gives_way_to_speech() {
        let mut talk = Talk::new(2);
        talk.run(1_500, |who, _| if who == 0 { 40 } else { 127 });
        assert_eq!(talk.told(), [Some(0)], "it is all there is");
        talk.run(100, |who, tick| if who == 0 { 40 } else { speech(tick) });
        assert_eq!(talk.told(), [Some(0), Some(1)]);
        assert!(talk.told[1].0 <= 1_500 + 15);
        talk.run(500, |who, tick| if who == 0 { 40 } else { speech(tick) });
        assert_eq!(talk.told.len(), 2, "and does not come back in a breath");
    }

    #[test]
    fn who_leaves_is_told_and_its_successor_in_the_slot_starts_from_nothing() {
        let mut talk = Talk::new(2);
        talk.run(50, |who, tick| if who == 0 { speech(tick) } else { 127 });
        talk.dominant.forget(0);
        talk.hangover[0] = 0;
        talk.run(1, |_, _| 127);
        assert_eq!(talk.told(), [Some(0), None]);
        talk.run(10, |who, tick| if who == 1 { speech(tick) } else { 127 });
        talk.dominant.forget(1);
        // Somebody else in the same slot talks at once: that is another speaker.
        talk.run(10, |who, tick| if who == 1 { speech(tick) } else { 127 });
        assert_eq!(talk.told(), [Some(0), None, Some(1), Some(1)]);
    }

    #[test]
    fn two_hundred_voices_cost_a_look_each_and_one_of_them_is_dominant() {
        let mut talk = Talk::new(200);
        talk.run(500, |who, tick| speech(tick + 37 * who as u64));
        assert!(talk.told[0].1.is_some());
        assert!(talk.told.len() < 60, "{}", talk.told.len());
        // The same again gives the same answer.
        let mut again = Talk::new(200);
        again.run(500, |who, tick| speech(tick + 37 * who as u64));
        assert_eq!(talk.told, again.told);
    }

    #[test]
    fn scores_grow_with_activity_where_it_counts() {
        let scores = Scores::new();
        assert!(scores.immediate[ACTIVE_ABOVE + 1] - scores.immediate[0] > MARGIN[0]);
        assert!(scores.medium.windows(2).all(|pair| pair[1] > pair[0]));
        assert!(scores.long.windows(2).all(|pair| pair[1] > pair[0]));
        // Worked by hand: ln(C(13,8) / 2^13 / 0.78) + 0.78 * 8 = 4.64.
        assert!((scores.immediate[8].exp() - 4.64).abs() < 0.01);
    }
}
