//! The `mediaStream` of a participant: one modality of it.
//!
//! `sourceId` is the number that names the stream in the media itself.
//! Spec: <https://learn.microsoft.com/graph/api/resources/mediastream>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed};
use crate::{MediaDirection, Modality};

/// One stream of a participant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaStream {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Audio, video, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<Modality>,
    /// `main-audio`, `main-video`, `applicationsharing-video`, `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Media source id, a decimal number as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// Seen from the participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<MediaDirection>,
    /// Muted by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_muted: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for MediaStream {
    const TYPE: &'static str = "mediaStream";
}

impl MediaStream {
    /// A participant's main audio stream.
    pub fn main_audio(source_id: u32, direction: MediaDirection) -> Self {
        Self {
            media_type: Some(Modality::Audio),
            label: Some("main-audio".to_owned()),
            source_id: Some(source_id.to_string()),
            direction: Some(direction),
            server_muted: Some(false),
            ..Self::default()
        }
    }

    /// The media source id as a number.
    pub fn source_id(&self) -> Option<u32> {
        self.source_id.as_deref()?.trim().parse().ok()
    }
}
