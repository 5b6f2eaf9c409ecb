//! The state machine of one call.
//!
//! Methods by kind: constructors, getters, commands, `handle_*` (something
//! happened), `poll_output` and `deadline` (what to do next). After every
//! mutation drain `poll_output`, then wait for whatever comes first: a
//! notification, a reply, a command or the deadline. `now` never goes back.
//! Invariants: states never regress, `Terminated` is the last event, every
//! request has at most one reply. Unexpected input is counted, never an error.
//! Here: data, commands, time; `notified.rs` and `replied.rs` have the inputs.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

mod notified;
mod replied;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use antiphon_graph::action::{Answer, Redirect, Reject};
use antiphon_graph::{
    Call, CallId, CallOptions, CallState, CallTranscriptionInfo, CommsNotification, ContentSharingSession, MediaConfig,
    MediaState, ParticipantId, RecordingStatus, ResultInfo,
};
use thiserror::Error;

use super::event::{CallEvent, CallRequest, Decision, EndCause, Output, RequestId};
use super::merge::{Resource, rank};
use super::roster::{Roster, RosterMode};
use super::seen::Seen;
use super::sharing::Sharing;
use super::timers::{Timer, Timers};
use crate::client::GraphError;

/// Notifications kept at most until the reply to the create request tells
/// which call they are about.
const MAX_EARLY: usize = 64;

/// Key presses, operations and joinings remembered, each.
const REMEMBERED: usize = 256;

/// The times a call machine keeps.
#[derive(Debug, Clone)]
pub struct CallConfig {
    /// Between keepAlives. The service ends a call after 45 minutes without;
    /// default 15 minutes, as it documents.
    pub keep_alive_every: Duration,
    /// Before a failed keepAlive is tried again. Default 1 minute.
    pub keep_alive_retry: Duration,
    /// While the call is in a state that does not last (incoming,
    /// establishing, transferring, ...), how often to look at it in case a
    /// notification was lost. Default 10 s.
    pub check_every: Duration,
    /// How long establishing may take before the call is hung up; ringing and
    /// a lobby count. `None` waits for the service to give up. Default 2 minutes.
    pub establish_within: Option<Duration>,
    /// Before a roster with a hole is asked for. Default 1 s.
    pub reconcile_after: Duration,
    /// How long to wait for the notification that tells why a call ended,
    /// once it is known to have. Default 5 s.
    pub end_grace: Duration,
    /// How to read plain lists of participants.
    pub roster: RosterMode,
}

impl Default for CallConfig {
    fn default() -> Self {
        Self {
            keep_alive_every: Duration::from_secs(15 * 60),
            keep_alive_retry: Duration::from_secs(60),
            check_every: Duration::from_secs(10),
            establish_within: Some(Duration::from_secs(120)),
            reconcile_after: Duration::from_secs(1),
            end_grace: Duration::from_secs(5),
            roster: RosterMode::default(),
        }
    }
}

/// What was odd, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CallCounters {
    /// Notifications that arrived after the call's end.
    pub after_end: u64,
    /// Notifications whose state is behind the call's.
    pub regressed: u64,
    /// Notifications about another call.
    pub foreign: u64,
    /// Notifications or entities that could not be read.
    pub malformed: u64,
    /// Notifications about resources this machine does not know.
    pub unknown: u64,
    /// Notifications dropped because too many came before the create reply.
    pub early_dropped: u64,
    /// Replies to requests that are not outstanding.
    pub stray_replies: u64,
    /// Times the driver reported lost notifications.
    pub losses: u64,
}

/// The call is not one that wants a decision: not incoming, decided, or over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the call wants no decision")]
pub struct NotOffered;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Create,
    Decide(Decision),
    /// The number of call notifications when it was sent.
    Get(u64),
    /// The number of roster updates when it was sent.
    Participants(u64),
    /// The number of sharing updates when it was sent.
    Sharing(u64),
    KeepAlive,
    Delete,
}

/// Whose call it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Incoming, and nobody has decided.
    Offered,
    /// The service is being told.
    Deciding(Decision),
    /// Ours: placed or answered.
    Ours,
    /// Refused or redirected: its end is on the way.
    Declined,
}

/// Whether the service has answered our media offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaAnswer {
    Waiting,
    /// The call is established without: looking whether the resource has it.
    Looking,
    ToldNone,
    Told,
}

