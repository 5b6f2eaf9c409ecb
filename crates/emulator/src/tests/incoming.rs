//! Calls to a bot: announced, answered, rejected, passed on, forgotten.

use super::*;
use crate::entra::AnsweringAction;
use crate::operations::NewUserCall;

const SECOND: Duration = Duration::from_secs(1);

impl Rig {
    /// A bot with a webhook registered for incoming calls.
    async fn callee(&self, permissions: &[&str]) -> Bot<'_> {
        let bot = self.bot(permissions).await;
        self.service.directory().set_webhook(&bot.app.app_id, Some(self.webhook.url().to_owned())).unwrap();
        bot
    }

    /// A user calls a bot; gives the announced call.
    async fn user_calls(&self, user: &User, bot: &Bot<'_>, change: impl FnOnce(&mut NewUserCall)) -> Value {
        let mut call = NewUserCall {
            app_id: bot.app.app_id.clone(),
            meeting_id: None,
            offer: None,
            modalities: Vec::new(),
            policy_recording: false,
        };
        change(&mut call);
        let view = self.service.call_app(&user.id, call).unwrap();
        let posted = self.webhook.next().await;
        assert_eq!(posted.summary(), "created incoming");
        let incoming = posted.notification()["resourceData"].clone();
        assert_eq!(incoming["id"], view.call_id.as_str());
        assert!(!posted.headers.contains_key("scenario-id"), "the bot has not sent one yet");
        incoming
    }
}

fn answer_body(bot: &Bot<'_>) -> Value {
    json!({
        "callbackUri": bot.rig.webhook.url(),
        "acceptedModalities": ["audio"],
        "mediaConfig": bot.call_body(&[])["mediaConfig"],
        "callOptions": { "@odata.type": "#microsoft.graph.incomingCallOptions", "isDeltaRosterEnabled": true },
    })
}

#[tokio::test]
async fn peer_to_peer_call_to_a_bot_is_announced_in_full_and_established_once_answered() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(JOIN).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    assert_eq!(incoming["state"], "incoming");
    assert_eq!(incoming["direction"], "incoming");
    assert_eq!(incoming["callbackUri"], rig.webhook.url());
    assert_eq!(incoming["source"]["identity"]["user"]["id"], pia.id);
    assert_eq!(incoming["targets"][0]["identity"]["application"]["id"], bot.app.app_id);
    assert_eq!(incoming["requestedModalities"], json!(["audio"]));
    assert_eq!(incoming["tenantId"], bot.app.tenant_id);
    assert!(incoming["myParticipantId"].is_string() && incoming["callChainId"].is_string());
    assert!(incoming["chatInfo"].is_null() && incoming["incomingContext"].is_null());

    let path = path_of(&incoming);
    let answer = bot.post(&format!("{path}/answer"), answer_body(&bot)).await;
    assert_eq!(answer.header("content-type"), "", "no body and no label");
    answer.expect(202);
    let establishing = rig.webhook.next().await;
    assert_eq!(establishing.summary(), "updated establishing");
    assert_eq!(establishing.headers["scenario-id"], "5f0d8f2c-54a5-4d6c-b1f1-3a0c2a4c1e55");
    let blob = establishing.notification()["resourceData"]["mediaConfig"]["blob"].as_str().unwrap();
    assert!(blob.contains("answer to the offer of the bot"), "{blob}");
    bot.connect(&incoming);
    assert_eq!(rig.webhook.next().await.summary(), "updated established");
    bot.post(&format!("{path}/answer"), answer_body(&bot)).await.expect_error(409, "invalidRequest");
    bot.delete(&path).await.expect(204);
    assert_eq!(rig.webhook.summaries(2).await, ["updated terminating", "deleted terminated 200/7000"]);
    assert!(rig.service.conversation_views().is_empty(), "the caller is alone, and gone");
}

