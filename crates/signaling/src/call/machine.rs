//! The state machine of one call.
//!
//! Methods by kind: constructors, getters, commands, `handle_*` (something
//! happened), `poll_output` and `deadline` (what to do next). After every
//! mutation drain `poll_output`, then wait for whatever comes first: a
//! notification, a reply, a command or the deadline. `now` never goes back.
//! Invariants: states never regress, `Terminated` is the last event, every
//! request has at most one reply. Unexpected input is counted, never an error.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use antiphon_graph::blob::{BlobKind, SdpType};
use antiphon_graph::wire::Object;
use antiphon_graph::{
    Call, CallId, CallMediaState, CallState, ChangeType, CommsNotification, MediaConfig, MediaState, Participant,
    ParticipantId, ResourcePath, ResultInfo,
};
use serde_json::Value;

use super::event::{CallEvent, CallRequest, EndCause, NoMedia, Output, Reply, RequestId};
use super::merge::{Resource, member, rank};
use super::roster::{Roster, RosterChange, RosterMode, Whole};
use super::timers::{Timer, Timers};

/// Notifications kept at most until the reply to the create request tells
/// which call they are about.
const MAX_EARLY: usize = 64;

/// The times a call machine keeps.
#[derive(Debug, Clone)]
pub struct CallConfig {
    /// Between keepAlives. The service ends a call after 45 minutes without;
    /// default 15 minutes, as it documents.
    pub keep_alive_every: Duration,
    /// Before a failed keepAlive is tried again. Default 1 minute.
    pub keep_alive_retry: Duration,
    /// While establishing, how often to look at the call in case a
    /// notification was lost. Default 10 s.
    pub check_every: Duration,
    /// How long establishing may take before the call is hung up; a lobby
    /// counts. `None` waits for the service to give up. Default 2 minutes.
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Create,
    Get,
    /// The number of roster updates when it was sent.
    Participants(u64),
    KeepAlive,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Waiting,
    Told,
}

