//! The two companding laws, sample by sample.
//!
//! Encoding is arithmetic, decoding a table made at compile time. Linear values are 16 bits wide: mu-law's 14 and
//! A-law's 13 bits stand at the top. Pure. Spec: ITU-T G.711, tables 1 and 2; the inversion of even bits of
//! A-law and of all bits of mu-law is part of the code words, as on the wire (RFC 3551 §4.5.14).

/// A companding law of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// North America and Japan; PCMU.
    Mu,
    /// Everywhere else; PCMA.
    A,
}

/// Largest 16-bit sample of either sign before clipping, for scaling floats.
const FULL_SCALE: f32 = 32_768.0;
/// Mu-law's bias in its 14-bit scale, which makes every segment start at a power of two.
const MU_BIAS: i32 = 33;
/// Largest biased magnitude of mu-law.
const MU_CLIP: i32 = 0x1fff;

static MU_LINEAR: [i16; 256] = table(Law::Mu);
static A_LINEAR: [i16; 256] = table(Law::A);

impl Law {
    /// The code word of a sample.
    #[must_use]
    pub const fn compress(self, sample: i16) -> u8 {
        // One's complement, so that both signs have the same decision values.
        let magnitude = if sample < 0 { !sample } else { sample } as i32;
        let sign = if sample < 0 { 0 } else { 0x80 };
        match self {
            Self::Mu => {
                let biased = (magnitude >> 2) + MU_BIAS;
                let biased = if biased > MU_CLIP { MU_CLIP } else { biased };
                // Between 33 and 8191: the leading one is bit 5 to bit 12.
                let segment = 26 - biased.leading_zeros();
                let step = biased >> (segment + 1) & 0x0f;
                !((segment << 4) as u8 | step as u8) & 0x7f | sign
            }
            Self::A => {
                let linear = magnitude >> 4;
                let code = if linear < 32 {
                    linear
                } else {
                    let segment = 28 - linear.leading_zeros() as i32;
                    segment << 4 | linear >> (segment - 1) & 0x0f
                };
                (code as u8 | sign) ^ 0x55
            }
        }
    }

    /// The sample of a code word.
    #[must_use]
    pub const fn expand(self, code: u8) -> i16 {
        match self {
            Self::Mu => {
                let bits = !code;
                let (segment, step) = ((bits >> 4 & 7) as i32, (bits & 0x0f) as i32);
                let magnitude = ((step << 1 | 0x21) << segment) - MU_BIAS;
                let linear = magnitude << 2;
                (if code < 0x80 { -linear } else { linear }) as i16
            }
            Self::A => {
                let bits = code ^ 0x55;
                let (segment, step) = ((bits >> 4 & 7) as i32, (bits & 0x0f) as i32);
                let half = step << 1 | 1;
                let linear = if segment == 0 { half << 3 } else { (half | 0x20) << (segment + 2) };
                (if bits < 0x80 { -linear } else { linear }) as i16
            }
        }
    }

    /// The code word of silence.
    #[must_use]
    pub const fn silence(self) -> u8 {
        self.compress(0)
    }

    /// Compresses samples (full scale ±1; beyond it they clip) to as many bytes.
    pub fn encode(self, pcm: &[f32], out: &mut [u8]) {
        for (sample, out) in pcm.iter().zip(out) {
            // Rounds; the cast saturates, and makes silence of what is not a number.
            *out = self.compress((sample * FULL_SCALE).round_ties_even() as i16);
        }
    }

    /// Expands bytes to as many samples (full scale ±1).
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        let table = match self {
            Self::Mu => &MU_LINEAR,
            Self::A => &A_LINEAR,
        };
        for (byte, out) in bytes.iter().zip(out) {
            *out = f32::from(table[usize::from(*byte)]) / FULL_SCALE;
        }
    }
}

