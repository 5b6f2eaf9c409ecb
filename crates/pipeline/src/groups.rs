//! Which receivers share an encoder: grouping by what they hear, and the switch between streams.
//!
//! Two receivers share a mix slot if the sources they hear among those talking, the gains on them
//! and the codec class are the same. When a group splits, the bigger part keeps the slot and the
//! other gets a copy of its encoder and limiter as they were before the tick. A
//! receiver whose mix changed for another reason than a talk gate (it just came, or was routed
//! anew) settles for 300 ms on a stream of its own before it may merge.
//! Runs in the tick, only when something changed: O(receivers). Measured grounds: ARCHITECTURE.md.

use crate::MixPlan;
use crate::bits;
use crate::mix::MixSlot;

/// Ticks two streams must have been fed the same before a listener moves between them: 300 ms.
pub(crate) const SETTLE_TICKS: u32 = 15;
/// No mix slot, no group.
pub(crate) const NONE: u16 = u16::MAX;
/// The class of receivers that take PCM: never encoded.
pub(crate) const PCM_CLASS: u8 = u8::MAX;

/// What grouping knows of one receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    /// There is one, and the plan knows it.
    pub(crate) present: bool,
    /// Codec class, or [`PCM_CLASS`].
    pub(crate) class: u8,
    /// The mix slot it listens to, or [`NONE`].
    pub(crate) slot: u16,
    /// The slot it listened to when it began to settle.
    origin: u16,
    /// The tick in which it began to settle.
    since: u64,
}

impl Listener {
    pub(crate) const ABSENT: Self = Self { present: false, class: 0, slot: NONE, origin: NONE, since: 0 };

    /// A receiver that comes in at `tick`, `present` if the plan knows it already.
    pub(crate) fn joining(class: u8, tick: u64, present: bool) -> Self {
        Self { present, class, slot: NONE, origin: NONE, since: tick }
    }

    /// What it hears changed at `tick` by something else than a talk gate.
    pub(crate) fn unsettle(&mut self, tick: u64) {
        self.since = tick;
        self.origin = self.slot;
    }

    /// The first tick in which it may merge: after the frame of the ramp, and those that were fed the same.
    fn settled_at(&self) -> u64 {
        self.since + 1 + u64::from(SETTLE_TICKS)
    }

    fn is_settling(&self, tick: u64) -> bool {
        tick < self.settled_at()
    }
}

#[derive(Clone, Copy, Debug)]
struct Group {
    /// Hash of key, gains and class, without settling.
    base: u64,
    /// A member.
    sample: u16,
    members: u32,
    slot: u16,
    /// The slot most of its members that had one listened to.
    former: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Vote {
    slot: u16,
    group: u16,
    count: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    stamp: u32,
    at: u16,
}

/// Working memory of grouping, allocated once.
#[derive(Debug)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    votes: Vec<Vote>,
    /// Group of each receiver.
    group_of: Box<[u16]>,
    group_table: Table,
    vote_table: Table,
    /// Whether a slot has found a group this time.
    taken: Box<[bool]>,
    /// Words of the active set that are not zero: keys are compared in these only.
    live_words: Vec<u16>,
    /// The tick in which the next receiver has settled.
    next_settled: u64,
}

/// What grouping works on.
pub(crate) struct Room<'a> {
    pub(crate) tick: u64,
    pub(crate) plan: &'a MixPlan,
    /// Active sources that the plan knows, as words.
    pub(crate) active: &'a [u64],
    pub(crate) listeners: &'a mut [Listener],
    pub(crate) mixes: &'a mut [Option<Box<MixSlot>>],
    /// Slots that nobody listens to.
    pub(crate) free: &'a mut Vec<u16>,
}

impl Groups {
    pub(crate) fn new(receivers: usize, sources: usize) -> Self {
        Self {
            groups: Vec::with_capacity(receivers),
            votes: Vec::with_capacity(receivers),
            group_of: vec![NONE; receivers].into(),
            group_table: Table::new(receivers),
            vote_table: Table::new(receivers),
            taken: vec![false; receivers].into(),
            live_words: Vec::with_capacity(bits::words_for(sources)),
            next_settled: u64::MAX,
        }
    }

