//! The plan: who hears whom, compiled to indices off the media thread and swapped in whole.
//!
//! [`PlanBuilder`] is a pure function of the default group and the routes:
//! heard(r) = (default group if r is in it) ∪ the sources of every routing group r receives from, minus r itself;
//! each source once however many routes lead to it. The tick only reads a [`MixPlan`]; the one it
//! replaces goes back through the hand-over. Not here: participant ids, and the rules for
//! which routes are allowed.

use crate::bits::{self, Bits, words_for};
use crate::slots::Slot;
use crate::{Limits, ReceiverSlot, SourceSlot};

/// One participant as the builder sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Participant {
    /// It as a speaker, if it speaks.
    pub source: Option<SourceSlot>,
    /// It as a listener, if it listens.
    pub receiver: Option<ReceiverSlot>,
    /// Whether it is in the default group, where everyone hears everyone else.
    pub in_default_group: bool,
    /// Whether it also gets every source it hears one by one (lanes, or an app's unmixed frames).
    pub unmixed: bool,
}

/// Collects memberships and routes and compiles them.
#[derive(Debug)]
pub struct PlanBuilder {
    plan: MixPlan,
    default_sources: Bits,
    participants: Vec<Participant>,
    unmixed_extra: Vec<(ReceiverSlot, SourceSlot)>,
}

/// Compiled routing: per receiver the set of sources mixed for it and the set delivered one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct MixPlan {
    words: usize,
    /// Receivers × words.
    heard: Box<[u64]>,
    /// Receivers × words.
    unmixed: Box<[u64]>,
    /// The holder each row is for.
    receivers: Box<[Option<u16>]>,
    /// The holder each column is for.
    sources: Box<[Option<u16>]>,
    /// Gains other than 1, sorted by receiver, then source.
    gains: Vec<(u16, u16, f32)>,
}

impl PlanBuilder {
    /// An empty plan for a conversation of this size: nobody hears anybody.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let words = words_for(limits.sources);
        Self {
            plan: MixPlan {
                words,
                heard: vec![0; limits.receivers * words].into(),
                unmixed: vec![0; limits.receivers * words].into(),
                receivers: vec![None; limits.receivers].into(),
                sources: vec![None; limits.sources].into(),
                gains: Vec::new(),
            },
            default_sources: Bits::new(limits.sources),
            participants: Vec::new(),
            unmixed_extra: Vec::new(),
        }
    }

    /// Adds a participant. Order does not matter.
    ///
    /// # Panics
    /// If a slot is beyond the limits the builder was made with.
    pub fn participant(&mut self, participant: Participant) -> &mut Self {
        if let Some(source) = participant.source {
            self.plan.sources[source.index()] = Some(source.generation());
            if participant.in_default_group {
                self.default_sources.insert(source.index());
            }
        }
        if let Some(receiver) = participant.receiver {
            self.plan.receivers[receiver.index()] = Some(receiver.generation());
        }
        self.participants.push(participant);
        self
    }

    /// Adds a route: every one of `receivers` hears every one of `sources`, whatever else they hear.
    ///
    /// # Panics
    /// If a slot is beyond the limits.
    pub fn route(&mut self, sources: &[SourceSlot], receivers: &[ReceiverSlot]) -> &mut Self {
        for source in sources {
            self.plan.sources[source.index()] = Some(source.generation());
        }
        for receiver in receivers {
            self.plan.receivers[receiver.index()] = Some(receiver.generation());
            let row = self.plan.row_range(receiver.index());
            for source in sources {
                set(&mut self.plan.heard[row.clone()], source.index());
            }
        }
        self
    }

    /// Delivers `sources` to `receiver` one by one, without mixing them: the lanes of a bot's leg
    /// on their way to its app.
    ///
    /// # Panics
    /// If a slot is beyond the limits.
    pub fn unmixed(&mut self, sources: &[SourceSlot], receiver: ReceiverSlot) -> &mut Self {
        self.plan.receivers[receiver.index()] = Some(receiver.generation());
        for source in sources {
            self.plan.sources[source.index()] = Some(source.generation());
            self.unmixed_extra.push((receiver, *source));
        }
        self
    }

    /// Multiplies `source` by `gain` in what `receiver` hears. Gains apply to mixes only.
    /// 1 is the default; not a finite number ≥ 0 counts as 0.
    ///
    /// # Panics
    /// If a slot is beyond the limits.
    pub fn gain(&mut self, source: SourceSlot, receiver: ReceiverSlot, gain: f32) -> &mut Self {
        assert!(source.index() < self.plan.sources.len() && receiver.index() < self.plan.receivers.len());
        let gain = if gain.is_finite() && gain >= 0.0 { gain } else { 0.0 };
        self.plan.gains.push((receiver.index() as u16, source.index() as u16, gain));
        self
    }

    /// Compiles. Allocates nothing more; O(receivers × sources / 64).
    #[must_use]
    pub fn build(self) -> Box<MixPlan> {
        let Self { mut plan, default_sources, participants, unmixed_extra } = self;
        for participant in &participants {
            let Some(receiver) = participant.receiver else { continue };
            let range = plan.row_range(receiver.index());
            let row = &mut plan.heard[range.clone()];
            if participant.in_default_group {
                for (word, default) in row.iter_mut().zip(default_sources.words()) {
                    *word |= default;
                }
            }
            if let Some(own) = participant.source {
                clear(row, own.index());
            }
            if participant.unmixed {
                plan.unmixed[range.clone()].copy_from_slice(&plan.heard[range]);
            }
        }
        for (receiver, source) in unmixed_extra {
            let range = plan.row_range(receiver.index());
            set(&mut plan.unmixed[range], source.index());
        }
        plan.gains.sort_by_key(|&(receiver, source, _)| (receiver, source));
        // The last word on a pair wins; a gain of 1 is the same as none, and shares the mix.
        plan.gains.reverse();
        plan.gains.dedup_by_key(|&mut (receiver, source, _)| (receiver, source));
        plan.gains.reverse();
        plan.gains.retain(|&(_, _, gain)| gain.to_bits() != 1.0_f32.to_bits());
        Box::new(plan)
    }
}

