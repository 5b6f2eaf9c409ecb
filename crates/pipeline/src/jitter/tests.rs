//! The jitter buffer under everything a network does, without a codec.

use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;
/// TOC of one 20 ms SILK frame, as the first byte of every payload here.
const TOC: u8 = 0x08;

/// What one tick got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Packet(u8),
    Recovered,
    Concealed,
    Comfort,
    Idle,
}

struct Bench {
    buffer: JitterBuffer,
    tick: u64,
}

impl Bench {
    fn new() -> Self {
        Self { buffer: JitterBuffer::new(), tick: 0 }
    }

    /// Inserts packet `n` of a stream of 20 ms packets, arriving `late` ms after it was due.
    fn insert_at(&mut self, n: u16, at_ms: u64) -> Insert {
        self.insert_raw(n, u32::from(n).wrapping_mul(960), at_ms * MS, &[TOC, n as u8, 0, 0])
    }

    fn insert_raw(&mut self, seq: u16, timestamp: u32, at: u64, payload: &[u8]) -> Insert {
        self.buffer.insert(&Arrival {
            at: MonoTime::from_nanos(at),
            seq: SeqNo::new(seq),
            timestamp: RtpTimestamp::new(timestamp),
            payload,
            kind: FrameKind::Opus,
            level: None,
        })
    }

    /// One step of 20 ms at tick time; ticks are at 20, 40, 60 ms and so on.
    fn step(&mut self, quiet: bool) -> Got {
        self.tick += 1;
        let due = MonoTime::from_millis(self.tick * 20);
        match self.buffer.next(due, quiet) {
            Step::Decode { payload, .. } => Got::Packet(payload[1]),
            Step::Recover { .. } => Got::Recovered,
            Step::Conceal { .. } => Got::Concealed,
            Step::Comfort => Got::Comfort,
            Step::Idle => Got::Idle,
        }
    }

    fn steps(&mut self, count: usize) -> Vec<Got> {
        (0..count).map(|_| self.step(false)).collect()
    }
}

fn packets(numbers: impl IntoIterator<Item = u8>) -> Vec<Got> {
    numbers.into_iter().map(Got::Packet).collect()
}

#[test]
fn a_clean_stream_plays_each_packet_in_the_tick_after_it_came() {
    let mut bench = Bench::new();
    for n in 0..50_u16 {
        bench.insert_at(n, u64::from(n) * 20 + 15);
        assert_eq!(bench.step(false), Got::Packet(n as u8));
        assert_eq!(bench.buffer.buffered(), 0);
    }
    assert_eq!(bench.buffer.target_ns(), 0);
}

#[test]
fn reordered_packets_play_in_order() {
    let mut bench = Bench::new();
    for n in [0, 2, 1, 4, 3] {
        bench.insert_at(n, 5);
    }
    // All came at once: whoever starts late in the burst would have dropped the others.
    let got = bench.steps(5);
    assert!(
        got.windows(2)
            .all(|pair| matches!(pair, [Got::Packet(a), Got::Packet(b)] if b > a) || pair[1] == Got::Concealed)
    );
}

#[test]
fn a_packet_that_is_late_by_less_than_a_frame_delays_the_stream_once() {
    let mut bench = Bench::new();
    for n in 0..10_u64 {
        if n != 5 {
            bench.insert_at(n as u16, n * 20 + 15);
        }
        let got = bench.step(false);
        match n {
            0..5 => assert_eq!(got, Got::Packet(n as u8)),
            5 => assert_eq!(got, Got::Concealed, "it is not there yet"),
            // 5 comes after all, before 6 is played: nothing is lost.
            _ => assert_eq!(got, Got::Packet(n as u8 - 1)),
        }
        if n == 5 {
            assert_eq!(bench.insert_at(5, 125), Insert::Buffered);
        }
    }
    assert_eq!(bench.buffer.counts().late, 0);
}

#[test]
fn a_lost_packet_is_concealed_once_and_costs_no_delay() {
    let mut bench = Bench::new();
    let mut got = Vec::new();
    for n in 0..10_u64 {
        if n != 5 {
            bench.insert_at(n as u16, n * 20 + 15);
        }
        got.push(bench.step(false));
    }
    let mut expected = packets(0..5);
    expected.push(Got::Concealed);
    expected.extend(packets(6..10));
    assert_eq!(got, expected);
}

