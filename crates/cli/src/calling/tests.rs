//! Every Graph command: the request it makes, and its row in docs/commands.md.

use std::collections::BTreeSet;

use antiphon_graph::permission::required;
use antiphon_graph::wire::Version;
use clap::{CommandFactory as _, Parser as _};
use serde_json::{Value, json};

use super::*;
use crate::args::{Arguments, Command};

const TENANT: &str = "3b9f6f5e-7c0d-4a57-9f0b-6d1c5a0e7a11";

/// The request of a command line, less the program's name.
fn request(line: &str) -> GraphRequest {
    request_of(&line.split_whitespace().collect::<Vec<_>>())
}

fn request_of(words: &[&str]) -> GraphRequest {
    let words = std::iter::once("antiphon").chain(words.iter().copied());
    let parsed = Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    let none = |_: &str| None;
    match parsed.command {
        Command::Call(options) => GraphCommand::Call(&options).request(&none),
        Command::Participant(options) => GraphCommand::Participant(&options).request(&none),
        Command::AudioRoutingGroup(options) => GraphCommand::AudioRoutingGroup(&options).request(&none),
        Command::ContentSharingSession(options) => GraphCommand::ContentSharingSession(&options).request(&none),
        Command::Operation(options) => GraphCommand::Operation(&options).request(&none),
        other => panic!("{other:?} is no Graph command"),
    }
    .unwrap_or_else(|error| panic!("{error:#}"))
}

fn refusal(line: &str) -> String {
    let words = std::iter::once("antiphon").chain(line.split_whitespace());
    Arguments::try_parse_from(words).expect_err(line).to_string()
}

/// A JSON file in a folder of its own.
fn body_file(body: &Value) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("body.json");
    std::fs::write(&path, body.to_string()).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

const ME: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";

