//! A conversation: what participants are in, by name. The public handle and its life.
//!
//! Threads: callers' threads; every method takes the conversation's own lock briefly (longest in `answer`, which
//! builds the peer) and never waits for a media thread. Events are called on the control thread, with no lock held.
//! Invariants: at most one leg per participant; a closed conversation stays closed.
//! Not here: a bot's own end of a call (see `session`), what Graph allows (the callers check that).

use crate::control::Side;
use crate::engine::{Shared, lock};
use crate::error::{CreateError, DialError, JoinError, RouteError};
use crate::loss;
use crate::media_thread::{CONVERSATIONS_PER_THREAD, Hosted, MediaThread};
use crate::plain::PlainLeg;
use crate::routes::Member;
use crate::speaker::{self, Speaker};
use crate::state::{Parts, Reserved, Room};
use crate::{ConversationStats, ParticipantId, VoiceLevel};
use antiphon_pipeline::{self as pipeline, BusRate, ConversationConfig, Inlet, InletConfig, Limits, Mid, OpusSettings};
use antiphon_pipeline::{LaneConfig, Payload, Receiver, RtpReceiverConfig, Source, Tones};
use antiphon_rt::packet_ring::packet_ring;
use antiphon_rt::wake::Waker;
use antiphon_rtp::{PayloadType, RtpTimestamp, SeqNo, SourceId};
use antiphon_transport::PlainJoined as PlainOpened;
use antiphon_transport::{CloseReason, Codec, EgressId, LaneParams, Leg, LegEvent, LegStats, Negotiated};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Bytes of egress ring per participant: a tick's packets of one receiver, with room for a late network thread.
const EGRESS_BYTES_PER_PARTICIPANT: usize = 4 * 1024;
/// Slots beyond the participants allowed, for those who have just left.
pub(crate) const SLACK: usize = 16;
/// Least and most bytes of an egress ring.
const EGRESS_BYTES: std::ops::RangeInclusive<usize> = 64 * 1024..=8 * 1024 * 1024;

/// What happens in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConversationEvent {
    /// The participant's media is connected: keys are agreed and audio flows.
    Connected(ParticipantId),
    /// The participant's media ended; it stays a participant until it leaves.
    Disconnected {
        /// Who.
        participant: ParticipantId,
        /// Why.
        reason: CloseReason,
    },
    /// The participant began or stopped talking.
    Talking {
        /// Who.
        participant: ParticipantId,
        /// `true` at the onset, `false` half a second after the last sound or as it leaves.
        talking: bool,
    },
    /// On a bot's side: somebody on the lanes began or stopped talking.
    LaneTalking {
        /// Names the voice; the service's roster has the participant.
        source_id: SourceId,
        /// `true` at the onset, `false` half a second after the last sound.
        talking: bool,
    },
    /// The participant dialled a digit (RFC 4733); told once, when it is over.
    Tone {
        /// Who. On a bot's side the service's stream carries them: [`crate::MediaSession::SERVICE`].
        participant: ParticipantId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// How long it lasted.
        duration: Duration,
    },
    /// A row of digits was sent to the participant ([`Conversation::send_tones`]).
    TonesSent(ParticipantId),
    /// Who carries the conversation now; `None` when all are silent.
    DominantSpeaker(Option<ParticipantId>),
    /// On a bot's side: who of those on the lanes carries the conversation now; `None` when all are silent.
    DominantLane(Option<SourceId>),
    /// How loud everybody is who talks, as often as [`Conversation::tell_levels`] asked for; empty once when nobody does
    /// any more, then no more until somebody does.
    Levels(Arc<[VoiceLevel]>),
    /// The conversation's media ended by a fault of ours; it is closed.
    Failed {
        /// What happened, for the log.
        report: String,
    },
}

/// Called for every event; must return quickly and not block.
pub type EventCallback = Arc<dyn Fn(ConversationEvent) + Send + Sync>;

/// How a conversation is made.
#[derive(Clone)]
pub struct ConversationOptions {
    /// Rate at which it decodes, mixes and encodes.
    pub rate: BusRate,
    /// Participants at a time.
    pub max_participants: usize,
    /// Encoder settings of what participants hear.
    pub encode: OpusSettings,
    /// Told what happens.
    pub on_event: EventCallback,
}

impl ConversationOptions {
    /// 48 kHz, up to 128 participants, Opus at 24 kb/s and complexity 5.
    pub fn new(on_event: impl Fn(ConversationEvent) + Send + Sync + 'static) -> Self {
        let on_event = Arc::new(on_event);
        Self { rate: BusRate::default(), max_participants: 128, encode: OpusSettings::default(), on_event }
    }
}

