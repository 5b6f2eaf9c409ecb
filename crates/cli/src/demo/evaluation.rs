//! From recordings and counters to matrices and figures.
//!
//! Owns the evidence of a run, detached from everything that ran, and what is computed from it. In the flow: collected
//! after closing, before the emulator stops; evaluated and written afterwards. Pure but for collecting: the same
//! evidence gives the same report.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use antiphon_engine::ConversationStats;
use antiphon_load::latency::added_delays;
use antiphon_load::recording::Recording as Sound;
use antiphon_load::relay::RelayStats;
use antiphon_load::signature::Detector;
use antiphon_load::talker::TalkerStats;
use hdrhistogram::Histogram;

use super::bot_side::{BotRecordings, RATE};
use super::cast::{signature, voice};
use super::conductor::{Conductor, Window};
use super::matrix::{Ear, Matrix, Reading};
use super::model::Person;
use super::notices::Notices;
use super::script::Script;
use crate::report::{Counted, Distribution, Figures, PhaseReport, Recording, Track, envelope};

/// Points of a drawn waveform.
const SLICES: usize = 720;
/// Speech per latency estimate.
const LATENCY_WINDOW: Duration = Duration::from_secs(2);
/// Encodes between a talker's mouth and another one's ear: the talker's, and the mixer's.
const CODEC_PASSES: u32 = 2;

/// All that is left of a run.
#[derive(Debug)]
pub(crate) struct Evidence {
    /// What was due and what came.
    pub(crate) notices: Notices,
    columns: Vec<Person>,
    windows: Vec<Window>,
    said: BTreeMap<Person, Sound>,
    ears: BTreeMap<Ear, Sound>,
    unknown_lanes: Vec<u32>,
    talkers: BTreeMap<Person, TalkerStats>,
    stats: Option<ConversationStats>,
    relay: Option<RelayStats>,
    real_time: bool,
    total: Duration,
}

/// What the evidence says.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Wrong pairs and lanes of nobody, one sentence each.
    pub(crate) problems: Vec<String>,
    /// Measured against plan.
    pub(crate) phases: Vec<PhaseReport>,
    /// Numbers.
    pub(crate) figures: Figures,
}

impl Evidence {
    /// Takes recordings and counters out of a closed run.
    pub(crate) fn collect(
        script: &Script,
        conductor: &Conductor<'_>,
        bot: Option<BotRecordings>,
        total: Duration,
    ) -> Self {
        let mut said = BTreeMap::new();
        let mut ears = BTreeMap::new();
        let mut talkers = BTreeMap::new();
        let mut sources = BTreeMap::new();
        for (person, member) in conductor.cast.members() {
            said.insert(person, member.talker.said());
            ears.insert(Ear::Mixed(person), member.talker.heard());
            talkers.insert(person, member.talker.stats());
            sources.insert(member.source_id, person);
        }
        let mut unknown_lanes = Vec::new();
        if let Some(BotRecordings { said: spoken, mixed, lanes }) = bot {
            said.insert(Person::Bot, spoken);
            ears.insert(Ear::Mixed(Person::Bot), mixed);
            for (source, lane) in lanes {
                match sources.get(&source) {
                    Some(person) => drop(ears.insert(Ear::Lane(*person), lane)),
                    None => unknown_lanes.push(source),
                }
            }
        }
        Self {
            notices: conductor.board.snapshot(),
            columns: script.cast.clone(),
            windows: conductor.windows.clone(),
            said,
            ears,
            unknown_lanes,
            talkers,
            stats: conductor.stats.clone(),
            relay: conductor.stage.relay.as_ref().map(antiphon_load::relay::Relay::stats),
            real_time: conductor.real_time,
            total,
        }
    }