/// One command line for each command, with method, path and body it must send.
fn cases() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let user = |id: &str| {
        json!({
            "@odata.type": "#microsoft.graph.identitySet",
            "user": { "@odata.type": "#microsoft.graph.identity", "id": id },
        })
    };
    let invited =
        |id: &str| json!({ "@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": user(id) });
    let prompt = json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": { "@odata.type": "#microsoft.graph.mediaInfo", "uri": "https://b/a.wav" },
    });
    let service_hosted = json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": [] });
    vec![
        ("call get c", "GET", "/calls/c", Value::Null),
        ("call remove c", "DELETE", "/calls/c", Value::Null),
        ("call keep-alive c", "POST", "/calls/c/keepAlive", Value::Null),
        (
            "call new --to 112f7296-5fa4-42ca-bae8-6a692b15d4b8 --callback-uri https://b/c --subject s --ringing-timeout 30 \
             --routing-policy noMissedCall",
            "POST",
            "/calls",
            json!({
                "@odata.type": "#microsoft.graph.call", "callbackUri": "https://b/c", "subject": "s",
                "targets": [invited(ME)], "requestedModalities": ["audio"], "mediaConfig": service_hosted.clone(),
                "ringingTimeoutInSeconds": 30, "routingPolicies": ["noMissedCall"],
            }),
        ),
        (
            "call answer c --callback-uri https://b/c --modality video --participant-capacity 200 --delta-roster \
             --interactive-roster --content-sharing --hide-bot-after-escalation --blob x --outside-default-group",
            "POST",
            "/calls/c/answer",
            json!({
                "callbackUri": "https://b/c", "acceptedModalities": ["video"], "participantCapacity": 200,
                "mediaConfig": {
                    "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "x",
                    "removeFromDefaultAudioGroup": true,
                },
                "callOptions": {
                    "@odata.type": "#microsoft.graph.incomingCallOptions", "isDeltaRosterEnabled": true,
                    "isInteractiveRosterEnabled": true, "isContentSharingNotificationEnabled": true,
                    "hideBotAfterEscalation": true,
                },
            }),
        ),
        (
            "call reject c --reason BUSY --callback-uri https://b/c",
            "POST",
            "/calls/c/reject",
            json!({ "reason": "busy", "callbackUri": "https://b/c" }),
        ),
        (
            "call redirect c --to user:a --to user:b --timeout 20 --mask-caller --mask-callee --target-disposition forward",
            "POST",
            "/calls/c/redirect",
            json!({
                "targets": [invited("a"), invited("b")], "timeout": 20, "maskCaller": true, "maskCallee": true,
                "targetDisposition": "forward",
            }),
        ),
        (
            "call transfer c --to a --replaces-call d --transferee user:b --transferee-participant p",
            "POST",
            "/calls/c/transfer",
            json!({
                "transferTarget": {
                    "@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": user("a"),
                    "replacesCallId": "d",
                },
                "transferee": {
                    "@odata.type": "#microsoft.graph.participantInfo", "identity": user("b"), "participantId": "p",
                },
            }),
        ),
        ("call mute c --client-context x", "POST", "/calls/c/mute", json!({ "clientContext": "x" })),
        ("call unmute c", "POST", "/calls/c/unmute", Value::Null),
        (
            "call change-screen-sharing-role c --role sharer",
            "POST",
            "/calls/c/changeScreenSharingRole",
            json!({ "role": "sharer" }),
        ),
        (
            "call update-recording-status c --status notrecording --client-context x",
            "POST",
            "/calls/c/updateRecordingStatus",
            json!({ "status": "notRecording", "clientContext": "x" }),
        ),
        ("call add-large-gallery-view c", "POST", "/calls/c/addLargeGalleryView", Value::Null),
        (
            "call play-prompt c --uri https://b/a.wav --loop --client-context x",
            "POST",
            "/calls/c/playPrompt",
            json!({ "prompts": [prompt.clone()], "loop": true, "clientContext": "x" }),
        ),
        (
            "call record-response c --uri https://b/a.wav --barge-in --initial-silence-timeout 3 --max-silence-timeout 4 \
             --max-duration 10 --no-beep --stop-tone # --stream-while-recording",
            "POST",
            "/calls/c/recordResponse",
            json!({
                "prompts": [prompt.clone()], "bargeInAllowed": true, "initialSilenceTimeoutInSeconds": 3,
                "maxSilenceTimeoutInSeconds": 4, "maxRecordDurationInSeconds": 10, "playBeep": false,
                "stopTones": ["#"], "streamWhileRecording": true,
            }),
        ),
        ("call record c", "POST", "/calls/c/record", Value::Null),
        ("call cancel-media-processing c", "POST", "/calls/c/cancelMediaProcessing", Value::Null),
        ("call subscribe-to-tone c", "POST", "/calls/c/subscribeToTone", Value::Null),
        (
            "call send-dtmf-tones c --tones 1*# --delay 100",
            "POST",
            "/calls/c/sendDtmfTones",
            json!({ "tones": ["tone1", "star", "pound"], "delayBetweenTonesMs": 100 }),
        ),
        ("call start-recording c", "POST", "/calls/c/startRecording", Value::Null),
        ("call stop-recording c", "POST", "/calls/c/stopRecording", Value::Null),
        (
            "call start-transcription c --language en-us",
            "POST",
            "/calls/c/startTranscription",
            json!({ "language": "en-us" }),
        ),
        ("call stop-transcription c", "POST", "/calls/c/stopTranscription", Value::Null),
        ("participant list c", "GET", "/calls/c/participants", Value::Null),
        ("participant get c p", "GET", "/calls/c/participants/p", Value::Null),
        ("participant remove c p", "DELETE", "/calls/c/participants/p", Value::Null),
        (
            "participant invite c --to a --replaces-call d --outside-default-group --hidden --client-context x",
            "POST",
            "/calls/c/participants/invite",
            json!({
                "participants": [{
                    "@odata.type": "#microsoft.graph.invitationParticipantInfo", "identity": user("a"),
                    "replacesCallId": "d", "removeFromDefaultAudioRoutingGroup": true, "hidden": true,
                }],
                "clientContext": "x",
            }),
        ),
        ("participant mute c p", "POST", "/calls/c/participants/p/mute", Value::Null),
        ("participant mute-all c p q", "POST", "/calls/c/participants/muteAll", json!({ "participants": ["p", "q"] })),
        (
            "participant start-hold-music c p --uri https://b/a.wav",
            "POST",
            "/calls/c/participants/p/startHoldMusic",
            json!({ "customPrompt": prompt }),
        ),
        ("participant stop-hold-music c p", "POST", "/calls/c/participants/p/stopHoldMusic", Value::Null),
        (
            "participant report-synthetic-media c p --id 57dab8b1-894c-409a-b240-bd8beae78896 --malicious --confidence 0.5 \
             --severity high --detection-date-time 2026-03-01T08:30:00Z",
            "POST",
            "/calls/c/participants/p/reportSyntheticMedia",
            json!({
                "id": "57dab8b1-894c-409a-b240-bd8beae78896", "isMalicious": true, "overallConfidence": 0.5,
                "severity": "high", "detectionDateTime": "2026-03-01T08:30:00Z",
            }),
        ),
        (
            "audio-routing-group new c --id g --source p --receiver q",
            "POST",
            "/calls/c/audioRoutingGroups",
            json!({
                "@odata.type": "#microsoft.graph.audioRoutingGroup", "id": "g", "routingMode": "oneToOne",
                "sources": ["p"], "receivers": ["q"],
            }),
        ),
        ("audio-routing-group get c g", "GET", "/calls/c/audioRoutingGroups/g", Value::Null),
        ("audio-routing-group list c", "GET", "/calls/c/audioRoutingGroups", Value::Null),
        (
            "audio-routing-group update c g --receiver q --receiver r",
            "PATCH",
            "/calls/c/audioRoutingGroups/g",
            json!({ "@odata.type": "#microsoft.graph.audioRoutingGroup", "receivers": ["q", "r"] }),
        ),
        ("audio-routing-group remove c g", "DELETE", "/calls/c/audioRoutingGroups/g", Value::Null),
        ("content-sharing-session list c", "GET", "/calls/c/contentSharingSessions", Value::Null),
        ("content-sharing-session get c s", "GET", "/calls/c/contentSharingSessions/s", Value::Null),
        (
            "content-sharing-session slide c s --out slide.png",
            "GET",
            "/calls/c/contentSharingSessions/s/pngOfCurrentSlide",
            Value::Null,
        ),
        ("operation list c", "GET", "/calls/c/operations", Value::Null),
        ("operation get c o", "GET", "/calls/c/operations/o", Value::Null),
    ]
}

