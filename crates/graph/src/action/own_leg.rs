//! What an app does with its own leg, and what takes nothing but a client context.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-changescreensharingrole>, <https://learn.microsoft.com/graph/api/call-updaterecordingstatus>.

use serde::{Deserialize, Serialize};

use crate::wire::Extra;
use crate::{RecordingStatus, ScreenSharingRole};

/// `changeScreenSharingRole`: begin or end sharing a screen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeScreenSharingRole {
    /// The new role; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<ScreenSharingRole>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `updateRecordingStatus`: say whether the app records, under a recording policy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateRecordingStatus {
    /// The new status; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RecordingStatus>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `startTranscription` and `stopTranscription` (beta).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transcription {
    /// Language spoken, such as `en-us`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The body of every action that takes nothing else.
///
/// `mute`, `unmute`, `addLargeGalleryView`, `cancelMediaProcessing`, `subscribeToTone`, `stopHoldMusic`, and in
/// beta `startRecording` and `stopRecording`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithClientContext {
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl WithClientContext {
    /// The body of an optional client context.
    pub fn of(client_context: Option<String>) -> Self {
        Self { client_context, ..Self::default() }
    }
}
