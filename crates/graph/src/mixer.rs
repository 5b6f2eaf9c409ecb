//! The mixer levels of `configureMixer` (beta): who hears whom how loud.
//!
//! Known from the reference pages only; today's metadata lacks them.
//! Spec: <https://learn.microsoft.com/graph/api/participant-configuremixer> (beta).

use serde::{Deserialize, Serialize};

use crate::ParticipantId;
use crate::wire::{Extra, TypeTag, Typed, lenient_i64, null_as_default};

/// What one participant hears.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParticipantMixerLevel {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Who hears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<ParticipantId>,
    /// Whether only the listed sources are heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclusive_mode: Option<bool>,
    /// How others are lowered while a source talks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ducking: Option<AudioDuckingConfiguration>,
    /// The sources.
    #[serde(default, deserialize_with = "null_as_default")]
    pub source_levels: Vec<AudioSourceLevel>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ParticipantMixerLevel {
    const TYPE: &'static str = "participantMixerLevel";
}

impl ParticipantMixerLevel {
    /// Whether only the listed sources are heard; a published example spells the member `exclusive`.
    pub fn is_exclusive(&self) -> bool {
        let other = || self.extra.get("exclusive").and_then(serde_json::Value::as_bool);
        self.exclusive_mode.or_else(other).unwrap_or_default()
    }
}

/// How others are lowered while a source talks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioDuckingConfiguration {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Milliseconds to lower them, at most 5000.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub ramp_active: Option<i64>,
    /// Milliseconds to raise them again, at most 5000.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub ramp_inactive: Option<i64>,
    /// Level while lowered, percent.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub lower_level: Option<i64>,
    /// Level otherwise, percent.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub upper_level: Option<i64>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for AudioDuckingConfiguration {
    const TYPE: &'static str = "audioDuckingConfiguration";
}

/// How loud one source is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioSourceLevel {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant: Option<ParticipantId>,
    /// Its level.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub level: Option<i64>,
    /// Whether it lowers the others; needs a ducking configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duck_others: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for AudioSourceLevel {
    const TYPE: &'static str = "audioSourceLevel";
}
