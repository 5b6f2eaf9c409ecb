//! Who speaks, as told to control: talk events, the dominant speaker, readings.

mod room;

use antiphon_pipeline::{BusRate, Command, Event, Inspection, Retired};
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
fn talk_starts_within_100_ms_and_stops_after_the_hangover() {
    let mut room = room();
    let started_at = room.conversation.last_record().tick;
    room.people[1].talking = true;
    room.steps(50);
    room.people[1].talking = false;
    let stopped_at = room.conversation.last_record().tick;
    room.steps(60);
    let person = (room.people[1].source, room.people[1].source_id);
    let told = events(&mut room);
    let tick_of = |wanted: Event| told.iter().find(|(_, event)| *event == wanted).map(|(tick, _)| *tick);
    let started = tick_of(Event::TalkStarted { source: person.0, source_id: person.1 }).expect("told");
    let stopped = tick_of(Event::TalkStopped { source: person.0, source_id: person.1 }).expect("told");
    assert!(started - started_at <= 5, "after {} ticks", started - started_at);
    // Five frames of concealment and 25 of hangover.
    assert!((25..=35).contains(&(stopped - stopped_at)), "after {} ticks", stopped - stopped_at);
    assert_eq!(told.iter().filter(|(_, event)| matches!(event, Event::TalkStarted { .. })).count(), 1);
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
