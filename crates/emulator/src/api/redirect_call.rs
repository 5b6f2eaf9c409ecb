//! `POST /communications/calls/{id}/redirect`: a bot passes an incoming call on, unanswered.
//! Spec: <https://learn.microsoft.com/graph/api/call-redirect>.

use std::time::Duration;

use antiphon_graph::action::Redirect;
use http::{Method, StatusCode};

use super::{ApiError, ApiRequest, Endpoint, Reply, check};
use crate::entra::Callee;
use crate::service::Service;

pub(super) const ENDPOINT: Endpoint = Endpoint { method: Method::POST, path: "/calls/{id}/redirect", handler };

/// Most targets that may ring at once.
const MAX_TARGETS: usize = 25;

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let redirect: Redirect = request.json()?;
    let address = check::address(service, redirect.callback_uri.as_deref(), request.scenario_id.as_deref())?;
    let count = redirect.targets.len();
    if !(1..=MAX_TARGETS).contains(&count) {
        return Err(ApiError::invalid(format!("targets must name 1 to {MAX_TARGETS}; {count} were given.")));
    }
    let timeout = match redirect.timeout {
        None if count == 1 => 55,
        None => 60,
        Some(seconds @ 15..=90) => seconds.unsigned_abs(),
        Some(_) => return Err(ApiError::invalid("timeout must be between 15 and 90 seconds.")),
    };
    let mut targets = Vec::with_capacity(count);
    for (index, target) in redirect.targets.into_iter().enumerate() {
        let callee: Callee = service.directory().callee(check::target(&format!("targets[{index}]"), &target)?);
        targets.push((target, callee));
    }
    service.change(|world, now| {
        let call = request.own_incoming_call(world)?;
        let id = call.id.clone();
        for (target, callee) in &mut targets {
            check::bar_telephone(call, target, callee);
        }
        if let Some(address) = address {
            call.outbox.readdress(address);
        }
        world.redirect(&id, targets, Duration::from_secs(timeout.into()), now);
        Ok::<(), ApiError>(())
    })?;
    Ok(Reply::empty(StatusCode::ACCEPTED))
}
