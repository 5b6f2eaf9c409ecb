//! What stands on the wire beside Opus, between two conversations in virtual time: G.711, digits, redundant frames.
//!
//! Each end is a conversation of an app and one leg; a seeded link between the legs loses, doubles and delays.
//! No tick of any test touches the heap.

mod room;

use std::collections::BTreeMap;

use antiphon_codec::g711::Law;
use antiphon_codec::{Channels, CodecRate, Decoder};
use antiphon_pipeline::{
    AppEar, AppEarConfig, AppMouth, BusRate, Command, Control, Conversation, ConversationConfig, EncodeClass, Event,
    FrameCounts, Inlet, InletConfig, Limits, OpusSettings, PacketCounts, Participant, Payload, PlanBuilder, Receiver,
    ReceiverSlot, RtpReceiverConfig, Slots, Source, SourceSlot, StretchCounts, Tones,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::red::{self, RedBlock, RedPayload};
use antiphon_rtp::telephone_event::TelephoneEvent;
use antiphon_rtp::{PayloadType, RtpHeader, RtpPacket, RtpTimestamp, SeqNo, SourceId, Ssrc};
use antiphon_testkit::alloc_guard::{self, GuardedAlloc};
use room::{Rng, Room, TICK_NS, Weather, tone_level};

#[global_allocator]
static ALLOC: GuardedAlloc = GuardedAlloc;

const OPUS: u8 = 111;
const RED: u8 = 63;
const PCMU: u8 = 0;
const PCMA: u8 = 8;
const EVENTS: u8 = 110;
const EVENTS_NARROW: u8 = 126;

/// Classes of every end here.
const CLASSES: [EncodeClass; 3] = [
    EncodeClass::Opus(OpusSettings { bitrate: 24_000, complexity: 0, fec: false, expected_loss: 0 }),
    EncodeClass::G711(Law::Mu),
    EncodeClass::G711(Law::A),
];

fn number(raw: u8) -> PayloadType {
    PayloadType::new(raw).unwrap()
}

/// One conversation of an app and a leg.
struct End {
    conversation: Box<Conversation>,
    control: Control,
    egress: PacketReceiver,
    uplink: PacketSender,
    mouth: AppMouth,
    ear: AppEar,
    leg: ReceiverSlot,
    /// The source of its leg, and a place for one more receiver.
    theirs: SourceSlot,
    spare: ReceiverSlot,
    config: ConversationConfig,
    phase: f32,
    heard: Vec<f32>,
    events: Vec<Event>,
    frames: FrameCounts,
    stretches: StretchCounts,
    packets: PacketCounts,
    refused: u32,
    /// What it sent, with its time.
    sent: Vec<(u64, Vec<u8>)>,
}

impl End {
    fn new(class: u8) -> Self {
        Self::with_limits(class, Limits::for_participants(3))
    }

    fn with_limits(class: u8, limits: Limits) -> Self {
        let config = ConversationConfig {
            rate: BusRate::Hz16000,
            limits,
            classes: CLASSES.to_vec(),
            ..ConversationConfig::default()
        };
        let (tx, egress) = packet_ring(1 << 20);
        let (conversation, mut control) = Conversation::new(&config, tx).unwrap();
        let (mut sources, mut receivers) = (Slots::new(limits.sources), Slots::new(limits.receivers));
        let (theirs, ours): (SourceSlot, SourceSlot) = (sources.take().unwrap(), sources.take().unwrap());
        let (leg, app): (ReceiverSlot, ReceiverSlot) = (receivers.take().unwrap(), receivers.take().unwrap());
        let spare = receivers.take().unwrap();
        let inlet = Slots::new(limits.inlets).take().unwrap();
        let (uplink, ring) = packet_ring(1 << 20);
        let payloads = vec![
            (number(OPUS), Payload::Opus),
            (number(RED), Payload::Red),
            (number(PCMU), Payload::Pcmu),
            (number(PCMA), Payload::Pcma),
            (number(EVENTS), Payload::TelephoneEvent { clock: 48_000 }),
            (number(EVENTS_NARROW), Payload::TelephoneEvent { clock: 8_000 }),
        ];
        let inlet_config =
            InletConfig { payloads, level_extension: None, mid_extension: None, lanes_mid: None, main: Some(theirs) };
        let receiver = RtpReceiverConfig {
            leg: 0,
            ssrc: Ssrc::new(7),
            payload_type: number([OPUS, PCMU, PCMA][usize::from(class)]),
            red: (class == 0).then(|| number(RED)),
            tones: Some(number(if class == 0 { EVENTS } else { EVENTS_NARROW })),
            // Both wrap within a second.
            first_seq: SeqNo::new(65_500),
            first_timestamp: RtpTimestamp::new(u32::MAX - 4_000),
            class,
            level_extension: None,
            csrc_level_extension: None,
            mid: None,
            lanes: None,
        };
        let (voice, mouth) = Source::app(SourceId::new(2), 3_200, &config);
        let (listener, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
        for command in [
            Command::AddInlet(inlet, Inlet::new(ring, &inlet_config, 0)),
            Command::AddSource(theirs, Source::rtp(SourceId::new(1), &config).unwrap()),
            Command::AddReceiver(leg, Receiver::rtp(receiver, &config).unwrap()),
            Command::AddSource(ours, voice),
            Command::AddReceiver(app, listener),
        ] {
            control.send(command).unwrap();
        }
        let mut plan = PlanBuilder::new(&limits);
        for (source, receiver) in [(theirs, leg), (ours, app)] {
            let (source, receiver) = (Some(source), Some(receiver));
            plan.participant(Participant { source, receiver, in_default_group: true, unmixed: false });
        }
        control.publish(plan.build()).unwrap();
        Self {
            conversation,
            control,
            egress,
            uplink,
            mouth,
            ear,
            leg,
            theirs,
            spare,
            config,
            phase: 0.0,
            heard: Vec::new(),
            events: Vec::new(),
            frames: FrameCounts::default(),
            stretches: StretchCounts::default(),
            packets: PacketCounts::default(),
            refused: 0,
            sent: Vec::new(),
        }
    }

    /// 20 ms: the app says a tone of this pitch at 0.2, or nothing; the conversation ticks.
    fn tick(&mut self, now: u64, hz: f32) {
        if hz > 0.0 {
            let samples: Vec<i16> = (0..320)
                .map(|_| {
                    self.phase = (self.phase + hz * std::f32::consts::TAU / 16_000.0) % std::f32::consts::TAU;
                    (0.2 * 32_768.0 * self.phase.sin()) as i16
                })
                .collect();
            self.mouth.speak(&samples);
        }
        alloc_guard::forbid(|| self.conversation.tick(MonoTime::from_nanos(now)));
        let record = self.conversation.last_record();
        self.frames.merge(&record.frames);
        self.stretches.merge(&record.stretches);
        self.packets.merge(&record.packets);
        self.refused += record.packets_refused;
        while let Some(frame) = self.ear.next_mixed() {
            self.heard.extend(frame.samples.as_slice().iter().map(|s| f32::from(*s) / 32_768.0));
        }
        while let Some(timed) = self.control.next_event() {
            self.events.push(timed.event);
        }
        while self.control.next_record().is_some() {}
        self.control.reclaim_plans();
        let mut buffer = [0; MAX_PACKET];
        while let Some((_, len)) = self.egress.pop(&mut buffer) {
            self.sent.push((now, buffer[..len].to_vec()));
        }
    }

    fn receive(&mut self, at: u64, bytes: &[u8]) {
        self.uplink.push(PacketMeta { at: MonoTime::from_nanos(at), leg: 0 }, bytes).unwrap();
    }

    /// The digits it was told of, and how many milliseconds each lasted.
    fn digits(&self) -> (String, Vec<u64>) {
        let tones = self.events.iter().filter_map(|event| match event {
            Event::Tone { digit, duration, volume, .. } => {
                assert_eq!(*volume, 10);
                Some((*digit, duration.as_millis() as u64))
            }
            _ => None,
        });
        tones.unzip()
    }
}

/// Two ends and the link between them.
struct Pair {
    ends: [End; 2],
    now: u64,
    weather: Weather,
    rng: Rng,
    in_flight: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    carried: u64,
    /// How much each end has sent of what it is to carry.
    taken: [usize; 2],
}

impl Pair {
    fn new(class: u8, weather: Weather, seed: u64) -> Self {
        let ends = [End::new(class), End::new(class)];
        let (in_flight, rng) = (BTreeMap::new(), Rng::new(seed));
        Self { ends, now: 1_000_000_000, weather, rng, in_flight, carried: 0, taken: [0; 2] }
    }

    fn steps(&mut self, ticks: u32, pitch: [f32; 2]) {
        for _ in 0..ticks {
            self.now += TICK_NS;
            while let Some(entry) = self.in_flight.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let at = entry.key().0;
                let (to, bytes) = entry.remove();
                self.ends[to].receive(at, &bytes);
            }
            for (at, hz) in pitch.into_iter().enumerate() {
                self.ends[at].tick(self.now, hz);
                let from = std::mem::replace(&mut self.taken[at], self.ends[at].sent.len());
                for index in from..self.taken[at] {
                    self.carry(1 - at, index);
                }
            }
        }
    }

    /// Puts a packet on its way, as the weather allows.
    fn carry(&mut self, to: usize, index: usize) {
        let copies = 1 + u32::from(self.rng.unit() < self.weather.duplicate);
        for _ in 0..copies {
            let jitter = self.rng.below(self.weather.jitter_ms * 1_000_000 + 1);
            if self.rng.unit() >= self.weather.loss {
                self.carried += 1;
                let bytes = self.ends[1 - to].sent[index].1.clone();
                self.in_flight.insert((self.now + 3_000_000 + jitter, self.carried), (to, bytes));
            }
        }
    }

    fn dial(&mut self, from: usize, digits: &str) {
        let leg = self.ends[from].leg;
        self.ends[from].control.send(Command::SendTones(leg, Tones::new(digits).unwrap())).unwrap();
    }

    fn use_red(&mut self) {
        for end in &mut self.ends {
            end.control.send(Command::SetRed(end.leg, true)).unwrap();
        }
    }
}

const ALL: &str = "0123456789*#ABCD";

#[test]
fn each_digit_arrives_exactly_once_both_ways_whatever_the_network_does() {
    let weathers = [
        Weather::default(),
        Weather { loss: 0.25, ..Weather::default() },
        Weather { duplicate: 0.5, jitter_ms: 70, ..Weather::default() },
        Weather { loss: 0.2, duplicate: 0.3, jitter_ms: 60, ..Weather::default() },
    ];
    for (seed, class) in (0..12).map(|seed| (seed, (seed % 2) as u8)) {
        let mut pair = Pair::new(class, weathers[seed as usize % 4], seed);
        pair.steps(50, [400.0, 600.0]);
        pair.dial(0, ALL);
        pair.dial(1, "777");
        pair.dial(1, "*7#");
        pair.steps(250, [400.0, 600.0]);
        let (digits, lengths) = pair.ends[1].digits();
        assert_eq!(digits, ALL, "seed {seed}");
        assert_eq!(pair.ends[0].digits().0, "777*7#", "seed {seed}");
        if pair.weather.loss == 0.0 {
            assert!(lengths.iter().all(|length| *length == 100), "seed {seed}: {lengths:?}");
        }
        let sent = |end: &End| end.events.iter().filter(|event| matches!(event, Event::TonesSent { .. })).count();
        assert_eq!((sent(&pair.ends[0]), sent(&pair.ends[1])), (1, 2));
        let started = pair.ends[1].events.iter().filter(|event| matches!(event, Event::ToneStarted { .. })).count();
        assert_eq!(started, ALL.len(), "seed {seed}");
    }
}

#[test]
fn each_row_of_digits_is_told_of_though_the_events_were_full_as_it_ended() {
    let mut end = End::with_limits(0, Limits { events: 1, ..Limits::for_participants(3) });
    for row in ["1", "2", "3"] {
        end.control.send(Command::SendTones(end.leg, Tones::new(row).unwrap())).unwrap();
    }
    let ticks: Vec<u64> = (1..100).map(|tick| tick * TICK_NS).collect();
    for now in &ticks[..80] {
        alloc_guard::forbid(|| end.conversation.tick(MonoTime::from_nanos(*now))); // and nobody looks
    }
    ticks[80..].iter().for_each(|now| end.tick(*now, 0.0));
    assert_eq!(end.events, [Event::TonesSent { receiver: end.leg }; 3]);
}

#[test]
fn digits_take_the_place_of_audio_on_the_same_stream_and_nothing_looks_lost() {
    for class in [0, 1] {
        let mut pair = Pair::new(class, Weather::default(), 1);
        pair.steps(50, [400.0, 0.0]);
        let before = pair.ends[1].frames.concealed;
        pair.dial(0, "59");
        pair.steps(80, [400.0, 0.0]);
        // The voice breaks off, which takes one frame to fade out; the digits themselves are no losses.
        assert!(pair.ends[1].frames.concealed - before <= 1, "{:?}", pair.ends[1].frames);
        assert_eq!(pair.ends[1].packets.late, 0);

        let step = if class == 0 { 960 } else { 160 };
        let events = if class == 0 { EVENTS } else { EVENTS_NARROW };
        let first = pair.ends[0].sent[0].0;
        let start = RtpPacket::parse(&pair.ends[0].sent[0].1).unwrap().timestamp();
        let mut seq = None;
        let mut tones: Vec<Vec<(bool, TelephoneEvent)>> = Vec::new();
        for (at, bytes) in &pair.ends[0].sent {
            let packet = RtpPacket::parse(bytes).unwrap();
            assert!(seq.is_none_or(|last: SeqNo| packet.seq() == last.next()), "one row of numbers");
            seq = Some(packet.seq());
            let ticks = ((at - first) / TICK_NS) as u32;
            if packet.payload_type() != number(events) {
                assert_eq!(packet.timestamp(), start.advance(ticks * step));
                continue;
            }
            let event = TelephoneEvent::parse(packet.payload()).unwrap();
            if packet.marker() {
                tones.push(Vec::new());
                assert_eq!(packet.timestamp(), start.advance(ticks * step), "its start");
            }
            let tone = tones.last_mut().expect("the first packet is marked");
            tone.push((packet.marker(), event));
            assert!(tone.len() == 1 || !packet.marker());
        }
        let reports: Vec<Vec<_>> = tones
            .iter()
            .map(|tone| tone.iter().map(|(_, e)| (e.event, e.end, u32::from(e.duration) / step)).collect())
            .collect();
        let shape = |code| {
            [(1, false), (2, false), (3, false), (4, false), (5, true), (5, true), (5, true)]
                .map(|(n, end)| (code, end, n))
        };
        assert_eq!(reports, [shape(5), shape(9)]);
        // 2 x (100 + 80) ms without audio, of 130 ticks with it.
        let audio = pair.ends[0].sent.len() - 14;
        assert!((111..=112).contains(&audio), "{audio}");
        let marked = pair.ends[0].sent.iter().filter(|(_, bytes)| RtpPacket::parse(bytes).unwrap().marker());
        assert_eq!(marked.count(), 4, "start, two tones, and the audio behind them");
    }
}

#[test]
fn audio_behind_digits_needs_nothing_of_the_stream_before() {
    let mut pair = Pair::new(0, Weather::default(), 1);
    pair.steps(100, [730.0, 0.0]);
    pair.dial(0, "59");
    pair.steps(60, [730.0, 0.0]);
    let sent: Vec<_> = pair.ends[0].sent.iter().map(|(_, bytes)| RtpPacket::parse(bytes).unwrap()).collect();
    let last = sent.iter().rposition(|packet| packet.payload_type() == number(EVENTS)).unwrap();
    // One decoder has heard what came before the digits, the other has not.
    let decode = |from: usize| {
        let mut decoder = Decoder::new(CodecRate::Hz48000, Channels::Mono).unwrap();
        let audio = sent[from..].iter().filter(|packet| packet.payload_type() == number(OPUS));
        let frames = audio.map(|packet| {
            let mut pcm = [0.0; 960];
            decoder.decode(packet.payload(), &mut pcm).unwrap();
            pcm
        });
        frames.collect::<Vec<_>>()
    };
    let (after, whole) = (decode(last + 1), decode(0));
    let whole = &whole[whole.len() - after.len()..];
    assert!(after.len() > 10);
    // The first frame joins on to what each of them played last; from then on both play the same.
    for (at, (fresh, stale)) in after.iter().zip(whole).enumerate().skip(1) {
        let power: f32 = stale.iter().map(|sample| sample * sample).sum();
        let difference: f32 = fresh.iter().zip(stale).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!(power > 15.0 && difference < 1e-3 * power, "frame {at}: {difference} of {power}");
    }
}

#[test]
fn g711_is_heard_at_its_level_on_a_clock_of_8_khz_across_the_wraps() {
    for class in [1, 2] {
        let mut pair = Pair::new(class, Weather::default(), 5);
        pair.steps(100, [400.0, 900.0]);
        pair.ends.iter_mut().for_each(|end| end.heard.clear());
        pair.steps(100, [400.0, 900.0]);
        for (at, hz) in [(0, 900.0), (1, 400.0)] {
            let level = tone_level(&pair.ends[at].heard, hz, 16_000.0);
            assert!((level / 0.2 - 1.0).abs() < 0.05, "class {class}, end {at}: {level}");
            assert!(tone_level(&pair.ends[at].heard, 1_300.0 - hz, 16_000.0) < 0.002);
            let (frames, packets) = (pair.ends[at].frames, pair.ends[at].packets);
            assert_eq!((frames.concealed, packets.late, packets.skipped), (0, 0, 0), "{frames:?} {packets:?}");
            // The clock is the right one: nothing seems to come too fast or too slow.
            assert_eq!(pair.ends[at].stretches, StretchCounts::default());
            let restarted = |event: &Event| matches!(event, Event::StreamRestarted { .. });
            assert!(!pair.ends[at].events.iter().any(restarted), "no wrap looks like a restart");
        }
        let sent: Vec<_> = pair.ends[0].sent.iter().map(|(_, bytes)| RtpPacket::parse(bytes).unwrap()).collect();
        assert!(
            sent.iter()
                .all(|p| p.payload().len() == 160 && p.payload_type() == number([PCMU, PCMA][class as usize - 1]))
        );
        for two in sent.windows(2) {
            assert_eq!(two[1].timestamp().distance_from(two[0].timestamp()), 160);
        }
        assert!(sent.last().unwrap().timestamp().as_u32() < 100_000, "the clock wrapped");
    }
}

#[test]
fn a_lost_g711_packet_is_concealed() {
    let mut pair = Pair::new(2, Weather { loss: 0.05, ..Weather::default() }, 3);
    pair.steps(50, [400.0, 0.0]);
    pair.ends[1].heard.clear();
    pair.steps(500, [400.0, 0.0]);
    assert!(pair.ends[1].frames.concealed > 10, "{:?}", pair.ends[1].frames);
    let level = tone_level(&pair.ends[1].heard, 400.0, 16_000.0);
    assert!(level > 0.17, "{level}");
    let quiet = pair.ends[1].heard.chunks(320).filter(|frame| frame.iter().all(|s| s.abs() < 0.02)).count();
    assert_eq!(quiet, 0, "no hole is heard");
}

/// A G.711 packet by mu-law.
fn pcmu(seq: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    packet(PCMU, 99, seq, timestamp, payload)
}

/// A packet as it stands on the wire.
fn packet(payload_type: u8, ssrc: u32, seq: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
    let header = RtpHeader {
        marker: false,
        payload_type: number(payload_type),
        seq: SeqNo::new(seq),
        timestamp: RtpTimestamp::new(timestamp),
        ssrc: Ssrc::new(ssrc),
        csrcs: &[],
        extensions: &[],
    };
    let mut out = vec![0; MAX_PACKET];
    let len = header.write(&mut out, payload).unwrap();
    out.truncate(len);
    out
}

#[test]
fn g711_packets_of_10_to_60_ms_are_played_and_odd_sizes_refused() {
    let tone: Vec<u8> = (0..8_000 * 4)
        .map(|n| Law::Mu.compress((6_553.6 * (std::f32::consts::TAU * 500.0 * n as f32 / 8_000.0).sin()) as i16))
        .collect();
    for ms in [10, 20, 30, 40, 60] {
        let mut end = End::new(1);
        let (mut now, mut due, mut seq) = (1_000_000_000_u64, 0, 0_u16);
        for tick in 0..150_u64 {
            now += TICK_NS;
            while due + ms <= tick * 20 {
                let from = due as usize * 8;
                let payload = &tone[from..from + ms as usize * 8];
                end.receive(now - 1_000_000, &pcmu(seq, (u32::MAX - 500).wrapping_add(from as u32), payload));
                seq += 1;
                due += ms;
            }
            end.tick(now, 0.0);
        }
        let settled = &end.heard[end.heard.len() / 3..];
        let level = tone_level(settled, 500.0, 16_000.0);
        assert!((level / 0.2 - 1.0).abs() < 0.1, "{ms} ms: {level}");
        let (frames, packets) = (end.frames, end.packets);
        assert_eq!((packets.late, packets.overflowed, packets.duplicate), (0, 0, 0), "{ms} ms: {packets:?}");
        assert!(frames.concealed < 8, "{ms} ms: {frames:?}");
    }
    let mut end = End::new(1);
    for (seq, len) in [0, 1, 39, 41, 159, 161, 1_000].into_iter().enumerate() {
        end.receive(1_000_000_000, &pcmu(seq as u16, 160 * seq as u32, &tone[..len]));
    }
    for tick in 0..10 {
        end.tick(1_000_000_000 + tick * TICK_NS, 0.0);
    }
    assert_eq!((end.packets.played, end.packets.skipped), (0, 7), "{:?}", end.packets);
    assert!(end.heard.iter().all(|sample| *sample == 0.0));
}

#[test]
fn red_fills_most_holes_of_a_line_that_loses_a_tenth_and_is_off_until_asked_for() {
    let bad = Weather { loss: 0.1, jitter_ms: 10, ..Weather::default() };
    let run = |red: bool| {
        let mut pair = Pair::new(0, bad, 8);
        pair.steps(20, [400.0, 600.0]);
        if red {
            pair.use_red();
        }
        pair.steps(1_500, [400.0, 600.0]);
        let carried: Vec<u8> =
            pair.ends[0].sent.iter().map(|(_, b)| RtpPacket::parse(b).unwrap().payload_type().as_u8()).collect();
        (carried, pair.ends.map(|end| end.frames))
    };
    let (plain, without) = run(false);
    assert!(plain.iter().all(|number| *number == OPUS));
    let (carried, with) = run(true);
    assert!(carried[..19].iter().all(|number| *number == OPUS));
    assert!(carried[25..].iter().all(|number| *number == RED));
    for (with, without) in with.iter().zip(&without) {
        assert!(without.concealed > 120 && without.recovered == 0, "{without:?}");
        assert!(with.recovered > 100, "{with:?}");
        // What is left are two losses in a row: one in a hundred.
        assert!(with.concealed < 40, "{with:?}");
    }
}

/// Holds the RED packets of one receiver's stream against what it was sent before; how many there were.
fn held_against_what_came_before<'a>(sent: impl Iterator<Item = &'a [u8]>) -> usize {
    let (mut before, mut doubled): (Option<(RtpTimestamp, Vec<u8>)>, _) = (None, 0);
    for bytes in sent {
        let packet = RtpPacket::parse(bytes).unwrap();
        match packet.payload_type().as_u8() {
            RED => {
                let blocks: Vec<_> = RedPayload::parse(packet.payload()).unwrap().collect();
                let (timestamp, payload) = before.expect("something came before");
                assert_eq!(blocks.len(), 2);
                assert_eq!(blocks[0].data, payload);
                assert_eq!(i32::from(blocks[0].offset), packet.timestamp().distance_from(timestamp));
                assert!(blocks.iter().all(|block| block.payload_type == number(OPUS)));
                doubled += 1;
                before = Some((packet.timestamp(), blocks[1].data.to_vec()));
            }
            OPUS => before = Some((packet.timestamp(), packet.payload().to_vec())),
            _ => {}
        }
    }
    doubled
}

