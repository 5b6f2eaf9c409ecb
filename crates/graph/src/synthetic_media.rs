//! Synthetic-media reporting (beta): that somebody's audio or picture is made, not taken.
//!
//! What a detection bot reports of a participant, and what the roster then says of it. The report itself is
//! the body of an action: `action::ReportSyntheticMedia`.
//! Spec: <https://learn.microsoft.com/graph/api/resources/participant> (beta).

use serde::{Deserialize, Serialize};

use crate::ContentModality;
use crate::wire::{Extra, Guid, TypeTag, Typed, lenient_i32, null_as_default};

/// The last report on a participant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyntheticMediaDetectionInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Id of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_id: Option<Guid>,
    /// Who reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_bot: Option<String>,
    /// Whether the participant is trusted all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_participant_trusted: Option<bool>,
    /// How sure the detector is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic_confidence: Option<f64>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for SyntheticMediaDetectionInfo {
    const TYPE: &'static str = "syntheticMediaDetectionInfo";
}

/// One finding of a report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyntheticMediaDetectionDetail {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// In what it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<ContentModality>,
    /// How sure the model is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Which model found it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// What the model was asked.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub model_tasks: Vec<String>,
    /// Where in the media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<MediaSegment>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for SyntheticMediaDetectionDetail {
    const TYPE: &'static str = "syntheticMediaDetectionDetail";
}

/// A stretch of media.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaSegment {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Start, seconds.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub start_time_sec: Option<i32>,
    /// End, seconds.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub end_time_sec: Option<i32>,
    /// Frames of a video.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub frame_indices: Vec<i32>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for MediaSegment {
    const TYPE: &'static str = "mediaSegment";
}

/// The media that was examined.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaMetadata {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// What kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<ContentModality>,
    /// MIME type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Whether it was live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_real_time: Option<bool>,
    /// Length.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub duration: Option<i32>,
    /// Size, bytes.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<i32>,
    /// Of audio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_metadata: Option<AudioMetadata>,
    /// Of video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video_metadata: Option<VideoMetadata>,
    /// Of the stream it came by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming_metadata: Option<StreamingMetadata>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for MediaMetadata {
    const TYPE: &'static str = "mediaMetadata";
}

/// Form of the audio.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioMetadata {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Samples per second.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<i32>,
    /// Channels.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub channels: Option<i32>,
    /// Bits per sample.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub bit_depth: Option<i32>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for AudioMetadata {
    const TYPE: &'static str = "audioMetadata";
}

/// Form of the video.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoMetadata {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Codec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Frames per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<f64>,
    /// Bit rate, kbit/s.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub bitrate_kbps: Option<i32>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for VideoMetadata {
    const TYPE: &'static str = "videoMetadata";
}

/// How the stream arrived.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamingMetadata {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Latency, milliseconds.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<i32>,
    /// Jitter, milliseconds.
    #[serde(default, deserialize_with = "lenient_i32", skip_serializing_if = "Option::is_none")]
    pub network_jitter_ms: Option<i32>,
    /// Share of frames dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_drop_rate: Option<f64>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for StreamingMetadata {
    const TYPE: &'static str = "streamingMetadata";
}
