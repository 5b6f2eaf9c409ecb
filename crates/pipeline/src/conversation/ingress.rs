//! Second and third stage of the tick: packets to sources and lanes, then one frame per source.
//!
//! Takes at most `limits.packets_per_inlet` packets from each leg; the rest wait in its ring.

use antiphon_codec::PacketInfo;
use antiphon_rt::packet_ring::MAX_PACKET;
use antiphon_rtp::red::{RedBlock, RedPayload};
use antiphon_rtp::{RtpPacket, RtpTimestamp, SourceId};

use super::Conversation;
use crate::inlet::{Payload, Route};
use crate::jitter::{Arrival, FrameKind, Insert};
use crate::receiver::LanePacket;
use crate::slots::Slot;
use crate::telemetry::Event;
use crate::tones::Report;
use crate::{Inlet, InletSlot, PacketOutcome, Source, SourceSlot, bits};

/// Older blocks of a RED packet that are looked at, and how many packets back one may lie.
const OLDER_BLOCKS: usize = 4;
const MAX_BACK: u32 = 16;
/// Ticks of the buffer's clock to one of G.711's.
const G711_RATIO: u32 = 6;
/// Ticks between two complaints of one inlet about missing lanes: a second.
const EXHAUSTED_EVERY: u64 = 50;

impl Conversation {
    pub(super) fn take_packets(&mut self) {
        self.told.clear();
        let mut buffer = [0; MAX_PACKET];
        let mut out = [0; MAX_PACKET];
        let mut at = 0;
        while let Some(index) = self.present_inlets.next_from(at) {
            at = index + 1;
            // Out of its place while it works, so that it and the rest can both be changed.
            let Some((slot, mut inlet)) = self.inlets[index].take() else { continue };
            for _ in 0..self.limits.packets_per_inlet {
                let Some((meta, len)) = inlet.ring.pop(&mut buffer) else { break };
                self.record.packets_in += 1;
                let taken = match RtpPacket::parse(&buffer[..len]) {
                    Ok(packet) => self.take_packet(slot, &mut inlet, &packet, meta.at, &mut out),
                    Err(_) => false,
                };
                self.record.packets_refused += u32::from(!taken);
            }
            if !inlet.tones.is_idle() {
                inlet.tones.expire(self.tick);
                self.tell_tones(&mut inlet);
            }
            self.inlets[index] = Some((slot, inlet));
        }
    }

    /// Gives one packet to its source and to the lanes of who hears it; `false` if it has no place here.
    fn take_packet(
        &mut self,
        slot: InletSlot,
        inlet: &mut Inlet,
        packet: &RtpPacket<'_>,
        at: antiphon_rt::MonoTime,
        out: &mut [u8; MAX_PACKET],
    ) -> bool {
        let (source_slot, restarted) = match inlet.route(packet) {
            Route::Main { source, restarted } => (source, restarted),
            Route::Lane { source } | Route::Beside { source } => (source, false),
            Route::NewLane { source_id } => match self.bind_lane(slot, inlet, packet, source_id) {
                Some(source) => (source, false),
                None => return false,
            },
            Route::Refused => return false,
        };
        if let Some(Payload::TelephoneEvent { clock }) = inlet.payload(packet.payload_type()) {
            return self.take_digits(inlet, packet, source_slot, clock);
        }
        // G.711's clock of 8 kHz, told to the buffer in the one of Opus. Six turns of this one are one of that, so that
        // neither wrap shows.
        let scaled = RtpTimestamp::new(packet.timestamp().as_u32().wrapping_mul(G711_RATIO));
        let mut older = None;
        let (kind, timestamp, payload) = match inlet.payload(packet.payload_type()) {
            Some(Payload::Opus) => (FrameKind::Opus, packet.timestamp(), packet.payload()),
            Some(Payload::Pcmu) => (FrameKind::Mulaw, scaled, packet.payload()),
            Some(Payload::Pcma) => (FrameKind::Alaw, scaled, packet.payload()),
            Some(Payload::Red) => {
                let Ok(red) = RedPayload::parse(packet.payload()) else { return false };
                let primary = red.primary();
                if inlet.payload(primary.payload_type) != Some(Payload::Opus) {
                    return false;
                }
                older = Some(red);
                (FrameKind::Opus, packet.timestamp(), primary.data)
            }
            _ => return false,
        };
        let level = inlet.level(packet).map(|stamp| stamp.level);
        let Some(source) = self.source(source_slot) else { return false };
        if restarted {
            source.restart();
        }
        let arrival = Arrival { at, seq: packet.seq(), timestamp, payload, kind, level };
        let insert = source.insert(&arrival);
        let fresh = !matches!(insert, Insert::Ended(PacketOutcome::Duplicate));
        // The oldest come first and the newest are of the most use.
        let passed = older.map_or(0, |red| red.count().saturating_sub(1 + OLDER_BLOCKS));
        for block in older.into_iter().flatten().skip(passed).filter(|block| fresh && block.offset > 0) {
            if inlet.payload(block.payload_type) == Some(Payload::Opus)
                && let Some(back) = packets_back(&block)
            {
                let (seq, timestamp) = (packet.seq().offset(-back), timestamp.rewind(block.offset.into()));
                source.insert_redundant(seq, timestamp, block.data, at);
            }
        }
        let (muted, source_id) = (source.is_muted(), source.source_id());
        self.wake(source_slot.index());
        if (restarted || insert == Insert::Restarted) && self.told.assign(source_slot.index(), true) {
            self.event(Event::StreamRestarted { source: source_slot });
        }
        let useless = matches!(insert, Insert::Ended(PacketOutcome::Duplicate | PacketOutcome::Skipped));
        if !muted && !useless {
            let packet = LanePacket {
                tick: self.tick,
                at: self.now,
                source: source_slot,
                source_id,
                ssrc: packet.ssrc(),
                marker: packet.marker(),
                seq: packet.seq(),
                timestamp: packet.timestamp(),
                level,
                kind,
                payload,
            };
            self.forward(&packet, out);
        }
        true
    }

