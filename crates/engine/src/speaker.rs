//! A speaker: a participant without a leg, whose packets are made here instead of received.
//!
//! In the flow: app PCM → one Opus encoder → packet ring → inlet, as if a network thread had put it there; so it is mixed,
//! levelled and forwarded on lanes like everybody else. Thread: the owner's, one frame every 20 ms; it keeps the time, and
//! being late is jitter. Invariant: one stream, whose timestamps go on with real time over pauses. Spec: RFC 7587 §4.2.

use crate::error::JoinError;
use antiphon_codec::{CodecRate, Encoder, EncoderConfig, MAX_FRAME_BYTES};
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender, packet_ring};
use antiphon_rt::{MonoClock, MonoTime};
use antiphon_rtp::{PayloadType, RtpHeader, RtpTimestamp, SeqNo, SourceId, Ssrc};
use std::fmt;
use std::time::Duration;

/// Half a second of packets, if nobody takes them; more are dropped and counted.
const RING_BYTES: usize = 16 * 1024;
/// What is said after more than this is a new talkspurt.
const PAUSE: Duration = Duration::from_millis(100);
/// Samples of a frame in the stream's clock, 48 kHz whatever the conversation's rate.
const STEP: u32 = Speaker::FRAME_SAMPLES as u32;

/// A participant without a leg: it is heard by what it is given to say, and hears nothing.
pub struct Speaker {
    source_id: SourceId,
    encoder: Encoder,
    ring: PacketSender,
    seq: SeqNo,
    timestamp: RtpTimestamp,
    ssrc: Ssrc,
    /// When the last frame was said.
    last: Option<MonoTime>,
}

impl Speaker {
    /// Samples per second of what it says; mono.
    pub const RATE: u32 = 48_000;
    /// Samples of one frame, 20 ms.
    pub const FRAME_SAMPLES: usize = 960;
    /// The payload type of its stream, which nobody else sees.
    pub(crate) const PAYLOAD_TYPE: u8 = 111;

    /// A speaker and the end of its ring that an inlet reads.
    pub(crate) fn new(source_id: SourceId, random: u64) -> Result<(Self, PacketReceiver), JoinError> {
        let encoder = Encoder::new(&EncoderConfig::speech(CodecRate::Hz48000))?;
        let (ring, receiver) = packet_ring(RING_BYTES);
        let speaker = Self {
            source_id,
            encoder,
            ring,
            seq: SeqNo::new(random as u16 >> 1), // the upper half is left free, as for every stream of ours
            timestamp: RtpTimestamp::new((random >> 16) as u32),
            ssrc: Ssrc::new((random >> 32) as u32),
            last: None,
        };
        Ok((speaker, receiver))
    }

    /// Names its voice: `mediaStream.sourceId`, and the CSRC of its packets.
    #[must_use]
    pub fn source_id(&self) -> SourceId {
        self.source_id
    }

    /// Says 20 ms. To be called every 20 ms while it talks, and not while it is silent.
    ///
    /// # Errors
    /// Whatever the codec refuses; nothing is said then.
    ///
    /// # Real-time
    /// Some hundred microseconds, no lock, no allocation: not for a media thread, which has its own encoders.
    pub fn say(&mut self, frame: &[i16; Self::FRAME_SAMPLES]) -> Result<(), JoinError> {
        let pcm = frame.map(|sample| f32::from(sample) / 32_768.0);
        let mut payload = [0; MAX_FRAME_BYTES];
        let length = self.encoder.encode(&pcm, &mut payload)?;
        let now = MonoClock.now();
        let paused = self.last.map(|last| now.saturating_since(last)).filter(|since| *since > PAUSE);
        let marker = self.last.is_none() || paused.is_some();
        let frames = paused.map_or(1, |since| (since.as_millis() / 20) as u32);
        self.timestamp = self.timestamp.advance(frames.wrapping_mul(STEP));
        self.seq = self.seq.next();
        self.last = Some(now);
        let header = RtpHeader {
            marker,
            payload_type: payload_type(),
            seq: self.seq,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
            csrcs: &[],
            extensions: &[],
        };
        let mut packet = [0; MAX_PACKET];
        let written =
            header.write(&mut packet, &payload[..length]).expect("invariant: a header and a frame fit into a packet");
        // A full ring means that nobody listens any more; it counts what it refuses.
        let _ = self.ring.push(PacketMeta { at: now, leg: 0 }, &packet[..written]);
        Ok(())
    }
}

/// The payload type of every speaker.
pub(crate) fn payload_type() -> PayloadType {
    PayloadType::new(Speaker::PAYLOAD_TYPE).expect("invariant: 111 is a payload type")
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker").field("source_id", &self.source_id).finish_non_exhaustive()
    }
}
