//! Participants joining under a recording policy: the one notification whose
//! answer is a decision.
//!
//! A hook decides at once, on the task of the request; it must not block. By
//! default a participant is taken while the call is driven here, and refused
//! otherwise. The notification goes on to its call like any other.
//! Spec: <https://learn.microsoft.com/graph/api/resources/participantjoiningresponse>.

use std::fmt;
use std::sync::Arc;

use antiphon_graph::wire::Object;
use antiphon_graph::{
    CallId, CommsNotification, ParticipantJoiningNotification, ParticipantJoiningResponse, RejectReason,
};
use serde_json::Value;

use super::dispatch::Dispatcher;
use super::sighting::has_type;

/// A participant that is joining.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Joining {
    /// The call of ours it would join, as far as the path tells.
    pub call: Option<CallId>,
    /// Whether that call is driven here.
    pub is_ours: bool,
    /// Tenant of the call, from the token.
    pub tenant: Arc<str>,
    /// Who: the call as an incoming one would have it.
    pub notification: ParticipantJoiningNotification,
}

type Decide = dyn Fn(&Joining) -> ParticipantJoiningResponse + Send + Sync;

/// Decides about joining participants. Cheap to clone.
#[derive(Clone)]
pub struct JoiningHook(Arc<Decide>);

impl JoiningHook {
    /// A hook of one's own. It runs on the task of the request: the service
    /// waits for what it says, so it must not block.
    pub fn new(decide: impl Fn(&Joining) -> ParticipantJoiningResponse + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    pub(super) fn decide(&self, joining: &Joining) -> ParticipantJoiningResponse {
        (self.0)(joining)
    }
}

impl Joining {
    /// A request's joining participant, if there is one: the service sends
    /// one at a time. `Err` if it cannot be told who it is.
    pub(super) fn find(
        notifications: &[CommsNotification],
        tenant: &Arc<str>,
        dispatcher: &Dispatcher,
    ) -> Option<Result<Self, serde_json::Error>> {
        let (path, entity) = notifications.iter().find_map(|notification| {
            let entity = notification.resource_data.entities().iter().find(|entity| is_joining(entity))?;
            Some((notification.path(), entity))
        })?;
        let call = path.ok().and_then(|path| path.call_id().cloned());
        let is_ours = call.as_ref().is_some_and(|call| dispatcher.is_registered(call));
        let read = serde_json::from_value(Value::Object(entity.clone()));
        Some(read.map(|notification| Self { call, is_ours, tenant: Arc::clone(tenant), notification }))
    }
}

impl Default for JoiningHook {
    fn default() -> Self {
        Self::new(|joining| match joining.is_ours {
            true => ParticipantJoiningResponse::accept(),
            false => ParticipantJoiningResponse::reject(RejectReason::None),
        })
    }
}

impl fmt::Debug for JoiningHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoiningHook")
    }
}

fn is_joining(entity: &Object) -> bool {
    has_type(entity, "participantJoiningNotification")
}
