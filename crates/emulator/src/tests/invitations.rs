//! Inviting people, telephones and applications into a conversation.

use super::participants::{ALL_ROLES, Room, beta, entry, guest_in_lobby, room};
use super::*;
use crate::entra::AnsweringAction;
use crate::operations::RingAnswer;

const SECOND: Duration = Duration::from_secs(1);

fn whom(user: &User) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": { "@odata.type": "#microsoft.graph.identitySet", "user": { "id": user.id } },
    })
}

fn invite_path(room: &Room<'_>) -> String {
    format!("{}/invite", room.participants)
}

async fn invite(room: &Room<'_>, participants: Value) -> Value {
    let body = json!({ "participants": participants, "clientContext": "come" });
    room.bot.post(&invite_path(room), body).await.expect(200)
}

#[tokio::test]
async fn invited_person_joins_and_the_operation_completes_before_the_roster() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::default());
    let body = json!({ "participants": [whom(&pia)], "clientContext": "come" });
    let answer = room.bot.post(&invite_path(&room), body).await;
    let location = answer.header("location").to_owned();
    let mut operation = answer.expect(200);
    let (id, participant) =
        (operation["id"].as_str().unwrap().to_owned(), operation["participants"][0]["participantId"].clone());
    assert_eq!(location, format!("https://localhost:8443{}/operations/{id}", path_of(&room.call)));
    operation.as_object_mut().unwrap().remove("@odata.context");
    let invited = json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "endpointType": null, "hidden": null, "participantId": participant, "replacesCallId": null,
        "removeFromDefaultAudioRoutingGroup": null,
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "user": { "@odata.type": "#microsoft.graph.identity", "id": pia.id },
            "application": null, "device": null, "phone": null,
        },
    });
    assert_eq!(
        operation,
        json!({
            "@odata.type": "#microsoft.graph.inviteParticipantsOperation", "id": id, "status": "Running",
            "clientContext": "come", "resultInfo": null, "participants": [invited],
        })
    );
    rig.pass(SECOND).await;
    let posted = rig.webhook.next().await;
    assert_eq!(posted.summary(), "deleted inviteParticipantsOperation Completed");
    let ended = &posted.notification()["resourceData"];
    assert_eq!((&ended["id"], &ended["clientContext"]), (&json!(id), &json!("come")));
    assert_eq!(ended["participants"], json!([invited]));
    let roster = room.roster().await;
    assert_eq!(entry(&roster, participant.as_str().unwrap())["info"]["identity"]["user"]["displayName"], "Pia");
}

#[tokio::test]
async fn nobody_who_comes_fails_the_operation_with_the_reason() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    for (action, expected) in [
        (AnsweringAction::Reject, "603/0"),
        (AnsweringAction::Busy, "486/0"),
        (AnsweringAction::Unreachable, "480/10037"),
    ] {
        let who = rig.user("Who", Answering { action, ..Answering::default() });
        invite(&room, json!([whom(&who)])).await;
        rig.pass(SECOND).await;
        let posted = rig.webhook.next().await;
        assert_eq!(posted.summary(), format!("deleted inviteParticipantsOperation Failed {expected}"));
        assert_eq!(posted.notification()["resourceData"]["participants"][0]["identity"]["user"]["id"], who.id);
    }
    invite(&room, json!([{ "identity": { "user": { "id": "00000000-0000-0000-0000-00000000abcd" } } }])).await;
    rig.settle().await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted inviteParticipantsOperation Failed 480/10037");
    assert_eq!(room.bot.get(&room.participants).await.expect(200)["value"].as_array().unwrap().len(), 3);
    let never = rig.user("Never", Answering::at_once(AnsweringAction::Ring));
    invite(&room, json!([whom(&never)])).await;
    rig.pass(60 * SECOND).await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted inviteParticipantsOperation Failed 408/10057");
}

