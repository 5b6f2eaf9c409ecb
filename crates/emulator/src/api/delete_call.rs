//! `DELETE /communications/calls/{id}`: the bot hangs up; the meeting goes on. Spec: "Delete call".

use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::DELETE, path: "/calls/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    service.change(|world, now| {
        let id = request.own_call(world)?.id.clone();
        world.hang_up(&id, now);
        Ok::<(), ApiError>(())
    })?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
