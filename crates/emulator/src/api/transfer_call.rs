//! `POST /communications/calls/{id}/transfer`: a bot hands the other end over to somebody else.
//! Spec: <https://learn.microsoft.com/graph/api/call-transfer>.

use antiphon_graph::action::Transfer;
use antiphon_graph::{IdentitySet, ParticipantId, ParticipantInfo};
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::call::Call;
use crate::meeting::MeetingKind;
use crate::service::Service;
use crate::world::World;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/transfer", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let transfer: Transfer = request.json()?;
    let target = transfer.transfer_target.ok_or_else(|| ApiError::invalid("transferTarget is required."))?;
    let mut callee = service.directory().callee(check::target("transferTarget", &target)?);
    // Where a participant of a group call goes on talking; opened before anything changes.
    let place = match &transfer.transferee {
        Some(_) => Some(service.open_media()?),
        None => None,
    };
    service.change(|world, now| {
        let call = request.own_established_call(world)?;
        let (id, tenant_id) = (call.id.clone(), call.tenant_id.clone());
        let transferee = transferee(world, call, transfer.transferee.as_ref())?;
        check::bar_telephone(call, &target, &mut callee);
        match (target.replaces_call_id.clone(), transferee) {
            (Some(other), None) => {
                // Another application's call does not exist, here as everywhere.
                if world.own_call(&other, &request.caller).is_none() {
                    return Err(ApiError::not_found("transferTarget.replacesCallId: Call not found."));
                }
                world.transfer_consultative(&id, &other, now);
            }
            (Some(_), Some(_)) => {
                return Err(ApiError::invalid("transferTarget.replacesCallId is for peer-to-peer calls only."));
            }
            (None, None) => world.transfer_blind(&id, target, callee, now),
            (None, Some(who)) => {
                if let Some((place, media)) = place {
                    world.open_meeting(place.clone(), MeetingKind::PeerToPeer, tenant_id, None, media);
                    world.transfer_participant(&id, &who, target, callee, place, now);
                }
            }
        }
        Ok(())
    })?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// Who is handed over: nobody named in a peer-to-peer call, one participant of a group call.
fn transferee(world: &World, call: &Call, named: Option<&ParticipantInfo>) -> Result<Option<ParticipantId>, ApiError> {
    let meeting = world.meeting_of(call).ok_or_else(ApiError::call_not_found)?;
    match named {
        None if meeting.is_peer_to_peer() => Ok(None),
        None => Err(ApiError::invalid("transferee is required in a group call.")),
        Some(_) if meeting.is_peer_to_peer() => Err(ApiError::invalid("transferee is for group calls only.")),
        Some(info) => {
            let fits = |id: &ParticipantId, identity: &IdentitySet| {
                let wanted =
                    info.identity.as_ref().and_then(IdentitySet::first).and_then(|identity| identity.id.as_deref());
                let has = identity.first().and_then(|identity| identity.id.as_deref());
                info.participant_id.as_ref() == Some(id)
                    || wanted.zip(has).is_some_and(|(wanted, has)| check::same_guid(wanted, has))
            };
            let found = meeting.roster().find(|member| member.is_person() && fits(&member.id, &member.identity));
            let found = found.ok_or_else(|| ApiError::not_found("transferee: Participant not found"))?;
            Ok(Some(found.id.clone()))
        }
    }
}
