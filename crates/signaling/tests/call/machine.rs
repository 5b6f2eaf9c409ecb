//! One call in order and out of it: tables of what happens, and properties over
//! shuffled and repeated notifications.

use std::time::Duration;

use antiphon_graph::blob::{AntiphonMedia, Blob, MediaBlob, OpaqueReason};
use antiphon_graph::{Call, CallId, CallState, CommsNotification, MediaState, Participant};
use antiphon_signaling::call::{CallConfig, CallEvent, EndCause, NoMedia, Reply, RosterMode};
use antiphon_signaling::client::{GraphError, GraphErrorKind, Happened};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, ID, minutes, name, notification, offer, with_blob};

#[test]
fn a_call_goes_from_its_request_to_its_end() {
    let mut bench = Bench::new();
    assert_eq!(bench.pending(), ["create"]);
    bench.reply_created();
    assert_eq!(bench.machine.id(), Some(&CallId::new(ID)));
    assert!(
        matches!(&bench.events[..], [CallEvent::Created(_), CallEvent::MediaAnswer(blob)] if blob.antiphon.sdp == "v=0")
    );
    bench.call(json!({"state": "establishing"}));
    bench.call(json!({"state": "established", "mediaState": {"audio": "active"}, "myParticipantId": "me"}));
    assert_eq!(bench.machine.my_participant_id(), Some("me".into()));
    bench.call(json!({"state": "terminating"}));
    bench.terminate();
    assert_eq!(bench.states(), [CallState::Established, CallState::Terminating, CallState::Terminated]);
    assert!(matches!(bench.ends()[..], [EndCause::Notified(Some(info))] if info.subcode == Some(5010)));
    assert!(matches!(bench.events.last(), Some(CallEvent::Terminated(_))));
    assert_eq!(bench.machine.deadline(), None);
}

#[test]
fn states_never_go_back() {
    let mut bench = Bench::created();
    bench.call(json!({"state": "established"}));
    bench.call(json!({"state": "establishing", "subject": "late but new"}));
    assert_eq!(bench.machine.state(), &CallState::Established);
    assert_eq!(bench.machine.call().unwrap().subject.as_deref(), Some("late but new"));
    assert_eq!(bench.machine.counters().regressed, 1);
    bench.terminate();
    bench.call(json!({"state": "established"}));
    bench.terminate();
    assert_eq!(bench.machine.state(), &CallState::Terminated);
    assert_eq!(bench.ends().len(), 1);
    assert_eq!(bench.machine.counters().after_end, 2);
}

#[test]
fn a_transfer_that_fails_comes_back_to_established() {
    let mut bench = Bench::established();
    bench.call(json!({"state": "transferring"}));
    bench.call(json!({"state": "established", "resultInfo": {"code": 500, "subcode": 7000}, "replacesContext": "x"}));
    assert_eq!(bench.states(), [CallState::Established, CallState::Transferring, CallState::Established]);
    assert!(matches!(bench.events.last(), Some(CallEvent::TransferFailed(info)) if info.subcode == Some(7000)));
    let call = bench.machine.call().unwrap();
    assert_eq!((call.result_info, call.extra.get("replacesContext")), (None, None));
}

#[test]
fn notifications_ahead_of_the_create_reply_wait_for_it() {
    let mut bench = Bench::new();
    bench.call(json!({"state": "established"}));
    bench.roster(json!([{"id": "a"}]));
    assert!(bench.events.is_empty());
    bench.reply_created();
    assert_eq!(bench.machine.state(), &CallState::Established);
    assert_eq!(bench.names(), ["a"]);
}

#[test]
fn a_call_that_ends_ahead_of_the_create_reply_has_ended() {
    let mut bench = Bench::new();
    bench.terminate();
    bench.reply_created();
    assert!(bench.machine.is_ended());
    assert!(bench.requests.is_empty());
}

