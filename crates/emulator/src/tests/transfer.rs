//! Transfers: blind, consultative, and of one participant of a group call; and guests who wait in the lobby.

use super::*;
use crate::entra::AnsweringAction;

const SECOND: Duration = Duration::from_secs(1);

/// A bot in an established peer-to-peer call with a user who answers at once.
async fn talking<'a>(rig: &'a Rig, bot: &Bot<'a>, name: &str) -> Value {
    let user = rig.user(name, Answering::at_once(AnsweringAction::Answer));
    let call = bot.call(&[&user]).await;
    rig.settle().await;
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "updated established"]);
    call
}

fn names(rig: &Rig) -> Vec<Vec<String>> {
    let people = |view: crate::operations::ConversationView| {
        view.participants.into_iter().map(|person| person.display_name).collect::<Vec<_>>()
    };
    rig.service.conversation_views().into_iter().map(people).collect()
}

#[tokio::test]
async fn blind_transfer_takes_the_bot_out_once_the_target_answers() {
    let rig = Rig::start().await;
    let bot = rig.bot(CALL).await;
    let call = talking(&rig, &bot, "Pia").await;
    let quinn = rig.user("Quinn", Answering::default());
    let body = json!({ "transferTarget": { "identity": { "user": { "id": quinn.id } } } });
    // The matrix asks for a permission of its own.
    bot.post(&format!("{}/transfer", path_of(&call)), body.clone()).await.expect(202);
    assert_eq!(rig.webhook.next().await.summary(), "updated transferring");
    bot.post(&format!("{}/transfer", path_of(&call)), body).await.expect_error(409, "invalidRequest");
    rig.pass(SECOND).await;
    let accepted = rig.webhook.next().await;
    assert_eq!(accepted.summary(), "updated transferAccepted");
    assert_eq!(accepted.notification()["resourceData"]["mediaState"]["audio"], "inactive");
    let gone = rig.webhook.next().await;
    assert_eq!(gone.summary(), "deleted terminated 0/7015");
    assert_eq!(gone.notification()["resourceData"]["resultInfo"]["message"], "GracefulTransferCompleted");
    assert_eq!(names(&rig), [["Pia", "Quinn"]]);
    rig.pass(Duration::from_secs(599)).await;
    assert_eq!(names(&rig).len(), 1);
    rig.pass(SECOND).await;
    assert!(names(&rig).is_empty(), "people whom nobody can hear do not talk for ever");
}

#[tokio::test]
async fn failed_transfer_gives_the_call_back() {
    let rig = Rig::start().await;
    let bot = rig.bot(CALL).await;
    let call = talking(&rig, &bot, "Pia").await;
    let quinn = rig.user("Quinn", Answering::at_once(AnsweringAction::Reject));
    let path = format!("{}/transfer", path_of(&call));
    bot.post(&path, json!({ "transferTarget": { "identity": { "user": { "id": quinn.id } } } })).await.expect(202);
    rig.settle().await;
    assert_eq!(rig.webhook.summaries(2).await, ["updated transferring", "updated established 500/7000"]);
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "established");
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["resultInfo"], json!(null), "it belongs to the notification");
    for body in
        [json!({}), json!({ "transferTarget": {} }), json!({ "transferTarget": { "identity": { "user": {} } } })]
    {
        let message = bot.post(&path, body).await.expect_error(400, "invalidRequest");
        assert!(message.contains("transferTarget"), "{message}");
    }
}

#[tokio::test]
async fn consultative_transfer_joins_the_other_ends_and_ends_both_calls() {
    let rig = Rig::start().await;
    let bot = rig.bot(CALL).await;
    let first = talking(&rig, &bot, "Pia").await;
    let second = talking(&rig, &bot, "Quinn").await;
    let target = json!({ "identity": { "user": { "id": "q" } }, "replacesCallId": second["id"] });
    let path = format!("{}/transfer", path_of(&first));
    bot.post(&path, json!({ "transferTarget": target })).await.expect(202);
    let mut told = rig.webhook.summaries(4).await;
    told.sort();
    assert_eq!(
        told,
        ["deleted terminated 0/7015", "deleted terminated 0/7015", "updated transferAccepted", "updated transferring"]
    );
    assert_eq!(names(&rig), [["Pia", "Quinn"]]);

    let third = talking(&rig, &bot, "Rob").await;
    let path = format!("{}/transfer", path_of(&third));
    let gone = json!({ "identity": { "user": { "id": "q" } }, "replacesCallId": second["id"] });
    bot.post(&path, json!({ "transferTarget": gone })).await.expect_error(404, "itemNotFound");
    assert_eq!(bot.get(&path_of(&third)).await.expect(200)["state"], "established");
}

#[tokio::test]
async fn consultative_transfer_into_a_call_that_still_rings_fails() {
    let rig = Rig::start().await;
    let bot = rig.bot(CALL).await;
    let first = talking(&rig, &bot, "Pia").await;
    let quinn = rig.user("Quinn", Answering::at_once(AnsweringAction::Ring));
    let ringing = bot.call(&[&quinn]).await;
    let target = json!({ "identity": { "user": { "id": quinn.id } }, "replacesCallId": ringing["id"] });
    bot.post(&format!("{}/transfer", path_of(&first)), json!({ "transferTarget": target })).await.expect(202);
    let mut told = rig.webhook.summaries(3).await;
    told.sort();
    assert_eq!(told, ["updated established 500/7700", "updated establishing", "updated transferring"]);
}

