//! What a bot does in a call, and what it is told of what others do.

use antiphon::graph::action::RecordResponse;
use antiphon::graph::{CallState, CallTranscriptionState, MediaPrompt, RecordingStatus, ScreenSharingRole, Tone};
use antiphon::{Bot, Call, CallEvent, GraphErrorKind, JoinOptions, Meeting, Method, Missing, OperationError};
use antiphon_emulator::{AnsweringAction, MeetingView, NewPerson, NewSharing, PersonView};

use crate::world::{EVERYTHING, World, ring, soon};

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

/// A bot that Pia called and that has the service's media.
async fn answered(world: &World, policy_recording: bool) -> (Bot, Call, antiphon_emulator::UserCallView) {
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let (app, bot, mut calls) = world.callee(&EVERYTHING).await;
    let placed = world.call(&pia, &app, |call| call.policy_recording = policy_recording);
    let incoming = ring(&mut calls).await;
    assert_eq!(incoming.is_policy_recording(), policy_recording);
    let call = soon(incoming.answer(JoinOptions::service_hosted())).await.unwrap();
    soon(call.established()).await.unwrap();
    (bot, call, placed)
}

const PROMPT: &str = "https://cdn.example/hello.wav";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prompts_recordings_and_keys_are_operations_that_end() {
    let world = World::new().await;
    let (_bot, call, placed) = answered(&world, false).await;
    let playing = soon(call.play_prompt([PROMPT])).await.unwrap();
    let id = playing.id().unwrap().to_owned();
    let played = soon(playing.finished()).await.unwrap();
    assert_eq!(played.operation.id.as_deref(), Some(id.as_str()));
    assert_eq!(played.operation.result_info.unwrap().code, Some(200));

    // Cancelled, both that runs and that waits.
    let terms = RecordResponse {
        prompts: vec![MediaPrompt::of(PROMPT).into()],
        max_record_duration_in_seconds: Some(120),
        ..RecordResponse::default()
    };
    let recording = soon(call.record(terms)).await.unwrap();
    let waiting = soon(call.play_prompt([PROMPT])).await.unwrap();
    soon(call.cancel_media()).await.unwrap();
    for outcome in [soon(recording.finished()).await.map(drop), soon(waiting.finished()).await.map(drop)] {
        let Err(OperationError::Failed(operation)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(operation.result_info.unwrap().subcode, Some(8508));
    }

    // Keys in and out.
    soon(call.subscribe_to_tones()).await.unwrap();
    let mut events = call.events();
    let keys = antiphon_emulator::KeyPresses { tones: vec![Tone::Tone4, Tone::Tone2, Tone::Pound] };
    world.emulator.press_keys(&placed.conversation_id, &placed.participant.participant_id, &keys).unwrap();
    let mut pressed = Vec::new();
    while pressed.len() < 3 {
        if let CallEvent::Tone(tone) = soon(events.recv()).await.unwrap() {
            pressed.push((tone.sequence_id.unwrap(), tone.tone.unwrap()));
        }
    }
    pressed.sort_by_key(|(sequence, _)| *sequence);
    assert_eq!(pressed.into_iter().map(|(_, tone)| tone).collect::<Vec<_>>(), keys.tones);
    soon(soon(call.send_tones([Tone::Tone1, Tone::Star])).await.unwrap().finished()).await.unwrap();

    // An operation that runs when the call ends does not keep anybody waiting.
    let terms = RecordResponse { max_record_duration_in_seconds: Some(120), ..RecordResponse::default() };
    let recording = soon(call.record(terms)).await.unwrap();
    soon(call.hang_up()).await;
    assert!(soon(recording.finished()).await.is_err());
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_under_a_recording_policy_says_when_it_records() {
    let world = World::new().await;
    let (_bot, call, _) = answered(&world, true).await;
    soon(call.set_recording_status(RecordingStatus::Recording)).await.unwrap();
    soon(call.set_recording_status(RecordingStatus::NotRecording)).await.unwrap();

    let (_other_bot, other, _, _) = met(&world, JoinOptions::default()).await;
    let refused = soon(other.set_recording_status(RecordingStatus::Recording)).await.unwrap_err();
    assert_eq!((refused.status(), refused.code()), (Some(403), "8506"));
    assert_eq!(refused.kind(), &GraphErrorKind::Forbidden);
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_mutes_itself_and_shares_and_has_the_meeting_recorded_and_transcribed() {
    let world = World::new().await;
    let (_bot, call, _, _) = met(&world, JoinOptions::default()).await;
    let me = call.my_participant_id().unwrap();
    let is_muted = |muted: bool| {
        let me = me.clone();
        move |all: &[antiphon::graph::Participant]| all.iter().any(|one| one.id == me && one.is_muted == Some(muted))
    };
    soon(call.mute()).await.unwrap();
    soon(call.roster(is_muted(true))).await.unwrap();
    soon(call.unmute()).await.unwrap();
    soon(call.roster(is_muted(false))).await.unwrap();
    soon(call.set_screen_sharing_role(ScreenSharingRole::Sharer)).await.unwrap();
    soon(soon(call.add_large_gallery_view()).await.unwrap().finished()).await.unwrap();

    let mut events = call.events();
    soon(soon(call.start_recording()).await.unwrap().finished()).await.unwrap();
    soon(soon(call.start_transcription("en-us")).await.unwrap().finished()).await.unwrap();
    let active = async {
        loop {
            if let CallEvent::Transcription(info) = events.recv().await.unwrap() {
                return info.state;
            }
        }
    };
    assert_eq!(soon(active).await, Some(CallTranscriptionState::Active));
    soon(soon(call.stop_transcription()).await.unwrap().finished()).await.unwrap();
    soon(soon(call.stop_recording()).await.unwrap().finished()).await.unwrap();
    world.emulator.stop().await;
}