#[test]
fn a_receiver_that_moves_between_streams_is_never_repeated_another_ones_frame() {
    let mut room = Room::new(room::config(6, BusRate::Hz16000), 4);
    (room.red, room.decode_ears) = (true, false);
    for at in 0..6 {
        room.join();
        room.control.send(Command::SetRed(room.people[at].receiver, at != 5)).unwrap();
    }
    room.publish();
    let mut sent: BTreeMap<u32, Vec<Vec<u8>>> = BTreeMap::new();
    let mut buffer = [0; MAX_PACKET];
    for tick in 0..900_usize {
        // Everybody talks at times, alone, together and not at all: streams split, end and merge.
        for at in 0..4 {
            room.people[at].talking = (tick / (60 + 13 * at)) % 3 == 0;
        }
        if tick == 500 {
            room.people[4].in_default_group = false;
            room.publish();
        }
        room.send();
        alloc_guard::forbid(|| room.conversation.tick(MonoTime::from_nanos(room.now)));
        while let Some((meta, len)) = room.egress.pop(&mut buffer) {
            sent.entry(meta.leg).or_default().push(buffer[..len].to_vec());
        }
        room.reclaim();
    }
    assert!(room.records.iter().map(|record| record.state_copies).sum::<u32>() > 10, "streams split");
    for (leg, packets) in sent {
        let doubled = held_against_what_came_before(packets.iter().map(Vec::as_slice));
        assert_eq!(doubled > 300, leg != 5, "leg {leg}: {doubled} of {}", packets.len());
    }
}

