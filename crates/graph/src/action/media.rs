//! Media that the service plays or records for an app.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-playprompt>, <https://learn.microsoft.com/graph/api/call-record>, <https://learn.microsoft.com/graph/api/call-senddtmftones>, <https://learn.microsoft.com/graph/api/participant-startholdmusic>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, null_as_default};
use crate::{Prompt, Tone};

/// `playPrompt`: play files to the call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlayPrompt {
    /// What to play, in this order; required.
    #[serde(default, deserialize_with = "null_as_default")]
    pub prompts: Vec<Prompt>,
    /// Play them over and over; beta.
    #[serde(rename = "loop", default, skip_serializing_if = "Option::is_none")]
    pub loop_count: Option<bool>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `recordResponse` (and beta `record`): record what the other party says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordResponse {
    /// What to play before, at most one.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Prompt>,
    /// Whether to interrupt what is being played or recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub barge_in_allowed: Option<bool>,
    /// How long to wait for a first word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_silence_timeout_in_seconds: Option<i32>,
    /// After how much silence to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_silence_timeout_in_seconds: Option<i32>,
    /// When to stop in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_record_duration_in_seconds: Option<i32>,
    /// Whether to beep before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub play_beep: Option<bool>,
    /// Keys that stop the recording, as on the telephone: `#`, `1`, `*`.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub stop_tones: Vec<String>,
    /// Whether the recording can be fetched while it grows; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_while_recording: Option<bool>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `sendDtmfTones`: press keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SendDtmfTones {
    /// The keys, in this order; required.
    #[serde(default, deserialize_with = "null_as_default")]
    pub tones: Vec<Tone>,
    /// Milliseconds between two keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_between_tones_ms: Option<i32>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `startHoldMusic`: put a participant on hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartHoldMusic {
    /// What to play instead of the usual music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_prompt: Option<Prompt>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}