#[test]
fn too_many_early_notifications_are_dropped_and_counted() {
    let mut bench = Bench::new();
    for _ in 0..70 {
        bench.call(json!({"state": "establishing"}));
    }
    assert_eq!(bench.machine.counters().early_dropped, 6);
}

#[test]
fn what_is_about_another_call_or_unknown_or_unreadable_is_counted() {
    let mut bench = Bench::created();
    let mut foreign = notification("updated", "", json!({"state": "terminated"}));
    foreign.resource_url = Some("/communications/calls/other".into());
    bench.machine.handle_notification(foreign, bench.now);
    let mut lost = notification("updated", "", json!({"state": "terminated"}));
    lost.resource_url = Some("/elsewhere".into());
    bench.machine.handle_notification(lost, bench.now);
    bench.notify("updated", "/somethingNew/1", json!({}));
    bench.roster(json!([{"no": "id"}]));
    bench.notify("deleted", "/operations/1", json!({"status": 7}));
    let counters = bench.machine.counters();
    assert_eq!((counters.foreign, counters.malformed, counters.unknown), (1, 3, 1));
    assert!(!bench.machine.is_ended());
}

#[test]
fn the_call_is_kept_alive_every_fifteen_minutes_by_itself() {
    let mut bench = Bench::established();
    bench.roster(json!([]));
    bench.pass(minutes(15) - Duration::from_secs(1));
    assert_eq!(bench.pending(), Vec::<&str>::new());
    for _ in 0..4 {
        bench.pass(Duration::from_secs(1));
        assert_eq!(name(&bench.reply(Reply::Done)), "keepAlive");
        assert_eq!(bench.pending(), ["get", "participants"], "what was lost without a trace is made up for");
        bench.reply(Reply::Call(Box::new(seen(CallState::Established))));
        bench.reply(Reply::Participants(vec![]));
        bench.pass(minutes(15) - Duration::from_secs(1));
        assert!(bench.requests.is_empty());
    }
}

/// The call as a look at it finds it.
fn seen(state: CallState) -> Call {
    Call { id: Some(ID.into()), state: Some(state), ..Call::default() }
}

#[test]
fn a_lost_established_notification_is_made_up_for_by_looking() {
    let mut bench = Bench::created();
    bench.pass(Duration::from_secs(10));
    assert_eq!(bench.pending(), ["get"]);
    bench.reply(Reply::Call(Box::new(seen(CallState::Established))));
    assert_eq!(bench.machine.state(), &CallState::Established);
}

#[test]
fn a_call_that_is_not_established_in_time_is_hung_up() {
    let mut bench = Bench::created();
    bench.pass(Duration::from_secs(120));
    assert!(bench.pending().contains(&"delete"));
    bench.requests.retain(|(_, request)| name(request) == "delete");
    bench.reply(Reply::Done);
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::NotEstablished]));
}

#[test]
fn hanging_up_waits_for_the_reason_but_not_for_ever() {
    let mut bench = Bench::established();
    bench.machine.hang_up();
    bench.machine.hang_up();
    bench.drain();
    assert_eq!(bench.pending(), ["delete"]);
    bench.reply(Reply::Done);
    assert!(!bench.machine.is_ended());
    bench.terminate();
    assert!(matches!(bench.ends()[..], [EndCause::Notified(Some(_))]));

    let mut bench = Bench::established();
    bench.machine.hang_up();
    bench.drain();
    bench.reply(Reply::Done);
    bench.pass(Duration::from_secs(5));
    assert!(matches!(bench.ends()[..], [EndCause::HungUp]));
}

#[test]
fn hanging_up_before_the_call_exists_ends_it_once_it_does() {
    let mut bench = Bench::new();
    bench.machine.hang_up();
    bench.drain();
    assert_eq!(bench.pending(), ["create"]);
    bench.reply_created();
    assert_eq!(bench.pending(), ["delete"]);
}