impl MixPlan {
    /// A plan in which nobody hears anybody.
    #[must_use]
    pub fn silent(limits: &Limits) -> Box<Self> {
        PlanBuilder::new(limits).build()
    }

    /// The sources mixed for `receiver`, ascending; none if the plan does not know it.
    pub fn heard(&self, receiver: ReceiverSlot) -> impl Iterator<Item = SourceSlot> + '_ {
        self.row_of(&self.heard, receiver)
    }

    /// The sources delivered to `receiver` one by one, ascending.
    pub fn heard_unmixed(&self, receiver: ReceiverSlot) -> impl Iterator<Item = SourceSlot> + '_ {
        self.row_of(&self.unmixed, receiver)
    }

    /// The factor on `source` in what `receiver` hears.
    #[must_use]
    pub fn gain_of(&self, source: SourceSlot, receiver: ReceiverSlot) -> f32 {
        let row = self.gain_row(receiver.index());
        row.iter().find(|entry| usize::from(entry.1) == source.index()).map_or(1.0, |entry| entry.2)
    }

    fn row_of<'a>(&'a self, rows: &'a [u64], receiver: ReceiverSlot) -> impl Iterator<Item = SourceSlot> + 'a {
        let known = self.knows_receiver(receiver);
        let row = if known { &rows[self.row_range(receiver.index())] } else { &[] };
        bits::ones(row).filter_map(|index| {
            let generation = self.sources[index]?;
            Some(SourceSlot::from_parts(index as u16, generation))
        })
    }

    pub(crate) fn knows_receiver(&self, receiver: ReceiverSlot) -> bool {
        self.receivers.get(receiver.index()) == Some(&Some(receiver.generation()))
    }

    pub(crate) fn knows_source(&self, source: SourceSlot) -> bool {
        self.sources.get(source.index()) == Some(&Some(source.generation()))
    }

    /// The heard set of the receiver at this index, as words.
    pub(crate) fn heard_words(&self, receiver: usize) -> &[u64] {
        &self.heard[self.row_range(receiver)]
    }

    /// The unmixed set of the receiver at this index, as words.
    pub(crate) fn unmixed_words(&self, receiver: usize) -> &[u64] {
        &self.unmixed[self.row_range(receiver)]
    }

    /// Gains other than 1 of the receiver at this index: (receiver, source, gain), by source.
    pub(crate) fn gain_row(&self, receiver: usize) -> &[(u16, u16, f32)] {
        if self.gains.is_empty() {
            return &[];
        }
        let from = self.gains.partition_point(|entry| usize::from(entry.0) < receiver);
        let to = self.gains.partition_point(|entry| usize::from(entry.0) <= receiver);
        &self.gains[from..to]
    }

    /// Whether this plan was built for a conversation of this size.
    pub(crate) fn fits(&self, limits: &Limits) -> bool {
        self.receivers.len() == limits.receivers && self.sources.len() == limits.sources
    }

    fn row_range(&self, receiver: usize) -> std::ops::Range<usize> {
        receiver * self.words..(receiver + 1) * self.words
    }
}

fn set(words: &mut [u64], index: usize) {
    words[index / 64] |= 1 << (index % 64);
}

