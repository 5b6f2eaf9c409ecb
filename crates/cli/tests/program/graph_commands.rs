//! Graph commands against the emulator: what they do there, and what they say when refused.

use antiphon_emulator::{NewMeeting, NewPerson};
use serde_json::{Value, json};

use crate::stage::{Stage, antiphon, argument};

/// Nobody listens there: notifications of these calls go nowhere.
const CALLBACK: &str = "https://127.0.0.1:9/api/calls";

fn person(name: &str) -> NewPerson {
    NewPerson { display_name: Some(name.to_owned()), ..NewPerson::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_is_joined_looked_at_routed_in_and_left() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All"]).await;
    let meeting = stage.emulator.create_meeting(NewMeeting::default()).expect("meeting");
    let ada = stage.emulator.join_person(&meeting.id, person("Ada")).expect("Ada").participant_id.to_string();
    let bob = stage.emulator.join_person(&meeting.id, person("Bob")).expect("Bob").participant_id.to_string();
    for ways in [&["--family", "communications"][..], &["--beta", "--family", "app"]] {
        let run = async |words: &[&str]| {
            let words: Vec<&str> = words.iter().chain(ways).copied().collect();
            stage.run(&words).await
        };
        let id = meeting.join_meeting_id.as_str();
        let passcode = meeting.passcode.as_deref().expect("a passcode");
        let new = ["call", "new", "--meeting-id", id, "--passcode", passcode, "--callback-uri", CALLBACK];
        let created = run(&new).await.json();
        let call = created["id"].as_str().expect("an id").to_owned();
        assert_eq!(created["state"], "establishing");

        assert_eq!(run(&["call", "get", &call]).await.json()["id"], call);
        run(&["call", "keep-alive", &call]).await.silent();
        let roster = run(&["participant", "list", &call]).await.json();
        let ids: Vec<&str> =
            roster["value"].as_array().expect("a list").iter().filter_map(|p| p["id"].as_str()).collect();
        assert!(ids.contains(&ada.as_str()) && ids.contains(&bob.as_str()), "{roster}");
        assert_eq!(run(&["participant", "get", &call, &ada]).await.json()["id"], ada);

        let group = ["audio-routing-group", "new", &call, "--id", "a side", "--source", &ada, "--receiver", &bob];
        assert_eq!(run(&group).await.json()["routingMode"], "oneToOne");
        let listed = run(&["audio-routing-group", "list", &call]).await.json();
        assert_eq!(listed["value"].as_array().map(Vec::len), Some(1));
        assert_eq!(run(&["audio-routing-group", "get", &call, "a side"]).await.json()["sources"], json!([ada]));
        let me = created["myParticipantId"].as_str().expect("mine");
        let update = ["audio-routing-group", "update", &call, "a side", "--receiver", me];
        assert_eq!(run(&update).await.json()["receivers"], json!([me]));
        run(&["audio-routing-group", "remove", &call, "a side"]).await.silent();
        run(&["audio-routing-group", "get", &call, "a side"]).await.fails(&["404", "request-id"]);

        run(&["call", "remove", &call]).await.silent();
        run(&["call", "get", &call]).await.fails(&["404", "8522", "Call not found.", "request-id"]);
    }
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_code_message_request_id_and_missing_roles() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All"]).await;
    let run =
        stage.run(&["call", "new", "--to", "112f7296-5fa4-42ca-bae8-6a692b15d4b8", "--callback-uri", CALLBACK]).await;
    run.fails(&["403", "7504", "Calls.Initiate.All", "request-id"]);
    assert_eq!(run.out, "");
    let run = stage.run(&["call", "answer", "no-such-call", "--callback-uri", CALLBACK, "--blob", "x"]).await;
    assert_eq!(run.code, 1, "{run:?}");
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_comes_from_a_file_or_from_standard_input() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All"]).await;
    let meeting = stage.emulator.create_meeting(NewMeeting::default()).expect("meeting");
    let body = json!({
        "callbackUri": CALLBACK, "requestedModalities": ["audio"], "tenantId": meeting.tenant_id,
        "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": meeting.join_meeting_id, "passcode": meeting.passcode,
        },
    });
    let from_stdin =
        antiphon(&["call", "new", "--body", "-"], &stage.environment(), Some(&body.to_string())).await.json();
    assert_eq!(from_stdin["direction"], "outgoing");
    let file = stage.file("call.json", body.to_string());
    let from_file = stage.run(&["call", "new", "--body", argument(&file), "--subject", "by flag"]).await.json();
    assert_eq!(from_file["subject"], "by flag");
    let broken = stage.file("broken.json", "{\n  \"a\": oops }");
    stage.run(&["call", "new", "--body", argument(&broken)]).await.fails(&["broken.json", "line 2"]);
    assert_eq!(stage.emulator.calls().len(), 2, "the broken body changed nothing");
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_lack_or_are_wrong_are_named() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All"]).await;
    let service = [("ANTIPHON_SERVICE", stage.emulator.base_url())];
    antiphon(&["call", "get", "c"], &service, None).await.fails(&["--tenant", "ANTIPHON_TENANT_ID"]);
    stage.run(&["call", "get", "c", "--secret", "wrong"]).await.fails(&["AADSTS7000215"]);
    stage.run(&["call", "get", "c", "--ca-file", "no-such.pem"]).await.fails(&["no-such.pem"]);
    stage.run(&["call", "get", "c", "--service", "https://127.0.0.1:9/v1.0"]).await.fails(&["--service", "--beta"]);
    // What azure-identity reads is taken too.
    let azure: Vec<(&str, String)> = vec![
        ("ANTIPHON_SERVICE", stage.emulator.base_url()),
        ("ANTIPHON_CA_FILE", stage.ca_file().display().to_string()),
        ("AZURE_AUTHORITY_HOST", stage.emulator.base_url()),
        ("AZURE_TENANT_ID", stage.emulator.tenant_id()),
        ("AZURE_CLIENT_ID", stage.app.app_id.clone()),
        ("AZURE_CLIENT_SECRET", stage.app.client_secret.clone()),
    ];
    antiphon(&["call", "get", "c"], &azure, None).await.fails(&["404", "8522"]);
    stage.emulator.stop().await;
}

#[tokio::test]
async fn wrong_usage_ends_with_two_and_the_option_at_fault() {
    let run = antiphon(&["call", "new", "--to", "x"], &[], None).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("--callback-uri"), "{run:?}");
    assert_eq!(Value::Null, serde_json::from_str::<Value>(&run.out).unwrap_or_default());
}