/// One call of ours, from the create request to its end.
///
/// ```
/// use std::time::Instant;
/// use antiphon_graph::{Call, CallId, CallState, CommsNotification, ResourceData};
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
    state: CallState,
    resource: Resource,
    roster: Roster,
    media: Option<MediaState>,
    answer: Answer,
    offered_blob: Option<String>,
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
        let mut machine = Self {
            roster: Roster::new(config.roster),
            config,
            id: None,
            state: CallState::Establishing,
            resource: Resource::default(),
            media: None,
            answer: Answer::Waiting,
            offered_blob: body.media_config.as_ref().and_then(MediaConfig::blob).map(|blob| blob.as_str().to_owned()),
            hang_up: None,
            ended: false,
            pending: BTreeMap::new(),
            next_request: 0,
            early: VecDeque::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            counters: CallCounters::default(),
        };
        if let Some(within) = machine.config.establish_within {
            machine.timers.set(Timer::Establish, now + within);
        }
        machine.request(Pending::Create, CallRequest::Create(Box::new(body)));
        machine
    }

    /// The id, once the service gave one.
    pub fn id(&self) -> Option<&CallId> {
        self.id.as_ref()
    }

    /// Where the call is in its life.
    pub fn state(&self) -> &CallState {
        &self.state
    }

    /// Whether it is over; then nothing more comes out.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Who takes part.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Our own participant in the roster.
    pub fn my_participant_id(&self) -> Option<ParticipantId> {
        self.resource.member("myParticipantId")
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

    /// Hangs up. Before the call exists, as soon as it does.
    pub fn hang_up(&mut self) {
        self.begin_hang_up(EndCause::HungUp);
    }

    /// Asks for the roster, for example when something about it is in doubt.
    pub fn refresh_roster(&mut self) {
        let outstanding = self.pending.values().any(|pending| matches!(pending, Pending::Participants(_)));
        if let Some(id) = self.id.clone().filter(|_| !self.ended && !outstanding) {
            self.request(Pending::Participants(self.roster.updates()), CallRequest::Participants(id));
        }
    }

    /// Notifications were lost on the way here: look at everything again.
    pub fn handle_loss(&mut self) {
        self.counters.losses += 1;
        self.look();
        self.refresh_roster();
    }

    /// A notification about this call.
    pub fn handle_notification(&mut self, notification: CommsNotification, now: Instant) {
        if self.ended {
            self.counters.after_end += 1;
            return;
        }
        let Some(id) = &self.id else {
            if self.early.len() == MAX_EARLY {
                self.counters.early_dropped += 1;
            } else {
                self.early.push_back(notification);
            }
            return;
        };
        let Ok(path) = notification.path() else {
            self.counters.malformed += 1;
            return;
        };
        if path.call_id() != Some(id) {
            self.counters.foreign += 1;
            return;
        }
        let change = notification.change_type;
        let data = notification.resource_data;
        match path {
            ResourcePath::Call(_) => {
                let deleted = change == Some(ChangeType::Deleted);
                let (mut call, rest) = match data.entities() {
                    [] => (None, &[][..]),
                    [first, rest @ ..] => (Some(first), rest),
                };
                self.counters.malformed += rest.len() as u64;
                let nothing = Object::new();
                self.merge_call(call.take().unwrap_or(&nothing), deleted, now);
            }
            ResourcePath::Participants(_) if !data.is_absent() => {
                let (change, whole, malformed) = self.roster.apply(data.entities());
                self.counters.malformed += malformed;
                self.tell_roster(change);
                match whole {
                    Whole::Yes => self.timers.stop(Timer::Reconcile),
                    Whole::No => self.timers.set_by(Timer::Reconcile, now + self.config.reconcile_after),
                }
            }
            ResourcePath::Participant(_, participant) => {
                let change = match (change, data.entities()) {
                    (Some(ChangeType::Deleted), _) => self.roster.remove_one(&participant),
                    (_, [entity]) => match read::<Participant>(entity) {
                        Some(participant) => self.roster.apply_one(participant),
                        None => return self.counters.malformed += 1,
                    },
                    _ => return self.counters.malformed += 1,
                };
                self.tell_roster(change);
            }
            ResourcePath::Operation(..) | ResourcePath::Operations(_) => {
                for entity in data.entities() {
                    match read(entity) {
                        Some(operation) => self.tell(CallEvent::Operation(Box::new(operation))),
                        None => self.counters.malformed += 1,
                    }
                }
            }
            ResourcePath::ContentSharingSessions(_) | ResourcePath::ContentSharingSession(..) => {
                self.tell(CallEvent::ContentSharing(change));
            }
            _ => self.counters.unknown += 1,
        }
    }

    /// The outcome of a request this machine gave out.
    pub fn handle_reply(&mut self, request: RequestId, reply: Reply, now: Instant) {
        let Some(pending) = self.pending.remove(&request).filter(|_| !self.ended) else {
            self.counters.stray_replies += 1;
            return;
        };
        match (pending, reply) {
            (Pending::Create, Reply::Call(call)) => self.created(&call, now),
            (Pending::Create, Reply::Failed(error)) => self.end(EndCause::NotCreated(error)),
            (_, Reply::Failed(error)) if error.is_call_gone() => {
                // Its last notification, with the reason, may be on the way.
                self.timers.set_by(Timer::End, now + self.config.end_grace);
            }
            (Pending::KeepAlive, Reply::Failed(error)) => {
                self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_retry);
                self.tell(CallEvent::KeepAliveFailed(error));
            }
            (Pending::KeepAlive, _) => self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_every),
            (Pending::Get, Reply::Call(call)) => {
                if let Ok(Value::Object(entity)) = serde_json::to_value(&*call) {
                    self.merge_call(&entity, false, now);
                }
            }
            (Pending::Participants(sent_at), Reply::Participants(listed)) => self.listed(sent_at, listed, now),
            (Pending::Participants(_), Reply::Failed(error)) => {
                // Asked again while there is a hole to be filled.
                self.timers.set_by(Timer::Reconcile, now + 10 * self.config.reconcile_after);
                self.tell(CallEvent::RequestFailed(error));
            }
            (Pending::Delete, Reply::Failed(error)) => {
                // The service will notice that nobody keeps the call alive.
                self.timers.set_by(Timer::End, now + self.config.end_grace);
                self.tell(CallEvent::RequestFailed(error));
            }
            (Pending::Delete, _) => self.timers.set_by(Timer::End, now + self.config.end_grace),
            (Pending::Get, Reply::Failed(error)) => self.tell(CallEvent::RequestFailed(error)),
            (Pending::Create | Pending::Get | Pending::Participants(_), _) => self.counters.stray_replies += 1,
        }
    }

    /// Time has passed; does what is due.
    pub fn handle_deadline(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::KeepAlive => {
                    if let Some(id) = self.id.clone() {
                        self.request(Pending::KeepAlive, CallRequest::KeepAlive(id));
                    }
                }
                Timer::Check => {
                    self.look();
                    self.timers.set(Timer::Check, now + self.config.check_every);
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

    fn created(&mut self, call: &Call, now: Instant) {
        let Some(id) = call.id.clone() else {
            // Nothing can be done with a call that cannot be named.
            self.counters.malformed += 1;
            return self.end(EndCause::Gone);
        };
        self.id = Some(id.clone());
        self.tell(CallEvent::Created(id));
        self.timers.set(Timer::KeepAlive, now + self.config.keep_alive_every);
        self.timers.set(Timer::Check, now + self.config.check_every);
        if let Ok(Value::Object(entity)) = serde_json::to_value(call) {
            self.merge_call(&entity, false, now);
        }
        for notification in std::mem::take(&mut self.early) {
            self.handle_notification(notification, now);
        }
        if let Some(cause) = self.hang_up.take() {
            self.begin_hang_up(cause);
        }
    }

    /// Merges a whole or partial call from a reply or notification.
    fn merge_call(&mut self, entity: &Object, deleted: bool, now: Instant) {
        let told: Option<CallState> = member(entity, "state");
        // A deleted call without a state (after a reject) is over as well.
        let told = if deleted { Some(CallState::Terminated) } else { told };
        let late = told.as_ref().is_some_and(|told| rank(told) < rank(&self.state));
        let last = told == Some(CallState::Terminated);
        self.counters.regressed += u64::from(late);
        self.resource.merge(entity, late, last);
        if last {
            return self.end(EndCause::Notified(member(entity, "resultInfo")));
        }
        self.look_for_answer(entity);
        if let Some(told) = told.filter(|told| !late && *told != self.state) {
            self.enter(told, now);
        }
        if late {
            return;
        }
        let media = member::<CallMediaState>(entity, "mediaState").and_then(|media| media.audio);
        if let Some(audio) = media.filter(|audio| self.media.as_ref() != Some(audio)) {
            self.media = Some(audio.clone());
            self.tell(CallEvent::Media(audio));
        }
        if let Some(tone) = member(entity, "toneInfo") {
            self.tell(CallEvent::Tone(tone));
        }
        if let Some(result) = member::<ResultInfo>(entity, "resultInfo").filter(|result| !result.is_normal()) {
            self.tell(CallEvent::TransferFailed(result));
        }
    }

    fn enter(&mut self, state: CallState, now: Instant) {
        self.state = state.clone();
        self.tell(CallEvent::State(state));
        if rank(&self.state) < rank(&CallState::Established) {
            return;
        }
        self.timers.stop(Timer::Check);
        self.timers.stop(Timer::Establish);
        if self.state != CallState::Established {
            return;
        }
        if self.answer == Answer::Waiting && self.offered_blob.is_some() {
            self.answer = Answer::Told;
            let why = self.why_no_answer();
            self.tell(CallEvent::NoMediaAnswer(why));
        }
        if self.roster.updates() == 0 && !self.timers.is_set(Timer::Reconcile) {
            // The first roster follows shortly; if it is lost, ask.
            self.timers.set(Timer::Reconcile, now + 3 * self.config.reconcile_after);
        }
    }

    fn look_for_answer(&mut self, entity: &Object) {
        if self.answer == Answer::Told {
            return;
        }
        let config: Option<MediaConfig> = member(entity, "mediaConfig");
        let Some(BlobKind::Antiphon(blob)) = config.as_ref().and_then(MediaConfig::blob).map(|blob| blob.kind()) else {
            return;
        };
        if blob.antiphon.sdp_type == SdpType::Answer {
            self.answer = Answer::Told;
            self.tell(CallEvent::MediaAnswer(blob));
        }
    }

    fn why_no_answer(&self) -> NoMedia {
        let config: Option<MediaConfig> = self.resource.member("mediaConfig");
        let Some(blob) = config.as_ref().and_then(MediaConfig::blob) else { return NoMedia::Absent };
        if self.offered_blob.as_deref() == Some(blob.as_str()) {
            return NoMedia::Echo;
        }
        match blob.kind() {
            BlobKind::Opaque(reason) => NoMedia::Opaque(reason),
            _ => NoMedia::Echo,
        }
    }

    fn listed(&mut self, sent_at: u64, listed: Vec<Participant>, now: Instant) {
        let overtaken = self.roster.updates() != sent_at;
        if overtaken {
            // Updates came in while the list was on its way, and it may be
            // older than they are. In full mode they are the newer truth; in
            // delta mode only a list that nothing overtook can fill a hole.
            if self.roster.is_delta() {
                self.timers.set_by(Timer::Reconcile, now + self.config.reconcile_after);
            }
            return;
        }
        self.timers.stop(Timer::Reconcile);
        let change = self.roster.reconcile(listed);
        self.tell_roster(change);
    }

    fn begin_hang_up(&mut self, cause: EndCause) {
        if self.ended || self.hang_up.is_some() {
            return;
        }
        self.hang_up = Some(cause);
        if let Some(id) = self.id.clone() {
            self.request(Pending::Delete, CallRequest::Delete(id));
        }
    }

    /// Reads the call again, unless that is under way.
    fn look(&mut self) {
        let outstanding = self.pending.values().any(|pending| *pending == Pending::Get);
        if let Some(id) = self.id.clone().filter(|_| !self.ended && !outstanding) {
            self.request(Pending::Get, CallRequest::Get(id));
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

    fn request(&mut self, pending: Pending, request: CallRequest) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.pending.insert(id, pending);
        self.outputs.push_back(Output::Request(id, request));
    }

    fn tell(&mut self, event: CallEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn tell_roster(&mut self, change: RosterChange) {
        if !change.is_empty() {
            self.tell(CallEvent::Roster(change));
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(entity: &Object) -> Option<T> {
    serde_json::from_value(Value::Object(entity.clone())).ok()
}