#[test]
fn every_command_makes_its_request() {
    for (line, method, path, body) in cases() {
        let made = request(line);
        assert_eq!((made.method.as_str(), made.path.as_str()), (method, path), "{line}");
        assert_eq!(made.body.unwrap_or_default(), body, "{line}");
    }
}

#[test]
fn commands_of_which_the_options_say_little_send_their_body_file() {
    let (_folder, file) = body_file(&json!({ "quality": { "deviceName": "d" }, "participantMixerLevels": [] }));
    for (line, path) in [
        ("call log-device-quality", "/calls/logTeleconferenceDeviceQuality"),
        ("participant configure-mixer c", "/calls/c/participants/configureMixer"),
    ] {
        let made = request(&format!("{line} --body {file}"));
        assert_eq!(made.path, path);
        assert_eq!(made.body.unwrap()["quality"]["deviceName"], "d");
        assert!(refusal(line).contains("--body"), "{line}");
    }
}

#[test]
fn whatever_only_beta_has_goes_to_beta() {
    for (line, _, path, _) in cases() {
        let made = request(line);
        let path = format!("/communications{path}");
        let has = |version| required(version, made.method.as_str(), &path).is_some();
        match (has(Version::V1), has(Version::Beta)) {
            // The matrix has no row for an older name and for a stream; both are beta's.
            (false, false) => assert!(made.beta_only && ["record", "slide"].iter().any(|verb| line.contains(verb))),
            (v1, _) => assert_eq!(made.beta_only, !v1, "{line}"),
        }
    }
}

