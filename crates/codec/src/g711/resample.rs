//! A resampler between 8 kHz and a multiple of it: one linear-phase filter, taken apart into phases.
//!
//! Streaming, mono. The filter is a sinc under a Kaiser window: flat within 0.02 dB to 3.4 kHz, 60 dB down
//! from 4.2 kHz on (in between it falls; what folds there lands above 3.8 kHz). Delay: 18 samples at 8 kHz
//! (2.25 ms) each way, exactly. Runs on media threads; memory is fixed at construction.

use crate::CodecError;

/// Samples at 8 kHz on either side of the filter's middle; its delay.
const REACH: usize = 18;
/// Middle of the transition band over 8 kHz: 3.8 kHz.
const CUTOFF: f64 = 3.8 / 8.0;
/// Of the Kaiser window, for 60 dB.
const BETA: f64 = 5.65;
/// Multiplications at a time.
const LANES: usize = 8;
/// Samples at 8 kHz taken in at one go.
const BLOCK: usize = 160;

/// A resampler by a whole ratio, up from or down to 8 kHz.
#[derive(Clone, Debug)]
pub struct Resampler {
    ratio: usize,
    up: bool,
    /// Per phase the filter backwards, padded in front with zeros to whole lanes; one phase when going down.
    taps: Box<[f32]>,
    taps_per_phase: usize,
    /// The last samples that came in, and behind them the block in work.
    line: Box<[f32]>,
    history: usize,
}

impl Resampler {
    /// From 8 kHz to `ratio` times as much.
    ///
    /// # Panics
    /// If `ratio` is 0 or above 6.
    #[must_use]
    pub fn up(ratio: usize) -> Self {
        Self::new(ratio, true)
    }

    /// From `ratio` times 8 kHz to 8 kHz.
    ///
    /// # Panics
    /// As [`Self::up`].
    #[must_use]
    pub fn down(ratio: usize) -> Self {
        Self::new(ratio, false)
    }

    fn new(ratio: usize, up: bool) -> Self {
        assert!((1..=6).contains(&ratio), "8 kHz times 1 to 6, not {ratio}");
        let filter = filter(ratio);
        let phases = if up { ratio } else { 1 };
        let per_phase = filter.len().div_ceil(phases).next_multiple_of(LANES);
        let mut taps = vec![0.0; phases * per_phase];
        for (at, tap) in filter.iter().enumerate() {
            let (phase, back) = if up { (at % ratio, at / ratio) } else { (0, at) };
            // Each phase of an interpolator sees one sample in `ratio`, the others being zeros.
            let gain = if up { ratio as f64 } else { 1.0 };
            taps[phase * per_phase + per_phase - 1 - back] = (tap * gain) as f32;
        }
        let history = per_phase - 1;
        let block = if up { BLOCK } else { BLOCK * ratio };
        Self {
            ratio,
            up,
            taps: taps.into(),
            taps_per_phase: per_phase,
            line: vec![0.0; history + block].into(),
            history,
        }
    }

    /// Samples at the higher rate to one at 8 kHz.
    #[must_use]
    pub fn ratio(&self) -> usize {
        self.ratio
    }

    /// Takes `input` in and fills `out`, which is `ratio` times as long when going up, and that much shorter when going
    /// down.
    ///
    /// # Panics
    /// If the lengths do not fit each other.
    ///
    /// # Real-time
    /// No allocation; O(input).
    pub fn process(&mut self, input: &[f32], out: &mut [f32]) {
        let (given, wanted) = if self.up { (input.len(), out.len()) } else { (out.len(), input.len()) };
        assert_eq!(given * self.ratio, wanted, "lengths must be in the ratio of the rates");
        let (step_in, step_out) = if self.up { (BLOCK, BLOCK * self.ratio) } else { (BLOCK * self.ratio, BLOCK) };
        for (input, out) in input.chunks(step_in).zip(out.chunks_mut(step_out)) {
            self.line[self.history..self.history + input.len()].copy_from_slice(input);
            if self.up {
                self.interpolate(out);
            } else {
                self.decimate(out);
            }
            self.line.copy_within(input.len()..input.len() + self.history, 0);
        }
    }

    fn interpolate(&self, out: &mut [f32]) {
        for (at, out) in out.chunks_exact_mut(self.ratio).enumerate() {
            let seen = &self.line[at..at + self.taps_per_phase];
            for (out, taps) in out.iter_mut().zip(self.taps.chunks_exact(self.taps_per_phase)) {
                *out = dot(taps, seen);
            }
        }
    }

    fn decimate(&self, out: &mut [f32]) {
        for (at, out) in out.iter_mut().enumerate() {
            *out = dot(&self.taps, &self.line[at * self.ratio..at * self.ratio + self.taps_per_phase]);
        }
    }

    /// Goes on exactly where `source` stands.
    ///
    /// # Errors
    /// [`CodecError::StateMismatch`] if its ratio or direction is another.
    pub fn copy_from(&mut self, source: &Self) -> Result<(), CodecError> {
        if (self.ratio, self.up) != (source.ratio, source.up) {
            return Err(CodecError::StateMismatch);
        }
        self.line.copy_from_slice(&source.line);
        Ok(())
    }

    /// Forgets what came in.
    pub fn reset(&mut self) {
        self.line.fill(0.0);
    }
}

/// Sum of products, in lanes that the compiler can put side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

