//! The jitter buffer under everything a network does, without a codec.

use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;
/// TOC of one 20 ms SILK frame, as the first byte of every payload here.
const TOC: u8 = 0x08;

/// What one tick got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    Nothing,
    Packet(u8),
    Copy(u8),
    Recovered,
    Concealed,
    Comfort,
    Idle,
}

/// A jitter buffer and the queue behind it, without samples: a stretch of sound is one of 5 ms.
struct Bench {
    buffer: JitterBuffer,
    tick: u64,
    queued: i64,
    stretches: u64,
}

impl Bench {
    fn new() -> Self {
        Self { buffer: JitterBuffer::new(), tick: 0, queued: 0, stretches: 0 }
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
        match self.buffer.next(due, 0, quiet) {
            Step::Decode { payload, copy: false, .. } => Got::Packet(payload[1]),
            Step::Decode { payload, .. } => Got::Copy(payload[1]),
            Step::Recover { .. } => Got::Recovered,
            Step::Conceal { .. } => Got::Concealed,
            Step::Comfort => Got::Comfort,
            Step::Idle => Got::Idle,
        }
    }

    /// One whole frame, as the feed makes it; what came of it at worst, and how late it is by then.
    fn frame(&mut self, quiet: bool) -> (Got, i64) {
        self.tick += 1;
        let now = MonoTime::from_millis(self.tick * 20);
        let mut got = self.fill(now, quiet);
        let before = self.queued;
        match self.buffer.wish(now, self.queued) {
            Wish::Shorter(wish) if quiet => self.queued -= wish.nanos.min(FRAME_NS),
            Wish::Shorter(wish) if wish.rested => self.queued -= if wish.nanos < 5_000_000 { 0 } else { 5_000_000 },
            Wish::Longer(wish) if quiet => self.queued += wish.nanos,
            Wish::Longer(wish) if wish.rested => self.queued += 5_000_000,
            _ => {}
        }
        if self.queued != before {
            self.buffer.was_stretched();
            self.stretches += 1;
        }
        let more = self.fill(now, quiet);
        got = if more == Got::Nothing { got } else { more };
        let delay = self.buffer.delay_ns(now, self.queued);
        self.queued -= FRAME_NS;
        (got, delay)
    }

    fn fill(&mut self, now: MonoTime, quiet: bool) -> Got {
        let mut got = Got::Nothing;
        while self.queued < FRAME_NS {
            let (next, span) = match self.buffer.next(now, self.queued, quiet) {
                Step::Decode { payload, kind, .. } => {
                    (Got::Packet(payload[1]), span_ns(kind.samples(payload).unwrap()))
                }
                Step::Recover { samples, .. } => (Got::Recovered, span_ns(samples)),
                Step::Conceal { samples, .. } => (Got::Concealed, span_ns(samples)),
                Step::Comfort => (Got::Comfort, FRAME_NS - self.queued),
                Step::Idle => (Got::Idle, FRAME_NS - self.queued),
            };
            self.queued += span;
            got = next;
        }
        got
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
        match buffer.next(MonoTime::from_millis(u64::from(seq) * 20 + 10), 0, false) {
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
    for (seq, timestamp, n) in [(30_000, 3 * 960, 9), (30_001, 0x8000_0000, 10)] {
        let at = bench.tick * 20 + 5;
        assert_eq!(bench.insert_raw(seq, timestamp, at * MS, &[TOC, n, 0]), Insert::Restarted);
        let now = MonoTime::from_millis(at + 15);
        // What played ends in 5 ms, and what comes rises: neither was the end or the beginning of anything.
        match bench.buffer.next(now, 0, false) {
            Step::Conceal { samples: 240, gain, .. } => assert_eq!(gain, (1.0, 0.0)),
            step => panic!("{step:?}"),
        }
        match bench.buffer.next(now, 5_000_000, false) {
            Step::Decode { payload, gain, .. } => assert_eq!((payload[1], gain), (n, 0.0)),
            step => panic!("{step:?}"),
        }
        bench.tick += 1;
    }
}

#[test]
fn a_new_stream_after_silence_begins_at_full_level() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    assert_eq!(bench.step(false), Got::Packet(0));
    assert_eq!(bench.steps(8)[6..], [Got::Idle, Got::Idle]);
    assert_eq!(bench.insert_raw(30_000, 7, 185 * MS, &[TOC, 9, 0]), Insert::Restarted);
    match bench.buffer.next(MonoTime::from_millis(200), 0, false) {
        Step::Decode { gain, .. } => assert_eq!(gain, 1.0),
        step => panic!("{step:?}"),
    }
}

#[test]
fn what_comes_late_after_concealment_has_run_out_rises_from_silence() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    assert_eq!(bench.step(false), Got::Packet(0));
    assert_eq!(bench.steps(8)[5..], [Got::Concealed, Got::Idle, Got::Idle]);
    for n in 1..9 {
        bench.insert_at(n, 185);
    }
    match bench.buffer.next(MonoTime::from_millis(200), 0, false) {
        Step::Decode { payload, gain, .. } => assert_eq!((payload[1], gain), (1, 0.0)),
        step => panic!("{step:?}"),
    }
    match bench.buffer.next(MonoTime::from_millis(220), 0, false) {
        Step::Decode { gain, .. } => assert_eq!(gain, 1.0),
        step => panic!("{step:?}"),
    }
}

