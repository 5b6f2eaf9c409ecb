//! An inlet: where one leg's packets come into a conversation and are told apart.
//!
//! Owns the leg's ingress ring and the table from SSRC to source. Runs in the tick; made and
//! dropped on control threads. A leg has one main stream (any SSRC, mid `mix` or none) and, on a
//! bot's leg, lanes: streams of mid `lanes`, one per participant, named by
//! the first CSRC.
//! Not here: what a packet means once its source is known. Spec: RFC 3550, RFC 8843 §9.2.

use antiphon_rt::packet_ring::PacketReceiver;
use antiphon_rtp::{LevelExtension, PayloadType, RtpPacket, SourceId, Ssrc};

use crate::SourceSlot;
use crate::tones::ToneReader;

/// A media identification tag (RFC 5888), at most 16 bytes: the form it has in a header extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mid {
    len: u8,
    bytes: [u8; 16],
}

impl Mid {
    /// The tag as text; `None` if empty or longer than a one-byte header extension carries.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        (!text.is_empty()).then_some(Self { len: text.len() as u8, bytes })
    }

    /// The tag's bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// What a payload type stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Opus (RFC 7587).
    Opus,
    /// G.711 by the mu-law (RFC 3551 §4.5.14).
    Pcmu,
    /// G.711 by the A-law.
    Pcma,
    /// DTMF digits (RFC 4733).
    TelephoneEvent {
        /// Ticks of its durations per second.
        clock: u32,
    },
    /// Opus with older frames repeated (RFC 2198).
    Red,
}

/// What was negotiated for a leg's receiving direction.
#[derive(Clone, Debug)]
pub struct InletConfig {
    /// What each payload type is; others are refused. Of a type listed twice the last counts.
    pub payloads: Vec<(PayloadType, Payload)>,
    /// Header extension id of the client-to-mixer level (RFC 6464), if negotiated.
    pub level_extension: Option<u8>,
    /// Header extension id of the mid (RFC 8843), if negotiated.
    pub mid_extension: Option<u8>,
    /// The mid whose streams are lanes, if this is a bot's leg.
    pub lanes_mid: Option<Mid>,
    /// The source fed by the main stream, if anybody wants it.
    pub main: Option<SourceSlot>,
}

/// Packets in a row after which a stream that was replaced counts as having come back (half a second).
const FORMER_RUN: u32 = 25;

/// One leg's way in.
#[derive(Debug)]
pub struct Inlet {
    pub(crate) ring: PacketReceiver,
    /// By payload type.
    payloads: [Option<Payload>; 128],
    level_extension: Option<u8>,
    mid_extension: Option<u8>,
    lanes_mid: Option<Mid>,
    /// The source fed by the main stream.
    pub(crate) main: Option<SourceSlot>,
    main_ssrc: Option<Ssrc>,
    /// The stream before the present one, whose stragglers are refused.
    former_ssrc: Option<Ssrc>,
    /// Its packets since the last one of the present stream.
    former_run: u32,
    /// Which lane a known SSRC feeds, sorted by SSRC.
    lanes: Vec<LaneEntry>,
    lane_capacity: usize,
    /// The tick from which a missing lane is worth telling again.
    complain_from: u64,
    /// Digits that the main stream's sender dials.
    pub(crate) tones: ToneReader,
}

#[derive(Clone, Copy, Debug)]
struct LaneEntry {
    ssrc: u32,
    source: SourceSlot,
    source_id: SourceId,
}

/// Where a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the main source; `restarted` when its SSRC is a new one.
    Main { source: SourceSlot, restarted: bool },
    /// To the main source, beside its stream of audio: digits under another SSRC.
    Beside { source: SourceSlot },
    /// To a lane that is already bound.
    Lane { source: SourceSlot },
    /// To a lane that is not bound yet: find one and call [`Inlet::bind`].
    NewLane { source_id: SourceId },
    /// Nowhere.
    Refused,
}

impl Inlet {
    /// An inlet on `ring`. `lanes` is how many lanes the leg can have at once.
    ///
    /// # Real-time
    /// Allocates: make it on a control thread.
    #[must_use]
    pub fn new(ring: PacketReceiver, config: &InletConfig, lanes: usize) -> Box<Self> {
        let mut payloads = [None; 128];
        for (payload_type, payload) in &config.payloads {
            payloads[usize::from(payload_type.as_u8())] = Some(*payload);
        }
        Box::new(Self {
            ring,
            payloads,
            level_extension: config.level_extension,
            mid_extension: config.mid_extension,
            lanes_mid: config.lanes_mid,
            main: config.main,
            main_ssrc: None,
            former_ssrc: None,
            former_run: 0,
            lanes: Vec::with_capacity(lanes),
            lane_capacity: lanes,
            complain_from: 0,
            tones: ToneReader::new(),
        })
    }

