//! `POST /communications/calls/{id}/playPrompt`: the service plays files to a call.
//!
//! Nothing is fetched or heard yet: each prompt takes a nominal second. Spec: <https://learn.microsoft.com/graph/api/call-playprompt>.

use antiphon_graph::action::PlayPrompt;
use antiphon_graph::wire::Version;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;
use crate::world::Playing;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/playPrompt", handler };

/// Most prompts of one operation.
const MAX_PROMPTS: usize = 20;

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: PlayPrompt = request.parameters("playPrompt")?;
    let context = check::client_context(body.client_context)?;
    if body.prompts.is_empty() {
        return Err(ApiError::invalid("prompts must name at least one prompt.").about("prompts"));
    }
    let times = check::prompts(service, &body.prompts, MAX_PROMPTS)?;
    let endless = request.version == Version::Beta && body.loop_count == Some(true);
    let playing = if endless { Playing::UntilCancelled } else { Playing::Times(times) };
    service.change(|world, now| {
        let call = request.own_established_call(world)?;
        check::service_hosted(call)?;
        let id = call.id.clone();
        let operation = world.play_prompts(&id, playing, context, now)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