fn clear(words: &mut [u64], index: usize) {
    words[index / 64] &= !(1 << (index % 64));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn source(n: usize) -> SourceSlot {
        SourceSlot::from_parts(n as u16, 3)
    }

    fn receiver(n: usize) -> ReceiverSlot {
        // Receivers are numbered unlike sources, so that mixing them up shows.
        ReceiverSlot::from_parts((99 - n) as u16, 5)
    }

    fn limits() -> Limits {
        Limits { sources: 100, receivers: 100, ..Limits::default() }
    }

    fn person(n: usize, in_default_group: bool) -> Participant {
        Participant { source: Some(source(n)), receiver: Some(receiver(n)), in_default_group, unmixed: false }
    }

    proptest! {
        #[test]
        fn heard_sets_are_the_definition(
            people in 1_usize..100,
            default in prop::collection::vec(any::<bool>(), 100),
            routes in prop::collection::vec(
                (prop::collection::vec(0_usize..100, 0..6), prop::collection::vec(0_usize..100, 0..6)), 0..8),
        ) {
            let routes: Vec<(Vec<usize>, Vec<usize>)> = routes
                .into_iter()
                .map(|(s, r)| {
                    let inside = |list: Vec<usize>| list.into_iter().filter(|n| *n < people).collect();
                    (inside(s), inside(r))
                })
                .collect();
            let mut builder = PlanBuilder::new(&limits());
            for (n, in_default_group) in default.iter().enumerate().take(people) {
                builder.participant(person(n, *in_default_group));
            }
            for (sources, receivers) in &routes {
                let sources: Vec<_> = sources.iter().copied().map(source).collect();
                let receivers: Vec<_> = receivers.iter().copied().map(receiver).collect();
                builder.route(&sources, &receivers);
            }
            let plan = builder.build();
            for r in 0..people {
                let mut expected = BTreeSet::new();
                if default[r] {
                    expected.extend((0..people).filter(|s| default[*s]));
                }
                for (sources, receivers) in &routes {
                    if receivers.contains(&r) {
                        expected.extend(sources);
                    }
                }
                expected.remove(&r);
                let heard: Vec<_> = plan.heard(receiver(r)).collect();
                prop_assert_eq!(heard, expected.into_iter().map(source).collect::<Vec<_>>());
            }
        }

        #[test]
        fn the_order_of_building_does_not_matter(
            order in Just((0_usize..20).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let build = |order: &[usize]| {
                let mut builder = PlanBuilder::new(&limits());
                for &n in order {
                    builder.participant(person(n, n % 3 > 0));
                    builder.gain(source(n), receiver((n + 1) % 20), 0.5);
                }
                builder.build()
            };
            let sorted: Vec<_> = (0..20).collect();
            prop_assert_eq!(build(&order), build(&sorted));
        }
    }

    #[test]
    fn the_last_gain_on_a_pair_counts_and_unity_is_none() {
        let mut builder = PlanBuilder::new(&limits());
        builder.participant(person(0, true)).participant(person(1, true));
        builder.gain(source(0), receiver(1), 0.25).gain(source(1), receiver(0), 0.5);
        builder.gain(source(0), receiver(1), 2.0).gain(source(1), receiver(0), 1.0);
        let plan = builder.build();
        assert_eq!(plan.gain_of(source(0), receiver(1)).to_bits(), 2.0_f32.to_bits());
        assert_eq!(plan.gains.len(), 1, "unity shares the mix");
        let mut builder = PlanBuilder::new(&limits());
        builder.gain(source(0), receiver(1), f32::NAN);
        assert_eq!(builder.build().gain_of(source(0), receiver(1)).to_bits(), 0);
    }

    #[test]
    fn another_holder_of_a_slot_is_not_known() {
        let mut builder = PlanBuilder::new(&limits());
        builder.participant(person(0, true)).participant(person(1, true));
        let plan = builder.build();
        let stranger = ReceiverSlot::from_parts(receiver(0).index() as u16, 6);
        assert_eq!(plan.heard(stranger).count(), 0);
        assert_eq!(plan.heard(receiver(0)).count(), 1);
        assert!(!plan.knows_source(SourceSlot::from_parts(0, 4)));
    }

    #[test]
    fn unmixed_follows_the_heard_set_or_stands_alone() {
        let mut builder = PlanBuilder::new(&limits());
        builder.participant(Participant { unmixed: true, ..person(0, true) }).participant(person(1, true));
        builder.unmixed(&[source(7)], receiver(1));
        let plan = builder.build();
        assert_eq!(plan.heard_unmixed(receiver(0)).collect::<Vec<_>>(), [source(1)]);
        assert_eq!(plan.heard_unmixed(receiver(1)).collect::<Vec<_>>(), [source(7)]);
        assert_eq!(plan.heard(receiver(1)).collect::<Vec<_>>(), [source(0)]);
    }
}
