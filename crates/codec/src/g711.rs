//! G.711: companded 8 kHz speech, one byte a sample, brought to and from the bus rate.
//!
//! Sits where `Encoder` and `Decoder` sit for Opus, for legs that know nothing better (telephony). Runs on media
//! threads; built elsewhere, because the resamplers' memory is allocated once. Invariants: the laws are exact
//! to the recommendation's tables; no call allocates; an encoder's state can be copied, as that of Opus.
//! Not here: packets; what to do when one is missing is asked for, not decided. Spec: ITU-T G.711.

mod conceal;
mod law;
mod resample;

use conceal::Concealer;
pub use law::Law;
pub use resample::Resampler;

use crate::{CodecError, CodecRate};

/// The rate of G.711, in samples per second.
pub const RATE: u32 = 8_000;

/// Samples resampled at one go: 20 ms of G.711.
const BLOCK: usize = 160;

/// From the bus to G.711: an anti-alias filter, decimation and companding.
#[derive(Clone, Debug)]
pub struct Encoder {
    law: Law,
    down: Resampler,
}

impl Encoder {
    /// An encoder for samples at `rate`, mono.
    ///
    /// # Panics
    /// At 12 kHz, which is no multiple of 8.
    ///
    /// # Real-time
    /// Allocates 4 KB: build it off the media thread.
    #[must_use]
    pub fn new(law: Law, rate: CodecRate) -> Self {
        Self { law, down: Resampler::down(ratio(rate)) }
    }

    /// Encodes `pcm` (full scale ±1), whose length is a multiple of the ratio of the rates, and gives the bytes written.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] for another length, [`CodecError::BufferTooSmall`] if `out` cannot hold a byte
    /// per sample at 8 kHz; nothing has changed then.
    ///
    /// # Real-time
    /// No allocation; some microseconds for 20 ms.
    pub fn encode(&mut self, pcm: &[f32], out: &mut [u8]) -> Result<usize, CodecError> {
        let ratio = self.down.ratio();
        if !pcm.len().is_multiple_of(ratio) {
            return Err(CodecError::BadArgument);
        }
        let len = pcm.len() / ratio;
        let out = out.get_mut(..len).ok_or(CodecError::BufferTooSmall)?;
        let mut narrow = [0.0; BLOCK];
        for (pcm, out) in pcm.chunks(BLOCK * ratio).zip(out.chunks_mut(BLOCK)) {
            let narrow = &mut narrow[..out.len()];
            self.down.process(pcm, narrow);
            self.law.encode(narrow, out);
        }
        Ok(len)
    }

    /// Codes by `law` from the next sample on.
    pub fn set_law(&mut self, law: Law) {
        self.law = law;
    }

    /// Makes this encoder continue exactly where `source` stands.
    ///
    /// # Errors
    /// [`CodecError::StateMismatch`] if the rates differ.
    ///
    /// # Real-time
    /// No allocation; copies 1 KB.
    pub fn copy_state_from(&mut self, source: &Self) -> Result<(), CodecError> {
        self.law = source.law;
        self.down.copy_from(&source.down)
    }

    /// Forgets what was heard.
    pub fn reset(&mut self) {
        self.down.reset();
    }
}

/// From G.711 to the bus: expansion, concealment where asked for, and interpolation.
#[derive(Clone, Debug)]
pub struct Decoder {
    up: Resampler,
    concealer: Concealer,
}

impl Decoder {
    /// A decoder that gives samples at `rate`, mono.
    ///
    /// # Panics
    /// At 12 kHz, which is no multiple of 8.
    ///
    /// # Real-time
    /// Allocates 4 KB: build it off the media thread.
    #[must_use]
    pub fn new(rate: CodecRate) -> Self {
        Self { up: Resampler::up(ratio(rate)), concealer: Concealer::new() }
    }

    /// Decodes `payload` into `out` (full scale ±1) and gives the samples written.
    ///
    /// # Errors
    /// [`CodecError::InvalidPacket`] if it is empty, [`CodecError::BufferTooSmall`] if `out` is shorter than its audio.
    ///
    /// # Real-time
    /// No allocation; some microseconds for 20 ms.
    pub fn decode(&mut self, law: Law, payload: &[u8], out: &mut [f32]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError::InvalidPacket);
        }
        let len = payload.len() * self.up.ratio();
        let out = out.get_mut(..len).ok_or(CodecError::BufferTooSmall)?;
        let mut narrow = [0.0; BLOCK];
        for (bytes, out) in payload.chunks(BLOCK).zip(out.chunks_mut(BLOCK * self.up.ratio())) {
            let narrow = &mut narrow[..bytes.len()];
            law.decode(bytes, narrow);
            self.concealer.heard(narrow);
            self.up.process(narrow, out);
        }
        Ok(len)
    }

    /// Fills `out` with a plausible continuation, which fades when repeated: the last period of the voice over
    /// and over. Its length is a multiple of the ratio of the rates.
    ///
    /// # Errors
    /// [`CodecError::BadArgument`] for another length.
    ///
    /// # Real-time
    /// No allocation; some ten microseconds in the first of a row, for finding the period.
    pub fn conceal(&mut self, out: &mut [f32]) -> Result<usize, CodecError> {
        let ratio = self.up.ratio();
        if !out.len().is_multiple_of(ratio) {
            return Err(CodecError::BadArgument);
        }
        let mut narrow = [0.0; BLOCK];
        for out in out.chunks_mut(BLOCK * ratio) {
            let narrow = &mut narrow[..out.len() / ratio];
            self.concealer.conceal(narrow);
            self.up.process(narrow, out);
        }
        Ok(out.len())
    }

    /// Samples it gives for one of G.711.
    #[must_use]
    pub fn ratio(&self) -> usize {
        self.up.ratio()
    }

    /// Forgets what was heard: between streams.
    pub fn reset(&mut self) {
        self.up.reset();
        self.concealer = Concealer::new();
    }
}

