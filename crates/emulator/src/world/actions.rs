//! What a bot does with its own leg: muting, sharing its screen, saying that it records, listening for keys.
//!
//! Part of [`World`]. Each is done when it is answered; rosters show it. The caller has checked that the call is of a kind
//! and in a state that allows it.

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{CallId, CommsOperation, ParticipantId, ParticipantInfo, RecordingInfo, RecordingStatus};
use thiserror::Error;

use super::World;
use crate::clock::ServiceTime;
use crate::meeting::MeetingId;

/// Why an action did nothing.
#[derive(Debug, Error)]
pub(crate) enum ActionError {
    #[error("Call not found.")]
    NoCall,
    #[error("Too many operations of this call are running.")]
    TooManyOperations,
    #[error("{0}")]
    WrongState(&'static str),
}

impl World {
    /// Mutes the bot for everybody, or lets it be heard again.
    ///
    /// # Errors
    ///
    /// [`ActionError::NoCall`]; nothing has changed then.
    pub(crate) fn mute_own_leg(
        &mut self,
        id: &CallId,
        muted: bool,
        client_context: Option<String>,
    ) -> Result<CommsOperation, ActionError> {
        let (meeting, participant) = self.place_of(id)?;
        self.set_muted(&meeting, &participant, muted).map_err(|_| ActionError::NoCall)?;
        let kind = if muted { OperationKind::MuteParticipant } else { OperationKind::UnmuteParticipant };
        self.done_at_once(id, &kind, client_context)
    }

    /// The bot shows its screen, instead of whoever did, or stops.
    ///
    /// # Errors
    ///
    /// [`ActionError::NoCall`]; nothing has changed then.
    pub(crate) fn share_own_screen(&mut self, id: &CallId, shares: bool, now: ServiceTime) -> Result<(), ActionError> {
        let (meeting, participant) = self.place_of(id)?;
        if shares {
            self.stop_others_sharing(&meeting, &participant, now);
        } else {
            self.stop_sharing_of(&meeting, &participant, now);
        }
        self.set_shares_screen(&meeting, &participant, shares);
        Ok(())
    }

    /// The bot says whether it records.
    ///
    /// # Errors
    ///
    /// [`ActionError::NoCall`]; nothing has changed then.
    pub(crate) fn set_recording_status(
        &mut self,
        id: &CallId,
        status: RecordingStatus,
        client_context: Option<String>,
    ) -> Result<CommsOperation, ActionError> {
        let (meeting, participant) = self.place_of(id)?;
        let member = self.meetings.get_mut(&meeting).and_then(|meeting| meeting.member_mut(&participant));
        let member = member.ok_or(ActionError::NoCall)?;
        member.recording = Some(RecordingInfo {
            initiator: Some(member.identity.clone()),
            initiated_by: Some(ParticipantInfo::of(member.identity.clone())),
            recording_status: Some(status),
            ..RecordingInfo::default()
        });
        self.publish_change(&meeting, &participant, None);
        self.done_at_once(id, &OperationKind::UpdateRecordingStatus, client_context)
    }

    /// From now on the bot is told of keys that are pressed.
    ///
    /// # Errors
    ///
    /// [`ActionError::NoCall`]; nothing has changed then.
    pub(crate) fn subscribe_to_tones(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
    ) -> Result<CommsOperation, ActionError> {
        self.calls.get_mut(id).ok_or(ActionError::NoCall)?.subscribe_to_tones();
        self.done_at_once(id, &OperationKind::SubscribeToTone, client_context)
    }

    /// The conversation of a call and the bot in it.
    pub(super) fn place_of(&self, id: &CallId) -> Result<(MeetingId, ParticipantId), ActionError> {
        let call = self.calls.get(id).ok_or(ActionError::NoCall)?;
        Ok((call.meeting.clone(), call.participant.clone()))
    }

    /// An operation without members of its own that is final when it is answered.
    pub(super) fn done_at_once(
        &mut self,
        id: &CallId,
        kind: &OperationKind,
        client_context: Option<String>,
    ) -> Result<CommsOperation, ActionError> {
        self.finish_at_once(id, kind, client_context, Extra::new()).ok_or(ActionError::NoCall)
    }
}
