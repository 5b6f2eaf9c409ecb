//! The `prompt` of an action: what the service plays to a call.
//!
//! Abstract; the one concrete form is a file by its URL.
//! Spec: <https://learn.microsoft.com/graph/api/resources/prompt>, <https://learn.microsoft.com/graph/api/resources/mediaprompt>.

use serde::{Deserialize, Serialize};

use crate::MediaInfo;
use crate::wire::{Extra, TypeTag, Typed, lenient_i32, polymorphic};

polymorphic! {
    /// What to play.
    Prompt {
        /// A media file.
        Media(MediaPrompt),
    }
}

/// A file to play.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaPrompt {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The file.
    pub media_info: MediaInfo,
    /// How often to play it; beta.
    #[serde(rename = "loop", default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub loop_count: Option<i32>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for MediaPrompt {
    const TYPE: &'static str = "mediaPrompt";
}

impl MediaPrompt {
    /// The file at a URL.
    pub fn of(uri: impl Into<String>) -> Self {
        Self { media_info: MediaInfo { uri: uri.into(), ..MediaInfo::default() }, ..Self::default() }
    }
}
