//! The look-ahead limiter at the end of every mix.
//!
//! Ten people shouting must neither wrap nor crackle: the gain falls ahead of a peak along a straight line, is
//! held for longer than half a wave of the deepest voice, so that it does not follow the wave itself, and then
//! recovers slowly. Works in blocks of 1 ms, delays by 2 ms, once per mix. Invariant: no output sample exceeds the
//! ceiling. Its state is part of the mix slot and is copied with the encoder's. Runs in the tick, no allocation.

/// Blocks per 20 ms frame.
pub(crate) const BLOCKS: usize = 20;
/// Blocks looked ahead beyond the one under way. Each costs every call a millisecond.
const AHEAD: usize = 1;
/// Blocks of delay: the look-ahead and the block whose end gain it decides.
pub(crate) const DELAY: usize = AHEAD + 1;
/// Blocks for which the gain stays down after a peak: half a wave of 42 Hz.
const HOLD: usize = 12;
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
    /// The gain each of them asks for, and before them what the last blocks played asked for.
    wanted: [f32; HOLD + DELAY],
    /// Gain at the end of the last output block.
    gain: f32,
}

impl Limiter {
    /// A limiter for frames of `frame_samples`, at most 960.
    pub(crate) fn new(frame_samples: usize) -> Self {
        assert!(frame_samples.is_multiple_of(BLOCKS) && frame_samples / BLOCKS <= MAX_BLOCK);
        Self { block: frame_samples / BLOCKS, line: [0.0; DELAY * MAX_BLOCK], wanted: [1.0; HOLD + DELAY], gain: 1.0 }
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
        let mut wanted = [1.0_f32; HOLD + DELAY + BLOCKS];
        wanted[..HOLD + DELAY].copy_from_slice(&self.wanted);
        let mut calm = self.gain >= 1.0 && self.wanted.iter().all(|&gain| gain >= 1.0);
        for (gain, samples) in wanted[HOLD + DELAY..].iter_mut().zip(frame.chunks_exact(self.block)) {
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
        for (samples, wanted) in frame.chunks_exact_mut(self.block).zip(wanted.windows(HOLD + 1 + DELAY)) {
            // Up, slowly, to what the blocks of the hold, this one and the ones ahead allow.
            let held = wanted.iter().copied().fold(1.0, f32::min);
            let mut end = self.gain + (held - self.gain).max(0.0) * RELEASE;
            // Down in time: the gain at the end of this block must suit it, the next, and be on its way to what
            // the ones behind that want.
            end = end.min(wanted[HOLD]);
            for (ahead, &gain) in wanted[HOLD + 1..].iter().enumerate() {
                let way = ahead as f32 / (AHEAD + 1) as f32;
                end = end.min(gain + (1.0 - gain) * way);
            }
            ramp(samples, self.gain, end);
            self.gain = if end > 0.9999 { 1.0 } else { end };
        }
    }

    /// Puts `frame` through the delay line: out come the samples of 2 ms ago.
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
    // Counted in 32 bits, which turn into floats four at a time.
    for (at, sample) in (0_i32..).zip(samples) {
        *sample = (*sample * (from + step * at as f32)).clamp(-CEILING, CEILING);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(limiter: &mut Limiter, input: &[f32]) -> Vec<f32> {
        let mut out = input.to_vec();
        for frame in out.chunks_exact_mut(limiter.block * BLOCKS) {
            limiter.process(frame);
        }
        out
    }

    fn tone(frames: usize, gain: f32) -> Vec<f32> {
        wave(frames, gain, 382.0)
    }

    fn wave(frames: usize, gain: f32, hz: f32) -> Vec<f32> {
        let step = f64::from(hz) * std::f64::consts::TAU / 48_000.0;
        (0..frames * 960).map(|n| gain * (n as f64 * step).sin() as f32).collect()
    }

    fn top(samples: &[f32]) -> f32 {
        samples.iter().fold(0.0_f32, |top, sample| top.max(sample.abs()))
    }

    fn db(ratio: f32) -> f32 {
        20.0 * ratio.log10()
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
    fn a_steady_wave_keeps_its_shape_whatever_its_pitch() {
        for hz in [45.0, 70.0, 110.0, 211.0, 440.0, 997.0, 3_150.0] {
            for loud in [1.2, 3.0, 10.0] {
                let mut limiter = Limiter::new(960);
                let input = wave(60, loud, hz);
                let out = run(&mut limiter, &input);
                // From 200 ms on: the gain, where the wave is big enough to tell it.
                let gains: Vec<f32> = (10 * 960..out.len())
                    .map(|n| (input[n - limiter.delay()], out[n]))
                    .filter(|(from, _)| from.abs() > 0.3 * loud)
                    .map(|(from, to)| to / from)
                    .collect();
                let (least, most) = gains.iter().fold((f32::MAX, 0.0_f32), |(l, m), g| (l.min(*g), m.max(*g)));
                assert!(db(most / least) < 0.05, "{hz} Hz at {loud}: ripple of {} dB", db(most / least));
                assert!(top(&out[10 * 960..]) > 0.95, "{hz} Hz at {loud}: no lower than it must be");
            }
        }
    }

    #[test]
    fn the_gain_recovers_to_1_db_in_a_quarter_of_a_second_and_then_wholly() {
        let mut limiter = Limiter::new(960);
        let mut input = tone(10, 10.0);
        input.extend(tone(60, 0.05));
        let out = run(&mut limiter, &input);
        let delay = limiter.delay();
        let within =
            |n: usize, limit: f32| db(top(&out[n..n + 480]) / top(&input[n - delay..n - delay + 480])) > -limit;
        let end = 10 * 960 + delay;
        assert!(within(end + 12_000, 1.0) && !within(end + 2_400, 1.0), "1 dB after 250 ms, not after 50");
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

    /// Stretches of noise, hum and silence of any loudness.
    fn material() -> impl Strategy<Value = Vec<f32>> {
        let stretch = (1_usize..4_000, prop_oneof![0.0_f32..1.0, 1.0_f32..40.0], any::<u32>(), 20.0_f32..8_000.0);
        prop::collection::vec(stretch, 1..12).prop_map(|stretches| {
            let mut samples = Vec::new();
            for (length, loud, seed, hz) in stretches {
                let mut state = seed | 1;
                samples.extend((0..length).map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let noise = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                    let hum = (n as f32 * hz * std::f32::consts::TAU / 48_000.0).sin();
                    loud * if seed.is_multiple_of(2) { noise } else { hum }
                }));
            }
            samples.resize(samples.len().next_multiple_of(960) + 960, 0.0);
            samples
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn nothing_exceeds_the_ceiling_and_the_gain_moves_smoothly(input in material(), wideband in any::<bool>()) {
            let mut limiter = Limiter::new(if wideband { 320 } else { 960 });
            let out = run(&mut limiter, &input);
            let (delay, block) = (limiter.delay(), limiter.block);
            prop_assert!(top(&out) <= CEILING, "{}", top(&out));
            let mut last: Option<(usize, f32)> = None;
            let mut clipped = 0;
            for n in delay..out.len() {
                let (from, to) = (input[n - delay], out[n]);
                clipped += usize::from(to.abs() >= CEILING);
                if from.abs() < 0.01 {
                    continue;
                }
                let gain = to / from;
                prop_assert!(gain > 0.0 && gain < 1.0001, "a gain of {gain}");
                if let Some((at, before)) = last {
                    // At most the whole way in two blocks.
                    let allowed = (n - at) as f32 / (2 * block) as f32 * 1.05 + 0.001;
                    prop_assert!((gain - before).abs() <= allowed, "the gain moves by {} at once", gain - before);
                }
                last = Some((n, gain));
            }
            // A block that decides the gain touches the ceiling once or so; the clamp is but a guard.
            prop_assert!(clipped <= 2 * out.len() / block, "{clipped} samples clipped of {}", out.len());
        }
    }
}
