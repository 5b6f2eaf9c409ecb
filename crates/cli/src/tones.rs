//! Sine tones: make them, and find them in a recording.
//!
//! Owns the probe's generator and its spectrum scan (Goertzel's recurrence on Hann windows). In the flow: the
//! probe speaks a tone and reports the peaks it heard, so that a stranger's tone is proven by decoding. Pure.

use std::f64::consts::TAU;

use serde::Serialize;

/// A continuous sine.
#[derive(Clone, Debug)]
pub(crate) struct Tone {
    step: f64,
    phase: f64,
    amplitude: f64,
}

impl Tone {
    /// A sine of `hertz` with peak `amplitude` (1 is full scale) at `rate` samples per second.
    pub(crate) fn new(hertz: f64, amplitude: f64, rate: u32) -> Self {
        Self { step: TAU * hertz / f64::from(rate), phase: 0.0, amplitude }
    }

    /// The next samples, 16 bit.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            *sample = (self.phase.sin() * self.amplitude * f64::from(i16::MAX)) as i16;
            self.phase = (self.phase + self.step) % TAU;
        }
    }
}

/// A spectral line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Peak {
    /// Frequency, to about 2 Hz.
    pub(crate) hz: f64,
    /// Level of the sine there, dB below a full-scale sine.
    pub(crate) dbfs: f64,
}

/// Below this a line is not reported.
const FLOOR_DBFS: f64 = -50.0;
const LOWEST_HZ: f64 = 150.0;
const HIGHEST_HZ: f64 = 2500.0;
const STEP_HZ: f64 = 2.0;
/// Lines nearer than this are the same peak: a Hann window of half a second is 8 Hz wide between zeros.
const APART_HZ: f64 = 24.0;

/// The `most` strongest lines between 150 and 2500 Hz, strongest first, as means over half-second windows.
pub(crate) fn peaks(samples: &[f32], rate: u32, most: usize) -> Vec<Peak> {
    let length = rate as usize / 2;
    let windows: Vec<Vec<f64>> = samples.chunks_exact(length.max(1)).map(hann).collect();
    if windows.is_empty() {
        return Vec::new();
    }
    let steps = ((HIGHEST_HZ - LOWEST_HZ) / STEP_HZ) as usize;
    let mut lines: Vec<Peak> = (0..=steps)
        .map(|step| {
            let hz = STEP_HZ.mul_add(step as f64, LOWEST_HZ);
            let power = windows.iter().map(|window| power(window, hz, rate)).sum::<f64>() / windows.len() as f64;
            Peak { hz, dbfs: 10.0 * power.max(1e-12).log10() }
        })
        .filter(|line| line.dbfs > FLOOR_DBFS)
        .collect();
    lines.sort_by(|a, b| b.dbfs.total_cmp(&a.dbfs));
    let mut found: Vec<Peak> = Vec::new();
    for line in lines {
        if found.len() < most && found.iter().all(|peak| (peak.hz - line.hz).abs() >= APART_HZ) {
            found.push(line);
        }
    }
    found
}

fn hann(window: &[f32]) -> Vec<f64> {
    let step = TAU / window.len() as f64;
    window.iter().enumerate().map(|(i, x)| f64::from(*x) * 0.5 * (1.0 - (step * i as f64).cos())).collect()
}

/// Power of the line at `hz`, where a full-scale sine is 1.
fn power(window: &[f64], hz: f64, rate: u32) -> f64 {
    let coefficient = 2.0 * (TAU * hz / f64::from(rate)).cos();
    let (mut before, mut last) = (0.0, 0.0);
    for sample in window {
        let next = coefficient * last - before + sample;
        before = last;
        last = next;
    }
    let magnitude = last * last + before * before - coefficient * last * before;
    // A Hann window halves the sum; a sine of amplitude 1 then sums to n / 4.
    magnitude / (window.len() as f64 / 4.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, amplitude: f64, seconds: usize) -> Vec<f32> {
        let mut samples = vec![0_i16; 16_000 * seconds];
        Tone::new(hertz, amplitude, 16_000).fill(&mut samples);
        samples.iter().map(|s| f32::from(*s) / 32_768.0).collect()
    }

    #[test]
    fn two_tones_are_found_at_their_pitch_and_level() {
        let mixed: Vec<f32> = tone(440.0, 0.25, 2).iter().zip(tone(990.0, 0.1, 2)).map(|(a, b)| a + b).collect();
        let found = peaks(&mixed, 16_000, 4);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!((found[0].hz - 440.0).abs() <= 2.0 && (found[0].dbfs + 12.0).abs() < 0.5, "{found:?}");
        assert!((found[1].hz - 990.0).abs() <= 2.0 && (found[1].dbfs + 20.0).abs() < 0.5, "{found:?}");
    }

    #[test]
    fn silence_and_a_too_short_recording_have_no_peak() {
        assert!(peaks(&vec![0.0; 16_000], 16_000, 4).is_empty());
        assert!(peaks(&tone(440.0, 0.5, 1)[..100], 16_000, 4).is_empty());
    }

    #[test]
    fn noise_has_no_dominant_peak() {
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..32_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 16_777_216.0 - 0.5
            })
            .collect();
        assert!(peaks(&noise, 16_000, 4).iter().all(|peak| peak.dbfs < -30.0));
    }
}
