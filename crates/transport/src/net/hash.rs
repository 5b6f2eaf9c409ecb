//! A quick hash for the table's maps, which are asked once per packet.
//!
//! Keys are numbers of ours and addresses that have proved who they are; a random seed keeps even those from choosing
//! their buckets. Not here: protection of maps that strangers fill, for which the standard hasher is right.

use std::hash::{BuildHasher, Hasher, RandomState};

/// An odd number with no pattern: the fractional part of the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes hashers with one random seed.
#[derive(Clone, Debug)]
pub(super) struct QuickState(u64);

impl Default for QuickState {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl BuildHasher for QuickState {
    type Hasher = QuickHasher;

    fn build_hasher(&self) -> QuickHasher {
        QuickHasher(self.0)
    }
}

/// Multiplies and folds, eight bytes at a time.
#[derive(Debug)]
pub(super) struct QuickHasher(u64);

impl QuickHasher {
    fn add(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MIX);
        self.0 = (product as u64) ^ (product >> 64) as u64;
    }
}

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u16(&mut self, n: u16) {
        self.add(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn neighbouring_addresses_and_numbers_spread_over_buckets() {
        let state = QuickState::default();
        let address = |i: u32| SocketAddr::from(([10, 0, (i >> 8) as u8, i as u8], 4_000 + (i % 7) as u16));
        for shift in [0, 57] {
            let buckets: HashSet<u64> = (0..1_024).map(|i| (state.hash_one(address(i)) >> shift) & 127).collect();
            assert!(buckets.len() > 120, "{} of 128", buckets.len());
            let buckets: HashSet<u64> = (0..1_024_u32).map(|i| (state.hash_one(i) >> shift) & 127).collect();
            assert!(buckets.len() > 120, "{} of 128", buckets.len());
        }
        assert_ne!(QuickState::default().hash_one(7_u32), state.hash_one(7_u32), "seeds differ");
    }
}
