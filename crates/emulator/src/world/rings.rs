//! Phones that ring: whoever is called, and what becomes of it.
//!
//! Part of [`World`]. A ring leads one person, or one application, into a conversation. A person follows the script of
//! their user or waits for administration; an application is announced a call of its own. The first outcome counts;
//! what it means to whoever called is the ring's [`Purpose`].

use std::time::Duration;

use antiphon_graph::{
    CallId, IdentitySet, InvitationParticipantInfo, Modality, OperationStatus, ParticipantId, ParticipantInfo,
    ResultInfo,
};
use thiserror::Error;
use uuid::Uuid;

use super::people::PersonJoined;
use super::{Announcement, PersonError, PersonJoining, World};
use crate::call::{CallInput, reason};
use crate::clock::ServiceTime;
use crate::entra::{AnsweringAction, App, Callee, User};
use crate::meeting::MeetingId;

/// What whoever called wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A peer-to-peer call waits for its other end.
    Callee { call: CallId },
    /// A group call was placed to several.
    GroupTarget { call: CallId },
    /// An invite operation waits, for the first of those it rings.
    Invitation { call: CallId, operation: String },
    /// A bot passed its incoming call on. `caller`: what the bot that rang it waits for.
    Redirection { call: CallId, caller: Option<Box<Purpose>> },
    /// A bot hands the other end of its call over.
    Transfer { call: CallId },
    /// A bot hands a participant of its group call over.
    HandOver { call: CallId, participant: ParticipantId },
}

impl Purpose {
    /// The call it is rung for.
    pub(crate) fn call(&self) -> &CallId {
        match self {
            Self::Callee { call }
            | Self::GroupTarget { call }
            | Self::Invitation { call, .. }
            | Self::Redirection { call, .. }
            | Self::Transfer { call }
            | Self::HandOver { call, .. } => call,
        }
    }

    /// Whether it is rung, directly or by way of bots that passed it on, for this invite operation.
    fn invites_for(&self, wanted: &str) -> bool {
        match self {
            Self::Invitation { operation, .. } => operation == wanted,
            Self::Redirection { caller: Some(caller), .. } => caller.invites_for(wanted),
            _ => false,
        }
    }

    /// Whether a call waits for the outcome, or has passed somebody else's on.
    fn concerns(&self, wanted: &CallId) -> bool {
        self.call() == wanted || self.caller().is_some_and(|caller| caller.concerns(wanted))
    }

    /// What the bot waits for whose ringing this passes on.
    fn caller(&self) -> Option<&Purpose> {
        match self {
            Self::Redirection { caller, .. } => caller.as_deref(),
            _ => None,
        }
    }
}

/// A phone that rings.
#[derive(Debug)]
pub(crate) struct Ring {
    /// The participant id whoever answers will have.
    pub(crate) id: ParticipantId,
    /// Counts up with each ring: of those due at the same moment, who rang first comes first.
    turn: u64,
    /// Where answering leads.
    pub(crate) meeting: MeetingId,
    pub(crate) identity: IdentitySet,
    pub(crate) display_name: String,
    /// Who rings, if it is a user of this service.
    pub(crate) user: Option<User>,
    forward: Option<Box<Callee>>,
    /// The announced call, if an application rings.
    pub(crate) app_call: Option<CallId>,
    pub(crate) purpose: Purpose,
    pub(super) in_default_group: bool,
    /// Whoever answers is not shown in rosters.
    pub(super) hidden: bool,
    /// Why it cannot ring at all, for targets that have no user and no application.
    refusal: ResultInfo,
    acts_at: Option<ServiceTime>,
    expires_at: ServiceTime,
    timeout: Duration,
}

/// A phone to ring.
#[derive(Debug)]
pub(crate) struct NewRing {
    pub(crate) meeting: MeetingId,
    pub(crate) target: InvitationParticipantInfo,
    pub(crate) callee: Callee,
    pub(crate) purpose: Purpose,
    /// How long it rings; the service's own patience if left out.
    pub(crate) timeout: Option<Duration>,
}

