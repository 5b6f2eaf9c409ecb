//! Rosters: full, delta, and on request.

use super::*;

fn names(participants: &Value) -> Vec<String> {
    let name = |participant: &Value| {
        let identity = &participant["info"]["identity"];
        ["application", "guest", "user"]
            .iter()
            .find_map(|kind| identity[kind]["displayName"].as_str())
            .unwrap()
            .to_owned()
    };
    participants.as_array().unwrap().iter().map(name).collect()
}

async fn next_roster(rig: &Rig) -> Value {
    loop {
        let posted = rig.webhook.next().await;
        if posted.summary() == "roster" {
            return posted.notification()["resourceData"].clone();
        }
    }
}

#[tokio::test]
async fn full_roster_lists_everybody_at_each_change() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.person(&meeting, "Ann");
    let call = bot.join(&meeting).await;
    let roster = next_roster(&rig).await;
    assert_eq!(names(&roster), ["Ann", "Bot"]);
    assert_eq!(roster[0]["@odata.type"], "#microsoft.graph.participant");
    assert_eq!(roster[0]["isInLobby"], false);
    assert_eq!(roster[0]["isMuted"], false);
    let stream = &roster[0]["mediaStreams"][0];
    assert_eq!(stream["mediaType"], "audio");
    assert_eq!(stream["label"], "main-audio");
    assert_eq!(stream["sourceId"], "100");
    assert_eq!(stream["direction"], "sendReceive");
    assert_eq!(stream["serverMuted"], false);
    assert_eq!(roster[1]["id"], call["myParticipantId"]);

    let ben = rig.person(&meeting, "Ben");
    assert_eq!(names(&next_roster(&rig).await), ["Ann", "Bot", "Ben"]);
    rig.service.remove_participant(&meeting.id, &ben).unwrap();
    assert_eq!(names(&next_roster(&rig).await), ["Ann", "Bot"]);
}

#[tokio::test]
async fn delta_roster_is_numbered_from_one_without_gaps_and_starts_complete() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.person(&meeting, "Ann");
    let mut body = bot.join_body(&meeting);
    body["callOptions"] =
        json!({ "isDeltaRosterEnabled": true, "@odata.type": "#microsoft.graph.outgoingCallOptions" });
    let call = bot.post("/v1.0/communications/calls", body).await.expect(201);
    let me = ParticipantId::new(call["myParticipantId"].as_str().unwrap());
    rig.report(&meeting.id, &me, MediaEventKind::Connected);

    let first = next_roster(&rig).await;
    assert_eq!(first["@odata.type"], "#microsoft.graph.deltaParticipants");
    assert_eq!(first["sequenceNumber"], 1);
    assert_eq!(names(&first["participants"]), ["Ann", "Bot"]);

    let ben = rig.person(&meeting, "Ben");
    let second = next_roster(&rig).await;
    assert_eq!(second["sequenceNumber"], 2);
    assert_eq!(names(&second["participants"]), ["Ben"]);
    assert_eq!(second["participants"][0]["rosterSequenceNumber"], 2);

    let mute = crate::ParticipantPatch { is_muted: Some(true), ..Default::default() };
    rig.service.patch_participant(&meeting.id, &ben, mute).unwrap();
    let third = next_roster(&rig).await;
    assert_eq!(third["participants"][0]["isMuted"], true);
    assert_eq!(third["participants"][0]["mediaStreams"][0]["serverMuted"], true);

    rig.service.remove_participant(&meeting.id, &ben).unwrap();
    let fourth = next_roster(&rig).await;
    assert_eq!(fourth["sequenceNumber"], 4);
    assert_eq!(fourth["participants"][0]["removedState"]["reason"], "Left");
}

#[tokio::test]
async fn participants_are_listed_once_the_call_is_established() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let ann = rig.person(&meeting, "Ann");
    let call = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect(201);
    let list = format!("{}/participants", path_of(&call));
    assert_eq!(bot.get(&list).await.expect(200)["value"], json!([]));
    let me = ParticipantId::new(call["myParticipantId"].as_str().unwrap());
    rig.report(&meeting.id, &me, MediaEventKind::Connected);
    let page = bot.get(&list).await.expect(200);
    assert_eq!(names(&page["value"]), ["Ann", "Bot"]);
    let one = bot.get(&format!("{list}/{ann}")).await.expect(200);
    assert_eq!(one["info"]["identity"]["guest"]["displayName"], "Ann");
    let message = bot.get(&format!("{list}/nobody")).await.expect_error(404, "itemNotFound");
    assert_eq!(message, "Participant not found");
}

#[tokio::test]
async fn bots_see_each_other_only_once_established() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let first = rig.bot(JOIN).await;
    first.join(&meeting).await;
    assert_eq!(names(&next_roster(&rig).await).len(), 1);
    let second = rig.bot(JOIN).await;
    let call = second.post("/v1.0/communications/calls", second.join_body(&meeting)).await.expect(201);
    second.delete(&path_of(&call)).await.expect(204);
    rig.person(&meeting, "Ann");
    assert_eq!(names(&next_roster(&rig).await), ["Bot", "Ann"], "a bot that never connected was never shown");
}
