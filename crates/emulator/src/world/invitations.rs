//! Inviting people and applications into a conversation that is already there.
//!
//! Part of [`World`]. An invite operation runs while phones ring; it completes with the first who comes and fails, with the
//! last reason, when nobody does. Whoever is invited out of a peer-to-peer call of the same application moves over, and
//! that call ends. Spec: "participant: invite".

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{CallId, CommsOperation, InvitationParticipantInfo, OperationStatus, ParticipantId};
use serde_json::Value;
use uuid::Uuid;

use super::{NewRing, Purpose, World};
use crate::call::{CallInput, Outcome, Pace, reason};
use crate::clock::ServiceTime;
use crate::entra::Callee;

/// Somebody to invite.
#[derive(Debug)]
pub(crate) struct Invitee {
    /// As the request names them.
    pub(crate) target: InvitationParticipantInfo,
    /// Who that is.
    pub(crate) callee: Callee,
}

impl World {
    /// Lets those invited ring. Gives the operation, or `None` when too many run.
    pub(crate) fn invite(
        &mut self,
        id: &CallId,
        mut invitees: Vec<Invitee>,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        for invitee in &mut invitees {
            settle_id(&mut invitee.target);
        }
        let operation =
            self.begin_invitation(id, invitees.iter().map(|invitee| &invitee.target), client_context, now)?;
        let meeting = self.calls.get(id)?.meeting.clone();
        for Invitee { target, callee } in invitees {
            let purpose = Purpose::Invitation { call: id.clone(), operation: operation.id.clone().unwrap_or_default() };
            self.ring(NewRing { meeting: meeting.clone(), target, callee, purpose, timeout: None }, now);
        }
        Some(operation)
    }

    /// Brings the other end of a peer-to-peer call over, and ends that call. Gives the operation, or `None` when too many
    /// run.
    pub(crate) fn invite_out_of(
        &mut self,
        replaced: &CallId,
        id: &CallId,
        mut target: InvitationParticipantInfo,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        settle_id(&mut target);
        let operation = self.begin_invitation(id, std::iter::once(&target), client_context, now)?;
        let name = operation.id.clone().unwrap_or_default();
        let meeting = self.calls.get(id)?.meeting.clone();
        let room = self.meetings.get(&meeting).is_some_and(|meeting| meeting.members.len() < self.participants_limit);
        let Some(who) = self.other_end(replaced).filter(|_| room) else {
            self.end_operation(id, &name, OperationStatus::Failed, Some(reason::precondition_failed()), now);
            return Some(operation);
        };
        self.end_operation(id, &name, OperationStatus::Completed, None, now);
        let moved = self.move_person_as(replaced, &who, &meeting, now, |person| {
            if let Some(id) = target.participant_id {
                person.id = id;
            }
            person.hidden = target.hidden == Some(true);
            person.in_default_group = target.remove_from_default_audio_routing_group != Some(true);
        });
        debug_assert!(moved, "somebody was just found at the other end");
        self.feed(replaced, CallInput::End(reason::peer_hung_up()), now);
        Some(operation)
    }

    fn begin_invitation<'a>(
        &mut self,
        id: &CallId,
        targets: impl Iterator<Item = &'a InvitationParticipantInfo>,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        let participants: Vec<Value> = targets.map(echo).collect();
        let members = Extra::from_iter([("participants".to_owned(), participants.into())]);
        let how = (Pace::External, Outcome::default());
        self.begin_operation(id, &OperationKind::InviteParticipants, client_context, members, how, now)
    }
}

/// Makes sure that whoever is invited has a participant id: it is how an invitation is taken back.
fn settle_id(target: &mut InvitationParticipantInfo) {
    target.participant_id.get_or_insert_with(|| ParticipantId::from(Uuid::new_v4()));
}

/// Somebody invited as the operation shows them: what the request left out as null, as published examples have it.
fn echo(target: &InvitationParticipantInfo) -> Value {
    const OF_TARGET: [&str; 4] = ["endpointType", "hidden", "removeFromDefaultAudioRoutingGroup", "replacesCallId"];
    const OF_IDENTITY: [&str; 4] = ["user", "application", "device", "phone"];
    let mut target = serde_json::to_value(target).expect("invariant: Graph resources are plain JSON");
    let fill = |object: Option<&mut Value>, names: &[&str]| {
        if let Some(Value::Object(object)) = object {
            for name in names {
                object.entry(*name).or_insert(Value::Null);
            }
        }
    };
    fill(target.get_mut("identity"), &OF_IDENTITY);
    fill(Some(&mut target), &OF_TARGET);
    target
}
