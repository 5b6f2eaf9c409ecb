//! What an app reports to the service about media.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-logteleconferencedevicequality>, and beta's service metadata.

use serde::{Deserialize, Serialize};

use crate::wire::{DateTimeOffset, Extra, Guid, null_as_default};
use crate::{DetectionSeverity, MediaMetadata, SyntheticMediaDetectionDetail, TeleconferenceDeviceQuality};

/// `logTeleconferenceDeviceQuality`: how a device's media went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogTeleconferenceDeviceQuality {
    /// The report; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<TeleconferenceDeviceQuality>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `reportSyntheticMedia` (beta): that a participant's media are made, not taken.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportSyntheticMedia {
    /// Id of the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Guid>,
    /// When it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detection_date_time: Option<DateTimeOffset>,
    /// Whether it is meant to deceive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_malicious: Option<bool>,
    /// How sure the detector is, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overall_confidence: Option<f64>,
    /// How bad it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<DetectionSeverity>,
    /// The findings.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub detections: Vec<SyntheticMediaDetectionDetail>,
    /// The media that was examined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_metadata: Option<MediaMetadata>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}
