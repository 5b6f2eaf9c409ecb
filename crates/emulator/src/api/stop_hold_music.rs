//! `POST /communications/calls/{id}/participants/{id}/stopHoldMusic`: back into the conversation.
//! Spec: "participant: stopHoldMusic".

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/{id}/stopHoldMusic", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("stopHoldMusic")?;
    let client_context = check::client_context(body.client_context)?;
    service.change(|world, now| {
        let (call, who) = request.own_participant(world)?;
        let operation = world.stop_hold(&call, &who, client_context, now)?;
        Ok(request.operation_reply(StatusCode::ACCEPTED, &call, &operation))
    })
}