/// The low-pass at `ratio` times 8 kHz, with unit gain; `2 * REACH * ratio + 1` taps.
fn filter(ratio: usize) -> Vec<f64> {
    let middle = (REACH * ratio) as f64;
    let taps: Vec<f64> = (0..=2 * REACH * ratio)
        .map(|at| {
            let offset = at as f64 - middle;
            let x = std::f64::consts::TAU * CUTOFF / ratio as f64 * offset;
            let sinc = if offset == 0.0 { 1.0 } else { x.sin() / x };
            let edge = offset / middle;
            sinc * bessel(BETA * (1.0 - edge * edge).max(0.0).sqrt())
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| tap / sum).collect()
}

/// The modified Bessel function of the first kind, order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..40 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIOS: [usize; 4] = [1, 2, 3, 6];

    fn tone(hz: f64, samples: usize, rate: f64) -> Vec<f32> {
        (0..samples).map(|n| (std::f64::consts::TAU * hz * n as f64 / rate).sin() as f32).collect()
    }

    /// Amplitude of the part of `samples` at `hz`, by correlation under a Hann window.
    fn amplitude(samples: &[f32], hz: f64, rate: f64) -> f64 {
        let len = samples.len() as f64;
        let (mut re, mut im) = (0.0, 0.0);
        for (n, sample) in samples.iter().enumerate() {
            let window = 0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / len).cos();
            let angle = std::f64::consts::TAU * hz * n as f64 / rate;
            re += f64::from(*sample) * window * angle.cos();
            im += f64::from(*sample) * window * angle.sin();
        }
        4.0 * re.hypot(im) / len
    }

    fn db(amplitude: f64) -> f64 {
        20.0 * amplitude.max(1e-12).log10()
    }

    fn run(resampler: &mut Resampler, input: &[f32]) -> Vec<f32> {
        let len = if resampler.up { input.len() * resampler.ratio } else { input.len() / resampler.ratio };
        let mut out = vec![0.0; len];
        resampler.process(input, &mut out);
        out
    }

    #[test]
    fn the_voice_band_is_flat_and_its_images_are_gone() {
        for ratio in RATIOS {
            let rate = 8_000.0 * ratio as f64;
            for hz in [60.0, 300.0, 1_000.0, 2_345.0, 3_000.0, 3_400.0] {
                let out = run(&mut Resampler::up(ratio), &tone(hz, 4_000, 8_000.0));
                let out = &out[400 * ratio..];
                let level = db(amplitude(out, hz, rate));
                assert!(level.abs() < 0.02, "x{ratio}, {hz} Hz: {level} dB");
                for image in (1..=ratio / 2).flat_map(|n| [n as f64 * 8_000.0 - hz, n as f64 * 8_000.0 + hz]) {
                    if image < rate / 2.0 {
                        let level = db(amplitude(out, image, rate));
                        assert!(level < -60.0, "x{ratio}, {hz} Hz: image at {image} Hz is {level} dB");
                    }
                }
            }
        }
    }

    #[test]
    fn the_voice_band_is_kept_and_what_would_fold_into_it_is_gone() {
        for ratio in RATIOS {
            let rate = 8_000.0 * ratio as f64;
            for hz in [60.0, 1_000.0, 3_000.0, 3_400.0] {
                let out = run(&mut Resampler::down(ratio), &tone(hz, 4_000 * ratio, rate));
                let level = db(amplitude(&out[400..], hz, 8_000.0));
                assert!(level.abs() < 0.02, "/{ratio}, {hz} Hz: {level} dB");
            }
            for hz in [4_210.0, 4_600.0, 5_500.0, 7_000.0, 11_000.0, 15_000.0, 23_000.0] {
                if hz < rate / 2.0 {
                    let out = run(&mut Resampler::down(ratio), &tone(hz, 4_000 * ratio, rate));
                    let peak = out[400..].iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
                    assert!(db(f64::from(peak)) < -60.0, "/{ratio}, {hz} Hz folds in at {} dB", db(f64::from(peak)));
                }
            }
        }
    }

    #[test]
    fn the_delay_is_eighteen_samples_at_eight_kilohertz_each_way() {
        for ratio in RATIOS {
            let mut impulse = vec![0.0; 100];
            impulse[10] = 1.0;
            let out = run(&mut Resampler::up(ratio), &impulse);
            let peak = (0..out.len()).max_by(|a, b| out[*a].total_cmp(&out[*b])).unwrap();
            assert_eq!(peak, (10 + REACH) * ratio);
            let mut impulse = vec![0.0; 100 * ratio];
            impulse[10 * ratio] = 1.0;
            let out = run(&mut Resampler::down(ratio), &impulse);
            let peak = (0..out.len()).max_by(|a, b| out[*a].total_cmp(&out[*b])).unwrap();
            assert_eq!(peak, 10 + REACH);
        }
    }

    #[test]
    fn pieces_of_any_size_give_what_the_whole_gives() {
        let input = tone(777.0, 2_400, 48_000.0);
        let whole = run(&mut Resampler::down(6), &input);
        let mut pieces = Resampler::down(6);
        let mut copy = Resampler::down(6);
        let mut out = Vec::new();
        for (at, piece) in input.chunks(6 * 37).enumerate() {
            if at % 2 == 1 {
                copy.copy_from(&pieces).unwrap();
                std::mem::swap(&mut pieces, &mut copy);
            }
            out.extend(run(&mut pieces, piece));
        }
        assert_eq!(out, whole);
        assert_eq!(pieces.copy_from(&Resampler::up(6)), Err(CodecError::StateMismatch));
        pieces.reset();
        assert_eq!(run(&mut pieces, &input), whole);
    }
}