#[tokio::test]
async fn bot_has_fifteen_seconds_to_answer_and_a_recorder_five() {
    for (recording, seconds) in [(false, 15), (true, 5)] {
        let rig = Rig::start().await;
        let pia = rig.user("Pia", Answering::default());
        let bot = rig.callee(JOIN).await;
        let incoming = rig.user_calls(&pia, &bot, |call| call.policy_recording = recording).await;
        assert_eq!(incoming["incomingContext"]["observedParticipantId"].is_string(), recording);
        rig.pass((seconds - 1) * SECOND).await;
        assert_eq!(bot.get(&path_of(&incoming)).await.expect(200)["state"], "incoming");
        rig.pass(SECOND).await;
        bot.post(&format!("{}/answer", path_of(&incoming)), answer_body(&bot)).await.expect_error(404, "8522");
        assert_eq!(rig.webhook.next().await.summary(), "deleted terminated 408/10057");
        assert!(rig.service.conversation_views().is_empty());
    }
}

#[tokio::test]
async fn rejected_call_is_deleted_without_a_state() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(&[]).await;
    for body in [json!({ "reason": "busy" }), json!({ "reason": "None" }), json!({}), json!({ "reason": null })] {
        let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
        bot.post(&format!("{}/reject", path_of(&incoming)), body).await.expect(202);
        let gone = rig.webhook.next().await;
        assert_eq!(gone.summary(), "deleted no state");
        assert_eq!(gone.notification()["resourceData"]["id"], incoming["id"]);
        bot.get(&path_of(&incoming)).await.expect_error(404, "8522");
    }
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    let reject = format!("{}/reject", path_of(&incoming));
    bot.post(&reject, json!({ "reason": "tired" })).await.expect_error(400, "invalidRequest");
    assert_eq!(bot.get(&path_of(&incoming)).await.expect(200)["state"], "incoming", "a refusal changes nothing");
}

#[tokio::test]
async fn caller_stays_nameless_to_an_app_without_any_calling_permission() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(&["Calls.ReportSyntheticMedia.All"]).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    let identity = &incoming["source"]["identity"];
    assert!(identity["encrypted"]["id"].is_string(), "{identity}");
    assert!(identity["user"].is_null() && !identity.to_string().contains(&pia.id));
}

#[tokio::test]
async fn bot_invited_into_a_meeting_answers_into_its_roster() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let pia = rig.user("Pia", Answering::default());
    let person = NewPerson { user_id: Some(pia.id.clone()), ..NewPerson::default() };
    rig.service.join_person(&meeting.id, person).unwrap();
    let bot = rig.callee(JOIN).await;
    let incoming = rig.user_calls(&pia, &bot, |call| call.meeting_id = Some(meeting.id.clone())).await;
    assert_eq!(incoming["chatInfo"]["threadId"], meeting.thread_id);
    assert_eq!(incoming["meetingInfo"]["@odata.type"], "#microsoft.graph.tokenMeetingInfo");
    bot.post(&format!("{}/answer", path_of(&incoming)), answer_body(&bot)).await.expect(202);
    bot.connect(&incoming);
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "updated established"]);
    let roster = rig.webhook.next().await;
    let roster = &roster.notification()["resourceData"];
    assert_eq!(roster["@odata.type"], "#microsoft.graph.deltaParticipants", "as the answer's callOptions say");
    assert_eq!((roster["participants"].as_array().unwrap().len(), &roster["sequenceNumber"]), (2, &json!(1)));

    // The token of the announcement joins the same meeting.
    let mut join = bot.join_body(&meeting);
    join["meetingInfo"] = incoming["meetingInfo"].clone();
    join.as_object_mut().unwrap().remove("chatInfo");
    let again = bot.post("/v1.0/communications/calls", join.clone()).await.expect(201);
    assert_eq!(again["chatInfo"]["threadId"], meeting.thread_id);
    join["meetingInfo"]["token"] = json!("nowhere");
    bot.post("/v1.0/communications/calls", join).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn answer_is_checked_before_anything_changes() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(JOIN).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    let path = format!("{}/answer", path_of(&incoming));
    for (member, value, named) in [
        ("mediaConfig", json!(null), "mediaConfig"),
        ("mediaConfig", json!({ "@odata.type": "#microsoft.graph.otherConfig" }), "otherConfig"),
        ("acceptedModalities", json!(null), "acceptedModalities"),
        ("acceptedModalities", json!(["smell"]), "smell"),
        ("callbackUri", json!("ftp://bot"), "callbackUri"),
        ("participantCapacity", json!(0), "participantCapacity"),
    ] {
        let mut body = answer_body(&bot);
        body[member] = value;
        let message = bot.post(&path, body).await.expect_error(400, "invalidRequest");
        assert!(message.contains(named), "{message}");
    }
    let stranger = rig.bot(JOIN).await;
    stranger.post(&path, answer_body(&bot)).await.expect_error(404, "8522");
    assert_eq!(bot.get(&path_of(&incoming)).await.expect(200)["state"], "incoming");

    let without_media = rig.callee(&["Calls.JoinGroupCall.All"]).await;
    let incoming = rig.user_calls(&pia, &without_media, |_| {}).await;
    let path = format!("{}/answer", path_of(&incoming));
    without_media.post(&path, answer_body(&bot)).await.expect_error(403, "7504");
    let mut body = answer_body(&bot);
    body["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" });
    without_media.post(&path, body).await.expect(202);
}

