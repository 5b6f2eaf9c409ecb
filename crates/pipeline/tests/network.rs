//! Whole calls over bad links, in virtual time: counts add up, speech gets through, bytes repeat.

mod room;

use antiphon_pipeline::{BusRate, FrameCounts, PacketCounts, Retired};
use room::{Room, Weather, config};

fn stormy() -> Weather {
    Weather { loss: 0.05, duplicate: 0.03, jitter_ms: 60, drift_ppm: 150 }
}

/// Runs a call of `seconds` in this weather and gives every byte sent to everybody.
fn call(seed: u64, people: usize, seconds: usize, weather: Weather) -> (Room, Vec<u8>) {
    let mut room = Room::new(config(people, BusRate::Hz16000), seed);
    for _ in 0..people {
        let at = room.join();
        room.people[at].weather = weather;
    }
    for ear in room.ears.values_mut() {
        ear.keep_bytes = true;
    }
    room.publish();
    for second in 0..seconds {
        for at in 0..people {
            room.people[at].talking = (second + at) % 3 != 0;
        }
        room.steps(50);
    }
    let bytes = room.ears.values().flat_map(|ear| ear.bytes.clone()).collect();
    (room, bytes)
}

fn totals(room: &Room) -> (PacketCounts, FrameCounts) {
    let (mut packets, mut frames) = (PacketCounts::default(), FrameCounts::default());
    for record in &room.records {
        packets.merge(&record.packets);
        frames.merge(&record.frames);
    }
    (packets, frames)
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let (_, first) = call(5, 4, 8, stormy());
    let (_, second) = call(5, 4, 8, stormy());
    let (_, other) = call(6, 4, 8, stormy());
    assert!(!first.is_empty());
    assert!(first == second, "two runs of one seed differ");
    assert!(first != other, "two seeds give the same call");
}

#[test]
fn every_packet_ends_once_and_every_tick_has_one_frame_per_source() {
    let (mut room, _) = call(7, 4, 20, stormy());
    let (packets, frames) = totals(&room);
    assert_eq!(frames.total(), 4 * 20 * 50);
    assert!(packets.received > 2_000, "{packets:?}");
    assert!(packets.duplicate > 0 && packets.played > 0, "{packets:?}");
    // What has not ended yet waits in a jitter buffer: a few frames each.
    assert!(packets.received - packets.ended() < 4 * 8, "{packets:?}");
    // The sources themselves agree when they come back.
    let mut returned = PacketCounts::default();
    for _ in 0..4 {
        let person = room.people.pop().unwrap();
        room.control.send(antiphon_pipeline::Command::RemoveSource(person.source)).unwrap();
    }
    room.send();
    room.conversation.tick(antiphon_rt::MonoTime::from_nanos(room.now));
    while let Some(retired) = room.control.next_retired() {
        if let Retired::Source(_, source) = retired {
            returned.merge(&source.packets());
        }
    }
    // They were heard for the tick in which they left.
    let mut ended = packets;
    ended.merge(&room.conversation.last_record().packets);
    assert_eq!((returned.received, returned.played), (ended.received, ended.played));
}

#[test]
fn speech_survives_loss_and_jitter() {
    let (room, _) = call(8, 3, 30, Weather { loss: 0.05, jitter_ms: 30, ..Weather::default() });
    let (packets, frames) = totals(&room);
    let played = packets.played as f64 / packets.received as f64;
    assert!(played > 0.95, "{packets:?}");
    let concealed = (frames.concealed + frames.recovered) as f64 / frames.decoded as f64;
    // 5 % lost, and the ends of spurts that stop without a word.
    assert!((0.03..0.16).contains(&concealed), "{concealed} {frames:?}");
}

#[test]
fn a_clean_link_conceals_nothing_but_the_ends_of_spurts() {
    let (room, _) = call(9, 3, 30, Weather::default());
    let (packets, frames) = totals(&room);
    assert_eq!((packets.late, packets.duplicate, packets.overflowed), (0, 0, 0));
    assert_eq!(frames.recovered, 0);
    // A sender that just stops at full level looks like loss for six frames: 10 spurts each.
    assert!(frames.concealed <= 3 * 10 * 6, "{frames:?}");
}

