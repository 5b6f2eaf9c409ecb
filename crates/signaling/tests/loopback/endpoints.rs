//! Every endpoint in one table: what its method sends, and what it makes of the answer.
//!
//! Each row runs for both versions and both path families against a real
//! loopback socket. A row is a typed call, the request it must become and the
//! answer it must read.

use std::collections::BTreeSet;
use std::pin::Pin;

use crate::server::{Answer, Service, answer};
use antiphon_graph::action::{
    Answer as AnswerCall, ChangeScreenSharingRole, ConfigureMixer, InviteParticipants, LogTeleconferenceDeviceQuality,
    MuteAll, PlayPrompt, RecordResponse, Redirect, Reject, ReportSyntheticMedia, SendDtmfTones, StartHoldMusic,
    Transcription, Transfer, UpdateRecordingStatus, WithClientContext,
};
use antiphon_graph::wire::Version;
use antiphon_graph::{
    AudioRoutingGroup, AudioRoutingGroupUpdate, Call, CallId, Identity, IdentitySet, InvitationParticipantInfo,
    MediaPrompt, Modality, ParticipantId, RecordingStatus, RejectReason, ScreenSharingRole, Tone,
};
use antiphon_signaling::GraphClient;
use antiphon_signaling::client::{GraphError, PathFamily};
use serde::Serialize;
use serde_json::{Value, json};

const CALL: &str = "2e1a0b00-5b7c";
/// Needs escaping, so that a method that forgets it is found out.
const ODD: &str = "a/b c";

type Outcome<'a> = Pin<Box<dyn Future<Output = Result<Value, GraphError>> + Send + 'a>>;
type Run = for<'a> fn(&'a GraphClient) -> Outcome<'a>;

/// One endpoint.
struct Row {
    /// Method and path below the family.
    line: &'static str,
    beta_only: bool,
    run: Run,
    /// The body that must be sent; null for none.
    body: Value,
    /// Status and body the service answers; null for an empty one.
    reply: (u16, Value),
    /// What the method must return, as JSON; null for nothing.
    read: Value,
}

fn json_of<T: Serialize>(result: Result<T, GraphError>) -> Result<Value, GraphError> {
    result.map(|value| serde_json::to_value(value).unwrap())
}

/// A typed call as a row's function.
macro_rules! run {
    ($client:ident => $call:expr) => {
        |$client| Box::pin(async move { json_of($call.await) })
    };
}

fn call() -> CallId {
    CALL.into()
}

fn odd() -> ParticipantId {
    ODD.into()
}

fn context() -> WithClientContext {
    WithClientContext::of(Some("ctx".into()))
}

fn ada() -> InvitationParticipantInfo {
    InvitationParticipantInfo::of(IdentitySet::of_user(Identity::of("ada")))
}

/// An operation as a service writes it.
fn operation(name: &str, status: &str) -> Value {
    json!({"@odata.type": format!("#microsoft.graph.{name}Operation"), "id": "op", "clientContext": "ctx", "status": status})
}

/// What the client must have sent: types filled in by hand, from the reference pages.
fn invited() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "user": {"@odata.type": "#microsoft.graph.identity", "id": "ada"},
        },
    })
}

fn prompt() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": "https://cdn/x.wav"},
    })
}

fn plain(line: &'static str, run: Run, body: Value, reply: (u16, Value), read: Value) -> Row {
    Row { line, beta_only: false, run, body, reply, read }
}

/// An action that answers with an operation.
fn acted(line: &'static str, run: Run, body: Value, status: u16, operation: Value) -> Row {
    Row { line, beta_only: false, run, body, reply: (status, operation.clone()), read: operation }
}

/// An action that answers with nothing.
fn silent(line: &'static str, run: Run, body: Value, status: u16) -> Row {
    plain(line, run, body, (status, Value::Null), Value::Null)
}

fn beta(row: Row) -> Row {
    Row { beta_only: true, ..row }
}

