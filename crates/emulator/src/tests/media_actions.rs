//! Media by the service: prompts, responses, keys. A nominal time each, one after the other.

use super::own_leg::{operation, summary};
use super::*;
use crate::operations::KeyPresses;

const SECOND: Duration = Duration::from_secs(1);

impl Bot<'_> {
    /// Joins with media of the service; everything it was told is read.
    async fn join_hosted(&self, meeting: &MeetingView) -> Value {
        let mut body = self.join_body(meeting);
        body["mediaConfig"] =
            json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": [] });
        let call = self.post("/v1.0/communications/calls", body).await.expect(201);
        assert_eq!(self.rig.told(3).await, ["updated establishing", "updated established", "roster"]);
        call
    }
}

impl Rig {
    fn press(&self, meeting: &MeetingView, who: &ParticipantId, keys: &[&str]) {
        let tones = keys.iter().map(|key| (*key).into()).collect();
        self.service.press_keys(&meeting.id, who, &KeyPresses { tones }).unwrap();
    }
}

fn prompt(uri: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": { "@odata.type": "#microsoft.graph.mediaInfo", "uri": uri, "resourceId": "r" },
    })
}

fn prompts(count: usize) -> Value {
    json!({ "prompts": vec![prompt("https://cdn.contoso.com/beep.wav"); count], "clientContext": "prompts" })
}

#[tokio::test]
async fn prompts_are_queued_and_complete_in_turn() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join_hosted(&meeting).await;
    let play = format!("{}/playPrompt", path_of(&call));
    let first = operation(bot.post(&play, prompts(2)).await, 200, "playPromptOperation", &call);
    assert_eq!((&first["status"], &first["clientContext"]), (&json!("Running"), &json!("prompts")));
    let plain = json!({ "prompts": [prompt("http://127.0.0.1:1/a.wav")] }); // by the development switch
    let second = operation(bot.post(&play, plain).await, 200, "playPromptOperation", &call);

    rig.pass(SECOND * 2).await;
    let posted = rig.webhook.next().await;
    assert_eq!(summary(&posted), "playPromptOperation Completed 200/0");
    let ended = &posted.notification()["resourceData"];
    assert_eq!(ended["id"], first["id"]);
    assert_eq!(ended["resultInfo"]["message"], "Action completed successfully.");
    assert_eq!(ended["completionReason"], "completedSuccessfully");
    let running = bot.get(&format!("{}/operations", path_of(&call))).await.expect(200);
    assert_eq!(running["value"].as_array().unwrap().len(), 1);
    assert_eq!(running["value"][0]["id"], second["id"], "the second began when the first had ended");
    rig.pass(SECOND).await;
    assert_eq!(rig.told(1).await, ["playPromptOperation Completed 200/0"]);
}

#[tokio::test]
async fn cancelling_fails_what_plays_records_and_waits_before_it_is_answered() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let ann = rig.person(&meeting, "Ann");
    let call = bot.join_hosted(&meeting).await;
    let path = path_of(&call);
    bot.post(&format!("{path}/playPrompt"), prompts(1)).await.expect(200);
    bot.post(&format!("{path}/recordResponse"), json!({})).await.expect(200);
    bot.post(&format!("{path}/sendDtmfTones"), json!({ "tones": ["tone1"] })).await.expect(200);
    bot.post(&format!("{path}/subscribeToTone"), json!({})).await.expect(200);
    let answer = bot.post(&format!("{path}/cancelMediaProcessing"), json!({ "clientContext": "stop" })).await;
    let cancelling = operation(answer, 200, "cancelMediaProcessingOperation", &call);
    assert_eq!((&cancelling["status"], &cancelling["clientContext"]), (&json!("Completed"), &json!("stop")));
    for (kind, reason) in [("playPromptOperation", "mediaOperationCanceled"), ("recordOperation", "operationCanceled")]
    {
        let posted = rig.webhook.next().await;
        assert_eq!(summary(&posted), format!("{kind} Failed 400/8508"));
        assert_eq!(posted.notification()["resourceData"]["completionReason"], reason);
    }
    rig.pass(SECOND * 10).await;
    assert_eq!(rig.told(1).await, ["sendDtmfTonesOperation Completed"], "keys are no media operation");
    rig.press(&meeting, &ann, &["tone1"]);
    assert_eq!(rig.told(1).await, ["updated established"], "the subscription to tones goes on");
}

