//! Operations on a call's media: prompts, recordings of a response, tones.
//!
//! A completion reason is declared in beta; on v1.0 it may come all the same, as
//! the types are open.
//! Spec: <https://learn.microsoft.com/graph/api/resources/playpromptoperation> and its siblings.

use super::typed_operation;
use crate::{PlayPromptCompletionReason, RecordCompletionReason, SendDtmfCompletionReason};

typed_operation! {
    /// Files being played.
    PlayPromptOperation = "playPromptOperation" {
        /// How it ended; beta.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        completion_reason: Option<PlayPromptCompletionReason>,
    }
}

typed_operation! {
    /// A response being recorded.
    RecordOperation = "recordOperation" {
        /// How it ended; beta.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        completion_reason: Option<RecordCompletionReason>,
        /// URL of the recording, once it is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recording_location: Option<String>,
        /// Bearer token to fetch it with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recording_access_token: Option<String>,
    }
}

typed_operation! {
    /// Keys being pressed.
    SendDtmfTonesOperation = "sendDtmfTonesOperation" {
        /// How it ended; here errors are completions too.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        completion_reason: Option<SendDtmfCompletionReason>,
    }
}

typed_operation! {
    /// Prompts and recordings being cancelled.
    CancelMediaProcessingOperation = "cancelMediaProcessingOperation" {}
}

typed_operation! {
    /// Key presses being asked for.
    SubscribeToToneOperation = "subscribeToToneOperation" {}
}