fn calls() -> Vec<Row> {
    let created = json!({"@odata.type": "#microsoft.graph.call", "id": CALL, "state": "establishing"});
    vec![
        plain(
            "POST /calls",
            run!(c => c.create_call(&Call { subject: Some("hello".into()), ..Call::default() })),
            json!({"@odata.type": "#microsoft.graph.call", "subject": "hello"}),
            (201, created.clone()),
            created.clone(),
        ),
        plain("GET /calls/2e1a0b00-5b7c", run!(c => c.call(&call())), Value::Null, (200, created.clone()), created),
        silent("DELETE /calls/2e1a0b00-5b7c", run!(c => c.delete_call(&call())), Value::Null, 204),
        silent("POST /calls/2e1a0b00-5b7c/keepAlive", run!(c => c.keep_alive(&call())), Value::Null, 200),
        silent(
            "POST /calls/2e1a0b00-5b7c/answer",
            run!(c => c.answer(&call(), &AnswerCall {
                callback_uri: Some("https://bot/cb".into()),
                accepted_modalities: Some(vec![Modality::Audio]),
                participant_capacity: Some(200),
                ..AnswerCall::default()
            })),
            json!({"callbackUri": "https://bot/cb", "acceptedModalities": ["audio"], "participantCapacity": 200}),
            202,
        ),
        silent(
            "POST /calls/2e1a0b00-5b7c/reject",
            run!(c => c.reject(&call(), &Reject { reason: Some(RejectReason::Busy), ..Reject::default() })),
            json!({"reason": "busy"}),
            202,
        ),
        silent(
            "POST /calls/2e1a0b00-5b7c/redirect",
            run!(c => c.redirect(&call(), &Redirect { targets: vec![ada()], timeout: Some(20), ..Redirect::default() })),
            json!({"targets": [invited()], "timeout": 20}),
            202,
        ),
        silent(
            "POST /calls/2e1a0b00-5b7c/transfer",
            run!(c => c.transfer(&call(), &Transfer { transfer_target: Some(ada()), ..Transfer::default() })),
            json!({"transferTarget": invited()}),
            202,
        ),
    ]
}

fn own_leg() -> Vec<Row> {
    let ctx = json!({"clientContext": "ctx"});
    vec![
        acted(
            "POST /calls/2e1a0b00-5b7c/mute",
            run!(c => c.mute(&call(), &context())),
            ctx.clone(),
            200,
            operation("muteParticipant", "Completed"),
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/unmute",
            run!(c => c.unmute(&call(), &context())),
            ctx.clone(),
            200,
            operation("unmuteParticipant", "Completed"),
        ),
        silent(
            "POST /calls/2e1a0b00-5b7c/changeScreenSharingRole",
            run!(c => c.change_screen_sharing_role(&call(), &ChangeScreenSharingRole {
                role: Some(ScreenSharingRole::Sharer),
                ..ChangeScreenSharingRole::default()
            })),
            json!({"role": "sharer"}),
            202,
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/updateRecordingStatus",
            run!(c => c.update_recording_status(&call(), &UpdateRecordingStatus {
                status: Some(RecordingStatus::Recording),
                client_context: Some("ctx".into()),
                ..UpdateRecordingStatus::default()
            })),
            json!({"status": "recording", "clientContext": "ctx"}),
            200,
            operation("updateRecordingStatus", "Completed"),
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/addLargeGalleryView",
            run!(c => c.add_large_gallery_view(&call(), &context())),
            ctx.clone(),
            202,
            operation("addLargeGalleryView", "Running"),
        ),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/startRecording",
            run!(c => c.start_recording(&call(), &context())),
            ctx.clone(),
            202,
            operation("startRecording", "Running"),
        )),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/stopRecording",
            run!(c => c.stop_recording(&call(), &context())),
            ctx,
            202,
            operation("stopRecording", "Completed"),
        )),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/startTranscription",
            run!(c => c.start_transcription(&call(), &Transcription {
                language: Some("en-us".into()),
                ..Transcription::default()
            })),
            json!({"language": "en-us"}),
            202,
            operation("startTranscription", "Running"),
        )),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/stopTranscription",
            run!(c => c.stop_transcription(&call(), &Transcription::default())),
            json!({}),
            202,
            operation("stopTranscription", "Running"),
        )),
    ]
}

