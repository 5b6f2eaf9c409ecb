//! A meeting in virtual time: people with real Opus, seeded links, and one conversation.
//!
//! Shared by the integration tests. Time is a number; the same seed gives the same bytes.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of it")]

pub mod bot;

use std::collections::BTreeMap;

use antiphon_codec::{Channels, CodecRate, Decoder, Encoder, EncoderConfig, PacketInfo};
use antiphon_pipeline::{
    BusRate, Command, Control, Conversation, ConversationConfig, Inlet, InletConfig, InletSlot, Limits, MixPlan,
    Participant, Payload, PlanBuilder, Receiver, ReceiverSlot, Retired, RtpReceiverConfig, Slots, Source, SourceSlot,
    TickRecord,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{
    AudioLevel, Extension, LevelExtension, PayloadType, RtpHeader, RtpPacket, RtpTimestamp, SeqNo, SourceId, Ssrc,
};

pub const TICK_NS: u64 = 20_000_000;
pub const LEVEL_EXTENSION: u8 = 1;

/// A small deterministic generator (xorshift64*).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What a network does to packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub loss: f64,
    pub duplicate: f64,
    /// Uniform extra delay up to this; reorders when above 20 ms.
    pub jitter_ms: u64,
    /// Sender clock error.
    pub drift_ppm: i64,
}

/// One participant and its leg.
pub struct Person {
    pub source: SourceSlot,
    pub receiver: ReceiverSlot,
    pub inlet: InletSlot,
    pub source_id: SourceId,
    pub leg: u32,
    pub talking: bool,
    pub in_default_group: bool,
    pub weather: Weather,
    pub tone_hz: f32,
    /// Amplitude of the tone.
    pub loudness: f32,
    /// What it stamps on its packets, true or not.
    pub claims: Option<AudioLevel>,
    syllables: bool,
    uplink: PacketSender,
    encoder: Encoder,
    ssrc: u32,
    frames: u64,
    phase: f32,
    in_flight: BTreeMap<(u64, u64), Vec<u8>>,
    sent: u64,
}

/// What one leg's far end hears.
pub struct Ear {
    decoder: Decoder,
    last_seq: Option<u16>,
    pub heard: Vec<f32>,
    pub packets: u64,
    pub lost: u64,
    pub bytes: Vec<u8>,
    pub last_csrcs: Vec<SourceId>,
    pub last_marker: bool,
    pub keep_bytes: bool,
}

impl Ear {
    pub fn new() -> Self {
        Self {
            decoder: Decoder::new(CodecRate::Hz16000, Channels::Mono).unwrap(),
            last_seq: None,
            heard: Vec::new(),
            packets: 0,
            lost: 0,
            bytes: Vec::new(),
            last_csrcs: Vec::new(),
            last_marker: false,
            keep_bytes: false,
        }
    }

    pub fn hear(&mut self, bytes: &[u8]) {
        let packet = RtpPacket::parse(bytes).unwrap();
        let seq = packet.seq().as_u16();
        if let Some(last) = self.last_seq {
            self.lost += u64::from(seq.wrapping_sub(last).wrapping_sub(1));
        }
        self.last_seq = Some(seq);
        self.packets += 1;
        self.last_csrcs = packet.csrcs().collect();
        self.last_marker = packet.marker();
        if self.keep_bytes {
            self.bytes.extend_from_slice(bytes);
        }
        assert!(PacketInfo::parse(packet.payload()).is_ok());
        let mut out = [0.0; 960];
        let samples = self.decoder.decode(packet.payload(), &mut out).unwrap();
        self.heard.extend_from_slice(&out[..samples]);
    }
}

pub struct Room {
    pub config: ConversationConfig,
    pub conversation: Box<Conversation>,
    pub control: Control,
    pub egress: PacketReceiver,
    pub people: Vec<Person>,
    pub ears: BTreeMap<u32, Ear>,
    pub sources: Slots<SourceSlot>,
    pub receivers: Slots<ReceiverSlot>,
    pub inlets: Slots<InletSlot>,
    pub routes: Vec<(Vec<usize>, Vec<usize>)>,
    /// Whoever is there without being one of `people`.
    pub guests: Vec<Participant>,
    pub gains: Vec<(SourceSlot, ReceiverSlot, f32)>,
    pub now: u64,
    pub rng: Rng,
    pub records: Vec<TickRecord>,
    pub decode_ears: bool,
    /// Whether people who join send FEC, and speak in syllables (only what sounds like speech gets it).
    pub fec: bool,
    /// Whether people who join have agreed to RED.
    pub red: bool,
    next_leg: u32,
}

pub fn config(people: usize, rate: BusRate) -> ConversationConfig {
    ConversationConfig { rate, limits: Limits::for_participants(people), ..ConversationConfig::default() }
}

