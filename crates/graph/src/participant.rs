//! The `participant` resource: one identity in a conversation's roster.
//!
//! Also what belongs to it: recording and removal state, and the delta that
//! carries only changed participants.
//! Spec: <https://learn.microsoft.com/graph/api/resources/participant>, <https://learn.microsoft.com/graph/api/resources/deltaparticipants>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, TypeTag, Typed, lenient_i64, null_as_default};
use crate::{
    IdentitySet, MediaStream, Modality, OnlineMeetingRestricted, ParticipantId, ParticipantInfo, RecordingStatus,
    SyntheticMediaDetectionInfo,
};

/// A participant. Partial in delta rosters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// The id in the roster.
    pub id: ParticipantId,
    /// Who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<ParticipantInfo>,
    /// Waiting to be let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_in_lobby: Option<bool>,
    /// Muted by itself or by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_muted: Option<bool>,
    /// One entry per modality.
    #[serde(default, deserialize_with = "null_as_default")]
    pub media_streams: Vec<MediaStream>,
    /// Free text published by the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Policy recording state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_info: Option<RecordingInfo>,
    /// Present if the participant left; delta roster only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_state: Option<RemovedState>,
    /// Sequence number of the entry's last change; delta roster only.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub roster_sequence_number: Option<i64>,
    /// Whether the identity is anonymized; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_identity_anonymized: Option<bool>,
    /// Overrides the display name; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_display_name: Option<String>,
    /// What the meeting's protection takes from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restricted_experience: Option<OnlineMeetingRestricted>,
    /// The last report of synthetic media; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synthetic_media_detection: Option<SyntheticMediaDetectionInfo>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for Participant {
    const TYPE: &'static str = "participant";
}

impl Participant {
    /// A participant known by id only.
    pub fn new(id: ParticipantId) -> Self {
        Self {
            odata_type: TypeTag::default(),
            id,
            info: None,
            is_in_lobby: None,
            is_muted: None,
            media_streams: Vec::new(),
            metadata: None,
            recording_info: None,
            removed_state: None,
            roster_sequence_number: None,
            is_identity_anonymized: None,
            preferred_display_name: None,
            restricted_experience: None,
            synthetic_media_detection: None,
            extra: Extra::new(),
        }
    }

    /// The audio stream, if there is one.
    pub fn audio_stream(&self) -> Option<&MediaStream> {
        self.media_streams.iter().find(|stream| stream.media_type == Some(Modality::Audio))
    }

    /// The media source id of the participant's audio, as a number.
    pub fn audio_source_id(&self) -> Option<u32> {
        self.audio_stream()?.source_id()
    }

    /// The name to show.
    pub fn display_name(&self) -> Option<&str> {
        self.preferred_display_name.as_deref().or_else(|| self.info.as_ref().and_then(ParticipantInfo::display_name))
    }
}

/// Policy recording state of a participant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordingInfo {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Who records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiator: Option<IdentitySet>,
    /// Who records; beta.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<ParticipantInfo>,
    /// Whether it records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording_status: Option<RecordingStatus>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for RecordingInfo {
    const TYPE: &'static str = "recordingInfo";
}

/// Why a participant left.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovedState {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for RemovedState {
    const TYPE: &'static str = "removedState";
}

/// The participants changed since the last roster update.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeltaParticipants {
    /// `@odata.type`
    #[serde(rename = "@odata.type", default)]
    pub odata_type: TypeTag<Self>,
    /// Id of the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Order of roster updates.
    #[serde(default, deserialize_with = "lenient_i64", skip_serializing_if = "Option::is_none")]
    pub sequence_number: Option<i64>,
    /// The changed ones, each complete.
    #[serde(default, deserialize_with = "null_as_default")]
    pub participants: Vec<Participant>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Typed for DeltaParticipants {
    const TYPE: &'static str = "deltaParticipants";
}