#[tokio::test]
async fn response_is_recorded_for_its_longest_duration_after_the_prompt() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join_hosted(&meeting).await;
    let body = json!({
        "prompts": [prompt("https://cdn.contoso.com/beep.wav")], "bargeInAllowed": false, "playBeep": true,
        "initialSilenceTimeoutInSeconds": 1, "maxSilenceTimeoutInSeconds": 120, "maxRecordDurationInSeconds": 10,
        "stopTones": ["#", "1", "*", "D"], "clientContext": "rec", "streamWhileRecording": true,
    });
    for (at, family) in [("/recordResponse", "/v1.0/communications"), ("/record", "/beta/app")] {
        let path = path_of(&call).replace("/v1.0/communications", family);
        let begun = operation(bot.post(&format!("{path}{at}"), body.clone()).await, 200, "recordOperation", &call);
        assert_eq!(begun["status"], "Running");
        assert_eq!((&begun["recordingLocation"], &begun["recordingAccessToken"]), (&Value::Null, &Value::Null));
        rig.pass(SECOND * 10).await;
        bot.get(&format!("{path}/operations/{}", begun["id"].as_str().unwrap())).await.expect(200);
        rig.pass(SECOND).await;
        let posted = rig.webhook.next().await;
        assert_eq!(summary(&posted), "recordOperation Completed 200/8515");
        let ended = &posted.notification()["resourceData"];
        assert_eq!(
            (&ended["clientContext"], &ended["completionReason"]),
            (&json!("rec"), &json!("maxRecordDurationReached"))
        );
    }
    bot.post(&format!("{}/record", path_of(&call)), body).await.expect_error(404, "ResourceNotFound");
}

#[tokio::test]
async fn barging_in_cancels_what_is_played_and_records_at_once() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join_hosted(&meeting).await;
    bot.post(&format!("{}/playPrompt", path_of(&call)), prompts(20)).await.expect(200);
    let record = format!("{}/recordResponse", path_of(&call));
    bot.post(&record, json!({ "bargeInAllowed": true })).await.expect(200);
    assert_eq!(rig.told(1).await, ["playPromptOperation Failed 400/8508"]);
    rig.pass(SECOND * 5).await;
    assert_eq!(rig.told(1).await, ["recordOperation Completed 200/8515"], "five seconds unless said otherwise");
}

#[tokio::test]
async fn looped_prompt_plays_until_it_is_cancelled_in_beta_only() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join_hosted(&meeting).await;
    let mut body = prompts(1);
    body["loop"] = json!(true);
    bot.post(&format!("{}/playPrompt", path_of(&call)), body.clone()).await.expect(200);
    rig.pass(SECOND).await;
    assert_eq!(rig.told(1).await, ["playPromptOperation Completed 200/0"]);

    let beta = path_of(&call).replace("v1.0", "beta");
    bot.post(&format!("{beta}/playPrompt"), body.clone()).await.expect(200);
    bot.post(&format!("{beta}/playPrompt"), prompts(1)).await.expect(200);
    rig.pass(SECOND * 600).await;
    assert_eq!(bot.get(&format!("{beta}/operations")).await.expect(200)["value"].as_array().unwrap().len(), 2);
    bot.post(&format!("{beta}/cancelMediaProcessing"), json!({})).await.expect(200);
    assert_eq!(rig.told(2).await, ["playPromptOperation Failed 400/8508"; 2]);

    body = prompts(1);
    body["prompts"][0]["loop"] = json!(3);
    bot.post(&format!("{beta}/playPrompt"), body).await.expect(200);
    rig.pass(SECOND * 2).await;
    assert_eq!(bot.get(&format!("{beta}/operations")).await.expect(200)["value"][1]["status"], "Running");
    rig.pass(SECOND).await;
    assert_eq!(rig.told(1).await, ["playPromptOperation Completed 200/0"]);
}

