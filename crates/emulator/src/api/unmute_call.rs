//! `POST /communications/calls/{id}/unmute`: a bot lets itself be heard again.
//! Spec: <https://learn.microsoft.com/graph/api/call-unmute>.

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/unmute", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("unmute")?;
    let context = check::client_context(body.client_context)?;
    service.change(|world, _| {
        let id = request.own_group_call(world)?.id.clone();
        let operation = world.mute_own_leg(&id, false, context)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
