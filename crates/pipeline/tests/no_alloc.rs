//! Not one allocation or free in thousands of ticks of everything at once, on the service's side and on a bot's.

mod room;

use antiphon_codec::g711::Law;
use antiphon_pipeline::{
    AppEar, AppEarConfig, AppMouth, BusRate, Command, ConversationConfig, Effort, EncodeClass, Event, Inspection,
    LevelPage, OpusSettings, Participant, Receiver, Source, TickRecord,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::MAX_PACKET;
use antiphon_rtp::SourceId;
use antiphon_testkit::alloc_guard::{self, GuardedAlloc};
use room::bot::{self, Bot};
use room::{Rng, Room, Weather, config};

#[global_allocator]
static ALLOC: GuardedAlloc = GuardedAlloc;

/// Two encoder classes of the least effort: the heap is tested, not the time.
fn two_classes(people: usize, rate: BusRate) -> ConversationConfig {
    let class = OpusSettings { complexity: 0, ..OpusSettings::default() };
    let second = OpusSettings { bitrate: 40_000, fec: true, expected_loss: 20, ..class };
    ConversationConfig { classes: vec![class.into(), second.into()], ..config(people, rate) }
}

/// An app that speaks and hears in the room, also unmixed.
fn join_app(room: &mut Room) -> (AppMouth, AppEar) {
    let (source, receiver) = (room.sources.take().unwrap(), room.receivers.take().unwrap());
    let (voice, mouth) = Source::app(SourceId::new(9), 3_200, &room.config);
    let (listener, ear) = Receiver::app(AppEarConfig::default(), &room.config).unwrap();
    room.control.send(Command::AddSource(source, voice)).unwrap();
    room.control.send(Command::AddReceiver(receiver, listener)).unwrap();
    let (source, receiver) = (Some(source), Some(receiver));
    room.guests.push(Participant { source, receiver, in_default_group: true, unmixed: true });
    (mouth, ear)
}

/// Sum of one number over all ticks so far.
fn sum(room: &Room, value: fn(&TickRecord) -> u32) -> u64 {
    room.records.iter().map(|record| u64::from(value(record))).sum()
}

/// Empties an app's ear and gives the mixed and unmixed frames that waited.
fn listen(ear: &mut AppEar) -> (u64, u64) {
    let mixed = std::iter::from_fn(|| ear.next_mixed()).count();
    (mixed as u64, std::iter::from_fn(|| ear.next_unmixed()).count() as u64)
}

#[test]
fn ticks_with_joins_leaves_loss_lanes_apps_and_replans_touch_no_heap() {
    let mut room = Room::new(two_classes(18, BusRate::Hz16000), 11);
    room.decode_ears = false;
    for n in 0..8 {
        room.join_in_class(n % 2);
    }
    let guest = bot::join(&mut room, 1);
    room.guests.push(guest);
    let (mut mouth, mut ear) = join_app(&mut room);
    room.publish();
    let mut heard = (0, 0);
    for tick in 0..10_500_u64 {
        churn(&mut room, tick);
        if tick % 100 < 30 {
            mouth.speak(&[3_000, -3_000].repeat(150)); // 20 samples short of a frame: it runs dry
        }
        room.send();
        let now = MonoTime::from_nanos(room.now);
        alloc_guard::forbid(|| room.conversation.tick(now));
        room.receive();
        room.reclaim();
        if tick % 80 == 79 {
            // Read seldom, so that it overflows between.
            let (mixed, unmixed) = listen(&mut ear);
            heard = (heard.0 + mixed, heard.1 + unmixed);
        }
    }
    // It was a real call: all of this happened while the guard was armed.
    assert!(sum(&room, |r| r.encodes) > 10_000 && sum(&room, |r| r.decodes) > 10_000);
    assert!(sum(&room, |r| r.concealments) > 100 && sum(&room, |r| r.state_copies) > 100);
    assert!(room.records.iter().filter(|r| r.plan_swapped).count() > 200);
    assert!(sum(&room, |r| r.lane_packets) > 1_000 && sum(&room, |r| r.app_underruns) > 100);
    assert!(heard.0 > 1_000 && heard.1 > 1_000 && sum(&room, |r| r.app_dropped) > 100, "{heard:?}");
}

/// Ticks of each of the two long runs: with the tests beside them over a hundred thousand.
const TICKS: u64 = 44_000;

#[test]
fn ticks_with_changes_of_class_effort_and_codec_touch_no_heap() {
    long_churn(23);
}

#[test]
fn as_many_ticks_with_other_changes_touch_no_heap() {
    long_churn(24);
}

/// A room small enough for many ticks.
fn long_churn(seed: u64) {
    let mut config = two_classes(8, BusRate::Hz16000);
    config.classes.extend([EncodeClass::G711(Law::Mu), EncodeClass::G711(Law::A)]);
    let mut room = Room::new(config, seed);
    room.decode_ears = false;
    for n in 0..4 {
        room.join_in_class(n % 4);
    }
    room.publish();
    let (mut capped, mut limited) = (0_u64, 0_u64);
    for tick in 0..TICKS {
        churn_small(&mut room, tick);
        room.send();
        let now = MonoTime::from_nanos(room.now);
        alloc_guard::forbid(|| room.conversation.tick(now));
        let record = room.conversation.last_record();
        capped += u64::from(record.capped);
        limited += u64::from(record.effort != Effort::FULL);
        room.receive();
        room.reclaim();
    }
    assert_eq!(room.records.len() as u64, TICKS);
    assert!(sum(&room, |r| r.encodes) > 10_000 && sum(&room, |r| r.decodes) > 10_000);
    assert!(sum(&room, |r| r.packets_out) > sum(&room, |r| r.encodes), "telephones get packets all the time");
    assert!(capped > 100 && limited > 10_000, "{capped} talkers capped, {limited} ticks limited");
    let regrouped = room.records.iter().filter(|r| r.regrouped).count();
    assert!(regrouped > 1_500, "grouped anew {regrouped} times");
}

/// Talk, classes, efforts, plans, mutes, joins and leaves, each often enough to meet all the others.
fn churn_small(room: &mut Room, tick: u64) {
    let people = room.people.len() as u64;
    let mut changed = false;
    if tick.is_multiple_of(31) {
        let at = room.rng.below(people) as usize;
        room.people[at].talking = room.rng.below(2) == 0;
    }
    if tick % 53 == 7 {
        // To the other class of its codec, or to one that it may not have, which does nothing.
        let (at, class) = (room.rng.below(people) as usize, room.rng.below(6) as u8);
        room.control.send(Command::SetClass(room.people[at].receiver, class)).unwrap();
    }
    if tick % 211 == 20 {
        let (complexity, talkers) = (room.rng.below(3), room.rng.below(4));
        room.conversation.set_effort(match room.rng.below(3) {
            0 => Effort::FULL,
            1 => Effort { max_complexity: complexity as u8, max_bitrate: 12_000, ..Effort::FULL },
            _ => Effort { max_talkers: talkers as u16, ..Effort::FULL },
        });
    }
    if tick % 307 == 40 && people < 5 {
        let at = room.join_in_class((tick % 4) as u8);
        room.people[at].weather = Weather { loss: 0.05, duplicate: 0.01, jitter_ms: 30, drift_ppm: -150 };
        changed = true;
    }
    if tick % 401 == 99 && people > 3 {
        room.leave(room.rng.clone().below(people) as usize);
        changed = true;
    }
    if tick % 173 == 60 {
        let at = room.rng.below(room.people.len() as u64) as usize;
        let muted = room.rng.below(2) == 0;
        room.control.send(Command::Mute(room.people[at].source, muted)).unwrap();
    }
    if tick % 97 == 30 {
        let people = room.people.len() as u64;
        let (voice, ear) = (room.rng.below(people) as usize, room.rng.below(people) as usize);
        let gain = [0.0, 0.5, 1.0, 2.0][room.rng.below(4) as usize];
        room.gains = vec![(room.people[voice].source, room.people[ear].receiver, gain)];
        room.people[ear].in_default_group = !room.people[ear].in_default_group;
        changed = true;
    }
    if changed {
        drop(room.control.publish(room.plan()));
    }
}

#[test]
fn ticks_of_a_bot_with_lanes_that_come_and_go_touch_no_heap() {
    let mut room = Room::new(two_classes(10, BusRate::Hz48000), 5);
    room.decode_ears = false;
    for n in 0..6 {
        room.join_in_class(n % 2);
    }
    let guest = bot::join(&mut room, 1);
    room.guests.push(guest);
    room.publish();
    let mut bot = Bot::new(two_classes(8, BusRate::Hz48000), 3, 6);
    let (mouth_slot, uplink_slot) = (bot.sources.take().unwrap(), bot.receivers.take().unwrap());
    let (voice, mut mouth) = Source::app(SourceId::new(1), 9_600, &bot.config);
    bot.control.send(Command::AddSource(mouth_slot, voice)).unwrap();
    let uplink = Receiver::rtp(bot::receiver_config(0, 1, None), &bot.config).unwrap();
    bot.control.send(Command::AddReceiver(uplink_slot, uplink)).unwrap();
    bot.routes.push((mouth_slot, uplink_slot));
    let mut rng = Rng::new(7);
    let (mut bound, mut freed, mut exhausted, mut heard, mut sent) = (0, 0, 0, (0, 0), 0);
    for tick in 0..2_600_u64 {
        churn_bot(&mut room, &mut bot, tick);
        if tick % 200 < 120 {
            mouth.speak(&[3_000, -3_000].repeat(480));
        }
        room.send();
        let now = MonoTime::from_nanos(room.now);
        alloc_guard::forbid(|| room.conversation.tick(now));
        bot.take_from(&mut room, || rng.unit() > 0.05);
        alloc_guard::forbid(|| bot.conversation.tick(now));
        let mut buffer = [0; MAX_PACKET];
        sent += std::iter::from_fn(|| bot.egress.pop(&mut buffer)).count();
        while let Some(timed) = bot.control.next_event() {
            bound += u32::from(matches!(timed.event, Event::LaneBound { .. }));
            freed += u32::from(matches!(timed.event, Event::LaneFreed { .. }));
            exhausted += u32::from(matches!(timed.event, Event::LanesExhausted { .. }));
        }
        while bot.control.next_record().is_some() {}
        room.reclaim();
        bot.reclaim();
        let (mixed, unmixed) = listen(&mut bot.ear);
        heard = (heard.0 + mixed, heard.1 + unmixed);
    }
    assert!(sum(&room, |r| r.lane_packets) > 3_000 && sent > 1_000, "{sent} sent");
    assert!(bound > 10 && freed > 3 && exhausted > 0, "{bound} bound, {freed} freed, {exhausted} exhausted");
    assert!(heard.0 == 2_600 && heard.1 > 3_000, "{heard:?}");
}

/// Speakers take turns long enough for their lanes to be freed; the leg's lanes get other numbers; lanes are
/// added, removed and routed anew.
fn churn_bot(room: &mut Room, bot: &mut Bot, tick: u64) {
    for (n, person) in (0..).zip(&mut room.people) {
        person.talking = (tick / 150 + n) % 6 < 2;
    }
    if tick % 700 == 600 {
        // The same people on the same lanes with new SSRCs: each is bound again where it was.
        let left = room.guests.pop().unwrap().receiver.unwrap();
        room.control.send(Command::RemoveReceiver(left)).unwrap();
        let guest = bot::join(room, 0x1_0000 * (tick as u32 / 700 + 1));
        room.guests.push(guest);
        drop(room.control.publish(room.plan()));
    }
    if tick % 400 == 350 {
        room.leave(0);
        room.join();
        drop(room.control.publish(room.plan()));
    }
    if tick % 250 == 125 {
        // One lane goes, bound or not, and another comes.
        let lane = bot.lanes.remove(0);
        bot.control.send(Command::RemoveSource(lane)).unwrap();
        bot.add_lane();
        drop(bot.control.publish(bot.plan()));
    }
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
        let at = room.join_in_class((tick % 2) as u8);
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
        let (source, receiver) = (room.people[pair.0].source, room.people[pair.1].receiver);
        room.gains.truncate(3);
        room.gains.insert(0, (source, receiver, [0.0, 0.5, 1.5][room.rng.below(3) as usize]));
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
        room.control.send(Command::Levels(Box::new(LevelPage::with_capacity(sources)))).unwrap();
    }
    if changed {
        let plan = room.plan();
        // A refused plan is simply replaced by the next one.
        drop(room.control.publish(plan));
    }
}
