//! People without a connection who are heard all the same.
//!
//! Part of [`World`]. Somebody who speaks for the first time gets media by that: a source id, and a place in every routing
//! group that names them.

use std::time::Duration;

use antiphon_graph::ParticipantId;

use super::{PersonError, World};
use crate::meeting::{MeetingId, MemberKind};

impl World {
    /// Lets a person say something, after what they say already. Gives how long they will be heard from now on.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing is said then.
    pub(crate) fn speak(
        &mut self,
        meeting_id: &MeetingId,
        id: &ParticipantId,
        samples: Vec<i16>,
    ) -> Result<Duration, PersonError> {
        let member = self.known_member(meeting_id, id)?;
        if !matches!(member.kind, MemberKind::Person { .. }) {
            return Err(PersonError::SpeaksByItself(id.to_string()));
        }
        let (id, terms, known_by) = (member.id.clone(), member.terms(), member.source_id);
        let meeting = self.meetings.get_mut(meeting_id).expect("invariant: just found under the same lock");
        let spoken = meeting.media.speak(&id, terms, samples)?;
        if known_by != Some(spoken.source_id)
            && let Some(member) = meeting.member_mut(&id)
        {
            member.source_id = Some(spoken.source_id);
            self.renew_routes_of(meeting_id, &id);
            self.publish_change(meeting_id, &id, None);
        }
        Ok(spoken.queued)
    }

    /// Forgets what a person was still to say.
    ///
    /// # Errors
    ///
    /// [`PersonError`] when meeting or participant is unknown.
    pub(crate) fn hush(&self, meeting_id: &MeetingId, id: &ParticipantId) -> Result<(), PersonError> {
        let id = &self.known_member(meeting_id, id)?.id;
        if let Some(meeting) = self.meeting(meeting_id) {
            meeting.media.hush(id);
        }
        Ok(())
    }
}
