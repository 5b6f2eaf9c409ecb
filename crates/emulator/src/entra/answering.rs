//! What a person does when called: the script of a user.
//!
//! Plain data, given when a user is added and changed by administration. The calling side of it is in `world::rings`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a person does when called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Answering {
    /// What happens.
    pub action: AnsweringAction,
    /// After ringing for this long, in milliseconds.
    pub after_ms: u64,
    /// Hangs up this long after answering, in milliseconds; stays if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hang_up_after_ms: Option<u64>,
    /// Object id of the user a call is forwarded to; with `forward` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<String>,
}

/// The ways to take a call, or not to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AnsweringAction {
    /// Answers, without media of their own.
    #[default]
    Answer,
    /// Declines.
    Reject,
    /// Is in another call.
    Busy,
    /// Rings until somebody answers by administration, or the caller gives up.
    Ring,
    /// Has no endpoint to ring.
    Unreachable,
    /// Passes the call on to another user.
    Forward,
}

impl Default for Answering {
    fn default() -> Self {
        Self { action: AnsweringAction::Answer, after_ms: 1000, hang_up_after_ms: None, forward_to: None }
    }
}

impl Answering {
    /// This action at once.
    #[must_use]
    pub fn at_once(action: AnsweringAction) -> Self {
        Self { action, after_ms: 0, ..Self::default() }
    }

    /// How long it rings before something happens.
    pub(crate) fn after(&self) -> Duration {
        Duration::from_millis(self.after_ms)
    }

    /// How long the person stays.
    pub(crate) fn hang_up_after(&self) -> Option<Duration> {
        self.hang_up_after_ms.map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_reads_from_json_with_defaults_and_refuses_what_it_does_not_know() {
        let script: Answering = serde_json::from_str(r#"{"action":"busy","afterMs":2500}"#).unwrap();
        assert_eq!((script.action, script.after()), (AnsweringAction::Busy, Duration::from_millis(2500)));
        assert_eq!(serde_json::from_str::<Answering>("{}").unwrap(), Answering::default());
        for bad in [r#"{"action":"dance"}"#, r#"{"afterMs":-1}"#, r#"{"after":1}"#] {
            assert!(serde_json::from_str::<Answering>(bad).is_err(), "{bad}");
        }
    }
}
