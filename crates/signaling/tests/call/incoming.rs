//! Incoming calls: from the first notification to a decision, whatever happens
//! to requests, replies and notifications on the way.

use std::time::{Duration, Instant};

use antiphon_graph::action::{Answer, Redirect, Reject};
use antiphon_graph::blob::{AntiphonMedia, MediaBlob};
use antiphon_graph::{AppHostedMediaConfig, Call, CallState, RejectReason};
use antiphon_signaling::call::{
    CallConfig, CallEvent, CallMachine, CallRequest, Decision, EndCause, NotOffered, Reply,
};
use antiphon_signaling::client::{GraphError, GraphErrorKind, Happened};
use serde_json::{Value, json};

use crate::bench::{Bench, ID, minutes, name, notification, offer, with_blob};

fn ringing() -> Bench {
    let first =
        notification("created", "", json!({"state": "incoming", "subject": "hello", "callbackUri": "https://b"}));
    let now = Instant::now();
    Bench::of(CallMachine::incoming(&first, CallConfig::default(), now).unwrap(), now)
}

fn answering() -> Bench {
    let mut bench = ringing();
    bench.machine.answer(with_offer()).unwrap();
    bench.drain();
    bench
}

fn with_offer() -> Answer {
    let config = AppHostedMediaConfig { blob: Some(offer()), ..AppHostedMediaConfig::default() };
    Answer { media_config: Some(config.into()), ..Answer::default() }
}

fn failed(kind: GraphErrorKind, happened: Happened) -> Reply {
    Reply::Failed(GraphError::new(kind, happened, "no"))
}

fn gone() -> Reply {
    failed(GraphErrorKind::CallGone, Happened::No)
}

fn seen(state: CallState) -> Reply {
    Reply::Call(Box::new(Call { id: Some(ID.into()), state: Some(state), ..Call::default() }))
}

fn decided(bench: &Bench) -> Vec<(Decision, bool)> {
    let decision = |event: &CallEvent| match event {
        CallEvent::Decided(decision) => Some((*decision, true)),
        CallEvent::DecisionFailed(decision, _) => Some((*decision, false)),
        _ => None,
    };
    bench.events.iter().filter_map(decision).collect()
}

fn answer_of_media() -> Value {
    serde_json::to_value(
        with_blob(Call::default(), MediaBlob::new(AntiphonMedia::answer("v=0")).to_blob()).media_config,
    )
    .unwrap()
}

#[test]
fn an_answered_call_lives_like_one_that_was_placed() {
    let mut bench = ringing();
    assert!(bench.machine.is_offered());
    assert_eq!(bench.machine.call().unwrap().subject.as_deref(), Some("hello"));
    bench.machine.answer(with_offer()).unwrap();
    bench.drain();
    assert!(matches!(bench.reply(Reply::Done), CallRequest::Answer(id, body)
        if id == ID.into() && body.media_config == with_offer().media_config));
    assert_eq!(decided(&bench), [(Decision::Answer, true)]);
    bench.call(json!({"state": "establishing"}));
    bench.call(json!({"state": "established", "mediaConfig": answer_of_media()}));
    assert_eq!(bench.states(), [CallState::Establishing, CallState::Established]);
    assert!(
        bench.events.iter().any(|event| matches!(event, CallEvent::MediaAnswer(blob) if blob.antiphon.sdp == "v=0"))
    );
    bench.roster(json!([]));
    bench.pass(minutes(15));
    assert_eq!(bench.pending(), ["keepAlive"]);
    bench.terminate();
    assert!(matches!(bench.ends()[..], [EndCause::Notified(Some(_))]));
}

#[test]
fn what_is_notified_ahead_of_the_reply_to_the_answer_counts() {
    let mut bench = answering();
    bench.call(json!({"state": "established", "mediaConfig": answer_of_media()}));
    bench.call(json!({"state": "incoming"}));
    assert_eq!(bench.machine.state(), &CallState::Established);
    // The service answered twice as it were: the call is up, so it was answered.
    bench.reply(failed(GraphErrorKind::Conflict, Happened::No));
    assert_eq!(decided(&bench), [(Decision::Answer, true)]);
    bench.machine.hang_up();
    bench.drain();
    assert_eq!(bench.pending(), ["delete"]);
}

#[test]
fn a_refused_answer_leaves_the_call_to_another_decision() {
    let mut bench = answering();
    bench.reply(failed(GraphErrorKind::Forbidden, Happened::No));
    assert_eq!(decided(&bench), [(Decision::Answer, false)]);
    assert!(bench.machine.is_offered());
    bench.machine.reject(Reject { reason: Some(RejectReason::Busy), ..Reject::default() }).unwrap();
    bench.drain();
    assert!(
        matches!(bench.reply(Reply::Done), CallRequest::Reject(_, body) if body.reason == Some(RejectReason::Busy))
    );
    bench.notify("deleted", "", json!({"id": ID}));
    assert!(matches!(bench.ends()[..], [EndCause::Notified(None)]));
}

