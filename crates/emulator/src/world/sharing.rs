//! Content sharing: who shows something, and which bots are told.
//!
//! Part of [`World`]. One at a time in a conversation, a newcomer takes over. No video flows: what exists is the session
//! and its current slide, as a PNG.

use std::sync::Arc;

use antiphon_graph::{ChangeType, ContentSharingSession, ParticipantId};
use thiserror::Error;
use uuid::Uuid;

use super::World;
use crate::clock::ServiceTime;
use crate::meeting::{MeetingId, Sharing};
use crate::notify::Notification;

/// Why nothing is shared.
#[derive(Debug, Error)]
pub(crate) enum SharingError {
    #[error("there is no meeting {0:?}")]
    NoMeeting(String),
    #[error("there is no participant {0:?} in this meeting")]
    NoParticipant(String),
    #[error("the slide is not a PNG image")]
    NotPng,
    #[error("{0:?} does not share anything")]
    NotSharing(String),
}

/// Every PNG begins so (ISO/IEC 15948 §5.2).
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

impl World {
    /// Somebody starts sharing, or shows another slide. Gives the id of the session.
    ///
    /// # Errors
    ///
    /// [`SharingError`]; nothing has changed then.
    pub(crate) fn share(
        &mut self,
        meeting_id: &MeetingId,
        presenter: &ParticipantId,
        slide: Arc<[u8]>,
        now: ServiceTime,
    ) -> Result<String, SharingError> {
        if !slide.starts_with(PNG_SIGNATURE) {
            return Err(SharingError::NotPng);
        }
        let meeting = self.meetings.get(meeting_id).ok_or_else(|| SharingError::NoMeeting(meeting_id.to_string()))?;
        let presenter = meeting
            .member(presenter)
            .map(|member| member.id.clone())
            .ok_or_else(|| SharingError::NoParticipant(presenter.to_string()))?;
        let same =
            meeting.sharing.as_ref().filter(|sharing| sharing.presenter == presenter).map(|sharing| sharing.id.clone());
        self.stop_others_sharing(meeting_id, &presenter, now);
        let change = if same.is_some() { ChangeType::Updated } else { ChangeType::Created };
        let id = same.unwrap_or_else(|| format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()));
        if let Some(meeting) = self.meetings.get_mut(meeting_id) {
            meeting.sharing = Some(Sharing { id: id.clone(), presenter: presenter.clone(), slide });
        }
        self.set_shares_screen(meeting_id, &presenter, true);
        self.tell_sharing(meeting_id, &change, &id, &presenter);
        Ok(id)
    }

    /// Somebody stops sharing.
    ///
    /// # Errors
    ///
    /// [`SharingError::NotSharing`] when that participant shares nothing.
    pub(crate) fn stop_sharing(
        &mut self,
        meeting_id: &MeetingId,
        presenter: &ParticipantId,
        now: ServiceTime,
    ) -> Result<(), SharingError> {
        let meeting = self.meetings.get(meeting_id).ok_or_else(|| SharingError::NoMeeting(meeting_id.to_string()))?;
        if meeting.sharing.as_ref().is_none_or(|sharing| sharing.presenter != *presenter) {
            return Err(SharingError::NotSharing(presenter.to_string()));
        }
        self.stop_sharing_of(meeting_id, presenter, now);
        Ok(())
    }

    /// Ends what anybody else shares: there is one screen.
    pub(super) fn stop_others_sharing(&mut self, meeting_id: &MeetingId, presenter: &ParticipantId, now: ServiceTime) {
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        let others = meeting.members.iter().filter(|member| member.shares_screen && member.id != *presenter);
        for other in others.map(|member| member.id.clone()).collect::<Vec<_>>() {
            self.stop_sharing_of(meeting_id, &other, now);
            self.set_shares_screen(meeting_id, &other, false);
        }
    }

    /// Ends what a participant shares, if anything.
    pub(super) fn stop_sharing_of(&mut self, meeting_id: &MeetingId, presenter: &ParticipantId, _now: ServiceTime) {
        let Some(meeting) = self.meetings.get_mut(meeting_id) else {
            return;
        };
        let Some(ended) = meeting.sharing.take_if(|sharing| sharing.presenter == *presenter) else {
            return;
        };
        self.set_shares_screen(meeting_id, presenter, false);
        self.tell_sharing(meeting_id, &ChangeType::Deleted, &ended.id, presenter);
    }

    /// Shows in the roster whether a participant sends its screen.
    pub(crate) fn set_shares_screen(&mut self, meeting_id: &MeetingId, who: &ParticipantId, shares: bool) {
        let Some(member) = self.meetings.get_mut(meeting_id).and_then(|meeting| meeting.member_mut(who)) else {
            return;
        };
        if std::mem::replace(&mut member.shares_screen, shares) != shares {
            self.publish_change(meeting_id, who, None);
        }
    }

    fn tell_sharing(&mut self, meeting_id: &MeetingId, change: &ChangeType, id: &str, presenter: &ParticipantId) {
        let session = ContentSharingSession {
            id: Some(id.to_owned()),
            presenter_participant_id: Some(presenter.clone()),
            ..ContentSharingSession::default()
        };
        for call in self.calls_of(meeting_id) {
            self.tell(&call, |call| {
                let told = call.wants_content_sharing && call.machine.is_in_conversation();
                told.then(|| Notification::content_sharing(&call.id, change.clone(), &session))
            });
        }
    }
}
