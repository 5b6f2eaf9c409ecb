//! What a bot asks of the meeting itself: its recording, its transcription, the large gallery.
//!
//! Part of [`World`]. Each takes a moment and shows its effect once the operation has completed; one that fails, because
//! its call ends, has none. What a meeting records or transcribes goes nowhere: there is the state, and who is told of it.

use std::time::Duration;

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::{DateTimeOffset, Extra};
use antiphon_graph::{
    Call as CallResource, CallId, CallTranscriptionInfo, CallTranscriptionState, CommsOperation, Identity, IdentitySet,
    OperationStatus, ParticipantId,
};
use jiff::Timestamp;
use uuid::Uuid;

use super::{ActionError, World};
use crate::call::{Outcome, Pace};
use crate::clock::ServiceTime;
use crate::meeting::{Meeting, MeetingId, Member, MemberKind, Switch};
use crate::notify::Notification;

/// Nominal time such a thing takes.
const MOMENT: Duration = Duration::from_secs(1);

impl World {
    /// Starts the meeting's own recording.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn start_recording(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        if self.meeting_of_call(id)?.recording.wanted {
            return Err(ActionError::WrongState("The meeting is being recorded already."));
        }
        let operation = self.begin_moment(id, &OperationKind::StartRecording, client_context, now)?;
        self.meeting_of_call(id)?.recording.wanted = true;
        Ok(operation)
    }

    /// Stops the meeting's own recording, at once.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn stop_recording(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
    ) -> Result<CommsOperation, ActionError> {
        let recording = &mut self.meeting_of_call(id)?.recording;
        if !recording.wanted {
            return Err(ActionError::WrongState("The meeting is not being recorded."));
        }
        *recording = Switch::default();
        self.done_at_once(id, &OperationKind::StopRecording, client_context)
    }

    /// Starts the meeting's transcription.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn start_transcription(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        if self.meeting_of_call(id)?.transcription.wanted {
            return Err(ActionError::WrongState("The meeting is being transcribed already."));
        }
        let operation = self.begin_moment(id, &OperationKind::StartTranscription, client_context, now)?;
        self.meeting_of_call(id)?.transcription.wanted = true;
        Ok(operation)
    }

    /// Stops the meeting's transcription.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn stop_transcription(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        if !self.meeting_of_call(id)?.transcription.wanted {
            return Err(ActionError::WrongState("The meeting is not being transcribed."));
        }
        let operation = self.begin_moment(id, &OperationKind::StopTranscription, client_context, now)?;
        self.meeting_of_call(id)?.transcription.wanted = false;
        Ok(operation)
    }

    /// Has the large gallery composed: a participant that shows everybody. There is one at most.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn add_large_gallery(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        self.begin_moment(id, &OperationKind::AddLargeGalleryView, client_context, now)
    }

    /// Does what follows from the end of such an operation.
    pub(super) fn follow_meeting_action(&mut self, id: &CallId, operation: &CommsOperation, now: ServiceTime) {
        let worked = operation.status == Some(OperationStatus::Completed);
        let Ok(meeting) = self.meeting_of_call(id) else {
            return;
        };
        let meeting_id = meeting.id.clone();
        match operation.kind() {
            OperationKind::StartRecording => {
                meeting.recording.settle(worked);
            }
            OperationKind::StartTranscription | OperationKind::StopTranscription => {
                self.settle_transcription(&meeting_id, worked, now);
            }
            OperationKind::AddLargeGalleryView if worked => self.show_gallery(&meeting_id),
            _ => {}
        }
    }

    /// Tells a bot that has just come in of a transcription that goes on, or has.
    pub(super) fn show_transcription(&mut self, id: &CallId) {
        let transcribed = self.meeting_of_call(id).ok().and_then(|meeting| meeting.transcribed.clone());
        if let Some(info) = transcribed {
            self.tell(id, |call| {
                call.resource.transcription = Some(info.clone());
                let state = Some(call.machine.state());
                let change = CallResource { state, transcription: Some(info), ..call.change() };
                Some(Notification::event(&call.id, &change))
            });
        }
    }

    /// Ends what makes no sense without bots, or without anybody, once one has left.
    pub(super) fn tidy_up(&mut self, id: &MeetingId, now: ServiceTime) {
        let Some(meeting) = self.meetings.get_mut(id) else {
            return;
        };
        let bots = meeting.members.iter().any(|member| member.call().is_some());
        let gallery = meeting.members.iter().find(|member| member.kind == MemberKind::Gallery);
        if let Some(gallery) = gallery.filter(|_| !bots).map(|gallery| gallery.id.clone()) {
            self.take_out(id, &gallery, now);
        }
        if let Some(meeting) = self.meetings.get_mut(id).filter(|meeting| meeting.inhabitants().next().is_none()) {
            (meeting.recording, meeting.transcription) = (Switch::default(), Switch::default());
            meeting.transcribed = None;
        }
    }

    fn begin_moment(
        &mut self,
        id: &CallId,
        kind: &OperationKind,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        let how = (Pace::After(MOMENT), Outcome::default());
        let begun = self.begin_operation(id, kind, client_context, Extra::new(), how, now);
        begun.ok_or(ActionError::TooManyOperations)
    }

    /// Takes the transcription's state that was asked for; tells every bot if it has changed.
    fn settle_transcription(&mut self, id: &MeetingId, worked: bool, now: ServiceTime) {
        let wall = self.wall_time(now);
        let Some(meeting) = self.meetings.get_mut(id) else {
            return;
        };
        if !meeting.transcription.settle(worked) {
            return;
        }
        meeting.note_transcription(wall);
        for call in self.calls_of(id) {
            if self.calls.get(&call).is_some_and(|call| call.machine.is_in_conversation()) {
                self.show_transcription(&call);
            }
        }
    }

    fn show_gallery(&mut self, id: &MeetingId) {
        let Some(meeting) = self.meetings.get_mut(id) else {
            return;
        };
        if meeting.members.iter().any(|member| member.kind == MemberKind::Gallery) {
            return;
        }
        let name = "Large gallery".to_owned();
        let mut application = Identity { hidden: Some(true), ..Identity::of(Uuid::new_v4().to_string()).named(&name) };
        application.extra.insert("ApplicationType".to_owned(), "LargeGallery-V2".into());
        let participant = ParticipantId::from(Uuid::new_v4());
        let identity = IdentitySet::of_application(application);
        // Not by `add_member`: it is nobody who joined.
        meeting.members.push(Member::new(participant.clone(), identity, name, MemberKind::Gallery));
        self.publish_change(id, &participant, None);
    }

    fn meeting_of_call(&mut self, id: &CallId) -> Result<&mut Meeting, ActionError> {
        let call = self.calls.get(id).ok_or(ActionError::NoCall)?;
        self.meetings.get_mut(&call.meeting).ok_or(ActionError::NoCall)
    }

    fn wall_time(&self, now: ServiceTime) -> Timestamp {
        self.epoch.checked_add(now.since_start()).unwrap_or(Timestamp::MAX)
    }
}

impl Switch {
    /// Takes the state that was asked for, or gives the wish up. Says whether the state has changed.
    fn settle(&mut self, worked: bool) -> bool {
        if !worked {
            self.wanted = self.on;
        }
        std::mem::replace(&mut self.on, self.wanted) != self.on
    }
}

impl Meeting {
    fn note_transcription(&mut self, now: Timestamp) {
        let active = self.transcription.on;
        let state = if active { CallTranscriptionState::Active } else { CallTranscriptionState::Inactive };
        self.transcribed = Some(CallTranscriptionInfo {
            last_modified_date_time: Some(DateTimeOffset::from(now)),
            state: Some(state),
            ..CallTranscriptionInfo::default()
        });
    }
}
