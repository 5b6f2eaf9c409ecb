//! Bots in a meeting: Graph call control over TLS, media over DTLS-SRTP.
//!
//! A voice is a tone, looked for by its power in what the others played.

use antiphon::graph::{AudioRoutingGroup, ParticipantId};
use antiphon::{AudioFormat, EndCause, GraphErrorKind, JoinError, JoinOptions, Meeting, Missing};

use crate::world::{PATIENCE, PERMISSIONS, World, listen, share, sing};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_bots_join_hear_each_other_and_route_privately() {
    let world = World::new().await;
    let app = world.app(&PERMISSIONS);
    let meeting = world.meeting();
    let (ada, bea) = (world.bot(&app).await, world.bot(&app).await);
    let by_id = Meeting::by_id(&meeting.join_meeting_id, meeting.passcode.clone());
    let by_link = Meeting::from_link(&meeting.join_url).unwrap();
    let ada = ada.join(&by_id, JoinOptions::default()).await.unwrap();
    let bea_options = JoinOptions { format: AudioFormat::PCM_48K, delta_roster: true, ..JoinOptions::default() };
    let bea = bea.join(&by_link, bea_options).await.unwrap();
    tokio::time::timeout(PATIENCE, ada.established()).await.unwrap().unwrap();
    tokio::time::timeout(PATIENCE, bea.established()).await.unwrap().unwrap();
    for call in [&ada, &bea] {
        let roster = tokio::time::timeout(PATIENCE, call.roster(|all| all.len() == 2)).await.unwrap().unwrap();
        assert!(roster.iter().all(|p| p.audio_source_id().is_some()));
    }
    sing(&ada, 500.0);
    sing(&bea, 1_300.0);
    let (at_ada, at_bea) = tokio::join!(listen(&ada, 50), listen(&bea, 50));
    assert!(share(&at_ada, 1_300.0, AudioFormat::PCM_16K) > 0.9);
    assert!(share(&at_bea, 500.0, AudioFormat::PCM_48K) > 0.9);

    // Everyone apart: the lane's source id leads to the participant.
    let frame = tokio::time::timeout(PATIENCE, ada.audio().unmixed()).await.unwrap().unwrap();
    let speaker = ada.participant_of(frame.source_id).expect("the roster knows the source");
    assert_eq!(Some(&speaker.id), bea.my_participant_id().as_ref());

    // A private route, its rules and its life.
    let (a, b) = (ada.my_participant_id().unwrap(), bea.my_participant_id().unwrap());
    let groups = ada.routing_groups();
    let group = groups.create(&AudioRoutingGroup::one_to_one("g", b.clone(), a.clone())).await.unwrap();
    assert_eq!(group.id.as_deref(), Some("g"));
    assert_eq!(groups.list().await.unwrap(), std::slice::from_ref(&group));
    assert_eq!(groups.get("g").await.unwrap(), group);
    let unknown = AudioRoutingGroup::one_to_one("h", b.clone(), ParticipantId::new("nobody"));
    assert_eq!(groups.create(&unknown).await.unwrap_err().status(), Some(400));
    assert_eq!(groups.create(&AudioRoutingGroup::one_to_one("g", b, a)).await.unwrap_err().status(), Some(409));
    groups.delete("g").await.unwrap();
    assert!(matches!(groups.get("g").await.unwrap_err().kind(), GraphErrorKind::NotFound(Missing::AudioRoutingGroup)));

    let ended = tokio::time::timeout(PATIENCE, ada.hang_up()).await.unwrap();
    assert!(matches!(&ended, EndCause::Notified(Some(result)) if result.code == Some(200)), "{ended:?}");
    assert!(tokio::time::timeout(PATIENCE, ada.audio().speak(&[0; 320])).await.unwrap().is_err());
    let roster = tokio::time::timeout(PATIENCE, bea.roster(|all| all.len() == 1)).await.unwrap();
    assert_eq!(roster.unwrap().len(), 1, "the other's roster follows");
    world.emulator.stop().await;
    let ended = tokio::time::timeout(PATIENCE, bea.ended()).await.unwrap();
    assert!(matches!(ended, EndCause::Notified(_)), "a stopping service says goodbye: {ended:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_join_names_the_missing_permission() {
    let world = World::new().await;
    let app = world.app(&["Calls.JoinGroupCall.All"]);
    let meeting = world.meeting();
    let bot = world.bot(&app).await;
    let by_id = Meeting::by_id(meeting.join_meeting_id, meeting.passcode);
    let error = bot.join(&by_id, JoinOptions::default()).await.unwrap_err();
    let JoinError::Refused(error) = error else { panic!("{error:?}") };
    assert_eq!(error.status(), Some(403));
    assert!(error.to_string().contains("Calls.AccessMedia.All"), "{error}");
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_nobody_holds_any_more_is_hung_up() {
    let world = World::new().await;
    let app = world.app(&PERMISSIONS);
    let meeting = world.meeting();
    let bot = world.bot(&app).await;
    let by_id = Meeting::by_id(meeting.join_meeting_id, meeting.passcode);
    // A join cancelled half-way: polled until the service has the call, then dropped before it returns a handle.
    let join = bot.join(&by_id, JoinOptions::default());
    let cancelled = async {
        while world.emulator.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = cancelled => {}
        call = join => drop(call.expect("the call is created")), // the reply was quicker: dropped all the same
    }
    let gone = async {
        while !world.emulator.calls().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the ghost is hung up");
    world.emulator.stop().await;
}
