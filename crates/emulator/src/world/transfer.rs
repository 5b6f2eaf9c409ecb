//! Handing the other end of a call over to somebody else.
//!
//! Part of [`World`]. Blind: the target rings, and takes the bot's place when answering. Consultative: the bot already
//! talks to the target in another call, and both calls become one. A participant of a group call can be handed over too.

use antiphon_graph::{CallId, CallState, InvitationParticipantInfo, ParticipantId};

use super::{NewRing, Purpose, World};
use crate::call::{CallInput, reason};
use crate::clock::ServiceTime;
use crate::entra::Callee;
use crate::meeting::{MeetingId, Member};

impl World {
    /// Starts a transfer to somebody who rings first.
    pub(crate) fn transfer_blind(
        &mut self,
        id: &CallId,
        target: InvitationParticipantInfo,
        callee: Callee,
        now: ServiceTime,
    ) {
        let Some(meeting) = self.calls.get(id).map(|call| call.meeting.clone()) else {
            return;
        };
        self.feed(id, CallInput::Transfer, now);
        let purpose = Purpose::Transfer { call: id.clone() };
        self.ring(NewRing { meeting, target, callee, purpose, timeout: None }, now);
    }

    /// Hands one participant of a group call over: the target rings, and when it answers both talk in the conversation
    /// `place`. The bot stays in the group.
    pub(crate) fn transfer_participant(
        &mut self,
        id: &CallId,
        who: &ParticipantId,
        target: InvitationParticipantInfo,
        callee: Callee,
        place: MeetingId,
        now: ServiceTime,
    ) {
        self.feed(id, CallInput::Transfer, now);
        let purpose = Purpose::HandOver { call: id.clone(), participant: who.clone() };
        self.ring(NewRing { meeting: place, target, callee, purpose, timeout: None }, now);
    }

    /// The target of such a transfer has answered.
    pub(super) fn hand_over(&mut self, id: &CallId, who: &ParticipantId, place: &MeetingId, now: ServiceTime) {
        let group = self.calls.get(id).map(|call| call.meeting.clone());
        if self.move_person(id, who, place, now) {
            self.feed(id, CallInput::HandedOver, now);
            if let Some(group) = group {
                self.settle(&group, now);
            }
        } else {
            self.feed(id, CallInput::TransferFailed(reason::blind_transfer_failed()), now);
        }
        self.settle(place, now);
    }

    /// Joins the other ends of two calls of the bot and ends both for it. Fails, with the call going on, if the other
    /// call is not an established peer-to-peer call.
    pub(crate) fn transfer_consultative(&mut self, id: &CallId, other: &CallId, now: ServiceTime) {
        let Some(meeting) = self.calls.get(id).map(|call| call.meeting.clone()) else {
            return;
        };
        self.feed(id, CallInput::Transfer, now);
        let Some(target) = self.other_end(other) else {
            self.feed(id, CallInput::TransferFailed(reason::consultative_transfer_failed()), now);
            return;
        };
        if self.move_person(other, &target, &meeting, now) {
            self.transfer_done(id, now);
            self.feed(other, CallInput::End(reason::transferred()), now);
        } else {
            self.feed(id, CallInput::TransferFailed(reason::consultative_transfer_failed()), now);
        }
    }

    pub(super) fn transfer_done(&mut self, id: &CallId, now: ServiceTime) {
        self.feed(id, CallInput::TransferDone, now);
    }

    /// The person at the other end of an established peer-to-peer call.
    pub(crate) fn other_end(&self, id: &CallId) -> Option<ParticipantId> {
        let call = self.calls.get(id).filter(|call| call.machine.state() == CallState::Established)?;
        let meeting = self.meetings.get(&call.meeting).filter(|meeting| meeting.is_peer_to_peer())?;
        let person = meeting.members.iter().find(|member| member.is_person())?;
        Some(person.id.clone())
    }

    /// Moves a person from a call's conversation into another. Media does not move with it: the person goes on without,
    /// until it connects anew. The call stays for its bot to be ended by whoever asked.
    pub(super) fn move_person(&mut self, from: &CallId, who: &ParticipantId, to: &MeetingId, now: ServiceTime) -> bool {
        self.move_person_as(from, who, to, now, |_| {})
    }

    /// As [`World::move_person`], changing what the person is on the way.
    pub(super) fn move_person_as(
        &mut self,
        from: &CallId,
        who: &ParticipantId,
        to: &MeetingId,
        now: ServiceTime,
        change: impl FnOnce(&mut Member),
    ) -> bool {
        let Some(old) = self.calls.get(from).map(|call| call.meeting.clone()) else {
            return false;
        };
        if !self.meetings.contains_key(to) {
            return false;
        }
        let Some(mut person) = self.take_out(&old, who, now) else {
            return false;
        };
        person.source_id = None;
        person.connected = false;
        person.on_hold = false;
        person.shares_screen = false;
        change(&mut person);
        person.in_roster = !person.hidden;
        let id = person.id.clone();
        if let Some(meeting) = self.meetings.get_mut(to) {
            Self::add_member(meeting, person);
        }
        self.publish_change(to, &id, None);
        true
    }
}