#[tokio::test]
async fn participant_of_a_group_call_is_handed_over_and_the_bot_stays() {
    let rig = Rig::start().await;
    let at_once = || Answering::at_once(AnsweringAction::Answer);
    let users = ["Pia", "Quinn", "Rob"].map(|name| rig.user(name, at_once()));
    let bot = rig.bot(&["Calls.InitiateGroupCall.All", "Calls.Initiate.All", "Calls.AccessMedia.All"]).await;
    let call = bot.call(&[&users[0], &users[1], &users[2]]).await;
    rig.settle().await;
    let path = format!("{}/transfer", path_of(&call));
    let sue = rig.user("Sue", Answering::default());
    let target = json!({ "identity": { "user": { "id": sue.id } } });
    bot.post(&path, json!({ "transferTarget": target })).await.expect_error(400, "invalidRequest");
    let stranger = json!({ "identity": { "user": { "id": sue.id } } });
    bot.post(&path, json!({ "transferTarget": target, "transferee": stranger }))
        .await
        .expect_error(404, "itemNotFound");
    let transferee = json!({ "identity": { "user": { "id": users[0].id } } });
    bot.post(&path, json!({ "transferTarget": target, "transferee": transferee })).await.expect(202);
    rig.pass(SECOND).await;
    let mut rooms = names(&rig);
    rooms.sort();
    assert_eq!(rooms, [vec!["Bot", "Quinn", "Rob"], vec!["Sue", "Pia"]]);
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "established");
}

#[tokio::test]
async fn guest_waits_in_the_lobby_unheard_until_let_in() {
    let rig = Rig::start().await;
    let new = NewMeeting { lobby: true, ..NewMeeting::default() };
    let meeting = rig.service.create_meeting(new).unwrap();
    let bot = rig.bot(&["Calls.JoinGroupCallAsGuest.All", "Calls.AccessMedia.All"]).await;
    let mut body = bot.join_body(&meeting);
    let nameless = bot.post("/v1.0/communications/calls", body.clone()).await.expect(201);
    assert_eq!(nameless["source"]["identity"]["guest"]["displayName"], "Bot", "it may be nothing but a guest");
    bot.delete(&path_of(&nameless)).await.expect(204);
    assert_eq!(rig.webhook.summaries(3).await.len(), 3);
    let guest = json!({ "id": "3f0c4b7e-9f1c-4f5b-8c55-0d7a5c2b9f10", "displayName": "Guest bot" });
    body["source"] = json!({ "identity": { "guest": guest } });
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    bot.connect(&call);
    rig.settle().await;
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "establishing");
    let me = call["myParticipantId"].as_str().unwrap();
    assert!(rig.media.take().contains(&format!("answer {me} default=false muted=true")));

    let admit = format!("/emulator/calls/{}/admit", call["id"].as_str().unwrap());
    rig.admin(Method::POST, &admit, None).await.expect(204);
    assert_eq!(rig.webhook.summaries(3).await, ["updated establishing", "updated established", "roster"]);
    let told = rig.media.take();
    assert!(told.contains(&format!("default {me} true")) && told.contains(&format!("mute {me} false")), "{told:?}");
    rig.admin(Method::POST, &admit, None).await.expect(404);
}

#[tokio::test]
async fn guest_who_is_never_let_in_is_sent_away_after_half_an_hour() {
    let rig = Rig::start().await;
    let meeting = rig.service.create_meeting(NewMeeting { lobby: true, ..NewMeeting::default() }).unwrap();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["source"] = json!({ "identity": { "guest": { "id": "3f0c4b7e-9f1c-4f5b-8c55-0d7a5c2b9f10" } } });
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    bot.connect(&call);
    rig.pass(Duration::from_secs(30 * 60 - 1)).await;
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "establishing");
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "deleted terminated 200/5855"]);
}

#[tokio::test]
async fn hanging_up_during_a_hand_over_leaves_no_conversation_behind() {
    let rig = Rig::start().await;
    let users = ["Pia", "Quinn"].map(|name| rig.user(name, Answering::at_once(AnsweringAction::Answer)));
    let bot = rig.bot(&["Calls.InitiateGroupCall.All", "Calls.Initiate.All", "Calls.AccessMedia.All"]).await;
    let call = bot.call(&[&users[0], &users[1]]).await;
    rig.settle().await;
    let sue = rig.user("Sue", Answering::at_once(AnsweringAction::Ring));
    let body = json!({
        "transferTarget": { "identity": { "user": { "id": sue.id } } },
        "transferee": { "identity": { "user": { "id": users[0].id } } },
    });
    bot.post(&format!("{}/transfer", path_of(&call)), body).await.expect(202);
    assert_eq!(rig.service.conversation_views().len(), 2);
    bot.delete(&path_of(&call)).await.expect(204);
    assert!(rig.service.ring_views().is_empty());
    assert_eq!(names(&rig), [["Pia", "Quinn"]]);
}

#[tokio::test]
async fn partner_who_hangs_up_during_a_transfer_ends_it() {
    let rig = Rig::start().await;
    let bot = rig.bot(CALL).await;
    let call = talking(&rig, &bot, "Pia").await;
    let quinn = rig.user("Quinn", Answering::at_once(AnsweringAction::Ring));
    let body = json!({ "transferTarget": { "identity": { "user": { "id": quinn.id } } } });
    bot.post(&format!("{}/transfer", path_of(&call)), body).await.expect(202);
    let conversation = rig.service.conversation_views().remove(0);
    let pia = conversation.participants.iter().find(|person| person.display_name == "Pia").unwrap();
    rig.service.remove_participant(&conversation.id, &pia.participant_id).unwrap();
    assert_eq!(rig.webhook.summaries(2).await, ["updated transferring", "deleted terminated 200/4521"]);
    assert!(rig.service.ring_views().is_empty() && rig.service.conversation_views().is_empty());
}
