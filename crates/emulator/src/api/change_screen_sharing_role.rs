//! `POST /communications/calls/{id}/changeScreenSharingRole`: a bot starts or stops showing its screen.
//!
//! Video does not flow here: rosters show who shares. Spec: <https://learn.microsoft.com/graph/api/call-changescreensharingrole>.

use antiphon_graph::ScreenSharingRole;
use antiphon_graph::action::ChangeScreenSharingRole;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/changeScreenSharingRole", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let body: ChangeScreenSharingRole = request.parameters("changeScreenSharingRole")?;
    let role = body.role.ok_or_else(|| ApiError::invalid("role is required.").about("role"))?;
    service.change(|world, now| {
        let call = request.own_group_call(world)?;
        check::app_hosted(call)?;
        let id = call.id.clone();
        world.share_own_screen(&id, role == ScreenSharingRole::Sharer, now)?;
        Ok(Reply::empty(StatusCode::ACCEPTED))
    })
}
