//! `POST /communications/calls/{id}/startRecording`: a bot starts the meeting's own recording. Beta.
//! Spec: <https://learn.microsoft.com/graph/api/call-startrecording>.

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/startRecording", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("startRecording")?;
    let context = check::client_context(body.client_context)?;
    service.change(|world, now| {
        let call = request.own_group_call(world)?;
        check::is_meeting(world, call)?;
        let id = call.id.clone();
        let operation = world.start_recording(&id, context, now)?;
        Ok(request.operation_reply(StatusCode::ACCEPTED, &id, &operation))
    })
}
