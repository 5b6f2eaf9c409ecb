//! `POST /communications/calls/{id}/reject`: a bot does not take an incoming call.
//! Spec: <https://learn.microsoft.com/graph/api/call-reject>.

use antiphon_graph::RejectReason;
use antiphon_graph::action::Reject;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::call::reason;
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/reject", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let reject: Reject = request.json()?;
    let address = check::address(service, reject.callback_uri.as_deref(), request.scenario_id.as_deref())?;
    let why = match reject.reason.unwrap_or(RejectReason::None) {
        RejectReason::None => reason::declined(),
        RejectReason::Busy => reason::busy(),
        RejectReason::Forbidden => reason::forbidden(),
        other => return Err(ApiError::invalid(format!("reason has the unknown value {:?}.", other.as_str()))),
    };
    service.change(|world, now| {
        let call = request.own_incoming_call(world)?;
        let id = call.id.clone();
        if let Some(address) = address {
            call.outbox.readdress(address);
        }
        world.reject(&id, why, now);
        Ok::<(), ApiError>(())
    })?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
