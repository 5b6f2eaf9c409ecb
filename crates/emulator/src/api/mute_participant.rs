//! `POST /communications/calls/{id}/participants/{id}/mute`: nobody hears the participant any more. There is no way to
//! unmute others. Spec: "participant: mute".

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/{id}/mute", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("mute")?;
    let client_context = check::client_context(body.client_context)?;
    let mut world = service.world();
    let (call, who) = request.own_participant(&world)?;
    let operation = world.mute(&call, &who, client_context).ok_or_else(ApiError::call_not_found)?;
    Ok(request.operation_reply(StatusCode::OK, &call, &operation))
}
