//! `POST /communications/calls/{id}/sendDtmfTones`: a bot presses keys.
//!
//! Nobody hears them yet. Whoever hosts the media: app and service alike.
//! Spec: <https://learn.microsoft.com/graph/api/call-senddtmftones>.

use std::time::Duration;

use antiphon_graph::action::SendDtmfTones;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/sendDtmfTones", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: SendDtmfTones = request.parameters("sendDtmfTones")?;
    let context = check::client_context(body.client_context)?;
    if body.tones.is_empty() {
        return Err(ApiError::invalid("tones must name at least one key.").about("tones"));
    }
    let count = u32::try_from(body.tones.len()).unwrap_or(u32::MAX);
    let delay = body.delay_between_tones_ms.unwrap_or(0);
    let delay = u64::try_from(delay)
        .map_err(|_| ApiError::invalid("delayBetweenTonesMs must not be negative.").about("delayBetweenTonesMs"))?;
    service.change(|world, now| {
        let id = request.own_established_call(world)?.id.clone();
        let operation = world.send_tones(&id, count, Duration::from_millis(delay), context, now)?;
        Ok(request.operation_reply(StatusCode::OK, &id, &operation))
    })
}
