//! `GET /communications/calls/{id}`. Spec: "Get call".

use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let mut call = request.own_call(&service.world())?.resource();
    let context = request.context("communications/calls/$entity");
    call.extra.insert("@odata.context".to_owned(), context.into());
    Ok(Reply::ok(&call))
}
