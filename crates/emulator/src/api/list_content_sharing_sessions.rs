//! `GET /communications/calls/{id}/contentSharingSessions`: what is being shown; at most one session at a time.
//! Spec: "List contentSharingSessions".

use antiphon_graph::wire::Version;
use antiphon_graph::{Collection, ContentSharingSession};
use http::Method;

use super::{ApiError, ApiRequest, Endpoint, Reply};
use crate::call::Call;
use crate::meeting::Sharing;
use crate::service::Service;
use crate::world::World;

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::GET, path: "/calls/{id}/contentSharingSessions", handler };

fn handler(service: &Service, request: &ApiRequest) -> Result<Reply, ApiError> {
    let world = service.world();
    let call = request.own_call(&world)?;
    let sessions = sharing(&world, call).map(|sharing| session(sharing, request.version));
    let mut page = Collection::of(sessions.into_iter().collect());
    page.odata_context = Some(request.context(&format!("communications/calls('{}')/contentSharingSessions", call.id)));
    Ok(Reply::ok(&page))
}

/// What is shown in a call, once its bot is in the conversation.
pub(super) fn sharing<'a>(world: &'a World, call: &Call) -> Option<&'a Sharing> {
    world.meeting_of(call).filter(|_| call.machine.is_in_conversation())?.sharing.as_ref()
}

/// The session as a version shows it: v1.0 knows no presenter.
pub(super) fn session(sharing: &Sharing, version: Version) -> ContentSharingSession {
    ContentSharingSession {
        presenter_participant_id: (version == Version::Beta).then(|| sharing.presenter.clone()),
        ..ContentSharingSession::of(&sharing.id)
    }
}
