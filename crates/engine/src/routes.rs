//! Who may hear whom, by name: default-group membership, routing groups, gains, mutes.
//!
//! Control side only. `RouteTable` keeps what was asked for; `compile` turns names into slots and lets the
//! pipeline's plan builder do the sets. Pure: no clock, no threads. A routing group survives the leave of a
//! member (the member drops out of the plan, not out of the group), as the Graph resource does.

use crate::{ParticipantId, error::RouteError};
use antiphon_pipeline::{Limits, MixPlan, Participant, PlanBuilder, ReceiverSlot, SourceSlot};
use std::collections::BTreeMap;

/// What the table knows of one participant.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) source: Option<SourceSlot>,
    pub(crate) receiver: Option<ReceiverSlot>,
    pub(crate) in_default_group: bool,
    pub(crate) muted: bool,
    /// Also gets every source it hears one by one.
    pub(crate) unmixed: bool,
}

#[derive(Debug, Clone)]
struct Group {
    sources: Vec<ParticipantId>,
    receivers: Vec<ParticipantId>,
}

/// The routing of one conversation by participant identity.
#[derive(Debug, Clone, Default)]
pub(crate) struct RouteTable {
    members: BTreeMap<ParticipantId, Member>,
    groups: BTreeMap<String, Group>,
    /// (source, receiver) → factor other than 1.
    gains: BTreeMap<(ParticipantId, ParticipantId), f32>,
    /// Sources without a participant (a bot leg's lanes), delivered apart to one receiver.
    lanes: Vec<(ParticipantId, SourceSlot)>,
}

impl RouteTable {
    pub(crate) fn insert(&mut self, id: ParticipantId, member: Member) {
        self.members.insert(id, member);
    }

    /// Forgets the participant and its gains; groups keep its name.
    pub(crate) fn remove(&mut self, id: &ParticipantId) -> Option<Member> {
        self.gains.retain(|(source, receiver), _| source != id && receiver != id);
        self.lanes.retain(|(receiver, _)| receiver != id);
        self.members.remove(id)
    }

    pub(crate) fn member(&self, id: &ParticipantId) -> Option<&Member> {
        self.members.get(id)
    }

    /// Changes one member in place; `false` when there is no such participant.
    pub(crate) fn update(&mut self, id: &ParticipantId, change: impl FnOnce(&mut Member)) -> bool {
        self.members.get_mut(id).map(change).is_some()
    }

    /// Creates or replaces a routing group: any sources × receivers.
    ///
    /// # Errors
    /// An identity that is not in the conversation; nothing is changed then.
    pub(crate) fn set_group(
        &mut self,
        group: &str,
        sources: &[ParticipantId],
        receivers: &[ParticipantId],
    ) -> Result<(), RouteError> {
        self.known(sources.iter().chain(receivers))?;
        self.groups.insert(group.to_owned(), Group { sources: sources.to_vec(), receivers: receivers.to_vec() });
        Ok(())
    }

    pub(crate) fn remove_group(&mut self, group: &str) -> bool {
        self.groups.remove(group).is_some()
    }

    /// Multiplies what `receiver` hears of `source`.
    ///
    /// # Errors
    /// An identity that is not in the conversation; nothing is changed then.
    pub(crate) fn set_gain(
        &mut self,
        source: &ParticipantId,
        receiver: &ParticipantId,
        gain: f32,
    ) -> Result<(), RouteError> {
        self.known([source, receiver])?;
        self.gains.insert((source.clone(), receiver.clone()), gain);
        Ok(())
    }

    /// Delivers `lane` apart to `receiver` from the next plan on.
    pub(crate) fn add_lane(&mut self, receiver: ParticipantId, lane: SourceSlot) {
        self.lanes.push((receiver, lane));
    }

    /// The plan for the media thread.
    pub(crate) fn compile(&self, limits: &Limits) -> Box<MixPlan> {
        let mut plan = PlanBuilder::new(limits);
        for member in self.members.values() {
            let Member { source, receiver, in_default_group, unmixed, muted: _ } = *member;
            plan.participant(Participant { source, receiver, in_default_group, unmixed });
        }
        for group in self.groups.values() {
            let sources: Vec<SourceSlot> = self.present(&group.sources).filter_map(|m| m.source).collect();
            let receivers: Vec<ReceiverSlot> = self.present(&group.receivers).filter_map(|m| m.receiver).collect();
            plan.route(&sources, &receivers);
        }
        for ((source, receiver), &gain) in &self.gains {
            if let (Some(source), Some(receiver)) = (self.members[source].source, self.members[receiver].receiver) {
                plan.gain(source, receiver, gain);
            }
        }
        for (id, lane) in &self.lanes {
            if let Some(receiver) = self.members.get(id).and_then(|m| m.receiver) {
                plan.unmixed(&[*lane], receiver);
            }
        }
        plan.build()
    }

    /// Every receiver with the sources it hears, by name and in order of identity; muted sources left out.
    pub(crate) fn matrix(&self, limits: &Limits) -> Vec<(ParticipantId, Vec<ParticipantId>)> {
        let plan = self.compile(limits);
        let speakers: BTreeMap<SourceSlot, &ParticipantId> =
            self.members.iter().filter(|(_, m)| !m.muted).filter_map(|(id, m)| Some((m.source?, id))).collect();
        self.members
            .iter()
            .filter_map(|(id, member)| {
                let mut heard: Vec<ParticipantId> =
                    plan.heard(member.receiver?).filter_map(|slot| speakers.get(&slot).copied().cloned()).collect();
                heard.sort();
                Some((id.clone(), heard))
            })
            .collect()
    }

