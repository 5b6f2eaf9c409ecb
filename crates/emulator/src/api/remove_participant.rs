//! `DELETE /communications/calls/{id}/participants/{id}`: takes somebody out of the conversation, or takes back an
//! invitation that still rings.
//!
//! A tenant may say which applications can; without such a setting all can. Spec: "Delete participant".

use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::DELETE, path: "/calls/{id}/participants/{id}", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let caller = &request.caller;
    let allowed = service.directory().may_remove_participants(&caller.tenant_id, &caller.app_id);
    service.change(|world, now| {
        let id = request.own_group_call(world)?.id.clone();
        if !allowed {
            let message = "The tenant's meeting setting AllowRemoveParticipantAppIds does not list the application.";
            return Err(ApiError::forbidden(message));
        }
        if world.remove_for(&id, &request.participant_id(), now) { Ok(()) } else { Err(ApiError::no_participant()) }
    })?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