impl Room {
    pub fn new(config: ConversationConfig, seed: u64) -> Self {
        let (tx, egress) = packet_ring(4 << 20);
        let (conversation, control) = Conversation::new(&config, tx).unwrap();
        let limits = config.limits;
        Self {
            config,
            conversation,
            control,
            egress,
            people: Vec::new(),
            ears: BTreeMap::new(),
            sources: Slots::new(limits.sources),
            receivers: Slots::new(limits.receivers),
            inlets: Slots::new(limits.inlets),
            routes: Vec::new(),
            guests: Vec::new(),
            gains: Vec::new(),
            now: 1_000_000_000,
            rng: Rng::new(seed),
            records: Vec::new(),
            decode_ears: true,
            fec: false,
            red: false,
            next_leg: 0,
        }
    }

    /// Somebody joins; the plan is not yet changed. Gives its place in `people`.
    pub fn join(&mut self) -> usize {
        self.join_in_class(0)
    }

    /// The same, with packets of this encoder class.
    pub fn join_in_class(&mut self, class: u8) -> usize {
        let (source, receiver) = (self.sources.take().unwrap(), self.receivers.take().unwrap());
        let inlet = self.inlets.take().unwrap();
        let leg = self.next_leg;
        self.next_leg += 1;
        let (uplink, ring) = packet_ring(64 * 1024);
        let source_id = SourceId::new(1_000 + leg);
        let opus = PayloadType::new(111).unwrap();
        let inlet_config = InletConfig {
            payloads: vec![(opus, Payload::Opus)],
            level_extension: Some(LEVEL_EXTENSION),
            mid_extension: None,
            lanes_mid: None,
            main: Some(source),
        };
        let receiver_config = RtpReceiverConfig {
            leg,
            ssrc: Ssrc::new(0x5000_0000 + leg),
            payload_type: opus,
            red: self.red.then(|| PayloadType::new(63).unwrap()),
            tones: None,
            first_seq: SeqNo::new(65_000),
            first_timestamp: RtpTimestamp::new(u32::MAX - 50_000),
            class,
            level_extension: Some(LEVEL_EXTENSION),
            csrc_level_extension: Some(2),
            mid: None,
            lanes: None,
        };
        self.control.send(Command::AddInlet(inlet, Inlet::new(ring, &inlet_config, 0))).unwrap();
        self.control.send(Command::AddSource(source, Source::rtp(source_id, &self.config).unwrap())).unwrap();
        let listener = Receiver::rtp(receiver_config, &self.config).unwrap();
        self.control.send(Command::AddReceiver(receiver, listener)).unwrap();
        self.ears.insert(leg, Ear::new());
        let settings = EncoderConfig {
            complexity: 0,
            bitrate: 32_000,
            fec: self.fec,
            expected_loss: if self.fec { 20 } else { 0 },
            ..EncoderConfig::speech(CodecRate::Hz16000)
        };
        self.people.push(Person {
            source,
            receiver,
            inlet,
            source_id,
            leg,
            talking: false,
            in_default_group: true,
            weather: Weather::default(),
            tone_hz: 400.0 + 90.0 * (leg % 24) as f32,
            loudness: 0.2,
            claims: None,
            syllables: self.fec,
            uplink,
            encoder: Encoder::new(&settings).unwrap(),
            ssrc: 0x1000 + leg,
            frames: 0,
            phase: 0.0,
            in_flight: BTreeMap::new(),
            sent: 0,
        });
        self.people.len() - 1
    }

    /// The person at this place leaves.
    pub fn leave(&mut self, at: usize) {
        let person = self.people.remove(at);
        self.control.send(Command::RemoveInlet(person.inlet)).unwrap();
        self.control.send(Command::RemoveSource(person.source)).unwrap();
        self.control.send(Command::RemoveReceiver(person.receiver)).unwrap();
        for (sources, receivers) in &mut self.routes {
            for list in [sources, receivers] {
                list.retain(|n| *n != at);
                list.iter_mut().for_each(|n| *n -= usize::from(*n > at));
            }
        }
    }

    /// The plan of the present roster.
    pub fn plan(&self) -> Box<MixPlan> {
        let mut builder = PlanBuilder::new(&self.config.limits);
        for person in &self.people {
            builder.participant(Participant {
                source: Some(person.source),
                receiver: Some(person.receiver),
                in_default_group: person.in_default_group,
                unmixed: false,
            });
        }
        for guest in &self.guests {
            builder.participant(*guest);
        }
        for &(source, receiver, gain) in &self.gains {
            builder.gain(source, receiver, gain);
        }
        for (sources, receivers) in &self.routes {
            let sources: Vec<_> = sources.iter().map(|n| self.people[*n].source).collect();
            let receivers: Vec<_> = receivers.iter().map(|n| self.people[*n].receiver).collect();
            builder.route(&sources, &receivers);
        }
        builder.build()
    }

    pub fn publish(&mut self) {
        let plan = self.plan();
        if let Err(plan) = self.control.publish(plan) {
            self.step();
            self.control.publish(plan).unwrap();
        }
    }

    /// 20 ms: everybody sends, the conversation ticks, everybody hears.
    pub fn step(&mut self) {
        self.send();
        self.conversation.tick(MonoTime::from_nanos(self.now));
        self.receive();
        self.reclaim();
    }

