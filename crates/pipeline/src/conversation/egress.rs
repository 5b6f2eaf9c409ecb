//! Digits out, and the last stage of the tick: the same payload to every receiver of a mix, and frames to apps.
//!
//! Policy when a ring is full: the packet or frame is dropped, counted, and its number used up, so that
//! the other side sees a loss and conceals it. Nothing waits and nothing grows.

use super::Conversation;
use crate::receiver::Draft;
use crate::telemetry::{Event, TimedEvent};
use crate::{EncodeClass, FrameOutcome, bits};
use ringbuf::traits::Producer;

impl Conversation {
    pub(super) fn send_packets(&mut self) {
        let (mut draft, mut red) = (Draft::new(), false);
        for index in self.present_receivers.iter() {
            let slot = self.listeners[index].slot;
            let Some(mix) = self.mixes.get_mut(usize::from(slot)).and_then(Option::as_deref_mut) else { continue };
            if mix.payload().is_empty() {
                continue;
            }
            let Some(receiver) = self.receivers[index].as_mut().and_then(|(_, receiver)| receiver.rtp_out()) else {
                continue;
            };
            if receiver.repeats() {
                mix.repeated = true;
                red = true;
            }
            if !receiver.is_dialing() {
                let sent = receiver.send(self.tick, self.now, (slot, mix), &mut self.egress, &mut draft);
                self.record.count_sent(sent);
            }
        }
        if red {
            self.mixes.iter_mut().flatten().for_each(|mix| mix.remember(self.tick));
        }
    }

    /// Digits, to whom they take the place of audio. Before receivers are grouped: whose digits are over goes on with
    /// a frame that is coded for him alone, since it must not need those he was not sent.
    pub(super) fn send_tones(&mut self) {
        let mut at = 0;
        while let Some(index) = self.dialing.next_from(at) {
            at = index + 1;
            let Some((slot, receiver)) = &mut self.receivers[index] else { continue };
            let slot = *slot;
            let Some(receiver) = receiver.rtp_out() else { continue };
            if receiver.is_dialing() {
                let (packet, done) = receiver.send_tone(self.tick, self.now, &mut self.egress);
                receiver.untold = receiver.untold.saturating_add(u8::from(done));
                let listener = &mut self.listeners[index];
                if !receiver.is_dialing()
                    && let Some(EncodeClass::Opus(_)) = self.classes.get(usize::from(listener.class))
                {
                    listener.unsettle(self.tick);
                    self.resumed.insert(index);
                    self.regroup = true;
                }
                if let Some(sent) = packet {
                    self.record.count_sent(Some(sent));
                }
            }
            // Whoever counts rows must hear of each: where the ring is full, this event waits.
            let event = Event::TonesSent { receiver: slot };
            while receiver.untold > 0
                && self.events.try_push(TimedEvent { tick: self.tick, at: self.now, event }).is_ok()
            {
                receiver.untold -= 1;
            }
            if !receiver.is_dialing() && receiver.untold == 0 {
                self.dialing.remove(index);
            }
        }
    }

    pub(super) fn tell_apps(&mut self) {
        for index in self.app_receivers.iter() {
            let Some((_, receiver)) = self.receivers[index].as_mut() else { continue };
            if !self.listeners[index].present {
                continue;
            }
            for source_index in bits::ones(self.plan.unmixed_words(index)) {
                let (Some(slot), Some(source)) = (self.source_slots[source_index], &self.sources[source_index]) else {
                    continue;
                };
                let sounds = source.outcome() > FrameOutcome::Comfort && source.has_identity();
                if sounds && self.plan.knows_source(slot) {
                    self.record.app_dropped += receiver.tell_unmixed(self.tick, self.now, slot, source);
                }
            }
            // Last, so that whoever sees the mixed frame of a tick sees all unmixed ones of it.
            if let Some(mix) = self.mixes.get(usize::from(self.listeners[index].slot)).and_then(Option::as_deref) {
                self.record.app_dropped += receiver.tell_mixed(self.tick, self.now, mix);
            }
        }
    }
}