#[tokio::test]
async fn keys_are_pressed_one_after_the_other_whoever_hosts_the_media() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await; // media of the app
    rig.told(3).await;
    let send = format!("{}/sendDtmfTones", path_of(&call));
    // Three keys of 100 ms, two pauses of 350 ms: one second; then one key.
    let keys = json!({ "tones": ["tone1", "STAR", "pound"], "delayBetweenTonesMs": 350, "clientContext": "keys" });
    let first = operation(bot.post(&send, keys).await, 200, "sendDtmfTonesOperation", &call);
    assert_eq!((&first["status"], &first["clientContext"]), (&json!("Running"), &json!("keys")));
    operation(bot.post(&send, json!({ "tones": ["flash"] })).await, 200, "sendDtmfTonesOperation", &call);
    rig.pass(Duration::from_millis(999)).await;
    assert_eq!(
        bot.get(&format!("{}/operations", path_of(&call))).await.expect(200)["value"].as_array().unwrap().len(),
        2
    );
    rig.pass(Duration::from_millis(1)).await;
    let posted = rig.webhook.next().await;
    assert_eq!(summary(&posted), "sendDtmfTonesOperation Completed");
    let ended = &posted.notification()["resourceData"];
    assert_eq!((&ended["id"], &ended["completionReason"]), (&first["id"], &json!("completedSuccessfully")));
    rig.pass(Duration::from_millis(99)).await;
    assert_eq!(
        bot.get(&format!("{}/operations", path_of(&call))).await.expect(200)["value"].as_array().unwrap().len(),
        1
    );
    rig.pass(Duration::from_millis(1)).await;
    assert_eq!(rig.told(1).await, ["sendDtmfTonesOperation Completed"]);
}

#[tokio::test]
async fn operations_that_run_fail_before_their_call_is_terminated() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join_hosted(&meeting).await;
    bot.post(&format!("{}/playPrompt", path_of(&call)), prompts(1)).await.expect(200);
    bot.post(&format!("{}/sendDtmfTones", path_of(&call)), json!({ "tones": ["a"] })).await.expect(200);
    bot.delete(&path_of(&call)).await.expect(204);
    assert_eq!(
        rig.told(4).await,
        [
            "playPromptOperation Failed 400/8508",
            "sendDtmfTonesOperation Failed 400/8508",
            "updated terminating",
            "deleted terminated 200/7000",
        ]
    );
}

#[tokio::test]
async fn keys_that_are_pressed_are_told_to_subscribers_only() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let ann = rig.person(&meeting, "Ann");
    let call = bot.join_hosted(&meeting).await;
    rig.press(&meeting, &ann, &["tone5"]);
    let answer = bot.post(&format!("{}/subscribeToTone", path_of(&call)), json!({ "clientContext": "t" })).await;
    let subscribed = operation(answer, 200, "subscribeToToneOperation", &call);
    assert_eq!((&subscribed["status"], &subscribed["clientContext"]), (&json!("Completed"), &json!("t")));
    rig.press(&meeting, &ann, &["tone1", "star"]);
    for (sequence, tone) in [(1, "tone1"), (2, "star")] {
        let posted = rig.webhook.next().await;
        let change = &posted.notification()["resourceData"];
        assert_eq!(change["state"], "established");
        assert_eq!((&change["toneInfo"]["sequenceId"], &change["toneInfo"]["tone"]), (&json!(sequence), &json!(tone)));
    }
}

#[tokio::test]
async fn media_by_the_service_is_refused_where_the_app_hosts_it() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let early = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect(201);
    for (action, body) in [
        ("playPrompt", prompts(1)),
        ("recordResponse", json!({})),
        ("cancelMediaProcessing", json!({})),
        ("subscribeToTone", json!({})),
    ] {
        let message =
            bot.post(&format!("{}/{action}", path_of(&call)), body.clone()).await.expect_error(400, "invalidRequest");
        assert!(message.contains("service-hosted"), "{action}: {message}");
        bot.post(&format!("{}/{action}", path_of(&early)), body).await.expect_error(409, "invalidRequest");
    }
    let send = format!("{}/sendDtmfTones", path_of(&early));
    bot.post(&send, json!({ "tones": ["a"] })).await.expect_error(409, "invalidRequest");
    assert_eq!(bot.get(&format!("{}/operations", path_of(&call))).await.expect(200)["value"], json!([]));
}

