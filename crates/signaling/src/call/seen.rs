//! What was told before: a bounded memory, so that repetitions are not told.

use std::collections::VecDeque;

/// The last few of something that repeats. The oldest are forgotten.
#[derive(Debug)]
pub(super) struct Seen<T> {
    last: VecDeque<T>,
    capacity: usize,
}

impl<T: PartialEq> Seen<T> {
    pub(super) fn up_to(capacity: usize) -> Self {
        Self { last: VecDeque::new(), capacity }
    }

    /// Remembers one; whether it is new.
    pub(super) fn insert(&mut self, one: T) -> bool {
        if self.last.contains(&one) {
            return false;
        }
        if self.last.len() == self.capacity {
            self.last.pop_front();
        }
        self.last.push_back(one);
        true
    }

    pub(super) fn contains(&self, one: &T) -> bool {
        self.last.contains(one)
    }
}

/// Ids are written with and without dashes, in either case.
pub(super) fn canonical(id: &str) -> String {
    id.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_is_no_news_until_it_is_forgotten() {
        let mut seen = Seen::up_to(2);
        assert!(seen.insert(1) && seen.insert(2) && !seen.insert(1));
        assert!(seen.insert(3), "1 is forgotten");
        assert!(!seen.contains(&1) && seen.contains(&2));
        assert!(seen.insert(1));
    }
}
