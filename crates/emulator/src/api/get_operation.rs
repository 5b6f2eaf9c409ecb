//! `GET /communications/calls/{id}/operations/{id}`: one operation, until its end has been told.
//!
//! On no reference page; client libraries have it. Spec: the service metadata, `call/operations`.

use http::Method;

use super::check::same_guid;
use super::list_operations::shown;
use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}/operations/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_call(&world)?;
    let fits = |id: &String| same_guid(id, request.item_id());
    let operation = call.operations.list().find(|operation| operation.id.as_ref().is_some_and(fits));
    let operation = operation.ok_or_else(|| ApiError::not_found("Operation not found"))?;
    let mut operation = shown(operation, request.version);
    let context = request.context(&format!("communications/calls('{}')/operations/$entity", call.id));
    operation.extra.insert("@odata.context".to_owned(), context.into());
    Ok(Reply::ok(&operation))
}