    /// Reads a packet of digits, which takes a number of the stream of audio but no part in it. `false` if it has more
    /// tones than a leg may tell of.
    fn take_digits(&mut self, inlet: &mut Inlet, packet: &RtpPacket<'_>, source_slot: SourceSlot, clock: u32) -> bool {
        if inlet.is_main(packet.ssrc()) {
            if let Some(source) = self.source(source_slot) {
                source.note_seq(packet.seq());
            }
            for index in self.lane_receivers.iter() {
                if let Some((_, receiver)) = &mut self.receivers[index]
                    && let Some(lanes) = receiver.rtp_out().and_then(|out| out.lanes.as_mut())
                {
                    lanes.skip(source_slot, packet.ssrc(), packet.seq());
                }
            }
        }
        if inlet.main != Some(source_slot) {
            return true;
        }
        let taken = inlet.tones.hear(packet.payload(), packet.timestamp(), clock, self.tick);
        self.tell_tones(inlet);
        taken
    }

    fn tell_tones(&mut self, inlet: &mut Inlet) {
        // Taken in any case: what was dialled without a source is not told under the next one's name.
        let reports = inlet.tones.take_reports();
        let Some(slot) = inlet.main else { return };
        let Some(source_id) = self.source(slot).map(|source| source.source_id()) else { return };
        for report in reports {
            self.event(match report {
                Report::Started { digit } => Event::ToneStarted { source: slot, source_id, digit },
                Report::Ended { digit, volume, duration } => {
                    Event::Tone { source: slot, source_id, digit, volume, duration }
                }
            });
        }
    }

    /// Forwards a packet to every receiver with lanes that hears its source.
    fn forward(&mut self, packet: &LanePacket<'_>, out: &mut [u8; MAX_PACKET]) {
        let mut at = 0;
        while let Some(index) = self.lane_receivers.next_from(at) {
            at = index + 1;
            let hears = self.listeners[index].present
                && self.plan.knows_source(packet.source)
                && bits::has(self.plan.unmixed_words(index), packet.source.index());
            if !hears {
                continue;
            }
            let receiver = self.receivers[index].as_mut().and_then(|(_, receiver)| receiver.rtp_out());
            let Some(receiver) = receiver else { continue };
            let sent = receiver.forward(packet, &mut self.egress, out);
            self.record.lane_packets += u32::from(sent == Some(true));
            self.record.count_sent(sent);
        }
    }

    /// Finds a lane for a stream not seen before: the one its participant is on already, or a free one.
    fn bind_lane(
        &mut self,
        slot: InletSlot,
        inlet: &mut Inlet,
        packet: &RtpPacket<'_>,
        source_id: SourceId,
    ) -> Option<SourceSlot> {
        let lane = inlet.lane_for(source_id).or_else(|| self.free_lane(slot));
        let bound = lane.filter(|&lane| inlet.bind(packet.ssrc(), lane, source_id));
        let Some(bound) = bound else {
            if inlet.complain(self.tick, EXHAUSTED_EVERY) {
                self.event(Event::LanesExhausted { inlet: slot, source_id });
            }
            return None;
        };
        self.wake(bound.index());
        self.source(bound)?.bind(source_id);
        if self.told.assign(bound.index(), true) {
            self.event(Event::LaneBound { source: bound, source_id });
        }
        Some(bound)
    }

