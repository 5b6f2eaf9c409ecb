//! Meetings: real conversations with people and bots in them.
//!
//! A [`Meeting`] is the roster and the names by which Graph finds it; its sound is an engine conversation behind
//! [`MeetingMedia`]. Changed only by `world`, under the service's lock. Keeps no notifications and no Graph calls.

mod engine_media;
mod media;
mod names;
mod roster;
mod routing;

pub(crate) use engine_media::EngineMedia;
pub(crate) use media::{JoinTerms, MediaAnswer, MediaError, MediaEvent, MediaEventKind, MediaService, MeetingMedia};
pub(crate) use names::{MeetingNames, fresh_passcode};
pub(crate) use roster::RosterFeed;
pub(crate) use routing::{GroupRuleError, check_group};

use std::fmt;
use std::sync::Arc;

use antiphon_graph::{CallId, IdentitySet, ParticipantId};
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

/// A meeting in progress.
#[derive(Debug)]
pub(crate) struct Meeting {
    pub(crate) id: MeetingId,
    pub(crate) subject: String,
    pub(crate) organizer: User,
    pub(crate) names: MeetingNames,
    /// Shared by all calls into this meeting.
    pub(crate) call_chain_id: String,
    pub(crate) media: Arc<dyn MeetingMedia>,
    /// In the order of joining.
    pub(crate) members: Vec<Member>,
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
    pub(crate) connected: bool,
    pub(crate) in_default_group: bool,
    pub(crate) muted: bool,
    /// Bots are shown once their call is established, people from the start.
    pub(crate) in_roster: bool,
}

/// What a participant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MemberKind {
    /// Somebody at a browser or another WebRTC peer; removed if media has not connected by then.
    Person { connect_by: Option<ServiceTime> },
    /// An application by Graph call control.
    Bot { call: CallId },
}

impl Meeting {
    pub(crate) fn tenant_id(&self) -> &str {
        &self.organizer.tenant_id
    }

    pub(crate) fn member(&self, id: &ParticipantId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    pub(crate) fn member_mut(&mut self, id: &ParticipantId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == *id)
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

    /// The calls that have a roster: those of bots in it.
    pub(crate) fn calls_in_roster(&self) -> impl Iterator<Item = &CallId> {
        self.roster().filter_map(Member::call)
    }
}

impl Member {
    pub(crate) fn call(&self) -> Option<&CallId> {
        match &self.kind {
            MemberKind::Bot { call } => Some(call),
            MemberKind::Person { .. } => None,
        }
    }
}
