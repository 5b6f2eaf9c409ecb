//! The `call` resource: one app's leg in a conversation.
//!
//! The same type is the body of a create request, the reply to it, and (partial)
//! the data of a call notification. Only members that are present are written.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed, lenient_i32};
use crate::{
    AudioRoutingGroup, CallDirection, CallId, CallMediaState, CallOptions, CallRoute, CallState, CallTranscriptionInfo,
    ChatInfo, CommsOperation, ContentSharingSession, IncomingContext, InvitationParticipantInfo, MediaConfig,
    MeetingCapability, MeetingInfo, Modality, Participant, ParticipantId, ParticipantInfo, ResultInfo, RoutingPolicy,
    ToneInfo,
};

/// A call. Every member but `callbackUri` may be absent, on notifications that one too.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The id the service gave this leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CallId>,
    /// Where the call is in its life; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<CallState>,
    /// Who placed it; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<CallDirection>,
    /// Where notifications go: absolute, https.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// Shared by all legs of one conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_chain_id: Option<String>,
    /// Notification and roster options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_options: Option<CallOptions>,
    /// How an incoming call was retargeted; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_routes: Option<Vec<CallRoute>>,
    /// The meeting's chat; with organizer meeting info it names the meeting to join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_info: Option<ChatInfo>,
    /// Which meeting, in one of three forms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting_info: Option<MeetingInfo>,
    /// On incoming calls: who is behind them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incoming_context: Option<IncomingContext>,
    /// Who handles the media, and how; required on create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_config: Option<MediaConfig>,
    /// Whether audio flows; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_state: Option<CallMediaState>,
    /// This leg in the roster; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub my_participant_id: Option<ParticipantId>,
    /// What the app wants; required on create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_modalities: Option<Vec<Modality>>,
    /// What is active; beta, but seen on v1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_modalities: Option<Vec<Modality>>,
    /// Why the call ended or a transfer failed; read-only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_info: Option<ResultInfo>,
    /// Outgoing peer-to-peer calls, at most 115 seconds; beta.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub ringing_timeout_in_seconds: Option<i32>,
    /// Outgoing peer-to-peer calls; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_policies: Option<Vec<RoutingPolicy>>,
    /// Originator; the app itself if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ParticipantInfo>,
    /// Subject of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whom to call: one, or two to five for a group call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<InvitationParticipantInfo>>,
    /// Tenant of the token and of the meeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Legacy text; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub termination_reason: Option<String>,
    /// Who picked up; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<ParticipantInfo>,
    /// What the meeting allows; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting_capability: Option<MeetingCapability>,
    /// One key press; only in tone notifications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tone_info: Option<ToneInfo>,
    /// State of the transcription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcription: Option<CallTranscriptionInfo>,
    /// The roster, where expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participants: Option<Vec<Participant>>,
    /// The routing groups, where expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_routing_groups: Option<Vec<AudioRoutingGroup>>,
    /// The content sharing sessions, where expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_sharing_sessions: Option<Vec<ContentSharingSession>>,
    /// The operations, where expanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<CommsOperation>>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for Call {
    const TYPE: &'static str = "call";
}