#[tokio::test]
async fn telephones_ring_for_a_resource_account_only() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let new =
        NewUser { display_name: "Pia".to_owned(), phone_number: Some("+15551234".to_owned()), ..NewUser::default() };
    rig.service.directory().add_user(new).unwrap();
    let phone = json!([{ "identity": { "phone": { "id": "+15551234" } } }]);
    invite(&room, phone.clone()).await;
    rig.settle().await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted inviteParticipantsOperation Failed 403/10151");

    let mut body = room.bot.join_body(&room.meeting);
    body["source"] = json!({ "identity": { "applicationInstance": { "id": "6b1d5e61-8fb5-4d8c-8a48-0a9a3c6a5f01" } } });
    let call = room.bot.post("/v1.0/communications/calls", body).await.expect(201);
    room.bot.connect(&call);
    rig.webhook.summaries(4).await;
    let body = json!({ "participants": phone });
    room.bot.post(&format!("{}/participants/invite", path_of(&call)), body).await.expect(200);
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.next().await.summary(), "deleted inviteParticipantsOperation Completed");
    let roster = rig.webhook.next().await.notification()["resourceData"].clone();
    let numbers: Vec<&Value> =
        roster.as_array().unwrap().iter().map(|entry| &entry["info"]["identity"]["phone"]["id"]).collect();
    assert!(numbers.contains(&&json!("+15551234")), "{roster}");
}

#[tokio::test]
async fn of_several_invited_the_first_who_comes_completes_the_operation() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let script = |action, after_ms| Answering { action, after_ms, ..Answering::default() };
    let no = rig.user("No", script(AnsweringAction::Reject, 1000));
    let yes = rig.user("Yes", script(AnsweringAction::Answer, 2000));
    let later = rig.user("Later", script(AnsweringAction::Answer, 3000));
    let operation = invite(&room, json!([whom(&no), whom(&yes), whom(&later)])).await;
    assert_eq!(operation["participants"].as_array().unwrap().len(), 3);
    rig.pass(SECOND).await;
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.summaries(2).await, ["deleted inviteParticipantsOperation Completed", "roster"]);
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.summaries(1).await, ["roster"], "the last one comes too, the operation has ended");

    let busy = rig.user("Busy", script(AnsweringAction::Busy, 2000));
    invite(&room, json!([whom(&no), whom(&busy)])).await;
    rig.pass(SECOND).await;
    rig.pass(SECOND).await;
    assert_eq!(rig.webhook.summaries(1).await, ["deleted inviteParticipantsOperation Failed 486/0"]);
}

#[tokio::test]
async fn several_are_invited_only_where_there_is_a_chat() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (pia, pat) = (rig.user("Pia", Answering::default()), rig.user("Pat", Answering::default()));
    let call = room.bot.call(&[&pia, &pat]).await;
    rig.webhook.summaries(3).await;
    let path = format!("{}/participants/invite", path_of(&call));
    let new = rig.user("New", Answering::at_once(AnsweringAction::Answer));
    let other = rig.user("Other", Answering::default());
    let several = json!({ "participants": [whom(&new), whom(&other)] });
    let message = room.bot.post(&path, several).await.expect_error(400, "invalidRequest");
    assert!(message.contains("chatInfo"), "{message}");
    room.bot.post(&path, json!({ "participants": [whom(&new)] })).await.expect(200);
    rig.settle().await;
    assert_eq!(rig.webhook.summaries(2).await, ["deleted inviteParticipantsOperation Completed", "roster"]);
}

#[tokio::test]
async fn invitation_is_taken_back_while_it_rings() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    let operation = invite(&room, json!([whom(&pia)])).await;
    let participant = operation["participants"][0]["participantId"].as_str().unwrap();
    let path = format!("{}/{participant}", room.participants);
    room.bot.get(&path).await.expect_error(404, "itemNotFound");
    let other = rig.bot(ALL_ROLES).await;
    let call = other.join(&room.meeting).await;
    rig.webhook.summaries(4).await;
    let by_another = format!("{}/participants/{participant}", path_of(&call));
    other.delete(&by_another).await.expect_error(404, "itemNotFound");

    room.bot.delete(&path).await.expect(204);
    assert_eq!(rig.webhook.summaries(1).await, ["deleted inviteParticipantsOperation Failed 400/8508"]);
    assert!(rig.service.ring_views().is_empty());
    room.bot.delete(&path).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn guest_is_who_the_invitation_says_and_hears_what_it_says() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    let id = "9f2b7f8e-22d5-4f0e-8c62-2f0d5b1a7c11";
    let mut who = whom(&pia);
    who["participantId"] = json!(id);
    who["hidden"] = json!(true);
    who["removeFromDefaultAudioRoutingGroup"] = json!(true);
    let operation = invite(&room, json!([who])).await;
    let invited = &operation["participants"][0];
    assert_eq!((&invited["participantId"], &invited["hidden"]), (&json!(id), &json!(true)));
    let taken = room.bot.post(&invite_path(&room), json!({ "participants": [who] })).await;
    assert_eq!(taken.body["error"]["target"], "participants[0].participantId");
    taken.expect_error(400, "invalidRequest");

    let offer = SessionDescription { kind: antiphon_graph::blob::SdpType::Offer, sdp: "offer of Pia".to_owned() };
    rig.service.answer_ring(&id.into(), RingAnswer { offer: Some(offer) }).unwrap();
    assert_eq!(rig.media.take(), [format!("answer {id} default=false muted=false")]);
    assert_eq!(rig.webhook.summaries(1).await, ["deleted inviteParticipantsOperation Completed"]);
    let list = room.bot.get(&room.participants).await.expect(200);
    assert!(list["value"].as_array().unwrap().iter().all(|entry| entry["id"] != id), "{list}");
    let pia = format!("{}/{id}", room.participants);
    room.bot.get(&pia).await.expect_error(404, "itemNotFound");
    // Whoever invited a hidden participant knows its id and may act upon it; rosters stay as they are.
    room.bot.post(&format!("{pia}/mute"), json!({})).await.expect(200);
    assert_eq!(rig.media.take(), [format!("mute {id} true")]);
    room.bot.delete(&pia).await.expect(204);
    assert_eq!(rig.media.take(), [format!("leave {id}")]);
    rig.person(&room.meeting, "Cleo");
    let roster = room.roster().await;
    assert_eq!(roster.as_array().unwrap().len(), 4, "the first roster since: {roster}");
}

