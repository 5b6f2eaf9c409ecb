//! Calls that bots place: to one, to several, answered or not, transferred, extended.

use antiphon::graph::Participant;
use antiphon::{
    CallEnded, EndCause, GraphErrorKind, JoinError, JoinOptions, Meeting, OperationError, PathFamily, Target,
    TransferError,
};
use antiphon_emulator::{AnsweringAction, NewMeeting};

use crate::world::{EVERYTHING, World, ring, soon};

fn names(roster: &[Participant]) -> Vec<String> {
    let mut names: Vec<_> = roster.iter().filter_map(|one| one.display_name().map(str::to_owned)).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_who_is_called_answers_or_does_not() {
    let world = World::new().await;
    let (_, bot, _calls) = world.callee(&EVERYTHING).await;
    let pia = world.ready("Pia", AnsweringAction::Answer);
    let call = soon(bot.place(Target::user(&pia.id), JoinOptions::default())).await.unwrap();
    soon(call.established()).await.unwrap();
    let ended = soon(call.hang_up()).await;
    assert!(matches!(&ended, EndCause::Notified(Some(result)) if result.code == Some(200)), "{ended:?}");

    for action in [AnsweringAction::Busy, AnsweringAction::Reject, AnsweringAction::Unreachable] {
        let user = world.ready("Rex", action);
        let call = soon(bot.place(Target::user(&user.id), JoinOptions::default())).await.unwrap();
        let error = soon(call.established()).await.unwrap_err();
        assert!(matches!(&error, CallEnded::Ended(_)), "{action:?}: {error}");
        assert!(!soon(call.ended()).await.is_normal(), "{action:?}");
    }
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ringing_person_is_called_off_by_hanging_up() {
    let world = World::new().await;
    let (_, bot, _calls) = world.callee(&EVERYTHING).await;
    let una = world.ready("Una", AnsweringAction::Ring);
    let call = soon(bot.place(Target::user(&una.id), JoinOptions::default())).await.unwrap();
    assert_eq!(world.emulator.rings().len(), 1);
    soon(call.hang_up()).await;
    assert!(world.emulator.rings().is_empty());
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_call_is_joined_by_whom_it_calls_and_whom_it_invites() {
    let world = World::new().await;
    let (_, bot, _calls) = world.callee(&EVERYTHING).await;
    let (other_app, _other, mut other_calls) = world.callee(&EVERYTHING).await;
    let [pia, quinn, una] = ["Pia", "Quinn", "Una"].map(|name| world.ready(name, AnsweringAction::Answer));
    let targets = [Target::user(&pia.id), Target::user(&quinn.id)];
    let call = soon(bot.place_group(targets, JoinOptions::default())).await.unwrap();
    soon(call.established()).await.unwrap();
    let roster = soon(call.roster(|all| all.len() == 3)).await.unwrap();
    assert_eq!(names(&roster), ["Pia", "Quinn", "test bot"]);

    // A person and another bot, both called into it.
    let inviting = soon(call.invite([Target::user(&una.id)])).await.unwrap();
    assert_eq!(inviting.started().participants.len(), 1);
    soon(inviting.finished()).await.unwrap();
    let inviting = soon(call.invite([Target::app(&other_app.app_id)])).await.unwrap();
    let answered = soon(ring(&mut other_calls).await.answer(JoinOptions::default())).await.unwrap();
    soon(inviting.finished()).await.unwrap();
    soon(call.roster(|all| all.len() == 5)).await.unwrap();
    soon(answered.roster(|all| all.len() == 5)).await.unwrap();

    // Somebody who does not come.
    let rex = world.ready("Rex", AnsweringAction::Busy);
    let failed = soon(soon(call.invite([Target::user(&rex.id)])).await.unwrap().finished()).await.unwrap_err();
    assert!(matches!(&failed, OperationError::Failed(operation) if operation.result_info.is_some()), "{failed}");

    // Nobody at all: refused at once, and the call goes on.
    assert_eq!(soon(call.invite([])).await.unwrap_err().status(), Some(400));
    assert_eq!(call.participants().len(), 5);
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_ends_with_the_call_it_is_for() {
    let world = World::new().await;
    let (_, bot, _calls) = world.callee(&EVERYTHING).await;
    let [pia, quinn] = ["Pia", "Quinn"].map(|name| world.ready(name, AnsweringAction::Answer));
    let una = world.ready("Una", AnsweringAction::Ring);
    let call = soon(bot.place_group([Target::user(&pia.id), Target::user(&quinn.id)], JoinOptions::default())).await;
    let call = call.unwrap();
    soon(call.established()).await.unwrap();
    let inviting = soon(call.invite([Target::user(&una.id)])).await.unwrap();
    soon(call.hang_up()).await;
    let outcome = soon(inviting.finished()).await.unwrap_err();
    assert!(matches!(outcome, OperationError::Failed(_) | OperationError::CallEnded(_)), "{outcome}");
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_ends_the_call_or_leaves_it_as_it_was() {
    let world = World::new().await;
    let (_, bot, _calls) = world.callee(&EVERYTHING).await;
    let [pia, quinn] = ["Pia", "Quinn"].map(|name| world.ready(name, AnsweringAction::Answer));
    let rex = world.ready("Rex", AnsweringAction::Busy);
    let call = soon(bot.place(Target::user(&pia.id), JoinOptions::default())).await.unwrap();
    soon(call.established()).await.unwrap();

    let error = soon(call.transfer(Target::user(&rex.id))).await.unwrap_err();
    assert!(matches!(&error, TransferError::Failed(result) if result.subcode == Some(7000)), "{error}");
    soon(call.established()).await.unwrap();
    let error = soon(call.transfer(Target::user("nobody"))).await.unwrap_err();
    assert!(matches!(&error, TransferError::Refused(_) | TransferError::Failed(_)), "{error}");

    soon(call.transfer(Target::user(&quinn.id))).await.unwrap();
    let ended = soon(call.ended()).await;
    assert!(matches!(&ended, EndCause::Notified(Some(result)) if result.subcode == Some(7015)), "{ended:?}");
    assert!(ended.is_normal());
    // Whatever is asked of it now: it is gone.
    let gone = soon(call.transfer(Target::user(&rex.id))).await.unwrap_err();
    assert!(matches!(&gone, TransferError::Refused(error) if error.is_call_gone()), "{gone}");
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_waits_in_the_lobby_until_somebody_lets_it_in() {
    let world = World::new().await;
    let meeting = world.emulator.create_meeting(NewMeeting { lobby: true, ..NewMeeting::default() }).unwrap();
    let app = world.app(&["Calls.JoinGroupCallAsGuest.All", "Calls.AccessMedia.All"]);
    let bot = world.bot(&app).await;
    let options = JoinOptions { as_guest: Some("Visitor".into()), ..JoinOptions::default() };
    let by_id = Meeting::by_id(&meeting.join_meeting_id, meeting.passcode.clone());
    let call = soon(bot.join(&by_id, options)).await.unwrap();
    world.emulator.admit(call.id()).unwrap();
    soon(call.established()).await.unwrap();
    let roster = soon(call.roster(|all| all.iter().any(|one| one.is_in_lobby == Some(false)))).await.unwrap();
    assert_eq!(names(&roster), ["Visitor"]);
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_call_names_the_role_it_lacks() {
    let world = World::new().await;
    let app = world.app(&["Calls.JoinGroupCall.All"]);
    let bot = world.bot(&app).await;
    let [pia, quinn] = ["Pia", "Quinn"].map(|name| world.ready(name, AnsweringAction::Answer));
    let one = soon(bot.place(Target::user(&pia.id), JoinOptions::default())).await;
    let two =
        soon(bot.place_group([Target::user(&pia.id), Target::user(&quinn.id)], JoinOptions::service_hosted())).await;
    for (outcome, needed) in [
        (one, "The app needs Calls.Initiate.All, and Calls.AccessMedia.All or Calls.AccessMedia.Chat;"),
        (two, "The app needs Calls.InitiateGroupCall.All;"),
    ] {
        let Err(JoinError::Refused(error)) = outcome else { panic!("{outcome:?}") };
        assert!(matches!(error.kind(), GraphErrorKind::PermissionMissing(_)), "{error}");
        let text = error.to_string();
        assert!(text.contains(needed) && text.contains("its token holds Calls.JoinGroupCall.All"), "{text}");
    }
    world.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beta_version_and_the_older_paths_do_the_same() {
    let world = World::new().await;
    let app = world.app(&EVERYTHING);
    let bot = world.bot_with(&app, |builder| builder.beta().path_family(PathFamily::App)).await;
    let [pia, quinn, una] = ["Pia", "Quinn", "Una"].map(|name| world.ready(name, AnsweringAction::Answer));
    let call = soon(bot.place_group([Target::user(&pia.id), Target::user(&quinn.id)], JoinOptions::default())).await;
    let call = call.unwrap();
    soon(call.established()).await.unwrap();
    let roster = soon(call.roster(|all| all.len() == 3)).await.unwrap();
    let others = roster.iter().map(|one| one.id.clone()).filter(|id| Some(id) != call.my_participant_id().as_ref());
    soon(call.mute_all(others.collect())).await.unwrap();
    soon(call.roster(|all| all.iter().filter(|one| one.is_muted == Some(true)).count() == 2)).await.unwrap();
    soon(soon(call.invite([Target::user(&una.id)])).await.unwrap().finished()).await.unwrap();
    soon(call.roster(|all| all.len() == 4)).await.unwrap();
    assert!(soon(call.hang_up()).await.is_normal());
    world.emulator.stop().await;
}
