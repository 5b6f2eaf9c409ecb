//! Which packets need no decoding, and what the decoder needs to resume as if it had decoded them.
//!
//! Between the jitter buffer and the decoder of one source; runs in the tick, no allocation. A packet is
//! skipped if nobody hears the source, or if its sender stamped it quiet (RFC 6464) while the talk gate is
//! closed. The decoder stays stale, never reset; the last five skipped packets are kept and decoded for
//! nothing before the next one that counts. A sender's word is checked: every 25th packet is decoded
//! all the same, and one that is loud costs it our trust for ten seconds.

use antiphon_codec::{PacketInfo, PacketMode};
use antiphon_rtp::AudioLevel;

/// Packets kept for pre-roll: what a transform decoder needs.
const KEPT: usize = 5;
/// Of these, what suffices after quiet ones for the decoder of a stream that has linear prediction: the worst
/// onset then differs by 32 dB from that of a decoder that skipped nothing.
const KEPT_SPEECH: usize = 2;
/// Quiet stamps in a row after which loud audio is a lie, and not a word dying away in the codec.
const TAIL: u32 = 12;
/// Longest payload kept; a longer one breaks the chain.
const MAX_KEPT: usize = antiphon_codec::MAX_FRAME_BYTES;
/// Quiet packets from one probe of the sender's word to the next.
const PROBE_EVERY: u32 = 25;
/// Packets for which a sender that was caught is not believed: ten seconds.
const DISTRUST: u32 = 500;

/// Why a packet might be skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Nobody hears it, whatever it is.
    Unheard,
    /// It is heard, and the talk gate is closed.
    Gated,
    /// It is heard, and the talk gate is open.
    Open,
}

/// What the tick needs of a source, and where its talk gate stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Need {
    pub(super) hearing: Hearing,
    /// Stamps at least this quiet are below the gate's closing level.
    pub(super) quiet_from: AudioLevel,
    /// A frame with this mean square opens the gate.
    pub(super) loud: f32,
}

impl Need {
    /// Whether this stamp says that there is nothing to hear.
    fn is_quiet(&self, level: Option<AudioLevel>) -> bool {
        level.is_some_and(|level| !level.is_louder_than(self.quiet_from))
    }
}

/// What to do with one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Decode it, after the packets that [`Skipper::pre_roll`] gives.
    Decode,
    /// Decode it as it is, to check the sender's word.
    Probe,
    /// Leave it.
    Skip,
}

/// What was skipped lately, and whom to believe.
pub(super) struct Skipper {
    payloads: Box<[[u8; MAX_KEPT]; KEPT]>,
    lengths: [u16; KEPT],
    /// Place of the next one to keep.
    next: usize,
    /// How many are kept, all in sequence up to the newest.
    kept: usize,
    /// One of those kept may be loud.
    loud: bool,
    /// Quiet stamps in a row.
    quiet_run: u32,
    since_probe: u32,
    distrust: u32,
    /// The stream skips at present.
    skipping: bool,
}

impl std::fmt::Debug for Skipper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Skipper").field("skipping", &self.skipping).field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl Skipper {
    /// Allocates its 6 KB.
    pub(super) fn new() -> Self {
        Self {
            payloads: Box::new([[0; MAX_KEPT]; KEPT]),
            lengths: [0; KEPT],
            next: 0,
            kept: 0,
            loud: false,
            quiet_run: 0,
            since_probe: 0,
            distrust: 0,
            skipping: false,
        }
    }

    /// Whether the last packet of the stream was skipped.
    pub(super) fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// Whether a packet with this stamp is worth hearing; one without a stamp might be.
    pub(super) fn may_sound(&self, need: Need, level: Option<AudioLevel>) -> bool {
        match need.hearing {
            Hearing::Unheard => false,
            Hearing::Open => true,
            Hearing::Gated => self.distrust > 0 || !need.is_quiet(level),
        }
    }

    /// Whether the packets up to this one have been stamped quiet for so long that none can be loud.
    pub(super) fn claims_silence(&self) -> bool {
        self.quiet_run > TAIL
    }

    /// Decides on the next packet of the stream.
    pub(super) fn judge(&mut self, need: Need, level: Option<AudioLevel>) -> Verdict {
        self.distrust = self.distrust.saturating_sub(1);
        self.quiet_run = if need.is_quiet(level) { self.quiet_run.saturating_add(1) } else { 0 };
        if self.may_sound(need, level) {
            return Verdict::Decode;
        }
        self.since_probe += 1;
        // What nobody hears need not be checked: it is looked at anew once somebody does.
        if need.hearing == Hearing::Gated && self.since_probe >= PROBE_EVERY {
            self.since_probe = 0;
            return Verdict::Probe;
        }
        Verdict::Skip
    }

    /// Takes note of a packet that is not decoded.
    pub(super) fn keep(&mut self, payload: &[u8]) {
        self.skipping = true;
        self.loud |= self.quiet_run == 0;
        if payload.len() > MAX_KEPT {
            self.kept = 0;
            return;
        }
        self.payloads[self.next][..payload.len()].copy_from_slice(payload);
        self.lengths[self.next] = payload.len() as u16;
        self.next = (self.next + 1) % KEPT;
        self.kept = (self.kept + 1).min(KEPT);
    }

    /// The packets to decode for nothing before `payload`, oldest first: those skipped since the last that was
    /// decoded, at most five, and fewer where that is enough.
    pub(super) fn pre_roll(&self, payload: &[u8]) -> impl Iterator<Item = &[u8]> {
        let kept = (0..self.kept).map(|back| self.at(self.kept - back));
        let all = self.loud || is_transform(payload) || kept.clone().any(is_transform);
        let wanted = if all { KEPT } else { KEPT_SPEECH };
        kept.skip(self.kept.saturating_sub(wanted))
    }

    /// Takes note that the decoder is where the stream is: a packet was decoded.
    pub(super) fn caught_up(&mut self) {
        self.kept = 0;
        self.loud = false;
        self.skipping = false;
    }

    /// Takes note of the end of a stream: nothing skipped in it says anything about the next one.
    pub(super) fn restart(&mut self) {
        self.caught_up();
        self.since_probe = 0;
    }

    /// Whether the sender's stamps are believed.
    pub(super) fn believes(&self) -> bool {
        self.distrust == 0
    }

    /// The sender's stamp was found to be wrong.
    pub(super) fn distrust(&mut self) {
        self.distrust = DISTRUST;
    }

    /// The packet kept `back` packets ago, 1 being the newest.
    fn at(&self, back: usize) -> &[u8] {
        let place = (self.next + KEPT - back) % KEPT;
        &self.payloads[place][..usize::from(self.lengths[place])]
    }
}

