//! What a bot does in a call, and what it is told of what others do.

use antiphon::graph::CallState;
use antiphon::{Bot, Call, CallEvent, GraphErrorKind, JoinOptions, Meeting, Method, Missing};
use antiphon_emulator::{AnsweringAction, MeetingView, NewPerson, NewSharing, PersonView};

use crate::world::{EVERYTHING, World, soon};

/// A bot in a meeting with Pia.
async fn met(world: &World, options: JoinOptions) -> (Bot, Call, MeetingView, PersonView) {
    let meeting = world.meeting();
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let person = NewPerson { user_id: Some(pia.id.clone()), ..NewPerson::default() };
    let person = world.emulator.join_person(&meeting.id, person).unwrap();
    let bot = world.bot(&world.app(&EVERYTHING)).await;
    let by_id = Meeting::by_id(&meeting.join_meeting_id, meeting.passcode.clone());
    let call = soon(bot.join(&by_id, options)).await.unwrap();
    soon(call.established()).await.unwrap();
    soon(call.roster(|all| all.len() == 2)).await.unwrap();
    (bot, call, meeting, person)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn participants_are_muted_put_on_hold_and_looked_for() {
    let world = World::new().await;
    let (_bot, call, _, pia) = met(&world, JoinOptions::default()).await;
    let is_muted = |muted: bool| {
        let id = pia.participant_id.clone();
        move |all: &[antiphon::graph::Participant]| all.iter().any(|one| one.id == id && one.is_muted == Some(muted))
    };
    soon(call.mute_participant(&pia.participant_id)).await.unwrap();
    soon(call.roster(is_muted(true))).await.unwrap();
    let nobody = soon(call.mute_participant(&"nobody".into())).await.unwrap_err();
    assert_eq!(nobody.kind(), &GraphErrorKind::NotFound(Missing::Participant));

    let hold = soon(call.start_hold_music(&pia.participant_id, None)).await.unwrap();
    assert!(hold.id().is_some());
    soon(hold.finished()).await.unwrap();
    soon(soon(call.stop_hold_music(&pia.participant_id)).await.unwrap().finished()).await.unwrap();
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sharing_is_told_from_its_beginning_to_its_end() {
    let world = World::new().await;
    let (_bot, call, meeting, pia) = met(&world, JoinOptions { content_sharing: true, ..JoinOptions::default() }).await;
    let mut events = call.events();
    let session = world.emulator.share(&meeting.id, &pia.participant_id, NewSharing::default()).unwrap();
    let mut next = async || loop {
        if let CallEvent::ContentSharing(change) = soon(events.recv()).await.unwrap() {
            return change;
        }
    };
    assert_eq!(next().await.started[0].id.as_deref(), Some(session.as_str()));
    let sessions = soon(call.content_sharing()).await.unwrap();
    assert_eq!(sessions.len(), 1);
    let png = soon(call.graph().png_of_current_slide(call.id(), &session)).await.unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    world.emulator.stop_sharing(&meeting.id, &pia.participant_id).unwrap();
    assert_eq!(next().await.ended[0].id.as_deref(), Some(session.as_str()));
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_found_gone_by_any_request_ends() {
    let world = World::new().await;
    let (_bot, call, _, _) = met(&world, JoinOptions::default()).await;
    // Ended behind the handle's back.
    let path = format!("/communications/calls/{}", call.id());
    let reply = soon(call.graph().raw(Method::DELETE, &path, None::<&()>)).await.unwrap();
    assert_eq!(reply.status, 204);
    let gone = soon(call.routing_groups().list()).await.unwrap_err();
    assert_eq!(gone.kind(), &GraphErrorKind::CallGone);
    soon(call.ended()).await;
    assert_eq!(call.status().state, Some(CallState::Terminated));
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_client_has_no_method_for_goes_as_a_raw_request() {
    let world = World::new().await;
    let (_bot, call, _, _) = met(&world, JoinOptions::default()).await;
    let path = format!("/beta/app/calls/{}/participants", call.id());
    let reply = soon(call.graph().raw(Method::GET, &path, None::<&()>)).await.unwrap();
    let body: serde_json::Value = reply.json().unwrap();
    assert_eq!(body["value"].as_array().unwrap().len(), 2);
    let path = format!("/communications/calls/{}/raiseHand", call.id());
    let refused = soon(call.graph().raw(Method::POST, &path, None::<&()>)).await.unwrap_err();
    assert_eq!(refused.kind(), &GraphErrorKind::NotSupported);
    world.emulator.stop().await;
}