    fn free_lane(&self, inlet: InletSlot) -> Option<SourceSlot> {
        let free = |index: &usize| self.sources[*index].as_ref().and_then(|s| s.free_lane_of()) == Some(inlet);
        self.present_sources.iter().find(free).and_then(|index| self.source_slots[index])
    }

    pub(super) fn unbind_lane(&mut self, inlet: InletSlot, source: SourceSlot) {
        if let Some(Some((held, open))) = self.inlets.get_mut(inlet.index())
            && *held == inlet
        {
            open.unbind(source);
        }
    }

    /// Has the source at `index` ticked again.
    pub(super) fn wake(&mut self, index: usize) {
        let Some(source) = self.sources[index].as_mut() else { return };
        if source.wake_up(self.turn) {
            self.asleep.take_one(source.outcome());
            self.awake_sources.insert(index);
        }
    }

    /// Makes this tick's frame of every source that is awake, follows its gate and counts how it came to be.
    pub(super) fn produce_frames(&mut self) {
        let now = self.now;
        let rerouted = self.regroup;
        if rerouted {
            self.refresh_heard();
        }
        self.record.sources = (self.present_sources.count() + self.leaving.len()) as u32;
        self.record.frames.merge(&self.asleep);
        let mut at = 0;
        while let Some(index) = self.awake_sources.next_from(at) {
            at = index + 1;
            let (Some(slot), Some(source)) = (self.source_slots[index], self.sources[index].as_mut()) else { continue };
            let was_open = source.is_active();
            let heard = self.heard.contains(index) || (rerouted && self.heard_before.contains(index));
            let dry = source.produce(now, heard);
            self.record.app_underruns += u32::from(dry);
            self.record.frames.add(source.outcome());
            self.record.stretches.add(source.stretched());
            self.record.packets.merge(&source.take_packet_counts());
            let (open, source_id) = (source.is_active(), source.source_id());
            self.record.talking += u32::from(open);
            let freed_of = source.bound_lane_of().filter(|_| source.free_if_idle());
            if freed_of.is_none() && source.fall_asleep(self.turn) {
                self.asleep.add(source.outcome());
                self.awake_sources.remove(index);
            }
            if open != was_open {
                let known = self.plan.knows_source(slot);
                self.active.assign(index, open && known);
                if !open {
                    self.ending.insert(index);
                } else if !rerouted || self.heard_before.contains(index) {
                    // Not somebody in mid-speech whom nobody could hear until now.
                    self.onset.insert(index);
                }
                self.event(if open {
                    Event::TalkStarted { source: slot, source_id }
                } else {
                    Event::TalkStopped { source: slot, source_id }
                });
            }
            if let Some(inlet) = freed_of {
                self.unbind_lane(inlet, slot);
                self.event(Event::LaneFreed { source: slot, source_id });
            }
        }
        for slot in &self.leaving {
            let index = slot.index();
            let Some(source) = self.sources[index].as_mut() else { continue };
            source.produce(now, self.heard.contains(index) || self.heard_before.contains(index));
            self.record.frames.add(source.outcome());
            self.record.packets.merge(&source.take_packet_counts());
        }
        self.follow_the_talk();
    }

    /// Works out who is dominant among the active sources that somebody hears. The level of one
    /// that nobody hears is but what its sender claims.
    fn follow_the_talk(&mut self) {
        let (sources, heard) = (&self.sources, &self.heard);
        let voice = |index: usize| {
            let source = sources[index].as_deref().filter(|source| heard.contains(index) && !source.is_aside())?;
            Some((index, source.level()))
        };
        for (index, level) in self.active.iter().filter_map(voice) {
            self.dominant.hear(self.turn, index, level);
        }
        let Some(dominant) = self.dominant.decide(self.turn, self.active.iter().filter_map(voice)) else { return };
        let holder = dominant.and_then(|index| sources[index].as_deref());
        let source = dominant.and_then(|index| self.source_slots[index]);
        let level = holder.map_or(antiphon_rtp::AudioLevel::SILENCE, Source::level);
        let source_id = holder.map(Source::source_id);
        self.event(Event::DominantSpeaker { source, source_id, level });
    }
}

/// How many packets ago a redundant block was sent by itself: its age, if that is a whole number of its frames
/// (RFC 2198 gives an age, no number).
fn packets_back(block: &RedBlock<'_>) -> Option<i32> {
    let samples = PacketInfo::parse(block.data).ok()?.samples_48k();
    let age = u32::from(block.offset);
    let back = age / samples.max(1);
    (age.is_multiple_of(samples.max(1)) && back <= MAX_BACK).then_some(back as i32)
}