#[test]
fn a_redundant_block_is_what_the_same_receiver_was_sent_before() {
    // One talks in turns, so that the mix rests, resumes and is digits in between.
    let mut pair = Pair::new(0, Weather::default(), 2);
    pair.use_red();
    for turn in 0..12 {
        pair.steps(60, [if turn % 2 == 0 { 500.0 } else { 0.0 }, 0.0]);
        if turn % 4 == 0 {
            pair.dial(0, "1");
        }
    }
    let doubled = held_against_what_came_before(pair.ends[0].sent.iter().map(|(_, bytes)| bytes.as_slice()));
    assert!(doubled > 300, "{doubled}");
}

#[test]
fn of_many_redundant_blocks_the_newest_are_used() {
    let mut pair = Pair::new(0, Weather::default(), 4);
    pair.steps(300, [400.0, 0.0]);
    let sent: Vec<_> = pair.ends[0].sent.iter().map(|(_, b)| RtpPacket::parse(b).unwrap().payload().to_vec()).collect();
    let mut end = End::new(0);
    for (at, payload) in sent.iter().enumerate() {
        let now = 1_000_000_000 + at as u64 * TICK_NS;
        if at % 10 != 9 {
            let block = |back: usize| RedBlock {
                payload_type: number(OPUS),
                offset: back as u16 * 960,
                data: &sent[at - back],
            };
            let older: Vec<_> = (1..=at.min(14)).rev().map(block).collect();
            let mut bytes = [0; MAX_PACKET];
            let len = red::write(&mut bytes, &older, RedBlock { offset: 0, data: payload, ..block(0) }).unwrap();
            end.receive(now - 1_000_000, &packet(RED, 5, at as u16, at as u32 * 960, &bytes[..len]));
        }
        end.tick(now, 0.0);
    }
    assert!(end.frames.recovered >= 25 && end.frames.concealed <= 4, "{:?}", end.frames);
}

