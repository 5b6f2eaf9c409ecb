//! What a bot does to the others in its conversation.
//!
//! Part of [`World`]. Whoever asks has checked that the call is established and has a roster. Inviting is in
//! `invitations`, holding in `holding`.

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{CallId, CommsOperation, ParticipantId, SyntheticMediaDetectionInfo};
use serde_json::Value;

use super::operations::A_MOMENT;
use super::{Purpose, World};
use crate::call::{Call, Outcome, Pace, reason};
use crate::clock::ServiceTime;
use crate::meeting::Member;

impl World {
    /// A participant a bot may act upon: one that rosters show, or that was invited not to be shown.
    pub(crate) fn participant_of(&self, call: &Call, who: &ParticipantId) -> Option<&Member> {
        self.meetings.get(&call.meeting)?.member(who).filter(|member| member.in_roster || member.hidden)
    }

    /// The bot takes somebody out, or takes back its invitation. Says whether there was anybody.
    pub(crate) fn remove_for(&mut self, id: &CallId, who: &ParticipantId, now: ServiceTime) -> bool {
        let Some(call) = self.calls.get(id) else {
            return false;
        };
        let (meeting, me) = (call.meeting.clone(), call.participant.clone());
        let invited = |purpose: &Purpose| {
            matches!(purpose, Purpose::Invitation { .. } | Purpose::GroupTarget { .. }) && purpose.call() == id
        };
        if self.rings.get(who).is_some_and(|ring| ring.meeting == meeting && invited(&ring.purpose)) {
            self.refuse_ring(who, reason::operation_cancelled(), now);
            return true;
        }
        if *who == me {
            self.hang_up(id, now);
            return true;
        }
        self.participant_of(call, who).is_some() && self.remove_participant(&meeting, who, now).is_ok()
    }

    /// Mutes a participant for everybody.
    pub(crate) fn mute(
        &mut self,
        id: &CallId,
        who: &ParticipantId,
        client_context: Option<String>,
    ) -> Option<CommsOperation> {
        let operation = self.finish_at_once(id, &OperationKind::MuteParticipant, client_context, Extra::new())?;
        self.mute_members(id, std::slice::from_ref(who));
        Some(operation)
    }

    /// Mutes several participants for everybody, in one operation that lists them.
    pub(crate) fn mute_all(
        &mut self,
        id: &CallId,
        who: &[ParticipantId],
        client_context: Option<String>,
    ) -> Option<CommsOperation> {
        let list = Value::from_iter(who.iter().map(ParticipantId::as_str));
        let members = Extra::from_iter([("participants".to_owned(), list)]);
        let operation = self.finish_at_once(id, &OperationKind::MuteParticipants, client_context, members)?;
        self.mute_members(id, who);
        Some(operation)
    }

    fn mute_members(&mut self, id: &CallId, who: &[ParticipantId]) {
        let Some(meeting_id) = self.calls.get(id).map(|call| call.meeting.clone()) else {
            return;
        };
        if let Some(meeting) = self.meetings.get_mut(&meeting_id) {
            for who in who {
                if let Some(member) = meeting.member_mut(who) {
                    member.muted = true;
                    let id = member.id.clone();
                    meeting.media.set_muted(&id, true);
                }
            }
        }
        self.publish_changes(&meeting_id, who, None);
    }

    /// Mixer levels were set. They are checked and acknowledged; they do not change what anybody hears yet.
    pub(crate) fn configure_mixer(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Option<CommsOperation> {
        let how = (Pace::After(A_MOMENT), Outcome::default());
        self.begin_operation(id, &OperationKind::Comms, client_context, Extra::new(), how, now)
    }

    /// A detection bot's report on a participant's media; the last one counts.
    pub(crate) fn report_synthetic_media(
        &mut self,
        id: &CallId,
        who: &ParticipantId,
        report: SyntheticMediaDetectionInfo,
    ) {
        let Some(meeting_id) = self.calls.get(id).map(|call| call.meeting.clone()) else {
            return;
        };
        if let Some(member) = self.meetings.get_mut(&meeting_id).and_then(|meeting| meeting.member_mut(who)) {
            member.synthetic = Some(report);
        }
        self.publish_change(&meeting_id, who, None);
    }
}