#[test]
fn what_fec_repairs_goes_on_from_where_concealment_has_faded_to() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    assert_eq!(bench.step(false), Got::Packet(0));
    assert_eq!(bench.steps(5), [Got::Concealed; 5]);
    // The sixth lost packet rides with the seventh; the five before it are where concealment was.
    bench.insert_raw(7, 7 * 960, 135 * MS, &[TOC, 0x40, 7, 7]);
    match bench.buffer.next(MonoTime::from_millis(140), 0, false) {
        Step::Recover { samples: 960, gain, .. } => assert!((gain - 1.0 / 3.0).abs() < 1e-6, "{gain}"),
        step => panic!("{step:?}"),
    }
    match bench.buffer.next(MonoTime::from_millis(160), 0, false) {
        Step::Decode { gain, .. } => assert_eq!(gain, 1.0),
        step => panic!("{step:?}"),
    }
}

#[test]
fn sound_thrown_away_to_catch_up_leaves_an_end_that_fades_and_a_beginning_that_rises() {
    let mut bench = Bench::new();
    for n in 0..25 {
        bench.insert_at(n, u64::from(n) * 20 + 5);
    }
    // 500 ms late: hopeless, so the oldest go before anything is heard.
    bench.tick = 25;
    assert_eq!(bench.step(false), Got::Packet(11));
    assert_eq!(bench.buffer.counts().skipped, 11);
    // A second later it plays still, with nothing new: the clock says it is out of all bounds again.
    match bench.buffer.next(MonoTime::from_millis(1_540), 0, false) {
        Step::Conceal { samples: 240, gain, .. } => assert_eq!(gain, (1.0, 0.0)),
        step => panic!("{step:?}"),
    }
    match bench.buffer.next(MonoTime::from_millis(1_540), 5_000_000, false) {
        Step::Decode { gain, .. } => assert_eq!(gain, 0.0),
        step => panic!("{step:?}"),
    }
}

#[test]
fn silence_by_the_word_of_a_sender_is_dropped_only_while_he_is_believed() {
    for (believed, dropped) in [(true, 5), (false, 0)] {
        let mut bench = Bench::new();
        bench.buffer.believe(believed);
        for n in 0..6_u16 {
            bench.buffer.insert(&Arrival {
                at: MonoTime::from_millis(u64::from(n) * 20 + 5),
                seq: SeqNo::new(n),
                timestamp: RtpTimestamp::new(u32::from(n) * 960),
                payload: &[TOC, n as u8, 0, 0],
                kind: FrameKind::Opus,
                level: Some(AudioLevel::SILENCE),
            });
        }
        bench.tick = 5;
        assert_eq!(bench.step(false), Got::Packet(dropped));
        assert_eq!(bench.buffer.counts().skipped, u64::from(dropped));
    }
}

