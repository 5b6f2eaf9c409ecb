//! Fixed-size bit sets over dense indices, sized once and never grown.
//!
//! Heard sets, the set of who talks and the keys of mixes are these. All of it runs in the tick
//! except [`Bits::new`]. Not here: sparse sets (rooms are dense).

/// A set of small numbers below a fixed capacity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Bits {
    words: Box<[u64]>,
}

/// Words needed for `capacity` bits.
pub(crate) const fn words_for(capacity: usize) -> usize {
    capacity.div_ceil(64)
}

impl Bits {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { words: vec![0; words_for(capacity)].into_boxed_slice() }
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(crate) fn contains(&self, index: usize) -> bool {
        self.words[index / 64] >> (index % 64) & 1 == 1
    }

    pub(crate) fn insert(&mut self, index: usize) {
        self.words[index / 64] |= 1 << (index % 64);
    }

    pub(crate) fn remove(&mut self, index: usize) {
        self.words[index / 64] &= !(1 << (index % 64));
    }

    /// Sets membership and says whether that changed anything.
    pub(crate) fn assign(&mut self, index: usize, member: bool) -> bool {
        let changed = self.contains(index) != member;
        if changed {
            self.words[index / 64] ^= 1 << (index % 64);
        }
        changed
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Takes in all members of a set of the same capacity, given as words.
    pub(crate) fn add_all(&mut self, words: &[u64]) {
        for (own, others) in self.words.iter_mut().zip(words) {
            *own |= others;
        }
    }

    /// Keeps the members that are also in a set of the same capacity, given as words.
    pub(crate) fn keep_only(&mut self, words: &[u64]) {
        for (own, others) in self.words.iter_mut().zip(words) {
            *own &= others;
        }
    }

    /// Drops the members that are in a set of the same capacity, given as words.
    pub(crate) fn drop_all(&mut self, words: &[u64]) {
        for (own, others) in self.words.iter_mut().zip(words) {
            *own &= !others;
        }
    }

    /// Becomes the set of the same capacity that is given as words.
    pub(crate) fn set_words(&mut self, words: &[u64]) {
        self.words.copy_from_slice(words);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> usize {
        count(&self.words)
    }

    /// The first member at or after `from`: for walks during which the owner is changed.
    pub(crate) fn next_from(&self, from: usize) -> Option<usize> {
        let mut at = from / 64;
        let mut word = *self.words.get(at)? & (u64::MAX << (from % 64));
        while word == 0 {
            at += 1;
            word = *self.words.get(at)?;
        }
        Some(at * 64 + word.trailing_zeros() as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        ones(&self.words)
    }
}

/// How many bits are set in `words`.
pub(crate) fn count(words: &[u64]) -> usize {
    words.iter().map(|word| word.count_ones() as usize).sum()
}

/// The positions of the bits set in `words`, ascending.
pub(crate) fn ones(words: &[u64]) -> impl Iterator<Item = usize> + '_ {
    words.iter().enumerate().flat_map(|(at, &word)| Ones { word, base: at * 64 })
}

/// The positions of the bits set in `words` and not in `without`, ascending.
pub(crate) fn ones_without<'a>(words: &'a [u64], without: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
    let pairs = words.iter().zip(without).enumerate();
    pairs.flat_map(|(at, (&word, &without))| Ones { word: word & !without, base: at * 64 })
}

/// The positions of the bits set in both, ascending.
pub(crate) fn ones_within<'a>(words: &'a [u64], within: &'a [u64]) -> impl Iterator<Item = usize> + 'a {
    let pairs = words.iter().zip(within).enumerate();
    pairs.flat_map(|(at, (&word, &within))| Ones { word: word & within, base: at * 64 })
}

/// Whether the bit at `index` is set in `words`.
pub(crate) fn has(words: &[u64], index: usize) -> bool {
    words[index / 64] >> (index % 64) & 1 == 1
}

struct Ones {
    word: u64,
    base: usize,
}

impl Iterator for Ones {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.word == 0 {
            return None;
        }
        let bit = self.word.trailing_zeros() as usize;
        self.word &= self.word - 1;
        Some(self.base + bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_back_in_order_across_words() {
        let mut bits = Bits::new(130);
        for index in [129, 0, 63, 64] {
            bits.insert(index);
        }
        assert_eq!(bits.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        let walk = std::iter::successors(bits.next_from(0), |at| bits.next_from(at + 1));
        assert_eq!(walk.collect::<Vec<_>>(), [0, 63, 64, 129]);
        bits.remove(63);
        assert!(!bits.contains(63) && bits.contains(64));
        assert_eq!(bits.count(), 3);
        assert!(bits.assign(5, true) && !bits.assign(5, true));
    }
}
