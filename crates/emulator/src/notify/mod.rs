//! Notifications: what the service posts to a bot's webhook.
//!
//! A change becomes a [`Notification`]; it waits in the call's [`Outbox`]; the call's courier task signs and posts it,
//! one in flight per call, in order. Spec: Graph `commsNotification`; the token's rules are in `courier`.

mod courier;
mod outbox;

pub(crate) use courier::{Courier, Recipient};
pub use courier::{CourierError, DeliveryCounts};
pub(crate) use outbox::{Address, Letter, Outbox};

use antiphon_graph::model::declared_only_as_named;
use antiphon_graph::wire::{Object, Version};
use antiphon_graph::{
    Call, CallId, ChangeType, CommsNotification, CommsNotifications, CommsOperation, ContentSharingSession,
    DeltaParticipants, Participant, ResourceData,
};
use serde::Serialize;

/// What a notification is about; decides what may be dropped when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The announcement of an incoming call: if it cannot be delivered, the call is over. Never dropped.
    Incoming,
    /// A call state. Never dropped: there are at most a handful per call.
    State,
    /// A tone, an ended operation, content sharing: dropped only when very many wait, because nothing repairs it.
    Event,
    /// The roster. The oldest is dropped first: the next one, or GET participants, repairs it.
    Roster,
}

/// One change, ready to be posted.
#[derive(Debug, Clone)]
pub(crate) struct Notification {
    pub(crate) subject: Subject,
    change: ChangeType,
    /// Path below `/communications` or `/app`.
    path: String,
    data: ResourceData,
}

impl Notification {
    /// A change of the call itself; the last one is a deletion.
    pub(crate) fn call(id: &CallId, change: ChangeType, call: &Call) -> Self {
        Self { subject: Subject::State, change, path: format!("/calls/{id}"), data: entity(ResourceData::one(call)) }
    }

    /// The announcement of an incoming call.
    pub(crate) fn incoming(id: &CallId, call: &Call) -> Self {
        Self { subject: Subject::Incoming, ..Self::call(id, ChangeType::Created, call) }
    }

    /// Something that happened in a call without changing its state.
    pub(crate) fn event(id: &CallId, call: &Call) -> Self {
        Self { subject: Subject::Event, ..Self::call(id, ChangeType::Updated, call) }
    }

    /// An operation has ended: its resource is gone.
    pub(crate) fn operation(id: &CallId, operation: &CommsOperation) -> Self {
        let operation_id = operation.id.as_deref().unwrap_or_default();
        Self {
            subject: Subject::Event,
            change: ChangeType::Deleted,
            path: format!("/calls/{id}/operations/{operation_id}"),
            data: entity(ResourceData::one(operation)),
        }
    }

    /// Somebody started, changed or stopped sharing content.
    pub(crate) fn content_sharing(id: &CallId, change: ChangeType, session: &ContentSharingSession) -> Self {
        Self {
            subject: Subject::Event,
            change,
            path: format!("/calls/{id}/contentsharingsessions"),
            data: entity(ResourceData::many(std::slice::from_ref(session))),
        }
    }

    /// The complete roster.
    pub(crate) fn roster(id: &CallId, participants: &[Participant]) -> Self {
        Self::of_roster(id, entity(ResourceData::many(participants)))
    }

    /// The roster entries that changed.
    pub(crate) fn delta(id: &CallId, delta: &DeltaParticipants) -> Self {
        Self::of_roster(id, entity(ResourceData::one(delta)))
    }

    fn of_roster(id: &CallId, data: ResourceData) -> Self {
        Self { subject: Subject::Roster, change: ChangeType::Updated, path: format!("/calls/{id}/participants"), data }
    }

    /// The same notification without what this version's closed types do not declare.
    pub(crate) fn declared_in(mut self, version: Version) -> Self {
        let trim = |entity: &mut Object| declared_only_as_named(version, entity);
        match &mut self.data {
            ResourceData::One(entity) => trim(entity),
            ResourceData::Many(entities) => entities.iter_mut().for_each(trim),
            ResourceData::Absent => {}
        }
        self
    }

    /// The body of the request: one notification, named in both path families.
    pub(crate) fn body(&self, callback_uri: &str) -> CommsNotifications {
        CommsNotifications::of(vec![CommsNotification {
            change_type: Some(self.change.clone()),
            resource: Some(format!("/app{}", self.path)),
            resource_url: Some(format!("/communications{}", self.path)),
            callback_uri: Some(callback_uri.to_owned()),
            resource_data: self.data.clone(),
            ..CommsNotification::default()
        }])
    }
}

fn entity<E: std::fmt::Debug>(data: Result<ResourceData, E>) -> ResourceData {
    data.expect("invariant: Graph resources are written as JSON objects")
}

/// Claims of the token a notification carries.
#[derive(Debug, Serialize)]
struct NotificationClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    tid: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_graph::CallState;
    use serde_json::json;

    #[test]
    fn call_notification_has_the_published_shape() {
        let id = CallId::new("2f1a1100-b174-40a0-aba7-0b405e01ed92");
        let call = Call { id: Some(id.clone()), state: Some(CallState::Established), ..Call::default() };
        let body = Notification::call(&id, ChangeType::Updated, &call).body("https://bot.contoso.com/callback");
        assert_eq!(
            serde_json::to_value(body).unwrap(),
            json!({
                "@odata.type": "#microsoft.graph.commsNotifications",
                "value": [{
                    "@odata.type": "#microsoft.graph.commsNotification",
                    "changeType": "updated",
                    "resource": "/app/calls/2f1a1100-b174-40a0-aba7-0b405e01ed92",
                    "resourceUrl": "/communications/calls/2f1a1100-b174-40a0-aba7-0b405e01ed92",
                    "callbackUri": "https://bot.contoso.com/callback",
                    "resourceData": {
                        "@odata.type": "#microsoft.graph.call",
                        "id": "2f1a1100-b174-40a0-aba7-0b405e01ed92",
                        "state": "established",
                    },
                }],
            })
        );
    }

    #[test]
    fn full_roster_is_an_array_and_delta_an_object() {
        let id = CallId::new("c");
        let participants = [Participant::new("p".into())];
        let full = serde_json::to_value(Notification::roster(&id, &participants).body("https://b")).unwrap();
        assert!(full["value"][0]["resourceData"].is_array());
        let delta = DeltaParticipants { sequence_number: Some(1), ..DeltaParticipants::default() };
        let delta = serde_json::to_value(Notification::delta(&id, &delta).body("https://b")).unwrap();
        assert_eq!(delta["value"][0]["resourceData"]["@odata.type"], "#microsoft.graph.deltaParticipants");
        assert_eq!(delta["value"][0]["resourceUrl"], "/communications/calls/c/participants");
    }
}
