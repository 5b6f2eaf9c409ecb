//! What a bot does to others in its conversation: mutes them, takes them out, reports them.

use super::*;
use crate::entra::AnsweringAction;

/// A bot in a meeting with Ann and Ben, everything told so far taken note of.
pub(super) struct Room<'a> {
    pub(super) bot: Bot<'a>,
    pub(super) meeting: MeetingView,
    pub(super) call: Value,
    /// Path of its participants, v1.0.
    pub(super) participants: String,
    pub(super) me: String,
    pub(super) ann: String,
    pub(super) ben: String,
}

pub(super) const ALL_ROLES: &[&str] = &[
    "Calls.JoinGroupCall.All",
    "Calls.InitiateGroupCall.All",
    "Calls.Initiate.All",
    "Calls.AccessMedia.All",
    "Calls.ReportSyntheticMedia.All",
];

pub(super) async fn room(rig: &Rig) -> Room<'_> {
    let meeting = rig.meeting();
    let (ann, ben) = (rig.person(&meeting, "Ann"), rig.person(&meeting, "Ben"));
    let bot = rig.bot(ALL_ROLES).await;
    let call = bot.join(&meeting).await;
    assert_eq!(rig.webhook.summaries(3).await, ["updated establishing", "updated established", "roster"]);
    rig.media.take();
    Room {
        participants: format!("{}/participants", path_of(&call)),
        me: call["myParticipantId"].as_str().unwrap().to_owned(),
        ann: ann.to_string(),
        ben: ben.to_string(),
        meeting,
        call,
        bot,
    }
}

/// The same path in beta.
pub(super) fn beta(path: &str) -> String {
    path.replacen("/v1.0/", "/beta/", 1)
}

/// The entry of a participant in a full roster.
pub(super) fn entry<'a>(roster: &'a Value, id: &str) -> &'a Value {
    roster.as_array().unwrap().iter().find(|entry| entry["id"] == id).unwrap()
}

impl Room<'_> {
    /// The next notification, which must be a roster.
    pub(super) async fn roster(&self) -> Value {
        let posted = self.bot.rig.webhook.next().await;
        assert_eq!(posted.summary(), "roster", "{}", posted.body);
        posted.notification()["resourceData"].clone()
    }

    /// A peer-to-peer call of the same bot, established.
    pub(super) async fn call_to(&self, user: &User) -> Value {
        let call = self.bot.call(&[user]).await;
        self.bot.rig.settle().await;
        assert_eq!(self.bot.rig.webhook.summaries(2).await, ["updated establishing", "updated established"]);
        call
    }
}

/// A guest in the lobby of a meeting of its own, and the path of its call.
pub(super) async fn guest_in_lobby(rig: &Rig) -> (Bot<'_>, String) {
    let meeting = rig.service.create_meeting(NewMeeting { lobby: true, ..NewMeeting::default() }).unwrap();
    let guest = rig.bot(ALL_ROLES).await;
    let mut body = guest.join_body(&meeting);
    let id = "5e0e8f1a-7d4f-4e09-a1a6-6f3c4e0c2a11";
    body["source"] = json!({ "identity": { "guest": { "id": id, "displayName": "Guest" } } });
    let call = guest.post("/v1.0/communications/calls", body).await.expect(201);
    guest.connect(&call);
    let path = path_of(&call);
    assert_eq!(guest.get(&path).await.expect(200)["state"], "establishing");
    (guest, path)
}

/// Asserts the refusals that every action on participants has in common. `action` is below the call, `{p}` stands for a
/// participant's id.
pub(super) async fn assert_common_refusals(rig: &Rig, version: &str, action: &str, body: Option<Value>) {
    let room = room(rig).await;
    let method = if body.is_some() { Method::POST } else { Method::DELETE };
    let at = |call: &str, participant: &str| {
        format!("{}/{action}", call.replacen("/v1.0/", version, 1)).replace("{p}", participant)
    };
    let call = path_of(&room.call);
    if action.contains("{p}") {
        let nobody = at(&call, "0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10");
        let message = room.bot.request(method.clone(), &nobody, body.as_ref()).await.expect_error(404, "itemNotFound");
        assert_eq!(message, "Participant not found");
    }
    let stranger = rig.bot(ALL_ROLES).await;
    stranger.request(method.clone(), &at(&call, &room.ann), body.as_ref()).await.expect_error(404, "8522");

    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let alone = path_of(&room.call_to(&pia).await);
    let message = room
        .bot
        .request(method.clone(), &at(&alone, &room.ann), body.as_ref())
        .await
        .expect_error(400, "invalidRequest");
    assert!(message.contains("peer-to-peer"), "{message}");

    let (guest, waiting) = guest_in_lobby(rig).await;
    guest.request(method.clone(), &at(&waiting, &room.ann), body.as_ref()).await.expect_error(409, "invalidRequest");
    assert!(rig.media.take().iter().all(|line| !line.starts_with("mute") && !line.starts_with("leave")));
    room.bot.delete(&call).await.expect(204);
    room.bot.request(method, &at(&call, &room.ann), body.as_ref()).await.expect_error(404, "8522");
}