#[test]
fn a_hole_in_the_delta_roster_is_repaired_once() {
    let mut bench = Bench::established();
    bench.roster(json!({"sequenceNumber": 1, "participants": [{"id": "a", "rosterSequenceNumber": 1}]}));
    bench.roster(json!({"sequenceNumber": 3, "participants": [{"id": "c", "rosterSequenceNumber": 3}]}));
    assert_eq!(bench.names(), ["a", "c"]);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.pending(), ["participants"]);
    let listed = ["b", "c"].map(|id| serde_json::from_value(json!({"id": id})).unwrap());
    bench.reply(Reply::Participants(listed.into()));
    assert_eq!(bench.names(), ["b", "c"]);
    bench.pass(minutes(10));
    assert!(bench.requests.is_empty());
}

#[test]
fn a_hole_that_fills_in_time_needs_no_repair() {
    let mut bench = Bench::established();
    for number in [2, 4, 3, 1] {
        bench.roster(json!({"sequenceNumber": number, "participants": []}));
    }
    bench.pass(minutes(10));
    assert!(bench.requests.is_empty());
}

#[test]
fn a_list_overtaken_by_a_delta_is_asked_for_again() {
    let mut bench = Bench::established();
    bench.roster(json!({"sequenceNumber": 3, "participants": [{"id": "c"}]}));
    bench.pass(Duration::from_secs(1));
    bench.roster(json!({"sequenceNumber": 4, "participants": [{"id": "d"}]}));
    bench.reply(Reply::Participants(vec![]));
    assert_eq!(bench.names(), ["c", "d"]);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.pending(), ["participants"]);
}

#[test]
fn what_comes_late_from_before_a_list_brings_nobody_back() {
    let mut bench = Bench::established();
    bench.roster(json!({"sequenceNumber": 1, "participants": [{"id": "a", "rosterSequenceNumber": 1}]}));
    bench.roster(json!({"sequenceNumber": 4, "participants": [{"id": "d", "rosterSequenceNumber": 4}]}));
    bench.pass(Duration::from_secs(1));
    // Somebody came and went in the hole.
    let listed = ["a", "d"].map(|id| serde_json::from_value(json!({"id": id})).unwrap());
    bench.reply(Reply::Participants(listed.into()));
    bench.roster(json!({"sequenceNumber": 2, "participants": [{"id": "b", "rosterSequenceNumber": 2}]}));
    assert_eq!(bench.names(), ["a", "d"]);
    bench.roster(json!({"sequenceNumber": 5, "participants": [{"id": "b", "rosterSequenceNumber": 5}]}));
    assert_eq!(bench.names(), ["a", "b", "d"], "what is newer than the list counts");
}

#[test]
fn a_full_roster_is_a_snapshot_unless_told_otherwise() {
    let mut bench = Bench::established();
    bench.roster(json!([{"id": "a"}, {"id": "b", "isMuted": false}]));
    bench.roster(json!([{"id": "b", "isMuted": true}, {"id": "c"}]));
    assert_eq!(bench.names(), ["b", "c"]);
    let Some(CallEvent::Roster(change)) = bench.events.last() else { panic!("roster") };
    assert_eq!((change.joined.len(), change.updated.len(), change.left.len()), (1, 1, 1));
    let events = bench.events.len();
    bench.roster(json!([{"id": "b", "isMuted": true}, {"id": "c"}]));
    assert_eq!(bench.events.len(), events, "a repeated roster changes nothing");

    let mut merging = Bench::with(CallConfig { roster: RosterMode::MergeOnly, ..CallConfig::default() });
    merging.reply_created();
    merging.roster(json!([{"id": "a"}]));
    merging.roster(json!([{"id": "b"}]));
    assert_eq!(merging.names(), ["a", "b"]);
}

