//! What people do: call a bot, answer, decline, press keys, share their screen, let a guest in.
//!
//! The same operations behind the admin API and [`Emulator`](crate::Emulator). Scripts of users do some of it by
//! themselves; this is how a test or an operator does it by hand.

use std::sync::Arc;
use std::time::Duration;

use antiphon_graph::blob::SdpType;
use antiphon_graph::{CallId, IdentitySet, Modality, ParticipantId, ParticipantInfo, Tone};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::{OperationError, ParticipantView, PersonView, SessionDescription};
use crate::call::reason;
use crate::entra::{App, DirectoryError, User};
use crate::meeting::{Meeting, MeetingId, MeetingKind};
use crate::service::Service;
use crate::world::{Announcement, JoinError, PersonJoining, Ring, RingError, SharingError, World};

/// The slide of whoever shares without giving one: a single white pixel.
const BLANK_SLIDE: &[u8] = include_bytes!("../meeting/slide.png");

/// A user's call to an application.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUserCall {
    /// The application called.
    pub app_id: String,
    /// Invite it into this conversation, where the user must be; a peer-to-peer call if left out.
    #[serde(default)]
    pub meeting_id: Option<MeetingId>,
    /// The user's WebRTC offer, for a peer-to-peer call; without one the user has no media.
    #[serde(default)]
    pub offer: Option<SessionDescription>,
    /// What is offered; audio if left out.
    #[serde(default)]
    pub modalities: Vec<Modality>,
    /// Called to record the user by policy: five seconds to answer, and the call says whom it observes.
    #[serde(default)]
    pub policy_recording: bool,
}

/// A call a user placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct UserCallView {
    /// The conversation the call leads into.
    pub conversation_id: MeetingId,
    /// The call announced to the application.
    pub call_id: CallId,
    /// The user's participant.
    pub participant: PersonView,
}

/// A phone that rings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RingView {
    /// Its id, and the participant id of whoever answers.
    pub ring_id: ParticipantId,
    /// The conversation answering leads into.
    pub conversation_id: MeetingId,
    /// Whom it rings.
    pub display_name: String,
    /// The user's object id, if it rings a user of this service.
    pub user_id: Option<String>,
    /// The announced call, if it rings an application.
    pub call_id: Option<CallId>,
    /// The bot's call it rings for.
    pub rung_by: CallId,
    /// How much longer it rings, in milliseconds.
    pub rings_for_ms: u64,
}

/// How a person answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RingAnswer {
    /// The person's WebRTC offer; without one they have no media.
    #[serde(default)]
    pub offer: Option<SessionDescription>,
}

/// How a person declines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RingRefusal {
    /// Says busy instead of declining.
    #[serde(default)]
    pub busy: bool,
}

/// Keys to press.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyPresses {
    /// In order; Graph's names: `tone0` to `tone9`, `star`, `pound`, `a` to `d`, `flash`.
    pub tones: Vec<Tone>,
}

/// A screen or slide to share.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewSharing {
    /// PNG in base64; a white pixel if left out.
    #[serde(default)]
    pub slide: Option<String>,
}

/// A conversation of any kind as an administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConversationView {
    /// Its id; a scheduled meeting's is its meeting id.
    pub id: MeetingId,
    /// Of which kind.
    pub kind: ConversationKind,
    /// Its tenant.
    pub tenant_id: String,
    /// What it is about.
    pub subject: Option<String>,
    /// `tokenMeetingInfo.token` that joins it.
    pub token: String,
    /// Everybody in it, in the order of joining.
    pub participants: Vec<ParticipantView>,
    /// `contentSharingSession.id`, while somebody shares.
    pub content_sharing_session_id: Option<String>,
}

/// The kinds of conversations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ConversationKind {
    /// Scheduled: found by names, lasts until it is ended.
    Meeting,
    /// Placed to several people.
    GroupCall,
    /// Two ends.
    PeerToPeer,
}

impl From<RingError> for OperationError {
    fn from(error: RingError) -> Self {
        match error {
            RingError::Person(error) => error.into(),
            RingError::Unknown(_) => Self::NotFound(error.to_string()),
            RingError::Application(_) => Self::Invalid(error.to_string()),
        }
    }
}

impl From<SharingError> for OperationError {
    fn from(error: SharingError) -> Self {
        match error {
            SharingError::NotPng => Self::Invalid(error.to_string()),
            _ => Self::NotFound(error.to_string()),
        }
    }
}

impl From<JoinError> for OperationError {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::NoMeeting => Self::NotFound(error.to_string()),
            JoinError::Full | JoinError::TooManyCalls => Self::Full(error.to_string()),
            JoinError::Media(_) => Self::Media(error.to_string()),
        }
    }
}

