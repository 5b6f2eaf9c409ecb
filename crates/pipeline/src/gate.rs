//! Level of a frame, and the talk gate that follows it.
//!
//! A source is *active* from its first loud frame until `hangover_ticks` after its last one; only
//! active sources are mixed, and an encoder stream is only merged into another after a gate has
//! closed. What is loud follows the source's own noise floor, so that a humming microphone does not count as
//! somebody talking: a hundred of them would be a hundred mixes. Pure and deterministic; runs in the
//! tick. Spec for the unit: RFC 6464 §3 (dBov).

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

/// Frames that sound in one window of the noise floor: 2.56 s, longer than anybody speaks without a breath.
const WINDOW: u32 = 128;
/// How far above its noise floor a source must be to open its gate, and to keep it open: 7 and 4 dB.
const OPEN_OVER_FLOOR: f32 = 5.0;
const CLOSE_OVER_FLOOR: f32 = 2.5;
/// Whatever the floor, what is louder than this opens the gate: -50 dBov. A tone or music has no pauses to
/// learn a floor from and must not gate itself out.
const MOST: f32 = 1e-5;

/// Talk state of one source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// As configured, for a source without noise.
    least: f32,
    /// Closing by opening power.
    hysteresis: f32,
    /// In force.
    open_at: f32,
    close_at: f32,
    /// Least power of the window under way and of the one before; 0 is not known.
    floor: f32,
    floor_before: f32,
    /// Frames in the window under way.
    in_window: u32,
    quiet_from: AudioLevel,
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
        let (open_at, close_at) = (power(config.open_dbov), power(config.close_dbov));
        Self {
            least: open_at,
            hysteresis: close_at / open_at,
            open_at,
            close_at,
            floor: f32::INFINITY,
            floor_before: 0.0,
            in_window: 0,
            quiet_from: level_below(close_at),
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
        self.follow_floor(power);
        self.left > 0
    }

    /// Learns the noise floor: the least power of the last two windows. Silence says nothing about a microphone.
    fn follow_floor(&mut self, power: f32) {
        if power <= 0.0 {
            return;
        }
        self.floor = self.floor.min(power);
        self.in_window += 1;
        if self.in_window == WINDOW {
            let floor = self.floor.min(self.floor_before);
            self.open_at = (floor * OPEN_OVER_FLOOR).min(MOST).max(self.least);
            self.close_at = (floor * CLOSE_OVER_FLOOR).min(self.open_at).max(self.open_at * self.hysteresis);
            self.quiet_from = level_below(self.close_at);
            (self.floor_before, self.floor, self.in_window) = (self.floor, f32::INFINITY, 0);
        }
    }

    /// The power that opens the gate now.
    pub(crate) fn open_at(&self) -> f32 {
        self.open_at
    }

    /// Stamps at least this quiet are below the power that keeps the gate open now.
    pub(crate) fn quiet_from(&self) -> AudioLevel {
        self.quiet_from
    }

    pub(crate) fn is_open(&self) -> bool {
        self.left > 0
    }

    pub(crate) fn power(&self) -> f32 {
        self.power
    }

    pub(crate) fn level(&self) -> AudioLevel {
        self.level
    }
}

/// The loudest whole level that is no louder than `power`.
fn level_below(power: f32) -> AudioLevel {
    AudioLevel::new((-10.0 * power.log10()).ceil().clamp(0.0, 127.0) as u8)
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

    /// Feeds seconds of noise at about `dbov` and says in how many frames of the last second the gate was open.
    fn open_at_the_end(gate: &mut Gate, dbov: f32, seconds: u32) -> usize {
        let frame = |n: u32| gate.update(10.0_f32.powf((dbov + (n * 7 % 13) as f32 / 10.0) / 10.0));
        let open: Vec<bool> = (0..seconds * 50).map(frame).collect();
        open[open.len() - 50..].iter().filter(|open| **open).count()
    }

    #[test]
    fn a_noisy_microphone_closes_its_gate_and_speech_above_the_noise_opens_it() {
        let mut gate = Gate::new(&GateConfig::default());
        assert_eq!(open_at_the_end(&mut gate, -58.0, 1), 50, "not known to be noise yet");
        assert_eq!(open_at_the_end(&mut gate, -58.0, 7), 0);
        assert_eq!(gate.quiet_from(), AudioLevel::new(55));
        assert!(gate.update(10.0_f32.powf(-5.05)), "7 dB over the floor is speech");
        assert_eq!(open_at_the_end(&mut gate, -80.0, 8), 0);
        assert!(gate.update(10.0_f32.powf(-6.4)), "a quiet room makes it keen again");
    }

    #[test]
    fn a_steady_tone_and_music_without_pauses_stay_in() {
        let mut gate = Gate::new(&GateConfig::default());
        assert_eq!(open_at_the_end(&mut gate, -45.0, 20), 50);
        assert_eq!(open_at_the_end(&mut gate, -20.0, 20), 50);
    }

    #[test]
    fn speech_with_gaps_does_not_raise_its_own_floor() {
        let mut gate = Gate::new(&GateConfig::default());
        let mut open = 0;
        for n in 0..1_500_u32 {
            // Syllables at -30 dBov, and every second or so one frame of the room.
            let dbov = if n % 60 == 59 { -75.0 } else { -30.0 - (n % 11) as f32 };
            open += u32::from(gate.update(10.0_f32.powf(dbov / 10.0)));
        }
        assert_eq!(open, 1_500);
        assert!(gate.open_at() < 3.3e-7, "the gate opens at -65 dBov as before");
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