    pub fn steps(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.step();
        }
    }

    /// The first third of a step: packets into the inlets' rings.
    pub fn send(&mut self) {
        self.now += TICK_NS;
        for person in &mut self.people {
            person.send(self.now, &mut self.rng);
        }
    }

    /// The last third: packets out of the egress ring.
    pub fn receive(&mut self) {
        let mut buffer = [0; MAX_PACKET];
        while let Some((meta, len)) = self.egress.pop(&mut buffer) {
            if self.decode_ears {
                self.ears.get_mut(&meta.leg).unwrap().hear(&buffer[..len]);
            }
        }
    }

    pub fn reclaim(&mut self) {
        while let Some(record) = self.control.next_record() {
            self.records.push(record);
        }
        while let Some(retired) = self.control.next_retired() {
            match retired {
                Retired::Inlet(slot, _) => assert!(self.inlets.give_back(slot)),
                Retired::Source(slot, _) => assert!(self.sources.give_back(slot)),
                Retired::Receiver(slot, _) => assert!(self.receivers.give_back(slot)),
                _ => {}
            }
        }
        self.control.reclaim_plans();
    }

    pub fn ear(&self, at: usize) -> &Ear {
        &self.ears[&self.people[at].leg]
    }

    pub fn forget_heard(&mut self) {
        self.ears.values_mut().for_each(|ear| ear.heard.clear());
    }

    /// Whether the person at `ear` heard the tone of the one at `voice` since the last forgetting.
    pub fn hears(&self, ear: usize, voice: usize) -> bool {
        self.tone_heard(ear, voice) > 0.05
    }

    /// How loud, as an amplitude; everybody speaks at 0.2.
    pub fn tone_heard(&self, ear: usize, voice: usize) -> f32 {
        tone_level(&self.ear(ear).heard, self.people[voice].tone_hz, 16_000.0)
    }
}

impl Person {
    fn send(&mut self, now: u64, rng: &mut Rng) {
        let frame_ns = TICK_NS.checked_add_signed(self.weather.drift_ppm * 20).unwrap();
        let first = 1_000_000_000 + 3_000_000 + u64::from(self.leg) * 37_000 % 15_000_000;
        while first + self.frames * frame_ns <= now {
            let made = first + self.frames * frame_ns;
            if self.talking {
                let bytes = self.packet();
                self.sent += 1;
                let copies = 1 + u64::from(rng.unit() < self.weather.duplicate);
                for copy in 0..copies {
                    let delay =
                        if self.weather.jitter_ms > 0 { rng.below(self.weather.jitter_ms * 1_000_000) } else { 0 };
                    if rng.unit() >= self.weather.loss {
                        self.in_flight.insert((made + delay, self.frames * 2 + copy), bytes.clone());
                    }
                }
            } else {
                self.phase = 0.0;
            }
            self.frames += 1;
        }
        while let Some(entry) = self.in_flight.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let at = MonoTime::from_nanos(entry.key().0);
            let _ = self.uplink.push(PacketMeta { at, leg: self.leg }, &entry.remove());
        }
    }

    /// One 20 ms packet of this person's tone.
    fn packet(&mut self) -> Vec<u8> {
        let mut pcm = [0.0; 320];
        let loud = if self.syllables && (self.frames / 4).is_multiple_of(2) { 0.03 } else { self.loudness };
        for sample in &mut pcm {
            *sample = loud * self.phase.sin();
            self.phase = (self.phase + self.tone_hz * std::f32::consts::TAU / 16_000.0) % std::f32::consts::TAU;
        }
        let mut payload = [0; 1_275];
        let len = self.encoder.encode(&pcm, &mut payload).unwrap();
        let stamp = self.claims.map(|level| LevelExtension { level, voice: true }.to_bytes());
        let stamp = stamp.as_ref().map(|data| Extension { id: LEVEL_EXTENSION, data });
        let header = RtpHeader {
            marker: false,
            payload_type: PayloadType::new(111).unwrap(),
            seq: SeqNo::new((self.sent as u16).wrapping_add(60_000)),
            timestamp: RtpTimestamp::new((self.frames as u32).wrapping_mul(960)),
            ssrc: Ssrc::new(self.ssrc),
            csrcs: &[],
            extensions: stamp.as_slice(),
        };
        let mut out = vec![0; MAX_PACKET];
        let len = header.write(&mut out, &payload[..len]).unwrap();
        out.truncate(len);
        out
    }
}

/// Amplitude of a tone in a signal (Goertzel).
pub fn tone_level(signal: &[f32], hz: f32, rate: f32) -> f32 {
    if signal.is_empty() {
        return 0.0;
    }
    let step = std::f32::consts::TAU * hz / rate;
    let (mut re, mut im) = (0.0_f64, 0.0_f64);
    for (n, sample) in signal.iter().enumerate() {
        let angle = f64::from(step) * n as f64;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    (2.0 * (re * re + im * im).sqrt() / signal.len() as f64) as f32
}
