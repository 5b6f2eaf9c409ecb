//! Calls to people: peer to peer and group, by every outcome.

use super::*;
use crate::entra::AnsweringAction;
use crate::operations::{ConversationKind, RingAnswer, RingRefusal};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn peer_to_peer_call_is_established_when_media_connects_and_the_callee_answers() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.bot(CALL).await;
    let call = bot.post("/v1.0/communications/calls", bot.call_body(&[&pia])).await.expect(201);
    assert_eq!((&call["state"], &call["direction"]), (&json!("establishing"), &json!("outgoing")));
    assert_eq!(call["targets"][0]["identity"]["user"]["id"], pia.id);
    assert_eq!(call["tenantId"], bot.app.tenant_id, "left out, it is the token's");
    assert_eq!(rig.webhook.next().await.summary(), "updated establishing");

    bot.connect(&call);
    rig.settle().await;
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "establishing", "it still rings");
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.next().await.summary(), "updated established");
    let established = bot.get(&path_of(&call)).await.expect(200);
    assert_eq!(established["state"], "established");
    assert_eq!(established["answeredBy"]["identity"]["user"]["displayName"], "Pia");

    let roster = bot.get(&format!("{}/participants", path_of(&call))).await.expect(200);
    assert_eq!(roster["value"], json!([]), "a peer-to-peer call has no roster");
    bot.delete(&path_of(&call)).await.expect(204);
    assert_eq!(
        rig.webhook.summaries(2).await,
        ["updated terminating", "deleted terminated 200/7000"],
        "no roster was ever told"
    );
    assert!(rig.service.conversation_views().is_empty(), "nobody is left in it");
}

#[tokio::test]
async fn callee_who_does_not_come_ends_the_call_with_the_reason() {
    for (action, expected) in [
        (AnsweringAction::Reject, "deleted terminated 603/0"),
        (AnsweringAction::Busy, "deleted terminated 486/0"),
        (AnsweringAction::Unreachable, "deleted terminated 480/10037"),
    ] {
        let rig = Rig::start().await;
        let pia = rig.user("Pia", Answering { action, ..Answering::default() });
        let bot = rig.bot(CALL).await;
        let call = bot.call(&[&pia]).await;
        rig.pass(SECOND).await;
        assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", expected]);
        bot.get(&path_of(&call)).await.expect_error(404, "8522");
        assert!(rig.service.conversation_views().is_empty());
        assert!(rig.media.take().contains(&"close".to_owned()), "the conversation's media is given back");
    }
}

#[tokio::test]
async fn unknown_people_have_no_endpoint() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let bot = rig.bot(CALL).await;
    let mut body = bot.call_body(&[&pia]);
    body["targets"][0]["identity"]["user"]["id"] = json!("00000000-0000-0000-0000-00000000abcd");
    bot.post("/v1.0/communications/calls", body).await.expect(201);
    rig.settle().await;
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "deleted terminated 480/10037"]);
}

#[tokio::test]
async fn callee_rings_as_long_as_the_request_says_then_the_call_ends() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    let bot = rig.bot(CALL).await;
    let mut body = bot.call_body(&[&pia]);
    body["ringingTimeoutInSeconds"] = json!(30);
    let call = bot.post("/beta/communications/calls", body).await.expect(201);
    bot.connect(&call);
    rig.pass(29 * SECOND).await;
    assert_eq!(rig.service.ring_views().len(), 1);
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "deleted terminated 408/10057"]);
    assert!(rig.service.ring_views().is_empty());

    let mut body = bot.call_body(&[&pia]);
    for (seconds, fits) in [(115, 201), (0, 400), (116, 400), (-1, 400)] {
        body["ringingTimeoutInSeconds"] = json!(seconds);
        bot.post("/beta/communications/calls", body.clone()).await.expect(fits);
    }
}

