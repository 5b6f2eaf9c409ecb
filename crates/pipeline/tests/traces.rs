//! The pipeline under recorded networks: what is concealed, what comes too late, how long it waits.
//!
//! One talker with real Opus sends over a trace, an app hears the mix; time is virtual. How the traces were made, and what
//! an earlier policy did with them, is in `traces/README.md`.

#![allow(clippy::disallowed_macros, reason = "the figures are for whoever runs it")]

#[path = "traces/generate.rs"]
mod generate;

use antiphon_codec::{CodecRate, Encoder, EncoderConfig};
use antiphon_pipeline::{
    AppEarConfig, BusRate, Command, Conversation, ConversationConfig, FrameCounts, Inlet, InletConfig, Inspection,
    Limits, PacketCounts, Participant, Payload, PlanBuilder, Receiver, Retired, Slots, Source, StretchCounts,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, packet_ring};
use antiphon_rtp::{PayloadType, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc};

const TICK_NS: u64 = 20_000_000;

const TRACES: [&str; 5] = [
    include_str!("traces/clean.txt"),
    include_str!("traces/wifi.txt"),
    include_str!("traces/lte.txt"),
    include_str!("traces/bursty.txt"),
    include_str!("traces/reordering.txt"),
];

/// What a listener got of a trace.
#[derive(Debug)]
struct Heard {
    frames: FrameCounts,
    packets: PacketCounts,
    stretches: StretchCounts,
    mean_ms: f64,
    p95_ms: u32,
    most_ms: u32,
}

impl Heard {
    /// Frames that were made up or silent, in a hundred.
    fn patched(&self) -> f64 {
        let patched = self.frames.concealed + self.frames.comfort + self.frames.skipped;
        100.0 * patched as f64 / self.frames.total() as f64
    }
}

fn parse(trace: &str) -> Vec<Option<u64>> {
    trace.lines().map(|line| line.parse().ok()).collect()
}

/// Speech as a codec sees it: a pitch that wanders, syllables, and a breath every two and a half seconds.
fn speech(frames: usize) -> Vec<f32> {
    let tau = std::f64::consts::TAU;
    let mut turn = 0.0_f64;
    let mut noise = 1_u32;
    let sample = |n: usize| {
        let time = n as f64 / 16_000.0;
        let pitch = 130.0 + 30.0 * (tau * 0.6 * time).sin() + 10.0 * (tau * 2.1 * time).sin();
        turn = (turn + pitch / 16_000.0).fract();
        let colour = 4.0 + 3.0 * (tau * 1.3 * time).sin();
        let voice: f64 = (1..20).map(|k| (tau * turn * f64::from(k)).sin() / (f64::from(k) + colour)).sum();
        let syllable = 0.15 + 0.85 * (tau * 2.0 * time).sin().abs();
        let speaking = if time % 2.5 < 2.1 { 1.0 } else { 0.0 };
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let hiss = f64::from(noise >> 8) / f64::from(1 << 24) - 0.5;
        (0.25 * voice * syllable * speaking + 0.002 * hiss) as f32
    };
    (0..frames * 320).map(sample).collect()
}

