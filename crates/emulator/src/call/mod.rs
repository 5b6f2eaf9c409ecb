//! Calls: one bot's leg in a meeting, as Graph sees it.
//!
//! Holds the resource, its state machine, its routing groups, its roster feed and its outbox. Changed only by `world`,
//! under the service's lock.

mod machine;

pub(crate) use machine::{CallEffect, CallInput, CallMachine, Patience, conversation_ended, media_failed, removed};

use std::sync::Arc;

use antiphon_graph::{
    AudioRoutingGroup, Call as CallResource, CallId, CallMediaState, CallState, ChangeType, MediaState, ParticipantId,
    ResultInfo,
};

use crate::meeting::{MeetingId, RosterFeed};
use crate::notify::{Notification, Outbox};

/// A call in progress.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: CallId,
    /// The application it belongs to; others are told it does not exist.
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) meeting: MeetingId,
    pub(crate) participant: ParticipantId,
    /// The resource without its state.
    resource: CallResource,
    audio: Option<MediaState>,
    pub(crate) machine: CallMachine,
    pub(crate) roster: RosterFeed,
    /// In the order of creation.
    pub(crate) groups: Vec<AudioRoutingGroup>,
    pub(crate) outbox: Arc<Outbox>,
}

/// What a call is made of.
#[derive(Debug)]
pub(crate) struct NewCall {
    pub(crate) id: CallId,
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) meeting: MeetingId,
    pub(crate) participant: ParticipantId,
    pub(crate) resource: CallResource,
    pub(crate) machine: CallMachine,
    pub(crate) roster: RosterFeed,
    pub(crate) outbox: Arc<Outbox>,
}

impl Call {
    pub(crate) fn new(new: NewCall) -> Self {
        Self {
            id: new.id,
            app_id: new.app_id,
            tenant_id: new.tenant_id,
            meeting: new.meeting,
            participant: new.participant,
            resource: new.resource,
            audio: None,
            machine: new.machine,
            roster: new.roster,
            groups: Vec::new(),
            outbox: new.outbox,
        }
    }

    /// The resource as it is now.
    pub(crate) fn resource(&self) -> CallResource {
        CallResource {
            state: Some(self.machine.state()),
            media_state: self.audio.clone().map(media_state),
            ..self.resource.clone()
        }
    }

    /// A change of state as a notification; remembers the media state.
    pub(crate) fn state_notification(
        &mut self,
        state: CallState,
        audio: Option<MediaState>,
        result: Option<ResultInfo>,
    ) -> Notification {
        let over = state == CallState::Terminated;
        if audio.is_some() {
            self.audio.clone_from(&audio);
        }
        let mut change = CallResource {
            id: Some(self.id.clone()),
            state: Some(state),
            media_state: audio.map(media_state),
            result_info: result,
            ..CallResource::default()
        };
        if !over {
            let whole = &self.resource;
            change.chat_info.clone_from(&whole.chat_info);
            change.meeting_info.clone_from(&whole.meeting_info);
            change.call_chain_id.clone_from(&whole.call_chain_id);
            change.tenant_id.clone_from(&whole.tenant_id);
            change.my_participant_id.clone_from(&whole.my_participant_id);
        }
        let kind = if over { ChangeType::Deleted } else { ChangeType::Updated };
        Notification::call(&self.id, kind, &change)
    }

    /// Where a routing group of this name is; names ignore case.
    pub(crate) fn group_index(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.id.as_deref().is_some_and(|id| id.eq_ignore_ascii_case(name)))
    }

    /// The name of a routing group inside the conversation, where groups of all calls meet.
    pub(crate) fn engine_group_name(&self, group: &AudioRoutingGroup) -> String {
        format!("{}/{}", self.id, group.id.as_deref().unwrap_or_default().to_ascii_lowercase())
    }
}

fn media_state(audio: MediaState) -> CallMediaState {
    CallMediaState { audio: Some(audio), ..CallMediaState::default() }
}
