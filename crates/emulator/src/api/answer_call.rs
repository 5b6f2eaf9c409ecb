//! `POST /communications/calls/{id}/answer`: a bot takes an incoming call.
//! Spec: <https://learn.microsoft.com/graph/api/call-answer>.

use antiphon_graph::MediaConfig;
use antiphon_graph::action::Answer;
use antiphon_graph::permission::{access_media_missing, required};
use http::{Method, StatusCode};

use super::create_call::refused;
use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::meeting::Meeting;
use crate::service::Service;
use crate::world::AnswerTerms;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/answer", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let answer: Answer = request.json()?;
    let address = check::address(service, answer.callback_uri.as_deref(), request.scenario_id.as_deref())?;
    check::media_config(answer.media_config.as_ref())?;
    let accepted = answer.accepted_modalities.as_deref();
    let accepted = accepted.ok_or_else(|| ApiError::invalid("acceptedModalities is required."))?;
    // A recorder may accept none: it is there without media.
    if !accepted.is_empty() {
        check::modalities("acceptedModalities", Some(accepted))?;
    }
    if answer.participant_capacity.is_some_and(|capacity| capacity < 1) {
        return Err(ApiError::invalid("participantCapacity must be at least 1."));
    }
    check_role(service, request)?;
    if let Some(lacking) = access_media_missing(answer.media_config.as_ref(), &request.caller.roles) {
        return Err(ApiError::permission_missing(lacking));
    }
    let offer = check::offer(answer.media_config.as_ref(), service.strict_blob)?;
    let app = service.directory().app(&request.caller.app_id).cloned().ok_or_else(ApiError::bot_not_registered)?;
    let terms = AnswerTerms {
        in_default_group: !answer.media_config.as_ref().is_some_and(MediaConfig::removes_from_default_audio_group),
        request: answer,
        offer,
        display_name: app.display_name,
        address,
        version: request.version,
    };
    service.change(|world, now| {
        let id = request.own_incoming_call(world)?.id.clone();
        world.answer(&id, terms, now, check::with_answer).map_err(|error| refused(&error))
    })?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}

/// The matrix asks for a role; the page of the endpoint says that peer-to-peer calls need none. The page wins unless the
/// service is told otherwise.
fn check_role(service: &Service, request: &ApiRequest) -> Result<(), ApiError> {
    let Some(row) = required(request.version, "POST", "/communications/calls/{id}/answer") else {
        return Ok(());
    };
    if row.allows(&request.caller.roles) {
        return Ok(());
    }
    let world = service.world();
    let call = request.own_call(&world)?;
    let alone = world.meeting_of(call).is_some_and(Meeting::is_peer_to_peer);
    if alone && !service.strict_answer { Ok(()) } else { Err(ApiError::permission_missing(row.sufficient())) }
}
