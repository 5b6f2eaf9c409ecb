//! The receiving half of a signature: scoring a recording against the tones, and the verdict.
//!
//! Runs after a call on whole recordings; one analysis serves every signature. Pure, allocates.
//! Invariant: the score of an absent signature does not depend on loudness or on how many others are present.
//! Does not: search in time or frequency; tones are exact and sample clocks agree within 100 ppm (0.5 Hz, a quarter of a bin).

use super::mark::{SPACING, Signature, TONES};
use crate::fourier::{Complex, Fft, third};
use crate::speech::SpeechRate;
use std::f64::consts::TAU;
use std::ops::{Range, RangeInclusive};

/// Samples at 16 kHz in a detection block: 512 ms.
const BLOCK: usize = 8_192;
/// Distance between block starts; half a block, because the window fades both ends.
const HOP: usize = BLOCK / 2;
/// Bins on both sides of a tone that tell the noise there: outside the window's main lobe (2), inside the neighbours' (10).
const NEIGHBOURS: RangeInclusive<usize> = 3..=SPACING - 3;
/// The noise estimate as a share of full scale, below which a bin counts as silent: about -130 dBFS.
const FLOOR: f64 = 1e-7;
/// A block says between these about a tone, so that no single coincidence decides.
const RATIO_DB: (f64, f64) = (-10.0, 20.0);
/// What `10 log10` of an exponential variate with mean 1 comes to on average, in dB: Euler's constant times 10 log10 e.
const EXPECTED_DB: f64 = -2.507;
/// A signature is present if its score is above this: as far from the absent as from the present (see the module above).
pub(super) const THRESHOLD_DB: f32 = 4.5;
/// And if the weaker of its tones is above this: one whistle is not a signature.
pub(super) const WEAKEST_DB: f32 = 2.0;

/// What was found of one signature in a recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Which signature.
    pub signature: Signature,
    /// How far its tones stand out of the noise beside them, in dB averaged over tones and blocks; 0 on average if absent.
    pub score_db: f32,
    /// The same for the weaker of its tones.
    pub weakest_db: f32,
}

impl Detection {
    /// Whether the signature was heard.
    pub fn is_present(&self) -> bool {
        self.margin_db() > 0.0
    }

    /// How far the verdict is from tipping, in dB: positive is present, negative absent.
    pub fn margin_db(&self) -> f32 {
        (self.score_db - THRESHOLD_DB).min(self.weakest_db - WEAKEST_DB)
    }
}

/// A recording analysed once, to be asked about any signature.
#[derive(Debug)]
pub struct Detector {
    /// Power spectrum of each block up to half the rate.
    blocks: Vec<Vec<f64>>,
}

impl Detector {
    /// Analyses mono PCM. Less than 512 ms give no block, and then nothing is present.
    pub fn new(recording: &[f32], rate: SpeechRate) -> Self {
        let lowered;
        let samples = match rate {
            SpeechRate::Hz16000 => recording,
            SpeechRate::Hz48000 => {
                lowered = third(recording);
                &lowered
            }
        };
        let fft = Fft::new(BLOCK);
        let hann: Vec<f64> = (0..BLOCK).map(|n| 0.5 - 0.5 * (TAU * n as f64 / BLOCK as f64).cos()).collect();
        let spectrum = |block: &[f32]| {
            let mut data: Vec<_> =
                block.iter().zip(&hann).map(|(s, w)| Complex { re: f64::from(*s) * w, im: 0.0 }).collect();
            fft.forward(&mut data);
            data[..BLOCK / 2].iter().map(|bin| bin.power()).collect()
        };
        Self { blocks: samples.windows(BLOCK).step_by(HOP).map(spectrum).collect() }
    }

    /// How many blocks the recording gave; the spread of a score falls with its square root.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Scores one signature.
    pub fn detect(&self, signature: Signature) -> Detection {
        let tones: [f32; TONES] = std::array::from_fn(|band| self.tone_db(signature.bin(band)));
        Detection {
            signature,
            score_db: tones.iter().sum::<f32>() / TONES as f32,
            weakest_db: tones.into_iter().fold(f32::INFINITY, f32::min),
        }
    }

    /// How far `bin` stands out of its neighbours, averaged over the blocks that are not silent there.
    fn tone_db(&self, bin: usize) -> f32 {
        let ratios: Vec<f64> = self.blocks.iter().filter_map(|block| ratio_db(block, bin)).collect();
        if ratios.is_empty() {
            return 0.0;
        }
        (ratios.iter().sum::<f64>() / ratios.len() as f64 - EXPECTED_DB) as f32
    }
}

/// Power of a bin over the noise beside it, in dB and bounded; `None` in silence.
fn ratio_db(block: &[f64], bin: usize) -> Option<f64> {
    let mut noise: Vec<f64> = NEIGHBOURS.flat_map(|d| [block[bin - d], block[bin + d]]).collect();
    noise.sort_by(f64::total_cmp);
    // The median is what speech harmonics and a neighbour's leakage move least; ln 2 makes it the mean of noise.
    let mid = noise.len() / 2;
    let noise = (noise[mid - 1] + noise[mid]) / 2.0 / std::f64::consts::LN_2;
    let full_scale = (BLOCK / 4) as f64;
    if block[bin].max(noise) < FLOOR * FLOOR * full_scale * full_scale {
        return None;
    }
    let ratio = 10.0 * (block[bin] / noise.max(f64::MIN_POSITIVE)).max(f64::MIN_POSITIVE).log10();
    Some(ratio.clamp(RATIO_DB.0, RATIO_DB.1))
}

/// Scores `signatures` in samples `window` of a mono recording; a window beyond the end is cut.
pub fn detect(recording: &[f32], rate: SpeechRate, window: Range<usize>, signatures: &[Signature]) -> Vec<Detection> {
    let end = window.end.min(recording.len());
    let detector = Detector::new(&recording[window.start.min(end)..end], rate);
    signatures.iter().map(|signature| detector.detect(*signature)).collect()
}
