//! What a bot does with its own leg: muting, the screen, the recording status, the large gallery.

use antiphon_graph::model::{Strictness, check};
use antiphon_graph::wire::Version;

use super::webhook::Posted;
use super::*;
use crate::operations::{NewSharing, NewUserCall};

/// Asserts what every answer with an operation has; gives the operation.
#[track_caller]
pub(super) fn operation(answer: Answer, status: u16, kind: &str, call: &Value) -> Value {
    let location = answer.header("location").to_owned();
    let operation = answer.expect(status);
    let (version, path) = location.strip_prefix("https://localhost:8443/").unwrap().split_once('/').unwrap();
    let id = operation["id"].as_str().unwrap();
    assert_eq!(path, format!("communications/calls/{}/operations/{id}", call["id"].as_str().unwrap()));
    assert_eq!(operation["@odata.type"], format!("#microsoft.graph.{kind}"));
    assert_eq!(operation["@odata.context"], format!("https://localhost:8443/{version}/$metadata#{kind}"));
    let faults = check(Version::parse(version).unwrap(), kind, Strictness::Reply, &operation);
    assert!(faults.is_empty(), "{faults:?}");
    operation
}

/// Kind, status and result of an operation's end; else as [`Posted::summary`].
pub(super) fn summary(posted: &Posted) -> String {
    let notification = posted.notification();
    let url = notification["resourceUrl"].as_str().unwrap();
    let Some((_, id)) = url.split_once("/operations/") else {
        return posted.summary();
    };
    let operation = &notification["resourceData"];
    assert_eq!(notification["changeType"], "deleted");
    assert_eq!(operation["id"], id);
    let kind = operation["@odata.type"].as_str().unwrap().strip_prefix("#microsoft.graph.").unwrap();
    let status = operation["status"].as_str().unwrap();
    let result = &operation["resultInfo"];
    match (result["code"].as_i64(), result["subcode"].as_i64()) {
        (Some(code), Some(subcode)) => format!("{kind} {status} {code}/{subcode}"),
        _ => format!("{kind} {status}"),
    }
}

impl Rig {
    /// What the next requests to the webhook are about, ends of operations included.
    pub(super) async fn told(&self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(summary(&self.webhook.next().await));
        }
        all
    }

    /// The next roster.
    pub(super) async fn next_roster(&self) -> Value {
        let posted = self.webhook.next().await;
        assert_eq!(posted.summary(), "roster");
        posted.notification()["resourceData"].clone()
    }

    /// A bot under a recording policy, established in a meeting with Pia; gives the call. All it was told is read.
    async fn recorder(&self, bot: &Bot<'_>, meeting: &MeetingView) -> Value {
        let pia = self.user("Pia", Answering::default());
        let person = NewPerson { user_id: Some(pia.id.clone()), ..NewPerson::default() };
        self.service.join_person(&meeting.id, person).unwrap();
        self.service.directory().set_webhook(&bot.app.app_id, Some(self.webhook.url().to_owned())).unwrap();
        let call = NewUserCall {
            app_id: bot.app.app_id.clone(),
            meeting_id: Some(meeting.id.clone()),
            offer: None,
            modalities: Vec::new(),
            policy_recording: true,
        };
        self.service.call_app(&pia.id, call).unwrap();
        let incoming = self.webhook.next().await.notification()["resourceData"].clone();
        let media = json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" });
        let body = json!({ "acceptedModalities": ["audio"], "mediaConfig": media });
        bot.post(&format!("{}/answer", path_of(&incoming)), body).await.expect(202);
        assert_eq!(self.told(3).await, ["updated establishing", "updated established", "roster"]);
        incoming
    }
}

/// The roster entry of a call's bot.
fn mine<'a>(roster: &'a Value, call: &Value) -> &'a Value {
    roster.as_array().unwrap().iter().find(|entry| entry["id"] == call["myParticipantId"]).unwrap()
}

#[tokio::test]
async fn muting_oneself_is_done_at_once_and_shown_to_everybody_until_undone() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.told(3).await;
    rig.media.take();
    let me = call["myParticipantId"].as_str().unwrap();
    for (action, kind, muted) in
        [("mute", "muteParticipantOperation", true), ("microsoft.graph.UNMUTE", "unmuteParticipantOperation", false)]
    {
        let answer = bot.post(&format!("{}/{action}", path_of(&call)), json!({ "clientContext": "mine" })).await;
        let operation = operation(answer, 200, kind, &call);
        assert_eq!((&operation["status"], &operation["clientContext"]), (&json!("Completed"), &json!("mine")));
        assert_eq!(rig.media.take(), [format!("mute {me} {muted}")]);
        let roster = rig.next_roster().await;
        assert_eq!(mine(&roster, &call)["isMuted"], muted);
        assert_eq!(mine(&roster, &call)["mediaStreams"][0]["serverMuted"], muted);
    }
    // Without a body, as some clients send it; and in the other version and family.
    let path = path_of(&call).replace("/v1.0/communications", "/beta/app");
    let answer = bot.request(Method::POST, &format!("{path}/mute"), None).await;
    operation(answer, 200, "muteParticipantOperation", &call);
}

