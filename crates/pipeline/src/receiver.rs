//! A receiver: one participant as a listener, over RTP or as an app.
//!
//! Owns its RTP numbers (SSRC, sequence, timestamp), its lanes, or the rings of an app's ear, and
//! brings one mix slot into the conversation's pool. Runs in the tick; made and dropped on control threads.
//! Invariants: the timestamp follows the tick, the sequence number the packets sent.
//! Not here: what is in the mix. Spec: RFC 3550 §5.1, RFC 6464, RFC 6465, RFC 8843 §9.2.

use antiphon_codec::{CodecError, g711};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketSender};
use antiphon_rtp::red::{self, RedBlock};
use antiphon_rtp::{
    AudioLevel, Extension, LevelExtension, PayloadType, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc,
};

use crate::inlet::Mid;
use crate::jitter::FrameKind;
use crate::lanes::LaneTable;
use crate::mix::MixSlot;
use crate::pcm::{AppEar, EarSender, MixedFrame, Samples, UnmixedFrame, ear};
use crate::source::Source;
use crate::tones::{ToneSender, ToneStep};
use crate::{ConversationConfig, EncodeClass, RTP_FRAME, SourceSlot, Tones, groups};

/// Most bytes of two frames in one packet: with header, extensions and SRTP it then stays within an Ethernet MTU
/// after tunnels.
const RED_BYTES: usize = 1_100;
/// Room for a packet of digits with the longest mid.
const TONE_BYTES: usize = 64;

/// What was negotiated for a leg's sending direction.
#[derive(Clone, Copy, Debug)]
pub struct RtpReceiverConfig {
    /// Tag of its packets in the egress ring: the transport's number for the leg.
    pub leg: u32,
    /// SSRC of the mix.
    pub ssrc: Ssrc,
    /// Payload type of the class's codec, as the leg's peer numbers it.
    pub payload_type: PayloadType,
    /// That of RED around it (RFC 2198), if negotiated; used once [`crate::Command::SetRed`] says so.
    pub red: Option<PayloadType>,
    /// That of telephone-events on the codec's clock (RFC 4733), if negotiated.
    pub tones: Option<PayloadType>,
    /// Random first sequence number (RFC 3550 §5.1).
    pub first_seq: SeqNo,
    /// Random first timestamp.
    pub first_timestamp: RtpTimestamp,
    /// Index into the conversation's encoder classes.
    pub class: u8,
    /// Header extension id for the level of the mix (RFC 6464), if negotiated.
    pub level_extension: Option<u8>,
    /// Header extension id for the levels of the contributors (RFC 6465), if negotiated.
    pub csrc_level_extension: Option<u8>,
    /// Header extension id and value of the mid of the mix's m-line, if negotiated.
    pub mid: Option<(u8, Mid)>,
    /// Where the sources it hears are forwarded one by one, on a bot's leg.
    pub lanes: Option<LaneConfig>,
}

/// What was negotiated for the lanes m-line.
#[derive(Clone, Copy, Debug)]
pub struct LaneConfig {
    /// Opus payload type on that m-line.
    pub payload_type: PayloadType,
    /// That of G.711 by the mu-law, if negotiated; without it such sources are not forwarded.
    pub pcmu: Option<PayloadType>,
    /// That of G.711 by the A-law, likewise.
    pub pcma: Option<PayloadType>,
    /// Header extension id and value of its mid.
    pub mid: (u8, Mid),
    /// Header extension id for the source's own level (RFC 6464), if negotiated.
    pub level_extension: Option<u8>,
    /// Random base: a source's SSRC is this plus a number that is its own for as long as it lives.
    pub ssrc_base: u32,
}

/// Rings of an app's ear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppEarConfig {
    /// Mixed frames that may wait: 20 ms and 2 KB each.
    pub mixed_frames: usize,
    /// Unmixed frames that may wait, of all sources together.
    pub unmixed_frames: usize,
}

impl Default for AppEarConfig {
    fn default() -> Self {
        Self { mixed_frames: 50, unmixed_frames: 500 }
    }
}

/// Why a receiver could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiverError {
    /// The conversation has no such encoder class.
    #[error("encoder class {0} does not exist")]
    Class(u8),
    /// The encoder could not be made.
    #[error("cannot make an encoder")]
    Codec(#[from] CodecError),
}

/// One listener.
#[derive(Debug)]
pub struct Receiver {
    kind: Kind,
    class: u8,
    /// The slot it adds to the pool while it is in, and takes along when it leaves.
    pub(crate) spare: Option<Box<MixSlot>>,
}

#[derive(Debug)]
enum Kind {
    Rtp(RtpOut),
    App(AppOut),
}

