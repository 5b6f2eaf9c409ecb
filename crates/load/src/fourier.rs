//! A small radix-2 FFT and the two fixed-ratio filters (three up, three down) that the probes need.
//!
//! Internal to this crate: signature detection and latency measurement run after a call, on one thread, and may allocate.
//! Invariant: sizes are powers of two. Does not: replace the codec's own resampling in the media path.

use std::f64::consts::PI;

/// One complex value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Complex {
    pub(crate) re: f64,
    pub(crate) im: f64,
}

impl Complex {
    pub(crate) fn times(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }

    pub(crate) fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    pub(crate) fn power(self) -> f64 {
        self.re * self.re + self.im * self.im
    }
}

/// Twiddle factors for one size, used forward and backward.
#[derive(Debug)]
pub(crate) struct Fft {
    twiddles: Vec<Complex>,
}

impl Fft {
    pub(crate) fn new(size: usize) -> Self {
        assert!(size.is_power_of_two() && size >= 2, "invariant: FFT sizes are powers of two");
        let twiddle = |k: usize| {
            let angle = -2.0 * PI * k as f64 / size as f64;
            Complex { re: angle.cos(), im: angle.sin() }
        };
        Self { twiddles: (0..size / 2).map(twiddle).collect() }
    }

    pub(crate) fn size(&self) -> usize {
        self.twiddles.len() * 2
    }

    /// Transforms `data` in place, unscaled.
    pub(crate) fn forward(&self, data: &mut [Complex]) {
        let size = self.size();
        assert_eq!(data.len(), size, "invariant: data has the size of the transform");
        let shift = size.leading_zeros() + 1;
        for i in 0..size {
            let j = i.reverse_bits() >> shift;
            if i < j {
                data.swap(i, j);
            }
        }
        let mut half = 1;
        while half < size {
            let step = size / (half * 2);
            for block in data.chunks_exact_mut(half * 2) {
                let (low, high) = block.split_at_mut(half);
                for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                    let t = b.times(self.twiddles[k * step]);
                    *b = Complex { re: a.re - t.re, im: a.im - t.im };
                    *a = Complex { re: a.re + t.re, im: a.im + t.im };
                }
            }
            half *= 2;
        }
    }

    /// Transforms back in place and scales, so that it undoes [`Self::forward`].
    pub(crate) fn backward(&self, data: &mut [Complex]) {
        for value in &mut *data {
            *value = value.conjugate();
        }
        self.forward(data);
        let scale = 1.0 / self.size() as f64;
        for value in data {
            *value = Complex { re: value.re * scale, im: -value.im * scale };
        }
    }
}

/// Half the length of the filter between rates 1 and 3, in samples of the higher rate.
const HALF: isize = 60;

/// Blackman-windowed sinc that cuts at 0.45 of the lower rate, `k` samples of the higher rate off centre.
fn tap(k: isize) -> f64 {
    let cut = 0.9 / 3.0;
    let x = PI * cut * k as f64;
    let sinc = if k == 0 { 1.0 } else { x.sin() / x };
    let phase = PI * k as f64 / (HALF + 1) as f64;
    cut * sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
}

/// The signal at a third of its rate, low-passed, without delay.
pub(crate) fn third(samples: &[f32]) -> Vec<f32> {
    let taps: Vec<f64> = (-HALF..=HALF).map(tap).collect();
    let at = |i: isize| usize::try_from(i).ok().and_then(|i| samples.get(i)).map_or(0.0, |s| f64::from(*s));
    (0..samples.len() / 3)
        .map(|n| (-HALF..=HALF).zip(&taps).map(|(k, tap)| tap * at(n as isize * 3 + k)).sum::<f64>() as f32)
        .collect()
}

/// The signal at three times its rate, images filtered out, without delay.
pub(crate) fn triple(samples: &[f32]) -> Vec<f32> {
    let taps: Vec<f64> = (-HALF..=HALF).map(|k| 3.0 * tap(k)).collect();
    let mut out = vec![0.0; samples.len() * 3];
    for (n, sample) in samples.iter().enumerate() {
        for (k, tap) in (-HALF..=HALF).zip(&taps) {
            if let Some(slot) = usize::try_from(n as isize * 3 + k).ok().and_then(|i| out.get_mut(i)) {
                *slot += (f64::from(*sample) * tap) as f32;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, rate: f64, len: usize) -> Vec<f32> {
        (0..len).map(|n| (2.0 * PI * hertz * n as f64 / rate).sin() as f32).collect()
    }

    #[test]
    fn backward_undoes_forward() {
        let fft = Fft::new(256);
        let original = tone(1_234.0, 16_000.0, 256);
        let mut data: Vec<_> = original.iter().map(|s| Complex { re: f64::from(*s), im: 0.0 }).collect();
        fft.forward(&mut data);
        fft.backward(&mut data);
        assert!(data.iter().zip(&original).all(|(d, o)| (d.re - f64::from(*o)).abs() < 1e-6 && d.im.abs() < 1e-6));
    }

    #[test]
    fn a_tone_lands_in_its_bin() {
        let fft = Fft::new(512);
        let mut data: Vec<_> =
            tone(1_000.0, 16_000.0, 512).iter().map(|s| Complex { re: f64::from(*s), im: 0.0 }).collect();
        fft.forward(&mut data);
        let peak = (0..256).max_by(|a, b| data[*a].power().total_cmp(&data[*b].power())).unwrap();
        assert_eq!(peak, 32);
    }

    #[test]
    fn rate_changes_keep_a_tone_in_place_and_in_size() {
        let low = tone(3_000.0, 16_000.0, 4_000);
        let high = triple(&low);
        let reference = tone(3_000.0, 48_000.0, 12_000);
        let error = |a: &[f32], b: &[f32]| {
            let inner = 200..a.len() - 200;
            a[inner.clone()].iter().zip(&b[inner]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        assert!(error(&high, &reference) < 0.01, "up: {}", error(&high, &reference));
        let back = third(&reference);
        assert!(error(&back, &low) < 0.01, "down: {}", error(&back, &low));
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_filtered_out() {
        let out = third(&tone(10_000.0, 48_000.0, 12_000));
        let loudest = out[100..out.len() - 100].iter().fold(0.0f32, |m, s| m.max(s.abs()));
        assert!(loudest < 0.01, "{loudest}");
    }
}
