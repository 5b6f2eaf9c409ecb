//! The `contentSharingSession` of a call: somebody shares screen or slides.
//!
//! On v1.0 it has an id and nothing else. The picture of the slide is a stream of its own, got by its path.
//! Spec: <https://learn.microsoft.com/graph/api/resources/contentsharingsession>.

use serde::{Deserialize, Serialize};

use crate::ParticipantId;
use crate::wire::{Extra, TypeTag, Typed};

/// A session of content sharing, from its start to its end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentSharingSession {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// 64 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who presents; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presenter_participant_id: Option<ParticipantId>,
    /// The slide as base64, where a reply holds it at all; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub png_of_current_slide: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ContentSharingSession {
    const TYPE: &'static str = "contentSharingSession";
}

impl ContentSharingSession {
    /// The session of an id.
    pub fn of(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }
}
