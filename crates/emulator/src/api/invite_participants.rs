//! `POST /communications/calls/{id}/participants/invite`: people, telephones or applications are called into the
//! conversation.
//!
//! With `replacesCallId` only the first one is processed, as documented: the person at the other end of that call.
//! Spec: "participant: invite".

use antiphon_graph::action::InviteParticipants;
use antiphon_graph::{CallId, IdentitySet, InvitationParticipantInfo};
use http::{Method, StatusCode};
use serde_json::Value;

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::call::Call;
use crate::entra::Callee;
use crate::service::Service;
use crate::world::{Invitee, World};

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/invite", handler };

/// Most who can be invited at once.
const MAX_PARTICIPANTS: usize = 5;

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let InviteParticipants { mut participants, client_context, .. } = request.parameters("invite")?;
    let client_context = check::client_context(client_context)?;
    let count = participants.len();
    if !(1..=MAX_PARTICIPANTS).contains(&count) {
        let message = format!("participants must name 1 to {MAX_PARTICIPANTS}; {count} were given.");
        return Err(ApiError::invalid(message).about("participants"));
    }
    if participants[0].replaces_call_id.is_some() {
        participants.truncate(1);
    }
    for (index, participant) in participants.iter().enumerate() {
        check_participant(&participants[..index], participant)?;
    }
    let mut invitees: Vec<Invitee> = {
        let directory = service.directory();
        let resolve = |target: InvitationParticipantInfo| {
            let callee = target.identity.as_ref().map_or(Callee::Nobody, |identity| directory.callee(identity));
            Invitee { target, callee }
        };
        participants.into_iter().map(resolve).collect()
    };
    let (call, mut operation) = service.change(|world, now| {
        let call = request.own_group_call(world)?;
        let id = call.id.clone();
        check_call(world, call, &invitees)?;
        for invitee in &mut invitees {
            check::bar_telephone(call, &invitee.target, &mut invitee.callee);
        }
        let operation = match invitees[0].target.replaces_call_id.clone() {
            Some(replaced) => {
                let target = invitees.remove(0).target;
                let replaced = replaced_call(world, request, &replaced, target.identity.as_ref())?;
                world.invite_out_of(&replaced, &id, target, client_context, now)
            }
            None => world.invite(&id, invitees, client_context, now),
        };
        Ok::<_, ApiError>((id, operation.ok_or_else(ApiError::too_many_operations)?))
    })?;
    operation.extra.insert("resultInfo".to_owned(), Value::Null);
    Ok(request.operation_reply(StatusCode::OK, &call, &operation))
}

fn check_participant(
    before: &[InvitationParticipantInfo],
    participant: &InvitationParticipantInfo,
) -> Result<(), ApiError> {
    let member = format!("participants[{}]", before.len());
    check::target(&member, participant)?;
    if participant.replaces_call_id.is_some() && !before.is_empty() {
        let message = format!("{member}.replacesCallId: only the first participant can be taken over from a call.");
        return Err(ApiError::invalid(message).about(format!("{member}.replacesCallId")));
    }
    let Some(id) = &participant.participant_id else { return Ok(()) };
    let path = format!("{member}.participantId");
    if id.as_str().is_empty() {
        return Err(ApiError::invalid(format!("{path} must not be empty.")).about(path));
    }
    if before.iter().any(|other| other.participant_id.as_ref() == Some(id)) {
        return Err(ApiError::invalid(format!("{path} is given twice.")).about(path));
    }
    Ok(())
}

/// What depends on the conversation: a chat to invite several, and ids that nobody has.
fn check_call(world: &World, call: &Call, invitees: &[Invitee]) -> Result<(), ApiError> {
    let chat = call.resource.chat_info.as_ref().and_then(|chat| chat.thread_id.as_deref());
    if invitees.len() > 1 && chat.is_none_or(str::is_empty) {
        let message = "participants: inviting several needs a call with chatInfo.threadId; this call has none.";
        return Err(ApiError::invalid(message).about("participants"));
    }
    for (index, invitee) in invitees.iter().enumerate() {
        if invitee.target.participant_id.as_ref().is_some_and(|id| world.is_taken(&call.meeting, id)) {
            let path = format!("participants[{index}].participantId");
            return Err(ApiError::invalid(format!("{path} is another participant's.")).about(path));
        }
    }
    Ok(())
}

/// The peer-to-peer call the invited person leaves.
fn replaced_call(
    world: &World,
    request: &ApiRequest,
    id: &CallId,
    invited: Option<&IdentitySet>,
) -> Result<CallId, ApiError> {
    const MEMBER: &str = "participants[0].replacesCallId";
    // Another application's call does not exist, here as everywhere.
    let unknown = || ApiError::not_found(format!("{MEMBER}: Call not found.")).about(MEMBER);
    let call = world.own_call(id, &request.caller).ok_or_else(unknown)?;
    let meeting = world.meeting_of(call).ok_or_else(unknown)?;
    if !meeting.is_peer_to_peer() {
        return Err(ApiError::invalid(format!("{MEMBER} is not a peer-to-peer call.")).about(MEMBER));
    }
    let Some(other) = world.other_end(id).and_then(|other| meeting.member(&other)) else {
        let message = format!("{MEMBER}: there is nobody at the other end of that call who could come.");
        return Err(ApiError::wrong_state(message).about(MEMBER));
    };
    let name = |identity: &IdentitySet| identity.first().and_then(|identity| identity.id.clone());
    let same = invited.and_then(name).zip(name(&other.identity)).is_some_and(|(a, b)| check::same_guid(&a, &b));
    if same {
        Ok(call.id.clone())
    } else {
        let message = "participants[0].identity is not who is at the other end of replacesCallId.";
        Err(ApiError::invalid(message).about("participants[0].identity"))
    }
}