#[tokio::test]
async fn invited_application_answers_a_call_of_its_own_on_the_terms_of_the_invitation() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let other = rig.bot(ALL_ROLES).await;
    rig.service.directory().set_webhook(&other.app.app_id, Some(rig.webhook.url().to_owned())).unwrap();
    let who = json!({
        "identity": { "application": { "id": other.app.app_id } },
        "hidden": true, "removeFromDefaultAudioRoutingGroup": true,
    });
    let operation = invite(&room, json!([who])).await;
    let posted = rig.webhook.next().await;
    assert_eq!(posted.summary(), "created incoming");
    let incoming = posted.notification()["resourceData"].clone();
    assert_eq!(incoming["myParticipantId"], operation["participants"][0]["participantId"]);
    assert_eq!(incoming["meetingInfo"]["@odata.type"], "#microsoft.graph.tokenMeetingInfo");
    rig.media.take();
    let path = path_of(&incoming);
    let answer = json!({
        "callbackUri": rig.webhook.url(), "acceptedModalities": ["audio"],
        "mediaConfig": other.join_body(&room.meeting)["mediaConfig"],
    });
    other.post(&format!("{path}/answer"), answer).await.expect(202);
    let me = incoming["myParticipantId"].as_str().unwrap();
    assert_eq!(rig.media.take(), [format!("answer {me} default=false muted=false")]);
    other.connect(&incoming);
    let mut told = rig.webhook.summaries(4).await;
    told.sort();
    assert_eq!(
        told,
        ["deleted inviteParticipantsOperation Completed", "roster", "updated established", "updated establishing"],
        "the only roster is the newcomer's own"
    );
    let list = room.bot.get(&room.participants).await.expect(200);
    assert_eq!(list["value"].as_array().unwrap().len(), 3, "{list}");
}

#[tokio::test]
async fn group_call_with_only_hidden_participants_left_ends() {
    let rig = Rig::start().await;
    let (pia, pat) = (rig.user("Pia", Answering::default()), rig.user("Pat", Answering::default()));
    let bot = rig.bot(ALL_ROLES).await;
    let call = bot.call(&[&pia, &pat]).await;
    rig.pass(SECOND).await;
    let other = rig.bot(ALL_ROLES).await;
    rig.service.directory().set_webhook(&other.app.app_id, Some(rig.webhook.url().to_owned())).unwrap();
    let ghost = rig.user("Ghost", Answering::at_once(AnsweringAction::Answer));
    for who in [json!({ "application": { "id": other.app.app_id } }), json!({ "user": { "id": ghost.id } })] {
        let body = json!({ "participants": [{ "identity": who, "hidden": true }] });
        bot.post(&format!("{}/participants/invite", path_of(&call)), body).await.expect(200);
    }
    rig.settle().await;
    let mut incoming = rig.webhook.next().await;
    while incoming.summary() != "created incoming" {
        incoming = rig.webhook.next().await;
    }
    let incoming = incoming.notification()["resourceData"].clone();
    let answer = json!({
        "callbackUri": rig.webhook.url(), "acceptedModalities": ["audio"],
        "mediaConfig": bot.call_body(&[&pia])["mediaConfig"],
    });
    other.post(&format!("{}/answer", path_of(&incoming)), answer).await.expect(202);
    other.connect(&incoming);
    let list = bot.get(&format!("{}/participants", path_of(&call))).await.expect(200)["value"].clone();
    assert_eq!(list.as_array().unwrap().len(), 3, "{list}");
    for person in list.as_array().unwrap().iter().filter(|entry| entry["id"] != call["myParticipantId"]) {
        let path = format!("{}/participants/{}", path_of(&call), person["id"].as_str().unwrap());
        bot.delete(&path).await.expect(204);
    }
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["state"], "established", "the bot is shown");
    bot.delete(&path_of(&call)).await.expect(204);
    let mut told = Vec::new();
    while told.last().is_none_or(|last: &String| !last.contains("5020")) {
        told.push(rig.webhook.next().await.summary());
    }
    other.get(&path_of(&incoming)).await.expect_error(404, "8522");
    assert!(rig.service.conversation_views().is_empty());
}