/// Whether a packet is coded by the transform alone: its decoder goes on from the levels of the packets before, and
/// without them may come out far too loud.
pub(super) fn is_transform(packet: &[u8]) -> bool {
    PacketInfo::parse(packet).is_ok_and(|info| info.mode() == PacketMode::Celt)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILK: u8 = 0x48;
    const CELT: u8 = 0xf8;
    const QUIET: Option<AudioLevel> = Some(AudioLevel::new(70));
    const LOUD: Option<AudioLevel> = Some(AudioLevel::new(20));

    const GATED: Need = need(Hearing::Gated);

    const fn need(hearing: Hearing) -> Need {
        Need { hearing, quiet_from: AudioLevel::new(60), loud: 1e-6 }
    }

    fn pre_roll(skipper: &Skipper, toc: u8) -> Vec<u8> {
        skipper.pre_roll(&[toc, 9]).map(|packet| packet[1]).collect()
    }

    #[test]
    fn pre_roll_is_the_newest_skipped_packets_in_order_and_as_many_as_the_mode_needs() {
        let mut skipper = Skipper::new();
        for n in 0..3 {
            skipper.judge(GATED, QUIET);
            skipper.keep(&[SILK, n]);
        }
        assert_eq!(pre_roll(&skipper, SILK), [1, 2]);
        assert_eq!(pre_roll(&skipper, CELT), [0, 1, 2]);
        for n in 3..9 {
            skipper.keep(&[SILK, n]);
        }
        assert_eq!(pre_roll(&skipper, CELT), [4, 5, 6, 7, 8]);
        skipper.keep(&[CELT, 9]);
        assert_eq!(pre_roll(&skipper, SILK), [5, 6, 7, 8, 9], "one transform packet among them asks for all");
        skipper.caught_up();
        assert!(pre_roll(&skipper, CELT).is_empty());
        for n in 0..9 {
            skipper.judge(need(Hearing::Unheard), LOUD);
            skipper.keep(&[SILK, n]);
        }
        assert_eq!(pre_roll(&skipper, SILK), [4, 5, 6, 7, 8], "in the middle of a word too");
    }

    #[test]
    fn quiet_stamps_skip_while_the_gate_is_closed_and_anything_else_is_decoded() {
        let mut skipper = Skipper::new();
        let just_loud_enough = Some(AudioLevel::new(59));
        for (need, level, verdict) in [
            (GATED, QUIET, Verdict::Skip),
            (GATED, just_loud_enough, Verdict::Decode),
            (GATED, None, Verdict::Decode),
            (need(Hearing::Open), QUIET, Verdict::Decode),
            (need(Hearing::Unheard), LOUD, Verdict::Skip),
            (need(Hearing::Unheard), None, Verdict::Skip),
        ] {
            assert_eq!(skipper.judge(need, level), verdict, "{need:?} {level:?}");
        }
    }

    #[test]
    fn every_25th_quiet_packet_is_checked_and_a_liar_is_decoded_for_ten_seconds() {
        let mut skipper = Skipper::new();
        let verdicts: Vec<_> = (0..100).map(|_| skipper.judge(GATED, QUIET)).collect();
        let probes: Vec<_> = (0..).zip(&verdicts).filter(|(_, v)| **v == Verdict::Probe).map(|(at, _)| at).collect();
        assert_eq!(probes, [24, 49, 74, 99]);
        skipper.distrust();
        let believed = (0..600).position(|_| skipper.judge(GATED, QUIET) != Verdict::Decode);
        assert_eq!(believed, Some(499));
    }
}
