//! The roster of a call: who takes part, kept right whatever the order.
//!
//! Full mode: each update is the whole roster, without order, so once a burst
//! is over one GET participants tells what is; a lost update with none around
//! it shows at the next. Delta mode: each holds what changed; every entry has
//! the number of its last change, and per participant the highest one wins.
//! A bounded memory keeps those of the removed. A hole asks for a repair (GET).
//! Spec: <https://learn.microsoft.com/graph/api/resources/deltaparticipants>.

use std::collections::{BTreeMap, BTreeSet};

use antiphon_graph::wire::{Object, type_name};
use antiphon_graph::{DeltaParticipants, Participant, ParticipantId};
use serde_json::Value;

/// Removed participants remembered at most.
const MAX_REMOVED: usize = 4096;

/// Numbers ahead of a hole remembered at most.
const MAX_AHEAD: usize = 256;

/// How a plain list of participants is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RosterMode {
    /// It is the whole roster: whoever is missing has left.
    #[default]
    Snapshot,
    /// It is what changed: nobody leaves by not being in it.
    MergeOnly,
}

/// What an update changed.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct RosterChange {
    /// New participants.
    pub joined: Vec<Participant>,
    /// Participants that changed.
    pub updated: Vec<Participant>,
    /// Participants that left, as last known.
    pub left: Vec<Participant>,
}

impl RosterChange {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.joined.is_empty() && self.updated.is_empty() && self.left.is_empty()
    }
}

/// What is to be done after an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// Nothing is known to be missing.
    Yes,
    /// An update is missing.
    No,
}

/// Who takes part in the conversation, as far as the app was told.
#[derive(Debug, Default)]
pub struct Roster {
    mode: RosterMode,
    present: BTreeMap<ParticipantId, Entry>,
    removed: BTreeMap<ParticipantId, i64>,
    /// Highest number up to which no update is missing.
    contiguous: Option<i64>,
    ahead: BTreeSet<i64>,
    /// Number up to which everything is in a list the service gave on request:
    /// what comes late from before it changes nothing.
    listed: Option<i64>,
    /// Updates applied so far, of any kind.
    updates: u64,
}

#[derive(Debug)]
struct Entry {
    participant: Participant,
    /// Sequence number of its last change; none in full mode.
    sequence: Option<i64>,
}

