//! A mark per source that survives Opus, so that who heard whom is measured from recordings and not asserted.
//!
//! Talkers lay it under their voice (`mark`), the run's analysis finds it in what every ear recorded (`detect`).
//! Thread: any; marking allocates nothing, detecting works on whole recordings.
//! Does not: identify a voice; two people with the same voice and different marks are told apart, an unmarked one is nobody.
//! How it works and how sure it is: the [`how`] page.

mod detect;
mod mark;

pub use detect::{Detection, Detector, Judgement, Verdict, detect};
pub use mark::{Marker, Signature};

/// # How it works
///
/// Each of the 64 signatures is a pair of steady tones, one in 2.5–4.0 kHz and one in 4.0–5.5 kHz, 23 Hz from the next
/// signature's tone and never shared. They lie 11 dB under the speech (audible, as a faint chord) while the talker speaks
/// and are absent while he does not. Opus is a waveform codec: at 24 kb/s its noise is spread over 8 kHz or more, while a tone keeps
/// its whole energy in 2 Hz. Cutting the recording in 512 ms Hann blocks and looking at one bin therefore gains over 30 dB against
/// speech and codec noise. Nothing has to be synchronised, so playout shifts, concealment and lost frames cost only the blocks
/// they fall in: phase may jump between blocks, and a jump inside one only widens the line.
///
/// Per block and tone the power in the tone's bin is compared in dB with the median of the 14 bins beside it. For noise of any loudness
/// that ratio has a known mean (−2.5 dB) and spread (5.6 dB), so the average over blocks and both tones is near zero for an
/// absent signature whatever else is in the mix. A signature is present if that average is above 4.5 dB and the weaker tone is above 2 dB.
///
/// # How sure it is
///
/// Measured over the chain of this module's tests, the real codec twice in the way (talker → Opus 24 kb/s → sum → Opus 24 kb/s → ear), 6 s windows, both rates, scores in dB:
///
/// | speakers at once | network, each way | present: least, mean, spread | absent: most, mean, spread |
/// |---|---|---|---|
/// | 1 | clean | 18.9, 20.6, 0.6 | 3.4, 0.4, 0.7 |
/// | 8 | clean | 12.4, 15.4, 0.8 | 2.9, 0.5, 0.8 |
/// | 16 | clean | 11.1, 13.9, 0.9 | 3.0, 0.7, 0.8 |
/// | 8 | 5 % loss with FEC, a playout slip each 7 s | 9.4, 11.4, 0.9 | 2.7, 0.4, 0.7 |
/// | 16 | the same | 7.7, 9.7, 0.9 | 2.6, 0.5, 0.7 |
/// | 8 | 5 % loss with FEC, a playout slip each 2 s | 8.2, 10.3, 1.0 | 2.6, 0.5, 0.7 |
/// | 16 | the same | 5.9, 8.6, 1.1 | 2.3, 0.5, 0.8 |
///
/// Of 1,056 scores of present signatures none was below the threshold, of 15,840 of absent ones none above. Taking the spreads for normal,
/// a window of 6 s with eight speakers errs about once in 10⁷ either way on these networks; sixteen speakers with a slip each 2 s
/// miss a present one about once in 10⁴. Spread falls with the root of the window's length; below 3 s do not trust it.
///
/// # Holes and leaks
///
/// The average over a window hides a stream that dies in it, most of all where nobody else speaks and the rest is silent. So
/// [`Detector::judge`] also scores every third of the window (at least 2 s, one starting at each block, every 256 ms). A source
/// is heard only if it is present in the whole and each third, with silence counted as 0 dB, keeps more than a third of the
/// whole's score; it is not heard only if it is absent from the whole and in no third above 7.5 dB with the weaker tone above 4 dB.
/// Anything else is [`Verdict::Partly`]. Measured over the chain above, 6 s windows at 16 kHz, 20 present and 480 absent or more in each
/// row, pauses of the speech included:
///
/// | speakers at once | network, each way | present: least third, least share of the whole | absent: most in a third |
/// |---|---|---|---|
/// | 1 | clean | 17.9, 0.87 | 5.3 |
/// | 2 | clean | 16.1, 0.83 | 5.3 |
/// | 8 | clean | 11.2, 0.76 | 4.7 |
/// | 16 | clean | 8.9, 0.68 | 5.3 |
/// | 1 | 5 % loss with FEC, a playout slip each 5 s | 10.7, 0.71 | 6.0 |
/// | 8 | the same | 5.3, 0.57 | 4.7 |
/// | 16 | the same | 3.4, 0.45 | 5.6 |
/// | 16 | 5 % loss with FEC, a playout slip each second | 2.4, 0.40 | 5.6 |
///
/// A hole of a third scores about 0 dB there, so it is seen; by the shares above one of 1.4 s mostly is too. A leak of a third is
/// seen where the least third above is over 7.5 dB; among sixteen on a bad network it may score no more than chance gives.
pub mod how {}

#[cfg(test)]
mod tests;
