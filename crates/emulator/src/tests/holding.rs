//! Hold music: one participant at a time is out of the conversation.

use super::participants::{assert_common_refusals, entry, room};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn participant_on_hold_is_out_of_mix_and_groups_until_taken_off() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (bot, me, ann, ben) = (&room.bot, room.me.as_str(), room.ann.as_str(), room.ben.as_str());
    let groups = format!("{}/audioRoutingGroups", path_of(&room.call));
    let name = format!("{}/g", room.call["id"].as_str().unwrap());
    let group = json!({ "id": "g", "routingMode": "multicast", "sources": [me], "receivers": [ann, ben] });
    bot.post(&groups, group).await.expect(200);
    rig.media.take();

    let path = format!("{}/{ann}/startHoldMusic", room.participants);
    let prompt = json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": { "uri": "https://bot.contoso.com/music.wav", "resourceId": "1D6DE2D4" },
    });
    let answer = bot.post(&path, json!({ "customPrompt": prompt, "clientContext": "wait" })).await;
    let location = answer.header("location").to_owned();
    let operation = answer.expect(202);
    assert_eq!(operation["@odata.type"], "#microsoft.graph.startHoldMusicOperation");
    assert_eq!((&operation["status"], &operation["clientContext"]), (&json!("Running"), &json!("wait")));
    let id = operation["id"].as_str().unwrap();
    assert!(location.ends_with(&format!("{}/operations/{id}", path_of(&room.call))), "{location}");
    assert!(rig.media.take().is_empty(), "it takes effect when the operation completes");

    rig.pass(SECOND).await;
    let posted = rig.webhook.next().await;
    assert_eq!(posted.summary(), "deleted startHoldMusicOperation Completed");
    assert_eq!(posted.notification()["resourceData"]["id"], id);
    assert_eq!(posted.notification()["resourceData"]["clientContext"], "wait");
    let roster = room.roster().await;
    assert_eq!(entry(&roster, ann)["mediaStreams"][0]["direction"], "inactive");
    assert_eq!(entry(&roster, ann)["isMuted"], false, "music is not silence");
    assert_eq!(entry(&roster, ben)["mediaStreams"][0]["direction"], "sendReceive");
    assert_eq!(
        rig.media.take(),
        [format!("default {ann} false"), format!("mute {ann} true"), format!("group {name} [{me}] -> [{ben}]")]
    );

    let answer = bot.post(&format!("{}/{ann}/stopHoldMusic", room.participants), json!({})).await;
    assert!(answer.header("location").contains("/operations/"));
    let operation = answer.expect(202);
    assert_eq!(operation["@odata.type"], "#microsoft.graph.stopHoldMusicOperation");
    assert_eq!(operation["status"], "Running");
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted stopHoldMusicOperation Completed");
    assert_eq!(entry(&room.roster().await, ann)["mediaStreams"][0]["direction"], "sendReceive");
    assert_eq!(
        rig.media.take(),
        [format!("default {ann} true"), format!("mute {ann} false"), format!("group {name} [{me}] -> [{ann}, {ben}]")]
    );
}

#[tokio::test]
async fn only_one_is_on_hold_at_a_time_and_only_who_is_can_be_taken_off() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let act = |who: &str, action: &str| format!("{}/{who}/{action}", room.participants);
    room.bot.post(&act(&room.ann, "stopHoldMusic"), json!({})).await.expect_error(409, "invalidRequest");
    room.bot.post(&act(&room.ann, "startHoldMusic"), json!({})).await.expect(202);
    for who in [&room.ann, &room.ben] {
        room.bot.post(&act(who, "startHoldMusic"), json!({})).await.expect_error(409, "invalidRequest");
    }
    let message = room.bot.post(&act(&room.ann, "stopHoldMusic"), json!({})).await.expect_error(409, "invalidRequest");
    assert!(message.contains("not on hold"), "the music has not begun: {message}");
    rig.pass(SECOND).await;
    room.bot.post(&act(&room.ben, "stopHoldMusic"), json!({})).await.expect_error(409, "invalidRequest");

    let other = rig.bot(JOIN).await;
    let call = other.join(&room.meeting).await;
    let path = format!("{}/participants/{}/startHoldMusic", path_of(&call), room.ann);
    other.post(&path, json!({})).await.expect_error(409, "invalidRequest");
    room.bot.post(&act(&room.ann, "stopHoldMusic"), json!({})).await.expect(202);
    room.bot.post(&act(&room.ben, "startHoldMusic"), json!({})).await.expect_error(409, "invalidRequest");
    rig.pass(SECOND).await;
    room.bot.post(&act(&room.ben, "startHoldMusic"), json!({})).await.expect(202);
    other.post(&path, json!({})).await.expect(202);
}

