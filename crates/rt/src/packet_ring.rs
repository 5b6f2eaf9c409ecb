//! Packet ring: whole RTP packets with their arrival time, from one thread to one other.
//!
//! In the flow: network thread → media thread (one ring per leg) and back (one ring per conversation).
//! Invariants: a record is delivered whole, once, in order; a full ring refuses the newest and counts it.
//! Layout: 16 bytes of header (arrival time, leg, length), then the packet, in a byte ring of `ringbuf`.
//! Not here: parsing, waking the other side. The half that is dropped last frees the memory, so both are
//! dropped on control threads.
#![expect(unsafe_code, reason = "a record is published by one step of the write index; see the SAFETY comment")]

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringbuf::traits::{Consumer, Observer, Producer, Raw, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};

use crate::MonoTime;

/// The longest packet a ring carries: an Ethernet MTU, so any datagram that was not fragmented fits.
pub const MAX_PACKET: usize = 1500;

/// Bytes a ring spends per record besides the packet: `at` u64, `leg` u32, `len` u32, native endian.
pub const RECORD_OVERHEAD: usize = 16;

/// What travels beside a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketMeta {
    /// When it arrived (ingress) or was made (egress).
    pub at: MonoTime,
    /// The leg it came from or goes to: an index of the transport's, meaningless here.
    pub leg: u32,
}

/// The ring had no room for the record, or the packet is longer than [`MAX_PACKET`]; it was counted as dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packet ring full")]
pub struct Full;

/// Makes a ring of `capacity_bytes` (packets plus [`RECORD_OVERHEAD`] each) and returns its two ends.
///
/// # Panics
/// If the ring could not hold even one longest record.
#[must_use]
pub fn packet_ring(capacity_bytes: usize) -> (PacketSender, PacketReceiver) {
    assert!(capacity_bytes >= RECORD_OVERHEAD + MAX_PACKET, "a packet ring must hold at least one packet");
    let (producer, consumer) = HeapRb::<u8>::new(capacity_bytes).split();
    let dropped = Arc::new(AtomicU64::new(0));
    let sender = PacketSender { ring: producer, dropped: Arc::clone(&dropped) };
    (sender, PacketReceiver { ring: consumer, dropped })
}

/// The writing end. One thread at a time; may move between threads.
pub struct PacketSender {
    ring: HeapProd<u8>,
    dropped: Arc<AtomicU64>,
}

/// The reading end. One thread at a time; may move between threads.
pub struct PacketReceiver {
    ring: HeapCons<u8>,
    dropped: Arc<AtomicU64>,
}

impl PacketSender {
    /// Copies one whole packet in, or nothing at all.
    ///
    /// # Errors
    /// [`Full`] if there is no room now or `packet` is longer than [`MAX_PACKET`]; the packet is dropped and counted.
    ///
    /// # Real-time
    /// Wait-free, no allocation, O(packet).
    pub fn push(&mut self, meta: PacketMeta, packet: &[u8]) -> Result<(), Full> {
        let len = RECORD_OVERHEAD + packet.len();
        let (left, right) = self.ring.vacant_slices_mut();
        if packet.len() > MAX_PACKET || left.len() + right.len() < len {
            // Relaxed: a statistic, it orders nothing.
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Err(Full);
        }
        // One publication per record: each costs divisions by the ring's length and a store the reader sees.
        let header = encode_header(meta, packet.len());
        let filled = write(left, right, 0, &header);
        write(left, right, filled, packet);
        // SAFETY: the first `len` vacant bytes were written just above, and there were that many; this end is the only
        // writer, so they were still vacant.
        unsafe { self.ring.advance_write_index(len) };
        Ok(())
    }

    /// Packets refused since the ring was made.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Bytes free now; at least this much is free until the next `push`.
    #[must_use]
    pub fn vacant_bytes(&self) -> usize {
        self.ring.vacant_len()
    }
}

