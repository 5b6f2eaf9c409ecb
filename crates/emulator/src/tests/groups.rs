//! Audio routing groups: Graph's rules, and the routes the engine is given.

use super::participants::{ALL_ROLES, guest_in_lobby};
use super::*;
use crate::entra::AnsweringAction;

struct Room<'a> {
    bot: Bot<'a>,
    groups: String,
    call_id: String,
    me: String,
    ann: String,
    ben: String,
    meeting: MeetingView,
}

async fn room(rig: &Rig) -> Room<'_> {
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let (ann, ben) = (rig.person(&meeting, "Ann"), rig.person(&meeting, "Ben"));
    rig.media.take();
    Room {
        groups: format!("{}/audioRoutingGroups", path_of(&call)),
        call_id: call["id"].as_str().unwrap().to_owned(),
        me: call["myParticipantId"].as_str().unwrap().to_owned(),
        ann: ann.to_string(),
        ben: ben.to_string(),
        meeting,
        bot,
    }
}

fn group(id: &str, mode: &str, sources: &[&str], receivers: &[&str]) -> Value {
    json!({ "id": id, "routingMode": mode, "sources": sources, "receivers": receivers })
}

#[tokio::test]
async fn group_lives_from_post_to_delete_and_the_engine_follows() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (bot, me, ann, ben) = (&room.bot, room.me.as_str(), room.ann.as_str(), room.ben.as_str());
    let name = format!("{}/multi cast", room.call_id);

    let created = bot.post(&room.groups, group("Multi cast", "multicast", &[me], &[ann, ben])).await.expect(200);
    assert_eq!(created["@odata.type"], "#microsoft.graph.audioRoutingGroup");
    assert_eq!(created["id"], "Multi cast");
    assert_eq!(rig.media.take(), [format!("group {name} [{me}] -> [{ann}, {ben}]")]);

    let one = format!("{}/multi%20CAST", room.groups);
    let read = bot.get(&one).await.expect(200);
    assert_eq!(read, created);
    let patch = json!({ "receivers": [ben] });
    let patched = bot.request(Method::PATCH, &one, Some(&patch)).await.expect(200);
    assert_eq!(patched["receivers"], json!([ben]));
    assert_eq!(patched["routingMode"], "multicast");
    assert_eq!(rig.media.take(), [format!("group {name} [{me}] -> [{ben}]")]);

    let list = bot.get(&room.groups).await.expect(200);
    assert_eq!(list["value"], json!([patched]));
    assert!(list["@odata.context"].as_str().unwrap().ends_with("/audioRoutingGroups"));

    bot.delete(&one).await.expect(204);
    assert_eq!(rig.media.take(), [format!("no group {name}")]);
    bot.get(&one).await.expect_error(404, "itemNotFound");
    bot.delete(&one).await.expect_error(404, "itemNotFound");
    bot.request(Method::PATCH, &one, Some(&patch)).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn broken_rule_is_refused_and_changes_nothing() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (bot, me, ann, ben) = (&room.bot, room.me.as_str(), room.ann.as_str(), room.ben.as_str());
    bot.post(&room.groups, group("g", "multicast", &[me], &[ann])).await.expect(200);
    rig.media.take();
    let before = bot.get(&room.groups).await.expect(200);

    let nobody = "0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10";
    for body in [
        group("x", "oneToOne", &[me], &[ann, ben]),
        group("x", "oneToOne", &[me], &[]),
        group("x", "multicast", &[me, ann], &[ben]),
        group("x", "multicast", &[me], &[]),
        group("x", "multicast", &[], &[ben]),
        group("x", "multicast", &[me], &[me]),
        group("x", "multicast", &[me], &[nobody]),
        group("x", "multicast", &[nobody], &[ann]),
        group("x", "broadcast", &[me], &[ann]),
        json!({ "id": "x", "sources": [me], "receivers": [ann] }),
        json!({ "id": "x", "routingMode": "multicast", "sources": me }),
    ] {
        bot.post(&room.groups, body).await.expect_error(400, "invalidRequest");
    }
    bot.post(&room.groups, group("G", "oneToOne", &[ann], &[me])).await.expect_error(409, "nameAlreadyExists");
    for patch in [
        json!({ "receivers": [] }),
        json!({ "receivers": [me] }),
        json!({ "receivers": [nobody] }),
        json!({ "sources": [me, ben] }),
        json!({ "routingMode": "oneToOne", "receivers": [ann, ben] }),
    ] {
        let path = format!("{}/g", room.groups);
        bot.request(Method::PATCH, &path, Some(&patch)).await.expect_error(400, "invalidRequest");
    }
    assert_eq!(bot.get(&room.groups).await.expect(200), before);
    assert!(rig.media.take().is_empty(), "the engine heard of nothing");
}

#[tokio::test]
async fn group_without_an_id_gets_one() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let body = json!({ "routingMode": "oneToOne", "sources": [room.ann], "receivers": [room.me] });
    let created = room.bot.post(&room.groups, body).await.expect(200);
    let id = created["id"].as_str().unwrap();
    room.bot.get(&format!("{}/{id}", room.groups)).await.expect(200);
}