#[tokio::test]
async fn muted_participant_is_silent_at_once_and_rosters_show_it() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let path = format!("{}/{}/mute", room.participants, room.ann.to_uppercase().replace('-', ""));
    let answer = room.bot.post(&path, json!({ "clientContext": "sh" })).await;
    let location = answer.header("location").to_owned();
    let operation = answer.expect(200);
    assert_eq!(operation["@odata.type"], "#microsoft.graph.muteParticipantOperation");
    assert_eq!((&operation["status"], &operation["clientContext"]), (&json!("Completed"), &json!("sh")));
    let id = operation["id"].as_str().unwrap();
    assert_eq!(location, format!("https://localhost:8443{}/operations/{id}", path_of(&room.call)));
    assert_eq!(rig.media.take(), [format!("mute {} true", room.ann)], "named as the conversation spells it");
    let roster = room.roster().await;
    assert_eq!(entry(&roster, &room.ann)["isMuted"], true);
    assert_eq!(entry(&roster, &room.ann)["mediaStreams"][0]["serverMuted"], true);
    assert_eq!(entry(&roster, &room.ben)["isMuted"], false);
    // Final when it was answered: nothing more is told of it.
    rig.person(&room.meeting, "Cleo");
    room.roster().await;
}

#[tokio::test]
async fn muting_has_the_refusals_of_roster_actions() {
    let rig = Rig::start().await;
    assert_common_refusals(&rig, "/v1.0/", "participants/{p}/mute", Some(json!({}))).await;
}

#[tokio::test]
async fn client_context_has_at_most_256_characters_everywhere() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let people = json!([room.ann]);
    for (action, mut body, fits) in [
        (format!("{}/mute", room.ann), json!({}), 200),
        ("muteAll".to_owned(), json!({ "participants": people }), 200),
        (format!("{}/startHoldMusic", room.ann), json!({}), 202),
        ("configureMixer".to_owned(), json!({ "participantMixerLevels": [{ "participant": room.ann }] }), 200),
        ("invite".to_owned(), json!({ "participants": [{ "identity": { "user": { "id": "x" } } }] }), 200),
    ] {
        let path = format!("{}/{action}", beta(&room.participants));
        body["clientContext"] = json!("ü".repeat(257));
        let message = room.bot.post(&path, body.clone()).await.expect_error(400, "invalidRequest");
        assert!(message.contains("clientContext"), "{message}");
        body["clientContext"] = json!("ü".repeat(256));
        let operation = room.bot.post(&path, body.clone()).await.expect(fits);
        assert_eq!(operation["clientContext"], body["clientContext"], "{action}");
    }
    rig.pass(Duration::from_secs(1)).await;
    let path = format!("{}/{}/stopHoldMusic", room.participants, room.ann);
    let body = json!({ "clientContext": "x".repeat(257) });
    let message = room.bot.post(&path, body).await.expect_error(400, "invalidRequest");
    assert!(message.contains("clientContext"), "{message}");
}

#[tokio::test]
async fn several_are_muted_in_one_operation_and_one_roster_on_beta_only() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let body = json!({ "participants": [room.ann, room.ben, room.ann], "clientContext": "all" });
    let path = format!("{}/muteAll", beta(&room.participants));
    let answer = room.bot.post(&path, body.clone()).await;
    assert!(answer.header("location").starts_with("https://localhost:8443/beta/communications/calls/"));
    let operation = answer.expect(200);
    assert_eq!(operation["@odata.type"], "#microsoft.graph.muteParticipantsOperation");
    assert_eq!((&operation["status"], &operation["clientContext"]), (&json!("Completed"), &json!("all")));
    assert_eq!(operation["participants"], json!([room.ann, room.ben]));
    assert_eq!(rig.media.take(), [format!("mute {} true", room.ann), format!("mute {} true", room.ben)]);
    let roster = room.roster().await;
    assert!(roster.as_array().unwrap().iter().all(|entry| (entry["isMuted"] == true) == (entry["id"] != room.me)));

    for (body, member) in [
        (json!({ "participants": [] }), "participants"),
        (json!({}), "participants"),
        (json!({ "participants": null }), "participants"),
        (json!({ "participants": "x" }), "participants"),
        (json!({ "participants": [room.ann, 7] }), "participants[1]"),
    ] {
        let message = room.bot.post(&path, body).await.expect_error(400, "invalidRequest");
        assert!(message.contains(member), "{message}");
    }
    let body = json!({ "participants": [room.me, "nobody"] });
    let message = room.bot.post(&path, body.clone()).await.expect_error(404, "itemNotFound");
    assert!(message.contains("participants[1]"), "{message}");
    assert!(rig.media.take().is_empty(), "a refusal mutes nobody");

    let refused = room.bot.post(&format!("{}/muteAll", room.participants), body).await;
    assert!(matches!(refused.status.as_u16(), 404 | 405), "v1.0 does not have it: {}", refused.status);
    let rig = Rig::start().await;
    let body = json!({ "participants": ["somebody"] });
    assert_common_refusals(&rig, "/beta/", "participants/muteAll", Some(body)).await;
}

