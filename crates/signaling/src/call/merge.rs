//! The call resource as notifications build it up, and the order of its states.
//!
//! Members present replace what is known, null clears, absent leaves alone. A
//! notification that comes late (its state is behind ours) only fills gaps.
//! Members that belong to one notification only are never stored.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

use antiphon_graph::wire::Object;
use antiphon_graph::{Call, CallState};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Members of one notification, not of the call.
const TRANSIENT: [&str; 2] = ["toneInfo", "replacesContext"];

/// How far a state is along the life of a call. Equal ranks may alternate.
pub(super) fn rank(state: &CallState) -> u8 {
    match state {
        CallState::Incoming => 0,
        CallState::Establishing => 1,
        CallState::Ringing => 2,
        // Neither comes back: a call that was redirected never is this app's.
        CallState::Redirecting | CallState::Terminating => 4,
        CallState::Terminated => 5,
        // Established, hold, the transfer states, and any that are added later.
        _ => 3,
    }
}

/// Whether a state that was told is behind the one the call is in.
pub(super) fn is_behind(told: &CallState, state: &CallState) -> bool {
    let step_back = *told == CallState::Transferring && *state == CallState::TransferAccepted;
    rank(told) < rank(state) || step_back
}

/// What is known of the call.
#[derive(Debug, Default)]
pub(super) struct Resource {
    members: Object,
}

impl Resource {
    /// Merges an entity. `late` fills gaps only; `last` also keeps `resultInfo`,
    /// which otherwise is about a transfer that failed.
    pub(super) fn merge(&mut self, entity: &Object, late: bool, last: bool) {
        for (key, value) in entity {
            let annotation = key.starts_with('@') || key == "state";
            let transient = TRANSIENT.contains(&key.as_str()) || (key == "resultInfo" && !last);
            if annotation || transient || (key == "transcription" && self.is_older(value)) {
                continue;
            }
            match (late, value) {
                (false, Value::Null) => {
                    self.members.remove(key);
                }
                (true, Value::Null) => {}
                (true, value) => {
                    self.members.entry(key.clone()).or_insert_with(|| value.clone());
                }
                (false, value) => {
                    self.members.insert(key.clone(), value.clone());
                }
            }
        }
    }

    /// Whether a transcription is older than the one known, as its time says.
    fn is_older(&self, transcription: &Value) -> bool {
        let time = |of: &Value| of.get("lastModifiedDateTime")?.as_str()?.parse::<Timestamp>().ok();
        let known = self.members.get("transcription").and_then(time);
        known.zip(time(transcription)).is_some_and(|(known, told)| told < known)
    }

    /// One member, if it is there and of the right form.
    pub(super) fn member<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        member(&self.members, key)
    }

    /// The whole as a resource.
    pub(super) fn call(&self, state: &CallState) -> Result<Call, serde_json::Error> {
        let call: Call = serde_json::from_value(Value::Object(self.members.clone()))?;
        Ok(Call { state: Some(state.clone()), ..call })
    }
}

/// One member of an entity, if it is there and of the right form.
pub(super) fn member<T: DeserializeOwned>(entity: &Object, key: &str) -> Option<T> {
    let value = entity.get(key).filter(|value| !value.is_null())?;
    serde_json::from_value(value.clone()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Object {
        let Value::Object(object) = value else { panic!("object") };
        object
    }

    #[test]
    fn present_replaces_null_clears_and_absent_leaves_alone() {
        let mut resource = Resource::default();
        resource.merge(&object(json!({"subject": "a", "tenantId": "t", "callChainId": "c"})), false, false);
        resource.merge(&object(json!({"subject": "b", "tenantId": null})), false, false);
        assert_eq!(resource.member::<String>("subject").as_deref(), Some("b"));
        assert_eq!(resource.member::<String>("tenantId"), None);
        assert_eq!(resource.member::<String>("callChainId").as_deref(), Some("c"));
    }

    #[test]
    fn a_late_entity_fills_gaps_only() {
        let mut resource = Resource::default();
        resource.merge(&object(json!({"subject": "new"})), false, false);
        resource.merge(&object(json!({"subject": "old", "tenantId": "t"})), true, false);
        resource.merge(&object(json!({"subject": null})), true, false);
        assert_eq!(resource.member::<String>("subject").as_deref(), Some("new"));
        assert_eq!(resource.member::<String>("tenantId").as_deref(), Some("t"));
    }

    #[test]
    fn an_older_transcription_does_not_replace_a_newer_one() {
        let mut resource = Resource::default();
        let told = |state: &str, time: &str| json!({"transcription": {"state": state, "lastModifiedDateTime": time}});
        for (state, time) in [
            ("active", "2026-03-01T08:30:00.1Z"),
            ("inactive", "2026-03-01T08:31:00Z"),
            ("active", "2026-03-01T09:30:30.1234567+01:00"),
        ] {
            resource.merge(&object(told(state, time)), false, false);
        }
        assert_eq!(resource.member::<Value>("transcription").unwrap()["state"], "inactive");
    }

    #[test]
    fn transferring_is_behind_its_acceptance_but_not_behind_established() {
        use CallState as S;
        assert!(is_behind(&S::Transferring, &S::TransferAccepted));
        for (told, state) in [(S::Transferring, S::Established), (S::Established, S::TransferAccepted)] {
            assert!(!is_behind(&told, &state), "{told} after {state}");
        }
    }

    #[test]
    fn transient_members_are_not_stored() {
        let mut resource = Resource::default();
        let entity = json!({"toneInfo": {"tone": "tone1"}, "replacesContext": "x", "resultInfo": {"code": 500}});
        resource.merge(&object(entity.clone()), false, false);
        assert!(resource.members.is_empty());
        resource.merge(&object(entity), false, true);
        assert_eq!(resource.members.keys().collect::<Vec<_>>(), ["resultInfo"]);
    }
}
