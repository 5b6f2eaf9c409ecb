//! Participants joining and leaving under a recording bot that took several of them.
//!
//! A bot that answered with a capacity is told of later participants on the same
//! call. The reply to a joining notification is no empty 202 but a body: one of
//! [`ParticipantJoiningResponse`].
//! Spec: <https://learn.microsoft.com/graph/api/resources/participantjoiningnotification>, <https://learn.microsoft.com/graph/api/resources/participantleftnotification>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed, polymorphic};
use crate::{Call, ParticipantId, RejectReason};

/// Another participant under the bot's policy is about to join.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantJoiningNotification {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Id of the notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The call as an incoming one would have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ParticipantJoiningNotification {
    const TYPE: &'static str = "participantJoiningNotification";
}

/// Such a participant has left.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantLeftNotification {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Id of the notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_id: Option<ParticipantId>,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ParticipantLeftNotification {
    const TYPE: &'static str = "participantLeftNotification";
}

polymorphic! {
    /// What the bot answers to a participant that is joining.
    ParticipantJoiningResponse {
        /// Take it into this call.
        Accept(AcceptJoinResponse),
        /// Refuse it.
        Reject(RejectJoinResponse),
        /// Have another bot called for it.
        InviteNewBot(InviteNewBotResponse),
    }
}

/// Takes the participant into this call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AcceptJoinResponse {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for AcceptJoinResponse {
    const TYPE: &'static str = "acceptJoinResponse";
}

/// Refuses the participant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RejectJoinResponse {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectReason>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for RejectJoinResponse {
    const TYPE: &'static str = "rejectJoinResponse";
}

/// Has another bot called for the participant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteNewBotResponse {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Where the incoming call is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite_uri: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for InviteNewBotResponse {
    const TYPE: &'static str = "inviteNewBotResponse";
}

impl ParticipantJoiningResponse {
    /// Take it.
    pub fn accept() -> Self {
        AcceptJoinResponse::default().into()
    }

    /// Refuse it.
    pub fn reject(reason: RejectReason) -> Self {
        RejectJoinResponse { reason: Some(reason), ..RejectJoinResponse::default() }.into()
    }

    /// Have a bot elsewhere called.
    pub fn invite_new_bot(invite_uri: impl Into<String>) -> Self {
        InviteNewBotResponse { invite_uri: Some(invite_uri.into()), ..InviteNewBotResponse::default() }.into()
    }
}
