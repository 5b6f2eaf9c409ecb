//! `POST /communications/calls/{id}/participants/{id}/startHoldMusic`: one participant at a time listens to music.
//! Spec: "participant: startHoldMusic".

use antiphon_graph::action::StartHoldMusic;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;
use crate::world::HoldError;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/participants/{id}/startHoldMusic", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: StartHoldMusic = request.parameters("startHoldMusic")?;
    let client_context = check::client_context(body.client_context)?;
    if let Some(prompt) = &body.custom_prompt {
        check::prompt(service, "customPrompt", prompt)?;
    }
    service.change(|world, now| {
        let (call, who) = request.own_participant(world)?;
        let operation = world.start_hold(&call, &who, client_context, now)?;
        Ok(request.operation_reply(StatusCode::ACCEPTED, &call, &operation))
    })
}

impl From<HoldError> for ApiError {
    fn from(error: HoldError) -> Self {
        match error {
            HoldError::NoCall => Self::call_not_found(),
            HoldError::TooManyOperations => Self::too_many_operations(),
            HoldError::AnotherOnHold(_)
            | HoldError::HeldByAnother(_)
            | HoldError::InLobby(_)
            | HoldError::NotOnHold(_) => Self::wrong_state(error.to_string()),
        }
    }
}
