//! Fuzz bodies as ordinary functions: the targets are shells around these, and the corpus replays through
//! them as tests.
//!
//! [`token`] and [`link`] take wire text; [`call`] reads its input as what a service and a network do to a
//! call: notifications in any order, replies that fit or do not, time passing, losses. They panic only when
//! an invariant of this crate is broken.

use std::time::{Duration, Instant};

use antiphon_graph::action::{Answer, Redirect, Reject};
use antiphon_graph::{Call, CallId, CallState, ChangeType, CommsNotification, Participant, ResourceData};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::MeetingLink;
use crate::call::{CallConfig, CallEvent, CallMachine, CallRequest, Output, Reply, RequestId};
use crate::client::{GraphError, GraphErrorKind, Happened};
use crate::webhook::{Expected, KeySet, verify};

const CALL: &str = "2e1a0b00-5b7c-4c94-9f0e-3d8a61f2c7b5";

/// Reads `data` as a token and, after a zero byte, a key set, and verifies the one with the other.
///
/// # Panics
/// If the token is believed: nobody has signed it.
pub fn token(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let (token, keys) = (text(), text());
    let keys = KeySet::parse(keys.as_bytes()).unwrap_or_default();
    let expected = Expected::for_app("app");
    let now = Timestamp::from_second(1_700_000_000).expect("invariant: 2023 is representable");
    assert!(verify(&token, &keys, &expected, now).is_err(), "a token nobody signed was believed");
}

/// Reads `data` as a meeting link and applies it to a call.
///
/// # Panics
/// If the call cannot be written then.
pub fn link(data: &[u8]) {
    let Ok(link) = MeetingLink::parse(&String::from_utf8_lossy(data)) else { return };
    let mut call = Call::default();
    link.apply_to(&mut call);
    serde_json::to_string(&call).expect("invariant: every call can be written");
}

/// Runs `data` as what happens to a call that is placed, and to one that comes in; then hangs up and lets time
/// pass.
///
/// # Panics
/// If an event follows the end, a deadline does not move, or the call does not end.
pub fn call(data: &[u8]) {
    live(Run::placed(), data);
    live(Run::incoming(), data);
}

fn live(mut run: Run, data: &[u8]) {
    let mut bytes = data.iter().copied();
    while let Some(op) = bytes.next() {
        let argument = bytes.next().unwrap_or(0);
        match op % 8 {
            0..=2 => run.notify(argument),
            3 => run.reply(usize::from(argument >> 4), argument & 15),
            4 => run.pass(Duration::from_secs(u64::from(argument))),
            5 => run.pass(Duration::from_secs(u64::from(argument) * 60)),
            6 => run.machine.handle_loss(),
            _ => run.command(argument),
        }
        run.drain();
    }
    run.machine.hang_up();
    run.drain();
    // Replies come, and time passes: whatever happened before, a call that was hung up ends.
    for _ in 0..20 {
        while !run.pending.is_empty() {
            run.reply(0, 0);
        }
        run.pass(Duration::from_secs(60));
    }
    assert!(run.machine.is_ended(), "a call that was hung up does not end");
}

/// A machine with its driver.
struct Run {
    machine: CallMachine,
    now: Instant,
    pending: Vec<(RequestId, CallRequest)>,
    ended: bool,
}

impl Run {
    fn placed() -> Self {
        let now = Instant::now();
        Self::of(CallMachine::create(Call::default(), CallConfig::default(), now), now)
    }

    fn incoming() -> Self {
        let now = Instant::now();
        let machine = CallMachine::incoming(&notification(0), CallConfig::default(), now);
        Self::of(machine.expect("invariant: the notification leads to the call"), now)
    }

