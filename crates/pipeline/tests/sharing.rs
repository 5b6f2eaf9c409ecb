//! Encoding follows distinct mixes, and a listener's decoder never notices who shares what.

mod room;

use antiphon_pipeline::{BusRate, OpusSettings, Participant, PlanBuilder, TickRecord};
use room::{Ear, Room, config};

fn average(records: &[TickRecord], value: impl Fn(&TickRecord) -> u32) -> f64 {
    records.iter().map(|record| f64::from(value(record))).sum::<f64>() / records.len() as f64
}

#[test]
fn a_hundred_listeners_with_three_talking_cost_four_encodes() {
    let mut room = Room::new(config(100, BusRate::Hz16000), 1);
    room.decode_ears = false;
    for _ in 0..100 {
        room.join();
    }
    for talker in [0, 40, 99] {
        room.people[talker].talking = true;
    }
    room.publish();
    room.steps(60);
    room.records.clear();
    room.steps(100);
    assert_eq!(room.records.len(), 100);
    for record in &room.records {
        assert_eq!((record.encodes, record.mixes, record.listeners), (4, 4, 100), "tick {}", record.tick);
        assert_eq!(record.packets_out, 100);
    }
    assert!((average(&room.records, |r| r.decodes) - 3.0).abs() < 0.1);
}

#[test]
fn when_nobody_talks_almost_nothing_is_encoded() {
    let mut room = Room::new(config(10, BusRate::Hz16000), 1);
    for _ in 0..10 {
        room.join();
    }
    room.people[0].talking = true;
    room.publish();
    room.steps(50);
    room.people[0].talking = false;
    room.steps(80);
    room.records.clear();
    room.forget_heard();
    let before = room.ear(1).packets;
    room.steps(200);
    // One frame each 400 ms for all of them together.
    assert_eq!(room.records.iter().map(|r| r.encodes).sum::<u32>(), 10);
    assert_eq!(room.ear(1).packets - before, 10);
    assert_eq!(room.ear(1).lost, 0, "sequence numbers follow packets, not time");
    // And speech is back at once when somebody talks.
    room.people[0].talking = true;
    room.forget_heard();
    room.steps(1);
    room.steps(9);
    assert!(room.hears(1, 0));
}

#[test]
fn a_talker_returns_to_the_shared_stream_after_the_hangover() {
    let mut room = Room::new(config(6, BusRate::Hz16000), 1);
    for _ in 0..6 {
        room.join();
    }
    room.people[0].talking = true;
    room.people[1].talking = true;
    room.publish();
    room.steps(60);
    assert_eq!(room.conversation.last_record().encodes, 3);
    room.people[1].talking = false;
    room.steps(20);
    assert_eq!(room.conversation.last_record().encodes, 3, "still apart within the hangover");
    room.steps(30);
    assert_eq!(room.conversation.last_record().encoded_mixes, 1, "the shared mix; the other talker's own is silent");
}

#[test]
fn a_newcomer_has_a_stream_of_its_own_for_300_ms() {
    let mut room = Room::new(config(6, BusRate::Hz16000), 1);
    for _ in 0..4 {
        room.join();
    }
    room.people[0].talking = true;
    room.publish();
    room.steps(60);
    assert_eq!(room.conversation.last_record().encodes, 1, "the talker's own mix is silent and rests");
    room.join();
    room.publish();
    room.records.clear();
    room.steps(40);
    let encodes: Vec<u32> = room.records.iter().map(|r| r.encodes).collect();
    let apart = encodes.iter().filter(|n| **n >= 2).count();
    assert!((14..=17).contains(&apart), "{encodes:?}");
    assert_eq!(*encodes.last().unwrap(), 1);
    assert_eq!(room.records.iter().map(|r| r.state_copies).sum::<u32>(), 1);
}

/// Runs a call in which person 1 speaks in the middle, and gives what person 2 and person 1 hear.
fn call_with_an_interruption(interrupt: bool) -> (Ear, Ear) {
    let mut room = Room::new(config(8, BusRate::Hz16000), 9);
    for _ in 0..5 {
        room.join();
    }
    for ear in room.ears.values_mut() {
        ear.keep_bytes = true;
    }
    room.people[0].talking = true;
    room.publish();
    room.steps(80);
    room.people[1].talking = interrupt;
    room.steps(50);
    room.people[1].talking = false;
    room.steps(10);
    (room.ears.remove(&2).unwrap(), room.ears.remove(&1).unwrap())
}

