//! `DELETE /communications/calls/{id}/audioRoutingGroups/{id}`. Spec: "Delete audioRoutingGroup".

use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::DELETE, path: "/calls/{id}/audioRoutingGroups/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let mut world = service.world();
    let call = request.own_group_call(&world)?.id.clone();
    world.delete_group(&call, request.item_id())?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
