//! `POST /communications/calls/{id}/subscribeToTone`: a bot asks to be told of keys that are pressed.
//! Spec: <https://learn.microsoft.com/graph/api/call-subscribetotone>.

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/subscribeToTone", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("subscribeToTone")?;
    let context = check::client_context(body.client_context)?;
    service.change(|world, _| {
        let call = request.own_established_call(world)?;
        check::service_hosted(call)?;
        let id = call.id.clone();
        let operation = world.subscribe_to_tones(&id, context)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