#[tokio::test]
async fn answering_needs_a_role_but_for_peer_to_peer_calls() {
    for strict in [false, true] {
        let rig = Rig::with(|config| config.strict_answer = strict).await;
        let pia = rig.user("Pia", Answering::default());
        let meeting = rig.meeting();
        let person = NewPerson { user_id: Some(pia.id.clone()), ..NewPerson::default() };
        rig.service.join_person(&meeting.id, person).unwrap();
        let bot = rig.callee(&["Calls.AccessMedia.All"]).await;
        let alone = rig.user_calls(&pia, &bot, |_| {}).await;
        let answered = bot.post(&format!("{}/answer", path_of(&alone)), answer_body(&bot)).await;
        assert_eq!(answered.status.as_u16(), if strict { 403 } else { 202 });
        if !strict {
            assert_eq!(rig.webhook.next().await.summary(), "updated establishing");
        }
        let invited = rig.user_calls(&pia, &bot, |call| call.meeting_id = Some(meeting.id.clone())).await;
        bot.post(&format!("{}/answer", path_of(&invited)), answer_body(&bot)).await.expect_error(403, "7504");
    }
}

#[tokio::test]
async fn announcement_that_nobody_takes_ends_the_call() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(JOIN).await;
    rig.webhook.answer_next(&[404]);
    rig.user_calls(&pia, &bot, |_| {}).await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted terminated 480/10037");
    assert!(rig.service.conversation_views().is_empty());
}

#[tokio::test]
async fn announcement_follows_one_redirect_to_another_instance_and_the_rest_goes_there() {
    let rig = Rig::start().await;
    let elsewhere = Webhook::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(JOIN).await;
    rig.webhook.redirect_next(elsewhere.url());
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    assert_eq!(elsewhere.next().await.notification()["resourceData"]["id"], incoming["id"]);
    bot.post(&format!("{}/reject", path_of(&incoming)), json!({})).await.expect(202);
    assert_eq!(elsewhere.next().await.summary(), "deleted no state");
}

#[tokio::test]
async fn redirected_call_rings_everybody_and_the_first_to_answer_talks() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let slow = rig.user("Slow", Answering::at_once(AnsweringAction::Ring));
    let quick = rig.user("Quick", Answering { after_ms: 3000, ..Answering::default() });
    let bot = rig.callee(CALL).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    let target = |user: &User| json!({ "identity": { "user": { "id": user.id } } });
    let body = json!({ "targets": [target(&slow), target(&quick)], "timeout": 20 });
    bot.post(&format!("{}/redirect", path_of(&incoming)), body).await.expect(202);
    assert_eq!(bot.get(&path_of(&incoming)).await.expect(200)["state"], "redirecting");
    assert_eq!(rig.service.ring_views().len(), 2);
    rig.pass(3 * SECOND).await;
    let gone = rig.webhook.next().await;
    assert_eq!(gone.summary(), "deleted terminated 0/0");
    assert_eq!(gone.notification()["resourceData"]["source"]["identity"]["user"]["id"], pia.id);
    assert!(gone.notification()["resourceData"]["targets"].is_array());
    let conversation = rig.service.conversation_views().remove(0);
    let names: Vec<_> = conversation.participants.iter().map(|person| person.display_name.as_str()).collect();
    assert_eq!(names, ["Pia", "Quick"]);
    assert!(rig.service.ring_views().is_empty(), "the others stop ringing");
}