impl PacketReceiver {
    /// Takes the oldest packet into the front of `buf`; returns what travelled beside it and its length.
    ///
    /// # Panics
    /// If `buf` is shorter than [`MAX_PACKET`], whatever the packet's length: a caller's bug must show at once.
    ///
    /// # Real-time
    /// Wait-free, no allocation, O(packet).
    pub fn pop(&mut self, buf: &mut [u8]) -> Option<(PacketMeta, usize)> {
        assert!(buf.len() >= MAX_PACKET, "buffer must hold the longest packet");
        if self.ring.is_empty() {
            return None; // without the divisions by the ring's length: most rings are empty when they are asked
        }
        let mut header = [0; RECORD_OVERHEAD];
        let head = self.ring.pop_slice(&mut header);
        debug_assert_eq!(head, RECORD_OVERHEAD, "invariant: records are published whole");
        let (meta, len) = decode_header(&header);
        let read = self.ring.pop_slice(&mut buf[..len]);
        debug_assert_eq!(read, len);
        Some((meta, len))
    }

    /// Whether no record waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// Packets the sender had to drop since the ring was made.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether the sending end is gone; what it sent can still be popped.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        !self.ring.write_is_held()
    }
}

impl fmt::Debug for PacketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketSender").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

impl fmt::Debug for PacketReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketReceiver").field("dropped", &self.dropped()).finish_non_exhaustive()
    }
}

/// Writes `bytes` behind the first `filled` of what is vacant in `left` and then `right`, where there is room for them; gives
/// how much is filled then.
fn write(left: &mut [MaybeUninit<u8>], right: &mut [MaybeUninit<u8>], filled: usize, bytes: &[u8]) -> usize {
    let in_left = left.len().saturating_sub(filled).min(bytes.len());
    let (first, rest) = bytes.split_at(in_left);
    if in_left > 0 {
        left[filled..filled + in_left].write_copy_of_slice(first);
    }
    if !rest.is_empty() {
        let at = (filled + in_left) - left.len();
        right[at..at + rest.len()].write_copy_of_slice(rest);
    }
    filled + bytes.len()
}

fn encode_header(meta: PacketMeta, len: usize) -> [u8; RECORD_OVERHEAD] {
    let len = u32::try_from(len).expect("invariant: packets are at most MAX_PACKET long");
    let mut header = [0; RECORD_OVERHEAD];
    header[..8].copy_from_slice(&meta.at.as_nanos().to_ne_bytes());
    header[8..12].copy_from_slice(&meta.leg.to_ne_bytes());
    header[12..].copy_from_slice(&len.to_ne_bytes());
    header
}

