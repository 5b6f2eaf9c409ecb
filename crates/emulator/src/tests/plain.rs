//! Plain RTP legs through the administration API; media is a recorder.

use super::*;

fn path(meeting: &MeetingView) -> String {
    format!("/emulator/meetings/{}/plainLegs", meeting.id)
}

#[tokio::test]
async fn a_plain_leg_is_a_participant_with_a_source_until_it_is_taken_out() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let given = rig.admin(Method::POST, &path(&meeting), Some(json!({}))).await.expect(201);
    let id = given["participantId"].as_str().unwrap().to_owned();
    assert_eq!((&given["localAddress"], &given["ssrc"]), (&json!("127.0.0.1:5004"), &json!(77)));
    assert_eq!((&given["codec"], &given["payloadType"]), (&json!("opus"), &json!(96)));
    assert_eq!(
        rig.media.take(),
        [format!("plain {id} default=true muted=false Opus/96 srtp=false Symmetric {{ first: None }}")]
    );
    let shown = rig.admin(Method::GET, &format!("/emulator/meetings/{}", meeting.id), None).await.expect(200);
    let member = &shown["participants"][0];
    assert_eq!((&member["displayName"], &member["sourceId"]), (&json!("Plain RTP"), &given["sourceId"]));
    rig.admin(Method::DELETE, &format!("/emulator/meetings/{}/participants/{id}", meeting.id), None).await.expect(204);
    assert_eq!(rig.media.take(), [format!("leave {id}")]);
}

#[tokio::test]
async fn codec_addresses_and_keys_reach_the_engine() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let leg = json!({
        "displayName": "Gateway", "remoteAddress": "192.0.2.7:4000", "symmetric": true, "codec": "pcma",
        "telephoneEventPayloadType": 101, "levelExtensionId": 1, "idleTimeoutMs": 30_000, "isMuted": true,
        "srtp": {
            "suite": "AES_CM_128_HMAC_SHA1_80",
            "ourKey": "inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
            "theirKey": "inline:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9",
        },
    });
    let given = rig.admin(Method::POST, &path(&meeting), Some(leg)).await.expect(201);
    let id = given["participantId"].as_str().unwrap();
    let first = "Symmetric { first: Some(192.0.2.7:4000) }";
    assert_eq!(rig.media.take(), [format!("plain {id} default=true muted=true Pcma/8 srtp=true {first}")]);
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name_and_changes_nothing() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let key = "inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
    let srtp = |suite: &str, ours: &str| json!({ "srtp": { "suite": suite, "ourKey": ours, "theirKey": key } });
    let cases = [
        (json!({ "remoteAddress": "localhost" }), "\"localhost\" is no IP address and port, such as 192.0.2.7:5004"),
        (json!({ "remoteAddress": "0.0.0.0:9" }), "audio cannot be sent to 0.0.0.0:9: it is no host's address"),
        (json!({ "payloadType": 72 }), "72 is no usable payload type"),
        (json!({ "codec": "g722" }), "unknown variant `g722`"),
        (json!({ "levelExtensionId": 15 }), "15 is no header extension id"),
        (json!({ "idleTimeoutMs": 0 }), "the idle time is zero"),
        (srtp("NULL", key), "srtp.ourKey: SRTP suite \"NULL\" is not supported"),
        (srtp("AES_CM_128_HMAC_SHA1_80", "inline:AAEC"), "srtp.ourKey: the SRTP key has 3 bytes"),
        (srtp("AES_CM_128_HMAC_SHA1_80", key), "both directions have the same SRTP key"),
    ];
    for (body, expected) in cases {
        let answer = rig.admin(Method::POST, &path(&meeting), Some(body.clone())).await.expect(400);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{body}: {message}");
    }
    let user = json!({ "userId": "nobody" });
    rig.admin(Method::POST, &path(&meeting), Some(user)).await.expect(404);
    rig.admin(Method::POST, "/emulator/meetings/none/plainLegs", Some(json!({}))).await.expect(404);
    assert_eq!(rig.media.take(), [""; 0]);
    let shown = rig.admin(Method::GET, &format!("/emulator/meetings/{}", meeting.id), None).await.expect(200);
    assert_eq!(shown["participants"], json!([]));
}