#[tokio::test]
async fn application_that_declines_fails_the_operation() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let other = rig.bot(ALL_ROLES).await;
    rig.service.directory().set_webhook(&other.app.app_id, Some(rig.webhook.url().to_owned())).unwrap();
    invite(&room, json!([{ "identity": { "application": { "id": other.app.app_id } } }])).await;
    let incoming = rig.webhook.next().await.notification()["resourceData"].clone();
    let reject = format!("{}/reject", path_of(&incoming));
    other.post(&reject, json!({ "reason": "busy", "callbackUri": rig.webhook.url() })).await.expect(202);
    let mut told = rig.webhook.summaries(2).await;
    told.sort();
    assert_eq!(told, ["deleted inviteParticipantsOperation Failed 486/0", "deleted no state"]);
}

#[tokio::test]
async fn person_of_a_replaced_call_moves_over_and_that_call_ends_after_the_operation() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let alone = room.call_to(&pia).await;
    let mut who = whom(&pia);
    who["replacesCallId"] = alone["id"].clone();
    who["participantId"] = json!("9f2b7f8e-22d5-4f0e-8c62-2f0d5b1a7c11");
    let ignored = whom(&rig.user("Ignored", Answering::default()));
    let operation = invite(&room, json!([who, ignored])).await;
    assert_eq!(operation["status"], "Running");
    assert_eq!(operation["participants"].as_array().unwrap().len(), 1, "only the first is processed");
    assert_eq!(operation["participants"][0]["replacesCallId"], alone["id"]);

    let mut of_meeting = Vec::new();
    let mut of_alone = Vec::new();
    for _ in 0..3 {
        let posted = rig.webhook.next().await;
        let url = posted.notification()["resourceUrl"].as_str().unwrap().to_owned();
        let list = if url.contains(alone["id"].as_str().unwrap()) { &mut of_alone } else { &mut of_meeting };
        list.push(posted.summary());
        if posted.summary() == "roster" {
            let roster = &posted.notification()["resourceData"];
            let entry = entry(roster, "9f2b7f8e-22d5-4f0e-8c62-2f0d5b1a7c11");
            assert_eq!(entry["info"]["identity"]["user"]["id"], pia.id);
        }
    }
    assert_eq!(of_meeting, ["deleted inviteParticipantsOperation Completed", "roster"]);
    assert_eq!(of_alone, ["deleted terminated 200/4521"]);
    room.bot.get(&path_of(&alone)).await.expect_error(404, "8522");
    assert!(rig.service.ring_views().is_empty(), "nobody rings");
}