#[test]
fn an_answer_of_unknown_fate_is_decided_by_looking() {
    for (look, expected) in [
        (seen(CallState::Established), Some(true)),
        (seen(CallState::Incoming), Some(false)),
        (gone(), Some(false)),
        (failed(GraphErrorKind::Service, Happened::Unknown), Some(false)),
    ] {
        let mut bench = answering();
        bench.reply(failed(GraphErrorKind::Unreachable, Happened::Unknown));
        assert_eq!((decided(&bench).len(), bench.pending()), (0, vec!["get"]));
        bench.reply(look);
        let told: Vec<_> = decided(&bench).into_iter().map(|(_, well)| well).collect();
        assert_eq!(told.first().copied(), expected);
        assert_eq!(told.len(), 1);
    }
}

#[test]
fn a_rejection_of_unknown_fate_happened_if_the_call_is_gone() {
    let mut bench = ringing();
    bench.machine.reject(Reject::default()).unwrap();
    bench.drain();
    bench.reply(failed(GraphErrorKind::Unreachable, Happened::Unknown));
    bench.reply(gone());
    assert_eq!(decided(&bench), [(Decision::Reject, true)]);
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::HungUp]));
}

#[test]
fn hanging_up_refuses_a_call_nobody_answered_and_ends_one_somebody_did() {
    let mut bench = ringing();
    bench.machine.hang_up();
    bench.drain();
    assert_eq!(bench.pending(), ["reject"]);

    let mut bench = answering();
    bench.machine.hang_up();
    bench.drain();
    assert_eq!(bench.pending(), ["answer"], "once it is answered, or not");
    bench.reply(Reply::Done);
    assert_eq!(bench.pending(), ["delete"]);

    let mut bench = answering();
    bench.machine.hang_up();
    bench.drain();
    bench.reply(failed(GraphErrorKind::Forbidden, Happened::No));
    assert_eq!(bench.pending(), ["reject"]);
    bench.reply(failed(GraphErrorKind::InvalidRequest, Happened::No));
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::HungUp]), "what cannot be refused is left to the service");
}

#[test]
fn a_rejection_nobody_confirms_ends_all_the_same() {
    let mut bench = ringing();
    bench.machine.reject(Reject::default()).unwrap();
    bench.drain();
    bench.reply(Reply::Done);
    assert!(!bench.machine.is_ended());
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::HungUp]));
}

#[test]
fn a_redirected_call_ends_when_it_was_taken_elsewhere() {
    let mut bench = ringing();
    bench.machine.redirect(Redirect::default()).unwrap();
    bench.drain();
    bench.call(json!({"state": "redirecting"}));
    assert_eq!(name(&bench.reply(Reply::Done)), "redirect");
    bench.terminate();
    assert_eq!(bench.states(), [CallState::Redirecting, CallState::Terminated]);

    // Its end was lost: looking finds that it is gone.
    let mut bench = ringing();
    bench.machine.redirect(Redirect::default()).unwrap();
    bench.drain();
    bench.reply(Reply::Done);
    for _ in 0..3 {
        bench.pass(Duration::from_secs(10));
        assert_eq!(name(&bench.reply(seen(CallState::Redirecting))), "get");
    }
    bench.pass(Duration::from_secs(10));
    bench.reply(gone());
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::Gone]));
}

#[test]
fn a_call_withdrawn_before_the_decision_is_over() {
    let mut bench = ringing();
    bench.notify("deleted", "", json!({"state": "terminated", "resultInfo": {"code": 200, "subcode": 4521}}));
    assert!(matches!(bench.ends()[..], [EndCause::Notified(Some(_))]));
    assert_eq!(bench.machine.answer(with_offer()), Err(NotOffered));

    // Without a word: looked at, as nobody waits that long for an answer.
    let mut bench = ringing();
    bench.pass(Duration::from_secs(10));
    assert_eq!(name(&bench.reply(gone())), "get");
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::Gone]));
}

#[test]
fn a_decision_is_made_once() {
    let mut bench = answering();
    assert_eq!(bench.machine.reject(Reject::default()), Err(NotOffered));
    assert_eq!(bench.machine.answer(with_offer()), Err(NotOffered));
    bench.reply(Reply::Done);
    assert_eq!(bench.machine.redirect(Redirect::default()), Err(NotOffered));
    assert_eq!(Bench::created().machine.answer(with_offer()), Err(NotOffered), "a call of ours is not incoming");
    bench.notify("created", "", json!({"state": "incoming"}));
    assert_eq!(bench.machine.counters().malformed, 0);
    assert!(!bench.machine.is_offered());
}

#[test]
fn a_notification_that_leads_to_no_call_is_none() {
    let mut elsewhere = notification("created", "", json!({"state": "incoming"}));
    elsewhere.resource_url = Some("/users/1".into());
    assert!(CallMachine::incoming(&elsewhere, CallConfig::default(), Instant::now()).is_err());
}
