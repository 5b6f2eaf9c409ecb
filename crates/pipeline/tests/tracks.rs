//! Every source apart, for minutes with loss, jitter, silence, joins, leaves and reroutes: what an app gets is whole
//! tracks on one sample clock, and their sum is the mix.

mod room;

use std::collections::BTreeMap;

use antiphon_pipeline::{AppEar, AppEarConfig, BusRate, Command, FrameOutcome, Participant, Receiver, UnmixedFrame};
use room::{Room, Weather, config};

const RATE: BusRate = BusRate::Hz16000;
const FRAME: usize = RATE.frame_samples();
/// Three minutes.
const TICKS: u64 = 9_000;

/// Lets an app into the room that hears the default group, mixed and apart.
fn listen(room: &mut Room) -> AppEar {
    let receiver = room.receivers.take().unwrap();
    let rings = AppEarConfig { mixed_frames: 4, unmixed_frames: 64 };
    let (listener, ear) = Receiver::app(rings, &room.config).unwrap();
    room.control.send(Command::AddReceiver(receiver, listener)).unwrap();
    room.guests.push(Participant { source: None, receiver: Some(receiver), in_default_group: true, unmixed: true });
    ear
}

/// What a recorder knows of one tick.
struct Tick {
    mixed: Vec<i32>,
    sum: Vec<i32>,
    /// Who sounded.
    voices: Vec<u32>,
}

#[test]
fn tracks_of_minutes_are_gap_free_on_one_clock_and_their_sum_is_the_mix() {
    let mut room = Room::new(config(10, RATE), 7);
    room.decode_ears = false;
    for n in 0..4 {
        room.join();
        room.people[n].weather = Weather { loss: 0.05, duplicate: 0.01, jitter_ms: 8, drift_ppm: 50 - 30 * n as i64 };
    }
    let mut ear = listen(&mut room);
    room.publish();

    let mut ticks: Vec<Tick> = Vec::new();
    let mut last: BTreeMap<u32, (u64, u32)> = BTreeMap::new();
    let mut outcomes: BTreeMap<FrameOutcome, u64> = BTreeMap::new();
    let (mut delivered, mut sounded) = (0, 0);
    for at in 0..TICKS {
        // Turns of some seconds with pauses between them, two at a time now and then.
        for (n, person) in room.people.iter_mut().enumerate() {
            let turn = (at / 150 + 3 * n as u64) % 5;
            person.talking = turn < 2 && at % 150 < 120;
        }
        match at % 1_500 {
            400 => {
                let guest = room.join();
                room.people[guest].weather = Weather { loss: 0.1, ..Weather::default() };
                room.publish();
            }
            900 => {
                room.leave(room.people.len() - 1);
                room.publish();
            }
            1_100 | 1_300 => {
                let person = &mut room.people[0];
                person.in_default_group = !person.in_default_group;
                room.publish();
            }
            _ => {}
        }
        room.step();
        // Not `room.step` alone: a refused plan takes a step of its own.
        while let Some(frame) = ear.next_mixed() {
            assert_eq!(frame.tick, ticks.len() as u64, "one mixed frame every tick, none twice");
            let mixed = frame.samples.as_slice().iter().map(|s| i32::from(*s)).collect();
            ticks.push(Tick { mixed, sum: vec![0; FRAME], voices: Vec::new() });
        }
        while let Some(frame) = ear.next_unmixed() {
            let UnmixedFrame { tick, source_id, timestamp, outcome, samples, .. } = frame;
            let source = source_id.as_u32();
            if let Some((before, stamp)) = last.insert(source, (tick, timestamp.as_u32())) {
                assert!(tick > before, "source {source} repeats tick {tick}, after {before}");
                assert!(
                    timestamp.as_u32().wrapping_sub(stamp) as i32 >= 0,
                    "source {source} goes back in its own time"
                );
            }
            assert!(outcome > FrameOutcome::Comfort, "silence is a gap");
            assert_eq!(samples.as_slice().len(), FRAME);
            *outcomes.entry(outcome).or_default() += 1;
            delivered += 1;
            let of = ticks.get_mut(tick as usize).expect("the tick of its mixed frame");
            of.voices.push(source);
            of.sum.iter_mut().zip(samples.as_slice()).for_each(|(sum, s)| *sum += i32::from(*s));
        }
    }
    for record in &room.records {
        assert_eq!((record.app_dropped, record.telemetry_dropped), (0, 0));
        sounded += record.frames.decoded + record.frames.recovered + record.frames.concealed;
    }
    assert!(ticks.len() as u64 >= TICKS);
    // Who is out of the default group is heard by nobody, so it is not decoded: every frame that sounded was delivered.
    assert_eq!(delivered, sounded, "a frame that sounded for somebody is in a track, and no other");
    assert!(outcomes[&FrameOutcome::Decoded] > 5_000 && outcomes[&FrameOutcome::Concealed] > 100, "{outcomes:?}");

    // The sum of the tracks, later by what the mix lags.
    let delay = RATE.mix_delay_samples();
    let sum: Vec<i32> = ticks.iter().flat_map(|tick| tick.sum.iter().copied()).collect();
    let mut compared = 0;
    for at in 2..ticks.len() - 1 {
        // Where the same voices went on for four ticks: no ramp of a join, leave or reroute, and no gate opening.
        let steady = ticks[at - 2..=at + 1].windows(2).all(|pair| pair[0].voices == pair[1].voices);
        if !steady || ticks[at].voices.is_empty() {
            continue;
        }
        compared += 1;
        let tracks = &sum[at * FRAME - delay..(at + 1) * FRAME - delay];
        let most = ticks[at].voices.len() as i32 / 2 + 1; // each track and the mix are rounded by half a step
        for (mixed, sum) in ticks[at].mixed.iter().zip(tracks) {
            assert!((mixed - sum).abs() <= most, "tick {at}: {mixed} is not {sum}; {:?}", ticks[at].voices);
        }
    }
    assert!(compared > 4_000, "{compared}");
    // And where nobody sounded for long, exact silence.
    let silent: Vec<usize> =
        (30..ticks.len()).filter(|at| ticks[at - 30..=*at].iter().all(|tick| tick.voices.is_empty())).collect();
    assert!(silent.iter().all(|at| ticks[*at].mixed.iter().all(|sample| *sample == 0)));
}
