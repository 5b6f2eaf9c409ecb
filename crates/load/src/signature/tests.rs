//! Signatures with the real codec in the loop: talker → Opus → mix → Opus → ear, with loss and playout slips on both legs.

use super::*;
use crate::pattern::mix;
use crate::speech::{SpeechLoop, SpeechRate, Voice};
use antiphon_codec::{Channels, Decoder, Encoder, EncoderConfig};

/// Uniform draws from a seed.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(1);
        (mix(self.0) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() * n as f64) as usize
    }
}

/// What a leg does to frames.
#[derive(Clone, Copy)]
struct Leg {
    rate: SpeechRate,
    loss: f64,
    /// Chance per frame that playout repeats (conceals) or leaves out a frame, as a jitter buffer does when it moves.
    slip: f64,
    fec: bool,
}

impl Leg {
    fn carry(self, frames: &[Vec<f32>], draw: &mut Draw) -> Vec<Vec<f32>> {
        let config = EncoderConfig {
            fec: self.fec,
            expected_loss: if self.fec { 10 } else { 0 },
            ..EncoderConfig::speech(self.rate.codec_rate())
        };
        let mut encoder = Encoder::new(&config).unwrap();
        let packets: Vec<Option<Vec<u8>>> = frames
            .iter()
            .map(|frame| {
                let mut out = [0; 1_275];
                let n = encoder.encode(frame, &mut out).unwrap();
                (draw.next() >= self.loss).then(|| out[..n].to_vec())
            })
            .collect();
        let mut decoder = Decoder::new(self.rate.codec_rate(), Channels::Mono).unwrap();
        let mut played = vec![];
        for (n, packet) in packets.iter().enumerate() {
            let mut pcm = vec![0.0; self.rate.frame()];
            match (packet, packets.get(n + 1).and_then(Option::as_ref)) {
                (Some(packet), _) => decoder.decode(packet, &mut pcm),
                (None, Some(next)) if self.fec => decoder.decode_fec(next, &mut pcm),
                (None, _) => decoder.conceal(&mut pcm),
            }
            .unwrap();
            if draw.next() < self.slip {
                continue;
            }
            played.push(pcm);
            if draw.next() < self.slip {
                let mut pcm = vec![0.0; self.rate.frame()];
                decoder.conceal(&mut pcm).unwrap();
                played.push(pcm);
            }
        }
        played
    }
}

struct Talker {
    voice: usize,
    start: usize,
    signature: Option<Signature>,
}

fn spoken(talker: &Talker, rate: SpeechRate, frames: usize) -> Vec<Vec<f32>> {
    let mut speech = SpeechLoop::new(Voice::nth(talker.voice), rate, talker.start);
    let mut marker = talker.signature.map(|s| Marker::new(s, rate.sample_rate()));
    (0..frames)
        .map(|_| {
            let mut frame = vec![0.0; rate.frame()];
            let speaking = speech.next_frame(&mut frame);
            if let Some(marker) = &mut marker {
                marker.mark(&mut frame, speaking);
            }
            frame
        })
        .collect()
}

/// Everybody's speech over `leg`, mixed, limited, and over `leg` again to one ear.
fn heard(talkers: &[Talker], leg: Leg, frames: usize, draw: &mut Draw) -> Vec<f32> {
    let mut mix = vec![vec![0.0f32; leg.rate.frame()]; frames];
    for talker in talkers {
        for (sum, frame) in mix.iter_mut().zip(leg.carry(&spoken(talker, leg.rate, frames), draw)) {
            for (a, b) in sum.iter_mut().zip(frame) {
                *a += b;
            }
        }
    }
    for frame in &mut mix {
        let peak = frame.iter().fold(0.0f32, |m, s| m.max(s.abs()));
        if peak > 0.9 {
            frame.iter_mut().for_each(|s| *s *= 0.9 / peak);
        }
    }
    leg.carry(&mix, draw).concat()
}

/// A random room: `n` talkers with random voices, starts and distinct signatures.
fn room(n: usize, draw: &mut Draw) -> Vec<Talker> {
    // An odd stride visits every signature once.
    let (first, stride) = (draw.below(64), 2 * draw.below(32) + 1);
    (0..n)
        .map(|i| Talker {
            voice: draw.below(8),
            start: draw.below(300),
            signature: Signature::new((first + i * stride) % Signature::COUNT),
        })
        .collect()
}

