//! What to play where G.711 packets are missing: the last period of the voice, over and over, fading.
//!
//! Works at 8 kHz on what was decoded last. In the manner of ITU-T G.711 appendix I, without its delay: the seam
//! at the start is smoothed by fading the step out instead of reworking samples already given. Pure, fixed memory.

/// Periods looked for, in samples: 200 to 66 Hz.
const PERIODS: std::ops::RangeInclusive<usize> = 40..=120;
/// How much of the past must look like the period before: 20 ms.
const LOOK: usize = 160;
/// What is remembered.
const PAST: usize = LOOK + 120;
/// Concealed samples at full level, and from then to silence: 20 ms and 100 ms.
const FULL: usize = 160;
const FADE: usize = 800;
/// Samples over which two signals are faded into each other: 4 ms.
const SEAM: usize = 32;

/// Remembers the voice, and goes on with it.
#[derive(Clone, Debug)]
pub(super) struct Concealer {
    past: [f32; PAST],
    period: usize,
    /// Samples concealed since the last that was heard.
    concealed: usize,
    /// Between the last sample and the first one made up, to be faded out.
    step: f32,
}

impl Concealer {
    pub(super) fn new() -> Self {
        Self { past: [0.0; PAST], period: *PERIODS.start(), concealed: 0, step: 0.0 }
    }

    /// Remembers `samples`; after a concealed stretch it fades from that into them.
    pub(super) fn heard(&mut self, samples: &mut [f32]) {
        if self.concealed > 0 {
            let seam = SEAM.min(samples.len());
            for (at, sample) in samples[..seam].iter_mut().enumerate() {
                let made_up = self.make_up(self.concealed + at);
                *sample = made_up + (*sample - made_up) * (at as f32 / seam as f32);
            }
            self.concealed = 0;
        }
        self.remember(samples);
    }

    /// Goes on with the voice. Silent from 120 ms on.
    pub(super) fn conceal(&mut self, out: &mut [f32]) {
        if self.concealed == 0 {
            self.period = self.find_period();
            self.step = self.past[PAST - 1] - self.past[PAST - 1 - self.period];
        }
        for (at, out) in out.iter_mut().enumerate() {
            *out = self.make_up(self.concealed + at);
        }
        self.concealed += out.len();
    }

    /// The sample so many after the last heard.
    fn make_up(&self, age: usize) -> f32 {
        if age >= FULL + FADE {
            return 0.0;
        }
        let gain = 1.0 - age.saturating_sub(FULL) as f32 / FADE as f32;
        let seam = self.step * (1.0 - age as f32 / SEAM as f32).max(0.0);
        (self.past[PAST - self.period + age % self.period] + seam) * gain
    }

    fn remember(&mut self, samples: &[f32]) {
        let new = &samples[samples.len().saturating_sub(PAST)..];
        self.past.copy_within(new.len().., 0);
        self.past[PAST - new.len()..].copy_from_slice(new);
    }

    /// The shift at which the recent past is most like what came before it.
    fn find_period(&self) -> usize {
        let recent = &self.past[PAST - LOOK..];
        let likeness = |period: usize| {
            let before = &self.past[PAST - LOOK - period..PAST - period];
            let (mut product, mut energy) = (0.0, 1e-9);
            for (a, b) in recent.iter().zip(before) {
                product += a * b;
                energy += b * b;
            }
            product / f32::sqrt(energy)
        };
        let mut best = (*PERIODS.start(), f32::MIN);
        for period in PERIODS {
            let likeness = likeness(period);
            // Clearly better, so that a period is not taken for two.
            if likeness > best.1 * if best.1 > 0.0 { 1.01 } else { 1.0 } {
                best = (period, likeness);
            }
        }
        best.0
    }
}
