//! Mixer levels (beta): what is taken and what is refused.

use super::participants::{assert_common_refusals, beta, room};
use super::*;

fn level(participant: &str, source: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.participantMixerLevel",
        "participant": participant,
        "exclusiveMode": true,
        "ducking": {
            "@odata.type": "#microsoft.graph.audioDuckingConfiguration",
            "rampActive": 50, "rampInactive": 5000, "lowerLevel": 10, "upperLevel": 50,
        },
        "sourceLevels": [{
            "@odata.type": "#microsoft.graph.audioSourceLevel",
            "participant": source, "level": 50, "duckOthers": true,
        }],
    })
}

#[tokio::test]
async fn levels_are_acknowledged_by_an_operation_that_completes() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let path = format!("{}/configureMixer", beta(&room.participants));
    let body = json!({ "clientContext": "mix", "participantMixerLevels": [level(&room.ann, &room.me)] });
    let answer = room.bot.post(&path, body).await;
    assert!(answer.header("location").contains("/beta/communications/calls/"));
    let operation = answer.expect(200);
    assert_eq!(operation["@odata.type"], "#microsoft.graph.commsOperation");
    assert_eq!((&operation["status"], &operation["clientContext"]), (&json!("Running"), &json!("mix")));
    rig.pass(Duration::from_secs(1)).await;
    let posted = rig.webhook.next().await;
    assert_eq!(posted.summary(), "deleted commsOperation Completed");
    assert_eq!(posted.notification()["resourceData"]["id"], operation["id"]);
}

#[tokio::test]
async fn wrong_level_is_named_by_its_path() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let path = format!("{}/configureMixer", beta(&room.participants));
    let good = || json!({ "participantMixerLevels": [level(&room.ann, &room.me), level(&room.ben, &room.me)] });
    let first = "participantMixerLevels[0]";
    for (pointer, value, member) in [
        ("/participantMixerLevels", json!([]), "participantMixerLevels".to_owned()),
        ("/participantMixerLevels", json!({}), "participantMixerLevels".to_owned()),
        ("/participantMixerLevels/0/participant", json!(null), format!("{first}.participant")),
        ("/participantMixerLevels/0/exclusiveMode", json!("yes"), format!("{first}.exclusiveMode")),
        ("/participantMixerLevels/0/ducking/rampActive", json!(5001), format!("{first}.ducking.rampActive")),
        ("/participantMixerLevels/0/ducking/rampInactive", json!(-1), format!("{first}.ducking.rampInactive")),
        ("/participantMixerLevels/0/ducking/lowerLevel", json!(101), format!("{first}.ducking.lowerLevel")),
        ("/participantMixerLevels/0/ducking/lowerLevel", json!(51), format!("{first}.ducking.lowerLevel")),
        ("/participantMixerLevels/0/ducking/upperLevel", json!("all"), format!("{first}.ducking.upperLevel")),
        ("/participantMixerLevels/0/ducking/upperLevel", json!(null), format!("{first}.ducking.upperLevel")),
        ("/participantMixerLevels/0/ducking", json!(null), format!("{first}.sourceLevels[0].duckOthers")),
        ("/participantMixerLevels/0/sourceLevels/0/level", json!(-1), format!("{first}.sourceLevels[0].level")),
        (
            "/participantMixerLevels/0/sourceLevels/0/participant",
            json!(null),
            format!("{first}.sourceLevels[0].participant"),
        ),
        ("/participantMixerLevels/1/sourceLevels/0", json!(7), "participantMixerLevels[1].sourceLevels[0]".to_owned()),
    ] {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = value;
        let answer = room.bot.post(&path, body).await;
        assert_eq!(answer.body["error"]["target"], member, "{}", answer.body);
        answer.expect_error(400, "invalidRequest");
    }
    for (pointer, member) in [
        ("/participantMixerLevels/1/participant", "participantMixerLevels[1].participant"),
        (
            "/participantMixerLevels/1/sourceLevels/0/participant",
            "participantMixerLevels[1].sourceLevels[0].participant",
        ),
    ] {
        let mut body = good();
        *body.pointer_mut(pointer).unwrap() = json!("nobody");
        let answer = room.bot.post(&path, body).await;
        assert_eq!(answer.body["error"]["target"], member, "{}", answer.body);
        answer.expect_error(404, "itemNotFound");
    }
    room.bot.post(&path, good()).await.expect(200);
}

#[tokio::test]
async fn mixing_has_the_refusals_of_roster_actions_and_is_beta_only() {
    let rig = Rig::start().await;
    let body = json!({ "participantMixerLevels": [level("a", "b")] });
    assert_common_refusals(&rig, "/beta/", "participants/configureMixer", Some(body.clone())).await;
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let refused = room.bot.post(&format!("{}/configureMixer", room.participants), body).await;
    assert!(matches!(refused.status.as_u16(), 404 | 405), "{}", refused.status);
}
