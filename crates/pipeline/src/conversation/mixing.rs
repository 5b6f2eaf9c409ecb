//! Fourth stage of the tick: who is mixed, group the receivers if that or anything else changed, then one
//! sum, one limiter and one encode per distinct mix.
//!
//! A voice that stops, because its gate closed or it left, is *ending* for one tick: it stays in every mix it was
//! in, so that no receiver changes streams while it fades, and is in none from the next on.

use super::Conversation;
use crate::groups::{self, PCM_CLASS, Room};
use crate::mix::{self, Stage};

impl Conversation {
    /// First thing in a tick: what ended in the last one has ended.
    pub(super) fn end_contributions(&mut self) {
        self.onset.clear();
        if self.ending.is_empty() {
            return;
        }
        self.mixed.drop_all(self.ending.words());
        self.remix = true;
        self.ending.drop_all(self.present_sources.words());
        if !self.ending.is_empty() {
            // Who left was not closed by its gate: whoever heard it may not merge at once.
            groups::unsettle_listeners_of(self.ending.words(), self.tick, &mut self.listeners, &self.mixes);
        }
        self.ending.clear();
    }

    /// Settles who is in the mixes of this tick, before receivers are grouped by it.
    pub(super) fn choose_talkers(&mut self) {
        let sources = &self.sources;
        let power = |index: usize| sources[index].as_ref().map_or(0.0, |source| source.power());
        self.live.set_words(self.talkers.choose(&self.active, self.effort.max_talkers, power));
        self.record.capped = (self.active.count() - self.live.count()) as u32;
        // Only what was mixed can end, and whoever speaks again does not.
        self.ending.keep_only(self.mixed.words());
        self.ending.drop_all(self.live.words());
        let stays = |at: usize| self.live.words()[at] | self.ending.words()[at];
        let same = (0..self.mixed.words().len()).all(|at| self.mixed.words()[at] == stays(at));
        if !std::mem::take(&mut self.remix) && same {
            return;
        }
        self.regroup = true;
        // Now what drops out at once, which only the plan and the cap on talkers do.
        self.mixed.drop_all(self.live.words());
        self.mixed.drop_all(self.ending.words());
        if !self.mixed.is_empty() {
            groups::unsettle_listeners_of(self.mixed.words(), self.tick, &mut self.listeners, &self.mixes);
        }
        self.mixed.set_words(self.live.words());
        self.mixed.add_all(self.ending.words());
    }

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
            active: self.mixed.words(),
            listeners: &mut self.listeners,
            mixes: &mut self.mixes,
            free: &mut self.free_mixes,
        };
        self.groups.regroup(&mut room);
        // They settle anew, so that no stream but a copy for them is changed by it.
        for index in self.resumed.iter() {
            let slot = usize::from(self.listeners[index].slot);
            if let Some(mix) = self.mixes.get_mut(slot).and_then(Option::as_deref_mut) {
                mix.start_unpredicted();
            }
        }
        self.resumed.clear();
    }

    pub(super) fn mix_and_encode(&mut self) {
        let sources = &self.sources;
        mix::sum(&mut self.total, sources, self.live.words());
        self.by_power.clear();
        self.by_power.extend(self.mixed.iter().map(|index| index as u16));
        let power = |index: u16| sources[usize::from(index)].as_ref().map_or(0.0, |source| source.power());
        // Equal powers stay in the order of indices, so that the same inputs give the same packets.
        self.by_power.sort_unstable_by(|a, b| power(*b).total_cmp(&power(*a)).then(a.cmp(b)));
        let stage = Stage {
            sources,
            live: self.live.words(),
            ending: !self.ending.is_empty(),
            onset: self.onset.words(),
            by_power: &self.by_power,
            total: &self.total,
        };
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
                self.record.encode_failures += u32::from(slot.encode(coding).is_err());
            }
        }
        self.record.listeners = self.listeners.iter().filter(|l| l.present && l.class != PCM_CLASS).count() as u32;
    }
}
