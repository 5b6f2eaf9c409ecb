//! Putting participants on hold, and back into the conversation.
//!
//! Part of [`World`]. Whoever is on hold is out of the mix and out of routing groups, and rosters show an inactive
//! direction; both change when the operation completes. The music itself is not there yet: they hear nothing. A hold ends
//! with the call that asked for it. Spec: "participant: startHoldMusic", "participant: stopHoldMusic".

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{CallId, CommsOperation, OperationStatus, ParticipantId};
use thiserror::Error;

use super::World;
use super::operations::A_MOMENT;
use crate::call::{Hold, HoldPhase, Outcome, Pace, reason};
use crate::clock::ServiceTime;
use crate::meeting::MeetingId;

/// Why nobody's hold changes.
#[derive(Debug, Error)]
pub(crate) enum HoldError {
    #[error("Call not found.")]
    NoCall,
    #[error("Participant {0} is on hold for this call: only one can be at a time.")]
    AnotherOnHold(ParticipantId),
    #[error("Participant {0} is put on hold by another call.")]
    HeldByAnother(ParticipantId),
    #[error("Participant {0} waits in the lobby.")]
    InLobby(ParticipantId),
    #[error("Participant {0} is not on hold for this call.")]
    NotOnHold(ParticipantId),
    #[error("Too many operations of this call are running.")]
    TooManyOperations,
}

impl World {
    /// Begins to put a participant on hold.
    ///
    /// # Errors
    ///
    /// [`HoldError`]; nothing has changed then.
    pub(crate) fn start_hold(
        &mut self,
        id: &CallId,
        who: &ParticipantId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, HoldError> {
        let call = self.calls.get(id).ok_or(HoldError::NoCall)?;
        if let Some(hold) = &call.hold {
            return Err(HoldError::AnotherOnHold(hold.participant.clone()));
        }
        let mut others = self.calls.values().filter(|other| other.meeting == call.meeting);
        if others.any(|other| other.hold.as_ref().is_some_and(|hold| hold.participant == *who)) {
            return Err(HoldError::HeldByAnother(who.clone()));
        }
        if self.participant_of(call, who).is_none_or(|member| member.in_lobby) {
            return Err(HoldError::InLobby(who.clone()));
        }
        self.change_hold(id, who, &OperationKind::StartHoldMusic, client_context, HoldPhase::Starting, now)
    }

    /// Begins to take a participant off hold.
    ///
    /// # Errors
    ///
    /// [`HoldError`]; nothing has changed then.
    pub(crate) fn stop_hold(
        &mut self,
        id: &CallId,
        who: &ParticipantId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, HoldError> {
        let call = self.calls.get(id).ok_or(HoldError::NoCall)?;
        let holds = |hold: &Hold| hold.participant == *who && hold.phase == HoldPhase::On;
        if !call.hold.as_ref().is_some_and(holds) {
            return Err(HoldError::NotOnHold(who.clone()));
        }
        self.change_hold(id, who, &OperationKind::StopHoldMusic, client_context, HoldPhase::Stopping, now)
    }

    fn change_hold(
        &mut self,
        id: &CallId,
        who: &ParticipantId,
        kind: &OperationKind,
        client_context: Option<String>,
        phase: impl FnOnce(String) -> HoldPhase,
        now: ServiceTime,
    ) -> Result<CommsOperation, HoldError> {
        let how = (Pace::After(A_MOMENT), Outcome::default());
        let begun = self.begin_operation(id, kind, client_context, Extra::new(), how, now);
        let operation = begun.ok_or(HoldError::TooManyOperations)?;
        if let Some(call) = self.calls.get_mut(id) {
            let phase = phase(operation.id.clone().unwrap_or_default());
            call.hold = Some(Hold { participant: who.clone(), phase });
        }
        Ok(operation)
    }

    /// An operation has completed: the hold it was for takes effect.
    pub(super) fn hold_changes(&mut self, id: &CallId, operation: &CommsOperation) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let Some(mut hold) = call.hold.take_if(|hold| hold.operation() == operation.id.as_deref()) else {
            return;
        };
        let (meeting, who) = (call.meeting.clone(), hold.participant.clone());
        let starts = matches!(hold.phase, HoldPhase::Starting(_));
        if starts {
            hold.phase = HoldPhase::On;
            call.hold = Some(hold);
        }
        self.set_on_hold(&meeting, &who, starts);
    }

    /// A call ends: whoever was on hold for it is back.
    pub(super) fn release_hold(&mut self, id: &CallId) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let meeting = call.meeting.clone();
        if let Some(hold) = call.hold.take() {
            self.set_on_hold(&meeting, &hold.participant, false);
        }
    }

    /// Somebody leaves: nobody holds them any more, and what was under way fails.
    pub(super) fn forget_hold(&mut self, meeting: &MeetingId, gone: &ParticipantId, now: ServiceTime) {
        for id in self.calls_of(meeting) {
            let hold = self.calls.get_mut(&id).and_then(|call| call.hold.take_if(|hold| hold.participant == *gone));
            if let Some(operation) = hold.as_ref().and_then(Hold::operation) {
                let result = Some(reason::operation_cancelled());
                self.end_operation(&id, operation, OperationStatus::Failed, result, now);
            }
        }
    }

    fn set_on_hold(&mut self, meeting_id: &MeetingId, who: &ParticipantId, on_hold: bool) {
        let Some(meeting) = self.meetings.get_mut(meeting_id) else {
            return;
        };
        let Some(member) = meeting.member_mut(who) else {
            return;
        };
        if std::mem::replace(&mut member.on_hold, on_hold) == on_hold {
            return;
        }
        meeting.renew_terms(who);
        self.renew_routes_of(meeting_id, who);
        self.publish_change(meeting_id, who, None);
    }
}