#[tokio::test]
async fn each_wrong_parameter_is_named_by_its_path_and_nothing_begins() {
    let rig = Rig::with(|config| config.allow_http_callbacks = false).await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["callbackUri"] = json!("https://localhost:1/callback");
    body["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" });
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    let good = prompt("https://cdn.contoso.com/beep.wav");
    let looped = |times: i32| {
        let mut prompt = good.clone();
        prompt["loop"] = json!(times);
        prompt
    };
    for (action, body, culprit) in [
        ("playPrompt", json!({}), "prompts"),
        ("playPrompt", json!({ "prompts": [] }), "prompts"),
        ("playPrompt", json!({ "prompts": null }), "prompts"),
        ("playPrompt", prompts(21), "prompts"),
        ("playPrompt", json!({ "prompts": [good, { "mediaInfo": { "uri": "https://a/b" } }] }), "prompts[1]"),
        (
            "playPrompt",
            json!({ "prompts": [{ "@odata.type": "#microsoft.graph.mediaPrompt" }] }),
            "prompts[0].mediaInfo",
        ),
        (
            "playPrompt",
            json!({ "prompts": [good, prompt("http://cdn.contoso.com/a.wav")] }),
            "prompts[1].mediaInfo.uri",
        ),
        ("playPrompt", json!({ "prompts": [prompt("file:///a.wav")] }), "prompts[0].mediaInfo.uri"),
        ("playPrompt", json!({ "prompts": [prompt("beep.wav")] }), "prompts[0].mediaInfo.uri"),
        ("playPrompt", json!({ "prompts": [looped(0)] }), "prompts[0].loop"),
        ("playPrompt", json!({ "prompts": [looped(-1)] }), "prompts[0].loop"),
        ("playPrompt", json!({ "prompts": [good], "clientContext": "x".repeat(257) }), "clientContext"),
        ("recordResponse", json!({ "prompts": [good, good] }), "prompts"),
        ("recordResponse", json!({ "initialSilenceTimeoutInSeconds": 0 }), "initialSilenceTimeoutInSeconds"),
        ("recordResponse", json!({ "maxSilenceTimeoutInSeconds": 121 }), "maxSilenceTimeoutInSeconds"),
        ("recordResponse", json!({ "maxRecordDurationInSeconds": -5 }), "maxRecordDurationInSeconds"),
        ("recordResponse", json!({ "maxRecordDurationInSeconds": "5" }), "maxRecordDurationInSeconds"),
        ("recordResponse", json!({ "stopTones": ["#", "pound"] }), "stopTones[1]"),
        ("recordResponse", json!({ "stopTones": [""] }), "stopTones[0]"),
        ("recordResponse", json!({ "playBeep": "yes" }), "playBeep"),
        ("sendDtmfTones", json!({}), "tones"),
        ("sendDtmfTones", json!({ "tones": [] }), "tones"),
        ("sendDtmfTones", json!({ "tones": ["tone1", "#"] }), "tones[1]"),
        ("sendDtmfTones", json!({ "tones": ["a"], "delayBetweenTonesMs": -1 }), "delayBetweenTonesMs"),
        ("sendDtmfTones", json!({ "tones": ["a"], "delayBetweenTonesMs": 0.5 }), "delayBetweenTonesMs"),
    ] {
        let answer = bot.post(&format!("{}/{action}", path_of(&call)), body.clone()).await;
        assert_eq!(answer.body["error"]["target"], culprit, "{action} {body}: {}", answer.body);
        let message = answer.expect_error(400, "invalidRequest");
        assert!(message.contains(culprit), "{message}");
    }
    assert_eq!(bot.get(&format!("{}/operations", path_of(&call))).await.expect(200)["value"], json!([]));
}

#[tokio::test]
async fn operations_of_a_call_are_bounded_and_a_refused_one_cancels_nothing() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join_hosted(&meeting).await;
    let send = format!("{}/sendDtmfTones", path_of(&call));
    bot.post(&format!("{}/playPrompt", path_of(&call)), prompts(1)).await.expect(200);
    for _ in 0..255 {
        bot.post(&send, json!({ "tones": ["a"] })).await.expect(200);
    }
    bot.post(&send, json!({ "tones": ["a"] })).await.expect_error(429, "TooManyRequests");
    let record = format!("{}/recordResponse", path_of(&call));
    bot.post(&record, json!({})).await.expect_error(429, "TooManyRequests");
    bot.post(&record, json!({ "bargeInAllowed": true })).await.expect(200);
    assert_eq!(rig.told(1).await, ["playPromptOperation Failed 400/8508"], "it makes room for itself");
}
