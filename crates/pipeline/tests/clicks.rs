//! Nothing that control does to a voice in mid-sound is heard as a click.
//!
//! Tones go in and PCM comes out, so that the only thing between them is the mixer. A click is a step in the
//! wave or in its slope: the detector is the largest second difference of the signal, which for a tone is its
//! amplitude times the square of its angular step, and for a step of height h is at least h.

mod room;

use antiphon_pipeline::{
    AppEar, AppEarConfig, AppMouth, BusRate, Command, Effort, Participant, Receiver, ReceiverSlot, Source, SourceSlot,
};
use antiphon_rtp::SourceId;
use room::{Room, config};

/// Rounding to 16 bits makes second differences of up to two steps of the converter, on both sides.
const ROUNDING: f32 = 4.0 / 32_768.0;

/// An app that hums.
struct Voice {
    source: SourceSlot,
    receiver: ReceiverSlot,
    mouth: AppMouth,
    ear: AppEar,
    heard: Vec<f32>,
    hz: f32,
    loud: f32,
    phase: f32,
    in_default_group: bool,
}

impl Voice {
    /// 20 ms of its tone into the ring.
    fn hum(&mut self) {
        let step = self.hz * std::f32::consts::TAU / 48_000.0;
        let samples: Vec<i16> = (0..960)
            .map(|_| {
                self.phase = (self.phase + step) % std::f32::consts::TAU;
                (self.loud * self.phase.sin() * 32_768.0).round() as i16
            })
            .collect();
        self.mouth.speak(&samples);
    }
}

struct Choir {
    room: Room,
    voices: Vec<Voice>,
}

impl Choir {
    fn new(voices: usize) -> Self {
        let mut choir = Self { room: Room::new(config(8, BusRate::Hz48000), 1), voices: Vec::new() };
        for _ in 0..voices {
            choir.join();
        }
        choir.publish();
        choir
    }

    fn join(&mut self) {
        let room = &mut self.room;
        let (source, receiver) = (room.sources.take().unwrap(), room.receivers.take().unwrap());
        let (voice, mouth) = Source::app(SourceId::new(self.voices.len() as u32), 9_600, &room.config);
        let (listener, ear) = Receiver::app(AppEarConfig::default(), &room.config).unwrap();
        room.control.send(Command::AddSource(source, voice)).unwrap();
        room.control.send(Command::AddReceiver(receiver, listener)).unwrap();
        let hz = 300.0 + 130.0 * self.voices.len() as f32;
        let heard = Vec::new();
        self.voices.push(Voice {
            source,
            receiver,
            mouth,
            ear,
            heard,
            hz,
            loud: 0.2,
            phase: 0.0,
            in_default_group: true,
        });
    }

    fn publish(&mut self) {
        self.room.guests = self
            .voices
            .iter()
            .map(|voice| Participant {
                source: Some(voice.source),
                receiver: Some(voice.receiver),
                in_default_group: voice.in_default_group,
                unmixed: false,
            })
            .collect();
        self.room.publish();
    }

    fn steps(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.voices.iter_mut().for_each(Voice::hum);
            self.room.step();
            for voice in &mut self.voices {
                while let Some(frame) = voice.ear.next_mixed() {
                    voice.heard.extend(frame.samples.as_slice().iter().map(|sample| f32::from(*sample) / 32_768.0));
                }
            }
        }
    }

    /// The sharpest bend in what each voice hears over `ticks`, and forgets it.
    fn sharpest(&mut self, ticks: usize) -> Vec<f32> {
        self.steps(ticks);
        self.voices.iter_mut().map(|voice| bend(&std::mem::take(&mut voice.heard))).collect()
    }

    /// Runs `change` while all hum, and checks that no ear hears more than a bend of half again the sharpest
    /// that the tones alone have, before or after.
    fn check(&mut self, what: &str, change: impl FnOnce(&mut Self)) {
        self.steps(60);
        self.voices.iter_mut().for_each(|voice| voice.heard.clear());
        let before = self.sharpest(20);
        self.steps(1);
        change(self);
        self.steps(8);
        let then: Vec<f32> = self.voices.iter_mut().map(|voice| bend(&std::mem::take(&mut voice.heard))).collect();
        let after = self.sharpest(20);
        let steady = before.into_iter().chain(after).fold(0.0, f32::max);
        // A ramp over 960 samples bends by amplitude / 960 at its ends.
        let allowed = 1.5 * steady + 0.4 / 960.0 + ROUNDING;
        for (at, bend) in then.into_iter().enumerate() {
            assert!(bend < allowed, "{what}: ear {at} hears a bend of {bend:.5}, allowed {allowed:.5}");
        }
    }
}

fn bend(signal: &[f32]) -> f32 {
    signal.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).fold(0.0, f32::max)
}

#[test]
fn the_detector_sees_a_step() {
    let tone: Vec<f32> = (0..4_800).map(|n| 0.2 * (n as f32 * 0.04).sin()).collect();
    let mut cut = tone.clone();
    cut[2_400..].fill(0.0);
    assert!(bend(&tone) < 0.001 && bend(&cut) > 0.02);
}

