//! Calls to a bot: announced, answered, rejected, passed on.
//!
//! Part of [`World`]. Whoever calls is a person in a conversation of their own, a person who invites the bot into a
//! meeting, or another bot whose call rings this one.

use antiphon_graph::action::Answer;
use antiphon_graph::wire::Version;
use antiphon_graph::{
    Call as CallResource, CallDirection, CallId, IdentitySet, IncomingContext, InvitationParticipantInfo, Modality,
    ParticipantId, ParticipantInfo, ResultInfo,
};
use uuid::Uuid;

use super::{JoinError, NewRing, Purpose, World};
use crate::call::{Call, CallInput, CallMachine, NewCall};
use crate::clock::ServiceTime;
use crate::entra::{App, Callee};
use crate::meeting::{MeetingId, Member, MemberKind};
use crate::notify::Address;

/// A call to announce to an application.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) app: App,
    pub(crate) meeting: MeetingId,
    /// Who calls, as the bot may see it.
    pub(crate) source: ParticipantInfo,
    pub(crate) tenant_id: String,
    pub(crate) modalities: Vec<Modality>,
    /// The participant under recording policy, if the bot is called to record.
    pub(crate) observed: Option<ParticipantId>,
    /// The ring this announcement is, if another bot calls.
    pub(crate) ring: Option<ParticipantId>,
}

/// How a bot answers.
#[derive(Debug)]
pub(crate) struct AnswerTerms {
    pub(crate) request: Answer,
    /// The SDP offer of a readable blob.
    pub(crate) offer: Option<String>,
    pub(crate) in_default_group: bool,
    pub(crate) display_name: String,
    /// Where notifications go from now on, if the bot says so.
    pub(crate) address: Option<Address>,
    /// The version of the API the answer came by.
    pub(crate) version: Version,
}

impl World {
    /// Announces a call to an application's webhook; the bot has its time to answer from now on.
    ///
    /// # Errors
    ///
    /// [`JoinError`] when the application has too many calls or the conversation is over.
    pub(crate) fn announce(&mut self, new: Announcement, now: ServiceTime) -> Result<CallId, JoinError> {
        self.check_quota(&new.app.app_id)?;
        let meeting = self.meetings.get(&new.meeting).ok_or(JoinError::NoMeeting)?;
        let id = CallId::from(Uuid::new_v4());
        let participant = new.ring.clone().unwrap_or_else(|| ParticipantId::from(Uuid::new_v4()));
        let webhook = new.app.webhook_url.clone().unwrap_or_default();
        let me =
            IdentitySet::of_application(antiphon_graph::Identity::of(&new.app.app_id).named(&new.app.display_name));
        let whole_meeting = !meeting.is_peer_to_peer();
        let resource = CallResource {
            id: Some(id.clone()),
            direction: Some(CallDirection::Incoming),
            callback_uri: Some(webhook.clone()),
            call_chain_id: Some(meeting.call_chain_id.clone()),
            call_routes: Some(Vec::new()),
            chat_info: meeting.chat_info(),
            meeting_info: whole_meeting.then(|| meeting.token_info()),
            incoming_context: new.observed.clone().map(|observed| IncomingContext {
                source_participant_id: Some(observed.clone()),
                observed_participant_id: Some(observed),
                ..IncomingContext::default()
            }),
            my_participant_id: Some(participant.clone()),
            requested_modalities: Some(new.modalities),
            source: Some(new.source),
            subject: meeting.subject.clone(),
            targets: Some(vec![InvitationParticipantInfo {
                identity: Some(me),
                ..InvitationParticipantInfo::default()
            }]),
            tenant_id: Some(new.tenant_id.clone()),
            ..CallResource::default()
        };
        let patience = if new.observed.is_some() { self.patience.answer_recording } else { self.patience.answer };
        let chain = meeting.call_chain_id.clone();
        let address = Address { callback_uri: webhook, scenario_id: None };
        let outbox = self.new_outbox(&id, &new.app.app_id, &new.tenant_id, chain, address);
        let mut call = Call::new(NewCall {
            id: id.clone(),
            app_id: new.app.app_id,
            tenant_id: new.tenant_id,
            meeting: new.meeting,
            participant,
            resource,
            machine: CallMachine::incoming(now.after(patience)),
            outbox,
            version: Version::V1,
        });
        call.ring = new.ring;
        self.calls.insert(id.clone(), call);
        self.tell(&id, |call| Some(call.announcement()));
        Ok(id)
    }