#[tokio::test]
async fn delta_roster_names_each_muted_participant_once() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let (ann, ben) = (rig.person(&meeting, "Ann"), rig.person(&meeting, "Ben"));
    let bot = rig.bot(ALL_ROLES).await;
    let mut body = bot.join_body(&meeting);
    body["callOptions"] =
        json!({ "isDeltaRosterEnabled": true, "@odata.type": "#microsoft.graph.outgoingCallOptions" });
    let call = bot.post("/beta/communications/calls", body).await.expect(201);
    bot.connect(&call);
    assert_eq!(rig.webhook.summaries(3).await, ["updated establishing", "updated established", "roster"]);
    let path = format!("{}/participants/muteAll", beta(&path_of(&call)));
    bot.post(&path, json!({ "participants": [ann.as_str(), ben.as_str()] })).await.expect(200);
    let delta = rig.webhook.next().await.notification()["resourceData"].clone();
    assert_eq!(delta["sequenceNumber"], 2);
    let ids: Vec<&str> = delta["participants"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [ann.as_str(), ben.as_str()]);
}

#[tokio::test]
async fn removed_person_is_gone_for_everybody() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    room.bot.delete(&format!("{}/{}", room.participants, room.ann)).await.expect(204);
    assert_eq!(rig.media.take(), [format!("leave {}", room.ann)]);
    let roster = room.roster().await;
    let ids: Vec<&Value> = roster.as_array().unwrap().iter().map(|entry| &entry["id"]).collect();
    assert_eq!(ids, [&json!(room.ben), &json!(room.me)]);
    room.bot.delete(&format!("{}/{}", room.participants, room.ann)).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn removed_bot_is_told_that_it_was_and_a_bot_that_removes_itself_hangs_up() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let other = rig.bot(ALL_ROLES).await;
    let call = other.join(&room.meeting).await;
    assert_eq!(
        rig.webhook.summaries(4).await.iter().filter(|told| *told == "roster").count(),
        2,
        "the other's first and the first's change"
    );
    let it = call["myParticipantId"].as_str().unwrap();
    room.bot.delete(&format!("{}/{it}", room.participants)).await.expect(204);
    let mut told = rig.webhook.summaries(2).await;
    told.sort();
    assert_eq!(told, ["deleted terminated 200/5000", "roster"]);
    other.get(&path_of(&call)).await.expect_error(404, "8522");

    room.bot.delete(&format!("{}/{}", room.participants, room.me)).await.expect(204);
    assert_eq!(rig.webhook.summaries(2).await, ["updated terminating", "deleted terminated 200/7000"]);
}

#[tokio::test]
async fn removing_has_the_refusals_of_roster_actions() {
    let rig = Rig::start().await;
    assert_common_refusals(&rig, "/v1.0/", "participants/{p}", None).await;
}

#[tokio::test]
async fn tenant_restricts_which_applications_remove_participants() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let tenant = rig.service.directory().first_tenant().to_owned();
    let settings = format!("/emulator/tenants/{tenant}/settings");
    let path = format!("{}/{}", room.participants, room.ann);
    let shown = rig.admin(Method::GET, &settings, None).await.expect(200);
    assert_eq!(shown["allowRemoveParticipantAppIds"], Value::Null, "all may");

    for apps in [json!([]), json!(["0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10"])] {
        let body = json!({ "allowRemoveParticipantAppIds": apps });
        rig.admin(Method::PUT, &settings, Some(body)).await.expect(200);
        let message = room.bot.delete(&path).await.expect_error(403, "Forbidden");
        assert!(message.contains("AllowRemoveParticipantAppIds"), "{message}");
    }
    let body = json!({ "allowRemoveParticipantAppIds": ["nonsense"] });
    rig.admin(Method::PUT, &settings, Some(body)).await.expect(400);
    rig.admin(Method::GET, "/emulator/tenants/0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10/settings", None).await.expect(404);
    let body = json!({ "allowRemoveParticipantAppIds": [room.bot.app.app_id.to_uppercase()] });
    rig.admin(Method::PUT, &settings, Some(body)).await.expect(200);
    room.bot.delete(&path).await.expect(204);
}

