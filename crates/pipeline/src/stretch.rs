//! Time-stretch of decoded speech: a little shorter or longer, at the same pitch.
//!
//! Waveform-similarity overlap-add: one span that looks like its neighbour (a pitch period, 2.5 to 15 ms) is left out or
//! played twice, faded over its length. The search runs on a decimated copy and is refined at the full rate, so its cost is
//! bounded by the rate. Refuses where nothing looks alike. Near silence any span will do. Called between the decoder and
//! the frame of the tick; pure, in place, no allocation. Invariant: the first sample and all that lies after the
//! join are as they were. Method: Verhelst & Roelands, "An overlap-add technique based on waveform similarity", 1993.

use crate::BusRate;
use crate::gate::mean_square;

/// Rate the search runs at, in kHz: pitch lies below 400 Hz.
const SEARCH_KHZ: usize = 4;
/// Pitch periods looked for, in samples at the search rate: 2.5 and 15 ms.
const SHORTEST: usize = 10;
const LONGEST: usize = 60;
/// Audio looked at, in samples at the search rate: 30 ms.
const LOOKED_AT: usize = 120;
/// Audio compared, in samples at the search rate: 5 to 10 ms.
const COMPARED_LEAST: usize = 20;
const COMPARED_MOST: usize = 40;
/// Of lags that are about as good, the longest is taken: it gets there sooner.
const LONGER_IS_BETTER: f32 = 0.05;
/// Below this mean square nobody hears what is left out or repeated: -60 dBov.
pub(crate) const SILENCE: f32 = 1e-6;

/// Leaves out at most `most` of the `len` samples in `audio`, and gives how many: none if nothing in them is `alike`
/// (a correlation) and they are not near silence.
pub(crate) fn shorten(audio: &mut [f32], len: usize, most: usize, alike: f32, rate: BusRate) -> usize {
    let audio = &mut audio[..len];
    let Some(Join { lag, fade }) = join(audio, most, most, alike, rate) else { return 0 };
    for at in 0..fade {
        let weight = (at + 1) as f32 / (fade + 1) as f32;
        audio[at] += (audio[at + lag] - audio[at]) * weight;
    }
    audio.copy_within(lag + fade.., fade);
    lag
}

/// Makes the `len` samples in `audio` longer, by `wanted` if they are near silence and else by what is `alike` (a
/// correlation), and gives by how many samples. `audio` has to have room for 15 ms more, or for what is wanted.
pub(crate) fn lengthen(audio: &mut [f32], len: usize, wanted: usize, alike: f32, rate: BusRate) -> usize {
    let room = audio.len() - len;
    let Some(Join { lag, fade }) = join(&audio[..len], room, wanted.min(room), alike, rate) else { return 0 };
    audio.copy_within(fade..len, lag + fade);
    for at in 0..fade {
        let weight = (at + 1) as f32 / (fade + 1) as f32;
        audio[lag + at] += (audio[at] - audio[lag + at]) * weight;
    }
    lag
}

/// Where two pieces of audio fit together: `fade` samples at the front, and as many `lag` samples later, with at least
/// one after them.
struct Join {
    lag: usize,
    fade: usize,
}

/// The best join with a lag up to `most`; near silence the one of `silent` samples, or as near as there is audio for.
fn join(audio: &[f32], most: usize, silent: usize, alike: f32, rate: BusRate) -> Option<Join> {
    let per_ms = rate.frame_samples() / 20;
    if mean_square(audio) < SILENCE {
        let fade = (5 * per_ms).min(silent);
        let lag = silent.min(audio.len().saturating_sub(fade));
        return (lag > 0 && fade <= lag).then_some(Join { lag, fade });
    }
    let step = per_ms / SEARCH_KHZ;
    let looked_at = audio.len().min(LOOKED_AT * step);
    let lag = find_lag(&audio[..looked_at], most, alike, step)?;
    Some(Join { lag, fade: lag.min(looked_at - lag - 1) })
}

