//! Conversations and calls together, and every change to them.
//!
//! One lock guards all of it; methods are synchronous and take the present moment as an argument. Effects on the outside
//! are media commands (made at once) and notifications (put into the call's outbox; new couriers are handed out by
//! `take_new_couriers`). No I/O, no clock, no tasks: a test drives it with a manual clock and a recorder for media.

mod actions;
mod calls;
mod groups;
mod holding;
mod incoming;
mod invitations;
mod legs;
mod media_actions;
mod meeting_actions;
mod operations;
mod participants;
mod people;
mod rings;
mod sharing;
mod speech;
mod timers;
mod transfer;

pub(crate) use actions::ActionError;
pub(crate) use groups::GroupError;
pub(crate) use holding::HoldError;
pub(crate) use incoming::{Announcement, AnswerTerms};
pub(crate) use invitations::Invitee;
pub(crate) use legs::{JoinError, NewLeg};
pub(crate) use media_actions::{Playing, Recording};
pub(crate) use people::{PersonError, PersonJoining};
pub(crate) use rings::{NewRing, Purpose, Ring, RingError};
pub(crate) use sharing::SharingError;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use antiphon_graph::{CallId, CallState, ParticipantId, ResultInfo};
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::call::{Call, CallEffect, CallInput, Patience, reason};
use crate::clock::ServiceTime;
use crate::meeting::{Meeting, MeetingId, MeetingKind, MeetingMedia, Member, MemberKind, Switch};
use crate::notify::{Courier, Notification, Outbox, Recipient};

/// All conversations, calls and ringing phones.
#[derive(Debug)]
pub(crate) struct World {
    meetings: HashMap<MeetingId, Meeting>,
    /// Conversations opened so far.
    opened: u64,
    calls: HashMap<CallId, Call>,
    /// By the participant id whoever answers will have.
    rings: HashMap<ParticipantId, Ring>,
    /// Rings so far.
    rung: u64,
    patience: Patience,
    /// Wall time of the clock's start.
    epoch: Timestamp,
    participants_limit: usize,
    calls_per_app: usize,
    queued_notifications: usize,
    courier: Courier,
    new_couriers: Vec<(Recipient, Arc<Outbox>)>,
}

/// How long people without media stay in a call that no bot is in.
const SMALL_TALK: Duration = Duration::from_secs(10 * 60);

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Census {
    /// Conversations in progress.
    pub(crate) meetings: usize,
    /// Calls in progress.
    pub(crate) calls: usize,
}

impl World {
    pub(crate) fn new(limits: &crate::config::Limits, epoch: Timestamp, courier: Courier) -> Self {
        Self {
            meetings: HashMap::new(),
            opened: 0,
            calls: HashMap::new(),
            rings: HashMap::new(),
            rung: 0,
            patience: Patience {
                keep_alive: limits.keep_alive,
                media_setup: limits.media_setup,
                answer: limits.answer,
                answer_recording: limits.answer_recording,
                ringing: limits.ringing,
                lobby: limits.lobby,
            },
            epoch,
            participants_limit: limits.participants,
            calls_per_app: limits.calls_per_app,
            queued_notifications: limits.queued_notifications,
            courier,
            new_couriers: Vec::new(),
        }
    }

    pub(crate) fn census(&self) -> Census {
        Census { meetings: self.meetings.len(), calls: self.calls.len() }
    }

