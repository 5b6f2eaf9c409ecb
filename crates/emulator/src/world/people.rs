//! People in meetings: those who join by WebRTC instead of call control.
//!
//! Part of [`World`]. A person without an offer is in the roster without media, which some tests want.

use antiphon_engine::PlainLeg;
use antiphon_graph::{IdentitySet, ParticipantId};
use thiserror::Error;
use uuid::Uuid;

use super::World;
use crate::call::reason;
use crate::clock::ServiceTime;
use crate::meeting::{JoinTerms, MediaAnswer, MediaError, Meeting, MeetingId, Member, MemberKind, PlainAnswer};

/// Somebody who wants to join.
#[derive(Debug)]
pub(crate) struct PersonJoining {
    /// The participant id, if it is settled already.
    pub(crate) id: Option<ParticipantId>,
    pub(crate) identity: IdentitySet,
    pub(crate) display_name: String,
    pub(crate) offer: Option<String>,
    pub(crate) in_default_group: bool,
    pub(crate) muted: bool,
    pub(crate) hang_up_at: Option<ServiceTime>,
}

impl PersonJoining {
    fn terms(&self) -> JoinTerms {
        JoinTerms { in_default_group: self.in_default_group, muted: self.muted }
    }
}

/// Somebody who joined.
#[derive(Debug)]
pub(crate) struct PersonJoined {
    pub(crate) id: ParticipantId,
    pub(crate) answer: Option<MediaAnswer>,
}

/// Why nothing happened to a person.
#[derive(Debug, Error)]
pub(crate) enum PersonError {
    #[error("there is no meeting {0:?}")]
    NoMeeting(String),
    #[error("there is no participant {0:?} in this meeting")]
    NoParticipant(String),
    #[error("participant {0:?} is an application: it speaks by its own media")]
    SpeaksByItself(String),
    #[error("the meeting is full")]
    Full,
    #[error("the offer cannot be answered: {0}")]
    Media(#[from] MediaError),
    #[error("the plain leg cannot be opened: {0}")]
    Plain(MediaError),
}

impl World {
    /// Lets a person join; everybody sees them at once.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing has changed then.
    pub(crate) fn join_person(
        &mut self,
        meeting_id: &MeetingId,
        person: PersonJoining,
        now: ServiceTime,
    ) -> Result<PersonJoined, PersonError> {
        let joined = self.prepare_person(meeting_id, person, now)?;
        self.publish_change(meeting_id, &joined.id, None);
        Ok(joined)
    }

    /// Adds a person whom nobody has been told of yet.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing has changed then.
    pub(super) fn prepare_person(
        &mut self,
        meeting_id: &MeetingId,
        person: PersonJoining,
        now: ServiceTime,
    ) -> Result<PersonJoined, PersonError> {
        let connect_by = now.after(self.patience.media_setup);
        let meeting = self.meeting_with_room(meeting_id)?;
        let id = person.id.clone().unwrap_or_else(|| ParticipantId::from(Uuid::new_v4()));
        let answer =
            person.offer.as_deref().map(|offer| meeting.media.answer(&id, offer, person.terms())).transpose()?;
        let connect_by = answer.is_some().then_some(connect_by);
        Self::add_person(meeting, &id, person, answer.as_ref().map(|answer| answer.source_id), connect_by);
        Ok(PersonJoined { id, answer })
    }

    fn meeting_with_room(&mut self, meeting_id: &MeetingId) -> Result<&mut Meeting, PersonError> {
        let limit = self.participants_limit;
        let meeting =
            self.meetings.get_mut(meeting_id).ok_or_else(|| PersonError::NoMeeting(meeting_id.to_string()))?;
        if meeting.members.len() >= limit { Err(PersonError::Full) } else { Ok(meeting) }
    }

    /// The last step of joining, which cannot fail: media is there already, and nobody would take it away.
    fn add_person(
        meeting: &mut Meeting,
        id: &ParticipantId,
        person: PersonJoining,
        source_id: Option<u32>,
        connect_by: Option<ServiceTime>,
    ) {
        let kind = MemberKind::Person { connect_by, hang_up_at: person.hang_up_at };
        let member = Member {
            source_id,
            in_default_group: person.in_default_group,
            muted: person.muted,
            ..Member::new(id.clone(), person.identity, person.display_name, kind)
        };
        Self::add_member(meeting, member);
    }

