//! Content sharing: sessions, and the slide.

use super::participants::{beta, guest_in_lobby, room};
use super::*;
use crate::entra::AnsweringAction;
use crate::operations::NewSharing;

#[tokio::test]
async fn session_is_listed_and_read_while_it_lasts() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let sessions = format!("{}/contentSharingSessions", path_of(&room.call));
    let list = room.bot.get(&sessions).await.expect(200);
    assert_eq!(list["value"], json!([]));
    assert!(list["@odata.context"].as_str().unwrap().ends_with("/contentSharingSessions"));

    rig.service.share(&room.meeting.id, &room.ann.as_str().into(), NewSharing::default()).unwrap();
    let list = room.bot.get(&sessions.to_lowercase()).await.expect(200);
    let id = list["value"][0]["id"].as_str().unwrap().to_owned();
    assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let session = json!({ "@odata.type": "#microsoft.graph.contentSharingSession", "id": id });
    assert_eq!(list["value"], json!([session]), "v1.0 knows its id and nothing else");

    let one = format!("{sessions}/{}", id.to_uppercase());
    let mut read = room.bot.get(&one).await.expect(200);
    assert!(read["@odata.context"].as_str().unwrap().ends_with("/contentSharingSessions/$entity"));
    read.as_object_mut().unwrap().remove("@odata.context");
    assert_eq!(read, session);
    assert_eq!(room.bot.get(&beta(&one)).await.expect(200)["presenterParticipantId"], room.ann);
    assert_eq!(room.bot.get(&beta(&sessions)).await.expect(200)["value"][0]["presenterParticipantId"], room.ann);

    rig.service.stop_sharing(&room.meeting.id, &room.ann.as_str().into()).unwrap();
    assert_eq!(room.bot.get(&sessions).await.expect(200)["value"], json!([]));
    room.bot.get(&one).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn current_slide_is_a_png_on_beta_only() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    rig.service.share(&room.meeting.id, &room.ann.as_str().into(), NewSharing::default()).unwrap();
    let sessions = format!("{}/contentSharingSessions", path_of(&room.call));
    let id = room.bot.get(&sessions).await.expect(200)["value"][0]["id"].as_str().unwrap().to_owned();
    let slide = format!("{sessions}/{id}/pngOfCurrentSlide");
    let answer = room.bot.get(&beta(&slide)).await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "image/png"));
    assert!(answer.body.as_str().unwrap().contains("PNG"), "{}", answer.body);
    room.bot.get(&slide).await.expect_error(404, "ResourceNotFound");
    room.bot.get(&beta(&slide.replace(&id, "x"))).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn sharing_in_a_peer_to_peer_call_is_read_too_and_nobody_elses_is() {
    let rig = Rig::start().await;
    let room = room(&rig).await;
    let pia = rig.user("Pia", Answering::at_once(AnsweringAction::Answer));
    let call = room.call_to(&pia).await;
    let sessions = format!("{}/contentSharingSessions", path_of(&call));
    assert_eq!(room.bot.get(&sessions).await.expect(200)["value"], json!([]));
    let id = CallId::new(call["id"].as_str().unwrap());
    let (meeting, person) = {
        let world = rig.service.world();
        (world.call(&id).unwrap().meeting.clone(), world.other_end(&id).unwrap())
    };
    rig.service.share(&meeting, &person, NewSharing::default()).unwrap();
    assert_eq!(room.bot.get(&sessions).await.expect(200)["value"].as_array().unwrap().len(), 1);

    let stranger = rig.bot(JOIN).await;
    for path in [sessions.clone(), format!("{sessions}/x"), format!("{}/x/pngOfCurrentSlide", beta(&sessions))] {
        stranger.get(&path).await.expect_error(404, "8522");
    }
    let (guest, waiting) = guest_in_lobby(&rig).await;
    let seen = guest.get(&format!("{waiting}/contentSharingSessions")).await.expect(200);
    assert_eq!(seen["value"], json!([]), "whoever waits in the lobby sees nothing");
}
