//! The `audioRoutingGroup` resource: a private audio path inside a call.
//!
//! From `sources` to `receivers`, on top of the default group. The rules (one
//! source, how many receivers) are the service's; here is only the shape.
//! Spec: <https://learn.microsoft.com/graph/api/resources/audioroutinggroup>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed, null_as_default};
use crate::{ParticipantId, RoutingMode};

/// A route from sources to receivers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioRoutingGroup {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The name the app chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// One to one, or one to many.
    pub routing_mode: RoutingMode,
    /// Who is heard; the service takes exactly one.
    #[serde(default, deserialize_with = "null_as_default")]
    pub sources: Vec<ParticipantId>,
    /// Who hears.
    #[serde(default, deserialize_with = "null_as_default")]
    pub receivers: Vec<ParticipantId>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for AudioRoutingGroup {
    const TYPE: &'static str = "audioRoutingGroup";
}

impl AudioRoutingGroup {
    /// A group of any mode.
    pub fn new(
        id: impl Into<String>,
        routing_mode: RoutingMode,
        sources: Vec<ParticipantId>,
        receivers: Vec<ParticipantId>,
    ) -> Self {
        Self {
            odata_type: TypeTag::default(),
            id: Some(id.into()),
            routing_mode,
            sources,
            receivers,
            extra: Extra::new(),
        }
    }

    /// From one source to one receiver.
    pub fn one_to_one(id: impl Into<String>, source: ParticipantId, receiver: ParticipantId) -> Self {
        Self::new(id, RoutingMode::OneToOne, vec![source], vec![receiver])
    }

    /// From one source to several receivers.
    pub fn multicast(id: impl Into<String>, source: ParticipantId, receivers: Vec<ParticipantId>) -> Self {
        Self::new(id, RoutingMode::Multicast, vec![source], receivers)
    }
}

/// The body of a PATCH: absent members stay as they are.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioRoutingGroupUpdate {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<AudioRoutingGroup>,
    /// The new receivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receivers: Option<Vec<ParticipantId>>,
    /// The new sources; the service may refuse a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<ParticipantId>>,
    /// The new mode; the service may refuse a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_mode: Option<RoutingMode>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl AudioRoutingGroupUpdate {
    /// New receivers for the group.
    pub fn receivers(receivers: Vec<ParticipantId>) -> Self {
        Self { receivers: Some(receivers), ..Self::default() }
    }
}