    /// Packets the network side could not put into this leg's ring.
    #[must_use]
    pub fn ring_dropped(&self) -> u64 {
        self.ring.dropped()
    }

    /// Whether this is the SSRC of the main stream's audio.
    pub(crate) fn is_main(&self, ssrc: Ssrc) -> bool {
        self.main_ssrc == Some(ssrc)
    }

    /// What the packet's payload type stands for.
    pub(crate) fn payload(&self, payload_type: PayloadType) -> Option<Payload> {
        self.payloads[usize::from(payload_type.as_u8())]
    }

    /// Finds the place of a packet. O(log lanes).
    pub(crate) fn route(&mut self, packet: &RtpPacket<'_>) -> Route {
        let Some(payload) = self.payload(packet.payload_type()) else { return Route::Refused };
        let ssrc = packet.ssrc();
        if self.is_lane(packet) {
            return match self.lane_of(ssrc) {
                Ok(at) => Route::Lane { source: self.lanes[at].source },
                Err(_) => match packet.csrcs().next() {
                    Some(source_id) => Route::NewLane { source_id },
                    None => Route::Refused,
                },
            };
        }
        let Some(source) = self.main else { return Route::Refused };
        if matches!(payload, Payload::TelephoneEvent { .. }) && self.main_ssrc != Some(ssrc) {
            return Route::Beside { source }; // digits alone do not make a stream of audio
        }
        if self.main_ssrc == Some(ssrc) {
            self.former_run = 0;
            return Route::Main { source, restarted: false };
        }
        if self.former_ssrc == Some(ssrc) && self.former_run < FORMER_RUN {
            self.former_run += 1;
            return Route::Refused;
        }
        self.former_run = 0;
        let restarted = self.main_ssrc.is_some();
        self.former_ssrc = self.main_ssrc.replace(ssrc);
        Route::Main { source, restarted }
    }

    /// The level stamped on a packet, if negotiated and there.
    pub(crate) fn level(&self, packet: &RtpPacket<'_>) -> Option<LevelExtension> {
        LevelExtension::parse(packet.extension(self.level_extension?)?)
    }

    /// Whether the packet is a lane's: by its mid, or by an SSRC whose mid was seen before.
    fn is_lane(&self, packet: &RtpPacket<'_>) -> bool {
        let Some(lanes_mid) = self.lanes_mid else { return false };
        match self.mid_extension.and_then(|id| packet.extension(id)) {
            Some(mid) => mid == lanes_mid.as_bytes(),
            None => self.lane_of(packet.ssrc()).is_ok(),
        }
    }

    fn lane_of(&self, ssrc: Ssrc) -> Result<usize, usize> {
        self.lanes.binary_search_by_key(&ssrc.as_u32(), |lane| lane.ssrc)
    }

    /// The lane a participant is on already, under another SSRC.
    pub(crate) fn lane_for(&self, source_id: SourceId) -> Option<SourceSlot> {
        self.lanes.iter().find(|lane| lane.source_id == source_id).map(|lane| lane.source)
    }

    /// Remembers that `ssrc` feeds the lane `source` with `source_id`'s voice, instead of whatever
    /// that lane was fed by before. `false` if the table is full.
    pub(crate) fn bind(&mut self, ssrc: Ssrc, source: SourceSlot, source_id: SourceId) -> bool {
        self.unbind(source);
        match self.lane_of(ssrc) {
            Ok(at) => self.lanes[at] = LaneEntry { ssrc: ssrc.as_u32(), source, source_id },
            Err(at) if self.lanes.len() < self.lane_capacity => {
                self.lanes.insert(at, LaneEntry { ssrc: ssrc.as_u32(), source, source_id });
            }
            Err(_) => return false,
        }
        true
    }

    /// Whether a missing lane should be told at `tick`: at most once per `period`.
    pub(crate) fn complain(&mut self, tick: u64, period: u64) -> bool {
        let due = tick >= self.complain_from;
        if due {
            self.complain_from = tick + period;
        }
        due
    }

    /// It got another lane: should even that be too few, it is told at once, so that lanes can grow as fast as
    /// they are added.
    pub(crate) fn lane_added(&mut self) {
        self.complain_from = 0;
    }

    /// Forgets whatever feeds the lane `source`.
    pub(crate) fn unbind(&mut self, source: SourceSlot) {
        self.lanes.retain(|lane| lane.source != source);
    }
}

#[cfg(test)]
mod tests {
    use antiphon_rt::packet_ring::packet_ring;
    use antiphon_rtp::{Extension, RtpHeader, RtpTimestamp, SeqNo};