    /// Whether a receiver has settled by `tick` and may merge.
    pub(crate) fn is_due(&self, tick: u64) -> bool {
        tick >= self.next_settled
    }

    /// Groups all receivers anew and gives every group a slot.
    pub(crate) fn regroup(&mut self, room: &mut Room<'_>) {
        self.form(room);
        self.vote(room);
        self.keep_slots(room);
        self.copy_slots(room);
        self.settle(room);
    }

    /// Puts every receiver in a group.
    fn form(&mut self, room: &Room<'_>) {
        self.live_words.clear();
        self.live_words.extend((0..).zip(room.active).filter(|(_, word)| **word != 0).map(|(at, _)| at));
        self.groups.clear();
        self.group_table.clear();
        self.next_settled = u64::MAX;
        for (index, listener) in room.listeners.iter().enumerate() {
            self.group_of[index] = NONE;
            if !listener.present {
                continue;
            }
            let base = base_hash(room, &self.live_words, index, listener.class);
            let settling = listener.is_settling(room.tick);
            let hash = if settling {
                self.next_settled = self.next_settled.min(listener.settled_at());
                mix_hash(mix_hash(base, listener.since), u64::from(listener.origin))
            } else {
                base
            };
            let same = |group: &Group| {
                let other = &room.listeners[usize::from(group.sample)];
                group.base == base
                    && other.class == listener.class
                    && other.is_settling(room.tick) == settling
                    && (!settling || (other.since, other.origin) == (listener.since, listener.origin))
                    && same_mix(room, &self.live_words, index, usize::from(group.sample))
            };
            let groups = &self.groups;
            let place = self.group_table.find(hash, |at| same(&groups[usize::from(at)]));
            let group = match place {
                Ok(group) => group,
                Err(place) => {
                    let group = self.groups.len() as u16;
                    self.group_table.put(place, group);
                    self.groups.push(Group { base, sample: index as u16, members: 0, slot: NONE, former: NONE });
                    group
                }
            };
            self.groups[usize::from(group)].members += 1;
            self.group_of[index] = group;
        }
    }

    /// Counts which slots the members of each group listen to.
    fn vote(&mut self, room: &Room<'_>) {
        self.votes.clear();
        self.vote_table.clear();
        for (listener, &group) in room.listeners.iter().zip(&*self.group_of) {
            if group == NONE || listener.slot == NONE {
                continue;
            }
            let hash = mix_hash(u64::from(listener.slot), u64::from(group));
            let votes = &self.votes;
            let same = |at: u16| {
                let vote = votes[usize::from(at)];
                vote.slot == listener.slot && vote.group == group
            };
            match self.vote_table.find(hash, same) {
                Ok(at) => self.votes[usize::from(at)].count += 1,
                Err(place) => {
                    self.vote_table.put(place, self.votes.len() as u16);
                    self.votes.push(Vote { slot: listener.slot, group, count: 1 });
                }
            }
        }
        // Biggest following first; the rest of the order only makes it the same every time.
        self.votes.sort_unstable_by_key(|vote| (std::cmp::Reverse(vote.count), vote.slot, vote.group));
    }

    /// Lets each slot go on with the biggest part of its listeners, and frees the slots that no
    /// group goes on with.
    fn keep_slots(&mut self, room: &mut Room<'_>) {
        self.taken.fill(false);
        for vote in &self.votes {
            let group = &mut self.groups[usize::from(vote.group)];
            if group.former == NONE {
                group.former = vote.slot;
            }
            if group.slot == NONE && !self.taken[usize::from(vote.slot)] {
                group.slot = vote.slot;
                self.taken[usize::from(vote.slot)] = true;
            }
        }
        for (index, mix) in room.mixes.iter_mut().enumerate() {
            let Some(mix) = mix else { continue };
            if mix.members > 0 && !self.taken[index] {
                mix.members = 0;
                mix.rtp_members = 0;
                room.free.push(index as u16);
            }
        }
    }