#[test]
fn an_old_number_with_a_wild_timestamp_teaches_nothing() {
    for wild in [3_600_000_i32 * 48, -3_600_000 * 48] {
        let mut bench = Bench::new();
        for n in 0..50_u16 {
            if n != 20 {
                bench.insert_at(n, u64::from(n) * 20 + 5);
            }
            if n == 22 {
                let timestamp = (20_i32 * 960).wrapping_add(wild) as u32;
                let stray = bench.insert_raw(20, timestamp, u64::from(n) * 20 + 6, &[TOC, 20, 0, 0]);
                assert_eq!(stray, Insert::Ended(PacketOutcome::Skipped));
            }
            let expected = if n == 20 { Got::Concealed } else { Got::Packet(n as u8) };
            assert_eq!(bench.step(false), expected);
        }
        let last = bench.buffer.delay_ns(MonoTime::from_millis(1_000), FRAME_NS);
        assert!(last < 40 * MS as i64, "{last} ns");
    }
}

#[test]
fn a_number_too_old_to_be_known_is_late() {
    let mut bench = Bench::new();
    // Packets of 2.5 ms, of which 128 went elsewhere.
    let payload = [0x80, 1, 2, 3];
    assert_eq!(bench.insert_raw(0, 0, 5 * MS, &payload), Insert::Buffered);
    assert_eq!(bench.insert_raw(129, 129 * 120, 328 * MS, &payload), Insert::Buffered);
    assert_eq!(bench.insert_raw(0, 0, 329 * MS, &payload), Insert::Ended(PacketOutcome::Late));
    assert_eq!(bench.buffer.buffered(), 2);
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
fn reordered_packets_play_in_order_and_all_of_them() {
    let mut bench = Bench::new();
    for n in [0, 2, 1, 4, 3] {
        bench.insert_at(n, 5);
    }
    assert_eq!(bench.steps(5), packets(0..5));
    assert_eq!(bench.buffer.counts().late, 0);
}

#[test]
fn what_stops_in_mid_word_is_concealed_for_six_frames_and_faded_over_the_last_three() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    assert_eq!(bench.step(false), Got::Packet(0));
    let mut gains = Vec::new();
    for tick in 2..8 {
        match bench.buffer.next(MonoTime::from_millis(tick * 20), 0, false) {
            Step::Conceal { samples: 960, gain, .. } => gains.push(gain),
            step => panic!("{step:?}"),
        }
    }
    let third = 1.0 / 3.0;
    let expected = [(1.0, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 2.0 * third), (2.0 * third, third), (third, 0.0)];
    for ((from, to), (wanted_from, wanted_to)) in gains.into_iter().zip(expected) {
        assert!((from - wanted_from).abs() < 1e-6 && (to - wanted_to).abs() < 1e-6);
    }
    bench.tick = 7;
    assert_eq!(bench.steps(3), [Got::Idle; 3]);
    assert!(bench.buffer.is_idle());
    // It comes back with its clock still running, in the middle of something.
    bench.insert_at(30, 605);
    match bench.buffer.next(MonoTime::from_millis(620), 0, false) {
        Step::Decode { gain, payload, .. } => assert_eq!((payload[1], gain), (30, 0.0)),
        step => panic!("{step:?}"),
    }
}

#[test]
fn a_pause_in_near_silence_costs_two_concealed_frames_of_which_the_second_fades() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    assert_eq!(bench.step(false), Got::Packet(0));
    for (at, to) in [(40, 1.0), (60, 0.0)] {
        match bench.buffer.next(MonoTime::from_millis(at), 0, true) {
            Step::Conceal { samples: 960, gain, .. } => assert_eq!(gain, (1.0, to)),
            step => panic!("{step:?}"),
        }
    }
    bench.tick = 3;
    assert_eq!(bench.steps(5), [Got::Comfort; 5]);
    // The next number after a pause begins a word: nothing was lost.
    bench.insert_raw(1, 20 * 960, 405 * MS, &[TOC, 1, 0]);
    bench.tick = 20;
    match bench.buffer.next(MonoTime::from_millis(420), 0, true) {
        Step::Decode { gain, .. } => assert_eq!(gain, 1.0),
        step => panic!("{step:?}"),
    }
}