    use super::*;
    use crate::slots::Slot;

    const MID: u8 = 3;

    fn packet(ssrc: u32, payload_type: u8, mid: Option<&str>, csrc: Option<u32>) -> Vec<u8> {
        let csrcs: Vec<_> = csrc.into_iter().map(SourceId::new).collect();
        let extensions: Vec<_> = mid.iter().map(|m| Extension { id: MID, data: m.as_bytes() }).collect();
        let header = RtpHeader {
            marker: false,
            payload_type: PayloadType::new(payload_type).unwrap(),
            seq: SeqNo::new(1),
            timestamp: RtpTimestamp::new(1),
            ssrc: Ssrc::new(ssrc),
            csrcs: &csrcs,
            extensions: &extensions,
        };
        let mut out = vec![0; 200];
        let len = header.write(&mut out, &[1, 2, 3]).unwrap();
        out.truncate(len);
        out
    }

    fn slot(index: u16) -> SourceSlot {
        SourceSlot::from_parts(index, 0)
    }

    fn inlet() -> Box<Inlet> {
        let config = InletConfig {
            payloads: vec![
                (PayloadType::new(111).unwrap(), Payload::Opus),
                (PayloadType::new(110).unwrap(), Payload::TelephoneEvent { clock: 48_000 }),
            ],
            level_extension: None,
            mid_extension: Some(MID),
            lanes_mid: Mid::new("lanes"),
            main: Some(slot(0)),
        };
        Inlet::new(packet_ring(4_096).1, &config, 2)
    }

    fn route(inlet: &mut Inlet, bytes: &[u8]) -> Route {
        inlet.route(&RtpPacket::parse(bytes).unwrap())
    }

    #[test]
    fn main_and_lanes_are_told_apart_by_mid_and_then_by_ssrc() {
        let mut inlet = inlet();
        let main = Route::Main { source: slot(0), restarted: false };
        assert_eq!(route(&mut inlet, &packet(1, 111, Some("mix"), Some(9))), main);
        assert_eq!(route(&mut inlet, &packet(1, 111, None, None)), main);
        let seven = SourceId::new(7);
        assert_eq!(route(&mut inlet, &packet(2, 111, Some("lanes"), Some(7))), Route::NewLane { source_id: seven });
        assert!(inlet.bind(Ssrc::new(2), slot(5), seven));
        let lane = Route::Lane { source: slot(5) };
        assert_eq!(route(&mut inlet, &packet(2, 111, Some("lanes"), Some(7))), lane);
        assert_eq!(route(&mut inlet, &packet(2, 111, None, None)), lane);
        inlet.unbind(slot(5));
        assert_eq!(route(&mut inlet, &packet(2, 111, Some("lanes"), None)), Route::Refused);
    }

    #[test]
    fn a_new_ssrc_restarts_the_main_stream_and_the_old_one_is_refused() {
        let mut inlet = inlet();
        route(&mut inlet, &packet(1, 111, None, None));
        let restarted = Route::Main { source: slot(0), restarted: true };
        assert_eq!(route(&mut inlet, &packet(2, 111, None, None)), restarted);
        for _ in 0..FORMER_RUN {
            assert_eq!(route(&mut inlet, &packet(1, 111, None, None)), Route::Refused);
        }
        assert_eq!(route(&mut inlet, &packet(1, 111, None, None)), restarted, "it came back for good");
        assert_eq!(route(&mut inlet, &packet(2, 96, None, None)), Route::Refused);
    }

    #[test]
    fn digits_under_another_ssrc_do_not_replace_the_stream() {
        let mut inlet = inlet();
        assert_eq!(route(&mut inlet, &packet(2, 110, None, None)), Route::Beside { source: slot(0) });
        let main = Route::Main { source: slot(0), restarted: false };
        assert_eq!(route(&mut inlet, &packet(1, 111, None, None)), main);
        assert_eq!(route(&mut inlet, &packet(2, 110, None, None)), Route::Beside { source: slot(0) });
        assert_eq!(route(&mut inlet, &packet(1, 110, None, None)), main);
        assert_eq!(route(&mut inlet, &packet(1, 111, None, None)), main);
    }

    #[test]
    fn the_lane_table_is_bounded() {
        let mut inlet = inlet();
        for n in 0..2_u16 {
            assert!(inlet.bind(Ssrc::new(u32::from(n)), slot(n), SourceId::new(u32::from(n))));
        }
        assert!(!inlet.bind(Ssrc::new(9), slot(9), SourceId::new(9)));
        assert_eq!(inlet.lane_for(SourceId::new(1)), Some(slot(1)));
    }
}
