//! What belongs to a call: operations, tones, sharing, recording, transcription,
//! joinings, transfers. Each told once, whatever is repeated or out of order.

use std::time::Duration;

use antiphon_graph::{Call, CallOptions, CallState, CallTranscriptionState, RecordingStatus};
use antiphon_signaling::call::{CallConfig, CallEvent, CallMachine, Reply};
use serde_json::{Value, json};

use crate::bench::{Bench, ID, name};

/// The events of one kind, as texts.
fn told(bench: &Bench, text: impl FnMut(&CallEvent) -> Option<String>) -> Vec<String> {
    bench.events.iter().filter_map(text).collect()
}

fn operation(id: Option<&str>, context: Option<&str>, status: &str) -> Value {
    json!({"@odata.type": "#microsoft.graph.playPromptOperation", "id": id, "clientContext": context, "status": status})
}

#[test]
fn the_end_of_an_operation_is_told_once_by_id_or_context_or_path() {
    let mut bench = Bench::established();
    let ends = |bench: &Bench| {
        told(bench, |event| match event {
            CallEvent::Operation(operation) => {
                Some(format!("{:?}", operation.id.as_ref().or(operation.client_context.as_ref())))
            }
            _ => None,
        })
    };
    for _ in 0..2 {
        bench.notify("updated", "/operations/o1", operation(Some("o1"), Some("c1"), "running"));
        bench.notify("deleted", "/operations/O-1", operation(Some("O-1"), Some("c1"), "completed"));
        bench.notify("deleted", "/operations/participants", operation(None, Some("c2"), "Failed"));
        bench.notify("deleted", "/operations/o3", operation(None, None, "completed"));
    }
    assert_eq!(ends(&bench), [r#"Some("O-1")"#, r#"Some("c2")"#, "None"]);
    let running = bench.events.iter().filter(|event| matches!(event, CallEvent::OperationProgress(_))).count();
    assert_eq!(running, 2);
}

#[test]
fn each_key_press_is_told_once_and_kept_apart_from_the_call() {
    let mut bench = Bench::established();
    let press = |sequence: Value, tone: &str| json!({"state": "established", "toneInfo": {"sequenceId": sequence, "tone": tone}});
    for (sequence, tone) in [(json!(2), "tone2"), (json!(1), "tone1"), (json!(2), "tone2"), (json!(3), "tone2")] {
        bench.call(press(sequence, tone));
    }
    // Without a number there is nothing to tell a repetition by.
    bench.call(press(Value::Null, "star"));
    bench.call(press(Value::Null, "star"));
    bench.call(json!({"state": "terminating"}));
    bench.call(press(json!(4), "pound"));
    let keys = told(&bench, |event| match event {
        CallEvent::Tone(tone) => tone.tone.as_ref().map(ToString::to_string),
        _ => None,
    });
    assert_eq!(keys, ["tone2", "tone1", "tone2", "star", "star", "pound"]);
    assert_eq!(bench.machine.call().unwrap().tone_info, None);
}

fn sharing(bench: &Bench) -> Vec<String> {
    told(bench, |event| match event {
        CallEvent::ContentSharing(change) => {
            let counts = (change.started.len(), change.updated.len(), change.ended.len());
            Some(format!("{counts:?}"))
        }
        _ => None,
    })
}

#[test]
fn content_sharing_begins_changes_and_ends() {
    let mut bench = Bench::established();
    for change in ["created", "updated", "deleted", "updated"] {
        bench.notify(change, "/contentsharingsessions", json!([{"id": "s"}]));
        assert_eq!(bench.machine.sharing().len(), usize::from(change != "deleted" && sharing(&bench).len() < 3));
    }
    assert_eq!(sharing(&bench), ["(1, 0, 0)", "(0, 1, 0)", "(0, 0, 1)"]);
    assert!(bench.requests.is_empty());
}

#[test]
fn sharing_that_is_told_without_an_id_is_asked_for() {
    let mut bench = Bench::established();
    bench.notify("created", "/contentSharingSessions", Value::Null);
    bench.notify("updated", "/contentSharingSessions/s", Value::Null);
    assert_eq!(bench.pending(), ["sharing"], "once");
    let listed = vec![serde_json::from_value(json!({"id": "s", "presenterParticipantId": "p"})).unwrap()];
    // It was asked for before the second notification, so it is asked for again.
    bench.reply(Reply::ContentSharingSessions(vec![]));
    assert_eq!(bench.pending(), ["sharing"]);
    bench.reply(Reply::ContentSharingSessions(listed));
    assert_eq!(bench.machine.sharing().next().unwrap().presenter_participant_id, Some("p".into()));
    bench.notify("deleted", "/contentSharingSessions/s", Value::Null);
    assert_eq!(sharing(&bench), ["(1, 0, 0)", "(0, 0, 1)"]);
    bench.machine.handle_loss();
    bench.drain();
    assert_eq!(bench.pending(), ["get", "participants", "sharing"]);
}

#[test]
fn a_recording_status_is_told_when_it_changes() {
    let mut bench = Bench::established();
    let entry = |status: &str| json!([{"id": "bot", "recordingInfo": {"recordingStatus": status}}, {"id": "a"}]);
    for status in ["notRecording", "recording", "recording", "failed"] {
        bench.roster(entry(status));
    }
    bench.roster(json!([{"id": "a"}]));
    bench.roster(entry("recording"));
    let statuses = told(&bench, |event| match event {
        CallEvent::Recording(who, status) => Some(format!("{who} {status}")),
        _ => None,
    });
    assert_eq!(statuses, ["bot recording", "bot failed", "bot recording"]);
    assert!(RecordingStatus::Recording.is_known());
}

#[test]
fn a_transcription_is_told_when_it_changes_and_not_by_what_comes_late() {
    let mut bench = Bench::established();
    let at = |state: &str, second: u8| {
        json!({"state": "established",
        "transcription": {"state": state, "lastModifiedDateTime": format!("2026-03-01T08:30:{second:02}Z")}})
    };
    for (state, second) in [("active", 1), ("active", 1), ("inactive", 9), ("active", 5), ("inactive", 9)] {
        bench.call(at(state, second));
    }
    let states = told(&bench, |event| match event {
        CallEvent::Transcription(info) => info.state.as_ref().map(ToString::to_string),
        _ => None,
    });
    assert_eq!(states, ["active", "inactive"]);
    let kept = bench.machine.call().unwrap().transcription.unwrap().state;
    assert_eq!(kept, Some(CallTranscriptionState::Inactive));
}

#[test]
fn joining_and_leaving_under_a_policy_is_told_once_wherever_its_path_leads() {
    let mut bench = Bench::established();
    let joining = json!({"@odata.type": "#microsoft.graph.participantJoiningNotification", "id": "n1",
        "call": {"state": "incoming", "subject": "s"}});
    let left = json!({"@odata.type": "#microsoft.graph.participantLeftNotification", "id": "n2", "participantId": "p"});
    for path in ["", "/somewhere/else"] {
        bench.notify("created", path, joining.clone());
        bench.notify("deleted", path, left.clone());
    }
    assert_eq!(bench.machine.state(), &CallState::Established, "none of it is about the call itself");
    assert!(matches!(&bench.events[bench.events.len() - 2..], [
        CallEvent::ParticipantJoining(one), CallEvent::ParticipantLeft(other),
    ] if one.call.as_ref().unwrap().subject.as_deref() == Some("s") && other.participant_id == Some("p".into())));
    let count = bench.events.iter().filter(|event| matches!(event, CallEvent::ParticipantJoining(_))).count();
    assert_eq!(count, 1);
}

#[test]
fn a_transfer_goes_on_in_order_and_its_failure_is_told_once() {
    let mut bench = Bench::established();
    bench.call(json!({"state": "transferAccepted"}));
    bench.call(json!({"state": "transferring"}));
    assert_eq!(bench.machine.state(), &CallState::TransferAccepted, "the earlier state came late");
    let failed = json!({"state": "established", "resultInfo": {"code": 500, "subcode": 7000}});
    bench.call(failed.clone());
    bench.call(failed.clone());
    let failures =
        |bench: &Bench| bench.events.iter().filter(|event| matches!(event, CallEvent::TransferFailed(_))).count();
    assert_eq!(failures(&bench), 1);
    bench.call(json!({"state": "transferring"}));
    bench.call(failed);
    assert_eq!(failures(&bench), 2, "the next transfer failed as well");
    bench.call(json!({"state": "established", "resultInfo": {"code": 500, "subcode": 1}}));
    assert_eq!(failures(&bench), 2, "no transfer was begun that could fail");
    bench.machine.begin_transfer();
    bench.call(json!({"state": "established", "resultInfo": {"code": 500, "subcode": 7000}}));
    assert_eq!(failures(&bench), 3, "as the last one did, and all it went through was lost");
}

#[test]
fn a_state_that_does_not_last_is_looked_at_until_it_passes() {
    for passing in ["transferring", "transferAccepted", "redirecting", "terminating"] {
        let mut bench = Bench::established();
        bench.roster(json!([]));
        bench.call(json!({"state": passing}));
        for _ in 0..2 {
            bench.pass(Duration::from_secs(10));
            let same = Call { id: Some(ID.into()), state: Some(CallState::parse(passing)), ..Call::default() };
            assert_eq!(name(&bench.reply(Reply::Call(Box::new(same)))), "get", "{passing}");
        }
    }
    // Back in a state that lasts it is looked at once more, as the order of the two is not sure.
    let mut bench = Bench::established();
    bench.roster(json!([]));
    bench.call(json!({"state": "hold"}));
    bench.pass(Duration::from_secs(10));
    let held = Call { id: Some(ID.into()), state: Some(CallState::Hold), ..Call::default() };
    bench.reply(Reply::Call(Box::new(held)));
    bench.pass(Duration::from_secs(60));
    assert!(bench.requests.is_empty());
}

#[test]
fn a_look_overtaken_by_a_notification_does_not_undo_it() {
    let mut bench = Bench::established();
    bench.roster(json!([]));
    bench.call(json!({"state": "transferring"}));
    bench.pass(Duration::from_secs(10));
    bench.call(json!({"state": "transferAccepted"}));
    let stale = Call { id: Some(ID.into()), state: Some(CallState::Established), ..Call::default() };
    bench.reply(Reply::Call(Box::new(stale)));
    assert_eq!(bench.machine.state(), &CallState::TransferAccepted);
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.pending(), ["get"], "it is looked at again");
}

#[test]
fn content_sharing_that_was_asked_for_is_looked_at_though_none_was_told() {
    let now = std::time::Instant::now();
    for (asked, expected) in [(true, &["get", "participants", "sharing"][..]), (false, &["get", "participants"])] {
        let options = CallOptions { is_content_sharing_notification_enabled: Some(asked), ..CallOptions::default() };
        let body = Call { call_options: Some(options), ..Call::default() };
        let mut bench = Bench::of(CallMachine::create(body, CallConfig::default(), now), now);
        bench.reply_created();
        bench.machine.handle_loss();
        bench.drain();
        assert_eq!(bench.pending(), expected);
    }
}