#[tokio::test]
async fn call_that_cannot_be_replaced_is_named_and_goes_on() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let rings = rig.user("Rings", Answering::at_once(AnsweringAction::Ring));
    let alone = room.call_to(&pia).await;
    let ringing = room.bot.call(&[&rings]).await;
    let stranger = rig.bot(ALL_ROLES).await;
    let foreign = stranger.call(&[&pia]).await;
    let replacing = |user: &User, call: &Value| {
        let mut who = whom(user);
        who["replacesCallId"] = call.clone();
        who
    };
    for (participants, status, code, target) in [
        (json!([replacing(&pia, &json!("nothing"))]), 404, "itemNotFound", "participants[0].replacesCallId"),
        (json!([replacing(&pia, &foreign["id"])]), 404, "itemNotFound", "participants[0].replacesCallId"),
        (json!([replacing(&pia, &room.call["id"])]), 400, "invalidRequest", "participants[0].replacesCallId"),
        (json!([replacing(&rings, &ringing["id"])]), 409, "invalidRequest", "participants[0].replacesCallId"),
        (json!([replacing(&rings, &alone["id"])]), 400, "invalidRequest", "participants[0].identity"),
        (json!([whom(&rings), replacing(&pia, &alone["id"])]), 400, "invalidRequest", "participants[1].replacesCallId"),
    ] {
        let answer = room.bot.post(&invite_path(&room), json!({ "participants": participants })).await;
        assert_eq!(answer.body["error"]["target"], target, "{}", answer.body);
        answer.expect_error(status, code);
    }
    assert_eq!(room.bot.get(&path_of(&alone)).await.expect(200)["state"], "established");
    let operations =
        rig.service.world().call(&room.call["id"].as_str().unwrap().into()).unwrap().operations.list().count();
    assert_eq!(operations, 0, "a refusal begins no operation");
}

#[tokio::test]
async fn unusable_invitation_is_named_and_nobody_rings() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let rings = rig.user("Rings", Answering::at_once(AnsweringAction::Ring));
    let good = whom(&rings);
    let with = |member: &str, value: Value| {
        let mut who = good.clone();
        who[member] = value;
        who
    };
    for (participants, member) in [
        (json!(null), "participants"),
        (json!([]), "participants"),
        (json!({}), "participants"),
        (json!(vec![good.clone(); 6]), "participants"),
        (json!([good, 7]), "participants[1]"),
        (json!([good, {}]), "participants[1]"),
        (json!([{ "identity": {} }]), "participants[0].identity"),
        (json!([{ "identity": { "user": {} } }]), "participants[0].identity"),
        (json!([{ "identity": { "user": { "id": 5 } } }]), "participants[0].identity.user.id"),
        (json!([with("hidden", json!("no"))]), "participants[0].hidden"),
        (json!([with("participantId", json!(""))]), "participants[0].participantId"),
        (json!([with("participantId", json!(room.ann))]), "participants[0].participantId"),
        (
            json!([with("participantId", json!("a")), with("participantId", json!("A"))]),
            "participants[1].participantId",
        ),
    ] {
        let body = json!({ "participants": participants });
        let message = room.bot.post(&invite_path(&room), body).await.expect_error(400, "invalidRequest");
        assert!(message.contains(member), "{member}: {message}");
    }
    assert!(rig.service.ring_views().is_empty());
}

#[tokio::test]
async fn inviting_is_for_group_calls_of_ones_own_with_the_role_for_it() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let body = json!({ "participants": [whom(&pia)] });
    let alone = path_of(&room.call_to(&pia).await);
    let refused = room.bot.post(&format!("{alone}/participants/invite"), body.clone()).await;
    refused.expect_error(400, "invalidRequest");
    let stranger = rig.bot(ALL_ROLES).await;
    stranger.post(&invite_path(&room), body.clone()).await.expect_error(404, "8522");
    let (guest, waiting) = guest_in_lobby(&rig).await;
    guest.post(&format!("{waiting}/participants/invite"), body.clone()).await.expect_error(409, "invalidRequest");
    let joiner = rig.bot(JOIN).await;
    let call = joiner.join(&room.meeting).await;
    let message = joiner.post(&format!("{}/participants/invite", path_of(&call)), body.clone()).await;
    assert!(message.expect_error(403, "7504").contains("Calls.InitiateGroupCall.All"));
    // Qualified, in the other family, on beta: the same.
    let path =
        beta(&invite_path(&room)).replace("/communications/", "/app/").replace("/invite", "/microsoft.graph.invite");
    let answer = room.bot.post(&path, body).await;
    assert!(answer.header("location").contains("/beta/communications/calls/"), "{}", answer.header("location"));
    answer.expect(200);
}

#[tokio::test]
async fn end_of_the_call_fails_what_still_rings() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Ring));
    invite(&room, json!([whom(&pia)])).await;
    room.bot.delete(&path_of(&room.call)).await.expect(204);
    assert_eq!(
        rig.webhook.summaries(3).await,
        ["deleted inviteParticipantsOperation Failed 400/8508", "updated terminating", "deleted terminated 200/7000"]
    );
    assert!(rig.service.ring_views().is_empty());
}