#[test]
fn on_a_line_that_loses_packets_near_silence_is_concealed_like_anything_else() {
    let mut bench = Bench::new();
    for n in [0, 2] {
        bench.insert_at(n, u64::from(n) * 20 + 5);
    }
    for _ in 0..3 {
        bench.step(false);
    }
    // Twice as long at full level as where packets are not lost.
    for at in [80, 100, 120, 140, 160, 180] {
        let step = bench.buffer.next(MonoTime::from_millis(at), 0, true);
        assert!(matches!(step, Step::Conceal { gain: (1.0, 1.0), .. }), "{at} ms: {step:?}");
    }
}

#[test]
fn a_pause_costs_no_more_than_the_rest_of_a_frame() {
    let mut bench = Bench::new();
    bench.insert_at(0, 5);
    bench.step(false);
    match bench.buffer.next(MonoTime::from_millis(40), 7_000_000, false) {
        // 13 ms are missing; concealment comes in 2.5 ms.
        Step::Conceal { samples, .. } => assert_eq!(samples, 720),
        step => panic!("{step:?}"),
    }
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
    for n in 6..9 {
        bench.insert_at(n, u64::from(n) * 20 + 5);
    }
    bench.tick = 6;
    assert_eq!(bench.steps(3), [Got::Concealed, Got::Concealed, Got::Packet(6)]);
    assert_eq!(bench.insert_at(4, 170), Insert::Ended(PacketOutcome::Late));
    assert_eq!(bench.buffer.counts().duplicate, 2);
    assert_eq!(bench.buffer.counts().late, 1);
}

#[test]
fn a_copy_fills_the_hole_of_its_packet_and_is_no_packet() {
    let mut bench = Bench::new();
    for n in 0..10_u16 {
        if n != 4 && n != 7 {
            bench.insert_at(n, u64::from(n) * 20 + 5);
        }
        if n > 0 {
            let at = MonoTime::from_millis(u64::from(n) * 20 + 5);
            let (seq, timestamp) = (SeqNo::new(n - 1), RtpTimestamp::new(u32::from(n - 1) * 960));
            bench.buffer.insert_redundant(seq, timestamp, &[TOC, 100 + n as u8, 0], at);
        }
    }
    bench.tick = 10;
    let got = bench.steps(10);
    let expected = [0, 1, 2, 3, 104, 5, 6, 107, 8, 9];
    for (got, expected) in got.into_iter().zip(expected) {
        assert_eq!(got, if expected < 100 { Got::Packet(expected) } else { Got::Copy(expected + 1) });
    }
    // The packets themselves come too late to be of use, and end once.
    assert_eq!(bench.insert_at(4, 600), Insert::Ended(PacketOutcome::Duplicate));
    let counts = *bench.buffer.counts();
    assert_eq!((counts.received, counts.played, counts.duplicate), (9, 8, 1));
}

#[test]
fn numbers_of_other_packets_are_no_holes() {
    let mut bench = Bench::new();
    for n in 0..3 {
        bench.insert_at(n, u64::from(n) * 20 + 5);
        bench.step(false);
    }
    for n in 3..40 {
        bench.buffer.note_seq(SeqNo::new(n));
    }
    assert_eq!(bench.steps(3), [Got::Concealed, Got::Comfort, Got::Comfort], "it says itself that nothing comes");
    bench.insert_at(40, 805);
    bench.insert_at(41, 825);
    bench.tick = 40;
    match bench.buffer.next(MonoTime::from_millis(820), 0, false) {
        Step::Decode { gain, .. } => assert_eq!(gain, 1.0, "and nothing was lost"),
        step => panic!("{step:?}"),
    }
}

