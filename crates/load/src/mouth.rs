//! The speaking half of a participant: a frame number in, 20 ms of marked speech and at most one Opus packet out.
//!
//! Driven by the webrtc participants in real time, or by a simulated call as fast as it will go. Sans-IO, no clock of its own.
//! Timestamps advance with every frame, sequence numbers with every packet; in silence only one frame in 400 ms is sent, as Opus DTX does.
//! Does not: pace or send. Spec: RFC 7587 §4 (clock, DTX), RFC 3551 §4.1 (marker), RFC 6464 (level).

use crate::pattern::TalkPattern;
use crate::signature::{Marker, Signature};
use crate::speech::{SpeechLoop, SpeechRate, Voice};
use antiphon_codec::{CodecError, Encoder, EncoderConfig, MAX_FRAME_BYTES};
use antiphon_rtp::{AudioLevel, LevelExtension, RtpTimestamp, SeqNo};

/// Silent frames that are still sent after speech.
const TAIL: u32 = 10;
/// In silence one frame in this many is sent (400 ms, RFC 7587 §3.1.3).
const KEEP_ALIVE: u32 = 20;
/// A 20 ms frame on the 48 kHz RTP clock (RFC 7587 §4.2).
const FRAME_TICKS: u32 = 960;

/// How a participant speaks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MouthConfig {
    /// Which clip: [`Voice::nth`].
    pub voice: usize,
    /// Frames into the clip at which it starts, so that talkers with the same clip differ.
    pub start: usize,
    /// The mark under the voice.
    pub signature: Option<Signature>,
    /// When it talks.
    pub pattern: TalkPattern,
    /// Rate it encodes at.
    pub rate: SpeechRate,
    /// Opus bits per second.
    pub bitrate: u32,
    /// Opus effort, 0 to 10.
    pub complexity: u8,
    /// Loss in percent that the encoder is told to expect; above 0 turns FEC on (10 is where it starts to help).
    pub expected_loss: u8,
}

impl Default for MouthConfig {
    fn default() -> Self {
        Self {
            voice: 0,
            start: 0,
            signature: None,
            pattern: TalkPattern::Always,
            rate: SpeechRate::Hz48000,
            bitrate: 24_000,
            complexity: 5,
            expected_loss: 0,
        }
    }
}

/// Speaks one frame after the other.
#[derive(Debug)]
pub struct Mouth {
    encoder: Encoder,
    speech: SpeechLoop,
    marker: Option<Marker>,
    pattern: TalkPattern,
    muted: bool,
    pcm: Vec<f32>,
    packet: [u8; MAX_FRAME_BYTES],
    seq: SeqNo,
    timestamp: RtpTimestamp,
    /// Frames since speech, counting up.
    silent: u32,
    paused: bool,
}

/// What a mouth made of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Spoken<'a> {
    /// The frame's sound, mark included, silence if it is not talking.
    pub pcm: &'a [f32],
    /// The packet to send, if one is due.
    pub packet: Option<OutgoingPacket<'a>>,
}

/// What an RTP packet of a mouth carries.
#[derive(Clone, Copy, Debug)]
pub struct OutgoingPacket<'a> {
    /// First packet after a pause.
    pub marker: bool,
    /// Sequence number.
    pub seq: SeqNo,
    /// Timestamp, 48 kHz.
    pub timestamp: RtpTimestamp,
    /// For the level extension.
    pub level: LevelExtension,
    /// The Opus packet.
    pub payload: &'a [u8],
}

impl Mouth {
    /// A mouth whose counters start at the given values.
    ///
    /// # Errors
    /// [`CodecError`] if libopus refuses the settings.
    pub fn new(config: &MouthConfig, seq: SeqNo, timestamp: RtpTimestamp) -> Result<Self, CodecError> {
        let encoder = Encoder::new(&EncoderConfig {
            bitrate: config.bitrate,
            complexity: config.complexity,
            fec: config.expected_loss > 0,
            expected_loss: config.expected_loss,
            ..EncoderConfig::speech(config.rate.codec_rate())
        })?;
        Ok(Self {
            encoder,
            speech: SpeechLoop::new(Voice::nth(config.voice), config.rate, config.start),
            marker: config.signature.map(|signature| Marker::new(signature, config.rate.sample_rate())),
            pattern: config.pattern,
            muted: false,
            pcm: vec![0.0; config.rate.frame()],
            packet: [0; MAX_FRAME_BYTES],
            seq,
            timestamp,
            silent: TAIL,
            paused: true,
        })
    }

    /// Changes when it talks, from the next frame on.
    pub fn follow(&mut self, pattern: TalkPattern) {
        self.pattern = pattern;
    }

