//! First stage of the tick: changes from control, and the plan.
//!
//! A command is taken only while the return ring has room for what it may retire, so nothing is ever freed
//! here. Bounded by `limits.commands_per_tick`.

use ringbuf::traits::{Consumer, Observer, Producer};

use super::Conversation;
use crate::command::{Command, Retired};
use crate::groups::{self, Listener, NONE, Room};
use crate::receiver::RtpOut;
use crate::slots::Slot;
use crate::telemetry::{Event, Inspection, LevelPage, SourceLevel};
use crate::{Inlet, InletSlot, Receiver, ReceiverSlot, Source, SourceSlot, Tones};

impl Conversation {
    pub(super) fn carry_out_commands(&mut self) {
        for _ in 0..self.limits.commands_per_tick {
            // Those who leave in this tick have a claim on the ring already.
            if self.retired.vacant_len() <= self.leaving.len() {
                return;
            }
            let Some(command) = self.commands.try_pop() else { return };
            match command {
                Command::AddInlet(slot, inlet) => self.add_inlet(slot, inlet),
                Command::RemoveInlet(slot) => self.remove_inlet(slot),
                Command::AddSource(slot, source) => self.add_source(slot, source),
                Command::RemoveSource(slot) => self.remove_source(slot),
                Command::AddReceiver(slot, receiver) => self.add_receiver(slot, receiver),
                Command::RemoveReceiver(slot) => self.remove_receiver(slot),
                Command::Mute(slot, muted) => {
                    if let Some(source) = self.source(slot) {
                        source.mute(muted);
                    }
                }
                Command::SetClass(slot, class) => self.set_class(slot, class),
                Command::SendTones(slot, tones) => self.dial(slot, tones),
                Command::SetRed(slot, on) => {
                    if let Some(receiver) = self.rtp_receiver(slot) {
                        receiver.set_red(on);
                    }
                }
                Command::Inspect(page) => self.inspect(page),
                Command::Levels(page) => self.read_levels(page),
            }
        }
    }

    /// Puts a newly published plan in force and sends the old one back.
    pub(super) fn take_plan(&mut self) {
        if !self.plans.swap(&mut self.plan) {
            return;
        }
        self.record.plan_swapped = true;
        self.regroup = true;
        self.refresh_presence();
        let mut room = Room {
            tick: self.tick,
            plan: &self.plan,
            active: self.mixed.words(),
            listeners: &mut self.listeners,
            mixes: &mut self.mixes,
            free: &mut self.free_mixes,
        };
        groups::unsettle_rerouted(&mut room);
    }

    /// Works out anew which receivers and active sources the plan knows.
    fn refresh_presence(&mut self) {
        for index in self.present_receivers.iter() {
            let Some((slot, receiver)) = &self.receivers[index] else { continue };
            let known = self.plan.knows_receiver(*slot);
            let listener = &mut self.listeners[index];
            if known && !listener.present {
                *listener = Listener::joining(receiver.class(), self.tick, true);
            }
            listener.present = known;
        }
        for index in self.present_sources.iter() {
            let known = self.source_slots[index].is_some_and(|slot| self.plan.knows_source(slot));
            let open = self.sources[index].as_ref().is_some_and(|source| source.is_active());
            self.active.assign(index, known && open);
        }
    }

    /// Works out anew which sources anybody hears: the union of what the present receivers hear mixed and,
    /// being apps, apart. Lanes over RTP forward packets and need no decoding.
    pub(super) fn refresh_heard(&mut self) {
        std::mem::swap(&mut self.heard, &mut self.heard_before);
        self.heard.clear();
        for index in self.present_receivers.iter().filter(|index| self.listeners[*index].present) {
            self.heard.add_all(self.plan.heard_words(index));
            if self.app_receivers.contains(index) {
                self.heard.add_all(self.plan.unmixed_words(index));
            }
        }
    }

    fn add_inlet(&mut self, slot: InletSlot, inlet: Box<Inlet>) {
        match self.inlets.get_mut(slot.index()) {
            Some(place @ None) => {
                *place = Some((slot, inlet));
                self.present_inlets.insert(slot.index());
            }
            _ => self.retire(Retired::Inlet(slot, inlet)),
        }
    }

    fn remove_inlet(&mut self, slot: InletSlot) {
        let Some(place) = self.inlets.get_mut(slot.index()) else { return };
        if let Some((slot, inlet)) = place.take_if(|(held, _)| *held == slot) {
            self.present_inlets.remove(slot.index());
            self.retire(Retired::Inlet(slot, inlet));
        }
    }

    fn add_source(&mut self, slot: SourceSlot, source: Box<Source>) {
        match self.sources.get_mut(slot.index()) {
            Some(place @ None) => {
                if let Some(inlet) = source.free_lane_of()
                    && let Some(Some((held, open))) = self.inlets.get_mut(inlet.index())
                    && *held == inlet
                {
                    open.lane_added();
                }
                *place = Some(source);
                self.source_slots[slot.index()] = Some(slot);
                self.present_sources.insert(slot.index());
                self.awake_sources.insert(slot.index());
            }
            _ => self.retire(Retired::Source(slot, source)),
        }
    }

    /// Takes a source out: nothing reaches it any more, but it is heard for the rest of this tick, to fade.
    fn remove_source(&mut self, slot: SourceSlot) {
        if self.source(slot).is_none() {
            return;
        }
        let index = slot.index();
        self.wake(index);
        let Some(source) = self.sources[index].as_mut() else { return };
        source.leave();
        let (source_id, lane_of) = (source.source_id(), source.bound_lane_of());
        self.source_slots[index] = None;
        self.present_sources.remove(index);
        self.awake_sources.remove(index);
        self.dominant.forget(index);
        if self.active.assign(index, false) {
            self.event(Event::TalkStopped { source: slot, source_id });
        }
        if self.mixed.contains(index) {
            self.ending.insert(index);
        }
        if let Some(inlet) = lane_of {
            self.unbind_lane(inlet, slot);
        }
        self.leaving.push(slot);
    }

