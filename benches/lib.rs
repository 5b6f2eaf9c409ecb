//! What the benches share: speech, packets of it, and a room full of people.
//!
//! A [`Room`] is one conversation at 48 kHz with N people in the default group, of whom the first few talk
//! without a pause (packets encoded beforehand) and the rest send one DTX packet each 400 ms.
//! Nothing here is timed; the benches time [`Room::tick`] alone.

use antiphon_codec::{CodecRate, Encoder, EncoderConfig, MAX_FRAME_BYTES};
use antiphon_load::speech::{SpeechRate, Voice};
use antiphon_pipeline::{
    BusRate, Command, Control, Conversation, ConversationConfig, Inlet, InletConfig, Limits, Participant, Payload,
    PlanBuilder, Receiver, RtpReceiverConfig, Slots, Source, SourceSlot, TickRecord,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{Extension, LevelExtension, PayloadType, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc};

/// Header extension id of the audio level in every leg here.
const LEVEL_EXTENSION: u8 = 1;
/// A DTX packet: the table of contents of a 20 ms SILK frame and nothing else.
const DTX: &[u8] = &[0x08];

/// Options that no value follows: criterion's, the test harness's and cargo's.
const FLAGS: [&str; 10] = [
    "--bench",
    "--test",
    "--list",
    "--exact",
    "--quick",
    "--quiet",
    "--verbose",
    "--noplot",
    "--discard-baseline",
    "--nocapture",
];

/// Whether this run asks for a bench that criterion does not choose: no filter is given, or one that speaks of it. Filters
/// are what is neither an option nor an option's value.
#[must_use]
pub fn is_asked_for(bench: &str, arguments: impl IntoIterator<Item = String>) -> bool {
    let (mut filters, mut value_next) = (0, false);
    for argument in arguments {
        if std::mem::take(&mut value_next) {
            continue;
        }
        if argument.starts_with('-') {
            value_next = argument.starts_with("--") && !argument.contains('=') && !FLAGS.contains(&argument.as_str());
            continue;
        }
        if argument.contains(bench) || bench.contains(&argument) {
            return true;
        }
        filters += 1;
    }
    filters == 0
}

/// The Opus payload type in every leg here.
///
/// # Panics
/// Never.
#[must_use]
pub fn opus() -> PayloadType {
    PayloadType::new(111).expect("invariant: below 128")
}

/// Settings of a conversation for `people` at 48 kHz, 24 kb/s, complexity 5.
#[must_use]
pub fn config(people: usize) -> ConversationConfig {
    ConversationConfig {
        rate: BusRate::Hz48000,
        limits: Limits { commands: people * 3 + 16, ..Limits::for_participants(people) },
        ..ConversationConfig::default()
    }
}

/// 20 ms frames of somebody speaking, at 48 kHz, without end.
#[must_use]
pub fn speech(voice: usize, frames: usize) -> Vec<Vec<f32>> {
    let samples = Voice::nth(voice).samples(SpeechRate::Hz48000);
    let whole = samples.len() / 960;
    (0..frames).map(|n| samples[n % whole * 960..][..960].to_vec()).collect()
}

/// The same, encoded at 24 kb/s.
///
/// # Panics
/// Never: the settings and frames are Opus's own.
#[must_use]
pub fn speech_packets(voice: usize, frames: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&EncoderConfig::speech(CodecRate::Hz48000)).expect("invariant: valid settings");
    let mut out = [0; MAX_FRAME_BYTES];
    let encode = |frame: Vec<f32>| {
        let len = encoder.encode(&frame, &mut out).expect("invariant: 20 ms of mono");
        out[..len].to_vec()
    };
    speech(voice, frames).into_iter().map(encode).collect()
}

/// What a leg in these benches negotiated.
#[must_use]
pub fn receiver_config(leg: u32) -> RtpReceiverConfig {
    RtpReceiverConfig {
        leg,
        ssrc: Ssrc::new(0x1000 + leg),
        payload_type: opus(),
        red: None,
        tones: None,
        first_seq: SeqNo::new(0),
        first_timestamp: RtpTimestamp::new(0),
        class: 0,
        level_extension: Some(LEVEL_EXTENSION),
        csrc_level_extension: Some(2),
        mid: None,
        lanes: None,
    }
}

/// What a leg in these benches negotiated for the way in, with the source its packets feed.
#[must_use]
pub fn inlet_config(main: SourceSlot) -> InletConfig {
    InletConfig {
        payloads: vec![(opus(), Payload::Opus)],
        level_extension: Some(LEVEL_EXTENSION),
        mid_extension: None,
        lanes_mid: None,
        main: Some(main),
    }
}

/// One conversation and everybody in it.
#[derive(Debug)]
pub struct Room {
    conversation: Box<Conversation>,
    control: Control,
    egress: PacketReceiver,
    uplinks: Vec<PacketSender>,
    voices: Vec<Vec<Vec<u8>>>,
    talkers: usize,
    tick: u64,
}

impl Room {
    /// A room of `people`, `talkers` of them talking, warmed up until everybody has settled.
    ///
    /// # Panics
    /// If the machine has no memory for it.
    #[must_use]
    pub fn new(people: usize, talkers: usize) -> Self {
        Self::with_groups(people, talkers, 1)
    }