    /// The bot answers an announced call; the caller has checked that it may. `finish` completes the resource with the SDP
    /// answer.
    ///
    /// # Errors
    ///
    /// [`JoinError`]; nothing has changed then.
    pub(crate) fn answer(
        &mut self,
        id: &CallId,
        terms: AnswerTerms,
        now: ServiceTime,
        finish: impl FnOnce(CallResource, Option<&str>) -> CallResource,
    ) -> Result<(), JoinError> {
        let call = self.calls.get(id).ok_or(JoinError::NoMeeting)?;
        let (meeting, participant) = (call.meeting.clone(), call.participant.clone());
        let identity = call
            .resource
            .targets
            .as_ref()
            .and_then(|targets| targets.first())
            .and_then(|target| target.identity.clone())
            .unwrap_or_default();
        let ring = call.ring.as_ref().and_then(|ring| self.rings.get(ring));
        let member = Member {
            in_default_group: terms.in_default_group && ring.is_none_or(|ring| ring.in_default_group),
            hidden: ring.is_some_and(|ring| ring.hidden),
            in_roster: false,
            ..Member::new(participant, identity, terms.display_name, MemberKind::Bot { call: id.clone() })
        };
        let answer = self.enter_media(&meeting, member, id, terms.offer.as_deref())?;
        let call = self.calls.get_mut(id).ok_or(JoinError::NoMeeting)?;
        if let Some(address) = terms.address {
            call.resource.callback_uri = Some(address.callback_uri.clone());
            call.outbox.readdress(address);
        }
        call.roster.version = terms.version;
        let request = terms.request;
        call.resource.media_config = request.media_config;
        call.resource.call_options = request.call_options;
        if let Some(accepted) = request.accepted_modalities.filter(|accepted| !accepted.is_empty()) {
            call.resource.requested_modalities = Some(accepted);
        }
        call.resource = finish(std::mem::take(&mut call.resource), answer.as_deref());
        call.follow_options();
        let ring = call.ring.take();
        if let Some(ring) = ring {
            self.ring_answered_by_bot(&ring, now);
        }
        self.feed(id, CallInput::Answer { has_media: answer.is_some() }, now);
        self.settle(&meeting, now);
        Ok(())
    }

    /// The bot does not take an announced call; whoever rings is told why.
    pub(crate) fn reject(&mut self, id: &CallId, why: ResultInfo, now: ServiceTime) {
        if let Some(call) = self.calls.get_mut(id) {
            call.refusal = Some(why);
        }
        self.feed(id, CallInput::Reject, now);
    }

    /// The bot passes an announced call on to others, who ring at the same time.
    pub(crate) fn redirect(
        &mut self,
        id: &CallId,
        targets: Vec<(InvitationParticipantInfo, Callee)>,
        timeout: std::time::Duration,
        now: ServiceTime,
    ) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        call.redirected = true;
        let (meeting, ring) = (call.meeting.clone(), call.ring.take());
        self.feed(id, CallInput::Redirect, now);
        // Another bot that rang this one now waits for whoever answers instead.
        let caller = ring.and_then(|ring| self.rings.remove(&ring)).map(|ring| ring.purpose);
        for (target, callee) in targets {
            let purpose = Purpose::Redirection { call: id.clone(), caller: caller.clone().map(Box::new) };
            self.ring(NewRing { meeting: meeting.clone(), target, callee, purpose, timeout: Some(timeout) }, now);
        }
    }
}
