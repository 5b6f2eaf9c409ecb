//! `GET /communications/calls/{id}/participants/{id}`. Spec: "Get participant".

use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}/participants/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_call(&world)?;
    let wanted = request.participant_id();
    let participant =
        world.participants(call, request.version).into_iter().find(|participant| participant.id == wanted);
    let mut participant = participant.ok_or_else(ApiError::no_participant)?;
    let context = request.context(&format!("communications/calls('{}')/participants/$entity", call.id));
    participant.extra.insert("@odata.context".to_owned(), context.into());
    Ok(Reply::ok(&participant))
}