#[test]
fn a_flood_of_digits_and_restarts_does_not_crowd_out_what_is_told_of_others() {
    let mut end = End::new(1);
    let mut now = 1_000_000_000;
    let mut told = 0;
    for tick in 0..100_u32 {
        for n in 0..60_u32 {
            let at = (tick * 60 + n) * 1_600;
            let digit = TelephoneEvent { event: (n % 10) as u8, end: true, volume: 10, duration: 400 };
            end.receive(now, &packet(EVENTS_NARROW, 9, (tick * 60 + n) as u16, at, &digit.to_bytes()));
            end.receive(now, &packet(PCMU, tick * 60 + n, 1, at, &[0xff; 160]));
        }
        end.tick(now, 0.0);
        let events = std::mem::take(&mut end.events);
        let restarts = events.iter().filter(|event| matches!(event, Event::StreamRestarted { .. })).count();
        told += events.len() - restarts;
        assert!(restarts <= 1, "tick {tick}: {restarts}");
        now += TICK_NS;
    }
    // Sixteen digits at once and one in 80 ms, each begun and ended.
    assert!((2 * 16..=2 * (16 + 26)).contains(&told), "{told}");
    assert!(end.refused > 5_000, "{}", end.refused);
}

#[test]
fn digits_without_a_source_are_not_told_under_the_next_one() {
    let mut end = End::new(1);
    let digit = |code| TelephoneEvent { event: code, end: true, volume: 10, duration: 800 }.to_bytes();
    end.control.send(Command::RemoveSource(end.theirs)).unwrap();
    end.tick(1_000_000_000, 0.0);
    end.receive(1_010_000_000, &packet(EVENTS_NARROW, 9, 1, 1_000, &digit(5)));
    end.tick(1_020_000_000, 0.0);
    let next = Source::rtp(SourceId::new(77), &end.config).unwrap();
    end.control.send(Command::AddSource(end.theirs, next)).unwrap();
    end.receive(1_030_000_000, &packet(EVENTS_NARROW, 9, 2, 9_000, &digit(6)));
    end.tick(1_040_000_000, 0.0);
    assert_eq!(end.digits().0, "6");
}