/// One call of ours, from the create request to its end.
///
/// ```
/// use std::time::Instant;
/// use antiphon_graph::{Call, CallId, CallState, CallTranscriptionInfo, CommsNotification, ResourceData};
/// use antiphon_signaling::call::{CallConfig, CallEvent, CallMachine, CallRequest, Output, Reply};
///
/// // What a driver does after every input: send the requests, tell the events.
/// fn drain(call: &mut CallMachine, now: Instant, told: &mut Vec<CallEvent>) {
///     while let Some(output) = call.poll_output() {
///         match output {
///             Output::Request(id, CallRequest::Create(body)) => {
///                 // A real driver spawns `client.create_call(&body)` and hands over the outcome.
///                 let created = Call { id: Some(CallId::new("42")), state: Some(CallState::Establishing), ..*body };
///                 call.handle_reply(id, Reply::Call(Box::new(created)), now);
///             }
///             Output::Request(..) => {}
///             Output::Event(event) => told.push(event),
///             _ => {}
///         }
///     }
/// }
///
/// let (now, mut told) = (Instant::now(), Vec::new());
/// let mut call = CallMachine::create(Call::default(), CallConfig::default(), now);
/// drain(&mut call, now, &mut told);
///
/// // From here on: whatever comes first of a notification, a reply, or this deadline.
/// assert!(call.deadline().is_some());
/// let established = Call { state: Some(CallState::Established), ..Call::default() };
/// let notification = CommsNotification {
///     resource_url: Some("/communications/calls/42".into()),
///     resource_data: ResourceData::one(&established).unwrap(),
///     ..CommsNotification::default()
/// };
/// call.handle_notification(notification, now);
/// drain(&mut call, now, &mut told);
/// assert_eq!(call.state(), &CallState::Established);
/// ```
#[derive(Debug)]
pub struct CallMachine {
    config: CallConfig,
    id: Option<CallId>,
    stage: Stage,
    state: CallState,
    resource: Resource,
    /// Call notifications so far.
    notified: u64,
    roster: Roster,
    sharing: Sharing,
    /// Whether content sharing is to be notified.
    wants_sharing: bool,
    recording: BTreeMap<ParticipantId, RecordingStatus>,
    transcription: Option<CallTranscriptionInfo>,
    media: Option<MediaState>,
    answer: MediaAnswer,
    offered_blob: Option<String>,
    /// Whether a transfer was begun whose failure has not been told.
    transferring: bool,
    /// The last failed transfer, until the next one begins.
    failed_transfer: Option<ResultInfo>,
    tones: Seen<i64>,
    operations: Seen<String>,
    joinings: Seen<String>,
    /// A decision nobody knows the fate of, and why.
    doubt: Option<(Decision, GraphError)>,
    hang_up: Option<EndCause>,
    ended: bool,
    pending: BTreeMap<RequestId, Pending>,
    next_request: u64,
    early: VecDeque<CommsNotification>,
    timers: Timers,
    outputs: VecDeque<Output>,
    counters: CallCounters,
}

impl CallMachine {
    /// Begins a call with a create request: `body` is what `POST /calls` takes.
    pub fn create(body: Call, config: CallConfig, now: Instant) -> Self {
        let mut machine = Self::new(config, Stage::Ours, CallState::Establishing);
        machine.offer(body.media_config.as_ref());
        machine.wants_sharing = wants_sharing(body.call_options.as_ref());
        machine.await_establishment(now);
        machine.request(Pending::Create, CallRequest::Create(Box::new(body)));
        machine
    }

    /// Begins with the notification of an incoming call. Then
    /// [`answer`](Self::answer), [`reject`](Self::reject) or
    /// [`redirect`](Self::redirect) it: the service waits 15 seconds.
    ///
    /// # Errors
    ///
    /// If the notification leads to no call.
    pub fn incoming(notification: &CommsNotification, config: CallConfig, now: Instant) -> Result<Self, NotOffered> {
        let id = notification.path().ok().and_then(|path| path.call_id().cloned()).ok_or(NotOffered)?;
        let mut machine = Self::new(config, Stage::Offered, CallState::Incoming);
        machine.id = Some(id);
        if let Some(entity) = notification.resource_data.entities().first() {
            machine.resource.merge(entity, false, false);
        }
        machine.timers.set(Timer::Check, now + machine.config.check_every);
        Ok(machine)
    }

