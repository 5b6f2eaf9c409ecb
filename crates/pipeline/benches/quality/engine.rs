//! The chain through the whole engine: packets of a talker into a `Conversation`, packets to a listener out of it.
//!
//! Virtual time: what a talker says in real time takes as long as the codec. Two people, both in the default group; the
//! listener keeps silent. Packets carry the talker's level (RFC 6464), as a browser's do.

use antiphon_codec::{Channels, CodecRate, Decoder};
use antiphon_pipeline::{
    Command, Control, Conversation, ConversationConfig, FrameCounts, Inlet, InletConfig, Limits, PacketCounts,
    Participant, Payload, PlanBuilder, Receiver, RtpReceiverConfig, Slots, Source,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{
    AudioLevel, Extension, LevelExtension, PayloadType, RtpHeader, RtpPacket, RtpTimestamp, SeqNo, SourceId, Ssrc,
};

use crate::{FRAME, Packet, TICK_NS};

/// Header extension id of the audio level.
const LEVEL_EXTENSION: u8 = 1;
/// When the first packet is sent, and how long it takes: the arrival's phase against the tick is 7 ms.
const START_NS: u64 = 1_000_000_000;
const TRANSIT_NS: u64 = 13_000_000;
/// Ticks after the last packet in which what waits is played out.
const TAIL_TICKS: u64 = 30;

/// What came out.
#[derive(Debug)]
pub(crate) struct Heard {
    /// What the listener hears, from the tick at the first packet's sending on.
    pub(crate) samples: Vec<f32>,
    /// How the talker's frames were made.
    pub(crate) frames: FrameCounts,
    /// How the talker's packets ended.
    pub(crate) packets: PacketCounts,
}

/// Plays these packets through a conversation.
pub(crate) fn hear(packets: &[Packet], trace: &[Option<u64>]) -> Heard {
    let config = ConversationConfig { limits: Limits::for_participants(2), ..ConversationConfig::default() };
    let (egress_tx, mut egress) = packet_ring(64 * 1024);
    let (mut conversation, mut control) = Conversation::new(&config, egress_tx).expect("invariant: valid settings");
    let mut uplink = people(&config, &mut control);
    // In order of arrival; those of one instant in order of sending.
    let mut arrivals: Vec<_> = (0_u64..).zip(packets).zip(trace).filter_map(arrival).collect();
    arrivals.sort_by_key(|(at, n, _)| (*at, *n));
    let mut arrivals = arrivals.into_iter().peekable();
    let mut ear = Ear::new();
    let (mut frames, mut counts) = (FrameCounts::default(), PacketCounts::default());
    let ticks = packets.len() as u64 + TAIL_TICKS;
    for tick in 0..ticks {
        let now = START_NS + tick * TICK_NS;
        while let Some((at, n, packet)) = arrivals.next_if(|(at, ..)| *at <= now) {
            send(&mut uplink, MonoTime::from_nanos(at), n, packet);
        }
        conversation.tick(MonoTime::from_nanos(now));
        ear.hear(&mut egress, tick);
        while let Some(record) = control.next_record() {
            frames.merge(&record.frames);
            counts.merge(&record.packets);
        }
        while control.next_event().is_some() {}
    }
    // The listener's source sleeps: one skipped frame each tick, which is none of the talker's.
    frames.skipped -= ticks;
    Heard { samples: ear.samples, frames, packets: counts }
}

fn arrival<'a>(((n, packet), delay): ((u64, &'a Packet), &Option<u64>)) -> Option<(u64, u64, &'a Packet)> {
    delay.map(|delay| (START_NS + n * TICK_NS + TRANSIT_NS + delay, n, packet))
}