/// Why nothing happened to a ring.
#[derive(Debug, Error)]
pub(crate) enum RingError {
    #[error("nothing rings with the id {0:?}")]
    Unknown(String),
    #[error("{0:?} is an application: it answers by itself")]
    Application(String),
    #[error(transparent)]
    Person(#[from] PersonError),
}

impl World {
    /// Lets a phone ring. Gives the participant id whoever answers will have; nothing else happens before time passes.
    pub(crate) fn ring(&mut self, new: NewRing, now: ServiceTime) -> ParticipantId {
        let wished =
            new.target.participant_id.clone().filter(|id| !id.as_str().is_empty() && !self.is_taken(&new.meeting, id));
        let id = wished.unwrap_or_else(|| ParticipantId::from(Uuid::new_v4()));
        let timeout = new.timeout.unwrap_or(self.patience.ringing);
        self.rung += 1;
        let mut ring = Ring {
            id: id.clone(),
            turn: self.rung,
            identity: new.target.identity.clone().unwrap_or_default(),
            display_name: String::new(),
            user: None,
            forward: None,
            app_call: None,
            in_default_group: new.target.remove_from_default_audio_routing_group != Some(true),
            hidden: new.target.hidden == Some(true),
            refusal: reason::no_endpoint(),
            acts_at: None,
            expires_at: now.after(timeout),
            timeout,
            meeting: new.meeting,
            purpose: new.purpose,
        };
        match new.callee {
            Callee::Person { user, forward } => {
                ring.acts_at =
                    (user.answering.action != AnsweringAction::Ring).then(|| now.after(user.answering.after()));
                if ring.identity.user.is_some() {
                    ring.identity = user.identity();
                }
                ring.display_name.clone_from(&user.display_name);
                ring.user = Some(user);
                ring.forward = forward;
            }
            Callee::Nobody => ring.acts_at = Some(now),
            Callee::Barred => {
                ring.acts_at = Some(now);
                ring.refusal = reason::telephony_barred();
            }
            Callee::App(app) => {
                ring.display_name.clone_from(&app.display_name);
                match self.announce_ring(&ring, app, now) {
                    Some(call) => ring.app_call = Some(call),
                    None => ring.acts_at = Some(now),
                }
            }
        }
        self.rings.insert(id.clone(), ring);
        id
    }

    /// Whether somebody in the conversation, or on the way to one, has this participant id.
    pub(crate) fn is_taken(&self, meeting: &MeetingId, id: &ParticipantId) -> bool {
        self.rings.contains_key(id) || self.meetings.get(meeting).is_some_and(|meeting| meeting.member(id).is_some())
    }

    fn announce_ring(&mut self, ring: &Ring, app: App, now: ServiceTime) -> Option<CallId> {
        let caller = self.calls.get(ring.purpose.call())?;
        let tenant_id = caller.tenant_id.clone();
        let member = self.meetings.get(&caller.meeting)?.member(&caller.participant);
        let identity = member.map(|member| member.identity.clone()).unwrap_or_default();
        let announcement = Announcement {
            meeting: ring.meeting.clone(),
            source: ParticipantInfo::of(app.shown(identity, &tenant_id)),
            app,
            tenant_id,
            modalities: vec![Modality::Audio],
            observed: None,
            ring: Some(ring.id.clone()),
        };
        self.announce(announcement, now).inspect_err(|error| tracing::debug!(%error, "application not rung")).ok()
    }

    /// Everything that rings.
    pub(crate) fn rings(&self) -> impl Iterator<Item = &Ring> {
        self.rings.values()
    }

    /// The next moment at which a ring does something by itself.
    pub(super) fn ring_deadline(&self) -> Option<ServiceTime> {
        self.rings.values().map(Ring::deadline).min()
    }

    /// Does what the scripts of those who ring say, and stops what has rung too long.
    pub(super) fn advance_rings(&mut self, now: ServiceTime) {
        loop {
            let due = self.rings.values().filter(|ring| ring.deadline() <= now);
            let due = due.min_by_key(|ring| (ring.deadline(), ring.turn));
            let Some((id, acts, deadline)) = due.map(|ring| (ring.id.clone(), ring.acts(), ring.deadline())) else {
                return;
            };
            if acts {
                self.follow_script(&id, deadline, now);
            } else {
                self.refuse_ring(&id, reason::not_answered(), now);
            }
        }
    }

