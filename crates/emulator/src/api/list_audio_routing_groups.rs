//! `GET /communications/calls/{id}/audioRoutingGroups`. Spec: "List audioRoutingGroups".

use antiphon_graph::Collection;
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}/audioRoutingGroups", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_group_call_in_any_state(&world)?;
    let mut page = Collection::of(call.groups.clone());
    page.odata_context = Some(request.context(&format!("communications/calls('{}')/audioRoutingGroups", call.id)));
    Ok(Reply::ok(&page))
}
