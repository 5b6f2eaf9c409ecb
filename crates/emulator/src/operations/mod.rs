//! What an administrator (or a test) does: the same operations behind the admin API and [`Emulator`](crate::Emulator).
//!
//! Requests and views of meetings and people as plain data, camelCase in JSON. Not here: apps and users, whose types are
//! in `entra`, and what people do with calls (`acts`). Everything is synchronous and quick.

mod acts;
mod plain;

pub use acts::{
    ConversationKind, ConversationView, KeyPresses, NewSharing, NewUserCall, RingAnswer, RingRefusal, RingView,
    UserCallView,
};

pub use plain::{NewPlainLeg, PlainCodec, PlainLegView, PlainSrtp};

use antiphon_graph::blob::SdpType;
use antiphon_graph::{CallId, CallState, Identity, IdentitySet, ParticipantId};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::call::reason::conversation_ended;
use crate::entra::{DirectoryError, NewUser, User};
use crate::meeting::{MediaError, Meeting, MeetingId, MeetingKind, MeetingNames, Member, Schedule, fresh_passcode};
use crate::service::Service;
use crate::speech::SpeechError;
use crate::world::{PersonError, PersonJoining};

/// A meeting to open. Left-out members are made up.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMeeting {
    /// What it is about.
    #[serde(default)]
    pub subject: Option<String>,
    /// Object id of the organizer, a user of this service; a new user if left out.
    #[serde(default)]
    pub organizer_id: Option<String>,
    /// Whether joining by meeting id needs no passcode.
    #[serde(default)]
    pub without_passcode: bool,
    /// Whether bots that join as guests wait until somebody lets them in.
    #[serde(default)]
    pub lobby: bool,
}

impl From<&str> for NewMeeting {
    /// A meeting about this.
    fn from(subject: &str) -> Self {
        Self { subject: Some(subject.to_owned()), ..Self::default() }
    }
}

/// A meeting as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MeetingView {
    /// Name of the meeting in this API.
    pub id: MeetingId,
    /// What it is about.
    pub subject: String,
    /// Tenant of the meeting; the `tenantId` of calls into it.
    pub tenant_id: String,
    /// Who organizes it.
    pub organizer: User,
    /// `chatInfo.threadId`
    pub thread_id: String,
    /// `chatInfo.messageId`
    pub message_id: String,
    /// In the form Teams gives it.
    pub join_url: String,
    /// `joinMeetingId`
    pub join_meeting_id: String,
    /// The passcode that goes with `joinMeetingId`, if the meeting has one.
    pub passcode: Option<String>,
    /// Everybody in it, in the order of joining.
    pub participants: Vec<ParticipantView>,
}

/// A participant as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ParticipantView {
    /// Id in the roster and in routing groups.
    pub participant_id: ParticipantId,
    /// Name shown.
    pub display_name: String,
    /// The call, if it is a bot.
    pub call_id: Option<CallId>,
    /// `mediaStream.sourceId`; absent without media.
    pub source_id: Option<u32>,
    /// Whether media is connected.
    pub connected: bool,
    /// Whether it is in the default group.
    pub in_default_audio_routing_group: bool,
    /// Whether it is muted for everybody.
    pub is_muted: bool,
}

/// A session description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionDescription {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: SdpType,
    /// The SDP, candidates complete.
    pub sdp: String,
}

/// A person to join a meeting.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewPerson {
    /// Name shown; the user's if left out.
    #[serde(default)]
    pub display_name: Option<String>,
    /// A user of this service; a passing guest if left out.
    #[serde(default)]
    pub user_id: Option<String>,
    /// The WebRTC offer; without one the person is in the roster without media.
    #[serde(default)]
    pub offer: Option<SessionDescription>,
    /// Join outside the default group.
    #[serde(default)]
    pub remove_from_default_audio_routing_group: bool,
    /// Join muted.
    #[serde(default)]
    pub is_muted: bool,
}

/// A person who joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PersonView {
    /// Id in the roster and in routing groups.
    pub participant_id: ParticipantId,
    /// `mediaStream.sourceId`; absent without an offer.
    pub source_id: Option<u32>,
    /// The WebRTC answer; absent without an offer.
    pub answer: Option<SessionDescription>,
}

/// Changes to a participant; absent members stay as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParticipantPatch {
    /// In or out of the default group. Graph itself has this only at join and invite.
    #[serde(default)]
    pub in_default_audio_routing_group: Option<bool>,
    /// Muted for everybody or not.
    #[serde(default)]
    pub is_muted: Option<bool>,
}

