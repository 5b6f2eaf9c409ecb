//! The `restrictedExperience` of a participant: what a meeting's protection takes from it.
//!
//! v1.0 declares each reason as flags (one text), beta as a list; [`Reasons`]
//! reads both and writes the form it read.
//! Spec: <https://learn.microsoft.com/graph/api/resources/onlinemeetingrestricted>; OData JSON Format 4.01 §7.1 (flags).

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, Reasons, TypeTag, Typed};
use crate::{OnlineMeetingContentSharingDisabledReason, OnlineMeetingVideoDisabledReason};

/// What is disabled, and why.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OnlineMeetingRestricted {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Why content sharing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_sharing_disabled: Option<Reasons<OnlineMeetingContentSharingDisabledReason>>,
    /// Why video is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_disabled: Option<Reasons<OnlineMeetingVideoDisabledReason>>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for OnlineMeetingRestricted {
    const TYPE: &'static str = "onlineMeetingRestricted";
}
