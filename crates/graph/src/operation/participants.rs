//! Operations on participants: invitations, muting, hold music.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/inviteparticipantsoperation> and its siblings.

use super::typed_operation;
use crate::wire::null_as_default;
use crate::{InvitationParticipantInfo, ParticipantId};

typed_operation! {
    /// An invitation under way: the common members and who is invited.
    InviteParticipantsOperation = "inviteParticipantsOperation" {
        /// Who is invited.
        #[serde(default, deserialize_with = "null_as_default")]
        participants: Vec<InvitationParticipantInfo>,
    }
}

typed_operation! {
    /// The app or a participant being muted.
    MuteParticipantOperation = "muteParticipantOperation" {}
}

typed_operation! {
    /// Several participants being muted (beta).
    MuteParticipantsOperation = "muteParticipantsOperation" {
        /// Who is muted.
        #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
        participants: Vec<ParticipantId>,
    }
}

typed_operation! {
    /// The app being unmuted.
    UnmuteParticipantOperation = "unmuteParticipantOperation" {}
}

typed_operation! {
    /// A participant being put on hold.
    StartHoldMusicOperation = "startHoldMusicOperation" {}
}

typed_operation! {
    /// A participant being taken off hold.
    StopHoldMusicOperation = "stopHoldMusicOperation" {}
}
