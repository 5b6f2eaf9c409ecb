//! The sending half of a signature: which two tones it has, and laying them under speech.
//!
//! Runs where a talker (or a bot) makes its PCM, once per frame; allocates nothing.
//! Invariant: no two signatures share a tone, and the mark is there exactly while the talker speaks, so talk gates,
//! level extensions and DTX see what they would see without it.

use antiphon_rtp::SampleRate;
use std::f64::consts::TAU;

/// Width of a detection bin in hertz: 16 kHz over 8,192 samples.
pub(super) const BIN_HZ: f64 = 16_000.0 / 8_192.0;
/// Distance of neighbouring tones in bins (23 Hz): room for two main lobes and the noise between them.
pub(super) const SPACING: usize = 12;
/// Bin of the lowest tone (2.5 kHz): above most of the speech energy, with the highest at 5.5 kHz inside wideband.
const FIRST_BIN: usize = 1_280;
/// Tones of one signature, one in each of two bands.
pub(super) const TONES: usize = 2;
/// Amplitude of each tone; full scale is 1. Both together are about -34 dBFS, 11 dB under the speech.
const AMPLITUDE: f32 = 0.02;
/// Length of the fade when speech starts and ends.
const FADE_SECONDS: f32 = 0.02;

/// One of [`Signature::COUNT`] marks: a pair of tones that nobody else has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature(u8);

impl Signature {
    /// How many there are.
    pub const COUNT: usize = 64;

    /// The `index`th signature, or `None` if there are not so many.
    pub const fn new(index: usize) -> Option<Self> {
        if index < Self::COUNT { Some(Self(index as u8)) } else { None }
    }

    /// Every signature in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    /// Its number, from 0.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// Its tones in hertz.
    pub fn hertz(self) -> [f64; TONES] {
        std::array::from_fn(|band| self.bin(band) as f64 * BIN_HZ)
    }

    /// The detection bin of its tone in `band`. The odd factor permutes the slots of the second band, so that neighbours in one
    /// band are far apart in the other.
    pub(super) const fn bin(self, band: usize) -> usize {
        const FACTORS: [usize; TONES] = [1, 19];
        let slot = self.0 as usize * FACTORS[band] % Self::COUNT;
        FIRST_BIN + (band * Self::COUNT + slot) * SPACING
    }
}

/// Lays a signature under a talker's PCM, frame by frame.
#[derive(Clone, Debug)]
pub struct Marker {
    /// Phase and step of each tone, in turns.
    tones: [(f64, f64); TONES],
    gain: f32,
    step: f32,
}

impl Marker {
    /// A marker for mono PCM at `rate`.
    pub fn new(signature: Signature, rate: SampleRate) -> Self {
        let rate = f64::from(rate.hertz());
        Self {
            tones: signature.hertz().map(|hertz| (0.0, hertz / rate)),
            gain: 0.0,
            step: AMPLITUDE / (FADE_SECONDS * rate as f32),
        }
    }

    /// Adds the mark to `frame` if `speaking`, fading over 20 ms when that changes. Any frame length will do.
    pub fn mark(&mut self, frame: &mut [f32], speaking: bool) {
        let target = if speaking { AMPLITUDE } else { 0.0 };
        for sample in frame {
            self.gain += (target - self.gain).clamp(-self.step, self.step);
            for (phase, advance) in &mut self.tones {
                *sample += self.gain * (*phase * TAU).sin() as f32;
                *phase = (*phase + *advance) % 1.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_signatures_share_a_tone_and_all_fit_in_wideband() {
        let bins: HashSet<_> = Signature::all().flat_map(|s| (0..TONES).map(move |band| s.bin(band))).collect();
        assert_eq!(bins.len(), Signature::COUNT * TONES);
        for signature in Signature::all() {
            assert!(signature.hertz().iter().all(|hz| (2_400.0..5_600.0).contains(hz)), "{:?}", signature.hertz());
        }
        assert!(Signature::new(Signature::COUNT).is_none());
    }

    #[test]
    fn mark_is_silent_without_speech_and_fades_in_and_out() {
        let mut marker = Marker::new(Signature::new(3).unwrap(), SampleRate::HZ_16000);
        let mut frame = [0.0; 320];
        marker.mark(&mut frame, false);
        assert_eq!(frame, [0.0; 320]);
        marker.mark(&mut frame, true);
        assert!(frame[..20].iter().all(|s| s.abs() < 2.0 * AMPLITUDE * 20.0 / 320.0));
        marker.mark(&mut frame, false);
        let mut after = [0.0; 320];
        marker.mark(&mut after, false);
        assert!(after.iter().all(|s| s.abs() < 1e-6), "the fade ends after one frame");
    }
}
