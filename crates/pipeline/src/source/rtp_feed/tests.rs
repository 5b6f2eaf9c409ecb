//! One feed under a network, with the codec in it where sound matters and skipped where only time does.

use antiphon_codec::{CodecRate, Encoder, EncoderConfig};
use antiphon_rtp::AudioLevel;

use super::super::skip::Hearing;
use super::*;

const MS: u64 = 1_000_000;
const FRAME: usize = 320;

/// A feed and its sender, 20 ms packets.
struct Line {
    feed: RtpFeed,
    encoder: Encoder,
    phase: f32,
    frame: Vec<f32>,
    heard: Vec<f32>,
}

impl Line {
    fn new() -> Self {
        let config = ConversationConfig { rate: BusRate::Hz16000, ..ConversationConfig::default() };
        let settings = EncoderConfig {
            complexity: 0,
            bitrate: 32_000,
            fec: true,
            expected_loss: 20,
            ..EncoderConfig::speech(CodecRate::Hz16000)
        };
        Self {
            feed: RtpFeed::new(&config).unwrap(),
            encoder: Encoder::new(&settings).unwrap(),
            phase: 0.0,
            frame: vec![0.0; FRAME],
            heard: Vec::new(),
        }
    }

    fn insert(&mut self, n: u64, at: u64, payload: &[u8]) {
        self.feed.insert(&Arrival {
            at: MonoTime::from_nanos(at),
            seq: SeqNo::new(n as u16),
            timestamp: RtpTimestamp::new((n as u32).wrapping_mul(960)),
            payload,
            kind: FrameKind::Opus,
            level: None,
        });
    }

    /// The next 20 ms of a voice in syllables, coded.
    fn speak(&mut self, n: u64, loud: f32) -> Vec<u8> {
        self.voice(if (n / 4).is_multiple_of(2) { loud } else { loud / 6.0 })
    }

    /// The next 20 ms of a vowel that does not end, coded.
    fn hum(&mut self) -> Vec<u8> {
        self.voice(0.2)
    }

    fn voice(&mut self, loud: f32) -> Vec<u8> {
        let mut pcm = [0.0; FRAME];
        for sample in &mut pcm {
            *sample = loud * self.phase.sin() + loud / 3.0 * (self.phase * 3.0).sin();
            self.phase = (self.phase + 180.0 * std::f32::consts::TAU / 16_000.0) % std::f32::consts::TAU;
        }
        let mut payload = [0; 1_275];
        let len = self.encoder.encode(&pcm, &mut payload).unwrap();
        payload[..len].to_vec()
    }

    fn produce(&mut self, now: u64, hearing: Hearing) -> FrameOutcome {
        let need = Need { hearing, quiet_from: AudioLevel::new(60), loud: 1e-6 };
        let quiet = hearing == Hearing::Unheard || mean_square(&self.frame) < 1e-5;
        let (outcome, _) = self.feed.produce(MonoTime::from_nanos(now), need, quiet, &mut self.frame);
        if outcome <= FrameOutcome::Comfort {
            self.frame.fill(0.0);
        }
        self.heard.extend_from_slice(&self.frame);
        outcome
    }
}