    fn present<'a>(&'a self, ids: &'a [ParticipantId]) -> impl Iterator<Item = &'a Member> {
        ids.iter().filter_map(|id| self.members.get(id))
    }

    fn known<'a>(&self, ids: impl IntoIterator<Item = &'a ParticipantId>) -> Result<(), RouteError> {
        match ids.into_iter().find(|id| !self.members.contains_key(*id)) {
            Some(unknown) => Err(RouteError::UnknownParticipant(unknown.clone())),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_pipeline::Slot as _;
    use proptest::prelude::*;

    fn limits() -> Limits {
        Limits::for_participants(8)
    }

    fn table(n: u16) -> RouteTable {
        let mut table = RouteTable::default();
        for slot in 0..n {
            let (source, receiver) = (Some(SourceSlot::from_parts(slot, 0)), Some(ReceiverSlot::from_parts(slot, 0)));
            let member = Member { source, receiver, in_default_group: true, muted: false, unmixed: false };
            table.insert(id(slot), member);
        }
        table
    }

    fn id(slot: u16) -> ParticipantId {
        ParticipantId::new(format!("p{slot}"))
    }

    fn heard(table: &RouteTable, slot: u16) -> Vec<ParticipantId> {
        table.matrix(&limits()).into_iter().find(|(receiver, _)| *receiver == id(slot)).map(|(_, heard)| heard).unwrap()
    }

    #[test]
    fn everyone_in_the_default_group_hears_all_others() {
        assert_eq!(heard(&table(3), 0), [id(1), id(2)]);
        assert_eq!(heard(&table(3), 1), [id(0), id(2)]);
    }

    #[test]
    fn a_group_reaches_a_receiver_outside_the_default_group() {
        let mut t = table(3);
        t.update(&id(0), |m| m.in_default_group = false);
        assert!(heard(&t, 0).is_empty());
        t.set_group("g", &[id(2)], &[id(0)]).unwrap();
        assert_eq!(heard(&t, 0), [id(2)]);
        assert_eq!(heard(&t, 1), [id(2)], "others are untouched");
        assert!(t.remove_group("g"));
        assert!(heard(&t, 0).is_empty());
    }

    #[test]
    fn a_muted_source_is_heard_by_nobody() {
        let mut t = table(3);
        t.set_group("g", &[id(1)], &[id(2)]).unwrap();
        t.update(&id(1), |m| m.muted = true);
        assert_eq!(heard(&t, 2), [id(0)]);
    }

    #[test]
    fn an_unknown_member_changes_nothing() {
        let mut t = table(2);
        t.set_group("g", &[id(0)], &[id(1)]).unwrap();
        let before = t.compile(&limits());
        let error = t.set_group("g", &[id(0)], &[id(9)]).unwrap_err();
        assert_eq!(error, RouteError::UnknownParticipant(id(9)));
        assert!(t.set_gain(&id(9), &id(0), 0.5).is_err());
        assert_eq!(t.compile(&limits()), before);
    }

    #[test]
    fn a_group_survives_the_leave_and_return_of_its_source() {
        let mut t = table(3);
        t.update(&id(1), |m| m.in_default_group = false);
        t.set_group("g", &[id(0)], &[id(1)]).unwrap();
        let member = t.remove(&id(0)).unwrap();
        assert!(heard(&t, 1).is_empty());
        t.insert(id(0), member);
        assert_eq!(heard(&t, 1), [id(0)]);
    }

    #[test]
    fn a_gain_reaches_the_plan_and_leaves_with_its_participant() {
        let mut t = table(2);
        t.set_gain(&id(0), &id(1), 0.25).unwrap();
        let (source, receiver) =
            (t.member(&id(0)).unwrap().source.unwrap(), t.member(&id(1)).unwrap().receiver.unwrap());
        assert_eq!(t.compile(&limits()).gain_of(source, receiver), 0.25);
        let member = t.remove(&id(0)).unwrap();
        t.insert(id(0), member);
        assert_eq!(t.compile(&limits()).gain_of(source, receiver), 1.0);
    }

    proptest! {
        /// A source is heard exactly when the default group or some group leads to the receiver.
        #[test]
        fn heard_sets_are_exact(
            defaults in prop::collection::vec(any::<bool>(), 1..8),
            mutes in prop::collection::vec(any::<bool>(), 8),
            groups in prop::collection::vec(
                (prop::collection::vec(0u16..8, 0..4), prop::collection::vec(0u16..8, 0..4)), 0..4),
        ) {
            let n = defaults.len() as u16;
            let mut t = table(n);
            for slot in 0..n {
                t.update(&id(slot), |m| {
                    m.in_default_group = defaults[usize::from(slot)];
                    m.muted = mutes[usize::from(slot)];
                });
            }
            let mut known = Vec::new();
            for (i, (sources, receivers)) in groups.iter().enumerate() {
                let present = |all: &[u16]| all.iter().filter(|&&x| x < n).map(|&x| id(x)).collect::<Vec<_>>();
                let (s, r) = (present(sources), present(receivers));
                t.set_group(&i.to_string(), &s, &r).unwrap();
                known.push((s, r));
            }
            for receiver in 0..n {
                let heard = heard(&t, receiver);
                for source in 0..n {
                    let by_default = defaults[usize::from(source)] && defaults[usize::from(receiver)];
                    let by_group = known.iter().any(|(s, r)| s.contains(&id(source)) && r.contains(&id(receiver)));
                    let expected = source != receiver && !mutes[usize::from(source)] && (by_default || by_group);
                    prop_assert_eq!(heard.iter().filter(|&s| *s == id(source)).count(), usize::from(expected));
                }
            }
        }
    }
}
