//! The packets a jitter buffer holds, in sequence order, in memory allocated once.
//!
//! Slots are reused last-in first-out, so a calm stream touches one or two of them and stays in
//! cache. Invariant: `order` is sorted by sequence number and names each slot at most once;
//! payload bytes of a popped packet stay readable until the next insertion.

use antiphon_rt::MonoTime;
use antiphon_rtp::AudioLevel;

use super::FrameKind;

/// One packet in the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    /// Extended sequence number.
    pub(crate) seq: u64,
    /// Extended RTP timestamp.
    pub(crate) timestamp: u64,
    /// Duration in RTP clock.
    pub(crate) samples: u32,
    /// When it, or what it rode with, arrived.
    pub(crate) at: MonoTime,
    /// It rode with another packet; its own has not come.
    pub(crate) copy: bool,
    /// Whether it carries an FEC copy of its predecessor.
    pub(crate) fec: bool,
    pub(crate) kind: FrameKind,
    /// The level its sender stamped.
    pub(crate) level: Option<AudioLevel>,
    /// Where its payload lies, and how long it is; filled in by [`Store::insert`].
    pub(crate) slot: u16,
    pub(crate) len: u16,
}

impl Stored {
    /// Length of its payload.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether it only announces silence.
    pub(crate) fn is_dtx(&self) -> bool {
        self.kind.is_dtx(self.len())
    }
}

#[derive(Debug)]
pub(crate) struct Store {
    order: Vec<Stored>,
    free: Vec<u16>,
    bytes: Box<[u8]>,
    slot_bytes: usize,
}

impl Store {
    pub(crate) fn new(capacity: usize, slot_bytes: usize) -> Self {
        let slots = u16::try_from(capacity).expect("invariant: capacities are small constants");
        Self {
            order: Vec::with_capacity(capacity),
            free: (0..slots).rev().collect(),
            bytes: vec![0; capacity * slot_bytes].into(),
            slot_bytes,
        }
    }

    /// Packets in it; copies of others are none.
    #[cfg(test)]
    pub(crate) fn packets(&self) -> usize {
        self.order.iter().filter(|stored| !stored.copy).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(crate) fn first(&self) -> Option<&Stored> {
        self.order.first()
    }

    pub(crate) fn second(&self) -> Option<&Stored> {
        self.order.get(1)
    }

    /// Puts a packet in its place. The store must not be full, the sequence number not be in it.
    pub(crate) fn insert(&mut self, mut stored: Stored, payload: &[u8]) {
        let slot = self.free.pop().expect("invariant: the caller made room");
        stored.slot = slot;
        stored.len = payload.len() as u16;
        let from = usize::from(slot) * self.slot_bytes;
        self.bytes[from..from + payload.len()].copy_from_slice(payload);
        let at = self.order.iter().rposition(|other| other.seq < stored.seq).map_or(0, |before| before + 1);
        self.order.insert(at, stored);
    }

    pub(crate) fn pop_first(&mut self) -> Option<Stored> {
        if self.order.is_empty() {
            return None;
        }
        let stored = self.order.remove(0);
        self.free.push(stored.slot);
        Some(stored)
    }

    /// The payload of a packet in the store, or of one popped since the last insertion.
    pub(crate) fn payload(&self, stored: &Stored) -> &[u8] {
        let from = usize::from(stored.slot) * self.slot_bytes;
        &self.bytes[from..from + stored.len()]
    }
}
