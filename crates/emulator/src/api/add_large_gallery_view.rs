//! `POST /communications/calls/{id}/addLargeGalleryView`: a bot has the large gallery composed.
//! Spec: <https://learn.microsoft.com/graph/api/call-addlargegalleryview>.

use antiphon_graph::action::WithClientContext;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/addLargeGalleryView", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: WithClientContext = request.parameters("addLargeGalleryView")?;
    let context = check::client_context(body.client_context)?;
    service.change(|world, now| {
        let id = request.own_group_call(world)?.id.clone();
        let operation = world.add_large_gallery(&id, context, now)?;
        Ok(request.operation_reply(StatusCode::ACCEPTED, &id, &operation))
    })
}