    /// Opens a conversation.
    pub(crate) fn open_meeting(
        &mut self,
        id: MeetingId,
        kind: MeetingKind,
        tenant_id: String,
        subject: Option<String>,
        media: Arc<dyn MeetingMedia>,
    ) -> &Meeting {
        self.opened += 1;
        let meeting = Meeting {
            id: id.clone(),
            kind,
            tenant_id,
            subject,
            token: format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple()),
            call_chain_id: Uuid::new_v4().to_string(),
            media,
            members: Vec::new(),
            serial: self.opened,
            peak: 0,
            joined: 0,
            sharing: None,
            recording: Switch::default(),
            transcription: Switch::default(),
            transcribed: None,
        };
        self.meetings.entry(id).or_insert(meeting)
    }

    pub(crate) fn meeting(&self, id: &MeetingId) -> Option<&Meeting> {
        self.meetings.get(id)
    }

    pub(crate) fn meetings(&self) -> impl Iterator<Item = &Meeting> {
        self.meetings.values()
    }

    /// The meeting of a chat thread.
    pub(crate) fn meeting_by_thread(&self, thread_id: &str) -> Option<&Meeting> {
        self.meeting_by(|meeting| meeting.schedule().is_some_and(|schedule| schedule.names.thread_id == thread_id))
    }

    /// The meeting of a meeting id, however it is spaced.
    pub(crate) fn meeting_by_join_id(&self, join_meeting_id: &str) -> Option<&Meeting> {
        let digits: String = join_meeting_id.split_whitespace().collect();
        self.meeting_by(|meeting| meeting.schedule().is_some_and(|schedule| schedule.names.join_meeting_id == digits))
    }

    /// The conversation an invitation's token leads to.
    pub(crate) fn meeting_by_token(&self, token: &str) -> Option<&Meeting> {
        self.meeting_by(|meeting| meeting.token == token)
    }

    fn meeting_by(&self, fits: impl Fn(&Meeting) -> bool) -> Option<&Meeting> {
        self.meetings.values().find(|meeting| fits(meeting))
    }

    /// Ends a conversation for everybody; says whether there was one.
    pub(crate) fn end_meeting(&mut self, id: &MeetingId, reason: &ResultInfo, now: ServiceTime) -> bool {
        if !self.meetings.contains_key(id) {
            return false;
        }
        for call in self.calls_of(id) {
            self.feed(&call, CallInput::End(reason.clone()), now);
        }
        self.refuse_rings_into(id, now);
        if let Some(meeting) = self.meetings.remove(id) {
            meeting.media.close();
        }
        true
    }

    /// Takes back a conversation that nobody has entered.
    pub(crate) fn discard_meeting(&mut self, id: &MeetingId) {
        if let Some(meeting) = self.meetings.remove(id) {
            meeting.media.close();
        }
    }

    /// Ends every conversation: the service stops.
    pub(crate) fn end_everything(&mut self, now: ServiceTime) {
        let all: Vec<MeetingId> = self.meetings.keys().cloned().collect();
        for id in all {
            self.end_meeting(&id, &reason::conversation_ended(), now);
        }
    }

    /// Calls made since the last time, whose notifications nobody posts yet.
    pub(crate) fn take_new_couriers(&mut self) -> Vec<(Recipient, Arc<Outbox>)> {
        std::mem::take(&mut self.new_couriers)
    }

    /// Every call into a conversation, announced ones included.
    fn calls_of(&self, id: &MeetingId) -> Vec<CallId> {
        self.calls.values().filter(|call| call.meeting == *id).map(|call| call.id.clone()).collect()
    }

    /// Puts a notification into a call's outbox.
    fn tell(&mut self, id: &CallId, write: impl FnOnce(&mut Call) -> Option<Notification>) {
        if let Some(call) = self.calls.get_mut(id)
            && let Some(notification) = write(call)
        {
            self.courier.count_dropped(call.outbox.push(notification.declared_in(call.roster.version)));
        }
    }

    /// Gives a call an input and carries out what follows. Unknown calls are ignored: they have ended.
    fn feed(&mut self, id: &CallId, input: CallInput, now: ServiceTime) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let effects = call.machine.handle(input, now, self.patience);
        self.carry_out(id, effects, now);
    }

    fn carry_out(&mut self, id: &CallId, effects: Vec<CallEffect>, now: ServiceTime) {
        for effect in effects {
            match effect {
                CallEffect::Notify { state, audio, result } => {
                    let over = state == CallState::Terminated;
                    self.tell(id, |call| Some(call.state_notification(state, audio, result)));
                    if over {
                        self.forget_call(id);
                    }
                }
                CallEffect::NotifyRejected => {
                    self.tell(id, |call| Some(call.rejected_notification()));
                    self.forget_call(id);
                }
                CallEffect::EnterRoster => self.enter_roster(id),
                CallEffect::Leave => self.leave(id, now),
            }
        }
    }

    fn forget_call(&mut self, id: &CallId) {
        if let Some(call) = self.calls.remove(id) {
            call.outbox.close();
        }
    }

    /// The end of a call: its operations fail, its rings stop, its routes and its participant go.
    fn leave(&mut self, id: &CallId, now: ServiceTime) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let (meeting, participant) = (call.meeting.clone(), call.participant.clone());
        let ring = call.ring.take();
        let refusal = call.refusal.take().unwrap_or_else(reason::not_answered);
        let cancelled = call.operations.cancel(false);
        for operation in &cancelled {
            self.operation_over(id, operation, now);
        }
        self.drop_groups(id);
        self.release_hold(id);
        self.stop_rings_of(id, now);
        self.take_out(&meeting, &participant, now);
        if let Some(ring) = ring {
            self.refuse_ring(&ring, refusal, now);
        }
        self.tidy_up(&meeting, now);
        self.settle(&meeting, now);
    }

    /// Shows a bot to everybody: the others see a newcomer, the bot its first roster.
    fn enter_roster(&mut self, id: &CallId) {
        let Some(call) = self.calls.get(id) else {
            return;
        };
        let (meeting_id, participant) = (call.meeting.clone(), call.participant.clone());
        let Some(meeting) = self.meetings.get_mut(&meeting_id) else {
            return;
        };
        if let Some(member) = meeting.member_mut(&participant) {
            member.in_roster = !member.hidden;
            member.in_lobby = false;
        }
        self.publish_change(&meeting_id, &participant, Some(id));
        let (Some(meeting), Some(call)) = (self.meetings.get(&meeting_id), self.calls.get_mut(id)) else {
            return;
        };
        if !meeting.is_peer_to_peer() {
            let notification = call.roster.first(id, meeting);
            self.courier.count_dropped(call.outbox.push(notification));
            self.show_transcription(id);
        }
    }

    /// Tells every call with a roster, less `except`, that a member appeared or changed.
    fn publish_change(&mut self, meeting_id: &MeetingId, participant: &ParticipantId, except: Option<&CallId>) {
        self.publish_changes(meeting_id, std::slice::from_ref(participant), except);
    }

    /// As [`World::publish_change`], of several members at once. Those whom no roster shows are left out.
    fn publish_changes(&mut self, meeting_id: &MeetingId, participants: &[ParticipantId], except: Option<&CallId>) {
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        let shown = |id: &&ParticipantId| meeting.member(id).is_some_and(|member| member.in_roster);
        let changed: Vec<ParticipantId> = participants.iter().filter(shown).cloned().collect();
        if changed.is_empty() {
            return;
        }
        for id in self.audience(meeting).filter(|id| Some(*id) != except).cloned().collect::<Vec<_>>() {
            if let Some(call) = self.calls.get_mut(&id) {
                let notification = call.roster.changed(&id, meeting, &changed);
                self.courier.count_dropped(call.outbox.push(notification));
            }
        }
    }

    /// The calls that are told about a conversation's roster: those in it. A peer-to-peer call has none.
    fn audience<'a>(&self, meeting: &'a Meeting) -> impl Iterator<Item = &'a CallId> + use<'a, '_> {
        let in_conversation = |id: &CallId| self.calls.get(id).is_some_and(|call| call.machine.is_in_conversation());
        let rostered = !meeting.is_peer_to_peer();
        meeting.members.iter().filter_map(Member::call).filter(move |id| rostered && in_conversation(id))
    }

    /// Takes a member out of media, groups and roster, and tells the others. Does not ask whether the conversation goes
    /// on: see [`World::settle`].
    fn take_out(&mut self, meeting_id: &MeetingId, participant: &ParticipantId, now: ServiceTime) -> Option<Member> {
        let meeting = self.meetings.get_mut(meeting_id)?;
        let gone = meeting.remove(participant)?;
        if gone.source_id.is_some() {
            meeting.media.leave(&gone.id);
        }
        self.forget_in_groups(meeting_id, &gone.id);
        self.forget_hold(meeting_id, &gone.id, now);
        self.stop_sharing_of(meeting_id, &gone.id, now);
        let meeting = self.meetings.get(meeting_id)?;
        if gone.in_roster {
            for id in self.audience(meeting).cloned().collect::<Vec<_>>() {
                if let Some(call) = self.calls.get_mut(&id) {
                    let notification = call.roster.left(&id, meeting, &gone);
                    self.courier.count_dropped(call.outbox.push(notification));
                }
            }
        }
        Some(gone)
    }

    /// Ends a conversation that has too few people left in it, by the rule of its kind.
    fn settle(&mut self, id: &MeetingId, now: ServiceTime) {
        let Some(meeting) = self.meetings.get(id) else {
            return;
        };
        let announced = |call: &&Call| call.meeting == *id && call.machine.state() == CallState::Incoming;
        let rings = self.rings.values().filter(|ring| ring.meeting == *id && ring.app_call.is_none()).count();
        let expected = rings + self.calls.values().filter(announced).count();
        // A bot that hands its only partner over is no company for whoever may come.
        let leaving = |member: &&Member| {
            let call = member.call().and_then(|call| self.calls.get(call));
            call.is_some_and(|call| call.machine.state() == CallState::Transferring) && meeting.is_peer_to_peer()
        };
        let present = meeting.inhabitants().filter(|member| !leaving(member)).count();
        let nobody_shown = expected == 0 && meeting.inhabitants().all(|member| member.hidden);
        let reason = match meeting.kind {
            MeetingKind::Scheduled(_) => return,
            MeetingKind::GroupCall if nobody_shown && !meeting.members.is_empty() => reason::only_hidden_left(),
            _ if present >= 2 || (present == 1 && expected >= 1) => return self.limit_small_talk(id, now),
            MeetingKind::PeerToPeer => reason::peer_hung_up(),
            MeetingKind::GroupCall if meeting.peak < 2 => reason::nobody_joined(),
            MeetingKind::GroupCall => reason::left_alone(),
        };
        let answered =
            |call: &CallId| self.calls.get(call).is_some_and(|call| call.machine.state() != CallState::Incoming);
        let (answered, announced): (Vec<_>, Vec<_>) = self.calls_of(id).into_iter().partition(answered);
        for call in announced {
            self.feed(&call, CallInput::End(reason::caller_gave_up()), now);
        }
        for call in answered {
            self.feed(&call, CallInput::End(reason.clone()), now);
        }
        self.refuse_rings_into(id, now);
        if let Some(meeting) = self.meetings.remove(id) {
            meeting.media.close();
        }
    }

    /// People whom a bot left with each other, and whom nobody could hear anyway, hang up after a while.
    fn limit_small_talk(&mut self, id: &MeetingId, now: ServiceTime) {
        let with_bots = |call: &Call| call.meeting == *id && call.machine.state() != CallState::Terminated;
        let rings = self.rings.values().any(|ring| ring.meeting == *id);
        if rings || self.calls.values().any(with_bots) {
            return;
        }
        for member in self.meetings.get_mut(id).into_iter().flat_map(|meeting| &mut meeting.members) {
            if let MemberKind::Person { connect_by: None, hang_up_at: hang_up_at @ None } = &mut member.kind
                && !member.connected
            {
                *hang_up_at = Some(now.after(SMALL_TALK));
            }
        }
    }

    /// Adds a member; media is the caller's business.
    fn add_member(meeting: &mut Meeting, member: Member) {
        meeting.joined = meeting.joined.wrapping_add(1);
        meeting.members.push(Member { number: meeting.joined, ..member });
        meeting.peak = meeting.peak.max(meeting.members.len());
    }
}