impl Service {
    /// A user calls an application, alone or into a conversation they are in.
    pub(crate) fn call_app(&self, user_id: &str, new: NewUserCall) -> Result<UserCallView, OperationError> {
        let (user, app) = {
            let directory = self.directory();
            let user = directory.user(user_id).ok_or_else(|| DirectoryError::UnknownUser(user_id.to_owned()))?;
            let app = directory.app(&new.app_id).ok_or_else(|| DirectoryError::UnknownApp(new.app_id.clone()))?;
            (user.clone(), app.clone())
        };
        if !app.calling_bot || app.webhook_url.is_none() {
            return Err(OperationError::Invalid("the application has no webhookUrl to announce a call to".to_owned()));
        }
        let offer = offer(new.offer)?;
        let modalities = if new.modalities.is_empty() { vec![Modality::Audio] } else { new.modalities };
        let mut fresh = match &new.meeting_id {
            Some(_) => None,
            None => Some(self.open_media().map_err(|error| OperationError::Media(error.to_string()))?),
        };
        self.change(|world, now| {
            let (conversation, joined) = match (&new.meeting_id, fresh.take()) {
                (Some(meeting), _) => (meeting.clone(), None),
                (None, Some((id, media))) => {
                    world.open_meeting(id.clone(), MeetingKind::PeerToPeer, user.tenant_id.clone(), None, media);
                    let joined = world.join_person(&id, person_of(&user, offer), now);
                    let joined = joined.inspect_err(|_| world.discard_meeting(&id))?;
                    (id, Some(joined))
                }
                (None, None) => return Err(OperationError::Media("no media for the call".to_owned())),
            };
            let participant = match &joined {
                Some(joined) => joined.id.clone(),
                None => participant_of(world, &conversation, &user)?,
            };
            let announcement = Announcement {
                meeting: conversation.clone(),
                source: shown_source(&user, &app, participant.clone()),
                tenant_id: user.tenant_id.clone(),
                modalities,
                observed: new.policy_recording.then(|| participant.clone()),
                ring: None,
                app,
            };
            let announced = world.announce(announcement, now);
            let call_id = announced.inspect_err(|_| {
                if joined.is_some() {
                    world.discard_meeting(&conversation);
                }
            })?;
            let answer = joined.and_then(|joined| joined.answer);
            Ok(UserCallView {
                conversation_id: conversation,
                call_id,
                participant: PersonView {
                    participant_id: participant,
                    source_id: answer.as_ref().map(|answer| answer.source_id),
                    answer: answer.map(|answer| SessionDescription { kind: SdpType::Answer, sdp: answer.sdp }),
                },
            })
        })
    }

    /// A person without a connection is heard.
    pub(crate) fn speak(
        &self,
        meeting: &MeetingId,
        who: &ParticipantId,
        samples: Vec<i16>,
    ) -> Result<Duration, OperationError> {
        Ok(self.change(|world, _| world.speak(meeting, who, samples))?)
    }

    /// A person has nothing more to say.
    pub(crate) fn hush(&self, meeting: &MeetingId, who: &ParticipantId) -> Result<(), OperationError> {
        Ok(self.world().hush(meeting, who)?)
    }

    /// Everything that rings.
    pub(crate) fn ring_views(&self) -> Vec<RingView> {
        let now = self.clock.now();
        let view = |ring: &Ring| RingView {
            ring_id: ring.id.clone(),
            conversation_id: ring.meeting.clone(),
            display_name: ring.display_name.clone(),
            user_id: ring.user.as_ref().map(|user| user.id.clone()),
            call_id: ring.app_call.clone(),
            rung_by: ring.purpose.call().clone(),
            rings_for_ms: millis(ring.expires_at().since_start().saturating_sub(now.since_start())),
        };
        self.world().rings().map(view).collect()
    }

    /// A person answers.
    pub(crate) fn answer_ring(&self, id: &ParticipantId, answer: RingAnswer) -> Result<PersonView, OperationError> {
        let offer = offer(answer.offer)?;
        let joined = self.change(|world, now| world.answer_ring(id, offer, now))?;
        Ok(PersonView {
            participant_id: joined.id,
            source_id: joined.answer.as_ref().map(|answer| answer.source_id),
            answer: joined.answer.map(|answer| SessionDescription { kind: SdpType::Answer, sdp: answer.sdp }),
        })
    }

    /// A person declines.
    pub(crate) fn refuse_ring(&self, id: &ParticipantId, refusal: RingRefusal) -> Result<(), OperationError> {
        let why = if refusal.busy { reason::busy() } else { reason::declined() };
        self.change(|world, now| {
            if !world.rings().any(|ring| ring.id == *id) {
                return Err(RingError::Unknown(id.to_string()).into());
            }
            world.refuse_ring(id, why, now);
            Ok(())
        })
    }