    fn new(config: CallConfig, stage: Stage, state: CallState) -> Self {
        Self {
            roster: Roster::new(config.roster),
            config,
            id: None,
            stage,
            state,
            resource: Resource::default(),
            notified: 0,
            sharing: Sharing::new(),
            wants_sharing: false,
            recording: BTreeMap::new(),
            transcription: None,
            media: None,
            answer: MediaAnswer::Waiting,
            offered_blob: None,
            transferring: false,
            failed_transfer: None,
            tones: Seen::up_to(REMEMBERED),
            operations: Seen::up_to(REMEMBERED),
            joinings: Seen::up_to(REMEMBERED),
            doubt: None,
            hang_up: None,
            ended: false,
            pending: BTreeMap::new(),
            next_request: 0,
            early: VecDeque::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            counters: CallCounters::default(),
        }
    }

    /// The id, once the service gave one.
    pub fn id(&self) -> Option<&CallId> {
        self.id.as_ref()
    }

    /// Where the call is in its life.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// Whether it is incoming and wants a decision.
    pub fn is_offered(&self) -> bool {
        self.stage == Stage::Offered && !self.ended
    }

    /// Whether it is over; then nothing more comes out.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Who takes part.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The content that is shared.
    pub fn sharing(&self) -> impl ExactSizeIterator<Item = &ContentSharingSession> {
        self.sharing.sessions()
    }

    /// Our own participant in the roster.
    pub fn my_participant_id(&self) -> Option<ParticipantId> {
        self.resource.member("myParticipantId")
    }

    /// Tenant of the call, if its resource names one.
    pub fn tenant_id(&self) -> Option<String> {
        self.resource.member("tenantId")
    }

    /// The call as notifications and replies built it up.
    ///
    /// # Errors
    ///
    /// If the service sent a member in a form its type does not have.
    pub fn call(&self) -> Result<Call, serde_json::Error> {
        self.resource.call(&self.state)
    }

    /// What was odd so far.
    pub fn counters(&self) -> CallCounters {
        self.counters
    }

    /// Answers an incoming call.
    ///
    /// # Errors
    ///
    /// [`NotOffered`] if it wants no decision; nothing is sent.
    pub fn answer(&mut self, answer: Answer) -> Result<(), NotOffered> {
        self.decide(Decision::Answer)?;
        self.offer(answer.media_config.as_ref());
        self.wants_sharing = wants_sharing(answer.call_options.as_ref());
        self.request_of_call(Pending::Decide(Decision::Answer), |id| CallRequest::Answer(id, Box::new(answer)));
        Ok(())
    }

    /// Refuses an incoming call.
    ///
    /// # Errors
    ///
    /// [`NotOffered`] if it wants no decision; nothing is sent.
    pub fn reject(&mut self, reject: Reject) -> Result<(), NotOffered> {
        self.decide(Decision::Reject)?;
        self.request_of_call(Pending::Decide(Decision::Reject), |id| CallRequest::Reject(id, Box::new(reject)));
        Ok(())
    }

    /// Sends an incoming call elsewhere.
    ///
    /// # Errors
    ///
    /// [`NotOffered`] if it wants no decision; nothing is sent.
    pub fn redirect(&mut self, redirect: Redirect) -> Result<(), NotOffered> {
        self.decide(Decision::Redirect)?;
        self.request_of_call(Pending::Decide(Decision::Redirect), |id| CallRequest::Redirect(id, Box::new(redirect)));
        Ok(())
    }

    /// Hangs up; an incoming call that wants a decision is refused. Before
    /// the call exists or is answered, as soon as it is.
    pub fn hang_up(&mut self) {
        self.begin_hang_up(EndCause::HungUp);
    }

    /// A transfer of this call is about to be asked of the service: its
    /// failure is told even if it is the same as that of the last.
    pub fn begin_transfer(&mut self) {
        (self.transferring, self.failed_transfer) = (true, None);
    }

    /// Asks for the roster, for example when something about it is in doubt.
    pub fn refresh_roster(&mut self) {
        let outstanding = self.pending.values().any(|pending| matches!(pending, Pending::Participants(_)));
        if !outstanding && self.stage == Stage::Ours {
            self.request_of_call(Pending::Participants(self.roster.updates()), CallRequest::Participants);
        }
    }

    /// Looks at everything again: call, roster, and content sharing if it was
    /// asked to be told or there was any.
    pub fn refresh(&mut self) {
        self.look();
        self.refresh_roster();
        if self.wants_sharing || self.sharing.updates() > 0 {
            self.refresh_sharing();
        }
    }

    /// Notifications were lost on the way here: look at everything again.
    pub fn handle_loss(&mut self) {
        self.counters.losses += 1;
        self.refresh();
    }