    fn follow_script(&mut self, id: &ParticipantId, at: ServiceTime, now: ServiceTime) {
        let Some(ring) = self.rings.get_mut(id) else {
            return;
        };
        let Some(user) = &ring.user else {
            let why = ring.refusal.clone();
            self.refuse_ring(id, why, now);
            return;
        };
        match user.answering.action {
            AnsweringAction::Answer => {
                if let Err(error) = self.answer_ring(id, None, at) {
                    tracing::warn!(ring = %id, %error, "a scripted answer failed");
                    self.refuse_ring(id, reason::no_endpoint(), now);
                }
            }
            AnsweringAction::Reject => self.refuse_ring(id, reason::declined(), now),
            AnsweringAction::Busy => self.refuse_ring(id, reason::busy(), now),
            AnsweringAction::Unreachable => self.refuse_ring(id, reason::no_endpoint(), now),
            AnsweringAction::Ring => ring.acts_at = None,
            AnsweringAction::Forward => match ring.forward.take().map(|next| *next) {
                Some(Callee::Person { user, forward }) => {
                    ring.acts_at =
                        (user.answering.action != AnsweringAction::Ring).then(|| at.after(user.answering.after()));
                    ring.expires_at = at.after(ring.timeout);
                    ring.identity = user.identity();
                    ring.display_name.clone_from(&user.display_name);
                    ring.user = Some(user);
                    ring.forward = forward;
                }
                _ => self.refuse_ring(id, reason::no_endpoint(), now),
            },
        }
    }

    /// The person answers, with media if there is an offer.
    ///
    /// # Errors
    ///
    /// [`RingError`]; it goes on ringing then.
    pub(crate) fn answer_ring(
        &mut self,
        id: &ParticipantId,
        offer: Option<String>,
        now: ServiceTime,
    ) -> Result<PersonJoined, RingError> {
        let ring = self.rings.get(id).ok_or_else(|| RingError::Unknown(id.to_string()))?;
        if ring.app_call.is_some() {
            return Err(RingError::Application(ring.display_name.clone()));
        }
        let person = PersonJoining {
            id: Some(ring.id.clone()),
            identity: ring.identity.clone(),
            display_name: ring.display_name.clone(),
            offer,
            in_default_group: ring.in_default_group,
            muted: false,
            hang_up_at: ring.user.as_ref().and_then(|user| user.answering.hang_up_after()).map(|span| now.after(span)),
        };
        let (meeting, hidden) = (ring.meeting.clone(), ring.hidden);
        let joined = self.prepare_person(&meeting, person, now)?;
        if let Some(member) = self.meetings.get_mut(&meeting).and_then(|meeting| meeting.member_mut(id)) {
            member.hidden = hidden;
            member.in_roster = !hidden;
        }
        // An ended operation is told before the roster that shows its effect.
        if let Some(ring) = self.rings.remove(id) {
            self.fulfil_before_roster(&ring.purpose, now);
            self.publish_change(&meeting, id, None);
            self.fulfil(&ring.purpose, &ring, now);
        }
        Ok(joined)
    }

    /// The application that rang has answered.
    pub(super) fn ring_answered_by_bot(&mut self, id: &ParticipantId, now: ServiceTime) {
        if let Some(ring) = self.rings.remove(id) {
            self.fulfil_before_roster(&ring.purpose, now);
            self.fulfil(&ring.purpose, &ring, now);
        }
    }

    fn fulfil_before_roster(&mut self, purpose: &Purpose, now: ServiceTime) {
        match purpose {
            Purpose::Invitation { call, operation } => {
                self.end_operation(call, operation, OperationStatus::Completed, None, now);
            }
            Purpose::Redirection { caller: Some(caller), .. } => self.fulfil_before_roster(caller, now),
            _ => {}
        }
    }

