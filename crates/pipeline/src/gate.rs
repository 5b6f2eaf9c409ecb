//! Level of a frame, and the talk gate that follows it.
//!
//! A source is *active* from its first loud frame until `hangover_ticks` after its last one; only
//! active sources are mixed, and an encoder stream is only merged into another after a gate has
//! closed. Pure and deterministic; runs in the tick. Spec for the unit: RFC 6464 §3 (dBov).

use antiphon_rtp::AudioLevel;

use crate::GateConfig;

/// Mean square of a frame, summed in sixteen lanes so that it vectorises; 0 if not finite.
pub(crate) fn mean_square(frame: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 16];
    let chunks = frame.chunks_exact(16);
    let rest: f32 = chunks.remainder().iter().map(|s| s * s).sum();
    for chunk in chunks {
        for (lane, sample) in lanes.iter_mut().zip(chunk) {
            *lane += sample * sample;
        }
    }
    let sum = lanes.iter().sum::<f32>() + rest;
    let mean = sum / frame.len().max(1) as f32;
    if mean.is_finite() { mean } else { 0.0 }
}

/// Talk state of one source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    open_at: f32,
    close_at: f32,
    hangover: u32,
    /// Ticks left until the gate closes; 0 is closed.
    left: u32,
    /// Mean square of the last frame, and the same as a level.
    power: f32,
    level: AudioLevel,
}

impl Gate {
    pub(crate) fn new(config: &GateConfig) -> Self {
        let power = |dbov: f32| 10.0_f32.powf(dbov / 10.0);
        Self {
            open_at: power(config.open_dbov),
            close_at: power(config.close_dbov),
            hangover: config.hangover_ticks,
            left: 0,
            power: 0.0,
            level: AudioLevel::SILENCE,
        }
    }

    /// Takes the mean square of the next frame and says whether the gate is open for it.
    pub(crate) fn update(&mut self, power: f32) -> bool {
        self.power = power;
        self.level = if power > 0.0 { AudioLevel::from_mean_square(power) } else { AudioLevel::SILENCE };
        let threshold = if self.left > 0 { self.close_at } else { self.open_at };
        if power >= threshold && power > 0.0 {
            self.left = self.hangover + 1;
        } else {
            self.left = self.left.saturating_sub(1);
        }
        self.left > 0
    }

    pub(crate) fn is_open(&self) -> bool {
        self.left > 0
    }

    pub(crate) fn power(&self) -> f32 {
        self.power
    }

    /// Whether the last frame was below the closing level.
    pub(crate) fn is_quiet(&self) -> bool {
        self.power < self.close_at
    }

    pub(crate) fn level(&self) -> AudioLevel {
        self.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_opens_at_once_and_closes_after_the_hangover() {
        let mut gate = Gate::new(&GateConfig { open_dbov: -40.0, close_dbov: -50.0, hangover_ticks: 3 });
        assert!(!gate.update(0.5e-4), "below the opening level");
        assert!(gate.update(1e-3), "the loud frame itself is let through");
        assert!(gate.update(0.5e-4), "between the levels keeps it open");
        let open: Vec<bool> = (0..5).map(|_| gate.update(0.0)).collect();
        assert_eq!(open, [true, true, true, false, false]);
        assert!(!gate.update(0.5e-4), "and does not reopen it");
    }

    #[test]
    fn mean_square_matches_the_plain_sum_and_ignores_poison() {
        let frame: Vec<f32> = (0..333).map(|n| (n as f32 * 0.1).sin()).collect();
        let plain = frame.iter().map(|s| s * s).sum::<f32>() / 333.0;
        assert!((mean_square(&frame) - plain).abs() < 1e-4);
        assert!(mean_square(&[f32::NAN; 20]).abs() < f32::EPSILON);
        assert!(mean_square(&[]).abs() < f32::EPSILON);
    }
}
