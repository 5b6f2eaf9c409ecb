//! People without a connection who speak, through the administration API; media is a recorder.

use super::media::SPOKEN_SOURCE;
use super::*;

/// A person without media, as participant id.
fn silent(rig: &Rig, meeting: &MeetingView, name: &str) -> ParticipantId {
    let person = NewPerson { display_name: Some(name.to_owned()), ..NewPerson::default() };
    rig.service.join_person(&meeting.id, person).unwrap().participant_id
}

fn speak_path(meeting: &MeetingView, who: &ParticipantId) -> String {
    format!("/emulator/meetings/{}/participants/{who}/speak", meeting.id)
}

async fn post_wav(rig: &Rig, path: &str, wav: Vec<u8>) -> Answer {
    let request = Request::post(path).header(HOST, "localhost:8443").header(CONTENT_TYPE, "audio/wav");
    rig.send(local(request.body(Body::from(wav)).unwrap())).await
}

fn wav(frames: u32) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    (0..2 * frames).for_each(|_| writer.write_sample(1_000_i16).unwrap());
    writer.finalize().unwrap();
    file.into_inner()
}

#[tokio::test]
async fn first_words_give_a_source_that_rosters_show_and_groups_route() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let ann = silent(&rig, &meeting, "Ann");
    let ben = rig.person(&meeting, "Ben");
    let bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    let group = json!({ "id": "g", "routingMode": "oneToOne", "sources": [ann], "receivers": [ben] });
    bot.post(&format!("{call}/audioRoutingGroups"), group).await.expect(200);
    rig.media.take();

    let path = speak_path(&meeting, &ann);
    let spoken = rig.admin(Method::POST, &path, Some(json!({ "tone": 440 }))).await.expect(202);
    assert_eq!(spoken, json!({ "heardForSeconds": 2.0 }));
    let log = rig.media.take();
    assert_eq!(log[0], format!("speak {ann} default=true muted=false for 2 s"));
    assert!(log[1].starts_with("group ") && log[1].contains(ann.as_str()), "{log:?}");
    let shown = bot.get(&format!("{call}/participants/{ann}")).await.expect(200);
    assert_eq!(shown["mediaStreams"][0]["sourceId"], SPOKEN_SOURCE.to_string());

    let spoken = post_wav(&rig, &path, wav(8_000)).await.expect(202);
    assert_eq!(spoken["heardForSeconds"], 0.5);
    assert_eq!(rig.media.take().len(), 1, "the second time nothing else changes");
    rig.admin(Method::DELETE, &path, None).await.expect(204);
    assert_eq!(rig.media.take(), [format!("hush {ann}")]);
}

#[tokio::test]
async fn what_cannot_be_said_is_refused_and_changes_nothing() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let ann = silent(&rig, &meeting, "Ann");
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let me = ParticipantId::new(call["myParticipantId"].as_str().unwrap());
    rig.media.take();
    let tone = json!({ "tone": 440, "seconds": 1 });
    let path = speak_path(&meeting, &ann);
    for (path, body, status, word) in [
        (speak_path(&meeting, &"x".into()), &tone, 404, "participant"),
        (format!("/emulator/meetings/x/participants/{ann}/speak"), &tone, 404, "meeting"),
        (speak_path(&meeting, &me), &tone, 400, "application"),
        (path.clone(), &json!({ "tone": 5 }), 400, "tone"),
        (path.clone(), &json!({ "tone": 440, "seconds": 0 }), 400, "seconds"),
        (path.clone(), &json!({}), 400, "`tone`"),
        (path.clone(), &json!({ "tone": 440, "volume": 11 }), 400, "`volume`"),
    ] {
        let answer = rig.admin(Method::POST, &path, Some(body.clone())).await.expect(status);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{message}");
    }
    post_wav(&rig, &path, b"RIFF and no more".to_vec()).await.expect(400);
    post_wav(&rig, &path, wav(16_000 * 121)).await.expect(400);
    post_wav(&rig, &path, vec![b'R'; 24 << 20]).await.expect(413);
    assert_eq!(rig.media.take(), Vec::<String>::new());
}
