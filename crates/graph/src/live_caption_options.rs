//! The `liveCaptionOptions` of a service-hosted `mediaConfig` (beta).
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/livecaptionoptions>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed};

/// Where live captions come from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveCaptionOptions {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// URL of the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_url: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for LiveCaptionOptions {
    const TYPE: &'static str = "liveCaptionOptions";
}