#[test]
fn jitter_grows_the_delay_without_gaps_and_calm_gives_it_back() {
    let mut bench = Bench::new();
    let mut gaps = Vec::new();
    // Every tenth packet is 45 ms late, for 20 s; then none is.
    let late = |n: u64| if n % 10 == 9 && n < 1_000 { 45 } else { 2 };
    let (mut most, mut last) = (0, 0);
    for n in 0..2_000_u64 {
        for sent in n.saturating_sub(3)..=n {
            let arrives = sent * 20 + late(sent);
            if arrives / 20 == n {
                bench.insert_at(sent as u16, arrives);
            }
        }
        let (got, delay) = bench.frame(false);
        if got == Got::Concealed {
            gaps.push(n);
        }
        (most, last) = (most.max(delay), delay);
    }
    // The first one could not be foreseen.
    assert!(gaps.len() <= 3 && gaps.iter().all(|n| *n < 40), "gaps at {gaps:?}");
    assert!((45 * MS as i64..90 * MS as i64).contains(&most), "{most} ns at most");
    assert!(last < 25 * MS as i64, "{last} ns at the end");
    let counts = bench.buffer.counts();
    assert!(counts.late <= 1 && counts.skipped == 0 && counts.overflowed == 0, "{counts:?}");
}

#[test]
fn a_day_of_drifting_clocks_needs_stretches_and_nothing_else() {
    for ppm in [-200_i64, 200, 1_000] {
        let mut bench = Bench::new();
        let frame = (20 * MS).checked_add_signed(ppm * 20).unwrap();
        let (mut next, mut gaps, mut most) = (0_u64, 0, 0);
        let ticks = 24 * 3_600 * 50;
        for tick in 0..ticks {
            let now = (tick + 1) * 20 * MS;
            loop {
                // Half a millisecond of jitter.
                let at = next * frame + 3 * MS + next * 7_919 % 500_000;
                if at > now {
                    break;
                }
                bench.insert_raw(next as u16, (next as u32).wrapping_mul(960), at, &[TOC, 0, 0]);
                next += 1;
            }
            // Speech pauses for a second in ten.
            let (got, delay) = bench.frame(tick % 500 > 450);
            gaps += u64::from(!matches!(got, Got::Packet(_) | Got::Nothing));
            most = most.max(delay);
        }
        let counts = bench.buffer.counts();
        assert_eq!((counts.late, counts.overflowed, counts.duplicate, counts.skipped), (0, 0, 0, 0));
        assert_eq!(gaps, 0, "at {ppm} ppm");
        assert!(most < 35 * MS as i64, "{most} ns at {ppm} ppm");
        assert!(bench.buffer.buffered() <= 2);
        let drifted = ticks * ppm.unsigned_abs() / 1_000_000;
        assert!((drifted / 2..drifted * 8).contains(&bench.stretches), "{} for {drifted} frames", bench.stretches);
    }
}

#[test]
fn packets_of_other_durations_play_without_gaps() {
    for (toc, samples) in [(0x00_u8, 480_u32), (0x10, 1_920), (0x18, 2_880)] {
        let mut bench = Bench::new();
        let (mut sent, mut gaps) = (0_u32, 0);
        for tick in 0..1_000_u64 {
            while u64::from(sent) * u64::from(samples) * 1_000 / 48 + 5_000 < (tick + 1) * 20_000 {
                let at = (u64::from(sent) * u64::from(samples) * 1_000 / 48 + 5_000) * 1_000;
                bench.insert_raw(sent as u16, sent * samples, at, &[toc, 1, 1]);
                sent += 1;
            }
            let (got, delay) = bench.frame(false);
            gaps += usize::from(!matches!(got, Got::Packet(_) | Got::Nothing) && tick > 5);
            assert!(delay < 100 * MS as i64);
        }
        assert_eq!(gaps, 0, "with packets of {samples}");
        assert_eq!(bench.buffer.counts().late, 0);
    }
}