#[test]
fn a_talkers_private_stream_is_bit_exactly_the_one_he_would_have_had() {
    // Person 1 hears person 0 in both calls and nothing else: with the interruption on a copy of
    // the shared encoder, without it on the shared one all along.
    let (_, talker) = call_with_an_interruption(true);
    let (_, listener) = call_with_an_interruption(false);
    let payloads = |ear: &Ear| ear.heard.clone();
    assert_eq!(payloads(&talker), payloads(&listener));
    assert_eq!(talker.bytes, listener.bytes, "header and payload of every packet");
}

#[test]
fn all_talking_costs_one_encode_each_and_no_more() {
    let mut room = Room::new(config(12, BusRate::Hz16000), 1);
    room.decode_ears = false;
    for _ in 0..12 {
        room.join();
    }
    room.people.iter_mut().for_each(|p| p.talking = true);
    room.publish();
    room.steps(60);
    assert_eq!(room.conversation.last_record().encodes, 12);
}

#[test]
fn a_listener_routed_elsewhere_keeps_its_stream_for_300_ms() {
    let mut room = Room::new(config(8, BusRate::Hz16000), 1);
    for _ in 0..6 {
        room.join();
    }
    // Two rooms in one: 0 talks to 1 and 2, 3 talks to 4 and 5.
    room.people.iter_mut().for_each(|p| p.in_default_group = false);
    room.people[0].talking = true;
    room.people[3].talking = true;
    room.routes = vec![(vec![0], vec![1, 2]), (vec![3], vec![4, 5])];
    room.publish();
    room.steps(60);
    assert_eq!(room.conversation.last_record().encodes, 2);
    room.routes = vec![(vec![0], vec![1]), (vec![3], vec![4, 5, 2])];
    room.publish();
    room.records.clear();
    room.steps(30);
    // Not counting the silent mix of those who hear nobody.
    let mixes: Vec<u32> = room.records.iter().map(|r| r.encoded_mixes).collect();
    assert_eq!(mixes[..14], [3; 14], "{mixes:?}");
    assert_eq!(*mixes.last().unwrap(), 2);
    room.forget_heard();
    room.steps(20);
    assert!(room.hears(2, 3) && !room.hears(2, 0));
}

#[test]
fn equal_gains_share_and_different_ones_do_not() {
    let mut room = Room::new(config(8, BusRate::Hz16000), 1);
    for _ in 0..6 {
        room.join();
    }
    room.people[0].talking = true;
    room.people[1].talking = true;
    let plan = |room: &Room, gains: &[(usize, usize, f32)]| {
        let mut builder = PlanBuilder::new(&room.config.limits);
        for person in &room.people {
            builder.participant(Participant {
                source: Some(person.source),
                receiver: Some(person.receiver),
                in_default_group: true,
                unmixed: false,
            });
        }
        for (source, receiver, gain) in gains {
            builder.gain(room.people[*source].source, room.people[*receiver].receiver, *gain);
        }
        builder.build()
    };
    // Two listeners hear person 0 at half level, one not at all; a gain on somebody silent changes nothing.
    let gains = [(0, 2, 0.5), (0, 3, 0.5), (0, 4, 0.0), (3, 5, 0.1)];
    let gained = plan(&room, &gains);
    room.control.publish(gained).unwrap();
    room.steps(60);
    // Everybody, half of 0, without 0, and the two talkers' own.
    assert_eq!(room.conversation.last_record().encodes, 5);
    room.forget_heard();
    room.steps(40);
    let plain = room.tone_heard(5, 0);
    assert!((room.tone_heard(2, 0) / plain - 0.5).abs() < 0.1);
    assert!(room.tone_heard(4, 0) < 0.02 && room.tone_heard(4, 1) > 0.1);
}

#[test]
fn a_class_with_other_settings_is_encoded_apart() {
    let mut config = config(8, BusRate::Hz16000);
    config.classes.push(OpusSettings { bitrate: 48_000, complexity: 0, ..OpusSettings::default() }.into());
    let mut room = Room::new(config, 1);
    for class in [0, 0, 0, 1, 1] {
        room.join_in_class(class);
    }
    room.people[0].talking = true;
    for ear in room.ears.values_mut() {
        ear.keep_bytes = true;
    }
    room.publish();
    room.steps(60);
    assert_eq!(room.conversation.last_record().encoded_mixes, 2);
    let bytes = |leg| room.ears[&leg].bytes.len() as f64;
    assert!(bytes(3) > bytes(1) * 1.3, "twice the bit rate: {} and {} bytes", bytes(3), bytes(1));
    room.forget_heard();
    room.steps(30);
    assert!(room.hears(1, 0) && room.hears(4, 0));
}