fn decode_header(header: &[u8; RECORD_OVERHEAD]) -> (PacketMeta, usize) {
    let [a, b, c, d, e, f, g, h, l0, l1, l2, l3, n0, n1, n2, n3] = *header;
    let at = MonoTime::from_nanos(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    let leg = u32::from_ne_bytes([l0, l1, l2, l3]);
    (PacketMeta { at, leg }, u32::from_ne_bytes([n0, n1, n2, n3]) as usize)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn meta(at: u64, leg: u32) -> PacketMeta {
        PacketMeta { at: MonoTime::from_nanos(at), leg }
    }

    #[test]
    fn packets_come_out_whole_in_order_with_their_meta() {
        let (mut tx, mut rx) = packet_ring(4096);
        let mut buf = [0; MAX_PACKET];
        assert_eq!(rx.pop(&mut buf), None);
        tx.push(meta(u64::MAX, 7), b"one").unwrap();
        tx.push(meta(2, u32::MAX), &[]).unwrap();
        assert_eq!(rx.pop(&mut buf), Some((meta(u64::MAX, 7), 3)));
        assert_eq!(&buf[..3], b"one");
        assert_eq!(rx.pop(&mut buf), Some((meta(2, u32::MAX), 0)));
        assert_eq!(rx.pop(&mut buf), None);
    }

    #[test]
    fn a_full_ring_refuses_the_newest_whole_and_counts_it() {
        let (mut tx, mut rx) = packet_ring(RECORD_OVERHEAD + MAX_PACKET);
        let mut buf = [0; MAX_PACKET];
        tx.push(meta(1, 1), &[1; 1000]).unwrap();
        assert_eq!(tx.push(meta(2, 2), &[2; 485]), Err(Full)); // one byte too many
        assert_eq!(tx.push(meta(3, 3), &[3; 484]), Ok(()));
        assert_eq!((tx.dropped(), rx.dropped(), tx.vacant_bytes()), (1, 1, 0));
        assert_eq!(rx.pop(&mut buf), Some((meta(1, 1), 1000)));
        assert_eq!(rx.pop(&mut buf), Some((meta(3, 3), 484)));
        assert!(buf[..484].iter().all(|b| *b == 3));
        assert_eq!(rx.pop(&mut buf), None);
    }

    #[test]
    fn a_packet_over_the_limit_is_refused_even_by_an_empty_ring() {
        let (mut tx, mut rx) = packet_ring(8192);
        assert_eq!(tx.push(meta(0, 0), &[0; MAX_PACKET + 1]), Err(Full));
        assert_eq!(tx.push(meta(0, 0), &[0; MAX_PACKET]), Ok(()));
        assert_eq!(tx.dropped(), 1);
        assert_eq!(rx.pop(&mut [0; MAX_PACKET]), Some((meta(0, 0), MAX_PACKET)));
    }

    #[test]
    #[should_panic(expected = "longest packet")]
    fn a_short_buffer_is_caught_even_when_nothing_waits() {
        let (_tx, mut rx) = packet_ring(4096);
        let _ = rx.pop(&mut [0; MAX_PACKET - 1]);
    }

    #[test]
    fn a_gone_sender_is_noticed_and_its_packets_stay() {
        let (mut tx, mut rx) = packet_ring(4096);
        tx.push(meta(1, 1), b"last").unwrap();
        assert!(!rx.is_abandoned());
        drop(tx);
        assert!(rx.is_abandoned() && !rx.is_empty());
        assert_eq!(rx.pop(&mut [0; MAX_PACKET]), Some((meta(1, 1), 4)));
        assert!(rx.is_empty());
    }

    #[test]
    fn across_threads_each_packet_arrives_once_or_is_counted() {
        const PACKETS: u32 = 50_000;
        let (mut tx, mut rx) = packet_ring(5_000);
        let writer = thread::spawn(move || {
            let mut refused = 0_u64;
            for n in 0..PACKETS {
                let byte = n.to_le_bytes()[0];
                let len = (n as usize * 7) % 300;
                if tx.push(meta(u64::from(n), n), &vec![byte; len]).is_err() {
                    refused += 1;
                    thread::yield_now();
                }
            }
            assert_eq!(tx.dropped(), refused);
            refused
        });
        let mut buf = [0; MAX_PACKET];
        let mut last = None;
        let mut received = 0_u64;
        loop {
            let abandoned = rx.is_abandoned();
            while let Some((m, len)) = rx.pop(&mut buf) {
                assert!(last < Some(m.leg), "order kept");
                assert_eq!((m.at.as_nanos(), len), (u64::from(m.leg), (m.leg as usize * 7) % 300));
                assert!(buf[..len].iter().all(|b| *b == m.leg.to_le_bytes()[0]), "bytes kept");
                last = Some(m.leg);
                received += 1;
            }
            if abandoned {
                break;
            }
            thread::yield_now();
        }
        let refused = writer.join().unwrap();
        assert_eq!(received + refused, u64::from(PACKETS));
    }

    proptest! {
        #[test]
        fn the_ring_behaves_as_a_bounded_queue(
            ops in prop::collection::vec(prop::option::of((any::<u32>(), 0_usize..=MAX_PACKET + 1)), 0..200),
            capacity in RECORD_OVERHEAD + MAX_PACKET..6_000,
        ) {
            let (mut tx, mut rx) = packet_ring(capacity);
            let mut model = std::collections::VecDeque::new();
            let mut used = 0;
            let mut dropped = 0;
            let mut buf = [0; MAX_PACKET];
            for op in ops {
                match op {
                    Some((leg, len)) => {
                        let packet = vec![leg.to_le_bytes()[0]; len];
                        let fits = len <= MAX_PACKET && used + len + RECORD_OVERHEAD <= capacity;
                        prop_assert_eq!(tx.push(meta(9, leg), &packet).is_ok(), fits);
                        if fits {
                            used += len + RECORD_OVERHEAD;
                            model.push_back((leg, packet));
                        } else {
                            dropped += 1;
                        }
                    }
                    None => {
                        let got = rx.pop(&mut buf).map(|(m, len)| (m.leg, buf[..len].to_vec()));
                        let want = model.pop_front();
                        if let Some((_, p)) = &want {
                            used -= p.len() + RECORD_OVERHEAD;
                        }
                        prop_assert_eq!(got, want);
                    }
                }
            }
            prop_assert_eq!(rx.dropped(), dropped);
        }
    }
}
