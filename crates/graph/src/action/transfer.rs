//! Handing an established call over to somebody else.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-transfer>.

use serde::{Deserialize, Serialize};

use crate::wire::Extra;
use crate::{InvitationParticipantInfo, ParticipantInfo};

/// `transfer`: connect the other party with a target.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Who takes over; with `replacesCallId` the transfer is consultative. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_target: Option<InvitationParticipantInfo>,
    /// Who is transferred, out of a group call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transferee: Option<ParticipantInfo>,
    /// Members the metadata does not declare.
    #[serde(flatten)]
    pub extra: Extra,
}
