//! Who hears whom, measured by decoding what each leg was sent.

mod room;

use antiphon_pipeline::{BusRate, Slot};
use room::{Rng, Room, config};

/// The heard set by its definition, without bit sets.
fn expected(room: &Room, ear: usize, voice: usize) -> bool {
    let default = room.people[ear].in_default_group && room.people[voice].in_default_group;
    let routed = room.routes.iter().any(|(sources, receivers)| sources.contains(&voice) && receivers.contains(&ear));
    ear != voice && (default || routed)
}

fn assert_matrix(room: &mut Room) {
    // Let gates close on what was said before, and streams settle.
    room.steps(60);
    room.forget_heard();
    room.steps(30);
    for ear in 0..room.people.len() {
        for voice in 0..room.people.len() {
            let talks = room.people[voice].talking;
            assert_eq!(
                room.hears(ear, voice),
                talks && expected(room, ear, voice),
                "person {ear} hearing person {voice} (talking: {talks}) at {:.4}",
                room.tone_heard(ear, voice)
            );
        }
    }
}

#[test]
fn everyone_hears_everyone_else_and_nobody_themselves() {
    for rate in [BusRate::Hz16000, BusRate::Hz48000] {
        let mut room = Room::new(config(5, rate), 1);
        for _ in 0..5 {
            room.join();
        }
        room.people.iter_mut().for_each(|person| person.talking = true);
        room.publish();
        assert_matrix(&mut room);
    }
}

#[test]
fn routes_change_in_mid_call_as_the_plan_says() {
    let mut room = Room::new(config(6, BusRate::Hz16000), 2);
    for _ in 0..5 {
        room.join();
    }
    room.people.iter_mut().for_each(|person| person.talking = true);
    room.publish();
    assert_matrix(&mut room);
    // The first leaves the default group: neither heard nor hearing.
    room.people[0].in_default_group = false;
    room.publish();
    assert_matrix(&mut room);
    // It speaks to two of them in private, and one speaks to it.
    room.routes = vec![(vec![0], vec![1, 2]), (vec![3], vec![0])];
    room.publish();
    assert_matrix(&mut room);
    // Somebody leaves, somebody else takes the slot and must not inherit the routes.
    let gone = room.people[3].source;
    room.leave(3);
    room.publish();
    room.steps(3);
    let newcomer = room.join();
    assert_eq!(room.people[newcomer].source.index(), gone.index());
    room.people[newcomer].talking = true;
    room.publish();
    assert_matrix(&mut room);
}

#[test]
fn random_rosters_and_groups_are_heard_exactly_as_planned() {
    let mut rng = Rng::new(77);
    let mut room = Room::new(config(8, BusRate::Hz16000), 3);
    for _ in 0..7 {
        room.join();
    }
    for _ in 0..6 {
        for person in &mut room.people {
            person.talking = rng.below(3) > 0;
            person.in_default_group = rng.below(4) > 0;
        }
        room.routes = (0..rng.below(4))
            .map(|_| {
                let mut pick = |odds| (0..7).filter(|_| rng.below(odds) == 0).collect::<Vec<usize>>();
                (pick(4), pick(3))
            })
            .collect();
        room.publish();
        assert_matrix(&mut room);
    }
}

#[test]
fn a_muted_source_is_heard_by_nobody() {
    let mut room = Room::new(config(3, BusRate::Hz16000), 4);
    for _ in 0..3 {
        room.join();
    }
    room.people.iter_mut().for_each(|person| person.talking = true);
    room.publish();
    let muted = room.people[1].source;
    room.control.send(antiphon_pipeline::Command::Mute(muted, true)).unwrap();
    room.steps(60);
    room.forget_heard();
    room.steps(30);
    assert!(!room.hears(0, 1) && !room.hears(2, 1));
    assert!(room.hears(1, 0) && room.hears(0, 2), "{} {}", room.tone_heard(1, 0), room.tone_heard(0, 2));
    room.control.send(antiphon_pipeline::Command::Mute(muted, false)).unwrap();
    assert_matrix(&mut room);
}

#[test]
fn mixed_packets_name_who_is_in_them() {
    let mut room = Room::new(config(20, BusRate::Hz16000), 5);
    for _ in 0..20 {
        room.join();
    }
    room.people[3].talking = true;
    room.people[4].talking = true;
    room.publish();
    room.steps(20);
    let mut csrcs = room.ear(0).last_csrcs.clone();
    csrcs.sort_by_key(|id| id.as_u32());
    assert_eq!(csrcs, [room.people[3].source_id, room.people[4].source_id]);
    assert_eq!(room.ear(3).last_csrcs, [room.people[4].source_id]);
    // Never more than a header has room for.
    room.people.iter_mut().for_each(|person| person.talking = true);
    room.steps(20);
    assert_eq!(room.ear(0).last_csrcs.len(), 15);
}
