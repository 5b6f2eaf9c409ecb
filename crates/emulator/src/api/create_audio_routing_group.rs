//! `POST /communications/calls/{id}/audioRoutingGroups`: 200 with the group, not 201. Spec: "Create audioRoutingGroup".

use antiphon_graph::AudioRoutingGroup;
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;
use crate::world::GroupError;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/audioRoutingGroups", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let group: AudioRoutingGroup = request.resource("audioRoutingGroup")?;
    let mut world = service.world();
    let call = request.own_group_call(&world)?.id.clone();
    Ok(Reply::ok(&world.create_group(&call, group)?))
}

impl From<GroupError> for ApiError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::NoCall => Self::call_not_found(),
            GroupError::NoGroup(_) => Self::not_found(error.to_string()),
            GroupError::Duplicate(_) => Self::conflict(error.to_string()),
            GroupError::TooMany => Self::too_many(error.to_string()),
            GroupError::Rule(ref rule) => Self::invalid(error.to_string()).about(rule.member()),
            GroupError::Fixed(member) => Self::invalid(error.to_string()).about(member),
            GroupError::Media(_) => Self::internal(error.to_string()),
        }
    }
}