    /// Shuts or opens the mouth, from the next frame on.
    pub fn mute(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Speaks frame `frame` of the run.
    ///
    /// # Errors
    /// [`CodecError`] if libopus fails to encode.
    pub fn speak(&mut self, frame: u64) -> Result<Spoken<'_>, CodecError> {
        let talking = !self.muted && self.pattern.talks_at(frame);
        let speaking = if talking {
            self.speech.next_frame(&mut self.pcm)
        } else {
            self.pcm.fill(0.0);
            false
        };
        if let Some(marker) = &mut self.marker {
            marker.mark(&mut self.pcm, speaking);
        }
        self.silent = if speaking { 0 } else { self.silent.saturating_add(1) };
        let timestamp = self.timestamp;
        self.timestamp = timestamp.advance(FRAME_TICKS);
        let due = self.silent <= TAIL || self.silent.is_multiple_of(KEEP_ALIVE);
        if !due {
            self.paused = true;
            return Ok(Spoken { pcm: &self.pcm, packet: None });
        }
        let len = self.encoder.encode(&self.pcm, &mut self.packet)?;
        let packet = OutgoingPacket {
            marker: speaking && self.paused,
            seq: self.seq,
            timestamp,
            level: LevelExtension { level: AudioLevel::of(&self.pcm), voice: speaking },
            payload: &self.packet[..len],
        };
        self.seq = self.seq.next();
        self.paused = !speaking && self.paused;
        Ok(Spoken { pcm: &self.pcm, packet: Some(packet) })
    }

    /// Leaves out `frames` frames that were missed: time goes on, nothing is said.
    pub fn skip(&mut self, frames: u32) {
        self.timestamp = self.timestamp.advance(FRAME_TICKS.wrapping_mul(frames));
        self.paused = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::{Ear, Heard};
    use crate::signature::Detector;
    use std::time::Duration;

    const RATE: SpeechRate = SpeechRate::Hz16000;

    fn mouth(config: MouthConfig) -> Mouth {
        Mouth::new(&MouthConfig { rate: RATE, ..config }, SeqNo::new(65_530), RtpTimestamp::new(u32::MAX - 5_000))
            .unwrap()
    }

    /// (frame, marker, seq, timestamp, level) of every packet of `frames` frames.
    fn packets(mouth: &mut Mouth, frames: u64) -> Vec<(u64, bool, SeqNo, RtpTimestamp, LevelExtension)> {
        (0..frames)
            .filter_map(|frame| {
                let packet = mouth.speak(frame).unwrap().packet?;
                Some((frame, packet.marker, packet.seq, packet.timestamp, packet.level))
            })
            .collect()
    }

    #[test]
    fn timestamps_follow_frames_and_sequence_numbers_follow_packets() {
        let pattern = TalkPattern::Turns { index: 0, of: 2, frames: 100 };
        let sent = packets(&mut mouth(MouthConfig { pattern, ..MouthConfig::default() }), 400);
        let (_, _, first_seq, first_ts, _) = sent[0];
        for (n, (frame, _, seq, timestamp, _)) in sent.iter().enumerate() {
            assert_eq!(*seq, first_seq.offset(n as i32));
            assert_eq!(timestamp.distance_from(first_ts), 960 * (*frame - sent[0].0) as i32);
        }
    }

    #[test]
    fn silence_is_one_packet_in_400_ms_at_level_127_and_speech_starts_with_a_marker() {
        let pattern = TalkPattern::Turns { index: 1, of: 2, frames: 200 };
        let sent = packets(&mut mouth(MouthConfig { pattern, ..MouthConfig::default() }), 400);
        let silent: Vec<_> = sent.iter().filter(|p| p.0 < 200).collect();
        assert_eq!(silent.len(), 10, "200 frames of silence");
        assert!(silent.iter().all(|p| !p.1 && p.4.level == AudioLevel::SILENCE && !p.4.voice));
        let first = sent.iter().find(|p| p.4.voice).unwrap();
        assert!(first.1 && (200..205).contains(&first.0), "{first:?}");
        assert!(sent.iter().filter(|p| p.1).count() <= 2, "one marker per talkspurt");
    }

    #[test]
    fn muted_mouth_makes_no_sound() {
        let mut mouth = mouth(MouthConfig { signature: Signature::new(1), ..MouthConfig::default() });
        mouth.mute(true);
        for frame in 0..100 {
            assert!(mouth.speak(frame).unwrap().pcm.iter().all(|s| *s == 0.0));
        }
        mouth.mute(false);
        assert!((100..200).any(|frame| mouth.speak(frame).unwrap().pcm.iter().any(|s| *s != 0.0)));
    }

    #[test]
    fn ear_hears_what_the_mouth_said() {
        let signature = Signature::new(9).unwrap();
        let mut mouth = mouth(MouthConfig { signature: Some(signature), expected_loss: 10, ..MouthConfig::default() });
        let mut ear = Ear::new(RATE).unwrap();
        for frame in 0..300u64 {
            let Some(packet) = mouth.speak(frame).unwrap().packet else { continue };
            let OutgoingPacket { seq, timestamp, payload, level, .. } = packet;
            let heard = Heard { seq, timestamp, payload, csrcs: &[], level: Some(level.level) };
            ear.hear(Duration::from_millis(20 * frame), heard);
        }
        let detector = Detector::new(ear.recording().samples(), RATE);
        for other in Signature::all() {
            assert_eq!(detector.detect(other).is_present(), other == signature);
        }
        assert_eq!((ear.stats().lost, ear.stats().refused), (0, 0));
    }
}