#[tokio::test]
async fn muting_somebody_on_hold_outlasts_the_hold() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let act = |action: &str| format!("{}/{}/{action}", room.participants, room.ann);
    room.bot.post(&act("startHoldMusic"), json!({})).await.expect(202);
    rig.pass(SECOND).await;
    room.bot.post(&act("mute"), json!({})).await.expect(200);
    rig.media.take();
    room.bot.post(&act("stopHoldMusic"), json!({})).await.expect(202);
    rig.pass(SECOND).await;
    let ann = &room.ann;
    assert_eq!(rig.media.take(), [format!("default {ann} true"), format!("mute {ann} true")]);
}

#[tokio::test]
async fn hold_ends_with_the_call_that_asked_for_it() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let other = rig.bot(JOIN).await;
    let call = other.join(&room.meeting).await;
    let path = format!("{}/participants/{}/startHoldMusic", path_of(&call), room.ann);
    other.post(&path, json!({})).await.expect(202);
    rig.pass(SECOND).await;
    rig.media.take();
    other.delete(&path_of(&call)).await.expect(204);
    let (ann, it) = (&room.ann, call["myParticipantId"].as_str().unwrap());
    assert_eq!(rig.media.take(), [format!("default {ann} true"), format!("mute {ann} false"), format!("leave {it}")]);
    let list = room.bot.get(&room.participants).await.expect(200);
    assert_eq!(entry(&list["value"], ann)["mediaStreams"][0]["direction"], "sendReceive");
}

#[tokio::test]
async fn whoever_leaves_while_being_put_on_hold_fails_the_operation() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let path = format!("{}/{}/startHoldMusic", room.participants, room.ann);
    room.bot.post(&path, json!({})).await.expect(202);
    rig.service.remove_participant(&room.meeting.id, &room.ann.as_str().into()).unwrap();
    assert_eq!(rig.webhook.summaries(2).await, ["deleted startHoldMusicOperation Failed 400/8508", "roster"]);
    let path = format!("{}/{}/startHoldMusic", room.participants, room.ben);
    room.bot.post(&path, json!({})).await.expect(202);
}

#[tokio::test]
async fn unusable_prompt_is_named_and_nobody_is_put_on_hold() {
    let rig = Rig::with(|config| config.allow_http_callbacks = false).await;
    let meeting = rig.meeting();
    let ann = rig.person(&meeting, "Ann");
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["callbackUri"] = json!("https://bot.contoso.com/callback");
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    bot.connect(&call);
    let path = format!("{}/participants/{ann}/startHoldMusic", path_of(&call));
    let media = |uri: &str| json!({ "@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": { "uri": uri } });
    for (prompt, member) in [
        (json!({}), "customPrompt"),
        (json!("music"), "customPrompt"),
        (json!({ "@odata.type": "#microsoft.graph.songPrompt" }), "customPrompt.@odata.type"),
        (media("music.wav"), "customPrompt.mediaInfo.uri"),
        (media("http://bot.contoso.com/music.wav"), "customPrompt.mediaInfo.uri"),
        (
            json!({ "@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": { "uri": 7 } }),
            "customPrompt.mediaInfo.uri",
        ),
    ] {
        let message = bot.post(&path, json!({ "customPrompt": prompt })).await.expect_error(400, "invalidRequest");
        assert!(message.contains(member), "{message}");
    }
    bot.post(&path, json!({ "customPrompt": media("https://bot.contoso.com/music.wav") })).await.expect(202);
}

#[tokio::test]
async fn holding_has_the_refusals_of_roster_actions() {
    for action in ["participants/{p}/startHoldMusic", "participants/{p}/stopHoldMusic"] {
        let rig = Rig::start().await;
        assert_common_refusals(&rig, "/v1.0/", action, Some(json!({}))).await;
    }
}
