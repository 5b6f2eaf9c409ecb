//! What a bot does with its own call.
//!
//! Part of [`World`]. Looking a call up checks its owner: another application's call does not exist.

use antiphon_graph::wire::Version;
use antiphon_graph::{CallId, CallState, Participant, Tone};

use super::World;
use crate::call::{Call, CallInput, reason};
use crate::clock::ServiceTime;
use crate::entra::Caller;
use crate::meeting::{Meeting, MeetingId};

impl World {
    /// The call of that id, if it belongs to the caller's application.
    pub(crate) fn own_call(&self, id: &CallId, caller: &Caller) -> Option<&Call> {
        self.calls.get(id).filter(|call| call.app_id == caller.app_id)
    }

    /// Any call.
    #[cfg(test)]
    pub(crate) fn call(&self, id: &CallId) -> Option<&Call> {
        self.calls.get(id)
    }

    /// All calls in progress.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Call> {
        self.calls.values()
    }

    /// The conversation a call is in.
    pub(crate) fn meeting_of(&self, call: &Call) -> Option<&Meeting> {
        self.meetings.get(&call.meeting)
    }

    /// Everybody in the call's conversation; empty until the call is established, and always for a peer-to-peer call.
    pub(crate) fn participants(&self, call: &Call, version: Version) -> Vec<Participant> {
        match self.meetings.get(&call.meeting) {
            Some(meeting) if call.machine.is_in_conversation() && !meeting.is_peer_to_peer() => {
                meeting.participants(version)
            }
            _ => Vec::new(),
        }
    }

    /// The bot hangs up.
    pub(crate) fn hang_up(&mut self, id: &CallId, now: ServiceTime) {
        if let Some(call) = self.calls.get_mut(id).filter(|call| call.machine.state() == CallState::Incoming) {
            call.refusal = Some(reason::declined());
        }
        self.feed(id, CallInput::HangUp, now);
    }

    /// The bot is alive.
    pub(crate) fn keep_alive(&mut self, id: &CallId, now: ServiceTime) {
        self.feed(id, CallInput::KeepAlive, now);
    }

    /// Somebody lets a guest in; says whether it waited.
    pub(crate) fn admit(&mut self, id: &CallId, now: ServiceTime) -> bool {
        let Some(call) = self.calls.get(id).filter(|call| call.machine.is_in_lobby()) else {
            return false;
        };
        let (meeting_id, participant) = (call.meeting.clone(), call.participant.clone());
        if let Some(meeting) = self.meetings.get_mut(&meeting_id) {
            if let Some(member) = meeting.member_mut(&participant) {
                member.in_lobby = false;
            }
            meeting.renew_terms(&participant);
        }
        self.renew_routes_of(&meeting_id, &participant);
        self.feed(id, CallInput::Admitted, now);
        true
    }

    /// Somebody in the conversation presses a key: every bot that asked to know is told.
    pub(crate) fn press_key(&mut self, meeting: &MeetingId, tone: &Tone) {
        for id in self.calls_of(meeting) {
            self.tell(&id, |call| call.machine.is_in_conversation().then(|| call.tone_notification(tone.clone()))?);
        }
    }

    /// Tells a bot that somebody took it out.
    pub(super) fn remove_bot(&mut self, id: &CallId, now: ServiceTime) {
        self.feed(id, CallInput::End(reason::removed()), now);
    }

    /// Nobody took the announcement of an incoming call. One that was answered all the same goes on.
    pub(crate) fn unreachable(&mut self, id: &CallId, now: ServiceTime) {
        match self.calls.get_mut(id) {
            Some(call) if call.machine.state() == CallState::Incoming => call.refusal = Some(reason::no_endpoint()),
            _ => return,
        }
        self.feed(id, CallInput::End(reason::no_endpoint()), now);
    }
}
