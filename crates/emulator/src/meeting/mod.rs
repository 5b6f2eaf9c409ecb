//! Meetings, group calls and peer-to-peer calls: real conversations with people and bots in them.
//!
//! A [`Meeting`] is the roster, the names by which Graph finds it, and of which kind it is; its sound is an engine
//! conversation behind [`MeetingMedia`]. Changed only by `world`, under the service's lock. Keeps no notifications and no
//! Graph calls.

mod engine_media;
mod media;
mod mouths;
mod names;
mod roster;
mod routing;

pub(crate) use engine_media::EngineMedia;
#[cfg(test)]
pub(crate) use media::Spoken;
pub(crate) use media::{
    JoinTerms, MediaAnswer, MediaError, MediaEvent, MediaEventKind, MediaService, MeetingMedia, PlainAnswer,
    SPEECH_RATE,
};
pub(crate) use mouths::MAX_WAITING;
pub(crate) use names::{MeetingNames, fresh_passcode};
pub(crate) use roster::RosterFeed;
pub(crate) use routing::{GroupRuleError, check_group};

use std::fmt;
use std::sync::Arc;

use antiphon_graph::{
    CallId, CallTranscriptionInfo, ChatInfo, IdentitySet, MeetingInfo, ParticipantId, RecordingInfo,
    SyntheticMediaDetectionInfo, TokenMeetingInfo,
};
use serde::{Deserialize, Serialize};

use crate::clock::ServiceTime;
use crate::entra::User;

/// The administration's name of a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeetingId(String);

impl MeetingId {
    /// Takes the id as text.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MeetingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a conversation came to be; decides how it is found, who sees whom, and when it ends.
#[derive(Debug, Clone)]
pub(crate) enum MeetingKind {
    /// Found by its names; lasts until an administrator ends it.
    Scheduled(Box<Schedule>),
    /// Placed to several people; ends with the last but one.
    GroupCall,
    /// Two ends, no roster; ends with either.
    PeerToPeer,
}

/// What a scheduled meeting has beside its participants.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) organizer: User,
    pub(crate) names: MeetingNames,
    /// Whether guests wait until somebody lets them in.
    pub(crate) lobby: bool,
}

/// A conversation in progress.
#[derive(Debug)]
pub(crate) struct Meeting {
    /// Counts conversations in the order they were opened.
    pub(crate) serial: u64,
    pub(crate) id: MeetingId,
    pub(crate) kind: MeetingKind,
    pub(crate) tenant_id: String,
    pub(crate) subject: Option<String>,
    /// `tokenMeetingInfo.token`: lets whoever is invited join.
    pub(crate) token: String,
    /// Shared by all calls into this meeting.
    pub(crate) call_chain_id: String,
    pub(crate) media: Arc<dyn MeetingMedia>,
    /// In the order of joining.
    pub(crate) members: Vec<Member>,
    /// Most members it ever had.
    pub(crate) peak: usize,
    /// How many have ever joined.
    pub(crate) joined: u32,
    /// What is being shown, if anything is.
    pub(crate) sharing: Option<Sharing>,
    /// The recording of the meeting itself.
    pub(crate) recording: Switch,
    /// The transcription.
    pub(crate) transcription: Switch,
    /// The transcription as calls show it, once there was one.
    pub(crate) transcribed: Option<CallTranscriptionInfo>,
}

/// Something that goes on or does not, and takes a moment to start and to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Switch {
    /// Whether it goes on now.
    pub(crate) on: bool,
    /// What was asked for last.
    pub(crate) wanted: bool,
}

/// Content being shared in a meeting.
#[derive(Debug, Clone)]
pub(crate) struct Sharing {
    /// `contentSharingSession.id`: 64 hexadecimal digits.
    pub(crate) id: String,
    /// Who shares.
    pub(crate) presenter: ParticipantId,
    /// The slide, PNG.
    pub(crate) slide: Arc<[u8]>,
}