impl fmt::Debug for ConversationOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, max_participants, encode, on_event: _ } = self;
        let mut s = f.debug_struct("ConversationOptions");
        s.field("rate", rate).field("max_participants", max_participants).field("encode", encode);
        s.finish_non_exhaustive()
    }
}

/// How a participant enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinOptions {
    /// In the default group, where everyone hears everyone else.
    pub in_default_group: bool,
    /// Heard by nobody until unmuted.
    pub muted: bool,
}

impl Default for JoinOptions {
    /// In the default group and unmuted.
    fn default() -> Self {
        Self { in_default_group: true, muted: false }
    }
}

/// What a participant got by joining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The SDP answer for its offer, candidates complete.
    pub answer: String,
    /// Names its voice: `mediaStream.sourceId`, and the CSRC of its packets.
    pub source_id: SourceId,
}

/// A conversation. Cheap to clone; the last clone's drop closes it.
#[derive(Clone)]
pub struct Conversation {
    handle: Arc<Handle>,
}

/// Closes the conversation when nobody holds it any more.
struct Handle(Arc<Inner>);

/// The conversation as the engine holds it.
pub(crate) struct Inner {
    key: u64,
    side: Side,
    room: Mutex<Room>,
    media: Arc<MediaThread>,
    egress: EgressId,
    on_event: EventCallback,
    release_due: AtomicBool,
    shared: Arc<Shared>,
}

impl Conversation {
    pub(crate) fn create(
        shared: &Arc<Shared>,
        side: Side,
        options: ConversationOptions,
        app: Option<Waker>,
    ) -> Result<Self, CreateError> {
        let ConversationOptions { rate, max_participants, encode, on_event } = options;
        // A slot is free again only some milliseconds after a leave: a few more than there may be participants.
        let slots = max_participants + SLACK;
        let limits = Limits { sources: slots, ..Limits::for_participants(slots) };
        let config =
            ConversationConfig { rate, limits, classes: loss::classes(encode), ..ConversationConfig::default() };
        Self::with_config(shared, side, config, max_participants, on_event, app)
    }

    pub(crate) fn with_config(
        shared: &Arc<Shared>,
        side: Side,
        config: ConversationConfig,
        max_participants: usize,
        on_event: EventCallback,
        app: Option<Waker>,
    ) -> Result<Self, CreateError> {
        config.validate()?;
        let net = shared.net(side).ok_or(CreateError::NoEndpoint)?;
        let ring = (max_participants * EGRESS_BYTES_PER_PARTICIPANT).clamp(*EGRESS_BYTES.start(), *EGRESS_BYTES.end());
        let (egress_tx, egress_rx) = packet_ring(ring);
        let (conversation, control) = pipeline::Conversation::new(&config, egress_tx)?;
        let key = shared.next_key();
        let (hosted, times) = Hosted::new(key, conversation, &config.classes, app);
        let media = shared.least_loaded();
        media.desk().adopt(hosted).map_err(|_| CreateError::ThreadsFull { limit: CONVERSATIONS_PER_THREAD })?;
        let room = Mutex::new(Room::new(control, config, times, max_participants));
        let egress = net.register_egress(egress_rx);
        let inner = Arc::new(Inner {
            key,
            side,
            room,
            media,
            egress,
            on_event,
            release_due: AtomicBool::new(false),
            shared: Arc::clone(shared),
        });
        shared.register(key, Arc::clone(&inner));
        Ok(Self { handle: Arc::new(Handle(inner)) })
    }

    /// Lets a participant in by answering its offer; about a millisecond, no I/O. Its audio flows from
    /// [`ConversationEvent::Connected`] on.
    ///
    /// # Errors
    /// [`JoinError`]; nothing has changed then.
    pub fn answer(&self, id: &ParticipantId, offer: &str, options: JoinOptions) -> Result<Joined, JoinError> {
        let inner = self.inner();
        let endpoint = inner.shared.endpoint().ok_or(JoinError::Closed)?;
        let mut room = inner.room();
        let reserved = room.reserve(id, true)?;
        let answered = inner
            .shared
            .with_leg(inner.side, inner, id, || endpoint.answer(offer).map(|answered| (answered.leg.id(), answered)));
        let mut answered = match answered {
            Ok(answered) => answered,
            Err(error) => {
                room.release(reserved);
                return Err(error.into());
            }
        };
        let negotiated = answered.leg.negotiated().cloned().expect("invariant: an answered leg is negotiated");
        let parts = match leg_parts(room.config(), reserved, &mut answered.leg, &negotiated) {
            Ok(parts) => parts,
            Err(error) => {
                room.release(reserved);
                drop(room);
                inner.drop_leg(Some(answered.leg));
                return Err(error);
            }
        };
        let unmixed = negotiated.lanes.is_some();
        let JoinOptions { in_default_group, muted } = options;
        let member = Member { source: None, receiver: None, in_default_group, muted, unmixed };
        room.admit(id.clone(), reserved, Some(answered.leg), parts, member);
        Ok(Joined { answer: answered.sdp, source_id: reserved.source_id })
    }