    /// Measures everything.
    pub(crate) fn evaluate(&self) -> Outcome {
        let phases: Vec<PhaseReport> = self.windows.iter().map(|window| self.phase(window)).collect();
        let mut problems: Vec<String> = self
            .unknown_lanes
            .iter()
            .map(|source| format!("the bot got an unmixed lane of source {source}, which nobody in the meeting has"))
            .collect();
        for phase in &phases {
            let wrong = phase.matrix.wrong_pairs();
            problems.extend(wrong.iter().map(|sentence| format!("phase ({}): {sentence}", phase.letter)));
        }
        let figures = self.figures();
        if self.relay.is_some() && figures.link_seen < (figures.packets_in + figures.packets_out) / 2 {
            let (seen, packets) = (figures.link_seen, figures.packets_in + figures.packets_out);
            problems.push(format!(
                "the bad network was bypassed: it saw {seen} datagrams of the {packets} packets of the meeting"
            ));
        }
        Outcome { problems, phases, figures }
    }

    /// Every recording with its file name.
    pub(crate) fn files(&self) -> impl Iterator<Item = (String, &Sound)> {
        let said = self.said.iter().map(|(person, sound)| (said_file(*person), sound));
        said.chain(self.ears.iter().map(|(ear, sound)| (ear.file_name(), sound)))
    }

    /// Every recording for the report.
    pub(crate) fn drawn(&self) -> Vec<Recording> {
        let draw = |label: String, track, file, sound: &Sound| {
            let total = index(sound, self.total);
            Recording { label, track, file, envelope: envelope(sound.samples(), 0, total, SLICES) }
        };
        let said = self.said.iter().map(|(person, sound)| draw(person.short(), Track::Said, said_file(*person), sound));
        let ears = self.ears.iter().map(|(ear, sound)| {
            let (person, track) = match ear {
                Ear::Mixed(person) => (person, Track::Heard),
                Ear::Lane(person) => (person, Track::Lane),
            };
            draw(person.short(), track, ear.file_name(), sound)
        });
        said.chain(ears).collect()
    }

    fn phase(&self, window: &Window) -> PhaseReport {
        let span = window.from..window.to;
        let detectors: BTreeMap<Ear, Detector> =
            window.phase.expected.rows.iter().map(|(ear, _)| (*ear, self.detector(*ear, &span))).collect();
        let matrix = Matrix::measure(&window.phase.expected, &self.columns, |ear, source| {
            let judgement = detectors[&ear].judge(signature(source));
            Reading { verdict: judgement.verdict(), margin_db: judgement.margin_db() }
        });
        PhaseReport {
            letter: window.phase.letter,
            title: window.phase.title.clone(),
            begin: window.begin.as_secs_f64(),
            from: window.from.as_secs_f64(),
            to: window.to.as_secs_f64(),
            matrix,
        }
    }

    /// Over the whole of `span` as `ear` recorded it: what is missing there is silence.
    fn detector(&self, ear: Ear, span: &Range<Duration>) -> Detector {
        match self.ears.get(&ear) {
            Some(sound) => Detector::new(&sound.padded(span), sound.rate()),
            None => Detector::new(&[], RATE),
        }
    }

    fn figures(&self) -> Figures {
        let mut figures = Figures { real_time: self.real_time, mouth_to_ear: self.delays(), ..Figures::default() };
        if let Some(relay) = &self.relay {
            figures.link_seen = relay.up.sent + relay.down.sent;
            figures.link_dropped = relay.up.lost + relay.down.lost;
        }
        if let Some(stats) = &self.stats {
            meeting(&mut figures, stats);
        }
        let sum = |of: fn(&TalkerStats) -> u64| self.talkers.values().map(of).sum();
        figures.ears_got = sum(TalkerStats::packets);
        figures.ears_missed = sum(TalkerStats::lost);
        figures.outcomes.push(Counted::new("frames filled at talkers' ears", sum(TalkerStats::filled)));
        figures
    }