#[test]
fn a_day_of_drift_changes_the_delay_by_stretch_alone() {
    // Nobody hears it, so nothing is decoded: what is left is the feed itself.
    for ppm in [-200_i64, 200] {
        let mut line = Line::new();
        let frame = (20 * MS).checked_add_signed(ppm * 20).unwrap();
        let (mut next, mut before, mut most) = (0, 0, 0);
        let ticks = 24 * 3_600 * 50_u64;
        for tick in 1..=ticks {
            let now = tick * 20 * MS;
            loop {
                let at = next * frame + 3 * MS + next * 7_919 % 500_000;
                if at > now {
                    break;
                }
                line.insert(next, at, &[0x08, 0, 0]);
                next += 1;
            }
            line.produce(now, Hearing::Unheard);
            line.heard.clear();
            let (_, delay) = line.feed.delays_ns(MonoTime::from_nanos(now + 20 * MS));
            // Delay that comes without a stretch is an underrun.
            let grown = delay - before > MS as i64 && tick > 1;
            assert!(
                !grown || line.feed.stretched() == Stretched::Longer,
                "tick {tick} at {ppm} ppm: {before} to {delay}"
            );
            (before, most) = (delay, most.max(delay));
        }
        assert!(most < 35 * MS as i64, "{most} ns at {ppm} ppm");
        let packets = line.feed.packets();
        assert_eq!((packets.late, packets.overflowed, packets.duplicate), (0, 0, 0));
        assert!(packets.received - packets.ended() <= 2);
        let stretches = line.feed.stretches();
        let (with, against) =
            if ppm > 0 { (stretches.longer, stretches.shorter) } else { (stretches.shorter, stretches.longer) };
        assert!((400..20_000).contains(&with), "{stretches:?} at {ppm} ppm");
        assert!(against <= with * 2, "{stretches:?} at {ppm} ppm");
    }
}

#[test]
fn fec_is_waited_for_while_it_repairs_losses_and_no_longer() {
    let mut line = Line::new();
    let mut counts = [0_usize; FrameOutcome::COUNT];
    let (mut lost, mut repairable) = (0, 0);
    let mut delays = [0; 3];
    for n in 0..2_000_u64 {
        // One in 17 is lost in the first 20 s.
        let payload = line.speak(n, 0.2);
        if (150..1_000).contains(&n) {
            lost += usize::from(n % 17 == 5);
            repairable += usize::from(n % 17 == 6 && antiphon_codec::PacketInfo::has_fec(&payload));
        }
        if n >= 1_000 || n % 17 != 5 {
            line.insert(n, n * 20 * MS + 5 * MS, &payload);
        }
        let outcome = line.produce((n + 1) * 20 * MS, Hearing::Open);
        match n {
            0..150 => {}
            150..1_000 => counts[outcome as usize] += 1,
            _ => assert!(n < 1_010 || outcome == FrameOutcome::Decoded, "{outcome:?} at {n}"),
        }
        delays[(n / 990) as usize] = line.feed.delays_ns(MonoTime::from_nanos((n + 2) * 20 * MS)).1;
    }
    let (recovered, concealed) = (counts[FrameOutcome::Recovered as usize], counts[FrameOutcome::Concealed as usize]);
    assert!(lost == 50 && repairable >= 20, "{lost} lost, {repairable} of them repairable");
    assert!(recovered + 2 >= repairable, "{recovered} of {repairable} recovered");
    assert!(concealed <= lost - repairable + 2, "{concealed} concealed of {lost} lost, {recovered} recovered");
    assert!(delays[0] > 30 * MS as i64, "{delays:?}");
    assert!(delays[2] < 20 * MS as i64, "{delays:?}");
}

#[test]
fn a_voice_that_stops_in_mid_word_fades_to_silence_and_one_that_hushes_costs_two_frames_at_most() {
    for (loud, frames) in [(0.3, 6), (0.002, 2)] {
        let mut line = Line::new();
        for n in 0..60 {
            let payload = line.speak(n, loud);
            line.insert(n, n * 20 * MS + 5 * MS, &payload);
            line.produce((n + 1) * 20 * MS, Hearing::Open);
        }
        let stop = line.heard.len();
        let outcomes: Vec<_> = (60..80).map(|n| line.produce((n + 1) * 20 * MS, Hearing::Open)).collect();
        let concealed = outcomes.iter().take_while(|outcome| **outcome == FrameOutcome::Concealed).count();
        assert!(concealed <= frames && concealed >= 1, "{outcomes:?}");
        assert!(outcomes[concealed..].iter().all(|outcome| *outcome <= FrameOutcome::Comfort), "{outcomes:?}");
        let tail = &line.heard[stop..];
        let end = concealed * FRAME;
        assert!(tail[end - 4..end].iter().all(|sample| sample.abs() < 0.01 * loud), "{:?}", &tail[end - 4..end]);
        assert!(tail[end..].iter().all(|sample| *sample == 0.0));
        let step = |part: &[f32]| part.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step(tail) <= 1.2 * step(&line.heard[..stop]));
    }
}