#[test]
fn joining_and_leaving_in_mid_sound_do_not_click() {
    let mut choir = Choir::new(3);
    choir.check("a join in mid-sound", |choir| {
        choir.join();
        choir.steps(5); // sounds, and the plan does not know it yet
        choir.publish();
    });
    choir.check("a leave, plan and command together", |choir| {
        let mut gone = choir.voices.remove(1);
        gone.hum(); // in the middle of a note, not at its end
        choir.room.control.send(Command::RemoveSource(gone.source)).unwrap();
        choir.room.control.send(Command::RemoveReceiver(gone.receiver)).unwrap();
        choir.publish();
    });
    choir.check("a leave before the plan knows", |choir| {
        let mut gone = choir.voices.remove(0);
        gone.hum();
        choir.room.control.send(Command::RemoveSource(gone.source)).unwrap();
        choir.room.control.send(Command::RemoveReceiver(gone.receiver)).unwrap();
        choir.steps(3);
        choir.publish();
    });
}

#[test]
fn muting_and_unmuting_in_mid_sound_do_not_click() {
    let mut choir = Choir::new(3);
    let source = choir.voices[0].source;
    choir.check("mute", |choir| choir.room.control.send(Command::Mute(source, true)).unwrap());
    choir.check("unmute", |choir| choir.room.control.send(Command::Mute(source, false)).unwrap());
}

#[test]
fn replans_gains_and_routing_groups_do_not_click() {
    let mut choir = Choir::new(4);
    choir.check("out of the default group", |choir| {
        choir.voices[0].in_default_group = false;
        choir.publish();
    });
    let (source, receiver) = (choir.voices[0].source, choir.voices[2].receiver);
    let route = |choir: &mut Choir, on: bool| {
        // Room::plan knows routes between people only; a gain of 1 on a pair in a plan of our own does it.
        let mut builder = antiphon_pipeline::PlanBuilder::new(&choir.room.config.limits);
        for guest in &choir.room.guests {
            builder.participant(*guest);
        }
        if on {
            builder.route(&[source], &[receiver]);
        }
        choir.room.control.publish(builder.build()).unwrap();
    };
    choir.check("a routing group comes", |choir| route(choir, true));
    choir.check("a routing group goes", |choir| route(choir, false));
    choir.check("back into the default group", |choir| {
        choir.voices[0].in_default_group = true;
        choir.publish();
    });
    for (name, gain) in [("down", 0.25), ("up", 1.5), ("to nothing", 0.0), ("from nothing", 1.0)] {
        choir.check(&format!("gain {name}"), |choir| {
            let (source, receiver) = (choir.voices[1].source, choir.voices[2].receiver);
            choir.room.gains = vec![(source, receiver, gain)];
            choir.publish();
        });
    }
}

#[test]
fn a_gate_that_closes_and_a_cap_on_talkers_do_not_click() {
    let mut choir = Choir::new(2);
    choir.steps(40);
    // Below the closing level: it hums on inaudibly until the gate closes on it, 25 ticks later.
    choir.voices[0].loud = 0.0003;
    choir.voices[1].loud = 0.0;
    choir.steps(10);
    choir.voices[1].heard.clear();
    choir.steps(30);
    let heard = std::mem::take(&mut choir.voices[1].heard);
    assert!(heard.iter().any(|s| s.abs() > 0.0002) && heard[heard.len() - 960..].iter().all(|s| s.abs() < 1e-9));
    assert!(bend(&heard) < ROUNDING, "a gate closes with a bend of {}", bend(&heard));

    let mut choir = Choir::new(4);
    for (at, voice) in choir.voices.iter_mut().enumerate() {
        voice.loud = [0.3, 0.2, 0.1, 0.05][at];
    }
    choir.check("a cap on talkers", |choir| {
        choir.room.conversation.set_effort(Effort { max_talkers: 2, ..Effort::FULL });
        choir.steps(1);
        assert_eq!(choir.room.conversation.last_record().capped, 2);
    });
    choir.check("the cap is lifted", |choir| choir.room.conversation.set_effort(Effort::FULL));
    assert_eq!(choir.room.conversation.last_record().capped, 0);
}

#[test]
fn the_first_frame_of_speech_is_not_attenuated() {
    let mut choir = Choir::new(2);
    choir.voices.iter_mut().for_each(|voice| voice.loud = 0.0);
    choir.steps(60);
    choir.voices[0].loud = 0.2;
    choir.voices[1].heard.clear();
    choir.steps(2);
    let heard = &choir.voices[1].heard;
    // The limiter's 2 ms, then the tone at once: its first period is as loud as all others.
    let first = heard.iter().position(|sample| *sample != 0.0).unwrap();
    let period = &heard[first..first + 160];
    let peak = period.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
    assert!((peak - 0.2).abs() < 0.002 && first <= 96, "peak {peak}, from sample {first} on");
}
