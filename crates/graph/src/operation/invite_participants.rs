//! The operation behind an invitation of participants.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/inviteparticipantsoperation>.

use serde::{Deserialize, Serialize};

use super::CommsOperation;
use crate::InvitationParticipantInfo;
use crate::wire::null_as_default;

/// An invitation under way: the common members and who is invited.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InviteParticipantsOperation {
    /// Who is invited.
    #[serde(default, deserialize_with = "null_as_default")]
    pub participants: Vec<InvitationParticipantInfo>,
    /// What all operations have.
    #[serde(flatten)]
    pub operation: CommsOperation,
}