    /// Added delay between talkers: in each phase every ear is compared with one of those it hears, another one each
    /// phase. Two people with the same voice would be taken for each other's echo, so shared voices are left out.
    fn delays(&self) -> Distribution {
        let mut milliseconds = Vec::new();
        for (turn, window) in self.windows.iter().enumerate() {
            let span = window.from..window.to;
            for (ear, heard) in &window.phase.expected.rows {
                let Ear::Mixed(Person::Talker(_)) = ear else { continue };
                let talkers: Vec<&Person> = heard.iter().filter(|source| self.may_time(**source)).collect();
                let Some(source) = talkers.get(turn % talkers.len().max(1)) else { continue };
                let (Some(said), Some(sound)) = (self.said.get(source), self.ears.get(ear)) else { continue };
                let found = added_delays(said, sound, &span, LATENCY_WINDOW, CODEC_PASSES);
                milliseconds.extend(found.iter().map(|delay| delay.added.as_secs_f64() * 1000.0));
            }
        }
        Distribution::from_values("ms", milliseconds)
    }

    /// A talker whose voice nobody else in the run has.
    fn may_time(&self, source: Person) -> bool {
        let same = |other: &&Person| voice(**other).name() == voice(source).name();
        source != Person::Bot && self.columns.iter().filter(same).count() == 1
    }
}

/// The meeting's engine in the report's words.
fn meeting(figures: &mut Figures, stats: &ConversationStats) {
    let counts = &stats.counts;
    let per_tick = |n: u64| if counts.ticks > 0 { n as f64 / counts.ticks as f64 } else { 0.0 };
    figures.tick = scaled("µs", &stats.tick_time, 1e-3);
    figures.lateness = scaled("µs", &stats.lateness, 1e-3);
    figures.tick_over_codec = scaled("×", &stats.tick_over_codec, 1e-2);
    figures.tick_cycles = stats.cycles.ticks;
    figures.codec_cycles = stats.cycles.codec;
    figures.ticks = counts.ticks;
    figures.skipped_ticks = counts.skipped_ticks;
    figures.encodes = counts.encodes;
    figures.decodes = counts.decodes + counts.recoveries + counts.concealments;
    figures.mixes_per_tick = per_tick(counts.mix_ticks);
    figures.listeners_per_tick = per_tick(counts.listener_ticks);
    figures.packets_in = counts.packets_in;
    figures.packets_out = counts.packets_out;
    figures.concealed = counts.frames.concealed;
    figures.frames = counts.frames.decoded + counts.frames.recovered + counts.frames.concealed;
    figures.outcomes = [
        ("packets played", counts.packets.played),
        ("packets late", counts.packets.late),
        ("packets duplicate", counts.packets.duplicate),
        ("packets overflowed", counts.packets.overflowed),
        ("packets skipped", counts.packets.skipped),
        ("packets refused", counts.packets_refused),
        ("frames decoded", counts.frames.decoded),
        ("frames recovered", counts.frames.recovered),
        ("frames concealed", counts.frames.concealed),
        ("frames comfort", counts.frames.comfort),
        ("frames skipped", counts.frames.skipped),
        ("lane packets forwarded", counts.lane_packets),
        ("egress dropped", counts.egress_dropped),
    ]
    .map(|(name, count)| Counted::new(name, count))
    .to_vec();
}

fn scaled(unit: &'static str, histogram: &Histogram<u64>, scale: f64) -> Distribution {
    let pairs = histogram.iter_recorded().map(|step| (step.value_iterated_to() as f64 * scale, step.count_at_value()));
    Distribution::from_counts(unit, pairs)
}

fn said_file(person: Person) -> String {
    format!("{}-said.wav", person.file_stem())
}

