//! Who talks when: a pure function of the frame number, so every participant of a run can know it of every other.
//!
//! Read by talkers while they speak and by the matrix, which may only expect what was spoken. Thread: any.
//! Does not: follow the clip's own pauses; those are in `speech`.

/// When one of several talkers talks, in 20 ms frames since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TalkPattern {
    /// All the time.
    Always,
    /// Not at all.
    Never,
    /// One after the other: talker `index` of `of` has every `of`th turn.
    Turns {
        /// This talker.
        index: u32,
        /// How many take turns; at least 1.
        of: u32,
        /// Frames in a turn; at least 1.
        frames: u32,
    },
    /// `k` of `n` at a time, chosen anew each slot by seed; all talkers of a run share seed and slot.
    Some {
        /// This talker.
        index: u32,
        /// How many talk at a time.
        k: u32,
        /// How many there are.
        n: u32,
        /// Frames in a slot; at least 1.
        frames: u32,
        /// Seed of the choice.
        seed: u64,
    },
}

impl TalkPattern {
    /// Whether this talker talks in frame `frame`.
    pub fn talks_at(self, frame: u64) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Turns { index, of, frames } => {
                frame / u64::from(frames.max(1)) % u64::from(of.max(1)) == u64::from(index)
            }
            Self::Some { index, k, n, frames, seed } => {
                let slot = frame / u64::from(frames.max(1));
                let draw = |talker: u32| (mix(seed ^ mix(slot) ^ u64::from(talker) << 32), talker);
                let mine = draw(index);
                // Among the k smallest draws; ties cannot happen because the talker is part of the key.
                let before = (0..n).filter(|other| *other != index && draw(*other) < mine).count();
                index < n && before < k as usize
            }
        }
    }
}

/// A 64-bit finaliser (the one of SplitMix64): every input bit changes every output bit.
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_give_every_frame_to_exactly_one() {
        for frame in 0..500 {
            let talking = (0..5).filter(|i| TalkPattern::Turns { index: *i, of: 5, frames: 7 }.talks_at(frame)).count();
            assert_eq!(talking, 1, "frame {frame}");
        }
    }

    #[test]
    fn exactly_k_of_n_talk_and_everybody_gets_a_share() {
        let mut shares = [0u32; 8];
        for frame in 0..4_000u64 {
            let mut talking = 0;
            for index in 0..8u32 {
                if (TalkPattern::Some { index, k: 3, n: 8, frames: 10, seed: 5 }).talks_at(frame) {
                    talking += 1;
                    shares[index as usize] += 1;
                }
            }
            assert_eq!(talking, 3, "frame {frame}");
        }
        // 1,500 each by fair share.
        assert!(shares.iter().all(|s| (1_000..2_000).contains(s)), "{shares:?}");
    }

    #[test]
    fn a_different_seed_chooses_differently() {
        let choice = |seed| {
            (0..400)
                .map(|f| TalkPattern::Some { index: 0, k: 1, n: 3, frames: 2, seed }.talks_at(f))
                .collect::<Vec<_>>()
        };
        assert_eq!(choice(1), choice(1));
        assert_ne!(choice(1), choice(2));
    }
}