    /// Lets a guest in from the lobby.
    pub(crate) fn admit(&self, call: &CallId) -> Result<(), OperationError> {
        let admitted = self.change(|world, now| world.admit(call, now));
        let missing = || OperationError::NotFound(format!("no call {:?} waits in a lobby", call.as_str()));
        if admitted { Ok(()) } else { Err(missing()) }
    }

    /// Somebody presses keys; bots that subscribed to tones are told.
    pub(crate) fn press_keys(
        &self,
        meeting: &MeetingId,
        who: &ParticipantId,
        keys: &KeyPresses,
    ) -> Result<(), OperationError> {
        if let Some(unknown) = keys.tones.iter().find(|tone| !tone.is_known()) {
            return Err(OperationError::Invalid(format!("there is no tone {:?}", unknown.as_str())));
        }
        self.change(|world, _| {
            let present = world.meeting(meeting).is_some_and(|meeting| meeting.member(who).is_some());
            if !present {
                return Err(OperationError::NotFound(format!("there is no participant {:?} there", who.as_str())));
            }
            for tone in &keys.tones {
                world.press_key(meeting, tone);
            }
            Ok(())
        })
    }

    /// Somebody shares a screen, or shows another slide; gives the session's id.
    pub(crate) fn share(
        &self,
        meeting: &MeetingId,
        who: &ParticipantId,
        sharing: NewSharing,
    ) -> Result<String, OperationError> {
        let slide: Arc<[u8]> = match sharing.slide {
            None => BLANK_SLIDE.into(),
            Some(text) => {
                let bytes = BASE64_STANDARD.decode(text.trim());
                bytes.map_err(|error| OperationError::Invalid(format!("slide is not base64: {error}")))?.into()
            }
        };
        Ok(self.change(|world, now| world.share(meeting, who, slide, now))?)
    }

    /// Somebody stops sharing.
    pub(crate) fn stop_sharing(&self, meeting: &MeetingId, who: &ParticipantId) -> Result<(), OperationError> {
        Ok(self.change(|world, now| world.stop_sharing(meeting, who, now))?)
    }

    /// Every conversation, of any kind.
    pub(crate) fn conversation_views(&self) -> Vec<ConversationView> {
        self.world().meetings().map(ConversationView::from).collect()
    }

    /// One conversation.
    pub(crate) fn conversation_view(&self, id: &MeetingId) -> Option<ConversationView> {
        self.world().meeting(id).map(ConversationView::from)
    }
}

impl From<&Meeting> for ConversationView {
    fn from(meeting: &Meeting) -> Self {
        Self {
            id: meeting.id.clone(),
            kind: match meeting.kind {
                MeetingKind::Scheduled(_) => ConversationKind::Meeting,
                MeetingKind::GroupCall => ConversationKind::GroupCall,
                MeetingKind::PeerToPeer => ConversationKind::PeerToPeer,
            },
            tenant_id: meeting.tenant_id.clone(),
            subject: meeting.subject.clone(),
            token: meeting.token.clone(),
            participants: meeting.members.iter().map(ParticipantView::from).collect(),
            content_sharing_session_id: meeting.sharing.as_ref().map(|sharing| sharing.id.clone()),
        }
    }
}

/// The SDP of an offer, if there is one.
pub(super) fn offer(offer: Option<SessionDescription>) -> Result<Option<String>, OperationError> {
    match offer {
        None => Ok(None),
        Some(SessionDescription { kind: SdpType::Offer, sdp }) => Ok(Some(sdp)),
        Some(_) => Err(OperationError::Invalid("offer.type must be \"offer\"".to_owned())),
    }
}

fn person_of(user: &User, offer: Option<String>) -> PersonJoining {
    PersonJoining {
        id: None,
        identity: user.identity(),
        display_name: user.display_name.clone(),
        offer,
        in_default_group: true,
        muted: false,
        hang_up_at: None,
    }
}

/// The participant a user is in a conversation.
fn participant_of(world: &World, id: &MeetingId, user: &User) -> Result<ParticipantId, OperationError> {
    let meeting = world.meeting(id).ok_or_else(|| super::no_meeting(id))?;
    let is_user = |identity: &IdentitySet| {
        identity.user.as_ref().and_then(|user| user.id.as_deref()).is_some_and(|id| id.eq_ignore_ascii_case(&user.id))
    };
    let found = meeting.members.iter().find(|member| is_user(&member.identity));
    found
        .map(|member| member.id.clone())
        .ok_or_else(|| OperationError::NotFound(format!("the user {:?} is not in this conversation", user.id)))
}

/// The caller as the application may see them.
fn shown_source(user: &User, app: &App, participant: ParticipantId) -> ParticipantInfo {
    ParticipantInfo {
        participant_id: Some(participant),
        ..ParticipantInfo::of(app.shown(user.identity(), &user.tenant_id))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
