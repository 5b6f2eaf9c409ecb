//! The control state of one conversation: slots, legs, routes, and the rings to its media thread.
//!
//! Behind one lock, held briefly by callers and by the control thread (longest while an offer is answered); never
//! by a media thread.
//! Invariants: a slot is handed out again only after the media thread has returned what was in it; a command
//! that finds the ring full waits in order; a plan that finds no credit is compiled anew at the next service.

use crate::error::{DialError, JoinError};
use crate::loss::{LOSSY, LossWatch};
use crate::media_thread::TickTime;
use crate::routes::{Member, RouteTable};
use crate::speakers::Speakers;
use crate::stats::Totals;
use crate::{ConversationEvent, ParticipantId, VoiceLevel};
use antiphon_pipeline::{
    Command, Control, ConversationConfig, Event, Inlet, InletSlot, Limits, Receiver, ReceiverSlot, Retired, Slots,
    Source, SourceLevel, SourceSlot, Tones,
};
use antiphon_rtp::SourceId;
use antiphon_transport::Leg;
use ringbuf::HeapCons;
use ringbuf::traits::Consumer;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What a participant holds on the media side.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) leg: Option<Leg>,
    pub(crate) source_id: SourceId,
    inlet: Option<InletSlot>,
    source: Option<SourceSlot>,
    receiver: Option<ReceiverSlot>,
    /// Of a receiver that FEC can help.
    loss: Option<LossWatch>,
    /// RED was agreed: it repairs what FEC would, and leaves the receiver in its class.
    red: bool,
    /// Rows of digits on their way, if it takes digits at all.
    dialing: Option<u8>,
}

/// Rows of digits that may be on their way to one participant: what the pipeline takes.
const ROWS: u8 = 4;

/// Slots taken for somebody who is about to join; give them to [`Room::admit`] or back to [`Room::release`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserved {
    pub(crate) source_id: SourceId,
    pub(crate) inlet: Option<InletSlot>,
    pub(crate) source: SourceSlot,
    pub(crate) receiver: ReceiverSlot,
}

/// What goes to the media thread for one participant.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) inlet: Option<Box<Inlet>>,
    /// Absent for a participant that only listens.
    pub(crate) source: Option<Box<Source>>,
    /// Absent for a participant that only speaks.
    pub(crate) receiver: Option<Box<Receiver>>,
    /// Whether the receiver gets Opus in the class `CLEAR`, and FEC when it loses packets.
    pub(crate) adapts: bool,
    /// The receiver may get RED.
    pub(crate) red: bool,
    /// The receiver takes digits.
    pub(crate) tones: bool,
}

pub(crate) struct Room {
    control: Control,
    config: ConversationConfig,
    times: HeapCons<TickTime>,
    inlets: Slots<InletSlot>,
    sources: Slots<SourceSlot>,
    receivers: Slots<ReceiverSlot>,
    pub(crate) routes: RouteTable,
    parties: BTreeMap<ParticipantId, Party>,
    names: HashMap<SourceSlot, ParticipantId>,
    /// Sources whose start of talking was told and whose end was not.
    talking: BTreeSet<SourceSlot>,
    /// Events of our own making, told at the next service.
    due: Vec<ConversationEvent>,
    backlog: VecDeque<Command>,
    plan_due: bool,
    next_source_id: u32,
    max_participants: usize,
    /// Lanes of the bot's leg: how many exist, and for whom they are delivered apart.
    lanes: Option<Lanes>,
    pub(crate) speakers: Speakers,
    pub(crate) totals: Totals,
    pub(crate) closed: bool,
}

/// Lane sources are made in steps as participants turn up on the lanes line.
#[derive(Debug)]
struct Lanes {
    app: ParticipantId,
    inlet: InletSlot,
    made: usize,
}

/// Lane sources made at first; each further step doubles what there is.
const LANE_STEP: usize = 16;