#[tokio::test]
async fn redirect_that_nobody_answers_ends_the_call_for_the_caller_too() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let slow = rig.user("Slow", Answering::at_once(AnsweringAction::Ring));
    let bot = rig.callee(CALL).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    let target = json!({ "identity": { "user": { "id": slow.id } } });
    let redirect = format!("{}/redirect", path_of(&incoming));
    for (timeout, targets) in [(14, 1), (91, 1), (20, 0), (20, 26)] {
        let body = json!({ "targets": vec![target.clone(); targets], "timeout": timeout });
        bot.post(&redirect, body).await.expect_error(400, "invalidRequest");
    }
    bot.post(&redirect, json!({ "targets": [target] })).await.expect(202);
    rig.pass(54 * SECOND).await;
    assert_eq!(rig.service.ring_views().len(), 1, "one target rings for 55 seconds");
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted terminated 408/10057");
    assert!(rig.service.conversation_views().is_empty());
}

#[tokio::test]
async fn caller_who_gives_up_ends_the_announced_call() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(JOIN).await;
    rig.user_calls(&pia, &bot, |_| {}).await;
    let conversation = rig.service.conversation_views().remove(0);
    rig.service.remove_participant(&conversation.id, &conversation.participants[0].participant_id).unwrap();
    assert_eq!(rig.webhook.next().await.summary(), "deleted terminated 200/4097");
}

#[tokio::test]
async fn caller_who_hangs_up_stops_what_a_redirect_rings() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(CALL).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    let targets: Vec<Value> = (0..3)
        .map(|n| rig.user(&format!("U{n}"), Answering::at_once(AnsweringAction::Ring)))
        .map(|user| json!({ "identity": { "user": { "id": user.id } } }))
        .collect();
    bot.post(&format!("{}/redirect", path_of(&incoming)), json!({ "targets": targets })).await.expect(202);
    let conversation = rig.service.conversation_views().remove(0);
    rig.service.remove_participant(&conversation.id, &conversation.participants[0].participant_id).unwrap();
    assert!(rig.service.ring_views().is_empty());
    assert_eq!(rig.webhook.next().await.summary(), "deleted terminated 200/4521");
    assert!(rig.service.conversation_views().is_empty());
}

#[tokio::test]
async fn redirecting_bot_that_gives_up_disappoints_whoever_rang_it() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let quinn = rig.user("Quinn", Answering::at_once(AnsweringAction::Ring));
    let inviter = rig.bot(&["Calls.JoinGroupCall.All", "Calls.InitiateGroupCall.All", "Calls.AccessMedia.All"]).await;
    let call = inviter.join(&meeting).await;
    let invited = rig.callee(CALL).await;
    let body = json!({ "participants": [{ "identity": { "application": { "id": invited.app.app_id } } }] });
    inviter.post(&format!("{}/participants/invite", path_of(&call)), body).await.expect(200);
    let announced = rig.service.ring_views().remove(0).call_id.unwrap();
    let path = format!("/v1.0/communications/calls/{}", announced.as_str());
    let target = json!({ "identity": { "user": { "id": quinn.id } } });
    invited.post(&format!("{path}/redirect"), json!({ "targets": [target] })).await.expect(202);
    assert_eq!(rig.service.ring_views().len(), 1);
    invited.delete(&path).await.expect(204);
    assert!(rig.service.ring_views().is_empty());
    loop {
        let told = rig.webhook.next().await.summary();
        if told.contains("inviteParticipantsOperation") {
            assert_eq!(told, "deleted inviteParticipantsOperation Failed 408/10057");
            return;
        }
    }
}

#[tokio::test]
async fn answered_call_outlives_a_webhook_that_refuses_its_announcement() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.callee(JOIN).await;
    let incoming = rig.user_calls(&pia, &bot, |_| {}).await;
    bot.post(&format!("{}/answer", path_of(&incoming)), answer_body(&bot)).await.expect(202);
    let id = CallId::new(incoming["id"].as_str().unwrap());
    rig.service.change(|world, now| world.unreachable(&id, now));
    bot.connect(&incoming);
    assert_eq!(bot.get(&path_of(&incoming)).await.expect(200)["state"], "established");
}