#[test]
fn duplicates_and_late_packets_end_as_such() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.insert_at(n, u64::from(n) * 20 + 5);
        bench.step(false);
    }
    assert_eq!(bench.insert_at(3, 81), Insert::Ended(PacketOutcome::Duplicate));
    assert_eq!(bench.insert_at(2, 81), Insert::Ended(PacketOutcome::Duplicate));
    bench.insert_at(6, 125);
    bench.insert_at(7, 145);
    bench.insert_at(8, 165);
    bench.steps(4);
    assert_eq!(bench.insert_at(4, 170), Insert::Ended(PacketOutcome::Late));
    assert_eq!(bench.buffer.counts().duplicate, 2);
    assert_eq!(bench.buffer.counts().late, 1);
}

#[test]
fn a_pause_announced_by_dtx_is_comfort_and_not_concealment() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    assert_eq!(bench.step(false), Got::Packet(0));
    bench.insert_raw(1, 960, 25 * MS, &[TOC]);
    assert_eq!(bench.steps(19), vec![Got::Comfort; 19]);
    // 20 frames after the first DTX packet the next packet comes, its number following on.
    bench.insert_raw(2, 21 * 960, 421 * MS, &[TOC, 2, 0]);
    assert_eq!(bench.steps(3), [Got::Comfort, Got::Packet(2), Got::Concealed]);
}

#[test]
fn a_stream_that_stops_is_concealed_briefly_and_then_idle() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    let got = bench.steps(10);
    let mut expected = packets(0..1);
    expected.extend([Got::Concealed; MAX_CONCEALED as usize]);
    expected.resize(10, Got::Idle);
    assert_eq!(got, expected);
    assert!(bench.buffer.is_idle());
    // It comes back with its clock still running.
    bench.insert_at(30, 605);
    bench.tick = 30;
    assert_eq!(bench.step(false), Got::Packet(30));
}

#[test]
fn g711_packets_are_sized_by_their_bytes_and_odd_ones_refused() {
    let mut buffer = JitterBuffer::new();
    let insert = |buffer: &mut JitterBuffer, seq, kind, payload: &[u8]| {
        buffer.insert(&Arrival {
            at: MonoTime::from_millis(u64::from(seq) * 20 + 5),
            seq: SeqNo::new(seq),
            timestamp: RtpTimestamp::new(u32::from(seq) * 960),
            payload,
            kind,
            level: Some(AudioLevel::new(30)),
        })
    };
    for (seq, kind) in [(0, FrameKind::Mulaw), (1, FrameKind::Alaw), (2, FrameKind::Opus)] {
        let payload: &[u8] = if kind == FrameKind::Opus { &[TOC, 1] } else { &[0x55; 160] };
        assert_eq!(insert(&mut buffer, seq, kind, &[payload, &[7; 40]].concat()), Insert::Buffered);
        match buffer.next(MonoTime::from_millis(u64::from(seq) * 20 + 10), false) {
            Step::Decode { kind: played, level, timestamp, .. } => {
                assert_eq!((played, level), (kind, Some(AudioLevel::new(30))));
                assert_eq!(timestamp as u32, u32::from(seq) * 960);
            }
            step => panic!("{step:?}"),
        }
        for odd in [0, 1, 159, 1_000] {
            let refused = Insert::Ended(PacketOutcome::Skipped);
            if kind != FrameKind::Opus {
                assert_eq!(insert(&mut buffer, 9, kind, &vec![0x55; odd]), refused);
            }
        }
    }
}

#[test]
fn a_sequence_jump_or_a_jump_in_time_starts_the_stream_anew() {
    let mut bench = Bench::new();
    for n in 0..3 {
        bench.insert_at(n, u64::from(n) * 20 + 5);
        bench.step(false);
    }
    assert_eq!(bench.insert_raw(30_000, 3 * 960, 65 * MS, &[TOC, 9, 0]), Insert::Restarted);
    assert_eq!(bench.step(false), Got::Packet(9));
    assert_eq!(bench.insert_raw(30_001, 0x8000_0000, 85 * MS, &[TOC, 10, 0]), Insert::Restarted);
    assert_eq!(bench.step(false), Got::Packet(10));
}

#[test]
fn a_full_buffer_lets_the_oldest_go() {
    let mut bench = Bench::new();
    for n in 0..CAPACITY as u16 + 3 {
        bench.insert_at(n, 100);
    }
    assert_eq!(bench.buffer.counts().overflowed, 3);
    assert_eq!(bench.buffer.buffered(), CAPACITY);
}