    fn fulfil(&mut self, purpose: &Purpose, ring: &Ring, now: ServiceTime) {
        match purpose {
            Purpose::Callee { call } => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.resource.answered_by = Some(ParticipantInfo::of(ring.identity.clone()));
                }
                self.feed(call, CallInput::CalleeAnswered, now);
            }
            Purpose::GroupTarget { .. } | Purpose::Invitation { .. } => {}
            Purpose::Redirection { call, caller } => {
                // The first to answer counts: the others stop before the call that rang them ends.
                self.silence(call, now);
                if let Some(caller) = caller {
                    self.fulfil(caller, ring, now);
                }
                self.feed(call, CallInput::End(reason::redirected()), now);
            }
            Purpose::Transfer { call } => self.transfer_done(call, now),
            Purpose::HandOver { call, participant } => self.hand_over(call, participant, &ring.meeting, now),
        }
    }

    /// Whoever rings does not come, for whatever reason.
    pub(crate) fn refuse_ring(&mut self, id: &ParticipantId, why: ResultInfo, now: ServiceTime) {
        let Some(ring) = self.rings.remove(id) else {
            return;
        };
        if let Some(call) = &ring.app_call {
            self.feed(call, CallInput::End(reason::caller_gave_up()), now);
        }
        self.disappoint(&ring.purpose, why, now);
        self.settle(&ring.meeting, now);
    }

    fn disappoint(&mut self, purpose: &Purpose, why: ResultInfo, now: ServiceTime) {
        match purpose {
            Purpose::Callee { call } => self.feed(call, CallInput::End(why), now),
            Purpose::GroupTarget { .. } => {}
            Purpose::Invitation { call, operation } => {
                // Of several invited, one who comes is enough; the last who does not decides.
                if !self.rings.values().any(|ring| ring.purpose.invites_for(operation)) {
                    self.end_operation(call, operation, OperationStatus::Failed, Some(why), now);
                }
            }
            Purpose::Redirection { call, caller } => {
                if !self.rings.values().any(|ring| ring.purpose.concerns(call)) {
                    if let Some(caller) = caller {
                        self.disappoint(caller, why.clone(), now);
                    }
                    self.feed(call, CallInput::End(why), now);
                }
            }
            Purpose::Transfer { call } | Purpose::HandOver { call, .. } => {
                self.feed(call, CallInput::TransferFailed(reason::blind_transfer_failed()), now);
            }
        }
    }

    /// A call is over: what rings for it stops, and whoever depended on that learns of it.
    pub(super) fn stop_rings_of(&mut self, ended: &CallId, now: ServiceTime) {
        let mut disappointed: Vec<Purpose> = Vec::new();
        let mut passed_on: Vec<CallId> = Vec::new();
        let mut places: Vec<MeetingId> = Vec::new();
        for ring in self.silence(ended, now) {
            let mut purpose = Some(&ring.purpose);
            while let Some(level) = purpose {
                purpose = level.caller();
                if level.call() != ended {
                    passed_on.push(level.call().clone());
                } else {
                    // Whoever rang the call that has ended waits in vain.
                    disappointed.extend(purpose.take().filter(|caller| !disappointed.contains(caller)).cloned());
                }
            }
            places.push(ring.meeting);
        }
        for call in passed_on {
            self.feed(&call, CallInput::End(reason::caller_gave_up()), now);
        }
        for purpose in disappointed {
            self.disappoint(&purpose, reason::not_answered(), now);
        }
        for place in places {
            self.settle(&place, now);
        }
    }

    /// Stops everything that rings for a call, telling only the applications that ring.
    fn silence(&mut self, call: &CallId, now: ServiceTime) -> Vec<Ring> {
        let concerned = self.rings.values().filter(|ring| ring.purpose.concerns(call)).map(|ring| ring.id.clone());
        let concerned: Vec<ParticipantId> = concerned.collect();
        let silenced: Vec<Ring> = concerned.iter().filter_map(|id| self.rings.remove(id)).collect();
        for app_call in silenced.iter().filter_map(|ring| ring.app_call.as_ref()) {
            self.feed(app_call, CallInput::End(reason::caller_gave_up()), now);
        }
        silenced
    }

    /// Everything that still rings into a conversation that ends is given up.
    pub(super) fn refuse_rings_into(&mut self, meeting: &MeetingId, now: ServiceTime) {
        let into = self.rings.values().filter(|ring| ring.meeting == *meeting).map(|ring| ring.id.clone());
        for id in into.collect::<Vec<_>>() {
            self.refuse_ring(&id, reason::no_endpoint(), now);
        }
    }
}

impl Ring {
    fn acts(&self) -> bool {
        self.acts_at.is_some_and(|at| at <= self.expires_at)
    }

    /// An application's own call has the deadline; the ring only outlives it.
    fn deadline(&self) -> ServiceTime {
        self.acts_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }

    /// Until when it rings.
    pub(crate) fn expires_at(&self) -> ServiceTime {
        self.expires_at
    }
}
