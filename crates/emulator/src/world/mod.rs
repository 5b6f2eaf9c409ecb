//! Meetings and calls together, and every change to them.
//!
//! One lock guards all of it; methods are synchronous and take the present moment as an argument. Effects on the outside
//! are media commands (made at once) and notifications (put into the call's outbox). No I/O, no clock, no tasks: a test
//! drives it with a manual clock and a recorder for media.

mod calls;
mod groups;
mod people;
mod timers;

pub(crate) use calls::{JoinError, JoinRequest};
pub(crate) use groups::GroupError;
pub(crate) use people::{PersonError, PersonJoining};

use std::collections::HashMap;
use std::sync::Arc;

use antiphon_graph::{CallId, ParticipantId, ResultInfo};
use serde::Serialize;
use uuid::Uuid;

use crate::call::{Call, CallEffect, CallInput, Patience, conversation_ended};
use crate::clock::ServiceTime;
use crate::entra::User;
use crate::meeting::{Meeting, MeetingId, MeetingMedia, MeetingNames, Member};
use crate::notify::Courier;

/// All meetings and calls.
#[derive(Debug)]
pub(crate) struct World {
    meetings: HashMap<MeetingId, Meeting>,
    calls: HashMap<CallId, Call>,
    patience: Patience,
    participants_limit: usize,
    calls_per_app: usize,
    queued_notifications: usize,
    courier: Courier,
}

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Census {
    /// Meetings in progress.
    pub(crate) meetings: usize,
    /// Calls in progress.
    pub(crate) calls: usize,
}

impl World {
    pub(crate) fn new(limits: &crate::config::Limits, courier: Courier) -> Self {
        Self {
            meetings: HashMap::new(),
            calls: HashMap::new(),
            patience: Patience { keep_alive: limits.keep_alive, media_setup: limits.media_setup },
            participants_limit: limits.participants,
            calls_per_app: limits.calls_per_app,
            queued_notifications: limits.queued_notifications,
            courier,
        }
    }

    pub(crate) fn census(&self) -> Census {
        Census { meetings: self.meetings.len(), calls: self.calls.len() }
    }

    /// Opens a meeting.
    pub(crate) fn open_meeting(
        &mut self,
        id: MeetingId,
        subject: String,
        organizer: User,
        names: MeetingNames,
        media: Arc<dyn MeetingMedia>,
    ) -> &Meeting {
        let meeting = Meeting {
            id: id.clone(),
            subject,
            organizer,
            names,
            call_chain_id: Uuid::new_v4().to_string(),
            media,
            members: Vec::new(),
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
        self.meetings.values().find(|meeting| meeting.names.thread_id == thread_id)
    }

    /// The meeting of a meeting id, however it is spaced.
    pub(crate) fn meeting_by_join_id(&self, join_meeting_id: &str) -> Option<&Meeting> {
        let digits: String = join_meeting_id.split_whitespace().collect();
        self.meetings.values().find(|meeting| meeting.names.join_meeting_id == digits)
    }

    /// Ends a meeting for everybody; says whether there was one.
    pub(crate) fn end_meeting(&mut self, id: &MeetingId, reason: &ResultInfo, now: ServiceTime) -> bool {
        let Some(meeting) = self.meetings.get(id) else {
            return false;
        };
        let calls: Vec<CallId> = meeting.members.iter().filter_map(Member::call).cloned().collect();
        for call in calls {
            self.feed(&call, CallInput::End(reason.clone()), now);
        }
        if let Some(meeting) = self.meetings.remove(id) {
            meeting.media.close();
        }
        true
    }

    /// Ends every meeting: the service stops.
    pub(crate) fn end_everything(&mut self, now: ServiceTime) {
        let all: Vec<MeetingId> = self.meetings.keys().cloned().collect();
        for id in all {
            self.end_meeting(&id, &conversation_ended(), now);
        }
    }

    /// Gives a call an input and carries out what follows. Unknown calls are ignored: they have ended.
    fn feed(&mut self, id: &CallId, input: CallInput, now: ServiceTime) {
        let Some(call) = self.calls.get_mut(id) else {
            return;
        };
        let effects = call.machine.handle(input, now, self.patience);
        self.carry_out(id, effects);
    }

    fn carry_out(&mut self, id: &CallId, effects: Vec<CallEffect>) {
        for effect in effects {
            let Some(call) = self.calls.get_mut(id) else {
                return;
            };
            match effect {
                CallEffect::Notify { state, audio, result } => {
                    let over = result.is_some();
                    let notification = call.state_notification(state, audio, result);
                    self.courier.count_dropped(call.outbox.push(notification));
                    if over {
                        call.outbox.close();
                        self.calls.remove(id);
                    }
                }
                CallEffect::EnterRoster => {
                    let (meeting, participant) = (call.meeting.clone(), call.participant.clone());
                    self.enter_roster(&meeting, &participant, id);
                }
                CallEffect::Leave => {
                    let (meeting, participant) = (call.meeting.clone(), call.participant.clone());
                    self.drop_groups(id);
                    self.take_out(&meeting, &participant);
                }
            }
        }
    }

    /// Shows a bot to everybody: the others see a newcomer, the bot its first roster.
    fn enter_roster(&mut self, meeting_id: &MeetingId, participant: &ParticipantId, call_id: &CallId) {
        let Some(meeting) = self.meetings.get_mut(meeting_id) else {
            return;
        };
        if let Some(member) = meeting.member_mut(participant) {
            member.in_roster = true;
        }
        self.publish_change(meeting_id, participant, Some(call_id));
        let (Some(meeting), Some(call)) = (self.meetings.get(meeting_id), self.calls.get_mut(call_id)) else {
            return;
        };
        let notification = call.roster.first(call_id, meeting);
        self.courier.count_dropped(call.outbox.push(notification));
    }

    /// Tells every call with a roster, less `except`, that a member appeared or changed.
    fn publish_change(&mut self, meeting_id: &MeetingId, participant: &ParticipantId, except: Option<&CallId>) {
        let Some(meeting) = self.meetings.get(meeting_id) else {
            return;
        };
        let Some(changed) = meeting.member(participant).map(Member::participant) else {
            return;
        };
        for id in meeting.calls_in_roster().filter(|id| Some(*id) != except) {
            if let Some(call) = self.calls.get_mut(id) {
                let notification = call.roster.changed(id, meeting, vec![changed.clone()]);
                self.courier.count_dropped(call.outbox.push(notification));
            }
        }
    }

    /// Takes a member out of media, groups and roster, and tells the others.
    fn take_out(&mut self, meeting_id: &MeetingId, participant: &ParticipantId) -> Option<Member> {
        let meeting = self.meetings.get_mut(meeting_id)?;
        let gone = meeting.remove(participant)?;
        if gone.source_id.is_some() {
            meeting.media.leave(&gone.id);
        }
        self.forget_in_groups(meeting_id, &gone.id);
        let meeting = self.meetings.get(meeting_id)?;
        if gone.in_roster {
            for id in meeting.calls_in_roster() {
                if let Some(call) = self.calls.get_mut(id) {
                    let notification = call.roster.left(id, meeting, &gone);
                    self.courier.count_dropped(call.outbox.push(notification));
                }
            }
        }
        Some(gone)
    }
}
