//! Dense indices: what the media side calls a source, a receiver or an inlet instead of a name.
//!
//! Control threads hand them out with [`Slots`]; the tick indexes arrays with them. A generation
//! travels with each index, so that a plan made for the previous holder of a slot can never route
//! the next one's voice. Not here: participant ids (they stay with control).

use std::marker::PhantomData;

/// A dense index with the generation of its holder.
pub trait Slot: Copy {
    /// Puts the two parts together.
    fn from_parts(index: u16, generation: u16) -> Self;
    /// Position in the arrays of the conversation.
    fn index(self) -> usize;
    /// Which holder of that position.
    fn generation(self) -> u16;
}

macro_rules! slot {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            index: u16,
            generation: u16,
        }

        impl Slot for $name {
            fn from_parts(index: u16, generation: u16) -> Self {
                Self { index, generation }
            }

            fn index(self) -> usize {
                usize::from(self.index)
            }

            fn generation(self) -> u16 {
                self.generation
            }
        }
    };
}

slot! {
    /// A source: one participant as a speaker, or one lane of a bot's leg.
    SourceSlot
}
slot! {
    /// A receiver: one participant as a listener.
    ReceiverSlot
}
slot! {
    /// An inlet: one leg that packets come in from.
    InletSlot
}

impl SourceSlot {
    /// Index and generation in one number, unique among all holders.
    pub(crate) fn as_u32(self) -> u32 {
        u32::from(self.generation) << 16 | u32::from(self.index)
    }
}

/// Hands out slots of one kind on a control thread and takes them back.
#[derive(Debug)]
pub struct Slots<S> {
    generations: Vec<u16>,
    free: Vec<u16>,
    kind: PhantomData<S>,
}

impl<S: Slot> Slots<S> {
    /// Room for `capacity` holders at a time.
    ///
    /// # Panics
    /// If `capacity` is above [`crate::MAX_SLOTS`].
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        assert!(capacity <= crate::MAX_SLOTS, "at most {} slots of a kind", crate::MAX_SLOTS);
        let count = u16::try_from(capacity).expect("invariant: MAX_SLOTS fits 16 bits");
        Self { generations: vec![0; capacity], free: (0..count).rev().collect(), kind: PhantomData }
    }

    /// Takes a free slot, the one freed last first; `None` when all are held.
    pub fn take(&mut self) -> Option<S> {
        let index = self.free.pop()?;
        Some(S::from_parts(index, self.generations[usize::from(index)]))
    }

    /// Gives a slot back once the conversation has returned what was in it.
    /// Returns `false`, and does nothing, for a slot that is not held (any more).
    pub fn give_back(&mut self, slot: S) -> bool {
        match self.generations.get_mut(slot.index()) {
            Some(generation) if *generation == slot.generation() => {
                *generation = generation.wrapping_add(1);
                self.free.push(slot.index() as u16);
                true
            }
            _ => false,
        }
    }

    /// Slots that can still be taken.
    #[must_use]
    pub fn available(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_with_a_new_generation_and_only_once() {
        let mut slots = Slots::<SourceSlot>::new(2);
        let a = slots.take().unwrap();
        let b = slots.take().unwrap();
        assert_eq!((a.index(), b.index()), (0, 1));
        assert!(slots.take().is_none());
        assert!(slots.give_back(a));
        assert!(!slots.give_back(a));
        let c = slots.take().unwrap();
        assert_eq!(c.index(), a.index());
        assert_ne!(c, a);
        assert_eq!(slots.available(), 0);
    }
}
