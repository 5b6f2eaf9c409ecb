//! How much later a listener hears a voice because of the mixer, from sound to sound, in virtual time.
//!
//! A voice with a sweep in it every 400 ms is encoded once. *Direct*: its packets are decoded as they arrive; the first
//! sample of a frame sounds when its packet is there. *Mixed*: they go into a whole conversation, and what it sends is
//! decoded; the first sample of a frame sounds at the tick that sent it. Each sweep is found in both by correlation. *Added*
//! is the difference: the wait for the tick, whatever the jitter buffer holds, the limiter's look-ahead and the look-ahead
//! of the second encoding (6.5 ms), counted from the true arrival of the packets that the sweep came in.
#![allow(clippy::disallowed_macros, reason = "a test prints what it measured")]

use antiphon_codec::{Channels, CodecRate, Decoder, Encoder, EncoderConfig};
use antiphon_pipeline::{
    Command, Control, Conversation, ConversationConfig, EncodeClass, FrameCounts, Inlet, InletConfig, Limits,
    OpusSettings, Participant, Payload, PlanBuilder, Receiver, RtpReceiverConfig, Slots, Source,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{PayloadType, RtpHeader, RtpPacket, RtpTimestamp, SeqNo, SourceId, Ssrc};

const TICK_NS: u64 = 20_000_000;
const MS: u64 = 1_000_000;
const FRAME: usize = 960;
/// What ears decode at: 62.5 µs is as exact as a delay needs to be.
const EAR_FRAME: usize = 320;
const EAR_PER_MS: f64 = 16.0;
/// Frames from one sweep to the next, and the sweep in the last of them.
const PERIOD: usize = 20;
const SWEEP: usize = 3;
/// When the first tick is, and the first packet nominally comes, less the phase.
const START_NS: u64 = 1_000_000_000;

struct Rng(u64);

impl Rng {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A vowel of wandering pitch without a pause, in which every 400 ms a sweep takes its place for 60 ms.
fn voice(frames: usize) -> Vec<f32> {
    let (mut pitch_phase, mut sweep_phase) = (0.0_f64, 0.0_f64);
    let tau = std::f64::consts::TAU;
    let sample = |n: usize| {
        let seconds = n as f64 / 48_000.0;
        let pitch = 135.0 + 25.0 * (tau * 0.7 * seconds).sin() + 8.0 * (tau * 2.3 * seconds).sin();
        pitch_phase = (pitch_phase + pitch / 48_000.0).fract();
        let vowel: f64 = (1..18).map(|h| (tau * pitch_phase * f64::from(h)).sin() / f64::from(h)).sum();
        let place = n % (PERIOD * FRAME);
        let begin = (PERIOD - SWEEP) * FRAME;
        let into = place.saturating_sub(begin) as f64 / (SWEEP * FRAME) as f64;
        sweep_phase = if place < begin { 0.0 } else { (sweep_phase + (300.0 + 2_700.0 * into) / 48_000.0).fract() };
        // The sweep fades in and out over its first and last tenth.
        let share = (into * 10.0).min((1.0 - into) * 10.0).clamp(0.0, 1.0);
        (0.12 * vowel * (1.0 - share) + 0.2 * (tau * sweep_phase).sin() * share) as f32
    };
    (0..frames * FRAME).map(sample).collect()
}

fn encode(voice: &[f32]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(&EncoderConfig::speech(CodecRate::Hz48000)).unwrap();
    let mut out = [0; 1_275];
    let encode = |frame: &[f32]| {
        let len = encoder.encode(frame, &mut out).unwrap();
        out[..len].to_vec()
    };
    voice.chunks_exact(FRAME).map(encode).collect()
}

fn decode_directly(packets: &[Vec<u8>]) -> Vec<f32> {
    let mut decoder = Decoder::new(CodecRate::Hz16000, Channels::Mono).unwrap();
    let mut heard = vec![0.0; packets.len() * EAR_FRAME];
    for (packet, frame) in packets.iter().zip(heard.chunks_exact_mut(EAR_FRAME)) {
        assert_eq!(decoder.decode(packet, frame), Ok(EAR_FRAME));
    }
    heard
}

/// A talker, a listener and the conversation between them.
struct Call {
    conversation: Box<Conversation>,
    control: Control,
    uplink: PacketSender,
    egress: PacketReceiver,
    ear: Decoder,
    /// What the listener hears, from the first tick on.
    heard: Vec<f32>,
    first_timestamp: Option<u32>,
    frames: FrameCounts,
    /// Ticks in which a frame was made up or silent.
    patched_at: Vec<u64>,
    ticks: u64,
}

impl Call {
    fn new() -> Self {
        // Complexity does not move sound; 0 takes a third of the time.
        let classes = vec![EncodeClass::Opus(OpusSettings { complexity: 0, ..OpusSettings::default() })];
        let limits = Limits { tick_records: 8, events: 64, commands: 16, ..Limits::for_participants(2) };
        let config = ConversationConfig { classes, limits, ..ConversationConfig::default() };
        let (egress_tx, egress) = packet_ring(16 * 1024);
        let (conversation, mut control) = Conversation::new(&config, egress_tx).unwrap();
        let (mut sources, mut receivers) = (Slots::new(limits.sources), Slots::new(limits.receivers));
        let (uplink, ring) = packet_ring(64 * 1024);
        let talker = sources.take().unwrap();
        let inlet = InletConfig {
            payloads: vec![(opus(), Payload::Opus)],
            level_extension: None,
            mid_extension: None,
            lanes_mid: None,
            main: Some(talker),
        };
        let listener = receivers.take().unwrap();
        let receiver = RtpReceiverConfig {
            leg: 1,
            ssrc: Ssrc::new(2),
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
        control.send(Command::AddInlet(Slots::new(1).take().unwrap(), Inlet::new(ring, &inlet, 0))).unwrap();
        control.send(Command::AddSource(talker, Source::rtp(SourceId::new(1), &config).unwrap())).unwrap();
        control.send(Command::AddReceiver(listener, Receiver::rtp(receiver, &config).unwrap())).unwrap();
        let mut plan = PlanBuilder::new(&limits);
        for (source, receiver) in [(Some(talker), None), (None, Some(listener))] {
            plan.participant(Participant { source, receiver, in_default_group: true, unmixed: false });
        }
        control.publish(plan.build()).unwrap();
        Self {
            conversation,
            control,
            uplink,
            egress,
            ear: Decoder::new(CodecRate::Hz16000, Channels::Mono).unwrap(),
            heard: Vec::new(),
            first_timestamp: None,
            frames: FrameCounts::default(),
            patched_at: Vec::new(),
            ticks: 0,
        }
    }

    /// Carries packets over: packet n arrives `arrival(n)` nanoseconds after the start, in any order.
    fn carry(&mut self, packets: &[Vec<u8>], arrival: impl Fn(usize) -> u64) {
        let mut arrivals: Vec<_> = (0..packets.len()).map(|n| (arrival(n), n)).collect();
        arrivals.sort_unstable();
        let mut arrivals = arrivals.into_iter().peekable();
        let last = packets.len() as u64 + 2;
        while self.ticks < last {
            let now = self.ticks * TICK_NS;
            while let Some((at, n)) = arrivals.next_if(|(at, _)| *at <= now) {
                self.send(START_NS + at, n, &packets[n]);
            }
            self.tick(START_NS + now);
        }
    }

    fn send(&mut self, at: u64, n: usize, payload: &[u8]) {
        let header = RtpHeader {
            marker: n == 0,
            payload_type: opus(),
            seq: SeqNo::new(n as u16),
            timestamp: RtpTimestamp::new((n * FRAME) as u32),
            ssrc: Ssrc::new(1),
            csrcs: &[],
            extensions: &[],
        };
        let mut out = [0; MAX_PACKET];
        let len = header.write(&mut out, payload).unwrap();
        self.uplink.push(PacketMeta { at: MonoTime::from_nanos(at), leg: 0 }, &out[..len]).unwrap();
    }

    fn tick(&mut self, now: u64) {
        self.conversation.tick(MonoTime::from_nanos(now));
        let mut buffer = [0; MAX_PACKET];
        while let Some((_, len)) = self.egress.pop(&mut buffer) {
            let packet = RtpPacket::parse(&buffer[..len]).unwrap();
            let timestamp = packet.timestamp().as_u32();
            let first = *self.first_timestamp.get_or_insert(timestamp.wrapping_sub(self.ticks as u32 * 960));
            let at = timestamp.wrapping_sub(first) as usize / 3;
            assert!(at >= self.heard.len(), "timestamps follow the ticks");
            self.heard.resize(at + EAR_FRAME, 0.0);
            assert_eq!(self.ear.decode(packet.payload(), &mut self.heard[at..]), Ok(EAR_FRAME));
        }
        while let Some(record) = self.control.next_record() {
            self.frames.merge(&record.frames);
            if record.frames.concealed + record.frames.comfort > 0 {
                self.patched_at.push(self.ticks);
            }
        }
        self.ticks += 1;
    }

    /// Milliseconds by which the sweep of a period is heard later than directly, if its packets arrive `phase`
    /// nanoseconds after a tick; looked for up to `most` milliseconds late.
    fn added(&self, direct: &[f32], period: usize, phase: u64, most: usize) -> f64 {
        let begin = (period * PERIOD + PERIOD - SWEEP) * EAR_FRAME;
        let sweep = &direct[begin..begin + SWEEP * EAR_FRAME];
        let best = best_match(sweep, &self.heard[begin.min(self.heard.len())..], most * 16);
        best as f64 / EAR_PER_MS - phase as f64 / MS as f64
    }
}

fn opus() -> PayloadType {
    PayloadType::new(111).unwrap()
}

/// How many samples after the beginning of `whole` it looks most like `part`: the highest normalised correlation.
fn best_match(part: &[f32], whole: &[f32], most: usize) -> usize {
    let at = |lag: usize| {
        let window = whole.get(lag..lag + part.len())?;
        let (mut dot, mut power) = (0.0_f32, 1e-6_f32);
        for (a, b) in part.iter().zip(window) {
            dot += a * b;
            power += b * b;
        }
        Some((lag, dot / power.sqrt()))
    };
    let best = (0..most).map_while(at).max_by(|a, b| a.1.total_cmp(&b.1));
    best.expect("there is sound long enough").0
}

/// The value below which this share of the sorted values lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// Calls of a few seconds, each with its packets at another phase to the tick and up to `jitter_ns` late each.
fn added_over_phases(calls: usize, periods: usize, jitter_ns: u64) -> Vec<f64> {
    let packets = encode(&voice(periods * PERIOD));
    let direct = decode_directly(&packets);
    let mut rng = Rng(1);
    let mut added = Vec::new();
    for call_number in 0..calls {
        // Spread evenly over the tick.
        let phase = ((call_number as f64 + rng.unit()) / calls as f64 * TICK_NS as f64) as u64;
        let late: Vec<u64> = packets.iter().map(|_| (rng.unit() * jitter_ns as f64) as u64).collect();
        let mut call = Call::new();
        call.carry(&packets, |n| phase + n as u64 * TICK_NS + late[n]);
        // The first period belongs to the start.
        added.extend((1..periods - 1).map(|period| {
            let end = (period + 1) * PERIOD;
            let late_by = late[end - SWEEP..end].iter().sum::<u64>() / SWEEP as u64;
            call.added(&direct, period, phase + late_by, 100)
        }));
    }
    added.sort_by(f64::total_cmp);
    added
}

#[test]
fn a_clean_network_adds_twenty_milliseconds_at_most_half_of_the_time() {
    let mut all = added_over_phases(1_000, 3, 900_000);
    // And when the jitter buffer has long learned what there is to learn.
    all.extend(added_over_phases(20, 50, 900_000));
    all.sort_by(f64::total_cmp);
    let (p50, p99, most) = (quantile(&all, 0.5), quantile(&all, 0.99), quantile(&all, 1.0));
    println!("added over {} sweeps: p50 {p50:.1} ms, p99 {p99:.1} ms, most {most:.1} ms", all.len());
    // The wait for the tick is 0 to 20 ms, look-aheads are 8.5: less would be a fault of the measurement.
    assert!(all[0] > 8.0, "{} ms is less than the look-aheads", all[0]);
    assert!(p50 <= 20.0, "p50 {p50}");
    assert!(p99 <= 33.0, "p99 {p99}");
}

#[test]
fn a_burst_of_jitter_is_worked_off_within_ten_seconds_and_without_a_gap() {
    const SECOND: usize = 50;
    let periods = 60; // 24 s
    let packets = encode(&voice(periods * PERIOD));
    let direct = decode_directly(&packets);
    for (phase_ms, stall_from) in [(3, 8 * SECOND), (11, 8 * SECOND + 3), (17, 8 * SECOND + 7)] {
        let phase = phase_ms * MS;
        // For 100 ms nothing comes, then all of it at once.
        let arrival = |n: usize| {
            let due = phase + n as u64 * TICK_NS;
            let over = phase + stall_from as u64 * TICK_NS + 100 * MS;
            if n >= stall_from { due.max(over) } else { due }
        };
        let mut call = Call::new();
        call.carry(&packets, arrival);
        let period_at = |second: usize| second * SECOND / PERIOD;
        let before = call.added(&direct, period_at(7), phase, 250);
        let stalled = call.added(&direct, period_at(9), phase, 250);
        let after = call.added(&direct, period_at(18) + 1, phase, 250);
        println!(
            "phase {phase_ms} ms: {before:.1} ms before, {stalled:.1} ms after a burst, {after:.1} ms ten seconds later"
        );
        assert!(before <= 33.0, "before: {before}");
        assert!(after <= before + 5.0, "{after} ms ten seconds later, {before} before");
        // While nothing comes there is nothing to play; from then on no frame is patched and none is silent.
        let calm = (stall_from + 6) as u64;
        let patched: Vec<_> = call.patched_at.iter().filter(|at| **at > calm && **at < packets.len() as u64).collect();
        assert!(patched.is_empty(), "patched at ticks {patched:?}, calm from {calm}");
        // The sound of a tick is heard up to a frame later, look-aheads included. After five concealed frames libopus
        // itself comes back over some more, but nothing is silent.
        let quiet = faintest(&call.heard[(calm as usize + 2) * EAR_FRAME..(packets.len() - 1) * EAR_FRAME]);
        assert!(quiet.0 > -45.0, "{} dB in the {}th 10 ms after the burst", quiet.0, quiet.1);
        let later = faintest(&call.heard[(calm as usize + SECOND) * EAR_FRAME..(packets.len() - 1) * EAR_FRAME]);
        let usual = faintest(&call.heard[2 * SECOND * EAR_FRAME..7 * SECOND * EAR_FRAME]);
        assert!(later.0 > usual.0 - 6.0, "{} dB in the {}th 10 ms, {} dB before", later.0, later.1, usual.0);
    }
}

/// Level of the faintest 10 ms in dB, and which it is.
fn faintest(heard: &[f32]) -> (f32, usize) {
    let level = |part: &[f32]| 10.0 * (part.iter().map(|s| s * s).sum::<f32>() / part.len() as f32 + 1e-12).log10();
    let levels = heard.chunks_exact(160).map(level).zip(0..);
    levels.min_by(|a, b| a.0.total_cmp(&b.0)).expect("there is something to hear")
}
