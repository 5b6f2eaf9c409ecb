//! One conversation of the soak run: people who talk in turns, join, leave and are routed anew, by a seeded draw.

use antiphon_benches::{config, inlet_config, opus, receiver_config, speech_packets};
use antiphon_engine::HostDesk;
use antiphon_pipeline::{
    Command, Control, Conversation, ConversationConfig, FrameCounts, Inlet, InletSlot, Participant, PlanBuilder,
    Receiver, ReceiverSlot, Retired, Slots, Source, SourceSlot,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{AudioLevel, Extension, LevelExtension, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc};
use std::sync::OnceLock;

/// Slots of a room: some more than people, for those who have just left.
const SLOTS: usize = 12;
/// People in a room at first, at least and at most: close together, so that memory has its size soon.
const FIRST: usize = 8;
const FEWEST: usize = 6;
const MOST: usize = 10;
/// Header extension id of the audio level, as the benches' legs have it.
const LEVEL_EXTENSION: u8 = 1;

struct Person {
    inlet: InletSlot,
    source: SourceSlot,
    receiver: ReceiverSlot,
    uplink: PacketSender,
    leg: u32,
    talking: bool,
    sent: u16,
}

/// A conversation on the media thread and everything that happens to it.
pub(crate) struct SoakRoom {
    key: u64,
    /// Of a thousand.
    talk: u64,
    config: ConversationConfig,
    control: Control,
    egress: PacketReceiver,
    inlets: Slots<InletSlot>,
    sources: Slots<SourceSlot>,
    receivers: Slots<ReceiverSlot>,
    people: Vec<Person>,
    draw: u64,
    tick: u64,
    next_leg: u32,
    plan_due: bool,
    pub(crate) joins: u64,
    pub(crate) leaves: u64,
    pub(crate) plans: u64,
    pub(crate) packets_out: u64,
    pub(crate) dropped: u64,
    pub(crate) frames: FrameCounts,
    pub(crate) late: u64,
}

impl SoakRoom {
    /// A room that the media thread ticks from now on.
    pub(crate) fn new(key: u64, desk: &HostDesk) -> Self {
        let config = config(SLOTS);
        let (egress_tx, egress) = packet_ring(256 * 1024);
        let (conversation, control) = Conversation::new(&config, egress_tx).expect("invariant: valid settings");
        desk.adopt(key, conversation, &config.classes);
        let mut room = Self {
            key,
            talk: 0,
            inlets: Slots::new(config.limits.inlets),
            sources: Slots::new(config.limits.sources),
            receivers: Slots::new(config.limits.receivers),
            config,
            control,
            egress,
            people: Vec::new(),
            draw: (key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            tick: 0,
            next_leg: 0,
            plan_due: false,
            joins: 0,
            leaves: 0,
            plans: 0,
            packets_out: 0,
            dropped: 0,
            frames: FrameCounts::default(),
            late: 0,
        };
        (0..FIRST).for_each(|_| room.join());
        room
    }

    /// Takes it off the media thread.
    pub(crate) fn close(self, desk: &HostDesk) {
        desk.release(self.key);
    }

    pub(crate) fn people(&self) -> usize {
        self.people.len()
    }

    pub(crate) fn talking(&self) -> usize {
        self.people.iter().filter(|person| person.talking).count()
    }

    /// Everything of 20 ms on the control side; `now` is when its packets arrived, `talk` of a thousand talk.
    pub(crate) fn step(&mut self, now: MonoTime, talk: u64) {
        self.tick += 1;
        self.talk = talk;
        self.collect();
        self.churn();
        if self.plan_due {
            self.publish();
        }
        for person in &mut self.people {
            person.send(self.tick, now);
        }
    }

    /// What happens by chance: per second a third of a join and of a leave, half a new plan, four looks at who talks.
    fn churn(&mut self) {
        if self.one_in(150) && self.people.len() < MOST {
            self.join();
        }
        if self.one_in(150) && self.people.len() > FEWEST {
            let at = self.below(self.people.len());
            self.leave(at);
        }
        self.plan_due |= self.one_in(100);
        if self.one_in(12) && !self.people.is_empty() {
            let at = self.below(self.people.len());
            self.people[at].talking = self.talks();
        }
        if self.one_in(250) && !self.people.is_empty() {
            let at = self.below(self.people.len());
            let muted = self.below(2) == 0;
            let _ = self.control.send(Command::Mute(self.people[at].source, muted)); // full: another time
        }
    }

    fn join(&mut self) {
        if self.control.vacant_commands() < 3 {
            return;
        }
        // Who has left is out only when the media thread has said so.
        let free = [self.inlets.available(), self.sources.available(), self.receivers.available()];
        if free.contains(&0) {
            return;
        }
        let taken = (self.inlets.take(), self.sources.take(), self.receivers.take());
        let (Some(inlet), Some(source), Some(receiver)) = taken else { unreachable!("invariant: looked a line ago") };
        let leg = self.next_leg;
        self.next_leg += 1;
        let (uplink, ring) = packet_ring(16 * 1024);
        let voice = Source::rtp(SourceId::new(leg), &self.config).expect("memory for a decoder");
        let listener = Receiver::rtp(receiver_config(leg), &self.config).expect("memory for an encoder");
        for command in [
            Command::AddInlet(inlet, Inlet::new(ring, &inlet_config(source), 0)),
            Command::AddSource(source, voice),
            Command::AddReceiver(receiver, listener),
        ] {
            assert!(self.control.send(command).is_ok(), "invariant: there was room for three");
        }
        let talking = self.talks();
        self.people.push(Person { inlet, source, receiver, uplink, leg, talking, sent: 0 });
        self.joins += 1;
        self.plan_due = true;
    }

    fn leave(&mut self, at: usize) {
        if self.control.vacant_commands() < 3 {
            return;
        }
        let person = self.people.swap_remove(at);
        for command in [
            Command::RemoveInlet(person.inlet),
            Command::RemoveSource(person.source),
            Command::RemoveReceiver(person.receiver),
        ] {
            assert!(self.control.send(command).is_ok(), "invariant: there was room for three");
        }
        self.leaves += 1;
        self.plan_due = true;
    }

    /// The default group, now and then with a gain and a routing group on top.
    fn publish(&mut self) {
        let mut builder = PlanBuilder::new(&self.config.limits);
        for person in &self.people {
            builder.participant(Participant {
                source: Some(person.source),
                receiver: Some(person.receiver),
                in_default_group: true,
                unmixed: false,
            });
        }
        if self.people.len() > 2 && self.below(3) == 0 {
            let (a, b) = (self.below(self.people.len()), self.below(self.people.len()));
            builder.gain(self.people[a].source, self.people[b].receiver, 0.5);
            builder.route(&[self.people[b].source], &[self.people[a].receiver]);
        }
        self.plan_due = self.control.publish(builder.build()).is_err();
        self.plans += u64::from(!self.plan_due);
    }

    /// Takes what the media thread sends and gives back.
    fn collect(&mut self) {
        let mut buffer = [0; MAX_PACKET];
        while self.egress.pop(&mut buffer).is_some() {
            self.packets_out += 1;
        }
        while let Some(record) = self.control.next_record() {
            self.dropped += u64::from(record.egress_dropped);
            self.frames.merge(&record.frames);
            self.late += record.packets.late;
        }
        while self.control.next_event().is_some() {}
        while let Some(retired) = self.control.next_retired() {
            match retired {
                Retired::Inlet(slot, _) => assert!(self.inlets.give_back(slot)),
                Retired::Source(slot, _) => assert!(self.sources.give_back(slot)),
                Retired::Receiver(slot, _) => assert!(self.receivers.give_back(slot)),
                _ => {}
            }
        }
        self.control.reclaim_plans();
    }

    fn talks(&mut self) -> bool {
        (self.below(1_000) as u64) < self.talk
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// xorshift64*.
    fn below(&mut self, bound: usize) -> usize {
        self.draw ^= self.draw >> 12;
        self.draw ^= self.draw << 25;
        self.draw ^= self.draw >> 27;
        ((self.draw.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound as u64) as usize
    }
}

impl Person {
    /// This tick's packet, if there is one: speech, or now and then a DTX frame.
    fn send(&mut self, tick: u64, at: MonoTime) {
        if !self.talking && !(tick + u64::from(self.leg)).is_multiple_of(20) {
            return;
        }
        let voice = &voices()[self.leg as usize % voices().len()];
        let payload = if self.talking { &voice[tick as usize % voice.len()] } else { [0x08].as_slice() };
        let level = AudioLevel::new(if self.talking { 30 } else { 127 });
        let level = LevelExtension { level, voice: self.talking }.to_bytes();
        self.sent = self.sent.wrapping_add(1);
        let header = RtpHeader {
            marker: false,
            payload_type: opus(),
            seq: SeqNo::new(self.sent),
            timestamp: RtpTimestamp::new((tick as u32).wrapping_mul(960)),
            ssrc: Ssrc::new(self.leg),
            csrcs: &[],
            extensions: &[Extension { id: LEVEL_EXTENSION, data: &level }],
        };
        let mut out = [0; MAX_PACKET];
        let len = header.write(&mut out, payload).expect("invariant: a small packet");
        // Full while the media thread stands still: the packet is lost, as on a network.
        let _ = self.uplink.push(PacketMeta { at, leg: self.leg }, &out[..len]);
    }
}

/// Five seconds each of eight people, encoded once.
fn voices() -> &'static [Vec<Vec<u8>>] {
    static VOICES: OnceLock<Vec<Vec<Vec<u8>>>> = OnceLock::new();
    VOICES.get_or_init(|| (0..8).map(|voice| speech_packets(voice, 250)).collect())
}
