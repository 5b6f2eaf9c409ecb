//! A conversation of apps that speak and legs that listen, for tests of what the mixer does to sound.
//!
//! Everything is deterministic. Speech is synthetic: a glottal pulse train with a wandering pitch through
//! formants that change with each syllable, fricatives and short pauses in between.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use antiphon_codec::{Channels, CodecRate, Decoder};
use antiphon_pipeline::{
    AppEar, AppEarConfig, AppMouth, Command, Control, Conversation, ConversationConfig, Participant, PlanBuilder,
    Receiver, ReceiverSlot, Retired, RtpReceiverConfig, Slots, Source, SourceSlot,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketReceiver, packet_ring};
use antiphon_rtp::{PayloadType, RtpPacket, RtpTimestamp, SeqNo, SourceId, Ssrc};

/// Samples of a frame at 48 kHz.
pub const FRAME: usize = 960;

/// One participant: an app that speaks, and perhaps a leg that listens.
pub struct Person {
    pub source: SourceSlot,
    pub receiver: Option<ReceiverSlot>,
    pub in_default_group: bool,
    /// What it says, endlessly; silent where `talking` is off.
    pub speech: Vec<i16>,
    pub talking: bool,
    pub mouth: AppMouth,
    at: usize,
}

pub struct Studio {
    pub config: ConversationConfig,
    pub conversation: Box<Conversation>,
    pub control: Control,
    egress: PacketReceiver,
    sources: Slots<SourceSlot>,
    receivers: Slots<ReceiverSlot>,
    pub people: Vec<Person>,
    /// Who hears whom beyond the default group, by number.
    pub routes: Vec<(usize, usize)>,
    /// Gains, by number of source and receiver.
    pub gains: Vec<(usize, usize, f32)>,
    /// The packet each leg got in each tick.
    pub packets: BTreeMap<usize, Vec<Option<Vec<u8>>>>,
    /// Apps that hear what a person hears, as PCM.
    pub shadows: Vec<(usize, ReceiverSlot, AppEar)>,
    /// What the first of them has heard.
    pub shadowed: Vec<f32>,
    pub tick: u64,
}

impl Studio {
    pub fn new(config: ConversationConfig) -> Self {
        let (tx, egress) = packet_ring(1 << 20);
        let (conversation, control) = Conversation::new(&config, tx).unwrap();
        Self {
            conversation,
            control,
            egress,
            sources: Slots::new(config.limits.sources),
            receivers: Slots::new(config.limits.receivers),
            config,
            people: Vec::new(),
            routes: Vec::new(),
            gains: Vec::new(),
            packets: BTreeMap::new(),
            shadows: Vec::new(),
            shadowed: Vec::new(),
            tick: 0,
        }
    }

    /// Somebody who speaks like `seed`; the plan is not yet changed. Listens, in this encoder class, if there is one.
    pub fn join(&mut self, seed: u64, class: Option<u8>) -> usize {
        let at = self.people.len();
        let source = self.sources.take().unwrap();
        let (voice, mouth) = Source::app(SourceId::new(at as u32 + 1), FRAME * 2, &self.config);
        self.control.send(Command::AddSource(source, voice)).unwrap();
        let speech = if seed == 0 { Vec::new() } else { VOICES[seed as usize % VOICES.len()].clone() };
        self.people.push(Person {
            source,
            receiver: None,
            in_default_group: true,
            speech,
            talking: false,
            mouth,
            // Each seed elsewhere in what the voice says.
            at: (seed as usize * 37 % SPOKEN) * FRAME,
        });
        if let Some(class) = class {
            self.listen(at, class);
        }
        at
    }

    /// The person at this place listens from now on.
    pub fn listen(&mut self, at: usize, class: u8) {
        let receiver = self.receivers.take().unwrap();
        let config = RtpReceiverConfig {
            leg: at as u32,
            ssrc: Ssrc::new(0x100 + at as u32),
            payload_type: PayloadType::new(111).unwrap(),
            first_seq: SeqNo::new(0),
            first_timestamp: RtpTimestamp::new(0),
            class,
            level_extension: None,
            csrc_level_extension: None,
            mid: None,
            lanes: None,
            tones: None,
            red: None,
        };
        let listener = Receiver::rtp(config, &self.config).unwrap();
        self.control.send(Command::AddReceiver(receiver, listener)).unwrap();
        self.people[at].receiver = Some(receiver);
    }

