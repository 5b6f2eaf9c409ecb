//! `GET /communications/calls/{id}/audioRoutingGroups/{id}`. Spec: "Get audioRoutingGroup".

use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;
use crate::world::GroupError;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::GET, path: "/calls/{id}/audioRoutingGroups/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_group_call_in_any_state(&world)?;
    let name = request.item_id();
    let index = call.group_index(name).ok_or_else(|| GroupError::NoGroup(name.to_owned()))?;
    Ok(Reply::ok(&call.groups[index]))
}