/// One participant of a meeting.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: ParticipantId,
    pub(crate) identity: IdentitySet,
    pub(crate) display_name: String,
    pub(crate) kind: MemberKind,
    /// `None` for a participant without media.
    pub(crate) source_id: Option<u32>,
    /// Counts who has joined this conversation; names the stream of those without media.
    pub(crate) number: u32,
    pub(crate) connected: bool,
    pub(crate) in_default_group: bool,
    pub(crate) muted: bool,
    /// Bots are shown once their call is established, people from the start.
    pub(crate) in_roster: bool,
    /// Waits to be let in.
    pub(crate) in_lobby: bool,
    /// Sends its screen.
    pub(crate) shares_screen: bool,
    /// Listens to music.
    pub(crate) on_hold: bool,
    /// Invited not to be shown.
    pub(crate) hidden: bool,
    /// What a recording bot says about its recording.
    pub(crate) recording: Option<RecordingInfo>,
    /// The last report of a detection bot.
    pub(crate) synthetic: Option<SyntheticMediaDetectionInfo>,
}

/// What a participant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberKind {
    /// Somebody at a browser or another WebRTC peer; removed if media has not connected by then, or when they hang up.
    Person { connect_by: Option<ServiceTime>, hang_up_at: Option<ServiceTime> },
    /// An application by Graph call control.
    Bot { call: CallId },
    /// The large gallery: the service's own, a picture of everybody. Nobody for whom a conversation would go on.
    Gallery,
}

impl Meeting {
    /// What only scheduled meetings have.
    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        match &self.kind {
            MeetingKind::Scheduled(schedule) => Some(schedule),
            MeetingKind::GroupCall | MeetingKind::PeerToPeer => None,
        }
    }

    pub(crate) fn is_peer_to_peer(&self) -> bool {
        matches!(self.kind, MeetingKind::PeerToPeer)
    }

    /// The chat of a scheduled meeting.
    pub(crate) fn chat_info(&self) -> Option<ChatInfo> {
        self.schedule().map(|schedule| ChatInfo {
            thread_id: Some(schedule.names.thread_id.clone()),
            message_id: Some(schedule.names.message_id.clone()),
            ..ChatInfo::default()
        })
    }

    /// How somebody invited joins.
    pub(crate) fn token_info(&self) -> MeetingInfo {
        TokenMeetingInfo { token: self.token.clone(), ..TokenMeetingInfo::default() }.into()
    }

    pub(crate) fn member(&self, id: &ParticipantId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    pub(crate) fn member_mut(&mut self, id: &ParticipantId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == *id)
    }

    /// Tells media how a member is in the mix now.
    pub(crate) fn renew_terms(&self, id: &ParticipantId) {
        if let Some(member) = self.member(id) {
            let terms = member.terms();
            self.media.set_in_default_group(&member.id, terms.in_default_group);
            self.media.set_muted(&member.id, terms.muted);
        }
    }

    /// Takes a member out of the list; media is the caller's business.
    pub(crate) fn remove(&mut self, id: &ParticipantId) -> Option<Member> {
        let index = self.members.iter().position(|member| member.id == *id)?;
        Some(self.members.remove(index))
    }

    /// The members everybody sees.
    pub(crate) fn roster(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.in_roster)
    }

    /// The people and bots in it.
    pub(crate) fn inhabitants(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.kind != MemberKind::Gallery)
    }
}

impl Member {
    /// A member who was let in, without media.
    pub(crate) fn new(id: ParticipantId, identity: IdentitySet, display_name: String, kind: MemberKind) -> Self {
        Self {
            id,
            identity,
            display_name,
            kind,
            source_id: None,
            number: 0,
            connected: false,
            in_default_group: true,
            muted: false,
            in_roster: true,
            in_lobby: false,
            shares_screen: false,
            on_hold: false,
            hidden: false,
            recording: None,
            synthetic: None,
        }
    }

    /// Whether it hears and is heard at all: not while it waits in the lobby or listens to music.
    pub(crate) fn takes_part(&self) -> bool {
        !self.in_lobby && !self.on_hold
    }

    /// How it is in the mix now.
    pub(crate) fn terms(&self) -> JoinTerms {
        let outside = !self.takes_part();
        JoinTerms { in_default_group: self.in_default_group && !outside, muted: self.muted || outside }
    }

    pub(crate) fn call(&self) -> Option<&CallId> {
        match &self.kind {
            MemberKind::Bot { call } => Some(call),
            MemberKind::Person { .. } | MemberKind::Gallery => None,
        }
    }

    /// Somebody who can be called, moved and missed.
    pub(crate) fn is_person(&self) -> bool {
        matches!(self.kind, MemberKind::Person { .. })
    }
}