    fn of(machine: CallMachine, now: Instant) -> Self {
        let mut run = Self { machine, now, pending: Vec::new(), ended: false };
        run.drain();
        run
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Request(id, request) => self.pending.push((id, request)),
                Output::Event(event) => {
                    assert!(!self.ended, "{event:?} after the end");
                    self.ended = matches!(event, CallEvent::Terminated(_));
                }
            }
        }
        assert_eq!(self.ended, self.machine.is_ended(), "the end is told, and told when it comes");
    }

    /// A decision about a call that wants none changes nothing.
    fn command(&mut self, which: u8) {
        let (offered, machine) = (self.machine.is_offered(), &mut self.machine);
        let decided = match which {
            0 => return machine.hang_up(),
            1 => machine.answer(Answer::default()),
            2 => machine.reject(Reject::default()),
            3 => machine.redirect(Redirect::default()),
            4 => return machine.refresh(),
            5 => return machine.handle_gone(self.now),
            _ => return machine.refresh_roster(),
        };
        assert_eq!(decided.is_ok(), offered);
    }

    fn notify(&mut self, which: u8) {
        self.machine.handle_notification(notification(which), self.now);
        self.drain();
    }

    /// Answers one of the pending requests: 0 as asked, else with something else.
    fn reply(&mut self, which: usize, how: u8) {
        if self.pending.is_empty() {
            return;
        }
        let (id, request) = self.pending.remove(which % self.pending.len());
        let state =
            [CallState::Establishing, CallState::Established, CallState::Terminated][usize::from(how) % 3].clone();
        let call = || Reply::Call(Box::new(Call { id: Some(CALL.into()), state: Some(state), ..Call::default() }));
        let failed = |kind, happened| Reply::Failed(GraphError::new(kind, happened, "no"));
        let reply = match (how, request) {
            // The client reads the reply to a creation as a call, or it fails; it may be a call without an id.
            (9..12, CallRequest::Create(_)) => Reply::Call(Box::default()),
            (12, CallRequest::Create(_)) => failed(GraphErrorKind::Forbidden, Happened::No),
            (_, CallRequest::Create(_)) | (0..3, CallRequest::Get(_)) => call(),
            (0..3, CallRequest::Participants(_)) => Reply::Participants(vec![participant(how)]),
            (0..3, CallRequest::ContentSharingSessions(_)) => Reply::ContentSharingSessions(Vec::new()),
            (0..6, _) => Reply::Done,
            (6..9, _) => call(),
            (9..12, _) => Reply::Call(Box::default()),
            (12, _) => failed(GraphErrorKind::CallGone, Happened::No),
            (13, _) => failed(GraphErrorKind::Unreachable, Happened::Unknown),
            (14, _) => failed(GraphErrorKind::Conflict, Happened::No),
            _ => Reply::Participants(Vec::new()),
        };
        self.machine.handle_reply(id, reply, self.now);
        self.drain();
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        let mut turns = 0;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= until) {
            assert!(deadline > self.now || turns < 100, "a hundred deadlines at one time");
            turns = if deadline > self.now { 0 } else { turns + 1 };
            self.now = self.now.max(deadline);
            self.machine.handle_deadline(self.now);
            self.drain();
        }
        self.now = until;
    }
}

fn participant(n: u8) -> Participant {
    Participant::new(format!("p{n}").as_str().into())
}

/// One of the notifications that a service sends, or one it should not.
fn notification(which: u8) -> CommsNotification {
    let id = which >> 5;
    let (change, path, data) = match which & 31 {
        0..=2 => ("updated", "", json!({"state": "establishing"})),
        3..=6 => ("updated", "", json!({"state": "established", "mediaState": {"audio": "active"}})),
        7 => ("updated", "", json!({"state": "terminating"})),
        8 => ("deleted", "", json!({"state": "terminated", "resultInfo": {"code": 200, "subcode": 0}})),
        9 => ("updated", "", json!({"state": "transferring"})),
        10 => ("updated", "", json!({"state": "redirecting", "resultInfo": {"code": 603, "subcode": 1}})),
        11 => ("updated", "", json!({"toneInfo": {"sequenceId": id, "tone": "tone1"}})),
        12..=15 => ("updated", "/participants", json!([{"id": format!("p{id}")}])),
        16 => ("updated", "/participants", json!([])),
        17 => ("updated", "/participants", json!({"id": "p0", "removedState": {"reason": "Removed"}})),
        18 => ("deleted", "/participants/p1", Value::Null),
        19 => ("updated", "/operations/o1", json!({"id": "o1", "status": "completed", "resultInfo": {"code": 200}})),
        20 => ("updated", "/operations/o1", json!({"status": 7})),
        21 => ("created", "/contentSharingSessions/s", Value::Null),
        22 => ("updated", "/audioRoutingGroups/g", json!({"id": "g"})),
        23 => ("updated", "", json!({"state": "a later invention"})),
        24 if id == 0 => ("created", "", json!({"state": "incoming"})),
        24 => ("updated", "", json!({"state": 12})),
        25 => ("updated", "", Value::Null),
        26 => ("updated", "/participants", json!({"value": [{"id": null}]})),
        27 => ("deleted", "/contentSharingSessions/s", Value::Null),
        28 => ("updated", "/contentSharingSessions", json!([{"id": format!("s{id}")}])),
        29 => ("created", "", json!({"@odata.type": "participantJoiningNotification", "id": format!("j{id}")})),
        _ => ("deleted", "", Value::Null),
    };
    let call: CallId = if which == 255 { "another".into() } else { CALL.into() };
    let resource_data = match data {
        Value::Object(object) => ResourceData::One(object),
        Value::Array(list) => ResourceData::Many(list.into_iter().filter_map(|v| v.as_object().cloned()).collect()),
        _ => ResourceData::Absent,
    };
    CommsNotification {
        change_type: Some(ChangeType::parse(change)),
        resource_url: Some(format!("/communications/calls/{}{path}", call.as_str())),
        resource_data,
        ..CommsNotification::default()
    }
}
