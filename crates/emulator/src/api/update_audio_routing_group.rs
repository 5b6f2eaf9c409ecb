//! `PATCH /communications/calls/{id}/audioRoutingGroups/{id}`.
//!
//! The pages disagree whether more than the receivers can change; source and mode are accepted too, and the group that
//! results must obey every rule. Spec: "Update audioRoutingGroup".

use antiphon_graph::AudioRoutingGroupUpdate;
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::PATCH, path: "/calls/{id}/audioRoutingGroups/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let mut world = service.world();
    let call = request.own_call(&world)?.id.clone();
    let update: AudioRoutingGroupUpdate = request.json()?;
    Ok(Reply::ok(&world.update_group(&call, request.item_id(), update)?))
}