/// The lag up to `most` at which the front of `audio` looks most like what follows.
fn find_lag(audio: &[f32], most: usize, alike: f32, step: usize) -> Option<usize> {
    let mut coarse = [0.0; LOOKED_AT];
    for (out, chunk) in coarse.iter_mut().zip(audio.chunks_exact(step)) {
        *out = chunk.iter().sum();
    }
    let coarse = &coarse[..audio.len() / step];
    let longest = LONGEST.min(most / step).min(coarse.len().saturating_sub(COMPARED_LEAST));
    let score = |lag: usize| likeness(coarse, lag, COMPARED_MOST) + LONGER_IS_BETTER * lag as f32 / LONGEST as f32;
    let mut best = (f32::NEG_INFINITY, 0);
    for lag in SHORTEST..=longest {
        let score = score(lag);
        if score > best.0 {
            best = (score, lag);
        }
    }
    let mut at = best.1 * step;
    if at == 0 {
        return None;
    }
    // Then in thirds of the step, and in samples.
    let compared = COMPARED_MOST * step;
    let limit = most.min(audio.len() - COMPARED_LEAST * step);
    let mut found = likeness(audio, at, compared);
    let mut reach = step;
    while reach > 1 {
        let stride = (reach / 3).max(1);
        let (from, to) = ((at - reach).max(SHORTEST * step / 2), (at + reach).min(limit));
        for lag in (from..=to).step_by(stride) {
            let likeness = likeness(audio, lag, compared);
            if likeness > found {
                (found, at) = (likeness, lag);
            }
        }
        reach = stride;
    }
    (found >= alike).then_some(at)
}

/// Correlation of the front of `audio` with what lies `lag` later, over at most `compared` samples, from -1 to 1.
fn likeness(audio: &[f32], lag: usize, compared: usize) -> f32 {
    let compared = compared.min(audio.len() - lag);
    let (front, later) = (&audio[..compared], &audio[lag..lag + compared]);
    let (mut product, mut energy, mut other) = ([0.0_f32; 8], [0.0_f32; 8], [0.0_f32; 8]);
    let mut add = |lane: usize, a: f32, b: f32| {
        product[lane] += a * b;
        energy[lane] += a * a;
        other[lane] += b * b;
    };
    for (a, b) in front.chunks_exact(8).zip(later.chunks_exact(8)) {
        for lane in 0..8 {
            add(lane, a[lane], b[lane]);
        }
    }
    let done = compared - compared % 8;
    for (a, b) in front[done..].iter().zip(&later[done..]) {
        add(0, *a, *b);
    }
    let sum = |lanes: [f32; 8]| lanes.iter().sum::<f32>();
    let scale = (sum(energy) * sum(other)).sqrt();
    if scale > 0.0 && scale.is_finite() { sum(product) / scale } else { -1.0 }
}

#[cfg(test)]
mod tests {
    use std::f32::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    fn tone(hz: f32, rate: f32, samples: usize, phase: f32) -> Vec<f32> {
        (0..samples).map(|n| 0.3 * (TAU * hz * n as f32 / rate + phase).sin()).collect()
    }

    /// A voice: harmonics of a pitch that glides, with an envelope.
    fn voice(pitch: f32, rate: f32, samples: usize, phase: f32) -> Vec<f32> {
        let tilt = [1.0, 0.8, 0.9, 0.5, 0.3, 0.25, 0.1];
        let sample = |n: usize| {
            let time = n as f32 / rate;
            let turn = TAU * pitch * (time + 0.8 * time * time) + phase;
            let sum: f32 = (1..).zip(tilt).map(|(k, level)| level * (k as f32 * turn).sin()).sum();
            0.1 * sum * (1.0 - 10.0 * time)
        };
        (0..samples).map(sample).collect()
    }

    fn hz_of(rate: BusRate) -> f32 {
        rate.hz() as f32
    }

    /// The steepest step from one sample to the next.
    fn steepest(audio: &[f32]) -> f32 {
        audio.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
    }

    /// Share of the energy that is at `hz`.
    fn purity(audio: &[f32], hz: f32, rate: f32) -> f32 {
        let turn = |n: usize| TAU * hz * n as f32 / rate;
        let (mut re, mut im, mut energy) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (n, sample) in audio.iter().enumerate() {
            re += sample * turn(n).cos();
            im += sample * turn(n).sin();
            energy += sample * sample;
        }
        2.0 * (re * re + im * im) / (energy * audio.len() as f32)
    }