/// Brings a talker and a listener in; the talker's uplink.
fn people(config: &ConversationConfig, control: &mut Control) -> PacketSender {
    let (mut sources, mut receivers) = (Slots::new(config.limits.sources), Slots::new(2));
    let mut inlets = Slots::new(2);
    let mut builder = PlanBuilder::new(&config.limits);
    let mut joined = None;
    for leg in [1, 0] {
        let taken = (sources.take(), receivers.take(), inlets.take());
        let (Some(source), Some(receiver), Some(inlet)) = taken else { unreachable!("there is room for two") };
        let (uplink, ring) = packet_ring(64 * 1024);
        let inlet_config = InletConfig {
            payloads: vec![(opus(), Payload::Opus)],
            level_extension: Some(LEVEL_EXTENSION),
            mid_extension: None,
            lanes_mid: None,
            main: Some(source),
        };
        let receiver_config = RtpReceiverConfig {
            leg,
            ssrc: Ssrc::new(0x1000 + leg),
            payload_type: opus(),
            red: None,
            tones: None,
            first_seq: SeqNo::new(0),
            first_timestamp: RtpTimestamp::new(0),
            class: 0,
            level_extension: None,
            csrc_level_extension: None,
            mid: None,
            lanes: None,
        };
        let voice = Source::rtp(SourceId::new(leg), config).expect("memory for a decoder");
        let listener = Receiver::rtp(receiver_config, config).expect("memory for an encoder");
        for command in [
            Command::AddInlet(inlet, Inlet::new(ring, &inlet_config, 0)),
            Command::AddSource(source, voice),
            Command::AddReceiver(receiver, listener),
        ] {
            control.send(command).expect("invariant: the command ring is sized for two");
        }
        builder.participant(Participant {
            source: Some(source),
            receiver: Some(receiver),
            in_default_group: true,
            unmixed: false,
        });
        joined = Some(uplink);
    }
    control.publish(builder.build()).expect("invariant: the first plan has its credit");
    joined.expect("invariant: the talker joined last")
}

fn opus() -> PayloadType {
    PayloadType::new(111).expect("invariant: below 128")
}

fn send(uplink: &mut PacketSender, at: MonoTime, n: u64, packet: &Packet) {
    let level = LevelExtension { level: AudioLevel::new(packet.level), voice: packet.level < 60 }.to_bytes();
    let header = RtpHeader {
        marker: false,
        payload_type: opus(),
        seq: SeqNo::new(n as u16),
        timestamp: RtpTimestamp::new((n as u32).wrapping_mul(FRAME as u32)),
        ssrc: Ssrc::new(7),
        csrcs: &[],
        extensions: &[Extension { id: LEVEL_EXTENSION, data: &level }],
    };
    let mut out = [0; MAX_PACKET];
    let len = header.write(&mut out, &packet.payload).expect("invariant: a small packet");
    uplink.push(PacketMeta { at, leg: 0 }, &out[..len]).expect("invariant: the conversation drains its rings");
}

/// The listener: a decoder and nothing else, since no packet is lost on the way to it.
struct Ear {
    decoder: Decoder,
    /// RTP time of the first packet's tick.
    origin: Option<(u64, u32)>,
    samples: Vec<f32>,
}

impl Ear {
    fn new() -> Self {
        let decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).expect("memory for a decoder");
        Self { decoder, origin: None, samples: Vec::new() }
    }

    /// Takes this tick's packets; where the mixer paused for silence, there is silence.
    fn hear(&mut self, egress: &mut PacketReceiver, tick: u64) {
        let mut buffer = [0; MAX_PACKET];
        while let Some((meta, len)) = egress.pop(&mut buffer) {
            if meta.leg != 1 {
                continue;
            }
            let packet = RtpPacket::parse(&buffer[..len]).expect("our own packet");
            let timestamp = packet.timestamp().as_u32();
            let (first_tick, first) = *self.origin.get_or_insert((tick, timestamp));
            let at = first_tick as usize * FRAME + timestamp.wrapping_sub(first) as usize;
            assert!(at >= self.samples.len(), "timestamps run forwards");
            self.samples.resize(at, 0.0);
            let mut frame = [0.0; FRAME];
            let got = self.decoder.decode(packet.payload(), &mut frame);
            assert_eq!(got, Ok(FRAME), "our own packet decodes to a frame");
            self.samples.extend_from_slice(&frame);
        }
    }
}
