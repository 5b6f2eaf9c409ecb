//! Joining a meeting by call control, and what a bot does with its own call.
//!
//! Part of [`World`]. Looking a call up checks its owner: another application's call does not exist.

use std::sync::Arc;

use antiphon_graph::{Call as CallResource, CallId, CallState, Participant, ParticipantId};
use thiserror::Error;
use uuid::Uuid;

use super::World;
use crate::call::{Call, CallInput, CallMachine, NewCall};
use crate::clock::ServiceTime;
use crate::entra::Caller;
use crate::meeting::{JoinTerms, MediaError, MeetingId, Member, MemberKind, RosterFeed};
use crate::notify::Outbox;

/// A checked wish to join.
#[derive(Debug)]
pub(crate) struct JoinRequest {
    pub(crate) meeting: MeetingId,
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) display_name: String,
    /// The resource as the reply shall show it, less ids, state and answer.
    pub(crate) resource: CallResource,
    /// The SDP offer of a readable blob.
    pub(crate) offer: Option<String>,
    pub(crate) in_default_group: bool,
    pub(crate) delta_roster: bool,
}

/// A call just made.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) call: CallId,
    pub(crate) call_chain_id: String,
    /// To be emptied by a courier.
    pub(crate) outbox: Arc<Outbox>,
}

/// Why a join failed.
#[derive(Debug, Error)]
pub(crate) enum JoinError {
    #[error("The meeting has ended.")]
    NoMeeting,
    #[error("The meeting is full.")]
    Full,
    #[error("The application has too many calls in progress.")]
    TooManyCalls,
    #[error("The media offer in the blob cannot be answered: {0}")]
    Media(#[from] MediaError),
}

impl World {
    /// Joins a meeting. `finish` gets the resource with its ids and the SDP answer and completes it for the reply.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; nothing has changed then.
    pub(crate) fn join(
        &mut self,
        request: JoinRequest,
        now: ServiceTime,
        finish: impl FnOnce(CallResource, Option<&str>) -> CallResource,
    ) -> Result<Joined, JoinError> {
        let in_progress = self.calls.values().filter(|call| call.app_id == request.app_id).count();
        if in_progress >= self.calls_per_app {
            return Err(JoinError::TooManyCalls);
        }
        let meeting = self.meetings.get_mut(&request.meeting).ok_or(JoinError::NoMeeting)?;
        if meeting.members.len() >= self.participants_limit {
            return Err(JoinError::Full);
        }
        let id = CallId::from(Uuid::new_v4());
        let participant = ParticipantId::from(Uuid::new_v4());
        let terms = JoinTerms { in_default_group: request.in_default_group, muted: false };
        let answer =
            request.offer.as_deref().map(|offer| meeting.media.answer(&participant, offer, terms)).transpose()?;

        let mut resource = request.resource;
        resource.id = Some(id.clone());
        resource.my_participant_id = Some(participant.clone());
        let call_chain_id = resource.call_chain_id.get_or_insert_with(|| meeting.call_chain_id.clone()).clone();
        let resource = finish(resource, answer.as_ref().map(|answer| answer.sdp.as_str()));
        let identity = resource.source.as_ref().and_then(|source| source.identity.clone()).unwrap_or_default();
        meeting.members.push(Member {
            id: participant.clone(),
            identity,
            display_name: request.display_name,
            kind: MemberKind::Bot { call: id.clone() },
            source_id: answer.as_ref().map(|answer| answer.source_id),
            connected: false,
            in_default_group: request.in_default_group,
            muted: false,
            in_roster: false,
        });
        let (machine, effects) = CallMachine::begin(answer.is_some(), now, self.patience);
        let outbox = Arc::new(Outbox::new(self.queued_notifications));
        let call = Call::new(NewCall {
            id: id.clone(),
            app_id: request.app_id,
            tenant_id: request.tenant_id,
            meeting: request.meeting,
            participant,
            resource,
            machine,
            roster: if request.delta_roster { RosterFeed::Delta(0) } else { RosterFeed::Full },
            outbox: Arc::clone(&outbox),
        });
        self.calls.insert(id.clone(), call);
        self.carry_out(&id, effects);
        Ok(Joined { call: id, call_chain_id, outbox })
    }

    /// The call of that id, if it belongs to the caller's application.
    pub(crate) fn own_call(&self, id: &CallId, caller: &Caller) -> Option<&Call> {
        self.calls.get(id).filter(|call| call.app_id == caller.app_id)
    }

    /// All calls in progress.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// Everybody in the call's meeting; empty until the call is established.
    pub(crate) fn participants(&self, call: &Call) -> Vec<Participant> {
        if call.machine.state() != CallState::Established {
            return Vec::new();
        }
        self.meetings.get(&call.meeting).map(|meeting| meeting.participants()).unwrap_or_default()
    }

    /// The bot hangs up.
    pub(crate) fn hang_up(&mut self, id: &CallId, now: ServiceTime) {
        self.feed(id, CallInput::HangUp, now);
    }

    /// The bot is alive.
    pub(crate) fn keep_alive(&mut self, id: &CallId, now: ServiceTime) {
        self.feed(id, CallInput::KeepAlive, now);
    }

    /// Tells a bot that somebody took it out.
    pub(super) fn remove_bot(&mut self, id: &CallId, now: ServiceTime) {
        self.feed(id, CallInput::End(crate::call::removed()), now);
    }
}