#[test]
fn what_comes_after_a_stall_is_played_whole_and_the_delay_is_stretched_away() {
    let mut line = Line::new();
    let mut arrivals = Vec::new();
    let mut outcomes = Vec::new();
    for n in 0..1_000_u64 {
        let payload = line.speak(n, 0.2);
        let at = if (400..405).contains(&n) { 405 * 20 + 5 } else { n * 20 + 5 };
        arrivals.push((at * MS, n, payload));
        let now = (n + 1) * 20 * MS;
        arrivals.sort_by_key(|(at, n, _)| (*at, *n));
        while arrivals.first().is_some_and(|(at, ..)| *at <= now) {
            let (at, n, payload) = arrivals.remove(0);
            line.insert(n, at, &payload);
        }
        outcomes.push(line.produce(now, Hearing::Open));
    }
    let made_up: Vec<_> = (0..outcomes.len()).filter(|at| outcomes[*at] != FrameOutcome::Decoded).collect();
    assert!(made_up.iter().all(|at| (400..406).contains(at)), "{made_up:?}");
    let packets = line.feed.packets();
    assert_eq!((packets.played, packets.late, packets.skipped), (1_000, 0, 0));
    let (_, delay) = line.feed.delays_ns(MonoTime::from_nanos(1_001 * 20 * MS));
    assert!(delay < 20 * MS as i64, "{delay} ns ten seconds later");
    assert!(line.feed.stretches().shorter >= 5);
}

/// How sharply a wave bends at its sharpest.
fn bend(wave: &[f32]) -> f32 {
    wave.windows(3).map(|part| (part[2] - 2.0 * part[1] + part[0]).abs()).fold(0.0, f32::max)
}

/// What cuts a voice off.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    /// Packets come 200 ms late, all at once.
    Stall,
    /// The same, and so late that not all can be kept.
    LongStall,
    /// The sender goes on in another stream.
    NewStream,
    /// The same, told by numbers alone.
    Jump,
    /// Two thirds of a second come at once.
    Flood,
}

#[test]
fn a_voice_cut_off_in_mid_word_ends_and_comes_back_without_a_step() {
    const AT: u64 = 103;
    for cut in [Cut::Stall, Cut::LongStall, Cut::NewStream, Cut::Jump, Cut::Flood] {
        // At several points of the wave: a step is smaller at some.
        for start in 0..5 {
            let mut line = Line::new();
            line.phase = start as f32 * 0.3;
            let mut waiting = Vec::new();
            let mut next = 0;
            for n in 0..200 {
                let now = (n + 1) * 20 * MS;
                let wanted = if cut == Cut::Flood && n >= AT { n + 35 } else { n };
                while next <= wanted {
                    waiting.push((next, line.hum()));
                    next += 1;
                }
                if cut == Cut::NewStream && n == AT {
                    line.feed.restart();
                }
                let stalled = match cut {
                    Cut::Stall => 10,
                    Cut::LongStall => 40,
                    _ => 0,
                };
                if !(AT..AT + stalled).contains(&n) {
                    for (n, payload) in waiting.drain(..) {
                        line.insert(if cut == Cut::Jump && n >= AT { n + 10_000 } else { n }, now - 15 * MS, &payload);
                    }
                }
                line.produce(now, Hearing::Open);
            }
            let usual = bend(&line.heard[50 * FRAME..102 * FRAME]);
            let worst = bend(&line.heard[102 * FRAME..]);
            assert!(worst < 2.0 * usual, "{worst} at a {cut:?} where {usual} is usual");
            let before = mean_square(&line.heard[50 * FRAME..100 * FRAME]);
            let after = mean_square(&line.heard[150 * FRAME..]);
            assert!(after > 0.8 * before, "{after} after a {cut:?}, {before} before");
        }
    }
}