const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = law.expand(code as u8);
        code += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of the recommendation's tables from the least magnitude up: decision value, value at the decoder's
    /// output. Written from the segments as tabulated: first decision value, width of an interval, intervals.
    fn rows(segments: &[(i32, i32, i32)]) -> Vec<(i32, f64)> {
        let row = |first, width, at| (first + width * at, f64::from(2 * (first + width * at) + width) / 2.0);
        segments.iter().flat_map(|&(first, width, count)| (0..count).map(move |at| row(first, width, at))).collect()
    }

    /// G.711 table 1a, in units of 1/4096 of full scale.
    fn a_rows() -> Vec<(i32, f64)> {
        rows(&[(0, 2, 32), (64, 4, 16), (128, 8, 16), (256, 16, 16), (512, 32, 16), (1024, 64, 16), (2048, 128, 16)])
    }

    /// G.711 table 2a, in units of 1/8192 of full scale. The first interval is half as wide, and its value 0.
    fn mu_rows() -> Vec<(i32, f64)> {
        let segments =
            [(1, 2, 15), (31, 4, 16), (95, 8, 16), (223, 16, 16), (479, 32, 16), (991, 64, 16), (2015, 128, 16)];
        let top = rows(&[(4063, 256, 16)]);
        [vec![(0, 0.0)], rows(&segments), top].concat()
    }

    #[test]
    fn every_code_word_has_the_value_of_the_recommendations_tables() {
        let (a, mu) = (a_rows(), mu_rows());
        assert_eq!((a.len(), mu.len()), (128, 128));
        // Values that the recommendation prints: tables 1a and 2a, column 7.
        assert_eq!((a[127].1, a[112].1, a[0].1), (4032.0, 2112.0, 1.0));
        assert_eq!((mu[127].1, mu[112].1, mu[96].1, mu[1].1), (8031.0, 4191.0, 2079.0, 2.0));
        for (at, row) in a.iter().enumerate() {
            let code = (at as u8 | 0x80) ^ 0x55;
            assert_eq!(f64::from(Law::A.expand(code)), row.1 * 8.0, "A-law value {at}");
            assert_eq!(f64::from(Law::A.expand(code ^ 0x80)), -row.1 * 8.0, "A-law value -{at}");
        }
        for (at, row) in mu.iter().enumerate() {
            let code = !(at as u8);
            assert_eq!(f64::from(Law::Mu.expand(code)), row.1 * 4.0, "mu-law value {at}");
            assert_eq!(f64::from(Law::Mu.expand(code & 0x7f)), -row.1 * 4.0, "mu-law value -{at}");
        }
    }

    #[test]
    fn every_sample_gets_the_code_word_of_the_interval_it_lies_in() {
        for (law, rows, unit) in [(Law::A, a_rows(), 8), (Law::Mu, mu_rows(), 4)] {
            for sample in i16::MIN..=i16::MAX {
                let magnitude = i32::from(if sample < 0 { !sample } else { sample });
                let at = rows.partition_point(|(decision, _)| decision * unit <= magnitude) - 1;
                let positive = if law == Law::A { (at as u8 | 0x80) ^ 0x55 } else { !(at as u8) };
                let expected = if sample < 0 { positive ^ 0x80 } else { positive };
                assert_eq!(law.compress(sample), expected, "{law:?} of {sample}");
            }
        }
    }

    #[test]
    fn well_known_code_words_stand() {
        assert_eq!((Law::Mu.silence(), Law::A.silence()), (0xff, 0xd5));
        assert_eq!((Law::Mu.compress(i16::MAX), Law::Mu.compress(i16::MIN)), (0x80, 0x00));
        assert_eq!((Law::A.compress(i16::MAX), Law::A.compress(i16::MIN)), (0xaa, 0x2a));
        // The digital milliwatt, G.711 tables 5 and 6: eight code words of 1 kHz at 0 dBm0.
        let mu = [0x1e_u8, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e].map(|code| Law::Mu.expand(code));
        assert_eq!(mu, [-8_828, -20_860, -20_860, -8_828, 8_828, 20_860, 20_860, 8_828]);
    }

    #[test]
    fn floats_are_rounded_and_clipped_and_what_is_no_number_is_silence() {
        let mut out = [0; 4];
        Law::A.encode(&[2.0, -2.0, f32::NAN, 0.0], &mut out);
        assert_eq!(out, [0xaa, 0x2a, 0xd5, 0xd5]);
        let mut back = [0.0; 1];
        Law::A.decode(&[0xaa], &mut back);
        assert_eq!(back, [32_256.0 / 32_768.0]);
    }
}