#[test]
fn short_packets_on_a_line_that_stalls_are_heard_for_all_the_little_that_can_be_kept() {
    for (toc, ms, stall) in [(0x00_u64, 10, 330), (0x88, 5, 150), (0x80, 2, 70)] {
        // Four 2.5 ms packets are 10 ms.
        let samples = if ms == 2 { 120 } else { ms * 48 };
        let us = samples * 1_000 / 48;
        let mut bench = Bench::new();
        let (mut sent, mut idle) = (0_u64, 0);
        for tick in 0..1_500_u64 {
            loop {
                // Every two seconds the line holds everything back for a while.
                let due = sent * us + 3_000;
                let into = due % 2_000_000;
                let at = if into < stall * 1_000 { due - into + stall * 1_000 } else { due };
                if at >= (tick + 1) * 20_000 {
                    break;
                }
                bench.insert_raw(sent as u16, (sent * samples) as u32, at * 1_000, &[toc as u8, 1, 1]);
                sent += 1;
            }
            let (got, _) = bench.frame(false);
            idle += u64::from(tick > 100 && got == Got::Idle);
        }
        let counts = *bench.buffer.counts();
        assert!(counts.overflowed * 20 < counts.received, "{counts:?} with packets of {us} us");
        assert!(counts.played * 100 > counts.received * 94, "{counts:?} with packets of {us} us");
        assert!(idle < 100, "{idle} frames of silence with packets of {us} us");
    }
}

#[test]
fn the_delay_of_a_stall_is_given_back_without_a_gap() {
    let mut bench = Bench::new();
    let (mut next, mut gaps, mut back) = (0_u64, Vec::new(), 0);
    for tick in 0..1_200_u64 {
        // A stall of 100 ms after ten seconds, its packets all at once.
        while next * 20 + 2 <= tick * 20 + 15 {
            let stalled = (500..505).contains(&next);
            let at = if stalled { 505 * 20 + 2 } else { next * 20 + 2 };
            if at > tick * 20 + 15 {
                break;
            }
            bench.insert_at(next as u16, at);
            next += 1;
        }
        let (got, delay) = bench.frame(false);
        if got == Got::Concealed {
            gaps.push(tick);
        }
        if delay > 25 * MS as i64 {
            back = tick;
        }
    }
    assert!(gaps.len() <= 5 && gaps.iter().all(|tick| (499..506).contains(tick)), "{gaps:?}");
    assert!((510..800).contains(&back), "the last frame too late was {back}");
    assert_eq!(bench.buffer.counts().skipped, 0);
}

/// One thing that can happen to a buffer.
#[derive(Clone, Debug)]
enum Op {
    Insert { seq: u16, timestamp: u32, payload: Vec<u8>, quiet: bool },
    Copy { seq: u16 },
    Note { seq: u16 },
    Next { quiet: bool, ahead: u8 },
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
        2 => (0_u16..200).prop_map(|seq| Op::Copy { seq }),
        1 => (0_u16..200).prop_map(|seq| Op::Note { seq }),
        10 => (any::<bool>(), 0_u8..200).prop_map(|(quiet, ahead)| Op::Next { quiet, ahead }),
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
                Op::Next { quiet, ahead } => {
                    now += 20 * MS;
                    let (at, ahead) = (MonoTime::from_nanos(now), i64::from(ahead) * 100_000);
                    if let Step::Decode { copy, .. } = buffer.next(at, ahead, quiet) {
                        decoded += u64::from(!copy);
                    }
                    buffer.wish(at, ahead + FRAME_NS);
                }
                Op::Copy { seq } => {
                    let timestamp = RtpTimestamp::new(u32::from(seq) * 960);
                    buffer.insert_redundant(SeqNo::new(seq), timestamp, &[TOC, 5, 5], MonoTime::from_nanos(now));
                }
                Op::Note { seq } => buffer.note_seq(SeqNo::new(seq)),
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
