//! Added mouth-to-ear delay, estimated by comparing what was said with what was heard.
//!
//! Runs after a call on two recordings of one timebase; pure. Mouths place a frame at the time it was sent, ears at the time the
//! quickest packet brought it, so a direct wire has no delay but the codec's, which is subtracted: what is left was added on the way.
//! The method is cross-correlation with the spectrum flattened (PHAT), which finds one voice under others.
//! Does not: measure the ear's own playout buffer; [`crate::ear::EarStats::lateness_us`] says how much one would need.

use crate::fourier::{Complex, Fft};
use crate::recording::Recording;
use std::ops::Range;
use std::time::Duration;

/// What one Opus encode adds between input and output samples at 48 kHz: 312 samples (RFC 7845 §4.2 calls it pre-skip).
pub const OPUS_LOOKAHEAD: Duration = Duration::from_micros(6_500);
/// Delays up to this are searched.
pub const MAX_DELAY: Duration = Duration::from_millis(1_000);
/// Speech band that takes part, in hertz: pitch and first formants, below the signatures' tones.
const BAND: Range<f64> = 150.0..2_300.0;

/// A delay that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay {
    /// Added delay; zero if the estimate came out below the codec's own.
    pub added: Duration,
    /// Height of the correlation's peak over its spread elsewhere; below [`Delay::TRUSTED`] it is chance.
    pub clarity: f64,
}

impl Delay {
    /// The clarity from which on an estimate is worth counting.
    pub const TRUSTED: f64 = 12.0;

    /// Whether the peak stands clear of chance.
    pub fn is_trusted(&self) -> bool {
        self.clarity >= Self::TRUSTED
    }
}

/// The delay of `said` in `heard` for speech said in `window`, less what `codec_passes` encodes add.
///
/// `None` if the recordings differ in rate or one is silent there. Two seconds or more of speech make a good window.
pub fn added_delay(said: &Recording, heard: &Recording, window: &Range<Duration>, codec_passes: u32) -> Option<Delay> {
    if said.rate() != heard.rate() {
        return None;
    }
    let mouth = said.between(window);
    let ear = heard.between(&(window.start..window.end + MAX_DELAY));
    let rate = said.rate().sample_rate();
    let max_lag = rate.samples_in(MAX_DELAY).as_u64() as usize;
    let size = (mouth.len() + ear.len()).next_power_of_two();
    if mouth.iter().all(|s| *s == 0.0) || ear.iter().all(|s| *s == 0.0) {
        return None;
    }
    let fft = Fft::new(size);
    let spectrum = |samples: &[f32]| {
        let mut data: Vec<_> = samples.iter().map(|s| Complex { re: f64::from(*s), im: 0.0 }).collect();
        data.resize(size, Complex::default());
        fft.forward(&mut data);
        data
    };
    let (mouth, mut cross) = (spectrum(mouth), spectrum(ear));
    for (bin, (value, said)) in cross.iter_mut().zip(&mouth).enumerate() {
        let hertz = bin.min(size - bin) as f64 * f64::from(rate.hertz()) / size as f64;
        let product = value.times(said.conjugate());
        let magnitude = product.power().sqrt();
        let weight = if BAND.contains(&hertz) && magnitude > 0.0 { 1.0 / magnitude } else { 0.0 };
        *value = Complex { re: product.re * weight, im: product.im * weight };
    }
    fft.backward(&mut cross);
    let lags = &cross[..max_lag.min(size / 2)];
    let (lag, peak) = lags.iter().map(|c| c.re).enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let spread = (lags.iter().map(|c| c.re * c.re).sum::<f64>() / lags.len() as f64).sqrt();
    let total = rate.duration_of(antiphon_rtp::SampleCount::new(lag as u64));
    Some(Delay { added: total.saturating_sub(OPUS_LOOKAHEAD * codec_passes), clarity: peak / spread })
}

