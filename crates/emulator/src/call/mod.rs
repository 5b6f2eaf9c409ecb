//! Calls: one bot's leg in a conversation, as Graph sees it.
//!
//! Holds the resource, its state machine, its routing groups, its operations, its roster feed and its outbox. Changed only
//! by `world`, under the service's lock.

mod hold;
mod machine;
mod operations;
pub(crate) mod reason;

pub(crate) use hold::{Hold, HoldPhase};
pub(crate) use machine::{CallEffect, CallInput, CallMachine, Expectations, Patience};
pub(crate) use operations::{Operations, Outcome, Pace};

use std::sync::Arc;

use antiphon_graph::wire::Version;
use antiphon_graph::{
    AudioRoutingGroup, Call as CallResource, CallDirection, CallId, CallMediaState, CallState, ChangeType, MediaState,
    ParticipantId, ResultInfo, Tone, ToneInfo,
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
    pub(crate) resource: CallResource,
    audio: Option<MediaState>,
    pub(crate) machine: CallMachine,
    pub(crate) roster: RosterFeed,
    /// In the order of creation.
    pub(crate) groups: Vec<AudioRoutingGroup>,
    pub(crate) operations: Operations,
    pub(crate) outbox: Arc<Outbox>,
    /// For an incoming call that somebody placed by ringing: which ring.
    pub(crate) ring: Option<ParticipantId>,
    /// How the bot refused, for whoever rings.
    pub(crate) refusal: Option<ResultInfo>,
    /// Passed on before it was answered.
    pub(crate) redirected: bool,
    /// Key presses told so far, once the bot has asked for them.
    tones: Option<i64>,
    /// Whom the bot keeps on hold.
    pub(crate) hold: Option<Hold>,
    /// Whether the bot wants to know about content sharing.
    pub(crate) wants_content_sharing: bool,
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
    pub(crate) outbox: Arc<Outbox>,
    /// The version of the API its bot speaks.
    pub(crate) version: Version,
}

impl Call {
    pub(crate) fn new(new: NewCall) -> Self {
        let mut call = Self {
            id: new.id,
            app_id: new.app_id,
            tenant_id: new.tenant_id,
            meeting: new.meeting,
            participant: new.participant,
            resource: new.resource,
            audio: None,
            machine: new.machine,
            roster: RosterFeed::full(new.version),
            groups: Vec::new(),
            operations: Operations::default(),
            outbox: new.outbox,
            ring: None,
            refusal: None,
            redirected: false,
            tones: None,
            hold: None,
            wants_content_sharing: false,
        };
        call.follow_options();
        call
    }

    /// Does as the resource's `callOptions` say.
    pub(crate) fn follow_options(&mut self) {
        let options = self.resource.call_options.as_ref();
        self.wants_content_sharing =
            options.and_then(|options| options.is_content_sharing_notification_enabled) == Some(true);
        if options.and_then(|options| options.is_delta_roster_enabled) == Some(true) {
            self.roster.send_deltas();
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

    /// A policy-recording call: the only kind whose recording status a bot may set.
    pub(crate) fn records_by_policy(&self) -> bool {
        let observed =
            self.resource.incoming_context.as_ref().and_then(|context| context.observed_participant_id.as_ref());
        observed.is_some_and(|id| !id.as_str().is_empty())
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
        let whole = &self.resource;
        let first = state == CallState::Establishing && whole.direction == Some(CallDirection::Incoming);
        let mut change = CallResource { state: Some(state), result_info: result, ..self.change() };
        change.media_state = audio.map(media_state);
        if over {
            if self.redirected {
                change.source.clone_from(&whole.source);
                change.targets.clone_from(&whole.targets);
            }
            return Notification::call(&self.id, ChangeType::Deleted, &change);
        }
        change.direction.clone_from(&whole.direction);
        change.chat_info.clone_from(&whole.chat_info);
        change.meeting_info.clone_from(&whole.meeting_info);
        change.call_chain_id.clone_from(&whole.call_chain_id);
        change.tenant_id.clone_from(&whole.tenant_id);
        change.my_participant_id.clone_from(&whole.my_participant_id);
        if first {
            // The reply to `answer` has no body: this is how the media answer reaches the bot.
            change.media_config.clone_from(&whole.media_config);
        }
        Notification::call(&self.id, ChangeType::Updated, &change)
    }

    /// The end of a call that the bot rejected: no state.
    pub(crate) fn rejected_notification(&self) -> Notification {
        Notification::call(&self.id, ChangeType::Deleted, &self.change())
    }

    /// The announcement of this call to its bot.
    pub(crate) fn announcement(&self) -> Notification {
        Notification::incoming(&self.id, &self.resource())
    }

    /// From now on the bot is told of key presses.
    pub(crate) fn subscribe_to_tones(&mut self) {
        self.tones.get_or_insert(0);
    }

    /// A key press, if the bot wants to know.
    pub(crate) fn tone_notification(&mut self, tone: Tone) -> Option<Notification> {
        let sequence = self.tones.as_mut()?;
        *sequence += 1;
        let tone_info = ToneInfo { sequence_id: Some(*sequence), tone: Some(tone), ..ToneInfo::default() };
        let state = Some(self.machine.state());
        let change = CallResource { state, tone_info: Some(tone_info), ..self.change() };
        Some(Notification::event(&self.id, &change))
    }

    /// The members every partial call has.
    pub(crate) fn change(&self) -> CallResource {
        CallResource { id: Some(self.id.clone()), ..CallResource::default() }
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