impl Roster {
    pub(super) fn new(mode: RosterMode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// The participants, by id.
    pub fn participants(&self) -> impl ExactSizeIterator<Item = &Participant> {
        self.present.values().map(|entry| &entry.participant)
    }

    /// One participant.
    pub fn participant(&self, id: &ParticipantId) -> Option<&Participant> {
        self.present.get(id).map(|entry| &entry.participant)
    }

    /// The participant whose media carries this source id.
    pub fn by_source_id(&self, source_id: u32) -> Option<&Participant> {
        self.participants()
            .find(|participant| participant.media_streams.iter().any(|stream| stream.source_id() == Some(source_id)))
    }

    pub(super) fn updates(&self) -> u64 {
        self.updates
    }

    /// Whether each update is the whole roster.
    pub(super) fn is_snapshot(&self) -> bool {
        self.mode == RosterMode::Snapshot && !self.is_delta()
    }

    pub(super) fn is_delta(&self) -> bool {
        self.contiguous.is_some()
    }

    /// Applies the data of a roster notification. Entities that are no
    /// participants are counted, the others applied all the same; but a list
    /// with something unreadable in it is no proof that anybody left.
    pub(super) fn apply(&mut self, entities: &[Object]) -> (RosterChange, Whole, u64) {
        self.updates += 1;
        let mut change = RosterChange::default();
        let mut malformed = 0;
        let (mut deltas, mut plain) = (Vec::new(), Vec::new());
        for entity in entities {
            if is_delta(entity) {
                match read::<DeltaParticipants>(entity) {
                    Some(delta) => deltas.push(delta),
                    None => malformed += 1,
                }
            } else {
                match read::<Participant>(entity) {
                    Some(participant) => plain.push(participant),
                    None => malformed += 1,
                }
            }
        }
        let only_deltas = !deltas.is_empty() && plain.is_empty();
        let whole_list = malformed == 0 && self.mode == RosterMode::Snapshot;
        for delta in deltas {
            self.apply_delta(delta, &mut change);
        }
        let numbered = plain.iter().any(|participant| participant.roster_sequence_number.is_some());
        if numbered || self.is_delta() || !whole_list {
            for participant in plain {
                let sequence = participant.roster_sequence_number;
                self.apply_entry(participant, sequence, &mut change);
            }
        } else if !only_deltas {
            self.apply_snapshot(plain, &mut change);
        }
        (change, if self.ahead.is_empty() { Whole::Yes } else { Whole::No }, malformed)
    }

    /// One participant changed.
    pub(super) fn apply_one(&mut self, participant: Participant) -> RosterChange {
        self.updates += 1;
        let mut change = RosterChange::default();
        let sequence = participant.roster_sequence_number;
        self.apply_entry(participant, sequence, &mut change);
        change
    }

    /// One participant left.
    pub(super) fn remove_one(&mut self, id: &ParticipantId) -> RosterChange {
        self.updates += 1;
        let mut change = RosterChange::default();
        let sequence = self.present.get(id).and_then(|entry| entry.sequence);
        self.remove(id.clone(), sequence, &mut change);
        change
    }

    /// Applies the whole roster as the service listed it on request. What is
    /// missing from earlier updates is in it, so the hole is closed.
    pub(super) fn reconcile(&mut self, listed: Vec<Participant>) -> RosterChange {
        let mut change = RosterChange::default();
        if let Some(highest) = self.ahead.pop_last() {
            self.contiguous = Some(highest);
            self.ahead.clear();
        }
        self.listed = self.contiguous;
        self.apply_snapshot(listed, &mut change);
        change
    }

    fn apply_delta(&mut self, delta: DeltaParticipants, change: &mut RosterChange) {
        if let Some(sequence) = delta.sequence_number {
            self.note_sequence(sequence);
        }
        for participant in delta.participants {
            let sequence = participant.roster_sequence_number.or(delta.sequence_number);
            self.apply_entry(participant, sequence, change);
        }
    }

    /// Keeps the numbers without a hole from the first one seen on.
    fn note_sequence(&mut self, sequence: i64) {
        let Some(contiguous) = &mut self.contiguous else {
            // The first update is the baseline. Numbering starts at 1: a later
            // start means that earlier updates are missing or on their way.
            self.contiguous = Some(sequence.min(1).saturating_sub(1));
            self.ahead.insert(sequence);
            self.close_holes();
            return;
        };
        if sequence > *contiguous {
            self.ahead.insert(sequence);
            if self.ahead.len() > MAX_AHEAD {
                self.ahead.pop_last();
            }
            self.close_holes();
        }
    }

    fn close_holes(&mut self) {
        let Some(contiguous) = &mut self.contiguous else { return };
        while let Some(first) = self.ahead.first().copied().filter(|first| *first <= contiguous.saturating_add(1)) {
            self.ahead.remove(&first);
            *contiguous = first.max(*contiguous);
        }
    }

    fn apply_entry(&mut self, participant: Participant, sequence: Option<i64>, change: &mut RosterChange) {
        let known = self
            .present
            .get(&participant.id)
            .map_or_else(|| self.removed.get(&participant.id).copied(), |entry| entry.sequence);
        if let (Some(known), Some(sequence)) = (known, sequence)
            && sequence <= known
        {
            return; // late or repeated
        }
        if self.listed.zip(sequence).is_some_and(|(listed, sequence)| sequence <= listed) {
            return; // what it changed is in the list, or was undone before it
        }
        let sequence = sequence.or(known);
        if participant.removed_state.is_some() {
            self.remove(participant.id, sequence, change);
        } else {
            self.upsert(participant, sequence, change);
        }
    }

    fn apply_snapshot(&mut self, listed: Vec<Participant>, change: &mut RosterChange) {
        let ids: BTreeSet<_> = listed.iter().map(|participant| participant.id.clone()).collect();
        let gone: Vec<_> = self.present.keys().filter(|id| !ids.contains(*id)).cloned().collect();
        for id in gone {
            let sequence = self.present.get(&id).and_then(|entry| entry.sequence);
            self.remove(id, sequence, change);
        }
        for participant in listed {
            if participant.removed_state.is_some() {
                self.remove(participant.id, participant.roster_sequence_number, change);
                continue;
            }
            let known = self.present.get(&participant.id).and_then(|entry| entry.sequence);
            let sequence = participant.roster_sequence_number.max(known);
            self.upsert(participant, sequence, change);
        }
    }

    fn upsert(&mut self, participant: Participant, sequence: Option<i64>, change: &mut RosterChange) {
        self.removed.remove(&participant.id);
        let id = participant.id.clone();
        match self.present.insert(id, Entry { participant: participant.clone(), sequence }) {
            None => change.joined.push(participant),
            Some(old) if old.participant != participant => change.updated.push(participant),
            Some(_) => {}
        }
    }

    fn remove(&mut self, id: ParticipantId, sequence: Option<i64>, change: &mut RosterChange) {
        if let Some(entry) = self.present.remove(&id) {
            change.left.push(entry.participant);
        }
        if let Some(sequence) = sequence {
            self.removed.insert(id, sequence);
            if self.removed.len() > MAX_REMOVED
                && let Some(oldest) =
                    self.removed.iter().min_by_key(|(_, sequence)| **sequence).map(|(id, _)| id.clone())
            {
                self.removed.remove(&oldest);
            }
        }
    }
}

fn is_delta(entity: &Object) -> bool {
    let named = entity.get("@odata.type").and_then(Value::as_str).map(type_name);
    match named {
        Some(name) => name.eq_ignore_ascii_case("deltaParticipants"),
        None => entity.contains_key("participants") || entity.contains_key("sequenceNumber"),
    }
}

fn read<T: serde::de::DeserializeOwned>(entity: &Object) -> Option<T> {
    serde_json::from_value(Value::Object(entity.clone())).ok()
}