    /// Lets a participant in who has no leg and only speaks; in force from the next tick. [`Conversation::leave`] takes it
    /// out, after which what it says leads nowhere.
    ///
    /// # Errors
    /// [`JoinError`]; nothing has changed then.
    pub fn join_speaker(&self, id: &ParticipantId, options: JoinOptions) -> Result<Speaker, JoinError> {
        let mut room = self.inner().room();
        let reserved = room.reserve(id, true)?;
        let (speaker, parts) = match speaker_parts(room.config(), reserved) {
            Ok(made) => made,
            Err(error) => {
                room.release(reserved);
                return Err(error);
            }
        };
        let JoinOptions { in_default_group, muted } = options;
        let member = Member { source: None, receiver: None, in_default_group, muted, unmixed: false };
        room.admit(id.clone(), reserved, None, parts, member);
        Ok(speaker)
    }

    /// Takes a participant out and closes its leg. `false` if it was not in.
    #[expect(clippy::must_use_candidate, reason = "leaving is the point")]
    pub fn leave(&self, id: &ParticipantId) -> bool {
        let inner = self.inner();
        let Some(leg) = inner.room().remove(id) else { return false };
        inner.drop_leg(leg);
        true
    }

    /// Puts a participant into the default group or takes it out; in force from the next tick.
    /// `false` if it is not in the conversation.
    #[expect(clippy::must_use_candidate, reason = "the change is the point")]
    pub fn set_in_default_group(&self, id: &ParticipantId, inside: bool) -> bool {
        let mut room = self.inner().room();
        let known = room.routes.update(id, |m| m.in_default_group = inside);
        if known {
            room.replan();
        }
        known
    }

    /// Mutes a participant for everybody, or lets it be heard again. `false` if it is not in the conversation.
    #[expect(clippy::must_use_candidate, reason = "the change is the point")]
    pub fn set_muted(&self, id: &ParticipantId, muted: bool) -> bool {
        self.inner().room().set_muted(id, muted)
    }

    /// Creates or replaces a routing group: every receiver hears every source, whatever else they hear.
    ///
    /// # Errors
    /// [`RouteError`] names who is not in the conversation; nothing has changed then.
    pub fn set_routing_group(
        &self,
        group: &str,
        sources: &[ParticipantId],
        receivers: &[ParticipantId],
    ) -> Result<(), RouteError> {
        let mut room = self.inner().room();
        room.routes.set_group(group, sources, receivers)?;
        room.replan();
        Ok(())
    }

    /// Removes a routing group. `false` if there was none of that name.
    #[expect(clippy::must_use_candidate, reason = "the change is the point")]
    pub fn remove_routing_group(&self, group: &str) -> bool {
        let mut room = self.inner().room();
        let existed = room.routes.remove_group(group);
        if existed {
            room.replan();
        }
        existed
    }

    /// Multiplies what `receiver` hears of `source` (1 is the default, 0 is silence). It leaves the shared mix then.
    ///
    /// # Errors
    /// [`RouteError`]; nothing has changed then.
    pub fn set_gain(&self, source: &ParticipantId, receiver: &ParticipantId, gain: f32) -> Result<(), RouteError> {
        let mut room = self.inner().room();
        room.routes.set_gain(source, receiver, gain)?;
        room.replan();
        Ok(())
    }

    /// Sends a row of digits to a participant, which does not hear the mix while they last;
    /// [`ConversationEvent::TonesSent`] follows. Up to four rows wait for each other.
    ///
    /// # Errors
    /// [`DialError`]; nothing is sent then.
    pub fn send_tones(&self, id: &ParticipantId, tones: Tones) -> Result<(), DialError> {
        self.inner().room().dial(id, tones)
    }

