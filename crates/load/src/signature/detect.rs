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
/// A window is judged in parts of this share of it, one starting at every block, so that no hole hides between two.
const PARTS: usize = 3;
/// Fewest blocks in a part: 2 s. A shorter one tells too little.
const PART_BLOCKS: usize = 7;
/// A source lasts through a part if its score there, silence counted as 0, is above this share of the window's.
const LASTING_SHARE: f32 = 1.0 / 3.0;
/// A source that is absent from the window shows in a part if its score there is above this.
const LEAK_DB: f32 = 7.5;
/// And if the weaker of its tones is above this.
const LEAK_WEAKEST_DB: f32 = 4.0;
/// A part with fewer blocks of sound than this is averaged over so many: one click is not a leak.
const LEAK_BLOCKS: usize = 4;

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

/// Whether a source was heard throughout a window, for some of it, or never.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// In the whole window and in every part of it.
    Heard,
    /// In some parts and not in others: it came late, died, has a hole, or leaked for a while.
    Partly,
    /// Neither in the whole window nor in any part.
    NotHeard,
}

/// What was found of one signature in a window that it should fill or be absent from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// The window as a whole, silent blocks left out.
    pub whole: Detection,
    /// Its least score in any part, silent blocks counted as 0 dB.
    pub least_part_db: f32,
    /// How far it is from showing in the part where it shows most, in dB: positive is a leak.
    pub leak_margin_db: f32,
}

impl Judgement {
    /// The verdict: anything between throughout and never is [`Verdict::Partly`].
    pub fn verdict(&self) -> Verdict {
        if self.whole.is_present() && self.lasting_margin_db() > 0.0 {
            Verdict::Heard
        } else if !self.whole.is_present() && self.leak_margin_db <= 0.0 {
            Verdict::NotHeard
        } else {
            Verdict::Partly
        }
    }

    /// How far the verdict is from tipping, in dB: positive is heard, negative not heard, 0 partly.
    pub fn margin_db(&self) -> f32 {
        match self.verdict() {
            Verdict::Heard => self.whole.margin_db().min(self.lasting_margin_db()),
            Verdict::NotHeard => self.whole.margin_db().max(self.leak_margin_db),
            Verdict::Partly => 0.0,
        }
    }

    fn lasting_margin_db(&self) -> f32 {
        self.least_part_db - LASTING_SHARE * self.whole.score_db
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

    /// Scores one signature in the whole recording; silent blocks say nothing.
    pub fn detect(&self, signature: Signature) -> Detection {
        detection(signature, &self.ratios(signature), 1)
    }

    /// Judges whether one signature lasts through the recording, which is a whole window: what was not recorded must be
    /// there as silence. Only for a source that speaks, or keeps silent, all the time.
    pub fn judge(&self, signature: Signature) -> Judgement {
        let ratios = self.ratios(signature);
        let part = (ratios.len() / PARTS).max(PART_BLOCKS).min(ratios.len()).max(1);
        let (mut least_part_db, mut leak_margin_db) = (f32::INFINITY, f32::NEG_INFINITY);
        for blocks in ratios.windows(part) {
            let lasting = detection(signature, blocks, part);
            least_part_db = least_part_db.min(lasting.score_db);
            let leak = detection(signature, blocks, LEAK_BLOCKS);
            let margin_db = (leak.score_db - LEAK_DB).min(leak.weakest_db - LEAK_WEAKEST_DB);
            leak_margin_db = leak_margin_db.max(margin_db);
        }
        if ratios.is_empty() {
            (least_part_db, leak_margin_db) = (0.0, -LEAK_DB);
        }
        Judgement { whole: detection(signature, &ratios, 1), least_part_db, leak_margin_db }
    }

    /// What each block says of each tone, in dB over what an absent one gives; `None` where it is silent.
    fn ratios(&self, signature: Signature) -> Vec<Ratios> {
        let of = |block: &Vec<f64>| std::array::from_fn(|band| ratio_db(block, signature.bin(band)));
        self.blocks.iter().map(of).collect()
    }
}

/// What one block says of each tone.
type Ratios = [Option<f64>; TONES];

/// Averages over the blocks with sound, or over `at_least` if they are fewer: the others count as 0 dB.
fn detection(signature: Signature, blocks: &[Ratios], at_least: usize) -> Detection {
    let tones: [f32; TONES] = std::array::from_fn(|band| {
        let sounding = blocks.iter().filter_map(|block| block[band]);
        let (count, sum) = sounding.fold((0, 0.0), |(count, sum), ratio| (count + 1, sum + ratio));
        (sum / count.max(at_least) as f64) as f32
    });
    Detection {
        signature,
        score_db: tones.iter().sum::<f32>() / TONES as f32,
        weakest_db: tones.into_iter().fold(f32::INFINITY, f32::min),
    }
}

/// Power of a bin over the noise beside it, in dB, bounded and 0 on average for noise; `None` in silence.
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
    Some(ratio.clamp(RATIO_DB.0, RATIO_DB.1) - EXPECTED_DB)
}

/// Scores `signatures` in samples `window` of a mono recording; a window beyond the end is cut.
pub fn detect(recording: &[f32], rate: SpeechRate, window: Range<usize>, signatures: &[Signature]) -> Vec<Detection> {
    let end = window.end.min(recording.len());
    let detector = Detector::new(&recording[window.start.min(end)..end], rate);
    signatures.iter().map(|signature| detector.detect(*signature)).collect()
}