#[test]
fn a_meeting_is_named_in_each_of_its_forms() {
    let body =
        |line: &str| request(&format!("call new --callback-uri https://b/c --tenant {TENANT} {line}")).body.unwrap();
    let link = "https://t/l/meetup-join/19%3ax/0?context=%7B%22Tid%22%3A%22tid%22%2C%22Oid%22%3A%22oid%22%7D";
    let by_link = body(&format!("--join-url {link}"));
    assert_eq!(by_link["chatInfo"]["threadId"], "19:x");
    assert_eq!(by_link["meetingInfo"]["organizer"]["user"]["id"], "oid");
    assert_eq!(by_link["tenantId"], "tid");
    let by_id = body("--meeting-id 987 --passcode p");
    assert_eq!(by_id["meetingInfo"]["@odata.type"], "#microsoft.graph.joinMeetingIdMeetingInfo");
    assert_eq!((&by_id["meetingInfo"]["passcode"], &by_id["tenantId"]), (&json!("p"), &json!(TENANT)));
    let by_token = body("--meeting-token t --call-tenant other");
    assert_eq!((&by_token["meetingInfo"]["token"], &by_token["tenantId"]), (&json!("t"), &json!("other")));
    let by_thread = body("--thread-id 19:x --organizer oid");
    assert_eq!(by_thread["chatInfo"]["messageId"], "0");
    assert_eq!(by_thread["meetingInfo"]["organizer"]["user"]["tenantId"], TENANT);
    let line = "call new --callback-uri https://b/c --tenant contoso.com --meeting-id 987";
    assert_eq!(request(line).body.unwrap()["tenantId"], Value::Null, "a domain name is no tenantId");
    let guest = body("--meeting-id 987 --as-guest Ada");
    assert_eq!(guest["source"]["identity"]["guest"]["displayName"], "Ada");
    assert!(uuid::Uuid::try_parse(guest["source"]["identity"]["guest"]["id"].as_str().unwrap()).is_ok());
}