    /// Gives a slot to each group that has none: a copy of the stream its members heard, or for
    /// newcomers of the stream they will merge with, or a fresh one.
    fn copy_slots(&mut self, room: &mut Room<'_>) {
        for split in [true, false] {
            for at in 0..self.groups.len() {
                let group = self.groups[at];
                if group.slot != NONE || split != (group.former != NONE) {
                    continue;
                }
                let slot = room.free.pop().expect("invariant: every receiver brought a slot");
                let model = if split { group.former } else { self.same_mix_elsewhere(room, at) };
                let mut mix = room.mixes[usize::from(slot)].take().expect("invariant: free slots are filled");
                match room.mixes.get(usize::from(model)).and_then(Option::as_deref) {
                    Some(model) => {
                        mix.copy_from(model);
                        if !split {
                            mix.start_unpredicted();
                        }
                    }
                    None => mix.start_afresh(),
                }
                room.mixes[usize::from(slot)] = Some(mix);
                self.groups[at].slot = slot;
            }
        }
    }

    /// The slot of a group that hears the same as this one, settling aside; or [`NONE`].
    fn same_mix_elsewhere(&self, room: &Room<'_>, at: usize) -> u16 {
        let group = &self.groups[at];
        let class = room.listeners[usize::from(group.sample)].class;
        if class == PCM_CLASS {
            return NONE;
        }
        let same = |other: &&Group| {
            other.slot != NONE
                && other.base == group.base
                && room.listeners[usize::from(other.sample)].class == class
                && same_mix(room, &self.live_words, usize::from(other.sample), usize::from(group.sample))
        };
        let found = self.groups.iter().filter(same).max_by_key(|other| other.members);
        found.map_or(NONE, |other| other.slot)
    }

    /// Writes the groups into the slots and the receivers.
    fn settle(&mut self, room: &mut Room<'_>) {
        for group in &self.groups {
            let mix = room.mixes[usize::from(group.slot)].as_mut().expect("invariant: a group's slot is filled");
            let sample = usize::from(group.sample);
            for ((key, heard), active) in mix.key.iter_mut().zip(room.plan.heard_words(sample)).zip(room.active) {
                *key = heard & active;
            }
            mix.gains = gain_hash(room.plan, sample, &mix.key);
            mix.sample = group.sample;
            mix.members = group.members;
            let class = room.listeners[sample].class;
            mix.class = class;
            mix.changed = true;
            mix.rtp_members = if class == PCM_CLASS { 0 } else { group.members };
        }
        for (listener, &group) in room.listeners.iter_mut().zip(&*self.group_of) {
            listener.slot = if group == NONE { NONE } else { self.groups[usize::from(group)].slot };
        }
    }
}

/// Marks the receivers whose mix another plan changes, before the talk gates of this tick are
/// looked at.
pub(crate) fn unsettle_rerouted(room: &mut Room<'_>) {
    for (index, listener) in room.listeners.iter_mut().enumerate() {
        if !listener.present || listener.slot == NONE {
            continue;
        }
        let Some(mix) = room.mixes[usize::from(listener.slot)].as_deref() else { continue };
        // Only what goes on counts: what has just ended is silent in all mixes.
        let heard = room.plan.heard_words(index).iter().zip(room.active).map(|(heard, active)| heard & active);
        let was = mix.key.iter().zip(room.active).map(|(key, active)| key & active);
        if !heard.eq(was) || gain_hash(room.plan, index, &mix.key) != mix.gains {
            listener.unsettle(room.tick);
        }
    }
}

/// Marks the receivers that had any of these sources in their mix, when they drop out by something else than
/// their gates.
pub(crate) fn unsettle_listeners_of(
    sources: &[u64],
    tick: u64,
    listeners: &mut [Listener],
    mixes: &[Option<Box<MixSlot>>],
) {
    for listener in listeners {
        let mix = mixes.get(usize::from(listener.slot)).and_then(Option::as_deref);
        if mix.is_some_and(|mix| mix.key.iter().zip(sources).any(|(key, gone)| key & gone != 0)) {
            listener.unsettle(tick);
        }
    }
}

/// Hash of what the receiver at `index` hears, with gains and class.
fn base_hash(room: &Room<'_>, live_words: &[u16], index: usize, class: u8) -> u64 {
    let heard = room.plan.heard_words(index);
    let mut hash = u64::from(class) + 1;
    for &at in live_words {
        let at = usize::from(at);
        hash = mix_hash(hash, heard[at] & room.active[at]);
    }
    audible_gains(room, index)
        .fold(hash, |hash, (source, gain)| mix_hash(hash, u64::from(source) << 32 | u64::from(gain)))
}

