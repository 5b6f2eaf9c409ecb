//! A machine with its driver on a virtual clock, and everything that came out.

use std::time::{Duration, Instant};

use antiphon_graph::blob::{AntiphonMedia, Blob, MediaBlob};
use antiphon_graph::{AppHostedMediaConfig, Call, CallState, ChangeType, CommsNotification, ResourceData};
use antiphon_signaling::call::{CallConfig, CallEvent, CallMachine, CallRequest, EndCause, Output, Reply, RequestId};
use serde_json::{Value, json};

pub(crate) const ID: &str = "2e1a0b00-5b7c-4c94-9f0e-3d8a61f2c7b5";

/// A machine with its driver: a clock, and everything that came out.
pub(crate) struct Bench {
    pub(crate) machine: CallMachine,
    pub(crate) now: Instant,
    pub(crate) requests: Vec<(RequestId, CallRequest)>,
    pub(crate) events: Vec<CallEvent>,
}

impl Bench {
    pub(crate) fn with(config: CallConfig) -> Self {
        let now = Instant::now();
        Self::of(CallMachine::create(with_blob(Call::default(), offer()), config, now), now)
    }

    pub(crate) fn of(machine: CallMachine, now: Instant) -> Self {
        let mut bench = Self { machine, now, requests: Vec::new(), events: Vec::new() };
        bench.drain();
        bench
    }

    pub(crate) fn new() -> Self {
        Self::with(CallConfig::default())
    }

    /// Created, and the create request answered.
    pub(crate) fn created() -> Self {
        let mut bench = Self::new();
        bench.reply_created();
        bench
    }

    pub(crate) fn established() -> Self {
        let mut bench = Self::created();
        bench.call(json!({"state": "established"}));
        bench
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Request(id, request) => self.requests.push((id, request)),
                Output::Event(event) => self.events.push(event),
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) fn reply_created(&mut self) {
        let created = Call { id: Some(ID.into()), state: Some(CallState::Establishing), ..Call::default() };
        self.reply(Reply::Call(Box::new(with_blob(created, MediaBlob::new(AntiphonMedia::answer("v=0")).to_blob()))));
    }

    /// Answers the oldest request that is not answered.
    pub(crate) fn reply(&mut self, reply: Reply) -> CallRequest {
        let (id, request) = self.requests.remove(0);
        self.machine.handle_reply(id, reply, self.now);
        self.drain();
        request
    }

    pub(crate) fn notify(&mut self, change: &str, path: &str, data: Value) {
        let notification = notification(change, path, data);
        self.machine.handle_notification(notification, self.now);
        self.drain();
    }

    pub(crate) fn call(&mut self, data: Value) {
        self.notify("updated", "", data);
    }

    pub(crate) fn roster(&mut self, data: Value) {
        self.notify("updated", "/participants", data);
    }

    pub(crate) fn terminate(&mut self) {
        self.notify("deleted", "", json!({"state": "terminated", "resultInfo": {"code": 200, "subcode": 5010}}));
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= until) {
            self.now = deadline;
            self.machine.handle_deadline(deadline);
            self.drain();
        }
        self.now = until;
    }

    pub(crate) fn pending(&self) -> Vec<&'static str> {
        self.requests.iter().map(|(_, request)| name(request)).collect()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let participants = self.machine.roster().participants();
        participants.map(|participant| participant.id.as_str().to_owned()).collect()
    }

    pub(crate) fn states(&self) -> Vec<CallState> {
        let state = |event: &CallEvent| match event {
            CallEvent::State(state) => Some(state.clone()),
            _ => None,
        };
        self.events.iter().filter_map(state).collect()
    }

    pub(crate) fn ends(&self) -> Vec<&EndCause> {
        fn end(event: &CallEvent) -> Option<&EndCause> {
            match event {
                CallEvent::Terminated(cause) => Some(cause),
                _ => None,
            }
        }
        self.events.iter().filter_map(end).collect()
    }
}

pub(crate) fn name(request: &CallRequest) -> &'static str {
    match request {
        CallRequest::Create(_) => "create",
        CallRequest::Answer(..) => "answer",
        CallRequest::Reject(..) => "reject",
        CallRequest::Redirect(..) => "redirect",
        CallRequest::Get(_) => "get",
        CallRequest::ContentSharingSessions(_) => "sharing",
        CallRequest::Participants(_) => "participants",
        CallRequest::KeepAlive(_) => "keepAlive",
        CallRequest::Delete(_) => "delete",
        other => panic!("{other:?}"),
    }
}

pub(crate) fn offer() -> Blob {
    MediaBlob::new(AntiphonMedia::offer("v=0 offer")).to_blob()
}

pub(crate) fn with_blob(call: Call, blob: Blob) -> Call {
    let config = AppHostedMediaConfig { blob: Some(blob), ..AppHostedMediaConfig::default() };
    Call { media_config: Some(config.into()), ..call }
}

pub(crate) fn notification(change: &str, path: &str, data: Value) -> CommsNotification {
    CommsNotification {
        change_type: Some(ChangeType::parse(change)),
        resource_url: Some(format!("/communications/calls/{ID}{path}")),
        resource_data: serde_json::from_value::<ResourceData>(data).unwrap(),
        ..CommsNotification::default()
    }
}

pub(crate) fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}