impl Room {
    pub(crate) fn new(
        control: Control,
        config: ConversationConfig,
        times: HeapCons<TickTime>,
        max_participants: usize,
    ) -> Self {
        let limits = *control.limits();
        Self {
            control,
            config,
            times,
            inlets: Slots::new(limits.inlets),
            sources: Slots::new(limits.sources),
            receivers: Slots::new(limits.receivers),
            routes: RouteTable::default(),
            parties: BTreeMap::new(),
            names: HashMap::new(),
            talking: BTreeSet::new(),
            due: Vec::new(),
            backlog: VecDeque::new(),
            plan_due: false,
            next_source_id: 1,
            max_participants,
            lanes: None,
            speakers: Speakers::new(),
            totals: Totals::new(),
            closed: false,
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.control.limits()
    }

    pub(crate) fn config(&self) -> &ConversationConfig {
        &self.config
    }

    pub(crate) fn party(&self, id: &ParticipantId) -> Option<&Party> {
        self.parties.get(id)
    }

    pub(crate) fn parties(&self) -> impl Iterator<Item = (&ParticipantId, &Party)> {
        self.parties.iter()
    }

    /// Takes slots for a participant.
    ///
    /// # Errors
    /// The conversation is closed or full, or the identity is taken.
    pub(crate) fn reserve(&mut self, id: &ParticipantId, with_inlet: bool) -> Result<Reserved, JoinError> {
        if self.closed {
            return Err(JoinError::Closed);
        }
        if self.parties.contains_key(id) {
            return Err(JoinError::Duplicate(id.clone()));
        }
        let full = JoinError::Full { limit: self.max_participants };
        if self.parties.len() >= self.max_participants
            || self.sources.available() == 0
            || self.receivers.available() == 0
            || (with_inlet && self.inlets.available() == 0)
        {
            return Err(full);
        }
        let inlet = if with_inlet { self.inlets.take() } else { None };
        let (Some(source), Some(receiver)) = (self.sources.take(), self.receivers.take()) else { return Err(full) };
        let source_id = SourceId::new(self.next_source_id);
        self.next_source_id += 1;
        Ok(Reserved { source_id, inlet, source, receiver })
    }

    /// Gives reserved slots back unused.
    pub(crate) fn release(&mut self, reserved: Reserved) {
        let Reserved { source_id: _, inlet, source, receiver } = reserved;
        if let Some(inlet) = inlet {
            self.inlets.give_back(inlet);
        }
        self.sources.give_back(source);
        self.receivers.give_back(receiver);
    }

    /// Sends a participant's parts to the media thread and routes it.
    pub(crate) fn admit(
        &mut self,
        id: ParticipantId,
        reserved: Reserved,
        leg: Option<Leg>,
        parts: Parts,
        mut member: Member,
    ) {
        let Reserved { source_id, inlet, source, receiver } = reserved;
        let Parts { inlet: inlet_part, source: source_part, receiver: receiver_part, adapts, red, tones } = parts;
        member.source = source_part.is_some().then_some(source);
        match source_part {
            Some(part) => {
                self.send(Command::AddSource(source, part));
                self.names.insert(source, id.clone());
                if member.muted {
                    self.send(Command::Mute(source, true));
                }
            }
            None => _ = self.sources.give_back(source),
        }
        if let (Some(slot), Some(part)) = (inlet, inlet_part) {
            self.send(Command::AddInlet(slot, part));
        }
        member.receiver = receiver_part.is_some().then_some(receiver);
        match receiver_part {
            Some(part) => self.send(Command::AddReceiver(receiver, part)),
            None => _ = self.receivers.give_back(receiver),
        }
        let loss = adapts.then(LossWatch::default);
        let dialing = tones.then_some(0);
        let (source, receiver) = (member.source, member.receiver);
        let party = Party { leg, source_id, inlet, source, receiver, loss, red, dialing };
        self.routes.insert(id.clone(), member);
        self.parties.insert(id, party);
        self.replan();
    }

    /// Takes a participant out. Its leg comes back, to be closed by dropping it outside the lock.
    pub(crate) fn remove(&mut self, id: &ParticipantId) -> Option<Option<Leg>> {
        let Party { leg, source_id, inlet, source, receiver, .. } = self.parties.remove(id)?;
        self.routes.remove(id);
        self.replan();
        if let Some(inlet) = inlet {
            self.send(Command::RemoveInlet(inlet));
        }
        if let Some(source) = source {
            self.names.remove(&source);
            self.speakers.forget(source_id);
            if self.talking.remove(&source) {
                self.due.push(ConversationEvent::Talking { participant: id.clone(), talking: false });
            }
            self.send(Command::RemoveSource(source));
        }
        if let Some(receiver) = receiver {
            self.send(Command::RemoveReceiver(receiver));
        }
        Some(leg)
    }

    pub(crate) fn set_muted(&mut self, id: &ParticipantId, muted: bool) -> bool {
        let Some(source) = self.routes.member(id).map(|m| m.source) else { return false };
        self.routes.update(id, |m| m.muted = muted);
        if let Some(source) = source {
            self.send(Command::Mute(source, muted));
        }
        true
    }

    /// Compiles the routes and puts them in force from the next tick on.
    pub(crate) fn replan(&mut self) {
        let plan = self.routes.compile(self.control.limits());
        self.plan_due = self.control.publish(plan).is_err();
    }

    /// Starts delivering whoever turns up on the lanes line of `service`'s leg to `app`, one by one.
    pub(crate) fn open_lanes(&mut self, app: ParticipantId, service: &ParticipantId) {
        if let Some(inlet) = self.parties.get(service).and_then(|p| p.inlet) {
            self.lanes = Some(Lanes { app, inlet, made: 0 });
            self.grow_lanes();
        }
    }

    /// Tells levels every so often from now on, or no more.
    pub(crate) fn tell_levels(&mut self, every: Option<Duration>) {
        let sources = self.limits().sources;
        self.speakers.tell_levels(every, sources);
    }

    /// Who was dominant lately, the latest first, as far as they are still here.
    pub(crate) fn recent_speakers(&self) -> Vec<ParticipantId> {
        let name =
            |speaker| self.parties.iter().find(|(_, party)| party.source_id == speaker).map(|(id, _)| id.clone());
        self.speakers.recent().filter_map(name).collect()
    }

    fn grow_lanes(&mut self) {
        let Some(lanes) = &mut self.lanes else { return };
        let mut made = Vec::new();
        for _ in 0..lanes.made.max(LANE_STEP) {
            let Some(slot) = self.sources.take() else { break };
            let Ok(source) = Source::lane(lanes.inlet, &self.config) else {
                self.sources.give_back(slot);
                break;
            };
            self.routes.add_lane(lanes.app.clone(), slot);
            made.push((slot, source));
        }
        lanes.made += made.len();
        if made.is_empty() {
            tracing::warn!(lanes = lanes.made, "no room for another unmixed source; raise SessionOptions::max_lanes");
            return;
        }
        for (slot, source) in made {
            self.send(Command::AddSource(slot, source));
        }
        self.replan();
    }

    /// Looks at what every leg reports of its losses and moves receivers to the class that suits them.
    pub(crate) fn weigh_losses(&mut self, now: Instant) {
        let mut moves = Vec::new();
        for party in self.parties.values_mut() {
            let (Some(leg), Some(receiver), Some(watch)) = (&party.leg, party.receiver, &mut party.loss) else {
                continue;
            };
            moves.extend(watch.look(&leg.stats().report, now).map(|class| (receiver, class, party.red)));
        }
        for (receiver, class, red) in moves {
            if red {
                self.totals.add_red_switch(class == LOSSY);
                self.send(Command::SetRed(receiver, class == LOSSY));
                continue;
            }
            self.totals.add_class_move(class == LOSSY);
            self.send(Command::SetClass(receiver, class));
        }
    }

    /// Sends digits to a participant.
    ///
    /// # Errors
    /// It is not there, takes none, or has enough on their way.
    pub(crate) fn dial(&mut self, id: &ParticipantId, tones: Tones) -> Result<(), DialError> {
        let party = self.parties.get_mut(id).ok_or_else(|| DialError::UnknownParticipant(id.clone()))?;
        let (Some(rows), Some(receiver)) = (&mut party.dialing, party.receiver) else {
            return Err(DialError::NoTelephoneEvent(id.clone()));
        };
        if *rows >= ROWS {
            return Err(DialError::Busy(id.clone()));
        }
        *rows += 1;
        self.send(Command::SendTones(receiver, tones));
        Ok(())
    }

    /// A row of digits is out.
    fn dialed(&mut self, receiver: ReceiverSlot) -> Option<ConversationEvent> {
        let (id, party) = self.parties.iter_mut().find(|(_, party)| party.receiver == Some(receiver))?;
        let rows = party.dialing.as_mut()?;
        *rows = rows.saturating_sub(1);
        Some(ConversationEvent::TonesSent(id.clone()))
    }

    fn send(&mut self, command: Command) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(command);
        } else if let Err(command) = self.control.send(command) {
            self.backlog.push_back(command);
        }
    }

    /// Moves what waits in either direction: commands and plans out; memory, figures and events in.
    pub(crate) fn service(&mut self, events: &mut Vec<ConversationEvent>) {
        while let Some(command) = self.backlog.pop_front() {
            if let Err(command) = self.control.send(command) {
                self.backlog.push_front(command);
                break;
            }
        }
        self.control.reclaim_plans();
        if self.plan_due {
            self.replan();
        }
        while let Some(time) = self.times.try_pop() {
            self.totals.add_time(time);
        }
        while let Some(record) = self.control.next_record() {
            self.totals.add_record(&record);
            self.speakers.passed(record.tick);
        }
        if let Some(page) = self.speakers.take_due_page() {
            self.send(Command::Levels(page));
        }
        events.append(&mut self.due);
        let mut starved = false;
        while let Some(timed) = self.control.next_event() {
            starved |= matches!(timed.event, Event::LanesExhausted { .. });
            events.extend(self.translate(timed.event));
        }
        if starved {
            self.grow_lanes();
        }
        while let Some(retired) = self.control.next_retired() {
            match retired {
                Retired::Inlet(slot, _) => self.inlets.give_back(slot),
                Retired::Source(slot, _) => self.sources.give_back(slot),
                Retired::Receiver(slot, _) => self.receivers.give_back(slot),
                Retired::Levels(page) => {
                    let named = |level: &SourceLevel| VoiceLevel {
                        participant: self.names.get(&level.source).cloned(),
                        source_id: level.source_id,
                        level: level.level,
                    };
                    events.extend(self.speakers.put_back(page, named));
                    true
                }
                _ => true, // a page of readings nobody waits for any more
            };
        }
    }

    /// The event by name, or by source id if it is about a lane of a bot's leg; `None` for one that is not for the
    /// owner, or whose source has left.
    fn translate(&mut self, event: Event) -> Option<ConversationEvent> {
        match event {
            Event::TalkStarted { source, source_id } => self.talks(source, source_id, true),
            Event::TalkStopped { source, source_id } => self.talks(source, source_id, false),
            Event::DominantSpeaker { source, source_id, .. } => {
                let participant = source.and_then(|source| self.names.get(&source));
                let event = match (participant, source_id) {
                    _ if self.lanes.is_some() => ConversationEvent::DominantLane(source_id),
                    (None, Some(_)) => return None,
                    (participant, _) => ConversationEvent::DominantSpeaker(participant.cloned()),
                };
                self.speakers.dominant(source_id);
                Some(event)
            }
            Event::Tone { source, digit, duration, .. } => {
                let participant = self.names.get(&source)?.clone();
                Some(ConversationEvent::Tone { participant, digit, duration })
            }
            Event::TonesSent { receiver } => self.dialed(receiver),
            _ => None,
        }
    }

    fn talks(&mut self, source: SourceSlot, source_id: SourceId, talking: bool) -> Option<ConversationEvent> {
        let Some(participant) = self.names.get(&source).cloned() else {
            return self.lanes.is_some().then_some(ConversationEvent::LaneTalking { source_id, talking });
        };
        let changed = if talking { self.talking.insert(source) } else { self.talking.remove(&source) };
        changed.then_some(ConversationEvent::Talking { participant, talking })
    }
}