/// Whether two receivers hear the same among the active sources, at the same gains.
fn same_mix(room: &Room<'_>, live_words: &[u16], a: usize, b: usize) -> bool {
    let (heard_a, heard_b) = (room.plan.heard_words(a), room.plan.heard_words(b));
    let same_sources = live_words.iter().all(|&at| {
        let at = usize::from(at);
        (heard_a[at] ^ heard_b[at]) & room.active[at] == 0
    });
    same_sources && audible_gains(room, a).eq(audible_gains(room, b))
}

/// The gains on active sources that the receiver at `index` hears.
fn audible_gains<'a>(room: &'a Room<'_>, index: usize) -> impl Iterator<Item = (u16, u32)> + 'a {
    let heard = room.plan.heard_words(index);
    let audible = move |source: usize| bits::has(heard, source) && bits::has(room.active, source);
    let row = room.plan.gain_row(index).iter();
    row.filter(move |entry| audible(usize::from(entry.1))).map(|entry| (entry.1, entry.2.to_bits()))
}

/// Hash of the gains on the sources of `key` for the receiver at `index`.
fn gain_hash(plan: &MixPlan, index: usize, key: &[u64]) -> u64 {
    plan.gain_row(index)
        .iter()
        .filter(|entry| bits::has(key, usize::from(entry.1)))
        .fold(0, |hash, entry| mix_hash(hash, u64::from(entry.1) << 32 | u64::from(entry.2.to_bits())))
}

