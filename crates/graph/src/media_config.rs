//! The `mediaConfig` of a call: who handles its media.
//!
//! App-hosted: the app does, and says how in a blob. Service-hosted: the service
//! plays and records for the app.
//! Spec: <https://learn.microsoft.com/graph/api/resources/mediaconfig>.

use serde::{Deserialize, Serialize};

use crate::LiveCaptionOptions;
use crate::blob::Blob;
use crate::wire::{Extra, TypeTag, Typed, null_as_default, polymorphic};

polymorphic! {
    /// Who handles the media of a call.
    MediaConfig {
        /// The app handles the media itself.
        AppHosted(AppHostedMediaConfig),
        /// The service handles the media for the app.
        ServiceHosted(ServiceHostedMediaConfig),
    }
}

impl MediaConfig {
    /// The blob of an app-hosted configuration.
    pub fn blob(&self) -> Option<&Blob> {
        match self {
            Self::AppHosted(config) => config.blob.as_ref(),
            _ => None,
        }
    }

    /// Whether the app asks to be left out of the default audio group.
    pub fn removes_from_default_audio_group(&self) -> bool {
        match self {
            Self::AppHosted(config) => config.remove_from_default_audio_group == Some(true),
            Self::ServiceHosted(config) => config.remove_from_default_audio_group == Some(true),
            Self::Other(_) => false,
        }
    }
}

/// Media by the app; needs `Calls.AccessMedia.All`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AppHostedMediaConfig {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// What the media stack of the app says to that of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Blob>,
    /// Join outside the main mixer: neither heard nor hearing until routed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_from_default_audio_group: Option<bool>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for AppHostedMediaConfig {
    const TYPE: &'static str = "appHostedMediaConfig";
}

/// Media by the service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHostedMediaConfig {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Prompts to cache before the call is established.
    #[serde(default, deserialize_with = "null_as_default")]
    pub pre_fetch_media: Vec<MediaInfo>,
    /// Join outside the main mixer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remove_from_default_audio_group: Option<bool>,
    /// Where live captions come from; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_caption_options: Option<LiveCaptionOptions>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for ServiceHostedMediaConfig {
    const TYPE: &'static str = "serviceHostedMediaConfig";
}

/// One prompt file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// https URL of a WAV file: mono, 16 bit, 16 kHz.
    pub uri: String,
    /// Key of the service's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for MediaInfo {
    const TYPE: &'static str = "mediaInfo";
}