/// Every one of the 64 verdicts must be what the room says.
fn assert_verdicts(talkers: &[Talker], leg: Leg, frames: usize, draw: &mut Draw, what: &str) {
    let pcm = heard(talkers, leg, frames, draw);
    let detector = Detector::new(&pcm, leg.rate);
    for signature in Signature::all() {
        let expected = talkers.iter().any(|t| t.signature == Some(signature));
        let found = detector.detect(signature);
        assert_eq!(found.is_present(), expected, "{what}: {found:?}");
        let judged = detector.judge(signature);
        let verdict = if expected { Verdict::Heard } else { Verdict::NotHeard };
        assert_eq!(judged.verdict(), verdict, "{what}: {judged:?}");
    }
}

const CLEAN: Leg = Leg { rate: SpeechRate::Hz48000, loss: 0.0, slip: 0.0, fec: false };
const LOSSY: Leg = Leg { rate: SpeechRate::Hz48000, loss: 0.05, slip: 0.005, fec: true };

#[test]
fn random_rooms_are_read_exactly_at_both_rates_clean_and_lossy() {
    for seed in 0..2 {
        for leg in [CLEAN, LOSSY] {
            for rate in [SpeechRate::Hz16000, SpeechRate::Hz48000] {
                let mut draw = Draw(seed << 32 | leg.fec as u64);
                let n = 1 + draw.below(8);
                let talkers = room(n, &mut draw);
                let what = format!("seed {seed}, {n} talkers, {rate:?}, loss {}", leg.loss);
                assert_verdicts(&talkers, Leg { rate, ..leg }, 300, &mut draw, &what);
            }
        }
    }
}

#[test]
fn sixteen_speakers_at_once_are_all_found_and_nobody_else() {
    for (leg, seed) in [(CLEAN, 1), (LOSSY, 2)] {
        let mut draw = Draw(seed);
        let talkers = room(16, &mut draw);
        assert_verdicts(&talkers, leg, 300, &mut draw, &format!("seed {seed}"));
    }
}

#[test]
fn absent_source_is_not_found_although_its_voice_is_there_with_another_mark() {
    let (absent, present) = (Signature::new(5).unwrap(), Signature::new(6).unwrap());
    let twin = [Talker { voice: 3, start: 40, signature: Some(present) }];
    let pcm = heard(&twin, LOSSY, 300, &mut Draw(9));
    let [absent, present] = detect(&pcm, SpeechRate::Hz48000, 0..pcm.len(), &[absent, present])[..] else { panic!() };
    assert!(!absent.is_present() && present.is_present(), "{absent:?} {present:?}");
}

#[test]
fn unmarked_voices_are_nobody() {
    for voice in 0..8 {
        let talker = [Talker { voice, start: 0, signature: None }];
        assert_verdicts(
            &talker,
            Leg { rate: SpeechRate::Hz16000, ..CLEAN },
            300,
            &mut Draw(1),
            Voice::nth(voice).name(),
        );
    }
}

#[test]
fn window_decides_what_is_heard() {
    let mark = |voice, index| Talker { voice, start: 0, signature: Signature::new(index) };
    let mut draw = Draw(3);
    let mut pcm = heard(&[mark(0, 10)], CLEAN, 200, &mut draw);
    let middle = pcm.len();
    pcm.extend(heard(&[mark(1, 11)], CLEAN, 200, &mut draw));
    let ids = [Signature::new(10).unwrap(), Signature::new(11).unwrap()];
    let verdicts =
        |window| detect(&pcm, SpeechRate::Hz48000, window, &ids).iter().map(Detection::is_present).collect::<Vec<_>>();
    assert_eq!(verdicts(0..middle), [true, false]);
    assert_eq!(verdicts(middle..usize::MAX), [false, true]);
    assert_eq!(verdicts(usize::MAX - 1..usize::MAX), [false, false]);
}

#[test]
fn silence_and_snippets_hold_nobody() {
    for pcm in [vec![], vec![0.0; 100], vec![0.0; 48_000]] {
        let detector = Detector::new(&pcm, SpeechRate::Hz16000);
        assert!(Signature::all().all(|s| !detector.detect(s).is_present()), "{} samples", pcm.len());
        assert!(Signature::all().all(|s| detector.judge(s).verdict() == Verdict::NotHeard), "{} samples", pcm.len());
    }
}

#[test]
fn one_whistle_is_not_a_signature() {
    let signature = Signature::new(20).unwrap();
    for tone in signature.hertz() {
        let mut draw = Draw(1);
        let pcm: Vec<f32> = (0..96_000)
            .map(|n| {
                let whistle = (std::f64::consts::TAU * tone * f64::from(n) / 16_000.0).sin();
                (0.1 * whistle + 0.01 * (draw.next() - 0.5)) as f32
            })
            .collect();
        let found = Detector::new(&pcm, SpeechRate::Hz16000).detect(signature);
        assert!(found.score_db > 4.5 && !found.is_present(), "{found:?}");
    }
}