    /// An app that hears what the person at this place hears.
    pub fn shadow(&mut self, at: usize) {
        let receiver = self.receivers.take().unwrap();
        let (listener, ear) = Receiver::app(AppEarConfig::default(), &self.config).unwrap();
        self.control.send(Command::AddReceiver(receiver, listener)).unwrap();
        self.shadows.push((at, receiver, ear));
    }

    pub fn publish(&mut self) {
        let mut builder = PlanBuilder::new(&self.config.limits);
        for person in &self.people {
            builder.participant(Participant {
                source: Some(person.source),
                receiver: person.receiver,
                in_default_group: person.in_default_group,
                unmixed: false,
            });
        }
        for &(source, receiver) in &self.routes {
            if let Some(receiver) = self.people[receiver].receiver {
                builder.route(&[self.people[source].source], &[receiver]);
            }
        }
        for &(source, receiver, gain) in &self.gains {
            if let Some(receiver) = self.people[receiver].receiver {
                builder.gain(self.people[source].source, receiver, gain);
            }
        }
        for (whom, receiver, _) in &self.shadows {
            let heard = (0..self.people.len()).filter(|at| at != whom);
            let heard: Vec<_> = heard.map(|at| self.people[at].source).collect();
            builder.route(&heard, &[*receiver]);
        }
        self.control.publish(builder.build()).unwrap();
    }

    /// 20 ms.
    pub fn step(&mut self) {
        for person in &mut self.people {
            let at = person.at;
            person.at += FRAME;
            if person.talking {
                let from = at % person.speech.len();
                person.mouth.speak(&person.speech[from..from + FRAME]);
            }
        }
        self.tick += 1;
        self.conversation.tick(MonoTime::from_nanos(self.tick * 20_000_000));
        let mut buffer = [0; MAX_PACKET];
        for (at, person) in self.people.iter().enumerate() {
            if person.receiver.is_some() {
                self.packets.entry(at).or_default().push(None);
            }
        }
        while let Some((meta, len)) = self.egress.pop(&mut buffer) {
            let packet = RtpPacket::parse(&buffer[..len]).unwrap();
            let place = self.packets.get_mut(&(meta.leg as usize)).and_then(|packets| packets.last_mut());
            *place.expect("a packet for somebody who listens") = Some(packet.payload().to_vec());
        }
        while let Some(retired) = self.control.next_retired() {
            if let Retired::Source(slot, _) = retired {
                assert!(self.sources.give_back(slot));
            }
        }
        while let Some(frame) = self.shadows.first_mut().and_then(|shadow| shadow.2.next_mixed()) {
            self.shadowed.extend(frame.samples.as_slice().iter().map(|sample| f32::from(*sample) / 32_768.0));
        }
        while self.control.next_record().is_some() || self.control.next_event().is_some() {}
        self.control.reclaim_plans();
    }

    pub fn steps(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.step();
        }
    }

    /// What a leg's far end hears, a frame per tick; silence for a tick without a packet.
    pub fn decoded(&self, at: usize) -> Vec<Vec<f32>> {
        decode(&self.packets[&at])
    }
}

/// Decodes a leg's packets at 48 kHz, a frame per tick.
pub fn decode(packets: &[Option<Vec<u8>>]) -> Vec<Vec<f32>> {
    let mut decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).unwrap();
    packets
        .iter()
        .map(|packet| {
            let mut frame = vec![0.0; FRAME];
            if let Some(packet) = packet {
                assert_eq!(decoder.decode(packet, &mut frame).unwrap(), FRAME);
            }
            frame
        })
        .collect()
}

/// A small deterministic generator.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in [from, to).
    pub fn between(&mut self, from: f32, to: f32) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let unit = (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 40) as f32 / (1 << 24) as f32;
        from + (to - from) * unit
    }
}