#[test]
fn a_burst_of_whole_rosters_is_checked_once_it_is_over() {
    let mut bench = Bench::established();
    for names in [json!([{"id": "a"}]), json!([{"id": "a"}, {"id": "b"}]), json!([{"id": "a"}])] {
        bench.roster(names);
        bench.pass(Duration::from_secs(2));
    }
    assert!(bench.pending().is_empty(), "it goes on");
    bench.pass(Duration::from_secs(1));
    let listed: Vec<Participant> = serde_json::from_value(json!([{"id": "a"}, {"id": "b"}])).unwrap();
    assert_eq!(name(&bench.reply(Reply::Participants(listed))), "participants");
    assert_eq!(bench.names(), ["a", "b"], "the last to come was not the newest");
    bench.pass(minutes(10));
    assert!(bench.pending().is_empty());
}

#[test]
fn a_roster_that_may_not_be_read_is_not_asked_for_again() {
    for (kind, again) in [(GraphErrorKind::Forbidden, false), (GraphErrorKind::Service, true)] {
        let mut bench = Bench::established();
        bench.machine.refresh_roster();
        bench.roster(json!([]));
        bench.drain();
        bench.reply(Reply::Failed(GraphError::new(kind.clone(), Happened::No, "no")));
        bench.pass(minutes(1));
        assert_eq!(!bench.pending().is_empty(), again, "{kind:?}");
    }
}

#[test]
fn a_list_with_something_unreadable_in_it_removes_nobody() {
    let mut bench = Bench::established();
    bench.roster(json!([{"id": "a"}]));
    bench.roster(json!([{"id": "b"}, {"id": 7}]));
    assert_eq!(bench.names(), ["a", "b"]);
    assert_eq!(bench.machine.counters().malformed, 1);
}

#[test]
fn single_participants_are_updated_and_removed() {
    let mut bench = Bench::established();
    bench.notify("updated", "/participants/a", json!({"id": "a", "isMuted": true}));
    assert_eq!(bench.names(), ["a"]);
    bench.notify("deleted", "/participants/A", Value::Null);
    assert_eq!(bench.names(), Vec::<String>::new());
}

#[test]
fn a_call_without_a_roster_asks_for_one() {
    let mut bench = Bench::established();
    bench.pass(Duration::from_secs(3));
    assert_eq!(bench.pending(), ["participants"]);
}

#[test]
fn lost_notifications_are_made_up_for() {
    let mut bench = Bench::established();
    bench.machine.handle_loss();
    bench.drain();
    assert_eq!(bench.pending(), ["get", "participants"]);
}

#[test]
fn transient_members_are_told_and_not_stored() {
    let mut bench = Bench::established();
    bench.call(json!({"state": "established", "toneInfo": {"sequenceId": 1, "tone": "pound"}}));
    assert!(matches!(bench.events.last(), Some(CallEvent::Tone(_))));
    assert_eq!(bench.machine.call().unwrap().tone_info, None);
    bench.call(json!({"state": "established", "mediaState": {"audio": "inactive"}}));
    bench.call(json!({"state": "established", "mediaState": {"audio": "inactive"}}));
    let media = bench.events.iter().filter(|event| matches!(event, CallEvent::Media(MediaState::Inactive)));
    assert_eq!(media.count(), 1);
}

#[test]
fn a_blob_that_is_no_answer_is_said_once_the_call_is_established() {
    for (blob, expected) in [
        (None, NoMedia::Absent),
        (Some(offer()), NoMedia::Echo),
        (Some(Blob::new("<Media Session Configuration>")), NoMedia::Opaque(OpaqueReason::NotJson)),
    ] {
        let mut bench = Bench::new();
        let created = Call { id: Some(ID.into()), ..Call::default() };
        let created = blob.map_or(created.clone(), |blob| with_blob(created, blob));
        bench.reply(Reply::Call(Box::new(created)));
        assert_eq!(bench.events.len(), 1);
        bench.call(json!({"state": "established"}));
        if expected == NoMedia::Absent {
            // Where nothing came, the call is looked at before that is said.
            assert_eq!(name(&bench.reply(Reply::Call(Box::new(seen(CallState::Established))))), "get");
        }
        bench.call(json!({"state": "established"}));
        let told: Vec<_> = bench.events.iter().filter(|event| matches!(event, CallEvent::NoMediaAnswer(_))).collect();
        assert!(matches!(told[..], [CallEvent::NoMediaAnswer(why)] if *why == expected), "{told:?}");
    }
}

