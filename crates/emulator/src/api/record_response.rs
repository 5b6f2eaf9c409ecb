//! `POST /communications/calls/{id}/recordResponse`: the service records what the other side says.
//!
//! Nobody is heard yet: it ends by its longest duration, without a recording.
//! Spec: <https://learn.microsoft.com/graph/api/call-record>.

use std::time::Duration;

use antiphon_graph::action::RecordResponse;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;
use crate::world::Recording;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/recordResponse", handler };

/// Most prompts before a recording.
const MAX_PROMPTS: usize = 1;
/// What each span is when it is left out, in seconds.
const DEFAULT_SECONDS: u32 = 5;
/// Keys as the telephone writes them.
const KEYS: &str = "0123456789*#ABCDabcd";

pub(super) fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: RecordResponse = request.parameters("recordResponse")?;
    let context = check::client_context(body.client_context)?;
    let prompts = check::prompts(service, &body.prompts, MAX_PROMPTS)?;
    let seconds = |member, seconds| check::recording_seconds(member, seconds, DEFAULT_SECONDS);
    seconds("initialSilenceTimeoutInSeconds", body.initial_silence_timeout_in_seconds)?;
    seconds("maxSilenceTimeoutInSeconds", body.max_silence_timeout_in_seconds)?;
    let longest = seconds("maxRecordDurationInSeconds", body.max_record_duration_in_seconds)?;
    for (index, key) in body.stop_tones.iter().enumerate() {
        if key.chars().count() != 1 || !KEYS.contains(key.as_str()) {
            let member = format!("stopTones[{index}]");
            let message = format!("{member} must be one key of a telephone, such as \"1\" or \"#\", not {key:?}.");
            return Err(ApiError::invalid(message).about(member));
        }
    }
    let recording = Recording {
        prompts,
        barge_in: body.barge_in_allowed == Some(true),
        longest: Duration::from_secs(longest.into()),
    };
    service.change(|world, now| {
        let call = request.own_established_call(world)?;
        check::service_hosted(call)?;
        let id = call.id.clone();
        let operation = world.record_response(&id, recording, context, now)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
