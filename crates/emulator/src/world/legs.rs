//! Putting a bot's leg into a conversation, by whatever way it comes.
//!
//! Part of [`World`]. Joining a meeting, placing a peer-to-peer or group call: one leg, that waits for its media and
//! perhaps for an answer or for being let in.

use std::sync::Arc;

use antiphon_graph::wire::Version;
use antiphon_graph::{Call as CallResource, CallId, ParticipantId};
use thiserror::Error;
use uuid::Uuid;

use super::World;
use crate::call::{Call, CallMachine, Expectations, NewCall};
use crate::clock::ServiceTime;
use crate::meeting::{MediaError, MeetingId, Member, MemberKind};
use crate::notify::{Address, Outbox, Recipient};

/// A checked wish to have a leg.
#[derive(Debug)]
pub(crate) struct NewLeg {
    pub(crate) meeting: MeetingId,
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) display_name: String,
    /// The resource as the reply shall show it, less ids, state and answer.
    pub(crate) resource: CallResource,
    /// The SDP offer of a readable blob.
    pub(crate) offer: Option<String>,
    pub(crate) in_default_group: bool,
    /// Where notifications go.
    pub(crate) address: Address,
    /// What it waits for beside media.
    pub(crate) expectations: Expectations,
    /// The version of the API it was asked for by.
    pub(crate) version: Version,
}

/// Why there is no leg.
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
    /// Puts a leg into a conversation. `finish` gets the resource with its ids and the SDP answer and completes it for the
    /// reply.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; nothing has changed then.
    pub(crate) fn place_leg(
        &mut self,
        leg: NewLeg,
        now: ServiceTime,
        finish: impl FnOnce(CallResource, Option<&str>) -> CallResource,
    ) -> Result<CallId, JoinError> {
        self.check_quota(&leg.app_id)?;
        let in_lobby = leg.expectations.admission;
        let participant = ParticipantId::from(Uuid::new_v4());
        let member = Member {
            in_default_group: leg.in_default_group,
            in_roster: in_lobby,
            in_lobby,
            ..Member::new(
                participant.clone(),
                leg.resource.source.as_ref().and_then(|source| source.identity.clone()).unwrap_or_default(),
                leg.display_name,
                MemberKind::Bot { call: CallId::new("") },
            )
        };
        let id = CallId::from(Uuid::new_v4());
        let answer = self.enter_media(&leg.meeting, member, &id, leg.offer.as_deref())?;
        let chain = self.meetings.get(&leg.meeting).map(|meeting| meeting.call_chain_id.clone()).unwrap_or_default();
        let mut resource = leg.resource;
        resource.id = Some(id.clone());
        resource.my_participant_id = Some(participant.clone());
        let call_chain_id = resource.call_chain_id.get_or_insert(chain).clone();
        let resource = finish(resource, answer.as_deref());
        let (machine, effects) = CallMachine::begin(answer.is_some(), leg.expectations, now, self.patience);
        let outbox = self.new_outbox(&id, &leg.app_id, &leg.tenant_id, call_chain_id, leg.address);
        let call = Call::new(NewCall {
            id: id.clone(),
            app_id: leg.app_id,
            tenant_id: leg.tenant_id,
            meeting: leg.meeting.clone(),
            participant: participant.clone(),
            resource,
            machine,
            outbox,
            version: leg.version,
        });
        self.calls.insert(id.clone(), call);
        self.carry_out(&id, effects, now);
        if in_lobby {
            self.publish_change(&leg.meeting, &participant, None);
        }
        Ok(id)
    }

    /// Whether the application may have another call.
    pub(super) fn check_quota(&self, app_id: &str) -> Result<(), JoinError> {
        let in_progress = self.calls.values().filter(|call| call.app_id == app_id).count();
        if in_progress >= self.calls_per_app { Err(JoinError::TooManyCalls) } else { Ok(()) }
    }

    /// Adds a bot's participant with its media; gives the SDP answer.
    pub(super) fn enter_media(
        &mut self,
        meeting: &MeetingId,
        mut member: Member,
        call: &CallId,
        offer: Option<&str>,
    ) -> Result<Option<String>, JoinError> {
        let limit = self.participants_limit;
        let meeting = self.meetings.get_mut(meeting).ok_or(JoinError::NoMeeting)?;
        if meeting.members.len() >= limit {
            return Err(JoinError::Full);
        }
        let terms = member.terms();
        let answer = offer.map(|offer| meeting.media.answer(&member.id, offer, terms)).transpose()?;
        member.source_id = answer.as_ref().map(|answer| answer.source_id);
        member.kind = MemberKind::Bot { call: call.clone() };
        Self::add_member(meeting, member);
        Ok(answer.map(|answer| answer.sdp))
    }

    /// The queue of a new call's notifications; its courier is started by whoever holds the service.
    pub(super) fn new_outbox(
        &mut self,
        call: &CallId,
        app_id: &str,
        tenant_id: &str,
        call_chain_id: String,
        address: Address,
    ) -> Arc<Outbox> {
        let outbox = Arc::new(Outbox::new(self.queued_notifications, address));
        let recipient =
            Recipient { call: call.clone(), app_id: app_id.to_owned(), tenant_id: tenant_id.to_owned(), call_chain_id };
        self.new_couriers.push((recipient, Arc::clone(&outbox)));
        outbox
    }
}
