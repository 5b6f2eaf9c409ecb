//! What a verified notification was about, in short: for counting and logs.

use std::sync::Arc;

use antiphon_graph::wire::{Object, type_name};
use antiphon_graph::{CallId, CallState, ChangeType, CommsNotification, OperationStatus, ResourcePath};
use serde_json::Value;

use super::dispatch::Dispatched;

/// One verified notification, as it arrived.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sighting {
    /// What it is about.
    pub kind: NotificationKind,
    /// The call it is about, or below which it is.
    pub call: Option<CallId>,
    /// What happened to the resource.
    pub change: Option<ChangeType>,
    /// The call's state, if it tells one.
    pub state: Option<CallState>,
    /// The operation's status, if it is about one.
    pub status: Option<OperationStatus>,
    /// Tenant of the call, from the token.
    pub tenant: Arc<str>,
    /// Where it went.
    pub outcome: Dispatched,
}

/// What a notification is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NotificationKind {
    /// A call that wants to be answered.
    IncomingCall,
    /// A call.
    Call,
    /// The roster, whole or in part.
    Participants,
    /// An operation.
    Operation,
    /// Content sharing.
    ContentSharing,
    /// A participant joins under a recording policy.
    ParticipantJoining,
    /// A participant under a recording policy left.
    ParticipantLeft,
    /// Anything else.
    Other,
}

impl NotificationKind {
    /// What a notification is about: by the type of what it carries where
    /// that decides, else by its path.
    pub fn of(notification: &CommsNotification) -> Self {
        let entities = notification.resource_data.entities();
        let is = |name: &str| entities.iter().any(|entity| has_type(entity, name));
        if is("participantJoiningNotification") {
            return Self::ParticipantJoining;
        }
        if is("participantLeftNotification") {
            return Self::ParticipantLeft;
        }
        match notification.path() {
            Ok(ResourcePath::Call(_)) => match (state_of(notification), &notification.change_type) {
                (Some(CallState::Incoming), None | Some(ChangeType::Created)) => Self::IncomingCall,
                _ => Self::Call,
            },
            Ok(ResourcePath::Participants(_) | ResourcePath::Participant(..)) => Self::Participants,
            Ok(ResourcePath::Operations(_) | ResourcePath::Operation(..)) => Self::Operation,
            Ok(ResourcePath::ContentSharingSessions(_) | ResourcePath::ContentSharingSession(..)) => {
                Self::ContentSharing
            }
            _ => Self::Other,
        }
    }
}

impl Sighting {
    pub(super) fn of(notification: &CommsNotification, tenant: &Arc<str>, outcome: Dispatched) -> Self {
        let kind = NotificationKind::of(notification);
        let is_call = matches!(kind, NotificationKind::Call | NotificationKind::IncomingCall);
        let status = text(notification, "status").filter(|_| kind == NotificationKind::Operation);
        Self {
            kind,
            call: notification.path().ok().and_then(|path| path.call_id().cloned()),
            change: notification.change_type.clone(),
            state: state_of(notification).filter(|_| is_call),
            status: status.map(OperationStatus::parse),
            tenant: Arc::clone(tenant),
            outcome,
        }
    }
}

pub(super) fn has_type(entity: &Object, name: &str) -> bool {
    let tag = entity.get("@odata.type").and_then(Value::as_str);
    tag.is_some_and(|tag| type_name(tag).eq_ignore_ascii_case(name))
}

fn state_of(notification: &CommsNotification) -> Option<CallState> {
    text(notification, "state").map(CallState::parse)
}

/// A text member of the first entity.
fn text<'a>(notification: &'a CommsNotification, member: &str) -> Option<&'a str> {
    notification.resource_data.entities().first()?.get(member)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_kind_follows_from_type_path_and_state() {
        use NotificationKind as K;
        for (change, path, data, kind) in [
            ("created", "", json!({"state": "Incoming"}), K::IncomingCall),
            ("updated", "", json!({"state": "established"}), K::Call),
            ("deleted", "", json!(null), K::Call),
            ("updated", "/participants", json!([{"id": "a"}]), K::Participants),
            ("deleted", "/operations/o", json!({"status": "completed"}), K::Operation),
            ("created", "/contentsharingsessions", json!([{"id": "s"}]), K::ContentSharing),
            (
                "created",
                "",
                json!({"@odata.type": "#microsoft.graph.participantJoiningNotification"}),
                K::ParticipantJoining,
            ),
            (
                "created",
                "/x/y/z",
                json!({"@odata.type": "microsoft.graph.participantLeftNotification"}),
                K::ParticipantLeft,
            ),
            ("updated", "/x", json!({}), K::Other),
        ] {
            let wire = json!({"changeType": change, "resourceUrl": format!("/communications/calls/c{path}"), "resourceData": data});
            let notification: CommsNotification = serde_json::from_value(wire).unwrap();
            assert_eq!(NotificationKind::of(&notification), kind, "{change} {path} {data}");
        }
    }

    #[test]
    fn a_sighting_tells_call_state_and_operation_status() {
        let read = |wire| serde_json::from_value::<CommsNotification>(wire).unwrap();
        let call = read(
            json!({"changeType": "updated", "resourceUrl": "/communications/calls/c", "resourceData": {"state": "established"}}),
        );
        let sighting = Sighting::of(&call, &"t".into(), Dispatched::Delivered);
        assert_eq!((sighting.call, sighting.state), (Some("c".into()), Some(CallState::Established)));
        let ended = read(
            json!({"resourceUrl": "/communications/calls/c/operations/o", "resourceData": {"status": "completed"}}),
        );
        let sighting = Sighting::of(&ended, &"t".into(), Dispatched::Held);
        assert_eq!((sighting.state, sighting.status), (None, Some(OperationStatus::Completed)));
    }
}