#[test]
fn a_look_for_the_answer_that_was_overtaken_is_repeated() {
    let mut bench = Bench::new();
    bench.reply(Reply::Call(Box::new(Call { id: Some(ID.into()), ..Call::default() })));
    bench.call(json!({"state": "established"}));
    bench.call(json!({"state": "established", "mediaState": {"audio": "active"}}));
    assert_eq!(name(&bench.reply(Reply::Call(Box::new(seen(CallState::Established))))), "get");
    let told = |bench: &Bench| bench.events.iter().any(|event| matches!(event, CallEvent::NoMediaAnswer(_)));
    assert!(!told(&bench), "the answer may have come after the look");
    assert_eq!(name(&bench.reply(Reply::Call(Box::new(seen(CallState::Established))))), "get");
    assert!(told(&bench));
}

#[test]
fn an_answer_in_a_later_notification_is_found() {
    let mut bench = Bench::new();
    bench.reply(Reply::Call(Box::new(Call { id: Some(ID.into()), ..Call::default() })));
    let config = with_blob(Call::default(), MediaBlob::new(AntiphonMedia::answer("later")).to_blob()).media_config;
    bench.call(json!({"state": "established", "mediaConfig": config}));
    assert!(
        bench.events.iter().any(|event| matches!(event, CallEvent::MediaAnswer(blob) if blob.antiphon.sdp == "later"))
    );
    assert!(!bench.events.iter().any(|event| matches!(event, CallEvent::NoMediaAnswer(_))));
}

#[test]
fn a_reply_to_nothing_is_counted() {
    let mut bench = Bench::created();
    bench.machine.hang_up();
    bench.drain();
    let (id, _) = bench.requests[0];
    bench.machine.handle_reply(id, Reply::Done, bench.now);
    bench.machine.handle_reply(id, Reply::Done, bench.now);
    assert_eq!(bench.machine.counters().stray_replies, 1);
}

/// What a service sends in the life of a call, in order.
fn life(changes: &[(u8, bool)]) -> Vec<CommsNotification> {
    let mut all = vec![
        notification("updated", "", json!({"state": "establishing", "callChainId": "chain"})),
        notification("updated", "", json!({"state": "established", "callChainId": "chain", "tenantId": "t"})),
    ];
    for (index, (who, present)) in changes.iter().enumerate() {
        let sequence = index + 1;
        let mut participant =
            json!({"id": format!("p{who}"), "rosterSequenceNumber": sequence, "isMuted": index % 2 == 0});
        if !present {
            participant["removedState"] = json!({"reason": "Left"});
        }
        all.push(notification(
            "updated",
            "/participants",
            json!({"@odata.type": "#microsoft.graph.deltaParticipants", "sequenceNumber": sequence, "participants": [participant]}),
        ));
    }
    all
}

/// Everything one can ask a machine about where it is.
fn end_state(bench: &Bench) -> (CallState, Value, Vec<Value>) {
    let participants = bench.machine.roster().participants().map(|one| serde_json::to_value(one).unwrap()).collect();
    (bench.machine.state().clone(), serde_json::to_value(bench.machine.call().unwrap()).unwrap(), participants)
}

fn play(before_reply: usize, notifications: &[CommsNotification]) -> Bench {
    let mut bench = Bench::new();
    for (index, notification) in notifications.iter().enumerate() {
        if index == before_reply {
            bench.reply_created();
        }
        bench.machine.handle_notification(notification.clone(), bench.now);
        bench.drain();
    }
    if notifications.len() <= before_reply {
        bench.reply_created();
    }
    bench
}