#[derive(Debug)]
pub(crate) struct RtpOut {
    config: RtpReceiverConfig,
    layout: Layout,
    next_seq: SeqNo,
    /// The tick of its last packet; none before the first.
    last_tick: Option<u64>,
    /// The mix slot of that packet.
    last_slot: u16,
    pub(crate) lanes: Option<LaneTable>,
    sent: u64,
    /// RTP clock of a tick.
    step: u16,
    /// Packets carry the frame before too.
    red: bool,
    tones: Option<ToneSender>,
    /// Rows of digits that are out, of which nobody could be told yet.
    pub(crate) untold: u8,
}

struct AppOut {
    ear: EarSender,
    dropped: u64,
}

impl std::fmt::Debug for AppOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppOut").field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

impl Receiver {
    /// A listener over RTP.
    ///
    /// # Errors
    /// [`ReceiverError::Class`] for a class the conversation does not have; [`ReceiverError::Codec`].
    ///
    /// # Real-time
    /// Allocates about 40 KB: make it on a control thread.
    pub fn rtp(config: RtpReceiverConfig, conversation: &ConversationConfig) -> Result<Box<Self>, ReceiverError> {
        if usize::from(config.class) >= conversation.classes.len() {
            return Err(ReceiverError::Class(config.class));
        }
        let lanes = config.lanes.map(|lanes| LaneTable::new(lanes, conversation.limits.sources));
        let step = match conversation.classes[usize::from(config.class)] {
            EncodeClass::Opus(_) => RTP_FRAME as u16,
            EncodeClass::G711(_) => (g711::RATE / 50) as u16,
        };
        let (level, csrc_level) = (config.level_extension, config.csrc_level_extension);
        let layout = Layout { mid: config.mid, level, csrc_level };
        let out = RtpOut {
            config,
            layout,
            next_seq: config.first_seq,
            last_tick: None,
            last_slot: groups::NONE,
            lanes,
            sent: 0,
            step,
            red: false,
            tones: config.tones.map(|_| ToneSender::new()),
            untold: 0,
        };
        let spare = Some(MixSlot::new(conversation, config.class)?);
        Ok(Box::new(Self { kind: Kind::Rtp(out), class: config.class, spare }))
    }

    /// An app as a listener, with the app's end of it.
    ///
    /// # Errors
    /// [`ReceiverError::Codec`].
    ///
    /// # Real-time
    /// Allocates about 40 KB and the rings: make it on a control thread.
    pub fn app(rings: AppEarConfig, conversation: &ConversationConfig) -> Result<(Box<Self>, AppEar), ReceiverError> {
        let (sender, app) = ear(rings.mixed_frames, rings.unmixed_frames);
        let out = AppOut { ear: sender, dropped: 0 };
        let spare = Some(MixSlot::new(conversation, 0)?);
        Ok((Box::new(Self { kind: Kind::App(out), class: groups::PCM_CLASS, spare }), app))
    }

    /// Packets sent to it so far, lanes included; 0 for an app.
    #[must_use]
    pub fn sent(&self) -> u64 {
        match &self.kind {
            Kind::Rtp(out) => out.sent,
            Kind::App(_) => 0,
        }
    }

    /// Frames that found the app's rings full; 0 for RTP.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        match &self.kind {
            Kind::Rtp(_) => 0,
            Kind::App(out) => out.dropped,
        }
    }

    pub(crate) fn class(&self) -> u8 {
        self.class
    }

    pub(crate) fn set_class(&mut self, class: u8) {
        self.class = class;
    }

    pub(crate) fn rtp_out(&mut self) -> Option<&mut RtpOut> {
        match &mut self.kind {
            Kind::Rtp(out) => Some(out),
            Kind::App(_) => None,
        }
    }

    /// Whether sources are delivered to it one by one over RTP.
    pub(crate) fn has_lanes(&self) -> bool {
        matches!(&self.kind, Kind::Rtp(out) if out.lanes.is_some())
    }

    /// Hands an app its mix of this tick. Gives the frames dropped: the newest, when the ring is full.
    pub(crate) fn tell_mixed(&mut self, tick: u64, at: MonoTime, mix: &MixSlot) -> u32 {
        use ringbuf::traits::{Observer, Producer};
        let Kind::App(out) = &mut self.kind else { return 0 };
        if out.ear.mixed.is_full() {
            out.dropped += 1;
            return 1;
        }
        let talking = mix.csrcs().len() as u16;
        let frame = MixedFrame { tick, at, level: mix.level(), talking, samples: Samples::from_bus(mix.frame()) };
        let _ = out.ear.mixed.try_push(frame);
        0
    }

    /// Hands an app one source of this tick, if there is anything to hand over. Gives the frames dropped.
    pub(crate) fn tell_unmixed(&mut self, tick: u64, at: MonoTime, slot: SourceSlot, source: &Source) -> u32 {
        use ringbuf::traits::{Observer, Producer};
        let Kind::App(out) = &mut self.kind else { return 0 };
        if out.ear.unmixed.is_full() {
            out.dropped += 1;
            return 1;
        }
        let frame = UnmixedFrame {
            tick,
            at,
            source_id: source.source_id(),
            source: slot,
            timestamp: source.timestamp(),
            outcome: source.outcome(),
            stretched: source.stretched(),
            level: source.level(),
            samples: Samples::from_bus(source.frame()),
        };
        let _ = out.ear.unmixed.try_push(frame);
        0
    }

    pub(crate) fn is_app(&self) -> bool {
        matches!(self.kind, Kind::App(_))
    }
}