#[test]
fn drifting_clocks_neither_starve_nor_swell() {
    // Eight simulated minutes with decoders; the jitter buffer alone does days in its unit tests.
    // They hear nobody, so that nothing is encoded.
    let mut room = Room::new(config(2, BusRate::Hz16000), 3);
    for drift_ppm in [200, -200] {
        let at = room.join();
        room.people[at].weather = Weather { drift_ppm, ..Weather::default() };
        room.people[at].talking = true;
        room.people[at].in_default_group = false;
    }
    room.publish();
    let mut page = Box::new(antiphon_pipeline::Inspection::with_capacity(4));
    for _ in 0..8 {
        room.steps(60 * 50);
        room.control.send(antiphon_pipeline::Command::Inspect(page)).unwrap();
        room.send();
        room.conversation.tick(antiphon_rt::MonoTime::from_nanos(room.now));
        room.receive();
        let Some(Retired::Inspection(filled)) = room.control.next_retired() else { panic!("the page comes back") };
        for reading in filled.readings() {
            assert!(reading.playout_delay_ms < 100, "{reading:?}");
        }
        page = filled;
    }
    let (packets, frames) = totals(&room);
    assert_eq!((packets.late, packets.overflowed), (0, 0), "{packets:?}");
    assert!(frames.concealed < 40, "{frames:?}");
}

#[test]
fn missed_ticks_jump_ahead_in_time_and_keep_the_sequence() {
    let mut room = Room::new(config(3, BusRate::Hz16000), 3);
    for _ in 0..3 {
        room.join();
    }
    room.people[0].talking = true;
    room.publish();
    room.steps(30);
    let before = room.conversation.last_record().tick;
    room.now += 5 * room::TICK_NS;
    room.step();
    assert_eq!(room.conversation.last_record().tick, before + 6);
    assert_eq!(room.ear(1).lost, 0);
    room.steps(20);
    assert!(room.hears(1, 0));
}

#[test]
fn wire_garbage_is_counted_and_disturbs_nobody() {
    let mut room = Room::new(config(4, BusRate::Hz16000), 3);
    for _ in 0..3 {
        room.join();
    }
    room.people[0].talking = true;
    room.publish();
    room.steps(30);
    let (mut garbage, ring) = antiphon_rt::packet_ring::packet_ring(64 * 1024);
    let inlet = room.inlets.take().unwrap();
    let config = antiphon_pipeline::InletConfig {
        payloads: vec![(antiphon_rtp::PayloadType::new(111).unwrap(), antiphon_pipeline::Payload::Opus)],
        level_extension: Some(1),
        mid_extension: Some(3),
        lanes_mid: antiphon_pipeline::Mid::new("lanes"),
        main: Some(room.people[1].source),
    };
    let inlet_box = antiphon_pipeline::Inlet::new(ring, &config, 4);
    // Its owner's own inlet goes first: one per leg.
    room.control.send(antiphon_pipeline::Command::RemoveInlet(room.people[1].inlet)).unwrap();
    room.control.send(antiphon_pipeline::Command::AddInlet(inlet, inlet_box)).unwrap();
    room.forget_heard();
    let mut refused = 0;
    for _ in 0..100 {
        for _ in 0..5 {
            let len = room.rng.below(120) as usize;
            let mut bytes: Vec<u8> = (0..len).map(|_| room.rng.next() as u8).collect();
            if room.rng.below(2) == 0 && len > 1 {
                bytes[0] = 0x90;
                bytes[1] = 111;
            }
            let meta = antiphon_rt::packet_ring::PacketMeta { at: antiphon_rt::MonoTime::from_nanos(room.now), leg: 1 };
            garbage.push(meta, &bytes).unwrap();
        }
        room.step();
        refused += room.conversation.last_record().packets_refused;
    }
    assert!(refused > 100);
    assert!(room.hears(2, 0), "the call goes on");
}

#[test]
fn fec_repairs_most_losses_once_they_are_seen() {
    let mut room = Room::new(config(2, BusRate::Hz16000), 12);
    room.fec = true;
    for _ in 0..2 {
        let at = room.join();
        room.people[at].weather = Weather { loss: 0.1, ..Weather::default() };
        room.people[at].talking = true;
    }
    room.publish();
    room.steps(1_500);
    let (_, frames) = totals(&room);
    assert!(frames.recovered > frames.concealed, "{frames:?}");
    assert!(frames.recovered > 150, "{frames:?}");
}