#[test]
fn a_body_file_is_completed_and_never_overruled_by_defaults() {
    let (_folder, file) = body_file(&json!({
        "callbackUri": "https://file", "requestedModalities": ["video"], "tenantId": "t", "subject": "from the file",
        "mediaConfig": { "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "b" },
        "meetingInfo": { "@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": "x" }, "undeclared": 1,
    }));
    let body = request(&format!("call new --body {file} --subject flag --tenant {TENANT}")).body.unwrap();
    assert_eq!((&body["subject"], &body["callbackUri"]), (&json!("flag"), &json!("https://file")));
    assert_eq!((&body["requestedModalities"], &body["tenantId"]), (&json!(["video"]), &json!("t")));
    assert_eq!((&body["mediaConfig"]["blob"], &body["undeclared"]), (&json!("b"), &json!(1)));
}

#[test]
fn routing_modes_follow_the_number_of_receivers_unless_given() {
    let mode = |line: &str| {
        request(&format!("audio-routing-group new c --id g --source p {line}")).body.unwrap()["routingMode"].clone()
    };
    assert_eq!(mode("--receiver q"), "oneToOne");
    assert_eq!(mode("--receiver q --receiver r"), "multicast");
    assert_eq!(mode("--receiver q --mode multicast"), "multicast");
    let (_folder, file) =
        body_file(&json!({ "id": "g", "routingMode": "multicast", "sources": ["p"], "receivers": ["q"] }));
    let body = request(&format!("audio-routing-group new c --body {file}")).body.unwrap();
    assert_eq!(body["routingMode"], "multicast");
}

#[test]
fn wrong_usage_is_refused_with_the_option_at_fault() {
    for (line, hint) in [
        ("call new --callback-uri https://b", "--join-url"),
        ("call new --to a", "--callback-uri"),
        ("call new --to a --meeting-id 1 --callback-uri https://b", "cannot be used with"),
        ("call new --meeting-id 1 --callback-uri https://b --modality smell", "videoBasedScreenSharing"),
        ("call new --thread-id x --callback-uri https://b", "--organizer"),
        ("call answer", "CALL"),
        ("call redirect c", "--to"),
        ("call reject c --reason tired", "busy"),
        ("call send-dtmf-tones c --tones x", "choose"),
        ("audio-routing-group update c g", "--receiver"),
        ("participant invite c", "--to"),
        ("participant get c", "PARTICIPANT"),
    ] {
        let text = refusal(line);
        assert!(text.contains(hint), "{line}: {text}");
    }
}

/// Leaf commands of the Graph groups, as they are typed.
fn leaves() -> BTreeSet<String> {
    let program = Arguments::command();
    let groups = ["call", "participant", "audio-routing-group", "content-sharing-session", "operation"];
    groups
        .iter()
        .flat_map(|group| {
            let verbs = program.find_subcommand(group).expect(group).get_subcommands();
            verbs.map(move |verb| format!("{group} {}", verb.get_name()))
        })
        .collect()
}

#[test]
fn the_table_of_cmdlets_has_each_command_with_its_endpoint() {
    let table = include_str!("../../../../docs/commands.md");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `antiphon "))
        .map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect())
        .collect();
    let told: BTreeSet<String> = rows.iter().map(|row| row[0].trim_start_matches("antiphon ").to_owned()).collect();
    assert_eq!(told, leaves());
    let sent: Vec<(String, String)> = cases()
        .into_iter()
        .map(|(line, method, path, _)| {
            (line.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" "), format!("{method} {path}"))
        })
        .collect();
    for row in &rows {
        let [command, endpoint, ..] = row[..] else { panic!("{row:?}") };
        let command = command.trim_start_matches("antiphon ");
        if let Some((_, sent)) = sent.iter().find(|(name, _)| name == command) {
            // Ids in the cases are single letters.
            let pattern: Vec<&str> = sent.split('/').map(|part| if part.len() == 1 { "{id}" } else { part }).collect();
            assert_eq!(endpoint, pattern.join("/"), "{command}");
        }
    }
}

#[test]
fn the_cmdlets_of_the_two_permissions_are_thirteen_and_fourteen() {
    let table = include_str!("../../../../docs/commands.md");
    let marked = |column: usize| -> BTreeSet<&str> {
        let rows = table.lines().filter(|line| line.starts_with("| `antiphon "));
        rows.filter_map(|line| line.split('|').nth(column)?.trim().strip_suffix('●')).map(str::trim).collect()
    };
    assert_eq!((marked(3).len(), marked(4).len()), (13, 14));
}

#[test]
fn each_command_has_a_case_above() {
    let told: BTreeSet<String> =
        cases().iter().map(|(line, ..)| line.splitn(3, ' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let by_body = ["call log-device-quality", "participant configure-mixer"].map(str::to_owned);
    assert_eq!(told.into_iter().chain(by_body).collect::<BTreeSet<_>>(), leaves());
}

#[test]
fn connection_options_may_stand_before_and_after_the_verb() {
    for line in ["call --service https://s get c", "call get c --service https://s", "call get --service https://s c"] {
        let words = std::iter::once("antiphon").chain(line.split_whitespace());
        let Command::Call(options) = Arguments::try_parse_from(words).unwrap().command else { panic!("{line}") };
        assert_eq!(options.connection.service.service.as_deref(), Some("https://s"), "{line}");
    }
}