fn media() -> Vec<Row> {
    let mut recorded = operation("record", "Running");
    recorded["recordingLocation"] = json!("https://service/recording");
    let record_body = json!({
        "prompts": [prompt()], "bargeInAllowed": true, "maxRecordDurationInSeconds": 10, "stopTones": ["#"],
        "clientContext": "ctx",
    });
    fn record() -> RecordResponse {
        RecordResponse {
            prompts: vec![MediaPrompt::of("https://cdn/x.wav").into()],
            barge_in_allowed: Some(true),
            max_record_duration_in_seconds: Some(10),
            stop_tones: vec!["#".into()],
            client_context: Some("ctx".into()),
            ..RecordResponse::default()
        }
    }
    vec![
        acted(
            "POST /calls/2e1a0b00-5b7c/playPrompt",
            run!(c => c.play_prompt(&call(), &PlayPrompt {
                prompts: vec![MediaPrompt::of("https://cdn/x.wav").into()],
                client_context: Some("ctx".into()),
                ..PlayPrompt::default()
            })),
            json!({"prompts": [prompt()], "clientContext": "ctx"}),
            200,
            operation("playPrompt", "Running"),
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/recordResponse",
            run!(c => c.record_response(&call(), &record())),
            record_body.clone(),
            200,
            recorded.clone(),
        ),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/record",
            run!(c => c.record(&call(), &record())),
            record_body,
            200,
            recorded,
        )),
        acted(
            "POST /calls/2e1a0b00-5b7c/cancelMediaProcessing",
            run!(c => c.cancel_media_processing(&call(), &WithClientContext::default())),
            json!({}),
            200,
            operation("cancelMediaProcessing", "Completed"),
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/subscribeToTone",
            run!(c => c.subscribe_to_tone(&call(), &context())),
            json!({"clientContext": "ctx"}),
            200,
            operation("subscribeToTone", "Completed"),
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/sendDtmfTones",
            run!(c => c.send_dtmf_tones(&call(), &SendDtmfTones {
                tones: vec![Tone::Tone1, Tone::Star, Tone::Pound],
                delay_between_tones_ms: Some(200),
                ..SendDtmfTones::default()
            })),
            json!({"tones": ["tone1", "star", "pound"], "delayBetweenTonesMs": 200}),
            200,
            operation("sendDtmfTones", "Running"),
        ),
        silent(
            "POST /calls/logTeleconferenceDeviceQuality",
            run!(c => c.log_teleconference_device_quality(&LogTeleconferenceDeviceQuality::default())),
            json!({}),
            200,
        ),
    ]
}

fn participants() -> Vec<Row> {
    let ctx = json!({"clientContext": "ctx"});
    let participant = json!({"@odata.type": "#microsoft.graph.participant", "id": ODD, "isMuted": true});
    let read = |mut one: Value| {
        one["mediaStreams"] = json!([]);
        one
    };
    let mut inviting = operation("inviteParticipants", "Running");
    inviting["participants"] = json!([invited()]);
    let mut muting = operation("muteParticipants", "Completed");
    muting["participants"] = json!(["p"]);
    vec![
        plain(
            "GET /calls/2e1a0b00-5b7c/participants",
            run!(c => c.participants(&call())),
            Value::Null,
            (200, json!({"value": [participant]})),
            json!([read(participant.clone())]),
        ),
        plain(
            "GET /calls/2e1a0b00-5b7c/participants/a%2Fb%20c",
            run!(c => c.participant(&call(), &odd())),
            Value::Null,
            (200, participant.clone()),
            read(participant),
        ),
        silent(
            "DELETE /calls/2e1a0b00-5b7c/participants/a%2Fb%20c",
            run!(c => c.delete_participant(&call(), &odd())),
            Value::Null,
            204,
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/participants/invite",
            run!(c => c.invite(&call(), &InviteParticipants {
                participants: vec![ada()],
                client_context: Some("ctx".into()),
                ..InviteParticipants::default()
            })),
            json!({"participants": [invited()], "clientContext": "ctx"}),
            200,
            inviting,
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/participants/a%2Fb%20c/mute",
            run!(c => c.mute_participant(&call(), &odd(), &context())),
            ctx.clone(),
            200,
            operation("muteParticipant", "Completed"),
        ),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/participants/muteAll",
            run!(c => c.mute_all(&call(), &MuteAll { participants: vec!["p".into()], ..MuteAll::default() })),
            json!({"participants": ["p"]}),
            200,
            muting,
        )),
        beta(acted(
            "POST /calls/2e1a0b00-5b7c/participants/configureMixer",
            run!(c => c.configure_mixer(&call(), &ConfigureMixer {
                client_context: Some("ctx".into()),
                ..ConfigureMixer::default()
            })),
            json!({"participantMixerLevels": [], "clientContext": "ctx"}),
            202,
            json!({"@odata.type": "#microsoft.graph.commsOperation", "id": "op", "status": "Running"}),
        )),
        acted(
            "POST /calls/2e1a0b00-5b7c/participants/a%2Fb%20c/startHoldMusic",
            run!(c => c.start_hold_music(&call(), &odd(), &StartHoldMusic {
                custom_prompt: Some(MediaPrompt::of("https://cdn/x.wav").into()),
                ..StartHoldMusic::default()
            })),
            json!({"customPrompt": prompt()}),
            202,
            operation("startHoldMusic", "Running"),
        ),
        acted(
            "POST /calls/2e1a0b00-5b7c/participants/a%2Fb%20c/stopHoldMusic",
            run!(c => c.stop_hold_music(&call(), &odd(), &context())),
            ctx,
            202,
            operation("stopHoldMusic", "Running"),
        ),
        beta(silent(
            "POST /calls/2e1a0b00-5b7c/participants/a%2Fb%20c/reportSyntheticMedia",
            run!(c => c.report_synthetic_media(&call(), &odd(), &ReportSyntheticMedia {
                is_malicious: Some(false),
                overall_confidence: Some(0.75),
                ..ReportSyntheticMedia::default()
            })),
            json!({"isMalicious": false, "overallConfidence": 0.75}),
            204,
        )),
    ]
}

