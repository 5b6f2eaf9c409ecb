//! Not one allocation or free in ten thousand ticks of everything at once.

mod room;

use antiphon_pipeline::{BusRate, Command, Inspection};
use antiphon_rt::MonoTime;
use antiphon_testkit::alloc_guard::{self, GuardedAlloc};
use room::{Room, Weather, config};

#[global_allocator]
static ALLOC: GuardedAlloc = GuardedAlloc;

#[test]
fn ticks_with_joins_leaves_loss_and_replans_touch_no_heap() {
    let mut config = config(16, BusRate::Hz16000);
    config.classes[0].complexity = 0; // the heap is tested, not the time
    let mut room = Room::new(config, 11);
    room.decode_ears = false;
    for _ in 0..8 {
        room.join();
    }
    room.publish();
    for tick in 0..10_500_u64 {
        churn(&mut room, tick);
        room.send();
        let now = MonoTime::from_nanos(room.now);
        let conversation = &mut room.conversation;
        alloc_guard::forbid(|| conversation.tick(now));
        room.receive();
        room.reclaim();
    }
    let sum = |value: fn(&antiphon_pipeline::TickRecord) -> u32| {
        room.records.iter().map(|r| u64::from(value(r))).sum::<u64>()
    };
    // It was a real call: all of this happened while the guard was armed.
    assert!(sum(|r| r.encodes) > 10_000 && sum(|r| r.decodes) > 10_000);
    assert!(sum(|r| r.concealments) > 100 && sum(|r| r.state_copies) > 100);
    assert!(room.records.iter().filter(|r| r.plan_swapped).count() > 200);
}

/// Everything that control may do between two ticks.
fn churn(room: &mut Room, tick: u64) {
    let people = room.people.len();
    if tick.is_multiple_of(7) {
        let at = room.rng.below(people as u64) as usize;
        room.people[at].talking = room.rng.below(2) == 0;
    }
    let mut changed = false;
    if tick.is_multiple_of(97) && people < 14 {
        let at = room.join();
        room.people[at].weather = Weather { loss: 0.08, duplicate: 0.02, jitter_ms: 50, drift_ppm: 100 };
        changed = true;
    }
    if tick % 131 == 40 && people > 4 {
        let at = room.rng.below(people as u64) as usize;
        room.leave(at);
        changed = true;
    }
    if tick % 61 == 20 {
        let people = room.people.len() as u64;
        let pair = (room.rng.below(people) as usize, room.rng.below(people) as usize);
        room.routes = if room.rng.below(2) == 0 { vec![(vec![pair.0], vec![pair.1])] } else { Vec::new() };
        let at = room.rng.below(people) as usize;
        room.people[at].in_default_group = !room.people[at].in_default_group;
        changed = true;
    }
    if tick % 43 == 10 {
        let at = room.rng.below(room.people.len() as u64) as usize;
        let muted = room.rng.below(2) == 0;
        room.control.send(Command::Mute(room.people[at].source, muted)).unwrap();
    }
    if tick % 500 == 499 {
        let sources = room.config.limits.sources;
        room.control.send(Command::Inspect(Box::new(Inspection::with_capacity(sources)))).unwrap();
    }
    if changed {
        let plan = room.plan();
        // A refused plan is simply replaced by the next one.
        drop(room.control.publish(plan));
    }
}