#[tokio::test]
async fn actions_of_a_roster_are_refused_in_peer_to_peer_calls_and_before_the_call_is_established() {
    let rig = Rig::start().await;
    let bot = rig.bot(&["Calls.Initiate.All", "Calls.AccessMedia.All", "Calls.JoinGroupCall.All"]).await;
    let pia = rig.user("Pia", Answering::at_once(crate::entra::AnsweringAction::Answer));
    let alone = bot.call(&[&pia]).await;
    rig.settle().await;
    rig.told(2).await;
    let meeting = rig.meeting();
    let early = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect(201);
    rig.media.take();
    for (action, body) in [
        ("mute", json!({})),
        ("unmute", json!({})),
        ("changeScreenSharingRole", json!({ "role": "viewer" })),
        ("addLargeGalleryView", json!({})),
        ("startRecording", json!({})),
        ("stopRecording", json!({})),
        ("startTranscription", json!({})),
        ("stopTranscription", json!({})),
    ] {
        let at = |call: &Value| format!("{}/{action}", path_of(call).replace("v1.0", "beta"));
        let message = bot.post(&at(&alone), body.clone()).await.expect_error(400, "invalidRequest");
        assert!(message.contains("peer-to-peer"), "{action}: {message}");
        let message = bot.post(&at(&early), body.clone()).await.expect_error(409, "invalidRequest");
        assert!(message.contains("establishing"), "{action}: {message}");
        let gone = at(&early).replace(early["id"].as_str().unwrap(), "57dab8b1-894c-409a-b240-bd8beae78896");
        bot.post(&gone, body).await.expect_error(404, "8522");
    }
    assert!(rig.media.take().is_empty());
}

#[tokio::test]
async fn client_context_of_the_wrong_kind_or_too_long_changes_nothing() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mute = format!("{}/mute", path_of(&bot.join(&meeting).await));
    rig.media.take();
    for context in [json!("x".repeat(257)), json!(7)] {
        let answer = bot.post(&mute, json!({ "clientContext": context })).await;
        assert_eq!(answer.body["error"]["target"], "clientContext");
        answer.expect_error(400, "invalidRequest");
    }
    assert!(rig.media.take().is_empty());
    let longest = "\u{e4}".repeat(256);
    let operation = bot.post(&mute, json!({ "clientContext": longest })).await.expect(200);
    assert_eq!(operation["clientContext"], longest, "characters count, not bytes");
}

#[tokio::test]
async fn one_participant_at_a_time_shows_a_screen() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let ann = rig.person(&meeting, "Ann");
    let call = bot.join(&meeting).await;
    rig.told(3).await;
    rig.service.share(&meeting.id, &ann, NewSharing::default()).unwrap();
    let roster = rig.next_roster().await;
    assert_eq!(roster[0]["mediaStreams"][1]["label"], "applicationsharing-video");

    let role = format!("{}/changeScreenSharingRole", path_of(&call));
    let answer = bot.post(&role, json!({ "role": "sharer" })).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type"), answer.header("location")), (202, "", ""));
    let roster = rig.next_roster().await;
    assert_eq!(roster[0]["mediaStreams"].as_array().unwrap().len(), 1, "who showed a screen before does no more");
    let roster = rig.next_roster().await;
    let screen = &mine(&roster, &call)["mediaStreams"][1];
    assert_eq!(screen["mediaType"], "videoBasedScreenSharing");
    assert_eq!(screen["label"], "applicationsharing-video");
    assert_eq!(screen["direction"], "sendOnly");

    rig.service.share(&meeting.id, &ann, NewSharing::default()).unwrap();
    assert_eq!(mine(&rig.next_roster().await, &call)["mediaStreams"].as_array().unwrap().len(), 1);
    rig.next_roster().await;
    bot.post(&role, json!({ "role": "SHARER" })).await.expect(202);
    rig.told(2).await;
    bot.post(&role, json!({ "role": "viewer" })).await.expect(202);
    assert_eq!(mine(&rig.next_roster().await, &call)["mediaStreams"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn screen_sharing_needs_a_role_and_media_of_the_app() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let role = format!("{}/changeScreenSharingRole", path_of(&call));
    for body in [json!({}), json!({ "role": null }), json!({ "role": "audience" }), json!({ "role": 1 })] {
        let answer = bot.post(&role, body).await;
        assert_eq!(answer.body["error"]["target"], "role");
        answer.expect_error(400, "invalidRequest");
    }
    let mut body = bot.join_body(&meeting);
    body["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" });
    let hosted = bot.post("/v1.0/communications/calls", body).await.expect(201);
    let role = format!("{}/changeScreenSharingRole", path_of(&hosted));
    let message = bot.post(&role, json!({ "role": "sharer" })).await.expect_error(400, "invalidRequest");
    assert!(message.contains("app-hosted"), "{message}");
}