fn hear(trace: &str) -> Heard {
    let delays = parse(trace);
    let limits = Limits { tick_records: 8, events: 64, ..Limits::for_participants(2) };
    let config = ConversationConfig { rate: BusRate::Hz16000, limits, ..ConversationConfig::default() };
    let (egress, _out) = packet_ring(16 * 1024);
    let (mut conversation, mut control) = Conversation::new(&config, egress).unwrap();
    let (mut sources, mut receivers) = (Slots::new(limits.sources), Slots::new(limits.receivers));
    let (mut uplink, ring) = packet_ring(256 * 1024);
    let (talker, listener) = (sources.take().unwrap(), receivers.take().unwrap());
    let opus = PayloadType::new(111).unwrap();
    let inlet = InletConfig {
        payloads: vec![(opus, Payload::Opus)],
        level_extension: None,
        mid_extension: None,
        lanes_mid: None,
        main: Some(talker),
    };
    control.send(Command::AddInlet(Slots::new(1).take().unwrap(), Inlet::new(ring, &inlet, 0))).unwrap();
    control.send(Command::AddSource(talker, Source::rtp(SourceId::new(1), &config).unwrap())).unwrap();
    let (receiver, mut ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
    control.send(Command::AddReceiver(listener, receiver)).unwrap();
    let mut plan = PlanBuilder::new(&limits);
    for (source, receiver) in [(Some(talker), None), (None, Some(listener))] {
        plan.participant(Participant { source, receiver, in_default_group: true, unmixed: false });
    }
    control.publish(plan.build()).unwrap();

    let settings = EncoderConfig {
        complexity: 0,
        bitrate: 32_000,
        fec: true,
        expected_loss: 20,
        ..EncoderConfig::speech(CodecRate::Hz16000)
    };
    let mut encoder = Encoder::new(&settings).unwrap();
    let speech = speech(delays.len());
    let mut in_flight: Vec<(u64, usize, Vec<u8>)> = Vec::new();
    for (n, (frame, delay)) in speech.chunks_exact(320).zip(&delays).enumerate() {
        let mut payload = [0; 1_275];
        let len = encoder.encode(frame, &mut payload).unwrap();
        if let Some(delay) = delay {
            in_flight.push((n as u64 * TICK_NS + delay * 1_000, n, payload[..len].to_vec()));
        }
    }
    in_flight.sort_by_key(|(at, n, _)| (*at, *n));
    let mut in_flight = in_flight.into_iter().peekable();

    let start = 1_000_000_000;
    let mut waits = Vec::new();
    let mut page = Box::new(Inspection::with_capacity(4));
    let mut stretches = StretchCounts::default();
    let (mut frames, mut packets) = (FrameCounts::default(), PacketCounts::default());
    for tick in 0..delays.len() as u64 {
        let now = tick * TICK_NS;
        while let Some((at, n, payload)) = in_flight.next_if(|(at, ..)| *at <= now) {
            let header = RtpHeader {
                marker: n == 0,
                payload_type: opus,
                seq: SeqNo::new(n as u16),
                timestamp: RtpTimestamp::new(n as u32 * 960),
                ssrc: Ssrc::new(1),
                csrcs: &[],
                extensions: &[],
            };
            let mut out = [0; MAX_PACKET];
            let len = header.write(&mut out, &payload).unwrap();
            uplink.push(PacketMeta { at: MonoTime::from_nanos(start + at), leg: 0 }, &out[..len]).unwrap();
        }
        control.send(Command::Inspect(page)).unwrap();
        conversation.tick(MonoTime::from_nanos(start + now));
        page = loop {
            match control.next_retired() {
                Some(Retired::Inspection(page)) => break page,
                Some(_) => {}
                None => panic!("the page comes back"),
            }
        };
        let record = *conversation.last_record();
        while control.next_record().is_some() {}
        while ear.next_mixed().is_some() {}
        packets.merge(&record.packets);
        // The first packets are on their way for a while.
        if frames.total() > 0 || record.frames.decoded > 0 {
            frames.merge(&record.frames);
            stretches.merge(&record.stretches);
            waits.push(page.readings().first().map_or(0, |reading| reading.playout_delay_ms));
        }
    }
    waits.sort_unstable();
    let mean_ms = waits.iter().map(|wait| f64::from(*wait)).sum::<f64>() / waits.len() as f64;
    let (p95_ms, most_ms) = (waits[waits.len() * 95 / 100], *waits.last().unwrap());
    Heard { frames, packets, stretches, mean_ms, p95_ms, most_ms }
}

#[test]
fn the_traces_kept_are_the_ones_made_from_their_seeds() {
    for (name, kept) in generate::NAMES.into_iter().zip(TRACES) {
        assert_eq!(kept.lines().count(), generate::PACKETS, "{name}");
        assert!(kept == generate::text(name), "{name}");
    }
}

#[test]
fn each_trace_is_played_within_its_bounds() {
    // Frames made up or silent in a hundred, packets too late, mean and 95th percentile of the wait in milliseconds.
    let bounds =
        [(0.1, 0, 21.0, 22), (1.0, 2, 55.0, 125), (1.2, 2, 55.0, 155), (6.0, 5, 105.0, 160), (0.5, 5, 68.0, 75)];
    for ((name, trace), (patched, late, mean, p95)) in generate::NAMES.into_iter().zip(TRACES).zip(bounds) {
        let heard = hear(trace);
        let (recovered, stretched) = (heard.frames.recovered, heard.stretches.shorter + heard.stretches.longer);
        println!(
            "{name}: {:.2} % patched, {recovered} recovered, {} late, wait {:.0} ms mean, {} p95, {} most, {stretched} stretched",
            heard.patched(),
            heard.packets.late,
            heard.mean_ms,
            heard.p95_ms,
            heard.most_ms,
        );
        assert!(heard.patched() <= patched, "{name}: {heard:?}");
        assert!(heard.packets.late <= late, "{name}: {heard:?}");
        assert!(heard.mean_ms <= mean && heard.p95_ms <= p95, "{name}: {heard:?}");
    }
}
