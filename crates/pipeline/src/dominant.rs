//! Who carries the conversation: the loudest voice, with enough inertia not to flicker.
//!
//! A simple policy: levels are smoothed, and a challenger takes over when it has been clearly
//! louder for 300 ms, or at once when the present speaker's gate has closed. Runs in the tick.

use crate::source::Source;

/// Share of a new frame in the smoothed power.
const SMOOTHING: f32 = 0.15;
/// How much louder a challenger must be: 3 dB.
const MARGIN: f32 = 2.0;
/// For how many ticks in a row.
const PATIENCE: u32 = 15;

/// The dominant speaker of one conversation.
#[derive(Debug)]
pub(crate) struct Dominant {
    smoothed: Box<[f32]>,
    current: Option<usize>,
    challenger: Option<usize>,
    waited: u32,
}

impl Dominant {
    pub(crate) fn new(sources: usize) -> Self {
        Self { smoothed: vec![0.0; sources].into(), current: None, challenger: None, waited: 0 }
    }

    /// Looks at the active sources of this tick; gives the new dominant one if it changed.
    pub(crate) fn update(
        &mut self,
        active: impl Iterator<Item = usize>,
        sources: &[Option<Box<Source>>],
    ) -> Option<Option<usize>> {
        let mut loudest: Option<(usize, f32)> = None;
        let mut current_power = None;
        for index in active {
            let Some(source) = &sources[index] else { continue };
            let smoothed = &mut self.smoothed[index];
            *smoothed += (source.power() - *smoothed) * SMOOTHING;
            if self.current == Some(index) {
                current_power = Some(*smoothed);
            }
            if loudest.is_none_or(|(_, power)| *smoothed > power) {
                loudest = Some((index, *smoothed));
            }
        }
        let next = self.decide(loudest, current_power);
        (next != self.current).then(|| {
            self.current = next;
            self.challenger = None;
            self.waited = 0;
            next
        })
    }

    /// Forgets a source that leaves.
    pub(crate) fn forget(&mut self, index: usize) {
        self.smoothed[index] = 0.0;
        if self.challenger == Some(index) {
            self.challenger = None;
        }
    }

    fn decide(&mut self, loudest: Option<(usize, f32)>, current_power: Option<f32>) -> Option<usize> {
        let (Some((index, power)), Some(current)) = (loudest, current_power) else {
            return loudest.map(|(index, _)| index);
        };
        if Some(index) == self.current || power < current * MARGIN {
            self.challenger = None;
            return self.current;
        }
        self.waited = if self.challenger == Some(index) { self.waited + 1 } else { 1 };
        self.challenger = Some(index);
        if self.waited >= PATIENCE { Some(index) } else { self.current }
    }
}
