//! The `callOptions` of a call: what the app wants to be told.
//!
//! Outgoing (create) and incoming (answer) options have the same members.
//! Spec: <https://learn.microsoft.com/graph/api/resources/calloptions>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed};

/// Options of a call. The tag says `outgoingCallOptions` or `incomingCallOptions`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallOptions {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Hide the app once a peer-to-peer call became a group call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_bot_after_escalation: Option<bool>,
    /// Send content sharing notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_content_sharing_notification_enabled: Option<bool>,
    /// Send `deltaParticipants` instead of full rosters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_delta_roster_enabled: Option<bool>,
    /// Leave view-only attendees out of the delta roster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_interactive_roster_enabled: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CallOptions {
    const TYPE: &'static str = "outgoingCallOptions";
}

const INCOMING: &str = "incomingCallOptions";

impl CallOptions {
    /// Options of an incoming call, none set.
    pub fn incoming() -> Self {
        Self { odata_type: TypeTag::of(INCOMING), ..Self::default() }
    }

    /// The same options of an incoming call.
    #[must_use]
    pub fn into_incoming(self) -> Self {
        Self { odata_type: TypeTag::of(INCOMING), ..self }
    }
}

/// For members where only options of an incoming call can stand: they are that, whatever the tag says.
pub(crate) mod incoming {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::CallOptions;

    pub(crate) fn serialize<S: Serializer>(options: &Option<CallOptions>, serializer: S) -> Result<S::Ok, S::Error> {
        options.clone().map(CallOptions::into_incoming).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CallOptions>, D::Error> {
        Ok(Option::<CallOptions>::deserialize(deserializer)?.map(CallOptions::into_incoming))
    }
}
