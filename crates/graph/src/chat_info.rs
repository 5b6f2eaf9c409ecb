//! The `chatInfo` of a call: the Teams chat behind a meeting.
//!
//! Together with the organizer it names a meeting to join.
//! Spec: <https://learn.microsoft.com/graph/api/resources/chatinfo>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed};

/// A chat thread.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The thread, `19:meeting_...@thread.v2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The message; `0` for scheduled meetings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// The reply chain, in channel meetings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_chain_message_id: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ChatInfo {
    const TYPE: &'static str = "chatInfo";
}
