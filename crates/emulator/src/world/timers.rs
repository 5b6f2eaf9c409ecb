//! What happens by itself: media reports and deadlines.
//!
//! Part of [`World`]; called by the service's driver task only.

use antiphon_graph::{CallId, ParticipantId};

use super::World;
use crate::call::{Call, CallInput, reason};
use crate::clock::ServiceTime;
use crate::meeting::{MediaEvent, MediaEventKind, MeetingId, MemberKind};

/// Rounds in which what is due may make more due.
const CASCADE: usize = 1000;

impl World {
    /// Takes a report of the media engine. Reports about those who have left are ignored.
    pub(crate) fn media_event(&mut self, event: &MediaEvent, now: ServiceTime) {
        match event {
            MediaEvent::Participant { meeting, who, kind } => self.participant_event(meeting, who, *kind, now),
            MediaEvent::Failed { meeting } => drop(self.end_meeting(meeting, &reason::media_failed(), now)),
        }
    }

    fn participant_event(
        &mut self,
        meeting_id: &MeetingId,
        who: &ParticipantId,
        kind: MediaEventKind,
        now: ServiceTime,
    ) {
        let Some(member) = self.meetings.get_mut(meeting_id).and_then(|meeting| meeting.member_mut(who)) else {
            return;
        };
        member.connected = kind == MediaEventKind::Connected;
        match (&mut member.kind, kind) {
            (MemberKind::Person { connect_by, .. }, MediaEventKind::Connected) => *connect_by = None,
            (MemberKind::Person { .. }, MediaEventKind::Disconnected) => self.person_leaves(meeting_id, who, now),
            (MemberKind::Gallery, _) => {}
            (MemberKind::Bot { call }, kind) => {
                let call = call.clone();
                let input = match kind {
                    MediaEventKind::Connected => CallInput::MediaConnected,
                    MediaEventKind::Disconnected => CallInput::MediaLost,
                };
                self.feed(&call, input, now);
            }
        }
    }

    /// The next moment at which [`World::advance`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<ServiceTime> {
        let calls =
            self.calls.values().flat_map(|call| [call.machine.deadline(), call.operations.deadline()]).flatten();
        let people = self.waiting_people().map(|(_, _, deadline)| deadline);
        calls.chain(people).chain(self.ring_deadline()).min()
    }

    /// Does everything that is due at `now`.
    pub(crate) fn advance(&mut self, now: ServiceTime) {
        // What happens may make more due: somebody who answered at a past moment has hung up since.
        for _ in 0..CASCADE {
            self.advance_once(now);
            if self.next_deadline().is_none_or(|deadline| deadline > now) {
                return;
            }
        }
        tracing::warn!("deadlines keep coming due; the rest is left for the next round");
    }

    fn advance_once(&mut self, now: ServiceTime) {
        self.advance_operations(now);
        self.advance_rings(now);
        let due = |call: &&Call| call.machine.deadline().is_some_and(|deadline| deadline <= now);
        let calls: Vec<CallId> = self.calls.values().filter(due).map(|call| call.id.clone()).collect();
        for call in calls {
            self.feed(&call, CallInput::Timeout, now);
        }
        let people: Vec<_> = self
            .waiting_people()
            .filter(|(_, _, deadline)| *deadline <= now)
            .map(|(meeting, id, _)| (meeting.clone(), id.clone()))
            .collect();
        for (meeting, id) in people {
            tracing::debug!(%meeting, participant = %id, "a person hung up, or media never connected");
            self.person_leaves(&meeting, &id, now);
        }
    }

    /// People who will leave by themselves, and when: their media has not connected yet, or their script says so.
    fn waiting_people(&self) -> impl Iterator<Item = (&MeetingId, &ParticipantId, ServiceTime)> {
        self.meetings.values().flat_map(|meeting| {
            meeting.members.iter().filter_map(|member| match member.kind {
                MemberKind::Person { connect_by, hang_up_at } => {
                    let deadline = connect_by.into_iter().chain(hang_up_at).min()?;
                    Some((&meeting.id, &member.id, deadline))
                }
                MemberKind::Bot { .. } | MemberKind::Gallery => None,
            })
        })
    }
}