#[tokio::test]
async fn last_report_of_synthetic_media_is_what_beta_shows() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let watcher = rig.bot(ALL_ROLES).await;
    let call = watcher.post("/beta/communications/calls", watcher.join_body(&room.meeting)).await.expect(201);
    watcher.connect(&call);
    rig.webhook.summaries(4).await;
    let path = format!("{}/{}/reportSyntheticMedia", beta(&room.participants), room.ann);
    for (id, confidence) in
        [("4e3c9f52-64f1-4a0e-8a54-0d1c0b7c5b01", 0.25), ("4e3c9f52-64f1-4a0e-8a54-0d1c0b7c5b02", 0.75)]
    {
        let body = json!({
            "id": id, "detectionDateTime": "2026-03-01T10:11:12.123Z", "isMalicious": true,
            "overallConfidence": confidence, "severity": "high",
            "detections": [{ "modality": "audio", "confidence": 1, "modelName": "m", "modelTasks": ["voice"],
                             "segment": { "startTimeSec": 1, "endTimeSec": 3 } }],
            "contentMetadata": { "modality": "audio", "mimeType": "audio/opus", "isRealTime": true },
        });
        let answer = room.bot.post(&path, body).await;
        assert!(answer.body.is_null());
        answer.expect(204);
        for _ in 0..2 {
            let posted = rig.webhook.next().await;
            let notification = posted.notification();
            let shown = &entry(&notification["resourceData"], &room.ann)["syntheticMediaDetection"];
            if notification["resourceUrl"].as_str().unwrap().contains(call["id"].as_str().unwrap()) {
                assert_eq!(shown["detectionId"], id);
                assert_eq!(shown["detectorBot"], room.bot.app.app_id);
                assert_eq!(shown["syntheticConfidence"], confidence);
            } else {
                assert!(shown.is_null(), "v1.0 declares no such member: {shown}");
            }
        }
    }
    let ann = format!("{}/{}", room.participants, room.ann);
    assert!(room.bot.get(&ann).await.expect(200)["syntheticMediaDetection"].is_null());
    assert_eq!(room.bot.get(&beta(&ann)).await.expect(200)["syntheticMediaDetection"]["syntheticConfidence"], 0.75);
    let list = room.bot.get(&beta(&room.participants)).await.expect(200);
    assert!(entry(&list["value"], &room.ben)["syntheticMediaDetection"].is_null());
}

#[tokio::test]
async fn malformed_report_names_its_member_and_is_forgotten() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let ann = format!("{}/{}", beta(&room.participants), room.ann);
    let path = format!("{ann}/reportSyntheticMedia");
    for (body, member) in [
        (json!({ "id": "x" }), "id"),
        (json!({ "detectionDateTime": "yesterday" }), "detectionDateTime"),
        (json!({ "isMalicious": "yes" }), "isMalicious"),
        (json!({ "overallConfidence": 1.5 }), "overallConfidence"),
        (json!({ "severity": "fatal" }), "severity"),
        (json!({ "detections": [{}, { "confidence": -0.1 }] }), "detections[1].confidence"),
        (json!({ "detections": [{ "modality": "smell" }] }), "detections[0].modality"),
        (json!({ "detections": [{ "segment": { "startTimeSec": -1 } }] }), "detections[0].segment.startTimeSec"),
        (
            json!({ "detections": [{ "segment": { "startTimeSec": 2, "endTimeSec": 1 } }] }),
            "detections[0].segment.endTimeSec",
        ),
        (json!({ "contentMetadata": { "byteSize": "big" } }), "contentMetadata.byteSize"),
    ] {
        let answer = room.bot.post(&path, body).await;
        assert_eq!(answer.body["error"]["target"], member, "{}", answer.body);
        answer.expect_error(400, "invalidRequest");
    }
    assert!(room.bot.get(&ann).await.expect(200)["syntheticMediaDetection"].is_null());
    let refused = room.bot.post(&path.replacen("/beta/", "/v1.0/", 1), json!({})).await;
    refused.expect_error(404, "ResourceNotFound");
    let rig = Rig::start().await;
    let action = "participants/{p}/reportSyntheticMedia";
    assert_common_refusals(&rig, "/beta/", action, Some(json!({ "overallConfidence": 1 }))).await;
}
