//! `POST /communications/calls/{id}/stopTranscription`: a bot stops the meeting's transcription. Beta.
//! Spec: <https://learn.microsoft.com/graph/api/call-stoptranscription>.

use antiphon_graph::action::Transcription;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/stopTranscription", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: Transcription = request.parameters("stopTranscription")?;
    let context = check::client_context(body.client_context)?;
    check::language(body.language.as_deref())?;
    service.change(|world, now| {
        let id = request.own_group_call(world)?.id.clone();
        let operation = world.stop_transcription(&id, context, now)?;
        Ok(request.operation_reply(StatusCode::ACCEPTED, &id, &operation))
    })
}