fn index(sound: &Sound, at: Duration) -> usize {
    (at.as_secs_f64() * f64::from(sound.rate().sample_rate().hertz())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::matrix::Expected;
    use crate::demo::script::Phase;
    use antiphon_load::signature::Marker;
    use antiphon_load::speech::SpeechLoop;
    use std::collections::BTreeSet;

    use Person::{Bot, Talker};

    const SECONDS: Duration = Duration::from_secs(4);

    /// What an ear records while exactly `people` speak.
    fn sound_of(people: &[Person]) -> Sound {
        let frames = SECONDS.as_millis() as usize / 20;
        let mut mix = vec![0.0; frames * RATE.frame()];
        for person in people {
            let mut speech = SpeechLoop::new(voice(*person), RATE, 0);
            let mut marker = Marker::new(signature(*person), RATE.sample_rate());
            let mut frame = vec![0.0; RATE.frame()];
            for sum in mix.chunks_exact_mut(RATE.frame()) {
                let speaking = speech.next_frame(&mut frame);
                marker.mark(&mut frame, speaking);
                sum.iter_mut().zip(&frame).for_each(|(a, b)| *a += b);
            }
        }
        let mut sound = Sound::new(RATE);
        sound.append(&mix);
        sound
    }

    /// One phase in which talker 1 must hear talker 2, the bot talker 1, and its lane of talker 1 likewise.
    fn evidence(ears: BTreeMap<Ear, Sound>) -> Evidence {
        let heard = |person| BTreeSet::from([person]);
        let rows = vec![
            (Ear::Mixed(Talker(1)), heard(Talker(2))),
            (Ear::Mixed(Bot), heard(Talker(1))),
            (Ear::Lane(Talker(1)), heard(Talker(1))),
            (Ear::Lane(Talker(2)), BTreeSet::new()),
        ];
        let columns = vec![Talker(1), Talker(2), Bot];
        let phase = Phase {
            letter: 'd',
            title: "test".into(),
            steps: vec![],
            settle: Duration::ZERO,
            window: SECONDS,
            expected: Expected { rows, sources: columns.clone() },
        };
        Evidence {
            notices: Notices::default(),
            columns,
            windows: vec![Window { phase, begin: Duration::ZERO, from: Duration::ZERO, to: SECONDS }],
            said: BTreeMap::new(),
            ears,
            unknown_lanes: vec![],
            talkers: BTreeMap::new(),
            stats: None,
            relay: None,
            real_time: false,
            total: SECONDS,
        }
    }

    #[test]
    fn a_lane_that_dies_on_the_way_fails_its_phase() {
        let mut ears = as_planned();
        let whole = sound_of(&[Talker(1)]);
        let mut dying = Sound::new(RATE);
        dying.append(&whole.samples()[..whole.samples().len() / 3]);
        ears.insert(Ear::Lane(Talker(1)), dying);
        let problems = evidence(ears).evaluate().problems;
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("the bot's lane of talker 1"), "{problems:?}");
    }

    fn as_planned() -> BTreeMap<Ear, Sound> {
        BTreeMap::from([
            (Ear::Mixed(Talker(1)), sound_of(&[Talker(2)])),
            (Ear::Mixed(Bot), sound_of(&[Talker(1)])),
            (Ear::Lane(Talker(1)), sound_of(&[Talker(1)])),
        ])
    }

    #[test]
    fn recordings_as_planned_give_no_problem_and_a_silent_lane_needs_no_recording() {
        assert_eq!(evidence(as_planned()).evaluate().problems, Vec::<String>::new());
    }

    #[test]
    fn a_voice_too_many_and_a_voice_too_few_are_each_named_with_the_phase() {
        let mut ears = as_planned();
        ears.insert(Ear::Mixed(Talker(1)), sound_of(&[Talker(2), Bot]));
        ears.insert(Ear::Lane(Talker(1)), sound_of(&[]));
        let problems = evidence(ears).evaluate().problems;
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("phase (d): talker 1 heard the bot"), "{problems:?}");
        assert!(problems[1].starts_with("phase (d): the bot's lane of talker 1 was without talker 1"), "{problems:?}");
    }

    #[test]
    fn a_lane_under_another_ones_source_id_is_two_problems() {
        let mut ears = as_planned();
        ears.insert(Ear::Lane(Talker(1)), sound_of(&[Talker(2)]));
        assert_eq!(evidence(ears).evaluate().problems.len(), 2);
    }

    #[test]
    fn a_lane_of_nobody_is_a_problem() {
        let mut evidence = evidence(as_planned());
        evidence.unknown_lanes.push(77);
        assert!(evidence.evaluate().problems[0].contains("source 77"));
    }
}