#[tokio::test]
async fn person_answers_or_declines_by_administration() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    let bot = rig.bot(CALL).await;
    bot.call(&[&pia]).await;
    let ring = rig.admin(Method::GET, "/emulator/rings", None).await.expect(200)["value"][0].clone();
    assert_eq!((&ring["displayName"], &ring["userId"]), (&json!("Pia"), &json!(pia.id)));
    let path = format!("/emulator/rings/{}/answer", ring["ringId"].as_str().unwrap());
    let offer = json!({ "offer": { "type": "offer", "sdp": "offer of Pia" } });
    let answered = rig.admin(Method::POST, &path, Some(offer)).await.expect(200);
    assert_eq!(answered["participantId"], ring["ringId"]);
    assert!(answered["answer"]["sdp"].is_string());
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "updated established"]);
    rig.admin(Method::POST, &path, None).await.expect(404);

    bot.call(&[&pia]).await;
    let ring = rig.service.ring_views().remove(0);
    rig.service.refuse_ring(&ring.ring_id, RingRefusal { busy: true }).unwrap();
    assert_eq!(rig.webhook.summaries(2).await, ["updated establishing", "deleted terminated 486/0"]);
}

#[tokio::test]
async fn callee_who_hangs_up_ends_the_call() {
    let rig = Rig::start().await;
    let script = Answering { after_ms: 0, hang_up_after_ms: Some(5000), ..Answering::default() };
    let pia = rig.user("Pia", script);
    let bot = rig.bot(CALL).await;
    bot.call(&[&pia]).await;
    rig.settle().await;
    rig.pass(5 * SECOND).await;
    assert_eq!(
        rig.webhook.summaries(3).await,
        ["updated establishing", "updated established", "deleted terminated 200/4521"]
    );
}

#[tokio::test]
async fn bot_that_hangs_up_while_it_rings_stops_the_ringing() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    let bot = rig.bot(CALL).await;
    let call = bot.call(&[&pia]).await;
    bot.delete(&path_of(&call)).await.expect(204);
    assert!(rig.service.ring_views().is_empty());
    assert_eq!(
        rig.webhook.summaries(3).await,
        ["updated establishing", "updated terminating", "deleted terminated 200/7000"]
    );
}

#[tokio::test]
async fn forwarded_call_is_answered_by_the_last_in_the_chain() {
    let rig = Rig::start().await;
    let last = rig.user("Last", Answering::default());
    let forward =
        Answering { action: AnsweringAction::Forward, forward_to: Some(last.id.clone()), ..Answering::default() };
    let first = rig.user("First", forward);
    let bot = rig.bot(CALL).await;
    let call = bot.call(&[&first]).await;
    rig.pass(SECOND).await;
    rig.pass(SECOND).await;
    let call = bot.get(&path_of(&call)).await.expect(200);
    assert_eq!(
        (&call["state"], &call["answeredBy"]["identity"]["user"]["id"]),
        (&json!("established"), &json!(last.id))
    );
}

#[tokio::test]
async fn group_call_is_established_at_once_and_grows_as_people_answer() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering { after_ms: 1000, ..Answering::default() });
    let quinn = rig.user("Quinn", Answering { after_ms: 2000, ..Answering::default() });
    let bot = rig.bot(GROUP_CALL).await;
    let call = bot.call(&[&pia, &quinn]).await;
    assert!(call["chatInfo"].is_null() && call["meetingInfo"].is_null());
    assert_eq!(rig.webhook.summaries(3).await, ["updated establishing", "updated established", "roster"]);
    for present in [2, 3] {
        rig.pass(SECOND).await;
        let roster = rig.webhook.next().await;
        assert_eq!(roster.notification()["resourceData"].as_array().unwrap().len(), present);
    }
    assert_eq!(rig.service.conversation_views()[0].kind, ConversationKind::GroupCall);

    let people: Vec<_> = rig.service.conversation_views()[0].participants.clone();
    let conversation = rig.service.conversation_views()[0].id.clone();
    rig.service.remove_participant(&conversation, &people[1].participant_id).unwrap();
    assert_eq!(rig.webhook.next().await.summary(), "roster");
    rig.service.remove_participant(&conversation, &people[2].participant_id).unwrap();
    assert_eq!(rig.webhook.summaries(2).await, ["roster", "deleted terminated 200/5010"]);
    assert!(rig.service.conversation_views().is_empty());
}

#[tokio::test]
async fn group_call_that_nobody_joins_ends() {
    let rig = Rig::start().await;
    let reject = || Answering { action: AnsweringAction::Reject, ..Answering::default() };
    let (pia, quinn) = (rig.user("Pia", reject()), rig.user("Quinn", reject()));
    let bot = rig.bot(GROUP_CALL).await;
    bot.call(&[&pia, &quinn]).await;
    rig.pass(SECOND).await;
    assert_eq!(
        rig.webhook.summaries(4).await,
        ["updated establishing", "updated established", "roster", "deleted terminated 200/5013"]
    );
}

