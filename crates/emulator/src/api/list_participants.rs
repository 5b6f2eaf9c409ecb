//! `GET /communications/calls/{id}/participants`: everybody, once the call is established. Spec: "List participants".

use antiphon_graph::Collection;
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}/participants", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_call(&world)?;
    let mut page = Collection::of(world.participants(call, request.version));
    page.odata_context = Some(request.context(&format!("communications/calls('{}')/participants", call.id)));
    Ok(Reply::ok(&page))
}