#[test]
fn jitter_grows_the_delay_and_quiet_frames_give_it_back() {
    let mut bench = Bench::new();
    let mut concealed = 0;
    // Every tenth packet is 45 ms late.
    for n in 0..400_u64 {
        for sent in n.saturating_sub(3)..=n {
            let late = if sent % 10 == 9 { 45 } else { 2 };
            let arrives = sent * 20 + late;
            if arrives / 20 == n {
                bench.insert_at(sent as u16, arrives);
            }
        }
        concealed += usize::from(bench.step(false) == Got::Concealed);
    }
    // The first one could not be foreseen.
    assert!(bench.buffer.counts().late <= 1, "{:?}", bench.buffer.counts());
    assert!(concealed <= 4, "{concealed} gaps before the delay fitted");
    let due = MonoTime::from_millis((bench.tick + 1) * 20);
    assert!(bench.buffer.delay_ns(due) >= 40 * MS as i64);
    // A calm network and quiet speech: the delay goes back to a frame.
    for n in 400..1_000_u64 {
        bench.insert_at(n as u16, n * 20 + 2);
        bench.step(true);
    }
    let due = MonoTime::from_millis((bench.tick + 1) * 20);
    assert!(bench.buffer.delay_ns(due) < 45 * MS as i64, "{} ms", bench.buffer.delay_ns(due) / 1_000_000);
    assert_eq!(bench.buffer.counts().overflowed, 0);
}

#[test]
fn two_days_of_drifting_clocks_neither_starve_nor_swell() {
    for ppm in [-200_i64, 200] {
        let mut bench = Bench::new();
        let mut gaps = 0_u64;
        let mut next = 0_u64;
        let packets = 2 * 24 * 3_600 * 50;
        for tick in 0..packets {
            let now = (tick + 1) * 20 * MS;
            // The sender's frame lasts a little more or less than 20 ms of ours.
            while next * (20 * MS).checked_add_signed(ppm * 20).unwrap() + 3 * MS < now {
                let at = next * (20 * MS).checked_add_signed(ppm * 20).unwrap() + 3 * MS;
                bench.insert_raw(next as u16, (next as u32).wrapping_mul(960), at, &[TOC, 0, 0]);
                next += 1;
            }
            // Speech pauses for one second in ten.
            gaps += u64::from(matches!(bench.step(tick % 500 > 450), Got::Concealed | Got::Idle));
            if tick % 1_000 == 0 {
                let delay = bench.buffer.delay_ns(MonoTime::from_nanos(now));
                assert!(delay < 60 * MS as i64, "{delay} ns after {tick} ticks");
            }
        }
        let counts = bench.buffer.counts();
        assert_eq!((counts.late, counts.overflowed, counts.duplicate), (0, 0, 0));
        // One frame of drift per 100 s at 200 ppm: that many gaps or dropped quiet frames, and no more.
        let frames_of_drift = packets / 5_000;
        assert!(gaps <= frames_of_drift + 5 && counts.skipped <= frames_of_drift + 5, "{gaps} {counts:?}");
    }
}

#[test]
fn packets_of_other_durations_play_without_gaps() {
    for (toc, samples) in [(0x00_u8, 480_u32), (0x10, 1_920), (0x18, 2_880)] {
        let mut buffer = JitterBuffer::new();
        let (mut sent, mut filled, mut concealed) = (0_u32, 0_u64, 0);
        for tick in 1..500_u64 {
            while u64::from(sent) * u64::from(samples) * 1_000 / 48 + 5_000 < tick * 20_000 {
                let at = MonoTime::from_nanos((u64::from(sent) * u64::from(samples) * 1_000 / 48 + 5_000) * 1_000);
                let (seq, timestamp) = (SeqNo::new(sent as u16), RtpTimestamp::new(sent * samples));
                buffer.insert(&Arrival {
                    at,
                    seq,
                    timestamp,
                    payload: &[toc, 1, 1],
                    kind: FrameKind::Opus,
                    level: None,
                });
                sent += 1;
            }
            while filled < tick * 960 {
                match buffer.next(MonoTime::from_nanos(tick * 20 * MS), false) {
                    Step::Decode { .. } => filled += u64::from(samples),
                    Step::Conceal { samples, .. } => {
                        concealed += 1;
                        filled += u64::from(samples);
                    }
                    _ => filled += 960,
                }
            }
        }
        assert!(concealed <= 3, "{concealed} with packets of {samples}");
        assert_eq!(buffer.counts().late, 0);
    }
}

