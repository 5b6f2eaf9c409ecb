//! `POST /communications/calls/{id}/keepAlive`: the bot is still there. Spec: "Keep call alive".

use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/keepAlive", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    service.change(|world, now| {
        let id = request.own_call(world)?.id.clone();
        world.keep_alive(&id, now);
        Ok::<(), ApiError>(())
    })?;
    Ok(Reply::empty(StatusCode::OK))
}
