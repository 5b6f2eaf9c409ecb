//! What the network does to each packet: lost, or how late. Seeded; the same for both chains.
//!
//! The generator is our own, so that a trace of today is the trace of next year.

/// The conditions of one row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition {
    /// Its name in file names and the table.
    pub(crate) name: &'static str,
    /// Share of packets lost, 0 to 1.
    loss: f64,
    /// Mean length of a loss in packets; 1 for independent losses.
    burst: f64,
    /// Uniform extra delay up to this, in milliseconds.
    jitter_ms: u64,
}

/// Rows of the table. The first five are held against the bar.
pub(crate) const CONDITIONS: [Condition; 7] = [
    Condition { name: "clean", loss: 0.0, burst: 1.0, jitter_ms: 0 },
    Condition { name: "random-5", loss: 0.05, burst: 1.0, jitter_ms: 0 },
    Condition { name: "random-10", loss: 0.10, burst: 1.0, jitter_ms: 0 },
    Condition { name: "random-20", loss: 0.20, burst: 1.0, jitter_ms: 0 },
    Condition { name: "bursty-10", loss: 0.10, burst: 3.0, jitter_ms: 0 },
    Condition { name: "jitter-40ms", loss: 0.0, burst: 1.0, jitter_ms: 40 },
    Condition { name: "jitter-40ms-random-10", loss: 0.10, burst: 1.0, jitter_ms: 40 },
];

/// A small deterministic generator (xorshift64*).
#[derive(Clone, Debug)]
struct Rng(u64);

impl Rng {
    fn new(seed: u64) -> Self {
        let mut rng = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            rng.next();
        }
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Condition {
    /// For each packet its extra delay in nanoseconds, or `None` if it is lost. Bursts follow the two-state model of
    /// Gilbert: all is lost in the bad state, nothing in the good one.
    pub(crate) fn trace(&self, seed: u64, packets: usize) -> Vec<Option<u64>> {
        let mut rng = Rng::new(seed);
        let leave = 1.0 / self.burst;
        // The share of time in the bad state is enter / (enter + leave). With bursts of mean 1 losses are independent.
        let enter = self.loss * leave / (1.0 - self.loss);
        let mut bad = false;
        let mut lost = |rng: &mut Rng| {
            let draw = rng.unit();
            bad = if self.burst == 1.0 {
                draw < self.loss
            } else if bad {
                draw >= leave
            } else {
                draw < enter
            };
            bad
        };
        (0..packets)
            .map(|_| {
                let lost = lost(&mut rng);
                let delay = (rng.unit() * (self.jitter_ms * 1_000_000) as f64) as u64;
                (!lost).then_some(delay)
            })
            .collect()
    }
}
