//! The small value types inside a `call`.
//!
//! Media state, routes, incoming context, tone, transcription and meeting
//! capability. No identity of their own; see `call.rs` for where each is used.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call> and the pages it links.

use serde::{Deserialize, Serialize};

use crate::wire::{DateTimeOffset, Extra, TypeTag, Typed, lenient_i64};
use crate::{AutoAdmittedUsersType, CallTranscriptionState, IdentitySet, MediaState, ParticipantId, RoutingType, Tone};

/// Whether media flows in a call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallMediaState {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Whether audio flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<MediaState>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CallMediaState {
    const TYPE: &'static str = "callMediaState";
}

/// One retargeting of an incoming call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRoute {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Where it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#final: Option<IdentitySet>,
    /// Where it was meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<IdentitySet>,
    /// Why it was retargeted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_type: Option<RoutingType>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CallRoute {
    const TYPE: &'static str = "callRoute";
}

/// Who is behind an incoming call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IncomingContext {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The participant under a recording policy; empty for ordinary calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_participant_id: Option<ParticipantId>,
    /// The delegator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<IdentitySet>,
    /// The participant that triggered the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_participant_id: Option<ParticipantId>,
    /// Who transferred the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transferor: Option<IdentitySet>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for IncomingContext {
    const TYPE: &'static str = "incomingContext";
}

/// One key press of a participant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToneInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Increases with every key press.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub sequence_id: Option<i64>,
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone: Option<Tone>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ToneInfo {
    const TYPE: &'static str = "toneInfo";
}

/// State of a call's transcription.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallTranscriptionInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// When the state last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified_date_time: Option<DateTimeOffset>,
    /// The state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CallTranscriptionState>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for CallTranscriptionInfo {
    const TYPE: &'static str = "callTranscriptionInfo";
}

/// What a meeting allows (beta).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeetingCapability {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Whether anonymous users may dial out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_anonymous_users_to_dial_out: Option<bool>,
    /// Whether anonymous users may start the meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_anonymous_users_to_start_meeting: Option<bool>,
    /// Who skips the lobby.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_admitted_users: Option<AutoAdmittedUsersType>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for MeetingCapability {
    const TYPE: &'static str = "meetingCapability";
}