/// The packet written last, kept because the next receiver's mostly differs in its first twelve bytes only.
#[derive(Debug)]
pub(crate) struct Draft {
    bytes: [u8; MAX_PACKET],
    len: usize,
    /// Which mix it carries, in which layout.
    mix: u16,
    layout: Layout,
    older: Older,
}

/// What decides the bytes behind a header's fixed part, besides the mix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Layout {
    mid: Option<(u8, Mid)>,
    level: Option<u8>,
    csrc_level: Option<u8>,
}

/// The frame before goes along: the payload type of both, and its age.
type Older = Option<(PayloadType, u16)>;

impl Draft {
    pub(crate) fn new() -> Self {
        Self { bytes: [0; MAX_PACKET], len: 0, mix: groups::NONE, layout: Layout::default(), older: None }
    }
}

impl RtpOut {
    /// Writes this tick's packet of `mix`, which is in slot `slot`, to the egress ring. `false` if it had no room, `None`
    /// if it is too long: the packet is lost, the sequence number used, so that the peer sees the loss and conceals it.
    pub(crate) fn send(
        &mut self,
        tick: u64,
        at: MonoTime,
        (slot, mix): (u16, &MixSlot),
        egress: &mut PacketSender,
        draft: &mut Draft,
    ) -> Option<bool> {
        let older = if self.red { self.older(tick, slot, mix) } else { None };
        let config = &self.config;
        let payload_type =
            if older.is_some() { config.red.unwrap_or(config.payload_type) } else { config.payload_type };
        let marker = self.last_tick.is_none_or(|last| last + 1 < tick);
        let timestamp = config.first_timestamp.advance((tick as u32).wrapping_mul(self.step.into()));
        let seq = self.next_seq;
        self.next_seq = seq.next();
        (self.last_tick, self.last_slot) = (Some(tick), slot);
        if draft.len > 0 && draft.mix == slot && draft.layout == self.layout && draft.older == older {
            // Fixed part of the header, RFC 3550 §5.1; flags and counts in byte 0 are the same.
            let bytes = &mut draft.bytes;
            bytes[1] = payload_type.as_u8() | if marker { 0x80 } else { 0 };
            bytes[2..4].copy_from_slice(&seq.as_u16().to_be_bytes());
            bytes[4..8].copy_from_slice(&timestamp.as_u32().to_be_bytes());
            bytes[8..12].copy_from_slice(&config.ssrc.as_u32().to_be_bytes());
        } else {
            let header = RtpHeader {
                marker,
                payload_type,
                seq,
                timestamp,
                ssrc: config.ssrc,
                csrcs: mix.csrcs(),
                extensions: &[],
            };
            draft.len = write_mix(&header, &self.layout, older, mix, &mut draft.bytes).unwrap_or(0);
            (draft.mix, draft.layout, draft.older) = (slot, self.layout, older);
        }
        if draft.len == 0 {
            return None;
        }
        let sent = egress.push(PacketMeta { at, leg: config.leg }, &draft.bytes[..draft.len]).is_ok();
        self.sent += u64::from(sent);
        Some(sent)
    }

    /// What its last packet carried, if that was the frame before of the same stream of the mix: a stream it has just
    /// moved to says nothing about what its peer misses.
    fn older(&self, tick: u64, slot: u16, mix: &MixSlot) -> Older {
        let last = self.last_tick.filter(|last| self.last_slot == slot && mix.older_tick() == Some(*last))?;
        let age = u32::try_from(tick - last).ok()?.checked_mul(self.step.into())?;
        let age = u16::try_from(age).ok().filter(|age| *age <= red::MAX_OFFSET)?;
        let fits = mix.older().len() <= red::MAX_BLOCK_LEN && mix.older().len() + mix.payload().len() <= RED_BYTES;
        (self.config.red.is_some() && fits).then_some((self.config.payload_type, age))
    }

    /// From now on packets carry the frame before too, or do not.
    pub(crate) fn set_red(&mut self, on: bool) {
        self.red = on;
    }

