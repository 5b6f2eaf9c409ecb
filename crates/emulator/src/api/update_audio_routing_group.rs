//! `PATCH /communications/calls/{id}/audioRoutingGroups/{id}`.
//!
//! The pages disagree whether more than the receivers can change; source and mode are accepted too, unless the service
//! was told to be strict, and the group that results must obey every rule. Spec: "Update audioRoutingGroup".

use antiphon_graph::AudioRoutingGroupUpdate;
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::PATCH, path: "/calls/{id}/audioRoutingGroups/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let update: AudioRoutingGroupUpdate = request.resource("audioRoutingGroup")?;
    let mut world = service.world();
    let call = request.own_group_call(&world)?.id.clone();
    Ok(Reply::ok(&world.update_group(&call, request.item_id(), update, service.strict_routing_groups)?))
}
