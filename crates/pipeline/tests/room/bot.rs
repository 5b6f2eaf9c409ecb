//! A bot: its leg in somebody's room, and its own conversation behind that leg, with lanes and an app's ear.

use antiphon_pipeline::{
    AppEar, AppEarConfig, Command, Control, Conversation, ConversationConfig, Inlet, InletConfig, InletSlot,
    LaneConfig, Mid, MixPlan, Participant, Payload, PlanBuilder, Receiver, ReceiverSlot, Retired, RtpReceiverConfig,
    Slots, Source, SourceSlot,
};
use antiphon_rt::packet_ring::{MAX_PACKET, PacketReceiver, PacketSender, packet_ring};
use antiphon_rtp::{PayloadType, RtpTimestamp, SeqNo, SourceId, Ssrc};

use super::{LEVEL_EXTENSION, Room};

/// Tag of the bot's packets in the room's egress ring.
pub const LEG: u32 = 500;
const MID_EXTENSION: u8 = 4;

fn opus() -> PayloadType {
    PayloadType::new(111).unwrap()
}

/// A receiver's settings towards `leg`, with mid `mix`; with lanes numbered from `lanes`, if given.
pub fn receiver_config(leg: u32, class: u8, lanes: Option<u32>) -> RtpReceiverConfig {
    let mid = |text| (MID_EXTENSION, Mid::new(text).unwrap());
    let lanes = lanes.map(|ssrc_base| LaneConfig {
        payload_type: opus(),
        pcmu: None,
        pcma: None,
        mid: mid("lanes"),
        level_extension: Some(LEVEL_EXTENSION),
        ssrc_base,
    });
    RtpReceiverConfig {
        leg,
        ssrc: Ssrc::new(7),
        payload_type: opus(),
        red: None,
        tones: None,
        first_seq: SeqNo::new(1),
        first_timestamp: RtpTimestamp::new(1),
        class,
        level_extension: Some(LEVEL_EXTENSION),
        csrc_level_extension: None,
        mid: Some(mid("mix")),
        lanes,
    }
}

/// Adds a bot's receiver with lanes to the room, hearing the default group; the plan is not yet changed.
pub fn join(room: &mut Room, ssrc_base: u32) -> Participant {
    let receiver = room.receivers.take().unwrap();
    let listener = Receiver::rtp(receiver_config(LEG, 0, Some(ssrc_base)), &room.config).unwrap();
    room.control.send(Command::AddReceiver(receiver, listener)).unwrap();
    Participant { source: None, receiver: Some(receiver), in_default_group: true, unmixed: true }
}

/// A bot's own conversation: one leg in, an app's ear on the mix and on the lanes.
pub struct Bot {
    pub config: ConversationConfig,
    pub conversation: Box<Conversation>,
    pub control: Control,
    pub egress: PacketReceiver,
    pub ear: AppEar,
    pub uplink: PacketSender,
    pub inlet: InletSlot,
    pub sources: Slots<SourceSlot>,
    pub receivers: Slots<ReceiverSlot>,
    pub lanes: Vec<SourceSlot>,
    /// Routes besides the one from the mix to the app.
    pub routes: Vec<(SourceSlot, ReceiverSlot)>,
    main: SourceSlot,
    app: ReceiverSlot,
}

impl Bot {
    /// With so many lanes, and a table for so many.
    pub fn new(config: ConversationConfig, lanes: usize, table: usize) -> Self {
        let (tx, egress) = packet_ring(256 * 1024);
        let (conversation, mut control) = Conversation::new(&config, tx).unwrap();
        let mut sources = Slots::new(config.limits.sources);
        let mut receivers = Slots::new(config.limits.receivers);
        let inlet = Slots::new(config.limits.inlets).take().unwrap();
        let (uplink, ring) = packet_ring(256 * 1024);
        let main = sources.take().unwrap();
        let inlet_config = InletConfig {
            payloads: vec![(opus(), Payload::Opus)],
            level_extension: Some(LEVEL_EXTENSION),
            mid_extension: Some(MID_EXTENSION),
            lanes_mid: Mid::new("lanes"),
            main: Some(main),
        };
        control.send(Command::AddInlet(inlet, Inlet::new(ring, &inlet_config, table))).unwrap();
        control.send(Command::AddSource(main, Source::rtp(SourceId::new(0), &config).unwrap())).unwrap();
        let app = receivers.take().unwrap();
        let (listener, ear) = Receiver::app(AppEarConfig::default(), &config).unwrap();
        control.send(Command::AddReceiver(app, listener)).unwrap();
        let mut bot = Self {
            config,
            conversation,
            control,
            egress,
            ear,
            uplink,
            inlet,
            sources,
            receivers,
            lanes: Vec::new(),
            routes: Vec::new(),
            main,
            app,
        };
        (0..lanes).for_each(|_| bot.add_lane());
        bot.control.publish(bot.plan()).unwrap();
        bot
    }

    /// One more lane; the plan is not yet changed.
    pub fn add_lane(&mut self) {
        let lane = self.sources.take().unwrap();
        self.control.send(Command::AddSource(lane, Source::lane(self.inlet, &self.config).unwrap())).unwrap();
        self.lanes.push(lane);
    }

    /// The plan of the present lanes and routes.
    pub fn plan(&self) -> Box<MixPlan> {
        let mut builder = PlanBuilder::new(&self.config.limits);
        builder.route(&[self.main], &[self.app]).unmixed(&self.lanes, self.app);
        for (source, receiver) in &self.routes {
            builder.route(&[*source], &[*receiver]);
        }
        builder.build()
    }

    /// Takes what the room sent to the bot's leg, as far as `arrives` lets it through.
    pub fn take_from(&mut self, room: &mut Room, mut arrives: impl FnMut() -> bool) {
        let mut buffer = [0; MAX_PACKET];
        while let Some((meta, len)) = room.egress.pop(&mut buffer) {
            if meta.leg == LEG && arrives() {
                self.uplink.push(meta, &buffer[..len]).unwrap();
            }
        }
    }

    /// Frees what came back.
    pub fn reclaim(&mut self) {
        while let Some(retired) = self.control.next_retired() {
            match retired {
                Retired::Source(slot, _) => assert!(self.sources.give_back(slot)),
                Retired::Receiver(slot, _) => assert!(self.receivers.give_back(slot)),
                _ => {}
            }
        }
        self.control.reclaim_plans();
    }
}