#[test]
fn a_telephone_is_not_moved_to_the_other_law() {
    let mut pair = Pair::new(1, Weather::default(), 6);
    let leg = pair.ends[0].leg;
    pair.ends[0].control.send(Command::SetClass(leg, 2)).unwrap();
    pair.steps(50, [400.0, 0.0]);
    pair.ends[1].heard.clear();
    pair.steps(50, [400.0, 0.0]);
    let level = tone_level(&pair.ends[1].heard, 400.0, 16_000.0);
    assert!((level / 0.2 - 1.0).abs() < 0.05, "{level}");
}

#[test]
fn what_a_lane_did_not_agree_to_is_told_apart_from_a_full_ring() {
    let mut end = End::new(1);
    let bot = Receiver::rtp(room::bot::receiver_config(500, 0, Some(1)), &end.config).unwrap();
    end.control.send(Command::AddReceiver(end.spare, bot)).unwrap();
    let mut plan = PlanBuilder::new(&end.config.limits);
    let speaker = Participant { source: Some(end.theirs), receiver: None, in_default_group: true, unmixed: false };
    plan.participant(speaker);
    plan.participant(Participant { source: None, receiver: Some(end.spare), unmixed: true, ..speaker });
    end.control.publish(plan.build()).unwrap();
    let (mut unsendable, mut lanes) = (0, 0);
    for at in 0..20_u16 {
        let now = 1_000_000_000 + u64::from(at) * TICK_NS;
        let (kind, payload): (_, &[u8]) = if at < 10 { (PCMU, &[0xff; 160]) } else { (OPUS, &[0xf8, 1, 2, 3]) };
        end.receive(now, &packet(kind, 5, at, 0, payload));
        end.tick(now, 0.0);
        let record = end.conversation.last_record();
        assert_eq!(record.egress_dropped, 0);
        unsendable += record.unsendable;
        lanes += record.lane_packets;
    }
    assert!(unsendable == 10 && lanes > 0, "{unsendable} {lanes}");
}

