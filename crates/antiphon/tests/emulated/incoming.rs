//! Calls to bots: from people and from other bots, answered, refused, sent elsewhere, given up.

use antiphon::graph::{AudioRoutingGroup, CallState, MeetingInfo, RejectReason};
use antiphon::{
    AudioFormat, DecisionError, EndCause, GraphErrorKind, JoinError, JoinOptions, MediaStatus, Meeting,
    NotificationKind, Target,
};
use antiphon_emulator::{AnsweringAction, Consent, NewPerson};

use crate::world::{EVERYTHING, World, listen, ring, share, sing, soon};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_answers_a_person_and_hangs_up() {
    let world = World::new().await;
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let (app, bot, mut calls) = world.callee(&EVERYTHING).await;
    let mut seen = bot.notifications();
    let placed = world.call(&pia, &app, |_| {});
    let incoming = ring(&mut calls).await;
    assert_eq!(incoming.id(), &placed.call_id);
    assert_eq!(incoming.caller().unwrap().user.as_ref().unwrap().id.as_deref(), Some(pia.id.as_str()));
    assert_eq!(incoming.resource().state, Some(CallState::Incoming));
    assert!(incoming.chat_info().is_none() && incoming.meeting_info().is_none() && !incoming.is_policy_recording());

    let call = soon(incoming.answer(JoinOptions::default())).await.unwrap();
    soon(call.established()).await.unwrap();
    assert_eq!(call.status().media, MediaStatus::Connected);
    let ended = soon(call.hang_up()).await;
    assert!(ended.is_normal() && matches!(ended, EndCause::Notified(Some(_))), "{ended:?}");
    assert!(world.emulator.calls().is_empty());

    // Each verified notification was seen: what it was about, and in which state.
    let mut states = Vec::new();
    while let Ok(sighting) = seen.try_recv() {
        assert_eq!(sighting.call.as_ref(), Some(&placed.call_id));
        if matches!(sighting.kind, NotificationKind::IncomingCall | NotificationKind::Call) {
            states.extend(sighting.state);
        }
    }
    let expected = ["incoming", "establishing", "established", "terminating", "terminated"];
    assert_eq!(states, expected.map(CallState::parse));
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bots_call_each_other_and_talk() {
    let world = World::new().await;
    let (_, ada, _ada_calls) = world.callee(&EVERYTHING).await;
    let (bea_app, _bea, mut bea_calls) = world.callee(&EVERYTHING).await;
    let placing = ada.place(Target::app(&bea_app.app_id), JoinOptions::default());
    let at_ada = soon(placing).await.unwrap();
    let options = JoinOptions { format: AudioFormat::PCM_48K, ..JoinOptions::default() };
    let at_bea = soon(ring(&mut bea_calls).await.answer(options)).await.unwrap();
    soon(at_ada.established()).await.unwrap();
    soon(at_bea.established()).await.unwrap();
    sing(&at_ada, 500.0);
    sing(&at_bea, 1_300.0);
    let (heard_by_ada, heard_by_bea) = tokio::join!(listen(&at_ada, 50), listen(&at_bea, 50));
    assert!(share(&heard_by_ada, 1_300.0, AudioFormat::PCM_16K) > 0.9);
    assert!(share(&heard_by_bea, 500.0, AudioFormat::PCM_48K) > 0.9);

    // Routing is for group calls.
    let (a, b) = (at_ada.my_participant_id().unwrap(), at_bea.my_participant_id().unwrap());
    let refused = at_ada.routing_groups().create(&AudioRoutingGroup::one_to_one("g", a, b)).await.unwrap_err();
    assert_eq!(refused.status(), Some(400));

    soon(at_bea.hang_up()).await;
    let ended = soon(at_ada.ended()).await;
    assert!(matches!(&ended, EndCause::Notified(Some(result)) if result.subcode == Some(4521)), "{ended:?}");
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_or_dropped_call_is_over_for_the_caller() {
    let world = World::new().await;
    let (_, ada, _ada_calls) = world.callee(&EVERYTHING).await;
    let (bea_app, bea, mut bea_calls) = world.callee(&EVERYTHING).await;
    for drop_it in [false, true] {
        let call = soon(ada.place(Target::app(&bea_app.app_id), JoinOptions::default())).await.unwrap();
        let incoming = ring(&mut bea_calls).await;
        if drop_it {
            drop(incoming);
        } else {
            soon(incoming.reject(RejectReason::Busy)).await.unwrap();
        }
        let ended = soon(call.ended()).await;
        assert!(matches!(&ended, EndCause::Notified(Some(result)) if !result.is_normal()), "{ended:?}");
        assert!(call.established().await.is_err());
    }
    assert_eq!(bea.webhook_stats().missed_calls, 0);
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_sends_a_call_elsewhere() {
    let world = World::new().await;
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let quinn = world.ready("Quinn", AnsweringAction::Answer);
    let (app, _bot, mut calls) = world.callee(&EVERYTHING).await;
    let placed = world.call(&pia, &app, |_| {});
    soon(ring(&mut calls).await.redirect([Target::user(&quinn.id)])).await.unwrap();
    let met = async {
        loop {
            let views = world.emulator.conversations();
            let view = views.iter().find(|view| view.id == placed.conversation_id);
            if view.is_some_and(|view| view.participants.len() == 2) && world.emulator.calls().is_empty() {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    soon(met).await;

    // To nobody: the service says what is wrong, and the call is refused.
    world.call(&pia, &app, |_| {});
    let error = soon(ring(&mut calls).await.redirect([])).await.unwrap_err();
    assert!(matches!(&error, DecisionError::Refused(error) if error.status() == Some(400)), "{error}");
    let over = async {
        while !world.emulator.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(over).await;
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_gives_up_is_noticed() {
    let world = World::new().await;
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let (app, _bot, mut calls) = world.callee(&EVERYTHING).await;
    let placed = world.call(&pia, &app, |_| {});
    let incoming = ring(&mut calls).await;
    world.emulator.remove_participant(&placed.conversation_id, &placed.participant.participant_id).unwrap();
    let ended = soon(incoming.ended()).await;
    assert!(matches!(ended, EndCause::Notified(_)), "{ended:?}");
    let error = soon(incoming.answer(JoinOptions::default())).await.unwrap_err();
    assert!(matches!(error, JoinError::Ended(_)), "{error}");
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_access_to_media_says_so_and_refuses_the_call() {
    let world = World::new().await;
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let (app, _bot, mut calls) = world.callee(&["Calls.JoinGroupCall.All"]).await;
    world.call(&pia, &app, |_| {});
    let error = soon(ring(&mut calls).await.answer(JoinOptions::default())).await.unwrap_err();
    let JoinError::Refused(error) = &error else { panic!("{error}") };
    assert!(matches!(error.kind(), GraphErrorKind::PermissionMissing(_)));
    let text = error.to_string();
    assert!(text.contains("The app needs Calls.AccessMedia.All"), "{text}");
    assert!(text.contains("its token holds Calls.JoinGroupCall.All"), "{text}");
    let refused = async {
        while !world.emulator.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;

    // With the service's media it can.
    world.call(&pia, &app, |_| {});
    let call = soon(ring(&mut calls).await.answer(JoinOptions::service_hosted())).await.unwrap();
    soon(call.established()).await.unwrap();
    assert_eq!(call.status().media, MediaStatus::ServiceHosted);
    assert!(call.audio().mixed().await.is_none() && call.media_stats().is_none());
    soon(call.hang_up()).await;
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bot_called_into_a_meeting_hears_it_and_can_join_it_by_its_token() {
    let world = World::new().await;
    let meeting = world.meeting();
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let person = NewPerson { user_id: Some(pia.id.clone()), ..NewPerson::default() };
    world.emulator.join_person(&meeting.id, person).unwrap();
    let (app, bot, mut calls) = world.callee(&EVERYTHING).await;
    world.call(&pia, &app, |call| call.meeting_id = Some(meeting.id.clone()));
    let incoming = ring(&mut calls).await;
    assert_eq!(incoming.chat_info().unwrap().thread_id.as_deref(), Some(meeting.thread_id.as_str()));
    let Some(MeetingInfo::Token(info)) = incoming.meeting_info().cloned() else {
        panic!("{:?}", incoming.meeting_info())
    };
    let options = JoinOptions { delta_roster: true, ..JoinOptions::default() };
    let call = soon(incoming.answer(options)).await.unwrap();
    soon(call.established()).await.unwrap();
    soon(call.roster(|all| all.len() == 2)).await.unwrap();

    let again = soon(bot.join(&Meeting::by_token(info.token), JoinOptions::default())).await.unwrap();
    soon(again.established()).await.unwrap();
    soon(call.roster(|all| all.len() == 3)).await.unwrap();
    sing(&again, 700.0);
    assert!(share(&listen(&call, 50).await, 700.0, AudioFormat::PCM_16K) > 0.9);
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_of_another_tenant_is_answered_with_a_token_of_that_tenant() {
    let world = World::new().await;
    let (app, _bot, mut calls) = world.callee(&EVERYTHING).await;
    let tenant = world.emulator.add_tenant(None).unwrap();
    world.emulator.consent(&app.app_id, Consent { tenant_id: Some(tenant.clone()), permissions: None }).unwrap();
    let new = serde_json::json!({"displayName": "Tess", "tenantId": tenant, "answering": {"afterMs": 0}});
    let tess = world.emulator.add_user(serde_json::from_value(new).unwrap()).unwrap();
    world.call(&tess, &app, |_| {});
    let incoming = ring(&mut calls).await;
    assert_eq!(incoming.resource().tenant_id.as_ref(), Some(&tenant));
    let call = soon(incoming.answer(JoinOptions::default())).await.unwrap();
    soon(call.established()).await.unwrap();
    assert!(soon(call.hang_up()).await.is_normal());
    world.emulator.stop().await;
}
