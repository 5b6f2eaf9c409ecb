//! Creating calls: what is accepted, what is refused, and in which order.

use super::*;

#[tokio::test]
async fn join_by_organizer_answers_201_with_ids_location_and_the_media_answer() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let answer = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await;
    let location = answer.header("location").to_owned();
    let call = answer.expect(201);
    let id = call["id"].as_str().unwrap();
    assert_eq!(location, format!("https://localhost:8443/v1.0/communications/calls/{id}"));
    assert_eq!(call["@odata.type"], "#microsoft.graph.call");
    assert_eq!(call["@odata.context"], "https://localhost:8443/v1.0/$metadata#communications/calls/$entity");
    assert_eq!(call["state"], "establishing");
    assert_eq!(call["direction"], "outgoing");
    assert_eq!(call["targets"], json!([]));
    assert_eq!(call["source"]["identity"]["application"]["id"], bot.app.app_id);
    assert_eq!(call["source"]["identity"]["application"]["displayName"], "Bot");
    assert_eq!(call["chatInfo"]["threadId"], meeting.thread_id);
    assert!(call["callChainId"].is_string() && call["myParticipantId"].is_string());
    assert_eq!(call["mediaConfig"]["@odata.type"], "#microsoft.graph.appHostedMediaConfig");
    let blob: Value = serde_json::from_str(call["mediaConfig"]["blob"].as_str().unwrap()).unwrap();
    assert_eq!(blob["antiphon"]["type"], "answer");
    assert_eq!(blob["antiphon"]["sdp"], "answer to the offer of the bot");

    let mine = call["myParticipantId"].as_str().unwrap();
    assert_eq!(rig.media.take(), [format!("answer {mine} default=true muted=false")]);
}

#[tokio::test]
async fn join_by_meeting_id_needs_the_right_passcode() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let body = |passcode: Value| {
        let mut body = bot.join_body(&meeting);
        body.as_object_mut().unwrap().remove("chatInfo");
        body["meetingInfo"] = json!({
            "@odata.type": "microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": meeting.join_meeting_id, "passcode": passcode,
        });
        body
    };
    let calls = "/v1.0/communications/calls";
    bot.post(calls, body(json!("wrong"))).await.expect_error(403, "Forbidden");
    bot.post(calls, body(Value::Null)).await.expect_error(403, "Forbidden");
    let call = bot.post(calls, body(json!(meeting.passcode))).await.expect(201);
    assert_eq!(call["chatInfo"]["threadId"], meeting.thread_id, "the reply tells the chat of the meeting");
}

#[tokio::test]
async fn both_families_and_versions_lead_to_the_same_calls() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    for path in ["/v1.0/app/calls", "/beta/communications/calls", "/BETA/App/CALLS/"] {
        let answer = bot.post(path, bot.join_body(&meeting)).await;
        let location = answer.header("location").to_owned();
        let call = answer.expect(201);
        assert!(location.contains("/communications/calls/"), "{location}");
        bot.get(&path_of(&call)).await.expect(200);
        let bare = call["id"].as_str().unwrap().replace('-', "").to_uppercase();
        bot.get(&format!("/v1.0/app/calls/{bare}")).await.expect(200);
    }
}

#[tokio::test]
async fn malformed_requests_are_refused_before_permissions_are_looked_at() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(&[]).await; // no permission at all: every refusal below comes earlier than that of roles
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut body = bot.join_body(&meeting);
        change(&mut body);
        body
    };
    let target = json!({ "identity": { "user": { "id": "u" } } });
    for (what, body) in [
        ("callbackUri", edit(&|body| drop(body.as_object_mut().unwrap().remove("callbackUri")))),
        ("callbackUri", edit(&|body| body["callbackUri"] = json!("/relative"))),
        ("callChainId", edit(&|body| body["callChainId"] = json!("a\u{1}b"))),
        ("callbackUri", edit(&|body| body["callbackUri"] = json!("ftp://bot.test/"))),
        ("mediaConfig", edit(&|body| body["mediaConfig"] = Value::Null)),
        ("@odata.type", edit(&|body| drop(body["mediaConfig"].as_object_mut().unwrap().remove("@odata.type")))),
        ("robotHosted", edit(&|body| body["mediaConfig"]["@odata.type"] = json!("#microsoft.graph.robotHosted"))),
        ("modality", edit(&|body| body["requestedModalities"] = json!([]))),
        ("smell", edit(&|body| body["requestedModalities"] = json!(["audio", "smell"]))),
        ("targets", edit(&|body| drop(body.as_object_mut().unwrap().remove("meetingInfo")))),
        ("exclude", edit(&|body| body["targets"] = json!([target]))),
        (
            "At most 5",
            edit(&|body| {
                body["targets"] = json!([target, target, target, target, target, target]);
                body["meetingInfo"] = Value::Null;
            }),
        ),
        ("threadId", edit(&|body| body["chatInfo"] = Value::Null)),
        ("organizer", edit(&|body| body["meetingInfo"]["organizer"] = json!({}))),
        ("seanceInfo", edit(&|body| body["meetingInfo"]["@odata.type"] = json!("#microsoft.graph.seanceInfo"))),
        ("payload", edit(&|body| body["requestedModalities"] = json!("audio"))),
    ] {
        let message = bot.post("/v1.0/communications/calls", body).await.expect_error(400, "invalidRequest");
        assert!(message.contains(what), "{what}: {message}");
    }
    assert!(rig.media.take().is_empty());
    bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect_error(403, "7504");
}