/// A call as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CallView {
    /// Graph's id of the call.
    pub call_id: CallId,
    /// The application it belongs to.
    pub app_id: String,
    /// The meeting it is in.
    pub meeting_id: MeetingId,
    /// Its participant.
    pub participant_id: ParticipantId,
    /// Its state.
    pub state: CallState,
    /// Notifications waiting to be posted.
    pub notifications_waiting: usize,
}

/// One row of the routing matrix: whom a receiver hears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MatrixRow {
    /// The receiver.
    pub receiver: ParticipantId,
    /// Every source it hears.
    pub sources: Vec<ParticipantId>,
}

/// Why an operation was refused.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The directory refused (culprit: caller).
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Meeting, participant or call is unknown (culprit: caller).
    #[error("{0}")]
    NotFound(String),
    /// The request makes no sense (culprit: caller).
    #[error("{0}")]
    Invalid(String),
    /// The meeting is full (culprit: configuration).
    #[error("{0}")]
    Full(String),
    /// The media engine cannot do it (culprit: environment).
    #[error("{0}")]
    Media(String),
}

impl From<SpeechError> for OperationError {
    fn from(error: SpeechError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<PersonError> for OperationError {
    fn from(error: PersonError) -> Self {
        match error {
            PersonError::NoMeeting(_) | PersonError::NoParticipant(_) => Self::NotFound(error.to_string()),
            PersonError::Full | PersonError::Media(MediaError::Full(_)) => Self::Full(error.to_string()),
            PersonError::Plain(MediaError::Full(_)) => Self::Full(error.to_string()),
            PersonError::Plain(MediaError::Offer(_))
            | PersonError::SpeaksByItself(_)
            | PersonError::Media(MediaError::Offer(_) | MediaError::Speech(_)) => Self::Invalid(error.to_string()),
            PersonError::Media(_) | PersonError::Plain(_) => Self::Media(error.to_string()),
        }
    }
}

impl Service {
    /// Opens a meeting.
    pub(crate) fn create_meeting(&self, new: NewMeeting) -> Result<MeetingView, OperationError> {
        let organizer = self.organizer(new.organizer_id.as_deref())?;
        let passcode = (!new.without_passcode).then(fresh_passcode);
        let names = MeetingNames::fresh(&organizer.tenant_id, &organizer.id, passcode);
        let (id, media) = self.open_media().map_err(|error| OperationError::Media(error.to_string()))?;
        let subject = new.subject.unwrap_or_else(|| "Meeting".to_owned());
        let tenant_id = organizer.tenant_id.clone();
        let kind = MeetingKind::Scheduled(Box::new(Schedule { organizer, names, lobby: new.lobby }));
        let mut world = self.world();
        let meeting = world.open_meeting(id, kind, tenant_id, Some(subject), media);
        Ok(MeetingView::of(meeting).expect("invariant: just opened as a scheduled meeting"))
    }

    fn organizer(&self, id: Option<&str>) -> Result<User, DirectoryError> {
        let mut directory = self.directory();
        match id {
            Some(id) => directory.user(id).cloned().ok_or_else(|| DirectoryError::UnknownUser(id.to_owned())),
            None => directory.add_user(NewUser { display_name: "Organizer".to_owned(), ..NewUser::default() }),
        }
    }

    pub(crate) fn meeting_view(&self, id: &MeetingId) -> Option<MeetingView> {
        self.world().meeting(id).and_then(MeetingView::of)
    }

    pub(crate) fn meeting_views(&self) -> Vec<MeetingView> {
        let world = self.world();
        let mut meetings: Vec<&Meeting> = world.meetings().collect();
        meetings.sort_by_key(|meeting| meeting.serial);
        meetings.into_iter().filter_map(MeetingView::of).collect()
    }

    pub(crate) fn end_meeting(&self, id: &MeetingId) -> Result<(), OperationError> {
        let ended = self.change(|world, now| world.end_meeting(id, &conversation_ended(), now));
        if ended { Ok(()) } else { Err(no_meeting(id)) }
    }

    /// Who hears whom by the engine's plan.
    pub(crate) fn matrix(&self, id: &MeetingId) -> Result<Vec<MatrixRow>, OperationError> {
        let world = self.world();
        let meeting = world.meeting(id).ok_or_else(|| no_meeting(id))?;
        let rows = meeting.media.matrix().into_iter();
        Ok(rows.map(|(receiver, sources)| MatrixRow { receiver, sources }).collect())
    }

    /// Lets a person join by WebRTC.
    pub(crate) fn join_person(&self, meeting: &MeetingId, new: NewPerson) -> Result<PersonView, OperationError> {
        let person = self.person(new)?;
        let joined = self.change(|world, now| world.join_person(meeting, person, now))?;
        Ok(PersonView {
            participant_id: joined.id,
            source_id: joined.answer.as_ref().map(|answer| answer.source_id),
            answer: joined.answer.map(|answer| SessionDescription { kind: SdpType::Answer, sdp: answer.sdp }),
        })
    }

    /// Who that is, for the world.
    fn person(&self, new: NewPerson) -> Result<PersonJoining, OperationError> {
        let user = new
            .user_id
            .map(|id| self.directory().user(&id).cloned().ok_or(DirectoryError::UnknownUser(id)))
            .transpose()?;
        let display_name = new
            .display_name
            .filter(|name| !name.trim().is_empty())
            .or_else(|| user.as_ref().map(|user| user.display_name.clone()))
            .ok_or_else(|| OperationError::Invalid("displayName or userId is required".to_owned()))?;
        let offer = acts::offer(new.offer)?;
        let identity = match user {
            Some(user) => User { display_name: display_name.clone(), ..user }.identity(),
            None => IdentitySet::of_guest(Identity::of(Uuid::new_v4().to_string()).named(&display_name)),
        };
        Ok(PersonJoining {
            id: None,
            identity,
            display_name,
            offer,
            in_default_group: !new.remove_from_default_audio_routing_group,
            muted: new.is_muted,
            hang_up_at: None,
        })
    }

    pub(crate) fn remove_participant(&self, meeting: &MeetingId, id: &ParticipantId) -> Result<(), OperationError> {
        Ok(self.change(|world, now| world.remove_participant(meeting, id, now))?)
    }

    pub(crate) fn patch_participant(
        &self,
        meeting: &MeetingId,
        id: &ParticipantId,
        patch: ParticipantPatch,
    ) -> Result<ParticipantView, OperationError> {
        let mut world = self.world();
        if let Some(inside) = patch.in_default_audio_routing_group {
            world.set_in_default_group(meeting, id, inside)?;
        }
        if let Some(muted) = patch.is_muted {
            world.set_muted(meeting, id, muted)?;
        }
        let meeting_found = world.meeting(meeting).ok_or_else(|| no_meeting(meeting))?;
        let member = meeting_found.member(id);
        member.map(ParticipantView::from).ok_or_else(|| PersonError::NoParticipant(id.to_string()).into())
    }

    /// As [`Service::patch_participant`], the bot named by its call.
    pub(crate) fn patch_call(&self, call: &CallId, patch: ParticipantPatch) -> Result<ParticipantView, OperationError> {
        let (meeting, participant) = self.place_of(call)?;
        self.patch_participant(&meeting, &participant, patch)
    }

    /// Ends a call as if another participant had removed the bot.
    pub(crate) fn remove_call(&self, call: &CallId) -> Result<(), OperationError> {
        let (meeting, participant) = self.place_of(call)?;
        self.remove_participant(&meeting, &participant)
    }

    pub(crate) fn call_views(&self) -> Vec<CallView> {
        let world = self.world();
        world
            .calls()
            .map(|call| CallView {
                call_id: call.id.clone(),
                app_id: call.app_id.clone(),
                meeting_id: call.meeting.clone(),
                participant_id: call.participant.clone(),
                state: call.machine.state(),
                notifications_waiting: call.outbox.len(),
            })
            .collect()
    }

    fn place_of(&self, call: &CallId) -> Result<(MeetingId, ParticipantId), OperationError> {
        let world = self.world();
        let found = world.calls().find(|candidate| candidate.id == *call);
        found
            .map(|call| (call.meeting.clone(), call.participant.clone()))
            .ok_or_else(|| OperationError::NotFound(format!("there is no call {call:?}")))
    }
}

fn no_meeting(id: &MeetingId) -> OperationError {
    PersonError::NoMeeting(id.to_string()).into()
}

impl MeetingView {
    /// The view of a scheduled meeting; other conversations have no names to show.
    fn of(meeting: &Meeting) -> Option<Self> {
        let Schedule { organizer, names, .. } = meeting.schedule()?;
        Some(Self {
            id: meeting.id.clone(),
            subject: meeting.subject.clone().unwrap_or_default(),
            tenant_id: meeting.tenant_id.clone(),
            organizer: organizer.clone(),
            thread_id: names.thread_id.clone(),
            message_id: names.message_id.clone(),
            join_url: names.join_url.clone(),
            join_meeting_id: names.join_meeting_id.clone(),
            passcode: names.passcode.clone(),
            participants: meeting.members.iter().map(ParticipantView::from).collect(),
        })
    }
}

impl From<&Member> for ParticipantView {
    fn from(member: &Member) -> Self {
        Self {
            participant_id: member.id.clone(),
            display_name: member.display_name.clone(),
            call_id: member.call().cloned(),
            source_id: member.source_id,
            connected: member.connected,
            in_default_audio_routing_group: member.in_default_group,
            is_muted: member.muted,
        }
    }
}