fn groups_and_the_rest() -> Vec<Row> {
    let group = json!({
        "@odata.type": "#microsoft.graph.audioRoutingGroup", "id": ODD, "routingMode": "oneToOne",
        "sources": ["a"], "receivers": ["b"],
    });
    let session = json!({"@odata.type": "#microsoft.graph.contentSharingSession", "id": ODD});
    let running = operation("playPrompt", "Running");
    let base = "@odata.type";
    vec![
        plain(
            "POST /calls/2e1a0b00-5b7c/audioRoutingGroups",
            run!(c => c.create_audio_routing_group(&call(), &AudioRoutingGroup::one_to_one(ODD, "a".into(), "b".into()))),
            group.clone(),
            (200, group.clone()),
            group.clone(),
        ),
        plain(
            "GET /calls/2e1a0b00-5b7c/audioRoutingGroups",
            run!(c => c.audio_routing_groups(&call())),
            Value::Null,
            (200, json!({"value": [group]})),
            json!([group]),
        ),
        plain(
            "GET /calls/2e1a0b00-5b7c/audioRoutingGroups/a%2Fb%20c",
            run!(c => c.audio_routing_group(&call(), ODD)),
            Value::Null,
            (200, group.clone()),
            group.clone(),
        ),
        plain(
            "PATCH /calls/2e1a0b00-5b7c/audioRoutingGroups/a%2Fb%20c",
            run!(c => c.update_audio_routing_group(&call(), ODD, &AudioRoutingGroupUpdate::receivers(vec!["d".into()]))),
            json!({base: "#microsoft.graph.audioRoutingGroup", "receivers": ["d"]}),
            (200, group.clone()),
            group,
        ),
        silent(
            "DELETE /calls/2e1a0b00-5b7c/audioRoutingGroups/a%2Fb%20c",
            run!(c => c.delete_audio_routing_group(&call(), ODD)),
            Value::Null,
            204,
        ),
        plain(
            "GET /calls/2e1a0b00-5b7c/contentSharingSessions",
            run!(c => c.content_sharing_sessions(&call())),
            Value::Null,
            (200, json!({"value": [session]})),
            json!([session]),
        ),
        plain(
            "GET /calls/2e1a0b00-5b7c/contentSharingSessions/a%2Fb%20c",
            run!(c => c.content_sharing_session(&call(), ODD)),
            Value::Null,
            (200, session.clone()),
            session,
        ),
        beta(plain(
            "GET /calls/2e1a0b00-5b7c/contentSharingSessions/a%2Fb%20c/pngOfCurrentSlide",
            |c| Box::pin(async move { c.png_of_current_slide(&call(), ODD).await.map(|png| json!(png.to_vec())) }),
            Value::Null,
            (200, Value::String("\u{7f}PNG".into())),
            json!(b"\x7fPNG"),
        )),
        plain(
            "GET /calls/2e1a0b00-5b7c/operations",
            run!(c => c.operations(&call())),
            Value::Null,
            (200, json!({"value": [running]})),
            json!([running]),
        ),
        plain(
            "GET /calls/2e1a0b00-5b7c/operations/a%2Fb%20c",
            run!(c => c.operation(&call(), ODD)),
            Value::Null,
            (200, running.clone()),
            running,
        ),
    ]
}

fn rows() -> Vec<Row> {
    [calls(), own_leg(), media(), participants(), groups_and_the_rest()].into_iter().flatten().collect()
}

fn reply(row: &Row) -> Answer {
    match &row.reply {
        (status, Value::Null) => Some((*status, vec![], String::new())),
        // The one answer that is not JSON.
        (status, Value::String(bytes)) => Some((*status, vec![("content-type", "image/png".into())], bytes.clone())),
        (status, body) => answer(*status, body.clone()),
    }
}