/// One step of a multiplicative hash; collisions are resolved by comparing.
fn mix_hash(hash: u64, value: u64) -> u64 {
    let mixed = (hash.rotate_left(23) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ mixed >> 29
}

/// An open-addressing table from hash to index, emptied in O(1).
#[derive(Debug)]
struct Table {
    buckets: Box<[Bucket]>,
    stamp: u32,
}

impl Table {
    fn new(entries: usize) -> Self {
        Self { buckets: vec![Bucket::default(); (entries * 2).next_power_of_two()].into(), stamp: 0 }
    }

    fn clear(&mut self) {
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.buckets.fill(Bucket::default());
            self.stamp = 1;
        }
    }

    /// The index that is `same`, or the empty place to [`put`](Self::put) it in. At most half of
    /// the table is ever full, so an empty place exists.
    fn find(&self, hash: u64, same: impl Fn(u16) -> bool) -> Result<u16, usize> {
        let mask = self.buckets.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let bucket = &self.buckets[place];
            if bucket.stamp != self.stamp {
                return Err(place);
            }
            if same(bucket.at) {
                return Ok(bucket.at);
            }
            place = (place + 1) & mask;
        }
    }

    fn put(&mut self, place: usize, at: u16) {
        self.buckets[place] = Bucket { stamp: self.stamp, at };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bits::Bits;
    use crate::slots::Slot;
    use crate::{BusRate, ConversationConfig, Limits, Participant, PlanBuilder, ReceiverSlot, SourceSlot};

    const PEOPLE: usize = 9;

    fn config() -> ConversationConfig {
        let limits = Limits { sources: PEOPLE, receivers: PEOPLE, ..Limits::default() };
        ConversationConfig { rate: BusRate::Hz16000, limits, ..ConversationConfig::default() }
    }

    fn plan(groups: &[(u16, u16)], outside: u16) -> Box<MixPlan> {
        let mut builder = PlanBuilder::new(&config().limits);
        for n in 0..PEOPLE as u16 {
            builder.participant(Participant {
                source: Some(SourceSlot::from_parts(n, 0)),
                receiver: Some(ReceiverSlot::from_parts(n, 0)),
                in_default_group: outside >> n & 1 == 0,
                unmixed: false,
            });
        }
        for (source, receiver) in groups {
            builder.route(&[SourceSlot::from_parts(*source, 0)], &[ReceiverSlot::from_parts(*receiver, 0)]);
        }
        builder.build()
    }

    struct Bench {
        groups: Groups,
        listeners: Vec<Listener>,
        mixes: Vec<Option<Box<MixSlot>>>,
        free: Vec<u16>,
        plan: Box<MixPlan>,
        active: Bits,
        tick: u64,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                groups: Groups::new(PEOPLE, PEOPLE),
                listeners: vec![Listener::joining(0, 0, true); PEOPLE],
                mixes: (0..PEOPLE).map(|_| Some(MixSlot::new(&config(), 0).unwrap())).collect(),
                free: (0..PEOPLE as u16).collect(),
                plan: plan(&[], 0),
                active: Bits::new(PEOPLE),
                tick: 0,
            }
        }

        fn room(&mut self) -> (&mut Groups, Room<'_>) {
            let room = Room {
                tick: self.tick,
                plan: &self.plan,
                active: self.active.words(),
                listeners: &mut self.listeners,
                mixes: &mut self.mixes,
                free: &mut self.free,
            };
            (&mut self.groups, room)
        }

        fn regroup(&mut self) {
            let (groups, mut room) = self.room();
            groups.regroup(&mut room);
        }

        fn replan(&mut self, plan: Box<MixPlan>) {
            self.plan = plan;
            let (groups, mut room) = self.room();
            unsettle_rerouted(&mut room);
            groups.regroup(&mut room);
        }

        fn key(&self, receiver: usize) -> u64 {
            self.plan.heard_words(receiver)[0] & self.active.words()[0]
        }

        /// What must hold after every grouping.
        fn check(&self) -> Result<(), TestCaseError> {
            let mut members = [0_u32; PEOPLE];
            for (receiver, listener) in self.listeners.iter().enumerate() {
                let slot = usize::from(listener.slot);
                let mix = self.mixes[slot].as_ref().unwrap();
                prop_assert_eq!(mix.key[0], self.key(receiver), "receiver {} hears something else", receiver);
                members[slot] += 1;
            }
            for (slot, mix) in self.mixes.iter().enumerate() {
                let mix = mix.as_ref().unwrap();
                prop_assert_eq!(mix.members, members[slot]);
                prop_assert_eq!(self.free.contains(&(slot as u16)), members[slot] == 0);
            }
            prop_assert_eq!(self.free.len(), members.iter().filter(|count| **count == 0).count());
            Ok(())
        }
    }

    #[derive(Clone, Debug)]
    enum Op {
        Talk(usize, bool),
        Replan(Vec<(u16, u16)>, u16),
        Wait(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        let person = 0..PEOPLE as u16;
        prop_oneof![
            4 => (0..PEOPLE, any::<bool>()).prop_map(|(n, talks)| Op::Talk(n, talks)),
            1 => (prop::collection::vec((person.clone(), person), 0..4), 0_u16..512).prop_map(|(r, o)| Op::Replan(r, o)),
            2 => (1_u64..20).prop_map(Op::Wait),
        ]
    }

    proptest! {
        #[test]
        fn every_receiver_is_on_the_mix_it_hears_and_the_settled_ones_share(ops in prop::collection::vec(op(), 0..40)) {
            let mut bench = Bench::new();
            bench.regroup();
            for op in ops {
                match op {
                    Op::Talk(n, talks) => {
                        bench.active.assign(n, talks);
                        bench.regroup();
                    }
                    Op::Replan(routes, outside) => bench.replan(plan(&routes, outside)),
                    Op::Wait(ticks) => {
                        bench.tick += ticks;
                        if bench.groups.is_due(bench.tick) {
                            bench.regroup();
                        }
                    }
                }
                bench.check()?;
            }
            // Once everybody has settled there is one slot per distinct mix.
            bench.tick += u64::from(SETTLE_TICKS) + 1;
            bench.regroup();
            bench.check()?;
            let mut keys: Vec<u64> = (0..PEOPLE).map(|receiver| bench.key(receiver)).collect();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(PEOPLE - bench.free.len(), keys.len());
        }
    }

    #[test]
    fn the_bigger_part_keeps_the_slot_when_a_group_splits() {
        let mut bench = Bench::new();
        bench.tick = 100;
        bench.regroup();
        let shared = bench.listeners[0].slot;
        assert!(bench.listeners.iter().all(|listener| listener.slot == shared));
        bench.active.insert(3);
        bench.regroup();
        for (n, listener) in bench.listeners.iter().enumerate() {
            assert_eq!(listener.slot == shared, n != 3, "receiver {n}");
        }
        bench.active.remove(3);
        bench.regroup();
        assert_eq!(bench.listeners[3].slot, shared, "and takes the smaller one back");
    }
}
