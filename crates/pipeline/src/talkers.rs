//! Who is mixed when not everybody may be: the loudest few.
//!
//! A load governor's last step ([`crate::Effort::max_talkers`]). Membership must not flap, since each change costs
//! encodes for 300 ms: loudness is held for a while, a member has half a second before it can be ousted,
//! and only somebody clearly louder ousts it, one per tick. Runs in the tick: O(talkers), a sort when the limit changes.

use crate::bits::Bits;

/// Share of its held power that a source keeps per tick while it is quieter: about 300 ms to a third.
const HOLD: f32 = 0.94;
/// Ticks for which a new member cannot be ousted.
const TENURE: u32 = 25;
/// How many times the power of a member it takes to oust it: 6 dB.
const MARGIN: f32 = 4.0;

/// The members, and how loud everybody has been lately.
#[derive(Debug)]
pub(crate) struct Talkers {
    members: Bits,
    power: Box<[f32]>,
    /// Ticks since it became a member.
    tenure: Box<[u32]>,
    /// Somebody is left out.
    crowded: bool,
    order: Vec<u16>,
}

impl Talkers {
    pub(crate) fn new(sources: usize) -> Self {
        Self {
            members: Bits::new(sources),
            power: vec![0.0; sources].into(),
            tenure: vec![0; sources].into(),
            crowded: false,
            order: Vec::with_capacity(sources),
        }
    }

    /// The sources to mix, as words: all of `open`, or the `limit` loudest of them.
    pub(crate) fn choose(&mut self, open: &Bits, limit: u16, power: impl Fn(usize) -> f32) -> &[u64] {
        let limit = usize::from(limit.max(1));
        let count = open.count();
        if count <= limit {
            // Nobody is left out; should there be more of them one day, all start alike.
            self.members.set_words(open.words());
            self.crowded = false;
            return self.members.words();
        }
        self.listen(open, power);
        self.members.keep_only(open.words());
        if self.members.count() != limit {
            self.fill(open, limit);
        } else {
            self.contest(open);
        }
        self.members.words()
    }

    fn listen(&mut self, open: &Bits, power: impl Fn(usize) -> f32) {
        if !self.crowded {
            self.crowded = true;
            self.power.fill(0.0);
            self.tenure.fill(TENURE);
        }
        for index in open.iter() {
            self.power[index] = power(index).max(self.power[index] * HOLD);
            self.tenure[index] = self.tenure[index].saturating_add(1);
        }
    }

    /// Fills up, or cuts down, to the `limit` loudest; who is a member goes before who is not and as loud.
    fn fill(&mut self, open: &Bits, limit: usize) {
        let Self { members, power, tenure, order, .. } = self;
        order.clear();
        order.extend(open.iter().map(|index| index as u16));
        let weight = |index: u16| {
            let index = usize::from(index);
            power[index] * if members.contains(index) { MARGIN } else { 1.0 }
        };
        order.sort_unstable_by(|a, b| weight(*b).total_cmp(&weight(*a)).then(a.cmp(b)));
        for (rank, &index) in order.iter().enumerate() {
            if members.assign(usize::from(index), rank < limit) {
                tenure[usize::from(index)] = 0;
            }
        }
    }

    /// Lets the loudest outside take the place of the quietest member, if it is clearly louder.
    fn contest(&mut self, open: &Bits) {
        let Self { members, power, tenure, .. } = self;
        let by_power = |a: &usize, b: &usize| power[*a].total_cmp(&power[*b]).then(b.cmp(a));
        let outside = open.iter().filter(|index| !members.contains(*index)).max_by(by_power);
        let inside = members.iter().filter(|index| tenure[*index] >= TENURE).min_by(by_power);
        if let (Some(outside), Some(inside)) = (outside, inside)
            && power[outside] > power[inside] * MARGIN
        {
            members.remove(inside);
            members.insert(outside);
            tenure[outside] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(sources: &[usize]) -> Bits {
        let mut open = Bits::new(10);
        sources.iter().for_each(|index| open.insert(*index));
        open
    }

    fn members(talkers: &Talkers) -> Vec<usize> {
        talkers.members.iter().collect()
    }

    #[test]
    fn below_the_limit_everybody_is_mixed_and_above_it_the_loudest() {
        let mut talkers = Talkers::new(10);
        let power = |index: usize| index as f32 + 1.0;
        assert_eq!(talkers.choose(&open(&[1, 5, 9]), 3, power), open(&[1, 5, 9]).words());
        talkers.choose(&open(&[1, 3, 5, 7, 9]), 3, power);
        assert_eq!(members(&talkers), [1, 5, 9], "who is in stays in, being hardly quieter");
        talkers.choose(&open(&[1, 3, 5, 7, 9]), 2, power);
        assert_eq!(members(&talkers), [5, 9]);
        talkers.choose(&open(&[1, 3, 5, 7, 9]), 0, power);
        assert_eq!(members(&talkers), [9], "none at all would be no conversation");
        talkers.choose(&open(&[1, 3, 5]), 2, power);
        assert_eq!(members(&talkers), [3, 5], "a place that falls free is taken at once");
    }

    #[test]
    fn equal_voices_do_not_take_turns() {
        let mut talkers = Talkers::new(10);
        let mut changes = 0;
        let mut last = Vec::new();
        for tick in 0_usize..1_000 {
            // Syllables of 160 ms, each voice in its own time, all as loud.
            let power = |index: usize| if (tick / 8 + index).is_multiple_of(3) { 0.001 } else { 0.1 };
            talkers.choose(&open(&[0, 1, 2, 3, 4, 5]), 3, power);
            changes += usize::from(tick > 0 && members(&talkers) != last);
            last = members(&talkers);
            assert_eq!(last.len(), 3);
        }
        assert_eq!(changes, 0);
    }

    #[test]
    fn somebody_clearly_louder_gets_in_within_half_a_second() {
        let mut talkers = Talkers::new(10);
        let four = open(&[0, 1, 2, 3]);
        for _ in 0..50 {
            talkers.choose(&four, 2, |index| [0.1, 0.1, 0.01, 0.0][index]);
        }
        assert_eq!(members(&talkers), [0, 1]);
        let swap = (0..50).find(|_| {
            talkers.choose(&four, 2, |index| [0.1, 0.02, 0.01, 0.2][index]);
            talkers.members.contains(3)
        });
        assert!(swap.is_some_and(|ticks| ticks <= 25), "{swap:?}");
        assert_eq!(members(&talkers), [0, 3]);
    }
}
