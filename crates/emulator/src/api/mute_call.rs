//! `POST /communications/calls/{id}/mute`: a bot mutes itself for everybody.
//! Spec: <https://learn.microsoft.com/graph/api/call-mute>.

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/mute", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("mute")?;
    let context = check::client_context(body.client_context)?;
    service.change(|world, _| {
        let id = request.own_group_call(world)?.id.clone();
        let operation = world.mute_own_leg(&id, true, context)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