#[tokio::test]
async fn member_who_leaves_is_dropped_from_the_group_and_the_group_stays() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (bot, me, ann, ben) = (&room.bot, room.me.as_str(), room.ann.as_str(), room.ben.as_str());
    bot.post(&room.groups, group("g", "multicast", &[me], &[ann, ben])).await.expect(200);
    rig.media.take();
    rig.service.remove_participant(&room.meeting.id, &ann.into()).unwrap();
    assert_eq!(rig.media.take(), [format!("leave {ann}"), format!("group {}/g [{me}] -> [{ben}]", room.call_id)]);
    rig.service.remove_participant(&room.meeting.id, &ben.into()).unwrap();
    assert_eq!(rig.media.take(), [format!("leave {ben}"), format!("no group {}/g", room.call_id)]);
    let left = bot.get(&format!("{}/g", room.groups)).await.expect(200);
    assert_eq!(left["receivers"], json!([]));
}

#[tokio::test]
async fn groups_end_with_their_call() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (bot, me, ann) = (&room.bot, room.me.as_str(), room.ann.as_str());
    bot.post(&room.groups, group("g", "oneToOne", &[me], &[ann])).await.expect(200);
    rig.media.take();
    bot.delete(room.groups.strip_suffix("/audioRoutingGroups").unwrap()).await.expect(204);
    assert_eq!(rig.media.take(), [format!("no group {}/g", room.call_id), format!("leave {me}")]);
}

#[tokio::test]
async fn people_without_media_are_members_but_not_routed() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let silent = NewPerson { display_name: Some("Silent".to_owned()), ..NewPerson::default() };
    let silent = rig.service.join_person(&room.meeting.id, silent).unwrap().participant_id.to_string();
    let (bot, me, ann) = (&room.bot, room.me.as_str(), room.ann.as_str());
    bot.post(&room.groups, group("g", "multicast", &[me], &[&silent, ann])).await.expect(200);
    assert_eq!(rig.media.take(), [format!("group {}/g [{me}] -> [{ann}]", room.call_id)]);
}

#[tokio::test]
async fn peer_to_peer_call_and_lobby_have_no_routing_groups() {
    let rig = Rig::start().await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let bot = rig.bot(ALL_ROLES).await;
    let call = bot.call(&[&pia]).await;
    rig.settle().await;
    let groups = format!("{}/audioRoutingGroups", path_of(&call));
    let one = format!("{groups}/g");
    let body = group("g", "oneToOne", &["a"], &["b"]);
    for (method, path, body) in [
        (Method::POST, &groups, Some(body.clone())),
        (Method::GET, &groups, None),
        (Method::GET, &one, None),
        (Method::PATCH, &one, Some(json!({ "receivers": ["c"] }))),
        (Method::DELETE, &one, None),
    ] {
        let message = bot.request(method, path, body.as_ref()).await.expect_error(400, "invalidRequest");
        assert!(message.contains("peer-to-peer"), "{message}");
    }
    let (guest, waiting) = guest_in_lobby(&rig).await;
    let groups = format!("{waiting}/audioRoutingGroups");
    guest.post(&groups, body).await.expect_error(409, "invalidRequest");
    assert_eq!(guest.get(&groups).await.expect(200)["value"], json!([]));
}

#[tokio::test]
async fn source_and_mode_of_a_group_stay_where_the_service_is_strict() {
    for strict in [true, false] {
        let rig = Rig::with(|config| config.strict_routing_groups = strict).await;
        let room = room(&rig).await;
        let (bot, me, ann, ben) = (&room.bot, room.me.as_str(), room.ann.as_str(), room.ben.as_str());
        let created = bot.post(&room.groups, group("g", "multicast", &[me], &[ann])).await.expect(200);
        let path = format!("{}/g", room.groups);
        rig.media.take();
        for (patch, member) in
            [(json!({ "sources": [ben] }), "sources"), (json!({ "routingMode": "oneToOne" }), "routingMode")]
        {
            let answer = bot.request(Method::PATCH, &path, Some(&patch)).await;
            if strict {
                assert_eq!(answer.body["error"]["target"], member, "{}", answer.body);
                answer.expect_error(400, "invalidRequest");
                assert!(rig.media.take().is_empty());
            } else {
                assert_eq!(answer.expect(200)[member], patch[member]);
            }
        }
        if strict {
            let same = json!({ "sources": [me], "routingMode": "multicast", "receivers": [ann, ben] });
            let mut expected = created;
            expected["receivers"] = json!([ann, ben]);
            assert_eq!(
                bot.request(Method::PATCH, &path, Some(&same)).await.expect(200),
                expected,
                "nothing fixed changes"
            );
        }
    }
}

#[tokio::test]
async fn wrong_member_of_a_group_is_named_by_its_path() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let (me, ann) = (room.me.as_str(), room.ann.as_str());
    for (body, member) in [
        (group("x", "oneToOne", &[me], &[ann, me]), "receivers"),
        (group("x", "broadcast", &[me], &[ann]), "routingMode"),
        (group("x", "multicast", &[me, ann], &[me]), "sources"),
        (group("x", "multicast", &[me], &[ann, "nobody"]), "receivers[1]"),
        (group("x", "multicast", &["nobody"], &[ann]), "sources[0]"),
        (json!({ "routingMode": "multicast", "sources": [7], "receivers": [ann] }), "sources[0]"),
    ] {
        let answer = room.bot.post(&room.groups, body).await;
        assert_eq!(answer.body["error"]["target"], member, "{}", answer.body);
        answer.expect_error(400, "invalidRequest");
    }
}
