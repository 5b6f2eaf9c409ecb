//! A conversation: all the media of one meeting, one tick at a time.
//!
//! Owns the slots, the plan in force and the rings to everybody else. Lives on one media thread;
//! made and dropped on control threads. The tick's stages, in order, are the files below:
//! commands and plan, ingress, sources, mixing, egress, telemetry. Invariants: those of the crate.
//! A panic leaves it safe to drop, not to tick again.

mod commands;
mod egress;
mod ingress;
mod mixing;

use std::fmt;

use antiphon_codec::{cycles, thread_calls};
use antiphon_rt::MonoTime;
use antiphon_rt::handover::{Subscriber, handover};
use antiphon_rt::packet_ring::PacketSender;
use ringbuf::traits::{Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::bits::{Bits, words_for};
use crate::command::{Command, Control, Retired};
use crate::dominant::Dominant;
use crate::groups::{Groups, Listener};
use crate::mix::MixSlot;
use crate::slots::Slot;
use crate::talkers::Talkers;
use crate::telemetry::{Event, TickRecord, TimedEvent};
use crate::{
    ConfigError, ConversationConfig, Effort, EncodeClass, FrameCounts, Inlet, InletSlot, Limits, MixPlan, Receiver,
    ReceiverSlot, Source, SourceSlot,
};

/// Nanoseconds of a tick.
const TICK_NS: u64 = 20_000_000;

/// All the media of one meeting.
pub struct Conversation {
    limits: Limits,
    classes: Vec<EncodeClass>,
    /// The same within the limits of `effort`.
    coding: Vec<EncodeClass>,
    effort: Effort,

    inlets: Vec<Option<(InletSlot, Box<Inlet>)>>,
    sources: Vec<Option<Box<Source>>>,
    source_slots: Vec<Option<SourceSlot>>,
    receivers: Vec<Option<(ReceiverSlot, Box<Receiver>)>>,
    listeners: Vec<Listener>,
    /// Indices present, so that the tick does not walk empty slots.
    present_inlets: Bits,
    present_sources: Bits,
    /// Sources with something to do; the others sleep until a packet comes.
    awake_sources: Bits,
    /// The frames of those asleep, per tick.
    asleep: FrameCounts,
    /// Sources of which it was told in this tick that their stream is another one.
    told: Bits,
    present_receivers: Bits,
    lane_receivers: Bits,
    app_receivers: Bits,
    /// Receivers that get digits in place of audio, or whose rows have not all been told of.
    dialing: Bits,
    /// Those whose digits ended in this tick.
    resumed: Bits,

    mixes: Vec<Option<Box<MixSlot>>>,
    /// Filled mix slots that nobody listens to.
    free_mixes: Vec<u16>,
    /// Places for mix slots that are empty.
    empty_mixes: Vec<u16>,
    groups: Groups,
    regroup: bool,

    plan: Box<MixPlan>,
    plans: Subscriber<MixPlan>,
    /// Sources that somebody present hears, mixed or apart; the others are not decoded.
    heard: Bits,
    /// The same before the last change: what falls silent by it is heard for one more tick, to fade.
    heard_before: Bits,
    /// Sources whose gate is open and that the plan knows.
    active: Bits,
    talkers: Talkers,
    /// Sources in any mix: those of the active that may be, and the ending.
    mixed: Bits,
    /// Somebody has ended since receivers were grouped.
    remix: bool,
    /// Sources that fall to silence in this tick and are in no mix from the next on.
    ending: Bits,
    /// Sources that began to speak in this tick.
    onset: Bits,
    /// Mixed and not ending.
    live: Bits,
    /// Sources that were taken out and fade in this tick.
    leaving: Vec<SourceSlot>,
    /// The mixed sources, loudest first.
    by_power: Vec<u16>,
    total: Box<[f32]>,
    dominant: Dominant,

    commands: HeapCons<Command>,
    retired: HeapProd<Retired>,
    events: HeapProd<TimedEvent>,
    records: HeapProd<TickRecord>,
    egress: PacketSender,

    tick: u64,
    /// Ticks carried out; behind `tick` when some were missed.
    turn: u64,
    now: MonoTime,
    started: bool,
    /// Telemetry that found its ring full, since the last record that did not.
    telemetry_lost: u32,
    record: TickRecord,
}

impl Conversation {
    /// Makes an empty conversation and its control half. Everything it will ever need is allocated here
    /// or comes in by command. `egress` takes the packets of all its receivers.
    ///
    /// # Errors
    /// [`ConfigError`] if a setting is out of range.
    pub fn new(config: &ConversationConfig, egress: PacketSender) -> Result<(Box<Self>, Control), ConfigError> {
        config.validate()?;
        let limits = config.limits;
        let (commands_tx, commands) = HeapRb::new(limits.commands).split();
        // Everything that can be inside, and everything that can be on its way in.
        let inside = limits.inlets + limits.sources + limits.receivers + limits.commands;
        let (retired, retired_rx) = HeapRb::new(inside).split();
        let (events, events_rx) = HeapRb::new(limits.events).split();
        let (records, records_rx) = HeapRb::new(limits.tick_records).split();
        let (publisher, plans) = handover();
        let empty_mixes = (0..limits.receivers as u16).rev().collect();
        let conversation = Self {
            limits,
            classes: config.classes.clone(),
            coding: config.classes.clone(),
            effort: Effort::FULL,
            inlets: none(limits.inlets),
            sources: none(limits.sources),
            source_slots: none(limits.sources),
            receivers: none(limits.receivers),
            listeners: vec![Listener::ABSENT; limits.receivers],
            present_inlets: Bits::new(limits.inlets),
            present_sources: Bits::new(limits.sources),
            awake_sources: Bits::new(limits.sources),
            asleep: FrameCounts::default(),
            told: Bits::new(limits.sources),
            present_receivers: Bits::new(limits.receivers),
            lane_receivers: Bits::new(limits.receivers),
            app_receivers: Bits::new(limits.receivers),
            dialing: Bits::new(limits.receivers),
            resumed: Bits::new(limits.receivers),
            mixes: none(limits.receivers),
            free_mixes: Vec::with_capacity(limits.receivers),
            empty_mixes,
            groups: Groups::new(limits.receivers, limits.sources),
            regroup: false,
            plan: MixPlan::silent(&limits),
            plans,
            heard: Bits::new(limits.sources),
            heard_before: Bits::new(limits.sources),
            active: Bits::new(limits.sources),
            talkers: Talkers::new(limits.sources),
            mixed: Bits::new(limits.sources),
            remix: false,
            ending: Bits::new(limits.sources),
            onset: Bits::new(limits.sources),
            live: Bits::new(limits.sources),
            leaving: Vec::with_capacity(limits.sources.min(limits.commands_per_tick)),
            by_power: Vec::with_capacity(limits.sources),
            total: vec![0.0; config.rate.frame_samples()].into(),
            dominant: Dominant::new(limits.sources, config.gate.close_dbov),
            commands,
            retired,
            events,
            records,
            egress,
            tick: 0,
            turn: 0,
            now: MonoTime::ZERO,
            started: false,
            telemetry_lost: 0,
            record: TickRecord::default(),
        };
        debug_assert_eq!(conversation.active.words().len(), words_for(limits.sources));
        let control = Control {
            commands: commands_tx,
            retired: retired_rx,
            plans: publisher,
            events: events_rx,
            records: records_rx,
            limits,
        };
        Ok((Box::new(conversation), control))
    }

    /// Does everything that is due at `now`: commands, the newest plan, packets in, one frame per
    /// source, one mix and encode per distinct heard set, packets out.
    ///
    /// Call it every 20 ms; if ticks were missed, `now` tells, and timestamps jump ahead with it.
    ///
    /// # Real-time
    /// No allocation, free, lock, system call or log. O(packets + sources + receivers) and one codec call per
    /// frame decoded and distinct mix encoded; O(receivers × sources / 64) when routes change.
    /// Needs 256 KB of stack.
    pub fn tick(&mut self, now: MonoTime) {
        let (cycles_before, calls_before) = (cycles(), thread_calls());
        self.advance_clock(now);
        self.record = TickRecord { tick: self.tick, at: now, effort: self.effort, ..TickRecord::default() };
        self.end_contributions();
        self.carry_out_commands();
        self.take_plan();
        self.take_packets();
        self.produce_frames();
        self.choose_talkers();
        self.send_tones();
        self.regroup_if_due();
        self.mix_and_encode();
        self.send_packets();
        self.tell_apps();
        self.let_go();
        let calls = thread_calls().since(&calls_before);
        let record = &mut self.record;
        record.encodes = calls.encodes as u32;
        record.decodes = calls.decodes as u32;
        record.recoveries = calls.recoveries as u32;
        record.concealments = calls.concealments as u32;
        record.state_copies = calls.state_copies as u32;
        record.codec_cycles = calls.cycles;
        record.cycles = cycles().wrapping_sub(cycles_before);
        self.hand_in_record();
    }

    /// Limits the work of the ticks to come, for a load governor on the media thread. Takes hold of all encoders
    /// alike with the next tick; wait-free.
    pub fn set_effort(&mut self, effort: Effort) {
        if self.effort == effort {
            return;
        }
        self.effort = effort;
        for (coding, class) in self.coding.iter_mut().zip(&self.classes) {
            *coding = class.within(effort);
        }
    }

    /// The limits in force.
    #[must_use]
    pub fn effort(&self) -> Effort {
        self.effort
    }

    /// What the last tick did; the same record goes to [`Control::next_record`].
    #[must_use]
    pub fn last_record(&self) -> &TickRecord {
        &self.record
    }

    /// Moves to the tick of `now`: the next one, or later if ticks were missed.
    fn advance_clock(&mut self, now: MonoTime) {
        if self.started {
            let elapsed = now.as_nanos().saturating_sub(self.now.as_nanos());
            self.tick += ((elapsed + TICK_NS / 2) / TICK_NS).max(1);
        }
        self.started = true;
        self.turn += 1;
        self.now = now;
    }

    fn hand_in_record(&mut self) {
        self.record.telemetry_dropped = self.telemetry_lost;
        match self.records.try_push(self.record) {
            Ok(()) => self.telemetry_lost = 0,
            Err(_) => self.telemetry_lost += 1,
        }
    }

    fn event(&mut self, event: Event) {
        let timed = TimedEvent { tick: self.tick, at: self.now, event };
        if self.events.try_push(timed).is_err() {
            self.telemetry_lost += 1;
        }
    }

    /// The source in this slot, if that holder is still there.
    fn source(&mut self, slot: SourceSlot) -> Option<&mut Box<Source>> {
        if *self.source_slots.get(slot.index())? != Some(slot) {
            return None;
        }
        self.sources[slot.index()].as_mut()
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("tick", &self.tick)
            .field("sources", &self.present_sources.count())
            .field("receivers", &self.present_receivers.count())
            .finish_non_exhaustive()
    }
}

fn none<T>(count: usize) -> Vec<Option<T>> {
    (0..count).map(|_| None).collect()
}