/// The trusted delays of consecutive windows of `length` within `window`, for a distribution.
pub fn added_delays(
    said: &Recording,
    heard: &Recording,
    window: &Range<Duration>,
    length: Duration,
    codec_passes: u32,
) -> Vec<Delay> {
    let mut delays = vec![];
    let mut start = window.start;
    while start + length <= window.end && !length.is_zero() {
        delays.extend(added_delay(said, heard, &(start..start + length), codec_passes).filter(Delay::is_trusted));
        start += length;
    }
    delays
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{Marker, Signature};
    use crate::speech::{SpeechLoop, SpeechRate, Voice};
    use antiphon_codec::{Channels, Decoder, Encoder, EncoderConfig};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// Marked speech of one voice, 5 s from the epoch on.
    fn said(voice: usize, rate: SpeechRate) -> Recording {
        let mut speech = SpeechLoop::new(Voice::nth(voice), rate, 0);
        let mut marker = Marker::new(Signature::new(voice).unwrap(), rate.sample_rate());
        let mut recording = Recording::new(rate);
        for _ in 0..250 {
            let mut frame = vec![0.0; rate.frame()];
            let speaking = speech.next_frame(&mut frame);
            marker.mark(&mut frame, speaking);
            recording.append(&frame);
        }
        recording
    }

    /// The same through Opus, `passes` times.
    fn coded(recording: &Recording, passes: u32) -> Recording {
        let rate = recording.rate();
        let mut out = recording.clone();
        for _ in 0..passes {
            let mut encoder = Encoder::new(&EncoderConfig::speech(rate.codec_rate())).unwrap();
            let mut decoder = Decoder::new(rate.codec_rate(), Channels::Mono).unwrap();
            let mut next = Recording::new(rate);
            for frame in out.samples().chunks_exact(rate.frame()) {
                let (mut packet, mut pcm) = ([0; 1_275], vec![0.0; rate.frame()]);
                let len = encoder.encode(frame, &mut packet).unwrap();
                decoder.decode(&packet[..len], &mut pcm).unwrap();
                next.append(&pcm);
            }
            out = next;
        }
        out
    }

    fn delayed(recording: &Recording, by: Duration) -> Recording {
        let mut out = Recording::new(recording.rate());
        out.put(by, recording.samples());
        out
    }

    #[test]
    fn known_delays_come_out_to_the_millisecond() {
        for rate in [SpeechRate::Hz16000, SpeechRate::Hz48000] {
            let voice = said(1, rate);
            for (delay, passes) in [(0, 1), (20, 2), (73, 2), (400, 1)] {
                let heard = delayed(&coded(&voice, passes), MS(delay));
                let found = added_delay(&voice, &heard, &(MS(500)..MS(3_500)), passes).unwrap();
                assert!(found.is_trusted(), "{rate:?} {delay}: {found:?}");
                let error = (found.added.as_secs_f64() * 1e3 - delay as f64).abs();
                assert!(error < 1.0, "{rate:?}: {delay} ms came out as {found:?}");
            }
        }
    }

    #[test]
    fn one_voice_is_found_under_three_others() {
        let rate = SpeechRate::Hz16000;
        let voice = said(0, rate);
        let mut mix = delayed(&voice, MS(55));
        for other in 1..4 {
            let other = said(other, rate);
            let sum: Vec<f32> = mix.samples().iter().zip(other.samples()).map(|(a, b)| a + b).collect();
            mix.put(Duration::ZERO, &sum);
        }
        let found = added_delay(&voice, &coded(&mix, 1), &(MS(0)..MS(4_000)), 1).unwrap();
        assert!(found.is_trusted() && found.added.abs_diff(MS(55)) < MS(1), "{found:?}");
    }

    #[test]
    fn somebody_else_is_not_trusted_and_silence_is_nothing() {
        let rate = SpeechRate::Hz16000;
        let (voice, other) = (said(2, rate), said(5, rate));
        let found = added_delay(&voice, &coded(&other, 1), &(MS(0)..MS(4_000)), 1).unwrap();
        assert!(!found.is_trusted(), "{found:?}");
        assert_eq!(added_delay(&voice, &Recording::new(rate), &(MS(0)..MS(4_000)), 1), None);
        assert_eq!(added_delay(&voice, &Recording::new(SpeechRate::Hz48000), &(MS(0)..MS(4_000)), 1), None);
    }

    #[test]
    fn a_delay_that_moves_shows_in_the_windows() {
        let rate = SpeechRate::Hz16000;
        let voice = said(3, rate);
        let mut heard = Recording::new(rate);
        heard.put(MS(20), voice.between(&(MS(0)..MS(2_500))));
        heard.put(MS(2_560), voice.between(&(MS(2_500)..MS(5_000))));
        let delays = added_delays(&voice, &heard, &(MS(0)..MS(5_000)), MS(1_250), 0);
        let ms: Vec<_> = delays.iter().map(|d| d.added.as_millis()).collect();
        assert_eq!(ms, [20, 20, 60, 60]);
    }
}