#[tokio::test]
async fn placing_calls_is_refused_without_the_scenario_permission_or_with_bad_targets() {
    let rig = Rig::start().await;
    let users: Vec<User> = (0..6).map(|n| rig.user(&format!("U{n}"), Answering::default())).collect();
    let users: Vec<&User> = users.iter().collect();
    let path = "/v1.0/communications/calls";
    let bot = rig.bot(CALL).await;
    bot.post(path, bot.call_body(&users[..2])).await.expect_error(403, "7504");
    let bot = rig.bot(GROUP_CALL).await;
    bot.post(path, bot.call_body(&users[..1])).await.expect_error(403, "7504");
    bot.post(path, bot.call_body(&users[..5])).await.expect(201);
    bot.post(path, bot.call_body(&users)).await.expect_error(400, "invalidRequest");
    bot.post(path, bot.call_body(&[])).await.expect_error(400, "invalidRequest");

    let mut nameless = bot.call_body(&users[..2]);
    nameless["targets"][1]["identity"] = json!({ "user": {} });
    let message = bot.post(path, nameless).await.expect_error(400, "invalidRequest");
    assert!(message.contains("targets[1].identity"), "{message}");
    let mut foreign = bot.call_body(&users[..2]);
    foreign["tenantId"] = json!("86dc81db-c112-4228-9222-63f3e5aa1edb");
    bot.post(path, foreign).await.expect_error(403, "7505");
}

#[tokio::test]
async fn telephone_number_needs_an_application_instance_as_source() {
    let rig = Rig::start().await;
    let new =
        NewUser { display_name: "Pia".to_owned(), phone_number: Some("+15551234".to_owned()), ..NewUser::default() };
    let pia = rig.service.directory().add_user(new).unwrap();
    let bot = rig.bot(CALL).await;
    let mut body = bot.call_body(&[&pia]);
    body["targets"][0]["identity"] = json!({ "phone": { "id": "+15551234" } });
    let message = bot.post("/v1.0/communications/calls", body.clone()).await.expect_error(400, "invalidRequest");
    assert!(message.contains("applicationInstance"), "{message}");
    body["source"] = json!({ "identity": { "applicationInstance": { "id": "2891555a-92ff-42e6-80fa-6e1300c6b5c6" } } });
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    bot.connect(&call);
    rig.pass(SECOND).await;
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "established");
}

#[tokio::test]
async fn bot_calls_bot() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::default());
    let callee = rig.bot(JOIN).await;
    rig.service.directory().set_webhook(&callee.app.app_id, Some(rig.webhook.url().to_owned())).unwrap();
    let bot = rig.bot(CALL).await;
    let mut body = bot.call_body(&[&pia]);
    body["targets"][0]["identity"] = json!({ "application": { "id": callee.app.app_id } });
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    bot.connect(&call);
    let mut incoming = None;
    for _ in 0..2 {
        let posted = rig.webhook.next().await;
        if posted.summary() == "created incoming" {
            incoming = Some(posted.notification()["resourceData"].clone());
        }
    }
    let incoming = incoming.expect("the called bot is told");
    assert_eq!(incoming["source"]["identity"]["application"]["id"], bot.app.app_id);
    let answer = json!({ "acceptedModalities": ["audio"], "mediaConfig": bot.call_body(&[])["mediaConfig"] });
    callee.post(&format!("{}/answer", path_of(&incoming)), answer).await.expect(202);
    callee.connect(&incoming);
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "established");
    assert_eq!(callee.get(&path_of(&incoming)).await.expect(200)["state"], "established");
    bot.delete(&path_of(&call)).await.expect(204);
    callee.get(&path_of(&incoming)).await.expect_error(404, "8522");
}

#[tokio::test]
async fn answering_with_a_bad_offer_goes_on_ringing() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    let bot = rig.bot(CALL).await;
    bot.call(&[&pia]).await;
    let ring = rig.service.ring_views().remove(0);
    let offer = SessionDescription { kind: antiphon_graph::blob::SdpType::Offer, sdp: "bad offer".to_owned() };
    assert!(rig.service.answer_ring(&ring.ring_id, RingAnswer { offer: Some(offer) }).is_err());
    assert_eq!(rig.service.ring_views().len(), 1);
}
