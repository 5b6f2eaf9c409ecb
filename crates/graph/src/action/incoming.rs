//! What an app does with an incoming call: answer, reject, redirect.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-answer>, <https://learn.microsoft.com/graph/api/call-reject>, <https://learn.microsoft.com/graph/api/call-redirect>.

use serde::{Deserialize, Serialize};

use crate::call_options::incoming;
use crate::wire::{Extra, null_as_default};
use crate::{CallDisposition, CallOptions, InvitationParticipantInfo, MediaConfig, Modality, RejectReason};

/// `answer`: take the call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Where its notifications go; the app's registered webhook if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// Who handles the media; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_config: Option<MediaConfig>,
    /// What the app takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_modalities: Option<Vec<Modality>>,
    /// How many participants under a recording policy this call takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_capacity: Option<i32>,
    /// Notification and roster options; always written as `incomingCallOptions`.
    #[serde(default, with = "incoming", skip_serializing_if = "Option::is_none")]
    pub call_options: Option<CallOptions>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `reject`: refuse the call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reject {
    /// Why; `none` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<RejectReason>,
    /// Where the notification of its end goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `redirect`: send the call elsewhere.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Redirect {
    /// Where to: one to forward, several to ring at once; required.
    #[serde(default, deserialize_with = "null_as_default")]
    pub targets: Vec<InvitationParticipantInfo>,
    /// Seconds they ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<i32>,
    /// Where later notifications go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_uri: Option<String>,
    /// Show the app instead of the caller; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_caller: Option<bool>,
    /// Show the app instead of the callee; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_callee: Option<bool>,
    /// How the targets are rung; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_disposition: Option<CallDisposition>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}
