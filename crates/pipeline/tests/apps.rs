//! Apps on both ends: mouths and ears in one conversation, and a bot's conversation behind lanes.

mod room;

use antiphon_pipeline::{
    AppEarConfig, BusRate, Command, Conversation, Event, FrameOutcome, Limits, Participant, PlanBuilder, Receiver,
    Slots, Source,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::packet_ring;
use antiphon_rtp::SourceId;
use room::bot::{self, Bot};
use room::{Room, config, tone_level};

fn tone(frames: std::ops::Range<usize>, rate: BusRate, hz: f32) -> Vec<i16> {
    let samples = frames.start * rate.frame_samples()..frames.end * rate.frame_samples();
    let step = std::f32::consts::TAU * hz / rate.hz() as f32;
    samples.map(|n| ((n as f32 * step).sin() * 6_000.0) as i16).collect()
}

fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|s| f32::from(*s) / 32_768.0).collect()
}

#[test]
fn an_app_speaks_and_another_hears_it_mixed_and_unmixed_on_one_clock() {
    for rate in [BusRate::Hz16000, BusRate::Hz48000] {
        let config = config(4, rate);
        let (egress, _ring) = packet_ring(64 * 1024);
        let (mut conversation, mut control) = Conversation::new(&config, egress).unwrap();
        let mut sources = Slots::new(8);
        let mut receivers = Slots::new(4);
        let mut builder = PlanBuilder::new(&config.limits);
        let (mut mouths, mut ears) = (Vec::new(), Vec::new());
        for n in 0..3_u32 {
            let (source, receiver) = (sources.take().unwrap(), receivers.take().unwrap());
            let (voice, mouth) = Source::app(SourceId::new(n), rate.frame_samples() * 10, &config);
            let (listener, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
            control.send(Command::AddSource(source, voice)).unwrap();
            control.send(Command::AddReceiver(receiver, listener)).unwrap();
            builder.participant(Participant {
                source: Some(source),
                receiver: Some(receiver),
                in_default_group: true,
                unmixed: true,
            });
            mouths.push(mouth);
            ears.push(ear);
        }
        control.publish(builder.build()).unwrap();
        let (mut mixed, mut unmixed) = (Vec::new(), vec![Vec::new(); 3]);
        for tick in 0..40 {
            mouths[0].speak(&tone(tick..tick + 1, rate, 500.0));
            mouths[1].speak(&tone(tick..tick + 1, rate, 900.0));
            conversation.tick(MonoTime::from_millis(tick as u64 * 20));
            let frame = ears[2].next_mixed().expect("a mixed frame every tick");
            assert_eq!(frame.tick, tick as u64);
            mixed.extend(floats(frame.samples.as_slice()));
            while let Some(frame) = ears[2].next_unmixed() {
                assert_eq!((frame.tick, frame.outcome), (tick as u64, FrameOutcome::Decoded));
                unmixed[frame.source_id.as_u32() as usize].extend(floats(frame.samples.as_slice()));
            }
            assert_eq!(conversation.last_record().encodes, 0, "apps take PCM");
        }
        // Both voices in the mix, one in each lane, at their own level.
        let hz = rate.hz() as f32;
        for voice in [500.0, 900.0] {
            assert!((tone_level(&mixed, voice, hz) - 0.183).abs() < 0.01);
        }
        for (n, voice, other) in [(0, 500.0, 900.0), (1, 900.0, 500.0)] {
            assert_eq!(unmixed[n].len(), 40 * rate.frame_samples(), "gap-free");
            assert!((tone_level(&unmixed[n], voice, hz) - 0.183).abs() < 0.01);
            assert!(tone_level(&unmixed[n], other, hz) < 0.01);
        }
        assert!(unmixed[2].is_empty(), "nobody hears themselves");
        // The speakers hear each other only.
        let mut heard = Vec::new();
        while let Some(frame) = ears[0].next_mixed() {
            heard.extend(floats(frame.samples.as_slice()));
        }
        assert!(tone_level(&heard, 900.0, hz) > 0.1 && tone_level(&heard, 500.0, hz) < 0.01);
    }
}

#[test]
fn a_full_ear_drops_the_newest_and_counts_it() {
    let config = config(2, BusRate::Hz16000);
    let (egress, _ring) = packet_ring(64 * 1024);
    let (mut conversation, mut control) = Conversation::new(&config, egress).unwrap();
    let receiver = Slots::new(2).take().unwrap();
    let (listener, mut ear) = Receiver::app(AppEarConfig { mixed_frames: 3, unmixed_frames: 1 }, &config).unwrap();
    control.send(Command::AddReceiver(receiver, listener)).unwrap();
    let mut builder = PlanBuilder::new(&config.limits);
    builder.participant(Participant { receiver: Some(receiver), ..Participant::default() });
    control.publish(builder.build()).unwrap();
    for tick in 0..5 {
        conversation.tick(MonoTime::from_millis(tick * 20));
    }
    let ticks: Vec<u64> = std::iter::from_fn(|| ear.next_mixed()).map(|frame| frame.tick).collect();
    assert_eq!(ticks, [0, 1, 2]);
    let dropped: u32 = std::iter::from_fn(|| control.next_record()).map(|record| record.app_dropped).sum();
    assert_eq!(dropped, 2);
}

#[test]
fn a_bot_hears_everybody_mixed_and_each_by_name() {
    let mut room = Room::new(config(6, BusRate::Hz16000), 1);
    for _ in 0..4 {
        room.join();
    }
    room.people[3].in_default_group = false;
    let guest = bot::join(&mut room, 0xabcd_0000);
    let mut bot = Bot::new(config(4, BusRate::Hz16000), 3, 3);
    let mut builder = PlanBuilder::new(&room.config.limits);
    builder.participant(guest);
    for person in &room.people {
        builder.participant(Participant {
            source: Some(person.source),
            receiver: Some(person.receiver),
            in_default_group: person.in_default_group,
            unmixed: false,
        });
    }
    room.control.publish(builder.build()).unwrap();
    room.people.iter_mut().for_each(|person| person.talking = true);
    let mut mixed = Vec::new();
    let mut lanes: std::collections::BTreeMap<u32, Vec<f32>> = std::collections::BTreeMap::new();
    let mut bound = Vec::new();
    let mut encodes = 0;
    for _ in 0..60 {
        room.send();
        let now = MonoTime::from_nanos(room.now);
        room.conversation.tick(now);
        encodes = room.conversation.last_record().encodes;
        bot.take_from(&mut room, || true);
        room.reclaim();
        bot.conversation.tick(now);
        assert_eq!(bot.conversation.last_record().packets_refused, 0);
        while let Some(frame) = bot.ear.next_mixed() {
            mixed.extend(floats(frame.samples.as_slice()));
        }
        while let Some(frame) = bot.ear.next_unmixed() {
            lanes.entry(frame.source_id.as_u32()).or_default().extend(floats(frame.samples.as_slice()));
        }
        while let Some(event) = bot.control.next_event() {
            if let Event::LaneBound { source_id, .. } = event.event {
                bound.push(source_id);
            }
        }
    }
    // Three in the default group and the bot: four mixes, one empty for the outsider who hears nobody.
    assert_eq!(encodes, 4, "lanes cost packets, not encodes");
    bound.sort_by_key(|id| id.as_u32());
    assert_eq!(bound, room.people[..3].iter().map(|p| p.source_id).collect::<Vec<_>>());
    for (n, person) in room.people.iter().enumerate() {
        let in_mix = tone_level(&mixed[6_400..], person.tone_hz, 16_000.0);
        assert_eq!(in_mix > 0.05, n < 3, "person {n} in the mix at {in_mix}");
        let lane = lanes.get(&person.source_id.as_u32());
        assert_eq!(lane.is_some(), n < 3, "person {n}");
        for other in room.people.iter().filter(|_| n < 3) {
            let level = tone_level(&lane.unwrap()[6_400..], other.tone_hz, 16_000.0);
            assert_eq!(level > 0.05, other.source_id == person.source_id, "{level} in lane {n}");
        }
    }
}

#[test]
fn too_few_lanes_are_told_and_an_idle_lane_is_used_again() {
    let mut room = Room::new(config(6, BusRate::Hz16000), 1);
    for _ in 0..3 {
        room.join();
    }
    let guest = bot::join(&mut room, 0xabcd_0000);
    let mut bot = Bot::new(config(4, BusRate::Hz16000), 2, 2);
    let mut builder = PlanBuilder::new(&room.config.limits);
    builder.participant(guest);
    for person in &room.people {
        let source = Some(person.source);
        builder.participant(Participant { source, in_default_group: true, ..Participant::default() });
    }
    room.control.publish(builder.build()).unwrap();
    let mut events = Vec::new();
    for tick in 0..640 {
        // Two speak first and fall silent; the third begins while they still hold the lanes.
        for (n, person) in room.people.iter_mut().enumerate() {
            person.talking = if n < 2 { tick < 50 } else { tick >= 60 };
        }
        room.send();
        room.conversation.tick(MonoTime::from_nanos(room.now));
        bot.take_from(&mut room, || true);
        bot.conversation.tick(MonoTime::from_nanos(room.now));
        events.extend(std::iter::from_fn(|| bot.control.next_event()).map(|timed| timed.event));
        while bot.ear.next_mixed().is_some() || bot.ear.next_unmixed().is_some() {}
        room.reclaim();
    }
    let third = room.people[2].source_id;
    assert!(events.contains(&Event::LanesExhausted { inlet: bot.inlet, source_id: third }));
    let freed = events.iter().position(|e| matches!(e, Event::LaneFreed { .. })).expect("an idle lane is freed");
    let bound = events.iter().position(|e| matches!(e, Event::LaneBound { source_id, .. } if *source_id == third));
    assert!(bound.expect("the third gets it") > freed);
}

#[test]
fn a_lane_added_in_need_lets_the_next_need_be_told_at_once() {
    let mut room = Room::new(config(8, BusRate::Hz16000), 1);
    for _ in 0..6 {
        room.join();
    }
    let guest = bot::join(&mut room, 0xabcd_0000);
    room.guests.push(guest);
    room.publish();
    room.people.iter_mut().for_each(|person| person.talking = true);
    let mut bot = Bot::new(config(8, BusRate::Hz16000), 0, 8);
    let (mut told, mut bound) = (0, 0);
    for _ in 0..20 {
        room.send();
        let now = MonoTime::from_nanos(room.now);
        room.conversation.tick(now);
        bot.take_from(&mut room, || true);
        bot.conversation.tick(now);
        let mut starved = false;
        while let Some(timed) = bot.control.next_event() {
            starved |= matches!(timed.event, Event::LanesExhausted { .. });
            bound += u32::from(matches!(timed.event, Event::LaneBound { .. }));
        }
        if starved {
            told += 1;
            bot.add_lane();
        }
        room.reclaim();
        bot.reclaim();
    }
    // In well under the second that lies between two complaints without a lane in between.
    assert_eq!((told, bound), (6, 6));
}

#[test]
fn limits_are_enforced_and_nothing_is_lost_when_a_slot_is_taken_twice() {
    let config =
        antiphon_pipeline::ConversationConfig { limits: Limits::for_participants(2), ..config(2, BusRate::Hz16000) };
    let (egress, _ring) = packet_ring(64 * 1024);
    let (mut conversation, mut control) = Conversation::new(&config, egress).unwrap();
    let slot = Slots::new(4).take().unwrap();
    for _ in 0..2 {
        let (source, _mouth) = Source::app(SourceId::new(1), 100, &config);
        control.send(Command::AddSource(slot, source)).unwrap();
    }
    conversation.tick(MonoTime::ZERO);
    assert!(matches!(control.next_retired(), Some(antiphon_pipeline::Retired::Source(..))));
    assert!(control.next_retired().is_none());
    assert_eq!(conversation.last_record().sources, 1);
}

#[test]
fn ten_people_shouting_at_full_scale_neither_wrap_nor_clip_hard() {
    let config = config(12, BusRate::Hz48000);
    let (egress, _ring) = packet_ring(64 * 1024);
    let (mut conversation, mut control) = Conversation::new(&config, egress).unwrap();
    let (mut sources, mut receivers) = (Slots::new(24), Slots::new(12));
    let mut builder = PlanBuilder::new(&config.limits);
    let mut mouths = Vec::new();
    for n in 0..10_u32 {
        let source = sources.take().unwrap();
        let (voice, mouth) = Source::app(SourceId::new(n), 9_600, &config);
        control.send(Command::AddSource(source, voice)).unwrap();
        builder.participant(Participant { source: Some(source), in_default_group: true, ..Participant::default() });
        mouths.push(mouth);
    }
    let receiver = receivers.take().unwrap();
    let (listener, mut ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
    control.send(Command::AddReceiver(receiver, listener)).unwrap();
    builder.participant(Participant { receiver: Some(receiver), in_default_group: true, ..Participant::default() });
    control.publish(builder.build()).unwrap();
    let mut heard = Vec::new();
    for tick in 0..50 {
        for (n, mouth) in mouths.iter_mut().enumerate() {
            let hz = 200.0 + 37.0 * n as f32;
            let shout =
                tone(tick..tick + 1, BusRate::Hz48000, hz).iter().map(|s| s.saturating_mul(5)).collect::<Vec<_>>();
            mouth.speak(&shout);
        }
        conversation.tick(MonoTime::from_millis(tick as u64 * 20));
        heard.extend_from_slice(ear.next_mixed().unwrap().samples.as_slice());
    }
    let top = heard.iter().map(|s| s.unsigned_abs()).max().unwrap();
    assert!((28_000..32_300).contains(&top), "{top}");
    // A wrap or a click is a jump of nearly full scale between neighbours; the tones themselves are slow.
    let jump = heard.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap();
    assert!(jump < 6_000, "{jump}");
}