#[test]
fn no_bytes_under_any_payload_type_disturb_a_tick() {
    let mut rng = Rng::new(77);
    for round in 0..40 {
        let mut end = End::new((round % 3) as u8);
        let (mut now, mut taken) = (1_000_000_000, 0_u64);
        for _ in 0..60 {
            now += TICK_NS;
            for _ in 0..rng.below(6) {
                let types = [OPUS, RED, PCMU, PCMA, EVENTS, EVENTS_NARROW, 13];
                let mut payload: Vec<u8> = (0..rng.below(220)).map(|_| rng.next() as u8).collect();
                // Now and then nearly right: RED around Opus, events of digits.
                if let (0, Some(first)) = (rng.below(2), payload.first_mut()) {
                    *first = if rng.below(2) == 0 { 0x80 | OPUS } else { rng.below(16) as u8 };
                }
                let header = RtpHeader {
                    marker: rng.below(2) == 0,
                    payload_type: number(types[rng.below(7) as usize]),
                    seq: SeqNo::new(rng.below(300) as u16),
                    timestamp: RtpTimestamp::new(rng.below(300) as u32 * 960),
                    ssrc: Ssrc::new(rng.below(2) as u32),
                    csrcs: &[],
                    extensions: &[],
                };
                let mut bytes = [0; MAX_PACKET];
                let len = header.write(&mut bytes, &payload).unwrap();
                end.receive(now, &bytes[..len]);
                taken += 1;
            }
            end.tick(now, 0.0);
        }
        assert!(u64::from(end.refused) <= taken && end.packets.ended() <= taken);
        assert!(end.refused > 0 && end.packets.ended() > 0);
        assert!(end.heard.iter().all(|sample| sample.is_finite()));
    }
}