/// Formants of vowels, in hertz.
const VOWELS: [[f32; 3]; 8] = [
    [730.0, 1_090.0, 2_440.0],
    [270.0, 2_290.0, 3_010.0],
    [300.0, 870.0, 2_240.0],
    [530.0, 1_840.0, 2_480.0],
    [660.0, 1_720.0, 2_410.0],
    [440.0, 1_020.0, 2_240.0],
    [490.0, 1_350.0, 1_690.0],
    [640.0, 1_190.0, 2_390.0],
];

/// Frames that each voice has to say.
const SPOKEN: usize = 300;

static VOICES: LazyLock<Vec<Vec<i16>>> = LazyLock::new(|| (1..=11).map(|seed| speech(seed, SPOKEN)).collect());

/// Synthetic speech at 48 kHz, of about -23 dBov, as many frames long.
pub fn speech(seed: u64, frames: usize) -> Vec<i16> {
    let mut dice = Dice::new(seed);
    let base = dice.between(95.0, 220.0);
    let mut voice = Vec::with_capacity(frames * FRAME);
    while voice.len() < frames * FRAME {
        if dice.between(0.0, 1.0) < 0.3 {
            fricative(&mut dice, &mut voice);
        }
        vowel(&mut dice, base, &mut voice);
        let pause = if dice.between(0.0, 1.0) < 0.15 { 0.25 } else { 0.04 };
        let pause = (dice.between(0.2, 1.0) * pause * 48_000.0) as usize;
        voice.extend((0..pause).map(|_| dice.between(-1e-4, 1e-4)));
    }
    voice.truncate(frames * FRAME);
    let power = voice.iter().map(|s| s * s).sum::<f32>() / voice.len() as f32;
    let gain = 0.07 / power.sqrt();
    voice.iter().map(|sample| (sample * gain * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).collect()
}

fn vowel(dice: &mut Dice, base: f32, out: &mut Vec<f32>) {
    let length = (dice.between(0.09, 0.24) * 48_000.0) as usize;
    let (from, to) = (VOWELS[dice.between(0.0, 8.0) as usize], VOWELS[dice.between(0.0, 8.0) as usize]);
    let (pitch, bend) = (base * dice.between(0.85, 1.2), dice.between(-0.2, 0.15));
    let loud = dice.between(0.5, 1.0);
    let (mut phase, mut glottis) = (0.0_f32, 0.0_f32);
    let mut memory = [[0.0_f32; 2]; 3];
    for n in 0..length {
        let along = n as f32 / length as f32;
        phase += pitch * (1.0 + bend * along) / 48_000.0;
        let mut pulse = dice.between(-0.004, 0.004);
        if phase >= 1.0 {
            phase -= 1.0;
            pulse += 1.0;
        }
        glottis += (pulse - glottis) * 0.12;
        let mut sample = 0.0;
        for (band, state) in memory.iter_mut().enumerate() {
            let hz = from[band] + (to[band] - from[band]) * along;
            let width = [60.0, 90.0, 150.0][band];
            sample += resonate(state, glottis, hz, width) * [1.0, 0.6, 0.3][band];
        }
        out.push(sample * loud * (along * std::f32::consts::PI).sin().powf(0.6));
    }
}

/// One step of a two-pole resonator.
fn resonate(state: &mut [f32; 2], input: f32, hz: f32, width: f32) -> f32 {
    let r = (-std::f32::consts::PI * width / 48_000.0).exp();
    let angle = std::f32::consts::TAU * hz / 48_000.0;
    let out = input * (1.0 - r) + 2.0 * r * angle.cos() * state[0] - r * r * state[1];
    *state = [out, state[0]];
    out
}

fn fricative(dice: &mut Dice, out: &mut Vec<f32>) {
    let length = (dice.between(0.04, 0.1) * 48_000.0) as usize;
    let mut last = 0.0;
    for n in 0..length {
        let noise = dice.between(-0.006, 0.006);
        out.push((noise - last * 0.9) * (n as f32 / length as f32 * std::f32::consts::PI).sin());
        last = noise;
    }
}
