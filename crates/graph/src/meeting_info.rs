//! The `meetingInfo` of a call: which meeting, in three forms.
//!
//! By organizer (with `chatInfo`), by join token, by meeting id and passcode.
//! Spec: <https://learn.microsoft.com/graph/api/resources/meetinginfo>.

use serde::{Deserialize, Serialize};

use crate::IdentitySet;
use crate::wire::{Extra, TypeTag, Typed, polymorphic};

polymorphic! {
    /// Which meeting to join.
    MeetingInfo {
        /// By organizer and chat thread.
        Organizer(OrganizerMeetingInfo),
        /// By a join token.
        Token(TokenMeetingInfo),
        /// By meeting id and passcode.
        JoinMeetingId(JoinMeetingIdMeetingInfo),
    }
}

/// A meeting by its organizer; needs `chatInfo` beside it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizerMeetingInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The organizer: `user.id`, and `user.tenantId`.
    pub organizer: IdentitySet,
    /// Whether the meeting may run without its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_conversation_without_host: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for OrganizerMeetingInfo {
    const TYPE: &'static str = "organizerMeetingInfo";
}

/// A meeting by a join token out of an incoming call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenMeetingInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The token.
    pub token: String,
    /// Whether the meeting may run without its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_conversation_without_host: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for TokenMeetingInfo {
    const TYPE: &'static str = "tokenMeetingInfo";
}

/// A meeting by the id and passcode in its invitation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinMeetingIdMeetingInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The numeric meeting id.
    pub join_meeting_id: String,
    /// The passcode, if the meeting has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
    /// Whether the meeting may run without its host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_conversation_without_host: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for JoinMeetingIdMeetingInfo {
    const TYPE: &'static str = "joinMeetingIdMeetingInfo";
}
