//! Fuzz body of the jitter buffer as an ordinary function: the target is a shell around it, and the corpus
//! replays through it as a test.
//!
//! Its input is read as operations, so that it reaches states that whole packets from a network would not.

use antiphon_rt::MonoTime;
use antiphon_rtp::{AudioLevel, RtpTimestamp, SeqNo};

use crate::jitter::{Arrival, CAPACITY, FRAME_NS, FrameKind, JitterBuffer, Step, Wish};

/// Runs `data` as operations on a jitter buffer: packets near the last one, wild packets, copies, ticks, restarts.
///
/// # Panics
/// If a packet does not end exactly once, if more is played than was received, or if the buffer outgrows its
/// capacity.
pub fn jitter(data: &[u8]) {
    let mut buffer = JitterBuffer::new();
    let (mut now, mut seq, mut timestamp) = (MonoTime::from_millis(1_000), 0_u16, 0_u32);
    let mut decoded = 0;
    let mut bytes = data.iter().copied();
    while let Some(op) = bytes.next() {
        let mut byte = || bytes.next().unwrap_or(0);
        let quiet = op & 8 != 0;
        match op & 7 {
            // The next packets of a stream, a few of them lost.
            0..=2 => {
                let step = u16::from(op >> 4);
                seq = seq.wrapping_add(step);
                timestamp = timestamp.wrapping_add(u32::from(step) * 960);
                let payload = [byte(), byte(), byte(), byte()];
                insert(
                    &mut buffer,
                    now,
                    (seq, timestamp),
                    (FrameKind::Opus, &payload[..usize::from(op >> 6) + 1]),
                    quiet,
                );
            }
            // One from the neighbourhood: late, early, a duplicate, with a timestamp that fits.
            3 => {
                let back = u16::from(byte());
                let at = (
                    seq.wrapping_sub(back).wrapping_add(32),
                    timestamp.wrapping_sub(u32::from(back) * 960).wrapping_add(32 * 960),
                );
                insert(&mut buffer, now, at, (FrameKind::Opus, &[byte(), 1, 2]), quiet);
            }
            // One from anywhere.
            4 => {
                seq = u16::from_le_bytes([byte(), byte()]);
                timestamp = u32::from_le_bytes([byte(), byte(), byte(), byte()]);
                let coded = match op >> 6 {
                    0 => (FrameKind::Mulaw, &[0x7f; 240][..usize::from(byte()).min(240)]),
                    1 => (FrameKind::Alaw, &[0x55; 160][..]),
                    _ => (FrameKind::Opus, &[op, 1, 2][..]),
                };
                insert(&mut buffer, now, (seq, timestamp), coded, quiet);
            }
            5 | 6 => {
                now += std::time::Duration::from_millis(if op & 7 == 5 { 20 } else { u64::from(byte()) });
                let ahead = i64::from(op >> 4) * 1_250_000;
                decoded += u64::from(matches!(buffer.next(now, ahead, quiet), Step::Decode { copy: false, .. }));
                match buffer.wish(now, ahead + FRAME_NS) {
                    Wish::Shorter(stretch) | Wish::Longer(stretch) => {
                        assert!((0..=2 * FRAME_NS).contains(&stretch.nanos), "{stretch:?}");
                        buffer.was_stretched();
                    }
                    Wish::Keep => {}
                }
            }
            // The copy of one that may have been lost, or the number of one that is no audio.
            _ if op >> 6 != 0 => {
                let back = u16::from(op >> 4);
                let (seq, timestamp) =
                    (SeqNo::new(seq.wrapping_sub(back)), timestamp.wrapping_sub(u32::from(back) * 960));
                if quiet {
                    buffer.note_seq(seq);
                } else {
                    buffer.insert_redundant(seq, RtpTimestamp::new(timestamp), &[byte(), byte(), 1], now);
                }
            }
            _ => buffer.restart(),
        }
        let counts = *buffer.counts();
        let waiting = counts.received - counts.ended();
        assert!(waiting <= CAPACITY as u64, "{waiting} packets wait in {CAPACITY} places");
        assert_eq!(counts.played, decoded);
        assert!(waiting == 0 || !buffer.is_idle(), "packets wait and the buffer is idle");
    }
    buffer.restart();
    assert_eq!(buffer.counts().ended(), buffer.counts().received, "a packet did not end exactly once");
}

fn insert(
    buffer: &mut JitterBuffer,
    at: MonoTime,
    (seq, timestamp): (u16, u32),
    (kind, payload): (FrameKind, &[u8]),
    quiet: bool,
) {
    let (seq, timestamp) = (SeqNo::new(seq), RtpTimestamp::new(timestamp));
    let level = quiet.then_some(AudioLevel::SILENCE);
    buffer.insert(&Arrival { at, seq, timestamp, payload, kind, level });
}