    /// Who hears whom as planned: each receiver with its sources, by identity; muted sources left out.
    #[must_use]
    pub fn matrix(&self) -> Vec<(ParticipantId, Vec<ParticipantId>)> {
        let room = self.inner().room();
        room.routes.matrix(room.limits())
    }

    /// The source id of a participant.
    #[must_use]
    pub fn source_id(&self, id: &ParticipantId) -> Option<SourceId> {
        self.inner().room().party(id).map(|party| party.source_id)
    }

    /// Asks for [`ConversationEvent::Levels`] every so often (100 ms is usual; whole ticks of 20 ms), or for no more of
    /// them. Costs the media thread some nanoseconds for each who talks.
    pub fn tell_levels(&self, every: Option<Duration>) {
        self.inner().room().tell_levels(every);
    }

    /// Who carried the conversation lately, the latest first; at most eight, without those who have left.
    #[must_use]
    pub fn recent_speakers(&self) -> Vec<ParticipantId> {
        self.inner().room().recent_speakers()
    }

    /// What the media thread did so far, complete up to some ten milliseconds ago.
    #[must_use]
    pub fn stats(&self) -> ConversationStats {
        let governor = self.inner().media.desk().governor();
        ConversationStats { governor, ..self.inner().room().totals.snapshot() }
    }

    /// The network figures of each participant's leg.
    #[must_use]
    pub fn leg_stats(&self) -> Vec<(ParticipantId, LegStats)> {
        let room = self.inner().room();
        room.parties().filter_map(|(id, party)| Some((id.clone(), party.leg.as_ref()?.stats()))).collect()
    }

    /// Ends the conversation: all legs are closed, the media thread lets go of it. Idempotent.
    pub fn close(&self) {
        self.inner().close();
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.handle.0
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation").field("key", &self.inner().key).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Inner {
    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        lock(&self.room)
    }

    pub(crate) fn emit(&self, event: ConversationEvent) {
        (self.on_event)(event);
    }

    pub(crate) fn on_leg_event(&self, participant: ParticipantId, event: LegEvent) {
        match event {
            LegEvent::Connected => self.emit(ConversationEvent::Connected(participant)),
            LegEvent::Closed(reason) => self.emit(ConversationEvent::Disconnected { participant, reason }),
            _ => {}
        }
    }

    /// Opens a plain leg of this conversation and notes whose it is.
    pub(crate) fn open_plain(self: &Arc<Self>, id: &ParticipantId, leg: &PlainLeg) -> Result<PlainOpened, JoinError> {
        let endpoint = self.shared.endpoint().ok_or(JoinError::Closed)?;
        let open = || endpoint.plain(&leg.params, leg.local).map(|joined| (joined.leg.id(), joined));
        Ok(self.shared.with_leg(self.side, self, id, open)?)
    }

    /// Closes a leg that has left the room; its events find no owner any more.
    pub(crate) fn drop_leg(&self, leg: Option<Leg>) {
        if let Some(leg) = leg {
            self.shared.forget_leg(self.side, leg.id());
        }
    }

    pub(crate) fn close(&self) {
        let mut room = self.room();
        if std::mem::replace(&mut room.closed, true) {
            return;
        }
        let legs = self.evict(&mut room);
        drop(room);
        for leg in legs {
            self.drop_leg(leg);
        }
        self.ask_back();
        if let Some(net) = self.shared.net(self.side) {
            net.unregister_egress(self.egress);
        }
    }

    /// Asks the media thread for the conversation; if its ring is full now, the control thread asks again.
    pub(crate) fn ask_back(&self) {
        self.release_due.store(!self.media.desk().release(self.key), Ordering::Relaxed); // read by the control thread only
    }

    /// Whether [`Self::ask_back`] must be called again.
    pub(crate) fn release_due(&self) -> bool {
        self.release_due.load(Ordering::Relaxed)
    }

    /// The media thread has given the conversation up.
    pub(crate) fn fail(&self) {
        let mut room = self.room();
        room.closed = true;
        let legs = self.evict(&mut room);
        drop(room);
        for leg in legs {
            self.drop_leg(leg);
        }
        if let Some(net) = self.shared.net(self.side) {
            net.unregister_egress(self.egress);
        }
    }

    fn evict(&self, room: &mut Room) -> Vec<Option<Leg>> {
        let everybody: Vec<ParticipantId> = room.parties().map(|(id, _)| id.clone()).collect();
        everybody.iter().filter_map(|id| room.remove(id)).collect()
    }
}