#[tokio::test]
async fn every_endpoint_sends_its_request_and_reads_its_answer() {
    for version in [Version::V1, Version::Beta] {
        for (family, prefix) in [(PathFamily::Communications, "/communications"), (PathFamily::App, "/app")] {
            let rows = rows();
            let service = Service::start(rows.iter().map(reply)).await;
            let client = service.client_of(version, family);
            for row in &rows {
                let read = (row.run)(&client).await.unwrap_or_else(|error| panic!("{}: {error}", row.line));
                assert_eq!(read, row.read, "{}", row.line);
            }
            for (seen, row) in service.seen().iter().zip(&rows) {
                let version = if row.beta_only { Version::Beta } else { version };
                let (method, path) = row.line.split_once(' ').unwrap();
                assert_eq!(seen.method, method, "{}", row.line);
                assert_eq!(seen.path, format!("/{}{prefix}{path}", version.as_str()));
                assert_eq!(seen.header("authorization"), "Bearer t1");
                assert!(!seen.header("client-request-id").is_empty() && !seen.header("user-agent").is_empty());
                if row.body.is_null() {
                    assert_eq!(seen.body, "", "{}", row.line);
                    let length = if method == "POST" { "0" } else { "" };
                    assert_eq!(seen.header("content-length"), length, "{}", row.line);
                } else {
                    assert_eq!(serde_json::from_str::<Value>(&seen.body).unwrap(), row.body, "{}", row.line);
                    assert_eq!(seen.header("content-type"), "application/json");
                }
            }
            assert_eq!(service.seen().len(), rows.len());
        }
    }
}

#[test]
fn the_table_has_every_endpoint_of_the_permission_matrix() {
    // The rest is known to permission data only and goes by raw requests.
    const BY_RAW: [&str; 9] = [
        "POST /calls/{id}/joinContentSharingAudioGroup",
        "POST /calls/{id}/leaveContentSharingAudioGroup",
        "POST /calls/{id}/lowerHand",
        "POST /calls/{id}/participants/admitAllFromLobby",
        "POST /calls/{id}/participants/lowerAllHands",
        "POST /calls/{id}/participants/{id}/admitFromLobby",
        "POST /calls/{id}/participants/{id}/lowerHand",
        "POST /calls/{id}/participants/{id}/removeFromLobby",
        "POST /calls/{id}/raiseHand",
    ];
    let template = |line: &str| line.replace(CALL, "{id}").replace("a%2Fb%20c", "{id}");
    let typed: BTreeSet<_> = rows().iter().map(|row| template(row.line)).collect();
    assert_eq!(typed.len(), rows().len(), "each endpoint once");
    let untyped: BTreeSet<_> = antiphon_graph::permission::rows()
        .iter()
        .map(|row| {
            let path = row.path.strip_prefix("/communications").or(row.path.strip_prefix("/app")).unwrap();
            format!("{} {path}", row.method)
        })
        .filter(|line| !typed.contains(line))
        .collect();
    assert_eq!(untyped.into_iter().collect::<Vec<_>>(), BY_RAW);
}

#[tokio::test]
async fn a_raw_request_goes_where_it_is_told_and_reads_as_it_came() {
    let service = Service::start([
        answer(200, json!({"id": "op"})),
        Some((204, vec![], String::new())),
        answer(201, json!({"id": "c"})),
        answer(501, json!({"error": {"code": "notSupported", "message": "not here"}})),
    ])
    .await;
    let client = service.client();
    let raw = |method: &str, path: &'static str, body: Option<Value>| {
        let (client, method) = (client.clone(), method.parse().unwrap());
        async move { client.raw(method, path, body.as_ref()).await }
    };
    let first = raw("POST", "/communications/calls/c/mute", Some(json!({"clientContext": "x"}))).await.unwrap();
    assert_eq!((first.status, first.json::<Value>().unwrap()), (200, json!({"id": "op"})));
    let second = raw("DELETE", "/beta/app/calls/c", None).await.unwrap();
    assert_eq!((second.status, second.body.len()), (204, 0));
    raw("POST", "communications/calls", Some(json!({}))).await.unwrap();
    let refused = raw("POST", "/v1.0/communications/calls/c/raiseHand", None).await.unwrap_err();
    assert_eq!(refused.kind(), &antiphon_signaling::client::GraphErrorKind::NotSupported);
    let lines: Vec<_> = service.seen().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(
        lines,
        [
            "POST /v1.0/communications/calls/c/mute",
            "DELETE /beta/app/calls/c",
            "POST /v1.0/communications/calls",
            "POST /v1.0/communications/calls/c/raiseHand",
        ]
    );
    assert_eq!(serde_json::from_str::<Value>(&service.seen()[0].body).unwrap(), json!({"clientContext": "x"}));
}