    /// Lets a person join by plain RTP; everybody sees them at once. Nobody waits for their first packet.
    ///
    /// # Errors
    ///
    /// [`PersonError`]; nothing has changed then.
    pub(crate) fn join_plain(
        &mut self,
        meeting_id: &MeetingId,
        person: PersonJoining,
        leg: &PlainLeg,
    ) -> Result<(ParticipantId, PlainAnswer), PersonError> {
        let meeting = self.meeting_with_room(meeting_id)?;
        let id = ParticipantId::from(Uuid::new_v4());
        let joined = meeting.media.plain(&id, leg, person.terms()).map_err(PersonError::Plain)?;
        Self::add_person(meeting, &id, person, Some(joined.source_id), None);
        self.publish_change(meeting_id, &id, None);
        Ok((id, joined))
    }

    /// Takes anybody out: a person leaves, a bot's call ends as removed by another participant, a phone stops ringing.
    ///
    /// # Errors
    ///
    /// [`PersonError`] when meeting or participant is unknown.
    pub(crate) fn remove_participant(
        &mut self,
        meeting_id: &MeetingId,
        id: &ParticipantId,
        now: ServiceTime,
    ) -> Result<(), PersonError> {
        if self.rings.get(id).is_some_and(|ring| ring.meeting == *meeting_id) {
            self.refuse_ring(id, reason::operation_cancelled(), now);
            return Ok(());
        }
        let call = self.known_member(meeting_id, id)?.call().cloned();
        match call {
            Some(call) => self.remove_bot(&call, now),
            None => self.person_leaves(meeting_id, id, now),
        }
        Ok(())
    }

    /// A person hangs up.
    pub(super) fn person_leaves(&mut self, meeting_id: &MeetingId, id: &ParticipantId, now: ServiceTime) {
        self.take_out(meeting_id, id, now);
        self.tidy_up(meeting_id, now);
        self.settle(meeting_id, now);
    }

    /// Puts a participant into the default group or takes it out. Rosters do not show it.
    ///
    /// # Errors
    ///
    /// [`PersonError`] when meeting or participant is unknown.
    pub(crate) fn set_in_default_group(
        &mut self,
        meeting_id: &MeetingId,
        id: &ParticipantId,
        inside: bool,
    ) -> Result<(), PersonError> {
        let id = self.known_member(meeting_id, id)?.id.clone();
        let meeting = self.meetings.get_mut(meeting_id).expect("invariant: just found under the same lock");
        if let Some(member) = meeting.member_mut(&id) {
            member.in_default_group = inside;
            let inside = member.terms().in_default_group;
            meeting.media.set_in_default_group(&id, inside);
        }
        Ok(())
    }

    /// Mutes a participant for everybody, or lets it be heard again; rosters show it.
    ///
    /// # Errors
    ///
    /// [`PersonError`] when meeting or participant is unknown.
    pub(crate) fn set_muted(
        &mut self,
        meeting_id: &MeetingId,
        id: &ParticipantId,
        muted: bool,
    ) -> Result<(), PersonError> {
        let id = self.known_member(meeting_id, id)?.id.clone();
        let meeting = self.meetings.get_mut(meeting_id).expect("invariant: just found under the same lock");
        if let Some(member) = meeting.member_mut(&id) {
            member.muted = muted;
            let muted = member.terms().muted;
            meeting.media.set_muted(&id, muted);
        }
        self.publish_change(meeting_id, &id, None);
        Ok(())
    }

    pub(super) fn known_member(&self, meeting_id: &MeetingId, id: &ParticipantId) -> Result<&Member, PersonError> {
        self.meetings
            .get(meeting_id)
            .ok_or_else(|| PersonError::NoMeeting(meeting_id.to_string()))?
            .member(id)
            .ok_or_else(|| PersonError::NoParticipant(id.to_string()))
    }
}