    /// The same, but the people are split evenly into `groups` routing groups, and each talker is heard by about half of
    /// the groups, another half each (see [`Room::group_hears`]). One group is the default group: everybody hears everybody.
    ///
    /// # Panics
    /// As [`Room::new`].
    #[must_use]
    pub fn with_groups(people: usize, talkers: usize, groups: usize) -> Self {
        let config = config(people);
        let (egress_tx, egress) = packet_ring(people * 512 + 64 * 1024);
        let (conversation, mut control) = Conversation::new(&config, egress_tx).expect("invariant: valid settings");
        let (mut sources, mut receivers) = (Slots::new(config.limits.sources), Slots::new(people));
        let mut inlets = Slots::new(people);
        let mut builder = PlanBuilder::new(&config.limits);
        let mut uplinks = Vec::new();
        let (mut talking, mut members) = (Vec::new(), vec![Vec::new(); groups]);
        for leg in 0..people as u32 {
            let taken = (sources.take(), receivers.take(), inlets.take());
            let (Some(source), Some(receiver), Some(inlet)) = taken else { break };
            let (uplink, ring) = packet_ring(16 * 1024);
            let voice = Source::rtp(SourceId::new(leg), &config).expect("memory for a decoder");
            let listener = Receiver::rtp(receiver_config(leg), &config).expect("memory for an encoder");
            for command in [
                Command::AddInlet(inlet, Inlet::new(ring, &inlet_config(source), 0)),
                Command::AddSource(source, voice),
                Command::AddReceiver(receiver, listener),
            ] {
                control.send(command).expect("invariant: the command ring is sized for everybody");
            }
            builder.participant(Participant {
                source: Some(source),
                receiver: Some(receiver),
                in_default_group: groups == 1,
                unmixed: false,
            });
            if talking.len() < talkers {
                talking.push(source);
            }
            members[leg as usize % groups].push(receiver);
            uplinks.push(uplink);
        }
        for (group, members) in members.iter().enumerate().filter(|_| groups > 1) {
            let heard = talking.iter().enumerate().filter(|(talker, _)| Self::group_hears(group, *talker));
            let heard: Vec<_> = heard.map(|(_, source)| *source).collect();
            builder.route(&heard, members);
        }
        control.publish(builder.build()).expect("invariant: the first plan has its credit");
        let voices = (0..talkers.min(8)).map(|voice| speech_packets(voice, 250)).collect();
        let mut room = Self { conversation, control, egress, uplinks, voices, talkers, tick: 50 };
        for _ in 0..people / 80 + 60 {
            room.step();
        }
        room
    }

    /// Whether a routing group of [`Room::with_groups`] hears a talker: a fixed draw of one in two.
    #[must_use]
    pub fn group_hears(group: usize, talker: usize) -> bool {
        let mixed = ((group * 64 + talker) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 63 == 1
    }

    /// How many different mixes of talkers somebody hears in such a room, nobody hearing himself; mixes of nobody rest.
    #[must_use]
    pub fn distinct_mixes(people: usize, talkers: usize, groups: usize) -> usize {
        let mut sets: Vec<u128> = (0..people)
            .map(|person| {
                let heard =
                    |talker: &usize| *talker != person && (groups == 1 || Self::group_hears(person % groups, *talker));
                (0..talkers.min(128)).filter(heard).fold(0, |set, talker| set | 1 << talker)
            })
            .filter(|set| *set != 0)
            .collect();
        sets.sort_unstable();
        sets.dedup();
        sets.len()
    }

    /// Puts this tick's packets into everybody's ring.
    ///
    /// # Panics
    /// If a ring is full: nobody ticked.
    pub fn send(&mut self) {
        self.tick += 1;
        for (leg, uplink) in self.uplinks.iter_mut().enumerate() {
            let talks = leg < self.talkers;
            if !talks && !(self.tick + leg as u64).is_multiple_of(20) {
                continue;
            }
            let voice = self.voices.get(leg % 8);
            let payload = voice.filter(|_| talks).map_or(DTX, |voice| &voice[self.tick as usize % voice.len()]);
            let level =
                LevelExtension { level: antiphon_rtp::AudioLevel::new(if talks { 30 } else { 127 }), voice: talks };
            let level = level.to_bytes();
            let header = RtpHeader {
                marker: false,
                payload_type: opus(),
                seq: SeqNo::new((if talks { self.tick } else { (self.tick + leg as u64) / 20 }) as u16),
                timestamp: RtpTimestamp::new((self.tick as u32).wrapping_mul(960)),
                ssrc: Ssrc::new(leg as u32),
                csrcs: &[],
                extensions: &[Extension { id: LEVEL_EXTENSION, data: &level }],
            };
            let mut out = [0; MAX_PACKET];
            let len = header.write(&mut out, payload).expect("invariant: a small packet");
            let at = MonoTime::from_millis(self.tick * 20 - 5);
            uplink.push(PacketMeta { at, leg: leg as u32 }, &out[..len]).expect("the conversation drains its rings");
        }
    }

    /// The part to be timed.
    pub fn tick(&mut self) {
        self.conversation.tick(MonoTime::from_millis(self.tick * 20));
    }

    /// Takes everything out again.
    pub fn drain(&mut self) -> usize {
        let mut buffer = [0; MAX_PACKET];
        let mut packets = 0;
        while self.egress.pop(&mut buffer).is_some() {
            packets += 1;
        }
        while self.control.next_record().is_some() || self.control.next_event().is_some() {}
        packets
    }

    /// What the last tick did.
    #[must_use]
    pub fn last_record(&self) -> TickRecord {
        *self.conversation.last_record()
    }

    /// All three parts; what the tick did.
    pub fn step(&mut self) -> TickRecord {
        self.send();
        self.tick();
        self.drain();
        self.last_record()
    }
}