/// How many bus samples there are to one of G.711.
const fn ratio(rate: CodecRate) -> usize {
    match rate {
        CodecRate::Hz8000 => 1,
        CodecRate::Hz12000 => panic!("G.711 cannot be brought to 12 kHz, which is no multiple of 8"),
        CodecRate::Hz16000 => 2,
        CodecRate::Hz24000 => 3,
        CodecRate::Hz48000 => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, level: f32, samples: usize, rate: f32) -> Vec<f32> {
        (0..samples).map(|n| level * (std::f32::consts::TAU * hz * n as f32 / rate).sin()).collect()
    }

    fn rms(samples: &[f32]) -> f32 {
        (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt()
    }

    #[test]
    fn a_voice_band_tone_comes_through_encoder_and_decoder_at_its_level() {
        for law in [Law::Mu, Law::A] {
            for rate in [CodecRate::Hz16000, CodecRate::Hz24000, CodecRate::Hz48000] {
                let pcm = tone(1_000.0, 0.25, rate.frame_samples() * 10, rate.hz() as f32);
                let (mut encoder, mut decoder) = (Encoder::new(law, rate), Decoder::new(rate));
                let (mut bytes, mut out) = ([0; 160], vec![0.0; rate.frame_samples()]);
                let mut heard = Vec::new();
                for frame in pcm.chunks(rate.frame_samples()) {
                    assert_eq!(encoder.encode(frame, &mut bytes), Ok(160));
                    assert_eq!(decoder.decode(law, &bytes, &mut out), Ok(out.len()));
                    heard.extend_from_slice(&out);
                }
                // Two filters of 18 samples at 8 kHz each.
                let delay = 36 * ratio(rate);
                let from = rate.frame_samples();
                let error: Vec<f32> = heard[from + delay..].iter().zip(&pcm[from..]).map(|(a, b)| a - b).collect();
                let noise = 20.0 * (rms(&error) / rms(&pcm)).log10();
                assert!(noise < -33.0, "{law:?} at {rate:?}: quantization noise {noise} dB");
            }
        }
    }

    #[test]
    fn a_copied_encoder_goes_on_with_the_same_bytes() {
        let pcm = tone(440.0, 0.5, 9_600, 48_000.0);
        let mut first = Encoder::new(Law::A, CodecRate::Hz48000);
        let mut second = Encoder::new(Law::Mu, CodecRate::Hz48000);
        let (mut a, mut b) = ([0; 160], [0; 160]);
        first.encode(&pcm[..960], &mut a).unwrap();
        second.copy_state_from(&first).unwrap();
        for frame in pcm[960..].chunks(960) {
            first.encode(frame, &mut a).unwrap();
            second.encode(frame, &mut b).unwrap();
            assert_eq!(a, b);
        }
        assert_eq!(second.copy_state_from(&Encoder::new(Law::A, CodecRate::Hz16000)), Err(CodecError::StateMismatch));
    }

    #[test]
    fn odd_lengths_and_short_buffers_are_refused() {
        let mut encoder = Encoder::new(Law::A, CodecRate::Hz48000);
        assert_eq!(encoder.encode(&[0.0; 959], &mut [0; 160]), Err(CodecError::BadArgument));
        assert_eq!(encoder.encode(&[0.0; 960], &mut [0; 159]), Err(CodecError::BufferTooSmall));
        let mut decoder = Decoder::new(CodecRate::Hz48000);
        assert_eq!(decoder.decode(Law::A, &[], &mut [0.0; 960]), Err(CodecError::InvalidPacket));
        assert_eq!(decoder.decode(Law::A, &[0; 160], &mut [0.0; 959]), Err(CodecError::BufferTooSmall));
        assert_eq!(decoder.conceal(&mut [0.0; 100]), Err(CodecError::BadArgument));
    }

    #[test]
    fn a_lost_frame_is_bridged_and_a_long_gap_fades_out() {
        let rate = CodecRate::Hz48000;
        let pcm = tone(180.0, 0.4, 960 * 12, 48_000.0);
        let (mut encoder, mut decoder) = (Encoder::new(Law::Mu, rate), Decoder::new(rate));
        let (mut bytes, mut heard) = ([0; 160], Vec::new());
        for (at, frame) in pcm.chunks(960).enumerate() {
            encoder.encode(frame, &mut bytes).unwrap();
            let mut out = vec![0.0; 960];
            if at == 6 { decoder.conceal(&mut out) } else { decoder.decode(Law::Mu, &bytes, &mut out) }.unwrap();
            heard.push(out);
        }
        assert!((rms(&heard[6]) / rms(&heard[5]) - 1.0).abs() < 0.2, "the hole is filled");
        let joined = heard.concat();
        let steepest = |range: std::ops::Range<usize>| {
            joined[range].windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max)
        };
        let (around, before) = (steepest(960 * 5..960 * 9), steepest(960 * 3..960 * 5));
        assert!(around < 1.5 * before, "without a click: {around} after {before}");
        let mut last = rms(&heard[11]);
        for frame in 0..8 {
            let mut out = [0.0; 960];
            decoder.conceal(&mut out).unwrap();
            assert!(rms(&out) <= last * 1.05, "frame {frame} grows");
            last = rms(&out);
        }
        assert!(last < 1e-6, "silent after 120 ms and the delay of the filter: {last}");
    }
}
