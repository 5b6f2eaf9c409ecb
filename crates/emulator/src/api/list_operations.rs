//! `GET /communications/calls/{id}/operations`: what runs, and what was final when it was answered.
//!
//! On no reference page; client libraries have it. Spec: the service metadata, `call/operations`.

use antiphon_graph::model::type_named;
use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::{TypeTag, Version};
use antiphon_graph::{Collection, CommsOperation};
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}/operations", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_call(&world)?;
    let mut page = Collection::of(call.operations.list().map(|it| shown(it, request.version)).collect());
    page.odata_context = Some(request.context(&format!("communications/calls('{}')/operations", call.id)));
    Ok(Reply::ok(&page))
}

/// The operation as a version has it: of a type it does not declare, only what all operations are.
pub(super) fn shown(operation: &CommsOperation, version: Version) -> CommsOperation {
    let declared = type_named(operation.kind().as_str()).is_some_and(|ty| ty.declared.has(version));
    let mut operation = operation.clone();
    if !declared {
        operation.odata_type = TypeTag::of(OperationKind::Comms.as_str());
    }
    operation
}
