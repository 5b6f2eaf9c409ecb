//! Packet indices: the 48-bit index of an RTP packet, and which indices were seen.
//!
//! In the flow: one [`Window`] per SSRC and direction. Pure.
//! Invariants: an index is accepted once; indices more than 127 behind the highest never are.
//! Specs: RFC 3711 §3.3.1 (estimation), §3.3.2 (replay).

/// RTP indices are below this (RFC 3711 §3.2.1: 2^48 packets per key).
pub(super) const RTP_INDICES: u64 = 1 << 48;

/// The highest index seen and a bit for each of the 128 up to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Window {
    /// `None` before the first packet.
    highest: Option<u64>,
    /// Bit n: `highest - n` was seen.
    seen: u128,
}

impl Window {
    /// The most likely index of a packet with this sequence number; `None` if it lies before index 0.
    pub(super) fn estimate(&self, seq: u16) -> Option<u64> {
        let Some(highest) = self.highest else { return Some(u64::from(seq)) };
        let last = (highest & 0xffff) as u16;
        let ahead = seq.wrapping_sub(last);
        // At exactly half the circle the RFC decides by where `last` lies.
        let forward = ahead < 0x8000 || (ahead == 0x8000 && last < 0x8000);
        if forward { Some(highest + u64::from(ahead)) } else { highest.checked_sub(u64::from(ahead.wrapping_neg())) }
    }

    /// Whether the index is new: never seen and not too old.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest.map(|highest| highest.checked_sub(index)) {
            None | Some(None) => true,
            Some(Some(behind)) => behind < 128 && self.seen >> behind & 1 == 0,
        }
    }

    /// Notes an index that [`Self::is_new`].
    pub(super) fn note(&mut self, index: u64) {
        match self.highest {
            Some(highest) if index <= highest => self.seen |= 1 << (highest - index).min(127),
            Some(highest) => {
                let step = u32::try_from(index - highest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(step).unwrap_or(0) | 1;
                self.highest = Some(index);
            }
            None => {
                self.seen = 1;
                self.highest = Some(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn at(highest: u64) -> Window {
        let mut window = Window::default();
        window.note(highest);
        window
    }

    #[test]
    fn estimate_follows_the_sequence_number_across_the_wrap_in_both_directions() {
        let cases = [
            (0x1_fff0, 0x0005, Some(0x2_0005)),
            (0x2_0005, 0xfff0, Some(0x1_fff0)),
            (0x0_0005, 0xfff0, None),
            (0x0_0000, 0x8000, Some(0x0_8000)),
            (0x1_8000, 0x0000, Some(0x1_0000)),
            (0x1_0000, 0x8001, Some(0x0_8001)),
            (0x7, 0x7, Some(0x7)),
        ];
        for (highest, seq, expected) in cases {
            assert_eq!(at(highest).estimate(seq), expected, "{highest:#x} {seq:#x}");
        }
        assert_eq!(Window::default().estimate(65_535), Some(65_535));
    }

    #[test]
    fn window_holds_exactly_128_indices() {
        let window = at(1000);
        assert!(!window.is_new(1000));
        assert!(window.is_new(1000 - 127));
        assert!(!window.is_new(1000 - 128));
    }

    proptest! {
        #[test]
        fn each_index_is_accepted_at_most_once(steps in prop::collection::vec(-200_i64..200, 1..300)) {
            let (mut window, mut at, mut accepted) = (Window::default(), 1_000_i64, HashSet::new());
            let mut top = 0;
            for step in steps {
                at = (at + step).max(0);
                let index = at as u64;
                let expected = !accepted.contains(&index) && (accepted.is_empty() || index + 127 >= top);
                prop_assert_eq!(window.is_new(index), expected);
                if expected {
                    window.note(index);
                    accepted.insert(index);
                    top = top.max(index);
                }
            }
        }
    }
}
