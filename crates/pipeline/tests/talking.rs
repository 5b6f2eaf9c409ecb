//! Who speaks, as told to control: talk events, the dominant speaker, readings.

mod room;

use antiphon_pipeline::{BusRate, Command, Event, Inspection, LevelPage, Retired};
use antiphon_rtp::AudioLevel;
use room::{Room, config};

fn events(room: &mut Room) -> Vec<(u64, Event)> {
    std::iter::from_fn(|| room.control.next_event()).map(|timed| (timed.tick, timed.event)).collect()
}

fn room() -> Room {
    let mut room = Room::new(config(4, BusRate::Hz16000), 1);
    for _ in 0..3 {
        room.join();
    }
    room.publish();
    room.steps(20);
    room
}

#[test]
fn talk_and_dominance_are_told_within_100_ms_of_the_onset_and_the_end_after_the_hangover() {
    let mut room = room();
    room.people[1].talking = true;
    let onset = room.conversation.last_record().tick;
    room.steps(50);
    room.people[1].talking = false;
    let ended = room.conversation.last_record().tick;
    room.steps(60);
    let (source, source_id) = (room.people[1].source, room.people[1].source_id);
    let told = events(&mut room);
    let tick_of = |wanted: Event| told.iter().find(|(_, event)| *event == wanted).map(|(tick, _)| *tick);
    let started = tick_of(Event::TalkStarted { source, source_id }).expect("told");
    let dominant = told.iter().find(|(_, event)| {
        matches!(event, Event::DominantSpeaker { source: Some(who), source_id: Some(id), .. }
            if (*who, *id) == (source, source_id))
    });
    let stopped = tick_of(Event::TalkStopped { source, source_id }).expect("told");
    // The first packet is made up to a tick after the onset, and the engine reads the ring within half a tick more.
    assert!(started - onset <= 4, "after {} ticks", started - onset);
    assert_eq!(dominant.expect("told").0, started, "in the very tick");
    // Five frames of concealment and 25 of hangover.
    assert!((25..=35).contains(&(stopped - ended)), "after {} ticks", stopped - ended);
    assert_eq!(told.iter().filter(|(_, event)| matches!(event, Event::TalkStarted { .. })).count(), 1);
}

#[test]
fn what_a_sender_claims_of_its_level_makes_nobody_dominant() {
    let mut room = room();
    let liar = 2;
    // Hiss at -70 dBov, stamped as the loudest there is; first among the others, then in a corner where nobody hears it.
    room.people[liar].loudness = 0.000_4;
    room.people[liar].claims = Some(AudioLevel::LOUDEST);
    room.people[liar].talking = true;
    room.people[0].talking = true;
    room.steps(150);
    room.people[0].talking = false;
    room.steps(100);
    room.people[liar].in_default_group = false;
    room.publish();
    room.steps(100);
    let dominant: Vec<_> = events(&mut room)
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::DominantSpeaker { source, .. } => Some(source),
            _ => None,
        })
        .collect();
    assert_eq!(dominant, [Some(room.people[0].source), None]);
}

#[test]
fn a_page_of_levels_lists_who_talks_and_nobody_else() {
    let mut room = room();
    room.people[0].talking = true;
    room.people[2].talking = true;
    room.people[2].loudness = 0.02;
    room.steps(30);
    let page = Box::new(LevelPage::with_capacity(8));
    let capacity = Box::new(LevelPage::with_capacity(1));
    room.control.send(Command::Levels(page)).unwrap();
    room.control.send(Command::Levels(capacity)).unwrap();
    room.send();
    room.conversation.tick(antiphon_rt::MonoTime::from_nanos(room.now));
    let Some(Retired::Levels(page)) = room.control.next_retired() else { panic!("the page comes back") };
    assert_eq!(page.tick() + 1, room.conversation.last_record().tick);
    let got: Vec<_> = page.levels().iter().map(|level| (level.source, level.source_id)).collect();
    let person = |n: usize| (room.people[n].source, room.people[n].source_id);
    assert_eq!(got, [person(0), person(2)]);
    // 0.2 is -17 dBov as a sine, 0.02 twenty less.
    let levels: Vec<i32> = page.levels().iter().map(|level| i32::from(level.level.minus_dbov())).collect();
    assert!((levels[0] - 17).abs() <= 2 && (levels[1] - 37).abs() <= 2, "{levels:?}");
    let Some(Retired::Levels(page)) = room.control.next_retired() else { panic!("and the other") };
    assert_eq!(page.levels().len(), 1, "a page is filled, not grown");
}

#[test]
fn the_dominant_speaker_follows_the_talk_and_does_not_flicker() {
    let mut room = room();
    room.people[0].talking = true;
    room.steps(50);
    // A second, equally loud voice does not take over; alone it does.
    room.people[2].talking = true;
    room.steps(100);
    room.people[0].talking = false;
    room.steps(60);
    room.people[2].talking = false;
    room.steps(60);
    let dominant: Vec<_> = events(&mut room)
        .into_iter()
        .filter_map(|(_, event)| match event {
            Event::DominantSpeaker { source, .. } => Some(source),
            _ => None,
        })
        .collect();
    assert_eq!(dominant, [Some(room.people[0].source), Some(room.people[2].source), None]);
}

#[test]
fn readings_tell_level_talk_and_mute() {
    let mut room = room();
    room.people[0].talking = true;
    room.steps(30);
    room.control.send(Command::Mute(room.people[1].source, true)).unwrap();
    room.control.send(Command::Inspect(Box::new(Inspection::with_capacity(8)))).unwrap();
    room.send();
    room.conversation.tick(antiphon_rt::MonoTime::from_nanos(room.now));
    let Some(Retired::Inspection(page)) = room.control.next_retired() else { panic!("the page comes back") };
    let readings = page.readings();
    assert_eq!(readings.len(), 3);
    assert!(readings[0].talking && readings[0].level.minus_dbov() < 25, "{:?}", readings[0]);
    assert!(!readings[1].talking && readings[1].muted && !readings[2].muted);
    // Asleep or awake, a source has had one frame per tick so far.
    let frames: Vec<u64> = readings.iter().map(|reading| reading.frames.total()).collect();
    assert_eq!(frames, [frames[0]; 3]);
}