    #[test]
    fn a_stretched_tone_keeps_its_pitch() {
        for rate in [BusRate::Hz16000, BusRate::Hz48000] {
            let frame = rate.frame_samples();
            for hz in [90.0, 150.0, 220.0, 310.0, 440.0, 1_000.0] {
                for longer in [false, true] {
                    // A second, stretched in each fourth frame: phases line up or the tone falls apart.
                    let whole = tone(hz, hz_of(rate), frame * 50, 0.4);
                    let (mut out, mut spans) = (Vec::new(), 0);
                    for (n, chunk) in whole.chunks(frame).enumerate() {
                        let mut audio = chunk.to_vec();
                        audio.resize(2 * frame, 0.0);
                        let by = match (n % 4, longer) {
                            (3, true) => lengthen(&mut audio, frame, frame, 0.85, rate) as isize,
                            (3, false) => -(shorten(&mut audio, frame, frame, 0.85, rate) as isize),
                            _ => 0,
                        };
                        spans += usize::from(by != 0);
                        out.extend_from_slice(&audio[..frame.strict_add_signed(by)]);
                    }
                    assert!(spans >= 10, "{hz} Hz: {spans} of 12 stretched");
                    let pure = purity(&out[..], hz, hz_of(rate));
                    assert!(pure > 0.95, "{hz} Hz at {rate:?}, longer {longer}: {pure}");
                    assert!(steepest(&out) < 1.1 * steepest(&whole), "{hz} Hz at {rate:?}, longer {longer}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_look_alike_is_left_alone_unless_forced() {
        let rate = BusRate::Hz16000;
        let mut state = 7_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let mut refused = 0;
        for _ in 0..50 {
            let mut audio: Vec<f32> = (0..640).map(|_| 0.2 * noise()).collect();
            let before = audio.clone();
            if shorten(&mut audio, 320, 320, 0.85, rate) == 0 {
                refused += 1;
                assert_eq!(audio, before);
            }
            assert!(shorten(&mut audio.clone(), 320, 320, -1.0, rate) >= 20);
            assert!(lengthen(&mut audio, 320, 320, -1.0, rate) >= 20);
        }
        assert!(refused >= 48, "{refused} of 50");
    }

    #[test]
    fn silence_is_stretched_by_just_what_is_asked_for() {
        for rate in [BusRate::Hz16000, BusRate::Hz48000] {
            let frame = rate.frame_samples();
            let mut audio = vec![1e-4; 3 * frame];
            assert_eq!(shorten(&mut audio, 2 * frame, frame, 0.85, rate), frame);
            assert_eq!(shorten(&mut audio, frame, frame / 20, 0.85, rate), frame / 20);
            assert_eq!(lengthen(&mut audio, 2 * frame, frame, 0.85, rate), frame);
            assert_eq!(lengthen(&mut audio, frame, frame, 0.85, rate), frame - frame / 4, "as far as it goes");
            audio.fill(0.0);
            assert_eq!(shorten(&mut audio, frame + frame / 2, frame, 0.85, rate), frame);
        }
    }

    proptest! {
        #[test]
        fn length_is_exact_and_nothing_is_rougher_than_it_was(
            pitch in 70.0_f32..400.0, phase in 0.0_f32..6.0, ahead in 0_usize..320, most in 0_usize..700, wide: bool,
        ) {
            let rate = if wide { BusRate::Hz48000 } else { BusRate::Hz16000 };
            let frame = rate.frame_samples();
            let per = frame / 320;
            let len = frame + ahead * per;
            let whole = voice(pitch, hz_of(rate), len + frame, phase);
            let rough = steepest(&whole[..len]);
            // What lies behind `len` is a mark nobody may read or move.
            let mut audio = whole[..len].to_vec();
            audio.resize(len + 2 * frame, 9.0);
            let mut shorter = audio.clone();
            let by = shorten(&mut shorter, len, most * per, 0.5, rate);
            prop_assert!(by <= most * per && by <= len);
            prop_assert_eq!(shorter[0], whole[0] + (shorter[0] - whole[0]));
            prop_assert!((shorter[0] - whole[0]).abs() <= rough);
            prop_assert_eq!(shorter[len - by - 1], whole[len - 1]);
            prop_assert!(shorter[..len - by].iter().all(|sample| sample.abs() < 1.0));
            prop_assert!(steepest(&shorter[..len - by]) <= 1.5 * rough, "{} {}", steepest(&shorter[..len - by]), rough);
            let by = lengthen(&mut audio, len, most * per, 0.5, rate);
            prop_assert_eq!(audio[0], whole[0]);
            prop_assert_eq!(audio[len + by - 1], whole[len - 1]);
            prop_assert!(audio[..len + by].iter().all(|sample| sample.abs() < 1.0));
            prop_assert!(audio[len + by..].iter().all(|sample| sample.abs() > 0.0));
            prop_assert!(steepest(&audio[..len + by]) <= 1.5 * rough);
        }
    }
}
