//! `POST /communications/calls/{id}/participants/muteAll` (beta): several at once.
//!
//! The page calls what comes back a `commsOperation`, the metadata a `muteParticipantsOperation`; the latter is an instance
//! of the former. Spec: "participant: muteAll".

use antiphon_graph::ParticipantId;
use antiphon_graph::action::MuteAll;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/muteAll", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: MuteAll = request.parameters("muteAll")?;
    let client_context = check::client_context(body.client_context)?;
    if body.participants.is_empty() {
        return Err(ApiError::invalid("participants must name at least one participant.").about("participants"));
    }
    let mut world = service.world();
    let call = request.own_group_call(&world)?;
    let mut who: Vec<ParticipantId> = Vec::with_capacity(body.participants.len());
    for (index, id) in body.participants.iter().enumerate() {
        let member = check::participant(&world, call, &format!("participants[{index}]"), id)?;
        if !who.contains(&member.id) {
            who.push(member.id.clone());
        }
    }
    let call = call.id.clone();
    let operation = world.mute_all(&call, &who, client_context).ok_or_else(ApiError::call_not_found)?;
    Ok(request.operation_reply(StatusCode::OK, &call, &operation))
}