/// The media-thread parts for a participant behind `leg`: a source if it may send, a receiver if we may.
pub(crate) fn leg_parts(
    config: &ConversationConfig,
    reserved: Reserved,
    leg: &mut Leg,
    negotiated: &Negotiated,
) -> Result<Parts, JoinError> {
    let Negotiated { mix, lanes } = negotiated;
    let ring = leg.take_ingress().expect("invariant: nobody took the ring of a new leg");
    let inlet = InletConfig {
        payloads: payloads(negotiated),
        level_extension: mix.level_ext,
        mid_extension: mix.mid_ext,
        lanes_mid: lanes.as_ref().filter(|lanes| lanes.direction.receives()).and_then(|lanes| Mid::new(&lanes.mid)),
        main: mix.direction.receives().then_some(reserved.source),
    };
    let inlet = Some(Inlet::new(ring, &inlet, config.limits.sources));
    let source = if mix.direction.receives() { Some(Source::rtp(reserved.source_id, config)?) } else { None };
    if !mix.direction.sends() {
        return Ok(Parts { inlet, source, receiver: None, adapts: false, red: false, tones: false });
    }
    let class = match mix.codec {
        Codec::Pcmu => loss::MULAW,
        Codec::Pcma => loss::ALAW,
        _ => loss::CLEAR,
    };
    let is_opus = mix.codec == Codec::Opus;
    let red = mix.payload_type_of(Codec::Red).filter(|_| is_opus);
    let receiver = RtpReceiverConfig {
        leg: leg.id().as_u32(),
        ssrc: mix.ssrc,
        payload_type: mix.payload_type,
        red,
        tones: mix.tones(),
        first_seq: SeqNo::new(random() as u16 >> 1), // the upper half is left free, as RFC 3711 §3.3.1 advises
        first_timestamp: RtpTimestamp::new(random() as u32),
        class,
        level_extension: mix.level_ext,
        csrc_level_extension: mix.csrc_level_ext,
        mid: mix.mid_ext.zip(Mid::new(&mix.mid)),
        lanes: lanes.as_ref().filter(|lanes| lanes.direction.sends()).and_then(lane_config),
    };
    let (red, tones) = (red.is_some(), mix.tones().is_some());
    Ok(Parts { inlet, source, receiver: Some(Receiver::rtp(receiver, config)?), adapts: is_opus, red, tones })
}

/// What may come in on a leg. Lanes share payload types with the mix (RFC 8843 §10.1).
fn payloads(negotiated: &Negotiated) -> Vec<(PayloadType, Payload)> {
    let lanes = negotiated.lanes.iter().flat_map(|lanes| &lanes.payloads);
    let payload = |codec| match codec {
        Codec::Opus => Payload::Opus,
        Codec::Pcmu => Payload::Pcmu,
        Codec::Pcma => Payload::Pcma,
        Codec::Red => Payload::Red,
        Codec::TelephoneEvent { clock } => Payload::TelephoneEvent { clock },
    };
    lanes.chain(&negotiated.mix.payloads).map(|(number, codec)| (*number, payload(*codec))).collect()
}

/// A speaker, and its inlet and source.
fn speaker_parts(config: &ConversationConfig, reserved: Reserved) -> Result<(Speaker, Parts), JoinError> {
    let (speaker, ring) = Speaker::new(reserved.source_id, random())?;
    let inlet = InletConfig {
        payloads: vec![(speaker::payload_type(), Payload::Opus)],
        level_extension: None,
        mid_extension: None,
        lanes_mid: None,
        main: Some(reserved.source),
    };
    let inlet = Some(Inlet::new(ring, &inlet, 0));
    let source = Some(Source::rtp(reserved.source_id, config)?);
    Ok((speaker, Parts { inlet, source, receiver: None, adapts: false, red: false, tones: false }))
}

/// `None` when the peer did not agree to the mid extension, without which lanes cannot be told apart.
fn lane_config(lanes: &LaneParams) -> Option<LaneConfig> {
    Some(LaneConfig {
        payload_type: lanes.payload_type_of(Codec::Opus)?,
        pcmu: lanes.payload_type_of(Codec::Pcmu),
        pcma: lanes.payload_type_of(Codec::Pcma),
        mid: (lanes.mid_ext?, Mid::new(&lanes.mid)?),
        level_extension: lanes.level_ext,
        ssrc_base: lanes.ssrc.as_u32(),
    })
}

/// 64 random bits, good enough for first sequence numbers and timestamps (RFC 3550 §5.1).
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}