proptest! {
    #[test]
    fn shuffled_and_repeated_notifications_end_in_the_same_state(
        changes in prop::collection::vec((0_u8..5, any::<bool>()), 0..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        before_reply in 0_usize..20,
    ) {
        let ordered = life(&changes);
        // Any order with repetitions, and what it left out at the end.
        let mut shuffled: Vec<_> = order.iter().map(|index| ordered[index.index(ordered.len())].clone()).collect();
        shuffled.extend(ordered.iter().rev().cloned());
        let straight = play(0, &ordered);
        let crooked = play(before_reply, &shuffled);
        prop_assert_eq!(end_state(&straight), end_state(&crooked));
        let mut states = crooked.states();
        states.dedup();
        prop_assert_eq!(states.len(), crooked.states().len(), "a state was told twice");
    }

    #[test]
    fn wherever_the_end_comes_it_is_the_end(
        changes in prop::collection::vec((0_u8..5, any::<bool>()), 0..6),
        at in any::<prop::sample::Index>(),
        before_reply in 0_usize..10,
    ) {
        let mut all = life(&changes);
        let end = notification("deleted", "", json!({"state": "terminated", "resultInfo": {"code": 200, "subcode": 5000}}));
        all.insert(at.index(all.len() + 1), end);
        let mut bench = play(before_reply, &all);
        prop_assert!(bench.machine.is_ended());
        prop_assert_eq!(bench.machine.state(), &CallState::Terminated);
        prop_assert_eq!(bench.ends().len(), 1);
        prop_assert!(matches!(bench.events.last(), Some(CallEvent::Terminated(EndCause::Notified(_)))));
        bench.pass(minutes(60));
        prop_assert!(matches!(bench.events.last(), Some(CallEvent::Terminated(_))));
    }

    #[test]
    fn joined_and_left_events_add_up_to_the_roster(
        changes in prop::collection::vec((0_u8..5, any::<bool>()), 0..20),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let ordered = life(&changes);
        let shuffled: Vec<_> = order.iter().map(|index| ordered[index.index(ordered.len())].clone()).collect();
        let bench = play(0, &shuffled);
        let mut present = std::collections::BTreeSet::new();
        for event in &bench.events {
            let CallEvent::Roster(change) = event else { continue };
            for one in &change.left {
                prop_assert!(present.remove(&one.id), "{} left without having joined", one.id);
            }
            for one in &change.joined {
                prop_assert!(present.insert(one.id.clone()), "{} joined twice", one.id);
            }
            for one in &change.updated {
                prop_assert!(present.contains(&one.id));
            }
        }
        let roster: std::collections::BTreeSet<_> =
            bench.machine.roster().participants().map(|one| one.id.clone()).collect();
        prop_assert_eq!(present, roster);
    }

    #[test]
    fn any_notification_is_survived(
        paths in prop::collection::vec(prop::sample::select(vec!["", "/participants", "/participants/x", "/operations/o", "/what"]), 1..12),
        members in prop::collection::vec(prop::sample::select(vec![
            r#"{"state":"established"}"#, r#"{"state":7}"#, r#"{"sequenceNumber":9223372036854775807}"#,
            r#"{"sequenceNumber":-9223372036854775808,"participants":[{"id":"a"}]}"#, r#"[]"#, r#"[{"id":"a"}]"#, "null",
            r#"{"state":"hold","mediaState":3}"#, r#"{"mediaConfig":{"blob":"{\"antiphon\":{\"version\":1}}"}}"#,
            r#"{"id":"x","removedState":{}}"#, r#"{"status":"completed"}"#, r#"[{"id":"a","rosterSequenceNumber":"12"}]"#,
        ]), 12),
        change in prop::sample::select(vec!["created", "updated", "odd"]),
    ) {
        let mut bench = Bench::created();
        for (path, text) in paths.iter().zip(&members) {
            bench.notify(change, path, serde_json::from_str(text).unwrap());
            bench.pass(Duration::from_secs(7));
        }
        bench.terminate();
        prop_assert_eq!(bench.ends().len(), 1);
    }
}