#[tokio::test]
async fn http_callback_is_refused_without_the_development_switch() {
    let rig = Rig::with(|config| config.allow_http_callbacks = false).await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let refused = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await;
    refused.expect_error(400, "invalidRequest");
}

#[tokio::test]
async fn permission_then_media_permission_then_tenant_are_checked() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let calls = "/v1.0/communications/calls";

    let other = rig.bot(&["Calls.Initiate.All", "Calls.AccessMedia.All"]).await;
    let message = other.post(calls, other.join_body(&meeting)).await.expect_error(403, "7504");
    assert!(message.contains("Calls.JoinGroupCall.All"), "{message}");

    let no_media = rig.bot(&["Calls.JoinGroupCall.All"]).await;
    let mut foreign_tenant = no_media.join_body(&meeting);
    foreign_tenant["tenantId"] = json!("0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10");
    let message = no_media.post(calls, foreign_tenant).await.expect_error(403, "7504");
    assert!(message.contains("Calls.AccessMedia.All"), "{message}");
    let mut service_hosted = no_media.join_body(&meeting);
    service_hosted["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" });
    no_media.post(calls, service_hosted).await.expect(201);

    let bot = rig.bot(JOIN).await;
    for tenant in [json!("0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10"), Value::Null] {
        let mut body = bot.join_body(&meeting);
        body["tenantId"] = tenant;
        bot.post(calls, body).await.expect_error(403, "7505");
    }
}

#[tokio::test]
async fn token_of_another_tenant_cannot_join_this_tenants_meeting() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let mut bot = rig.bot(JOIN).await;
    let other = rig.service.directory().add_tenant(None).unwrap();
    let consent = Consent { tenant_id: Some(other.clone()), permissions: None };
    rig.service.directory().consent(&bot.app.app_id, consent).unwrap();
    bot.token = rig.token_for(&bot.app, &other).await;
    let mut body = bot.join_body(&meeting);
    bot.post("/v1.0/communications/calls", body.clone()).await.expect_error(403, "7505");
    body["tenantId"] = json!(other);
    bot.post("/v1.0/communications/calls", body).await.expect_error(403, "7505");
}

#[tokio::test]
async fn app_without_calling_registration_is_refused_as_7503() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.service.directory().remove_app(&bot.app.app_id).unwrap();
    bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect_error(403, "7503");
}

#[tokio::test]
async fn unknown_meeting_and_wrong_organizer_are_404() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["chatInfo"]["threadId"] = json!("19:meeting_other@thread.v2");
    bot.post("/v1.0/communications/calls", body).await.expect_error(404, "itemNotFound");
    let mut body = bot.join_body(&meeting);
    body["meetingInfo"]["organizer"]["user"]["id"] = json!("0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10");
    bot.post("/v1.0/communications/calls", body).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn blob_of_another_make_lives_a_full_life_without_media() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["mediaConfig"]["blob"] = json!("<Media Session Configuration>");
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    assert_eq!(call["mediaConfig"]["blob"], "<Media Session Configuration>");
    assert!(rig.media.take().is_empty());
    let now = bot.get(&path_of(&call)).await.expect(200);
    assert_eq!(now["state"], "established");
    assert_eq!(now["mediaState"]["audio"], "inactive");
    assert_eq!(rig.webhook.summaries(3).await, ["updated establishing", "updated established", "roster"]);
    bot.delete(&path_of(&call)).await.expect(204);
    assert_eq!(rig.webhook.summaries(2).await, ["updated terminating", "deleted terminated 200/7000"]);
}

#[tokio::test]
async fn strict_switch_refuses_a_blob_of_another_make() {
    let rig = Rig::with(|config| config.strict_blob = true).await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["mediaConfig"]["blob"] = json!("<Media Session Configuration>");
    let message = bot.post("/v1.0/communications/calls", body).await.expect_error(400, "invalidRequest");
    assert!(message.contains("not JSON"), "{message}");
}

#[tokio::test]
async fn offer_the_engine_cannot_answer_is_400_and_leaves_nothing_behind() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    for sdp in
        [json!({ "version": 1, "type": "offer", "sdp": "bad" }), json!({ "version": 1, "type": "answer", "sdp": "x" })]
    {
        let mut body = bot.join_body(&meeting);
        body["mediaConfig"]["blob"] = json!(json!({ "antiphon": sdp }).to_string());
        bot.post("/v1.0/communications/calls", body).await.expect_error(400, "invalidRequest");
    }
    assert!(rig.service.call_views().is_empty());
    assert!(rig.service.meeting_view(&meeting.id).unwrap().participants.is_empty());
}

#[tokio::test]
async fn bot_can_join_outside_the_default_group() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["mediaConfig"]["removeFromDefaultAudioGroup"] = json!(true);
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    let mine = call["myParticipantId"].as_str().unwrap();
    assert_eq!(rig.media.take(), [format!("answer {mine} default=false muted=false")]);
}

#[tokio::test]
async fn full_meeting_and_too_many_calls_are_refused() {
    let rig = Rig::with(|config| {
        config.limits.participants = 3;
        config.limits.calls_per_app = 2;
    })
    .await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    bot.join(&meeting).await;
    bot.join(&meeting).await;
    let answer = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await;
    assert_eq!(answer.header("retry-after"), "10");
    answer.expect_error(429, "TooManyRequests");
    rig.person(&meeting, "Ann");
    let second = rig.bot(JOIN).await;
    let message =
        second.post("/v1.0/communications/calls", second.join_body(&meeting)).await.expect_error(403, "Forbidden");
    assert!(message.contains("full"), "{message}");
}
