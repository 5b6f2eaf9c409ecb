//! `POST /communications/calls/{id}/startTranscription`: a bot starts the meeting's transcription. Beta.
//! Spec: <https://learn.microsoft.com/graph/api/call-starttranscription>.

use antiphon_graph::action::Transcription;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/startTranscription", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: Transcription = request.parameters("startTranscription")?;
    let context = check::client_context(body.client_context)?;
    check::language(body.language.as_deref())?;
    service.change(|world, now| {
        let id = request.own_group_call(world)?.id.clone();
        let operation = world.start_transcription(&id, context, now)?;
        Ok(request.operation_reply(StatusCode::ACCEPTED, &id, &operation))
    })
}
