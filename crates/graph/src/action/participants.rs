//! Actions on several participants of a call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-invite>, <https://learn.microsoft.com/graph/api/participant-muteall>, <https://learn.microsoft.com/graph/api/participant-configuremixer>.

use serde::{Deserialize, Serialize};

use crate::wire::{Extra, null_as_default};
use crate::{InvitationParticipantInfo, ParticipantId, ParticipantMixerLevel};

/// `invite`: call somebody into the call.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteParticipants {
    /// Whom; required.
    #[serde(default, deserialize_with = "null_as_default")]
    pub participants: Vec<InvitationParticipantInfo>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `muteAll` (beta): mute several participants.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MuteAll {
    /// Whom.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<ParticipantId>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}

/// `configureMixer` (beta): set who hears whom how loud.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigureMixer {
    /// What each listed participant hears; required.
    #[serde(default, deserialize_with = "null_as_default")]
    pub participant_mixer_levels: Vec<ParticipantMixerLevel>,
    /// What to recognise the operation by, at most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_context: Option<String>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}