#[tokio::test]
async fn recording_status_of_a_policy_recorder_is_in_the_roster() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = rig.recorder(&bot, &meeting).await;
    let update = format!("{}/updateRecordingStatus", path_of(&call));
    for status in ["recording", "notRecording", "failed"] {
        let answer = bot.post(&update, json!({ "status": status, "clientContext": status })).await;
        let operation = operation(answer, 200, "updateRecordingStatusOperation", &call);
        assert_eq!((&operation["status"], &operation["clientContext"]), (&json!("Completed"), &json!(status)));
        let roster = rig.next_roster().await;
        let info = &mine(&roster, &call)["recordingInfo"];
        assert_eq!(info["recordingStatus"], status);
        assert_eq!(info["initiator"]["application"]["id"], bot.app.app_id);
        assert_eq!(info.get("initiatedBy"), None, "beta only");
        let faults = check(Version::V1, "participant", Strictness::Reply, mine(&roster, &call));
        assert!(faults.is_empty(), "{faults:?}");
    }
    for body in [json!({}), json!({ "status": "unknown" }), json!({ "status": "paused" }), json!({ "status": [] })] {
        let answer = bot.post(&update, body).await;
        assert_eq!(answer.body["error"]["target"], "status");
        answer.expect_error(400, "invalidRequest");
    }
    let ordinary = bot.join(&meeting).await;
    let update = format!("{}/updateRecordingStatus", path_of(&ordinary));
    let message = bot.post(&update, json!({ "status": "recording" })).await.expect_error(403, "8506");
    assert_eq!(message, "API call not allowed for non-Compliance Recording call");
}

#[tokio::test]
async fn large_gallery_appears_once_its_operation_has_completed_and_leaves_with_the_last_bot() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.person(&meeting, "Ann");
    let call = bot.join(&meeting).await;
    rig.told(3).await;
    let add = format!("{}/addLargeGalleryView", path_of(&call));
    let begun =
        operation(bot.post(&add, json!({ "clientContext": "lg" })).await, 202, "addLargeGalleryViewOperation", &call);
    assert_eq!(begun["status"], "Running");
    let path = format!("{}/operations/{}", path_of(&call), begun["id"].as_str().unwrap());
    assert_eq!(bot.get(&path).await.expect(200)["status"], "Running");

    rig.pass(Duration::from_secs(1)).await;
    let posted = rig.webhook.next().await;
    assert_eq!(summary(&posted), "addLargeGalleryViewOperation Completed");
    assert_eq!(posted.notification()["resourceData"]["clientContext"], "lg");
    bot.get(&path).await.expect_error(404, "itemNotFound");
    let roster = rig.next_roster().await;
    let gallery = &roster[2];
    let application = &gallery["info"]["identity"]["application"];
    assert_eq!((&application["ApplicationType"], &application["hidden"]), (&json!("LargeGallery-V2"), &json!(true)));
    let video = &gallery["mediaStreams"][0];
    assert_eq!((&video["mediaType"], &video["direction"]), (&json!("video"), &json!("sendReceive")));
    let metadata: Value = serde_json::from_str(gallery["metadata"].as_str().unwrap()).unwrap();
    let view = &metadata["audienceView"][0];
    assert_eq!((&view["id"], &view["type"]), (&video["sourceId"], &json!("lg")));
    assert!(view["page"].is_number() && view["status"].is_string() && view["aspectRatio"].is_string());
    let faults = check(Version::V1, "participant", Strictness::Reply, gallery);
    assert!(faults.is_empty(), "{faults:?}");

    operation(bot.post(&add, json!({})).await, 202, "addLargeGalleryViewOperation", &call);
    rig.pass(Duration::from_secs(1)).await;
    assert_eq!(rig.told(1).await, ["addLargeGalleryViewOperation Completed"]);
    assert_eq!(rig.service.meeting_view(&meeting.id).unwrap().participants.len(), 3, "there is one gallery at most");
    bot.delete(&path_of(&call)).await.expect(204);
    assert_eq!(rig.service.meeting_view(&meeting.id).unwrap().participants.len(), 1, "only Ann is left");
}

#[tokio::test]
async fn large_gallery_keeps_no_group_call_alive() {
    let rig = Rig::start().await;
    let bot = rig.bot(&["Calls.InitiateGroupCall.All", "Calls.AccessMedia.All"]).await;
    let answers = || Answering::at_once(crate::entra::AnsweringAction::Answer);
    let (pia, tom) = (rig.user("Pia", answers()), rig.user("Tom", answers()));
    let call = bot.call(&[&pia, &tom]).await;
    rig.settle().await;
    let add = format!("{}/addLargeGalleryView", path_of(&call));
    bot.post(&add, json!({})).await.expect(202);
    rig.pass(Duration::from_secs(1)).await;
    let conversation = rig.service.conversation_views().remove(0);
    assert_eq!(conversation.participants.len(), 4);
    for who in conversation
        .participants
        .iter()
        .filter(|who| [&pia, &tom].iter().any(|user| user.display_name == who.display_name))
    {
        rig.service.remove_participant(&conversation.id, &who.participant_id).unwrap();
    }
    bot.get(&path_of(&call)).await.expect_error(404, "8522");
    assert!(rig.service.conversation_views().is_empty());
}
