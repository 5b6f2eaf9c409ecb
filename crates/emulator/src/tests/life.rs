//! The life of calls: how they end, and what the bot is told.

use super::*;

#[tokio::test]
async fn own_delete_is_terminating_then_terminated_and_the_meeting_goes_on() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let ann = rig.person(&meeting, "Ann");
    let call = bot.join(&meeting).await;
    assert_eq!(bot.get(&path_of(&call)).await.expect(200)["mediaState"]["audio"], "active");
    bot.delete(&path_of(&call)).await.expect(204);
    assert_eq!(
        rig.webhook.summaries(5).await,
        ["updated establishing", "updated established", "roster", "updated terminating", "deleted terminated 200/7000"]
    );
    let left = rig.service.meeting_view(&meeting.id).unwrap().participants;
    assert_eq!(left.iter().map(|who| &who.participant_id).collect::<Vec<_>>(), [&ann]);
}

#[tokio::test]
async fn media_that_never_connects_ends_the_call_after_twenty_seconds() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect(201);
    assert_eq!(rig.webhook.summaries(1).await, ["updated establishing"]);
    rig.hand.advance(Duration::from_secs(20));
    assert_eq!(rig.webhook.summaries(1).await, ["deleted terminated 500/1005"]);
    bot.get(&path_of(&call)).await.expect_error(404, "8522");
    let mine = call["myParticipantId"].as_str().unwrap();
    assert_eq!(rig.media.take().last().unwrap(), &format!("leave {mine}"));
}

#[tokio::test]
async fn lost_media_ends_the_call_with_410() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let me = ParticipantId::new(call["myParticipantId"].as_str().unwrap());
    let lost = MediaEvent::Participant { meeting: meeting.id.clone(), who: me, kind: MediaEventKind::Disconnected };
    rig.service.media_events.send(lost).await.unwrap(); // as the engine reports it: through the driver
    let last = rig.webhook.summaries(4).await;
    assert_eq!(last[3], "deleted terminated 410/301005");
}

#[tokio::test]
async fn call_is_reaped_after_45_minutes_without_keep_alive() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let mut bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.webhook.summaries(3).await;
    rig.hand.advance(Duration::from_secs(30 * 60));
    bot.request(Method::POST, &format!("{}/keepAlive", path_of(&call)), None).await.expect(200);
    rig.hand.advance(Duration::from_secs(44 * 60));
    bot.token = rig.token_for(&bot.app, &bot.app.tenant_id).await;
    bot.get(&path_of(&call)).await.expect(200);
    rig.hand.advance(Duration::from_secs(60));
    assert_eq!(rig.webhook.summaries(1).await, ["deleted terminated 408/8537"]);
    bot.get(&path_of(&call)).await.expect_error(404, "8522");
}

#[tokio::test]
async fn ended_meeting_ends_its_calls_and_its_media() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    bot.join(&meeting).await;
    rig.service.end_meeting(&meeting.id).unwrap();
    assert_eq!(rig.webhook.summaries(4).await[3], "deleted terminated 200/5003");
    assert_eq!(rig.media.take().last().unwrap(), "close");
    bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect_error(404, "itemNotFound");
}

#[tokio::test]
async fn failed_media_of_a_meeting_ends_its_calls_as_a_service_error() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    bot.join(&meeting).await;
    rig.service.media_events.send(MediaEvent::Failed { meeting: meeting.id }).await.unwrap();
    assert_eq!(rig.webhook.summaries(4).await[3], "deleted terminated 500/7106");
}

#[tokio::test]
async fn person_whose_media_never_connects_is_taken_out() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let ann = rig.person(&meeting, "Ann");
    rig.report(&meeting.id, &ann, MediaEventKind::Connected);
    rig.person(&meeting, "Ben");
    rig.hand.advance(Duration::from_secs(20));
    // The driver works through its inputs in order: once it has taken this report, the deadline before it is done.
    let probe =
        MediaEvent::Participant { meeting: meeting.id.clone(), who: "x".into(), kind: MediaEventKind::Connected };
    while rig.service.meeting_view(&meeting.id).unwrap().participants.len() == 2 {
        rig.service.media_events.send(probe.clone()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let left = rig.service.meeting_view(&meeting.id).unwrap().participants;
    assert_eq!(left[0].participant_id, ann);
    rig.report(&meeting.id, &ann, MediaEventKind::Disconnected);
    assert!(rig.service.meeting_view(&meeting.id).unwrap().participants.is_empty());
}

#[tokio::test]
async fn winding_down_ends_calls_and_delivers_what_is_queued() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    bot.join(&meeting).await;
    rig.service.wind_down().await;
    assert_eq!(rig.webhook.summaries(4).await[3], "deleted terminated 200/5003");
    assert_eq!(rig.service.delivery_counts().delivered, 4);
}