    /// Sends back, at the end of the tick, the sources that were taken out in it.
    pub(super) fn let_go(&mut self) {
        while let Some(slot) = self.leaving.pop() {
            let source = self.sources[slot.index()].take();
            self.dominant.forget(slot.index());
            self.retire(Retired::Source(
                slot,
                source.expect("invariant: whoever leaves is there until the end of the tick"),
            ));
        }
    }

    fn add_receiver(&mut self, slot: ReceiverSlot, mut receiver: Box<Receiver>) {
        let index = slot.index();
        let vacant = self.receivers.get(index).is_some_and(Option::is_none);
        let (true, true, Some(place)) = (vacant, receiver.spare.is_some(), self.empty_mixes.last().copied()) else {
            self.retire(Retired::Receiver(slot, receiver));
            return;
        };
        self.empty_mixes.pop();
        self.mixes[usize::from(place)] = receiver.spare.take();
        self.free_mixes.push(place);
        let known = self.plan.knows_receiver(slot);
        self.listeners[index] = Listener::joining(receiver.class(), self.tick, known);
        self.present_receivers.insert(index);
        self.lane_receivers.assign(index, receiver.has_lanes());
        self.app_receivers.assign(index, receiver.is_app());
        self.receivers[index] = Some((slot, receiver));
        self.regroup = true;
    }

    fn remove_receiver(&mut self, slot: ReceiverSlot) {
        let index = slot.index();
        let Some(place) = self.receivers.get_mut(index) else { return };
        let Some((slot, mut receiver)) = place.take_if(|(held, _)| *held == slot) else { return };
        let left = self.listeners[index].slot;
        self.listeners[index] = Listener::ABSENT;
        self.present_receivers.remove(index);
        self.dialing.remove(index);
        self.lane_receivers.remove(index);
        self.app_receivers.remove(index);
        self.regroup = true;
        self.leave_mix(left, receiver.is_app());
        // One slot per receiver came in, and no more slots than receivers are listened to.
        let spare = self.free_mixes.pop().expect("invariant: a slot per receiver, so one is free now");
        receiver.spare = self.mixes[usize::from(spare)].take();
        self.empty_mixes.push(spare);
        self.retire(Retired::Receiver(slot, receiver));
    }

    fn set_class(&mut self, slot: ReceiverSlot, class: u8) {
        let Some(Some((held, receiver))) = self.receivers.get_mut(slot.index()) else { return };
        let of = |class: u8| self.classes.get(usize::from(class));
        let (Some(old), Some(new)) = (of(receiver.class()), of(class)) else { return };
        if *held != slot || receiver.class() == class || !old.is_like(*new) {
            return;
        }
        receiver.set_class(class);
        let listener = &mut self.listeners[slot.index()];
        listener.class = class;
        // Goes on alone on a copy of the stream it heard, with the new settings, until that may merge.
        listener.unsettle(self.tick);
        self.regroup = true;
    }

    fn leave_mix(&mut self, slot: u16, app: bool) {
        if slot == NONE {
            return;
        }
        let Some(mix) = &mut self.mixes[usize::from(slot)] else { return };
        mix.members -= 1;
        mix.rtp_members -= u32::from(!app);
        if mix.members == 0 {
            self.free_mixes.push(slot);
        }
    }

    fn dial(&mut self, slot: ReceiverSlot, tones: Tones) {
        let taken = self.rtp_receiver(slot).is_some_and(|receiver| receiver.dial(tones));
        if taken {
            self.dialing.insert(slot.index());
        } else {
            self.event(Event::TonesSent { receiver: slot }); // it is over, as far as anybody can tell
        }
    }

    /// The receiver in this slot, if that holder is still there and takes packets.
    fn rtp_receiver(&mut self, slot: ReceiverSlot) -> Option<&mut RtpOut> {
        let (held, receiver) = self.receivers.get_mut(slot.index())?.as_mut()?;
        if *held == slot { receiver.rtp_out() } else { None }
    }

    fn inspect(&mut self, mut page: Box<Inspection>) {
        page.readings.clear();
        for index in self.present_sources.iter() {
            if page.readings.len() == page.readings.capacity() {
                break; // never grow it here
            }
            if let (Some(slot), Some(source)) = (self.source_slots[index], &self.sources[index]) {
                page.readings.push(source.reading(slot, self.now, self.turn));
            }
        }
        self.retire(Retired::Inspection(page));
    }

    fn read_levels(&mut self, mut page: Box<LevelPage>) {
        page.levels.clear();
        page.tick = self.tick.saturating_sub(1);
        for index in self.active.iter() {
            if page.levels.len() == page.levels.capacity() {
                break; // never grow it here
            }
            if let (Some(slot), Some(source)) = (self.source_slots[index], &self.sources[index])
                && !source.is_aside()
            {
                let (source_id, level) = (source.source_id(), source.level());
                page.levels.push(SourceLevel { source: slot, source_id, level });
            }
        }
        self.retire(Retired::Levels(page));
    }

    /// Sends memory back. Room was checked before the command was taken, and a command retires one thing.
    fn retire(&mut self, retired: Retired) {
        let refused = self.retired.try_push(retired);
        debug_assert!(refused.is_ok(), "room was checked");
    }
}