    /// Whether packets carry the frame before too.
    pub(crate) fn repeats(&self) -> bool {
        self.red && self.config.red.is_some()
    }

    /// Takes on a row of digits to send; `false` if it cannot.
    pub(crate) fn dial(&mut self, tones: Tones) -> bool {
        self.tones.as_mut().is_some_and(|sender| sender.push(tones))
    }

    /// Whether digits take the place of audio.
    pub(crate) fn is_dialing(&self) -> bool {
        self.tones.as_ref().is_some_and(ToneSender::is_sending)
    }

    /// Sends what this tick carries in place of audio. Gives whether a packet found room, if there was one; and whether
    /// a row of digits is done.
    pub(crate) fn send_tone(&mut self, tick: u64, at: MonoTime, egress: &mut PacketSender) -> (Option<bool>, bool) {
        let Some((sender, payload_type)) = self.tones.as_mut().zip(self.config.tones) else { return (None, false) };
        let (event, start, marker) = match sender.step(tick, self.step) {
            ToneStep::Packet { event, start, marker } => (event, start, marker),
            ToneStep::Gap => return (None, false),
            ToneStep::Done => return (None, true),
        };
        let mid = self.config.mid.as_ref().map(|(id, mid)| Extension { id: *id, data: mid.as_bytes() });
        let header = RtpHeader {
            marker,
            payload_type,
            seq: self.next_seq,
            timestamp: self.config.first_timestamp.advance((start as u32).wrapping_mul(self.step.into())),
            ssrc: self.config.ssrc,
            csrcs: &[],
            extensions: mid.as_slice(),
        };
        self.next_seq = self.next_seq.next();
        let mut packet = [0; TONE_BYTES];
        let Ok(len) = header.write(&mut packet, &event.to_bytes()) else { return (Some(false), false) };
        let sent = egress.push(PacketMeta { at, leg: self.config.leg }, &packet[..len]).is_ok();
        self.sent += u64::from(sent);
        (Some(sent), false)
    }

    /// Forwards one packet of a source as it came, under the numbers of its lane. `false` if the egress ring had no
    /// room for it, `None` if it cannot go there: its codec was not agreed, or it is too long with the lane's header.
    pub(crate) fn forward(
        &mut self,
        packet: &LanePacket<'_>,
        egress: &mut PacketSender,
        out: &mut [u8; MAX_PACKET],
    ) -> Option<bool> {
        let len = self.lanes.as_mut()?.write(packet, out)?;
        let sent = egress.push(PacketMeta { at: packet.at, leg: self.config.leg }, &out[..len]).is_ok();
        self.sent += u64::from(sent);
        Some(sent)
    }
}

/// Writes a whole packet of a mix: `header` with the extensions of `layout`, and the payload, with the one before it
/// if `older` says so.
fn write_mix(
    header: &RtpHeader<'_>,
    layout: &Layout,
    older: Older,
    mix: &MixSlot,
    out: &mut [u8; MAX_PACKET],
) -> Option<usize> {
    let Layout { mid, level: level_id, csrc_level: csrc_level_id } = layout;
    let level = LevelExtension { level: mix.level(), voice: !mix.csrcs().is_empty() }.to_bytes();
    let csrc_levels = mix.csrc_levels().as_bytes();
    let mut extensions = [Extension { id: 0, data: &[] }; 3];
    let mut count = 0;
    let mut add = |id, data| {
        extensions[count] = Extension { id, data };
        count += 1;
    };
    if let Some((id, mid)) = mid {
        add(*id, mid.as_bytes());
    }
    if let Some(id) = level_id {
        add(*id, &level);
    }
    if let Some(id) = csrc_level_id
        && !csrc_levels.is_empty()
    {
        add(*id, csrc_levels);
    }
    let header = RtpHeader { extensions: &extensions[..count], ..*header };
    let Some((payload_type, offset)) = older else { return header.write(out, mix.payload()).ok() };
    let before = RedBlock { payload_type, offset, data: mix.older() };
    let now = RedBlock { payload_type, offset: 0, data: mix.payload() };
    let len = header.write_header(out).ok()?;
    Some(len + red::write(&mut out[len..], &[before], now).ok()?)
}

/// One received packet on its way to lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LanePacket<'a> {
    pub(crate) tick: u64,
    pub(crate) at: MonoTime,
    pub(crate) source: SourceSlot,
    pub(crate) source_id: SourceId,
    /// The sender's SSRC: another one means another stream.
    pub(crate) ssrc: Ssrc,
    pub(crate) marker: bool,
    pub(crate) seq: SeqNo,
    pub(crate) timestamp: RtpTimestamp,
    pub(crate) level: Option<AudioLevel>,
    pub(crate) kind: FrameKind,
    pub(crate) payload: &'a [u8],
}