#[test]
fn too_much_delay_in_loud_speech_is_folded_away() {
    let mut bench = Bench::new();
    let mut next = 0_u16;
    let mut folds = 0;
    for tick in 0..800_u64 {
        // A stall of 200 ms at the start, then a clean network.
        while u64::from(next) * 20 + 2 <= tick * 20 + 10 && tick >= 10 {
            bench.insert_at(next, (u64::from(next) * 20 + 2).max(202));
            next += 1;
        }
        bench.tick = tick;
        let due = MonoTime::from_millis((tick + 1) * 20);
        while let Step::Decode { fold: true, .. } = bench.buffer.next(due, false) {
            folds += 1;
        }
    }
    // While the stall is remembered its delay is kept; after that it is folded away.
    assert!((5..=10).contains(&folds), "{folds} folds");
    assert!(bench.buffer.delay_ns(MonoTime::from_millis(801 * 20)) < 60 * MS as i64);
    assert_eq!(bench.buffer.counts().skipped, 0);
}

/// One thing that can happen to a buffer.
#[derive(Clone, Debug)]
enum Op {
    Insert { seq: u16, timestamp: u32, payload: Vec<u8>, quiet: bool },
    Next { quiet: bool },
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let payload = prop_oneof![
        8 => Just(vec![TOC, 1, 2, 3]),
        1 => Just(vec![TOC]),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    let near = (0_u16..200, payload.clone(), any::<bool>()).prop_map(|(n, payload, quiet)| Op::Insert {
        seq: n,
        timestamp: u32::from(n) * 960,
        payload,
        quiet,
    });
    let wild = (any::<u16>(), any::<u32>(), payload).prop_map(|(seq, timestamp, payload)| Op::Insert {
        seq,
        timestamp,
        payload,
        quiet: false,
    });
    prop_oneof![
        10 => near,
        1 => wild,
        10 => any::<bool>().prop_map(|quiet| Op::Next { quiet }),
        1 => Just(Op::Restart),
    ]
}

proptest! {
    #[test]
    fn every_packet_ends_exactly_once(ops in prop::collection::vec(op(), 0..400)) {
        let mut buffer = JitterBuffer::new();
        let mut now = 0;
        let mut decoded = 0;
        for op in ops {
            match op {
                Op::Insert { seq, timestamp, payload, quiet } => {
                    now += MS;
                    buffer.insert(&Arrival {
                        at: MonoTime::from_nanos(now),
                        seq: SeqNo::new(seq),
                        timestamp: RtpTimestamp::new(timestamp),
                        payload: &payload,
                        kind: FrameKind::Opus,
                        level: quiet.then_some(AudioLevel::SILENCE),
                    });
                }
                Op::Next { quiet } => {
                    now += 20 * MS;
                    if let Step::Decode { .. } = buffer.next(MonoTime::from_nanos(now), quiet) {
                        decoded += 1;
                    }
                }
                Op::Restart => buffer.restart(),
            }
            let counts = *buffer.counts();
            prop_assert_eq!(counts.ended() + buffer.buffered() as u64, counts.received);
            prop_assert_eq!(counts.played, decoded);
            prop_assert!(buffer.buffered() <= CAPACITY);
        }
        buffer.restart();
        prop_assert_eq!(buffer.counts().ended(), buffer.counts().received);
    }

    #[test]
    fn played_packets_are_in_order_and_none_plays_twice(
        order in Just((0_u16..120).collect::<Vec<_>>()).prop_shuffle(),
        keep in prop::collection::vec(prop::bool::weighted(0.8), 120),
    ) {
        // Shuffled within windows, as a network reorders: each packet is displaced by a few places.
        let mut order = order;
        for window in order.chunks_mut(120) {
            window.sort_by_key(|n| n / 6);
        }
        let mut bench = Bench::new();
        let mut played = Vec::new();
        for (n, kept) in order.into_iter().zip(keep) {
            if kept {
                bench.insert_at(n, (bench.tick * 20) + 10);
            }
            if let Got::Packet(n) = bench.step(false) {
                played.push(n);
            }
        }
        prop_assert!(played.windows(2).all(|pair| pair[0] < pair[1]), "{played:?}");
    }
}
