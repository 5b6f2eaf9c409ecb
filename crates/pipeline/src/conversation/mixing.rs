//! Fourth stage of the tick: group the receivers if anything changed, then one sum, one limiter
//! and one encode per distinct mix.

use super::Conversation;
use crate::groups::{PCM_CLASS, Room};
use crate::mix::{self, Stage};

impl Conversation {
    /// Groups receivers anew when routes, receivers or talkers changed, or when one has settled. Encoder
    /// states are copied here, before this tick's encodes.
    pub(super) fn regroup_if_due(&mut self) {
        if !self.regroup && !self.groups.is_due(self.tick) {
            return;
        }
        self.regroup = false;
        self.record.regrouped = true;
        let mut room = Room {
            tick: self.tick,
            plan: &self.plan,
            active: self.active.words(),
            listeners: &mut self.listeners,
            mixes: &mut self.mixes,
            free: &mut self.free_mixes,
        };
        self.groups.regroup(&mut room);
    }

    pub(super) fn mix_and_encode(&mut self) {
        let (sources, active) = (&self.sources, self.active.words());
        mix::sum(&mut self.total, sources, active);
        self.by_power.clear();
        self.by_power.extend(self.active.iter().map(|index| index as u16));
        let power = |index: u16| sources[usize::from(index)].as_ref().map_or(0.0, |source| source.power());
        // Equal powers stay in the order of indices, so that the same inputs give the same packets.
        self.by_power.sort_unstable_by(|a, b| power(*b).total_cmp(&power(*a)).then(a.cmp(b)));
        let stage = Stage { sources, active, by_power: &self.by_power, total: &self.total };
        for slot in self.mixes.iter_mut().flatten() {
            if slot.members == 0 {
                continue;
            }
            self.record.mixes += 1;
            slot.mix(&stage, self.plan.gain_row(usize::from(slot.sample)));
            if slot.rtp_members == 0 {
                slot.skip_encode();
                continue;
            }
            self.record.encoded_mixes += u32::from(!slot.is_resting());
            if let Some(coding) = self.coding.get(usize::from(slot.class)) {
                slot.encode(coding);
            }
        }
        self.record.listeners = self.listeners.iter().filter(|l| l.present && l.class != PCM_CLASS).count() as u32;
    }
}
