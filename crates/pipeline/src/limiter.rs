//! The look-ahead limiter at the end of every mix.
//!
//! Ten people shouting must neither wrap nor crackle: the gain falls ahead of a peak along a
//! straight line and recovers slowly. Works in blocks of 1 ms, delays by 3 ms, once
//! per mix. Invariant: no output sample exceeds the ceiling. Its state is part of the
//! mix slot and is copied with the encoder's. Runs in the tick, no allocation.

/// Blocks per 20 ms frame.
const BLOCKS: usize = 20;
/// Blocks looked ahead beyond the one under way.
const AHEAD: usize = 2;
/// Blocks of delay: the look-ahead and the block whose end gain it decides.
const DELAY: usize = AHEAD + 1;
/// Highest output magnitude: a hair under full scale, so that a codec's overshoot seldom clips.
pub(crate) const CEILING: f32 = 0.98;
/// Share of the way back to 1 the gain recovers per block: about 100 ms to 63 %.
const RELEASE: f32 = 0.01;
/// Longest block in samples, at 48 kHz.
const MAX_BLOCK: usize = 48;

/// Gain state and delay line of one mix.
#[derive(Clone, Debug)]
pub(crate) struct Limiter {
    block: usize,
    /// The last `DELAY` blocks of input, oldest first.
    line: [f32; DELAY * MAX_BLOCK],
    /// The gain each of them asks for.
    wanted: [f32; DELAY],
    /// Gain at the end of the last output block.
    gain: f32,
}

impl Limiter {
    /// A limiter for frames of `frame_samples`, at most 960.
    pub(crate) fn new(frame_samples: usize) -> Self {
        assert!(frame_samples.is_multiple_of(BLOCKS) && frame_samples / BLOCKS <= MAX_BLOCK);
        Self { block: frame_samples / BLOCKS, line: [0.0; DELAY * MAX_BLOCK], wanted: [1.0; DELAY], gain: 1.0 }
    }

    /// By how many samples the output lags.
    #[cfg(test)]
    pub(crate) fn delay(&self) -> usize {
        self.block * DELAY
    }

    pub(crate) fn reset(&mut self) {
        self.line.fill(0.0);
        self.wanted.fill(1.0);
        self.gain = 1.0;
    }

    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.clone_from(other);
    }

    /// Limits one frame in place.
    pub(crate) fn process(&mut self, frame: &mut [f32]) {
        let block = self.block;
        let mut wanted = [1.0_f32; DELAY + BLOCKS];
        wanted[..DELAY].copy_from_slice(&self.wanted);
        let mut calm = self.gain >= 1.0 && self.wanted.iter().all(|&gain| gain >= 1.0);
        for (gain, samples) in wanted[DELAY..].iter_mut().zip(frame.chunks_exact(block)) {
            let peak = peak(samples);
            if peak > CEILING {
                *gain = CEILING / peak;
                calm = false;
            }
        }
        self.shift(frame);
        self.wanted.copy_from_slice(&wanted[BLOCKS..]);
        if calm {
            return;
        }
        for (at, samples) in frame.chunks_exact_mut(block).enumerate() {
            // The gain at the end of this block must suit this block, the next, and be on its way
            // down to what the ones ahead want.
            let mut end = wanted[at].min(self.gain + (1.0 - self.gain) * RELEASE);
            for (ahead, &gain) in wanted[at + 1..=at + 1 + AHEAD].iter().enumerate() {
                let way = ahead as f32 / (AHEAD + 1) as f32;
                end = end.min(gain + (1.0 - gain) * way);
            }
            ramp(samples, self.gain, end);
            self.gain = if end > 0.9999 { 1.0 } else { end };
        }
    }

    /// Puts `frame` through the delay line: out come the samples of 3 ms ago.
    fn shift(&mut self, frame: &mut [f32]) {
        let delay = self.block * DELAY;
        let line = &mut self.line[..delay];
        let mut tail = [0.0_f32; DELAY * MAX_BLOCK];
        let kept = frame.len() - delay;
        tail[..delay].copy_from_slice(&frame[kept..]);
        frame.copy_within(..kept, delay);
        frame[..delay].copy_from_slice(line);
        line.copy_from_slice(&tail[..delay]);
    }
}

/// Largest magnitude, in eight lanes so that it vectorises.
fn peak(samples: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for chunk in samples.chunks(8) {
        for (lane, sample) in lanes.iter_mut().zip(chunk) {
            *lane = lane.max(sample.abs());
        }
    }
    lanes.into_iter().fold(0.0, f32::max)
}

fn ramp(samples: &mut [f32], from: f32, to: f32) {
    let step = (to - from) / samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample = (*sample * (from + step * at as f32)).clamp(-CEILING, CEILING);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(limiter: &mut Limiter, input: &[f32]) -> Vec<f32> {
        let mut out = input.to_vec();
        for frame in out.chunks_exact_mut(960) {
            limiter.process(frame);
        }
        out
    }

    fn tone(frames: usize, gain: f32) -> Vec<f32> {
        (0..frames * 960).map(|n| gain * (n as f32 * 0.05).sin()).collect()
    }

    #[test]
    fn quiet_audio_passes_unchanged_but_for_the_delay() {
        let mut limiter = Limiter::new(960);
        let input = tone(5, 0.9);
        let out = run(&mut limiter, &input);
        let delay = limiter.delay();
        assert_eq!(out[delay..], input[..input.len() - delay]);
        assert!(out[..delay].iter().all(|s| s.abs() < f32::EPSILON));
    }

    #[test]
    fn nothing_exceeds_the_ceiling_and_the_clamp_is_only_a_guard() {
        for loud in [1.5, 4.0, 10.0] {
            let mut limiter = Limiter::new(960);
            let mut input = tone(4, 0.2);
            input.extend(tone(10, loud));
            input.extend(tone(40, 0.2));
            let out = run(&mut limiter, &input);
            let top = out.iter().fold(0.0_f32, |top, s| top.max(s.abs()));
            assert!(top <= CEILING, "{top}");
            // Where the tone is loud and steady, the limited wave is still a sine: its gain is smooth.
            let steady = &out[8 * 960..12 * 960];
            let clipped = steady.iter().filter(|s| s.abs() >= CEILING).count();
            assert!(clipped < steady.len() / 20, "{clipped} of {} samples clipped", steady.len());
        }
    }

    #[test]
    fn the_gain_recovers() {
        let mut limiter = Limiter::new(960);
        run(&mut limiter, &tone(2, 8.0));
        let input = tone(60, 0.1);
        let out = run(&mut limiter, &input);
        let delay = limiter.delay();
        let last = input.len() - delay - 960;
        assert_eq!(out[last + delay..], input[last..input.len() - delay]);
    }

    #[test]
    fn a_copy_continues_bit_exactly() {
        let mut a = Limiter::new(960);
        run(&mut a, &tone(3, 3.0));
        let mut b = Limiter::new(960);
        b.copy_from(&a);
        let input = tone(20, 1.2);
        assert_eq!(run(&mut a, &input), run(&mut b, &input));
    }
}