    /// Another request found that the service knows the call no more.
    pub fn handle_gone(&mut self, now: Instant) {
        if !self.ended && self.id.is_some() {
            // Its last notification, with the reason, may be on the way.
            self.timers.set_by(Timer::End, now + self.config.end_grace);
        }
    }

    /// Time has passed; does what is due.
    pub fn handle_deadline(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::KeepAlive => self.request_of_call(Pending::KeepAlive, CallRequest::KeepAlive),
                Timer::Check => {
                    self.look();
                    if self.is_passing() {
                        self.timers.set(Timer::Check, now + self.config.check_every);
                    }
                }
                Timer::Establish => self.begin_hang_up(EndCause::NotEstablished),
                Timer::Reconcile => self.refresh_roster(),
                Timer::End => {
                    let cause = self.hang_up.take().unwrap_or(EndCause::Gone);
                    self.end(cause);
                }
            }
        }
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_deadline` at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn decide(&mut self, decision: Decision) -> Result<(), NotOffered> {
        if !self.is_offered() {
            return Err(NotOffered);
        }
        self.stage = Stage::Deciding(decision);
        Ok(())
    }

    /// Remembers the media offer that is being sent.
    fn offer(&mut self, config: Option<&MediaConfig>) {
        self.offered_blob = config.and_then(MediaConfig::blob).map(|blob| blob.as_str().to_owned());
    }

    /// An incoming call is ours, by the reply to the answer or by what was
    /// notified ahead of it.
    fn take_over(&mut self, now: Instant) {
        if self.stage == Stage::Ours {
            return;
        }
        self.stage = Stage::Ours;
        self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_every);
        if rank(&self.state) < rank(&CallState::Established) {
            self.await_establishment(now);
        }
    }

    fn await_establishment(&mut self, now: Instant) {
        if let Some(within) = self.config.establish_within {
            self.timers.set(Timer::Establish, now + within);
        }
    }

    /// Whether the call is in a state that does not last: if nothing more is
    /// heard of it, something was lost.
    fn is_passing(&self) -> bool {
        self.stage != Stage::Ours
            || !matches!(self.state, CallState::Established | CallState::Hold | CallState::Unknown(_))
    }

    fn begin_hang_up(&mut self, cause: EndCause) {
        if self.ended || self.hang_up.is_some() {
            return;
        }
        self.hang_up = Some(cause);
        match self.stage {
            // A declined call may still ring elsewhere.
            Stage::Ours | Stage::Declined => self.request_of_call(Pending::Delete, CallRequest::Delete),
            Stage::Offered => self.reject(Reject::default()).expect("invariant: it is offered"),
            // Once the service has taken the decision, or not.
            Stage::Deciding(_) => {}
        }
    }

    /// Reads the call again, unless that is under way.
    fn look(&mut self) {
        let outstanding = self.pending.values().any(|pending| matches!(pending, Pending::Get(_)));
        if !outstanding {
            self.request_of_call(Pending::Get(self.notified), CallRequest::Get);
        }
    }

    /// Reads the call again even if that is under way: what was asked before
    /// now may have been answered before it.
    fn look_anew(&mut self) {
        self.pending.retain(|_, pending| !matches!(pending, Pending::Get(_)));
        self.look();
    }

    fn refresh_sharing(&mut self) {
        let outstanding = self.pending.values().any(|pending| matches!(pending, Pending::Sharing(_)));
        if !outstanding {
            self.request_of_call(Pending::Sharing(self.sharing.updates()), CallRequest::ContentSharingSessions);
        }
    }

    fn end(&mut self, cause: EndCause) {
        self.ended = true;
        self.timers.stop_all();
        self.early.clear();
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
        if self.state != CallState::Terminated {
            self.state = CallState::Terminated;
            self.tell(CallEvent::State(CallState::Terminated));
        }
        self.tell(CallEvent::Terminated(cause));
    }

    /// A request about the call, if there is one.
    fn request_of_call(&mut self, pending: Pending, request: impl FnOnce(CallId) -> CallRequest) {
        if let Some(id) = self.id.clone().filter(|_| !self.ended) {
            self.request(pending, request(id));
        }
    }

    fn request(&mut self, pending: Pending, request: CallRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, pending);
        self.outputs.push_back(Output::Request(id, request));
    }

    fn tell(&mut self, event: CallEvent) {
        self.outputs.push_back(Output::Event(event));
    }
}

fn wants_sharing(options: Option<&CallOptions>) -> bool {
    options.and_then(|options| options.is_content_sharing_notification_enabled) == Some(true)
}
