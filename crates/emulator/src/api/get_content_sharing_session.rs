//! `GET /communications/calls/{id}/contentSharingSessions/{id}`. Spec: "Get contentSharingSession".

use http::Method;

use super::list_content_sharing_sessions::{session, sharing};
use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::meeting::Sharing;
use crate::service::Service;
use crate::world::World;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::GET, path: "/calls/{id}/contentSharingSessions/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let mut session = session(named(&world, request)?, request.version);
    let call = request.call_id();
    let context = request.context(&format!("communications/calls('{call}')/contentSharingSessions/$entity"));
    session.extra.insert("@odata.context".to_owned(), context.into());
    Ok(Reply::ok(&session))
}

/// The session the path names.
pub(super) fn named<'a>(world: &'a World, request: &ApiRequest) -> Result<&'a Sharing, ApiError> {
    let call = request.own_call(world)?;
    let found = sharing(world, call).filter(|sharing| sharing.id.eq_ignore_ascii_case(request.item_id()));
    found.ok_or_else(|| ApiError::not_found("Content sharing session not found"))
}
