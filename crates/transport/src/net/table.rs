//! The legs of a network thread and the ways to find one: by id, by source address, by ufrag, by deadline.
//!
//! In the flow: owned by the network thread; looked up once per datagram and packet.
//! Invariants: an address or ufrag names at most one leg; a removed leg leaves no entry behind; looking up
//! and setting deadlines do not allocate.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use antiphon_rt::packet_ring::PacketSender;

use super::any_peer::AnyPeer;
use super::hash::QuickState;
use super::leg::LegId;
use super::quota::LegPermit;
use super::socket::UdpPort;
use crate::stats::LegCounters;

/// One leg on the network thread.
pub(super) struct LegState {
    pub(super) id: LegId,
    pub(super) peer: AnyPeer,
    pub(super) ingress: PacketSender,
    /// Its own socket on the bot side; `None`: the shared one.
    pub(super) port: Option<UdpPort>,
    pub(super) counters: Arc<LegCounters>,
    /// Held until the leg is gone.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(super) permit: LegPermit,
}

#[derive(Default)]
pub(super) struct Table {
    slots: Vec<Option<LegState>>,
    /// Beside `slots`, dense, because it is scanned.
    deadlines: Vec<Option<Instant>>,
    free: Vec<usize>,
    by_id: HashMap<LegId, usize, QuickState>,
    by_address: HashMap<SocketAddr, usize, QuickState>,
    by_ufrag: HashMap<String, usize>,
    /// Not later than any deadline.
    next_due: Option<Instant>,
}

impl Table {
    /// Adds a leg and returns its slot. Legs with a socket of their own need no ufrag.
    pub(super) fn insert(&mut self, leg: LegState) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.deadlines.push(None);
            self.slots.len() - 1
        });
        self.by_id.insert(leg.id, slot);
        if leg.port.is_none() {
            self.by_ufrag.insert(leg.peer.ufrag().to_owned(), slot);
        }
        self.slots[slot] = Some(leg);
        slot
    }

    pub(super) fn remove(&mut self, slot: usize) -> Option<LegState> {
        let leg = self.slots.get_mut(slot)?.take()?;
        self.deadlines[slot] = None;
        self.by_id.remove(&leg.id);
        self.by_ufrag.remove(leg.peer.ufrag());
        self.by_address.retain(|_, s| *s != slot);
        self.free.push(slot);
        Some(leg)
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut LegState> {
        self.slots.get_mut(slot)?.as_mut()
    }

    pub(super) fn by_id(&self, id: LegId) -> Option<usize> {
        self.by_id.get(&id).copied()
    }

    pub(super) fn by_address(&self, address: SocketAddr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    pub(super) fn by_ufrag(&self, ufrag: &str) -> Option<usize> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// From now on datagrams from `address` are this leg's, whoever had it before (a NAT may hand an
    /// address on; the new owner has authenticated itself from it).
    pub(super) fn bind(&mut self, address: SocketAddr, slot: usize) {
        self.by_address.insert(address, slot);
    }

    /// Undoes [`Self::bind`] unless another leg has taken the address over.
    pub(super) fn unbind(&mut self, address: SocketAddr, slot: usize) {
        if self.by_address(address) == Some(slot) {
            self.by_address.remove(&address);
        }
    }

    /// Reads the peer's deadline again.
    pub(super) fn touch(&mut self, slot: usize) {
        let Some(leg) = self.slots.get(slot).and_then(Option::as_ref) else { return };
        let deadline = leg.peer.poll_timeout();
        self.deadlines[slot] = deadline;
        self.next_due = [self.next_due, deadline].into_iter().flatten().min();
    }

    /// When [`Self::next_expired`] may have something.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.next_due
    }

    /// The first slot from `from` on whose deadline has passed.
    pub(super) fn next_expired(&self, from: usize, now: Instant) -> Option<usize> {
        let rest = self.deadlines.get(from..)?;
        rest.iter().position(|d| d.is_some_and(|d| d <= now)).map(|i| from + i)
    }

    /// To be called after all expired slots were dealt with.
    pub(super) fn recompute_due(&mut self) {
        self.next_due = self.deadlines.iter().flatten().min().copied();
    }

    /// All slots in use.
    pub(super) fn occupied(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().enumerate().filter(|(_, leg)| leg.is_some()).map(|(slot, _)| slot)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use antiphon_rt::packet_ring::packet_ring;

    use super::super::quota::LegQuota;
    use super::*;
    use crate::identity::Identity;
    use crate::peer::{Peer, PeerConfig};

    fn leg(id: u32, identity: &Identity, now: Instant) -> LegState {
        let candidates = ["192.0.2.1:9".parse().unwrap()];
        let config = PeerConfig {
            identity,
            candidates: &candidates,
            max_ssrcs: 1,
            connect_timeout: Duration::from_secs(u64::from(id)),
            unix_now: Duration::ZERO,
        };
        let (_, offer) = Peer::offer(now, &config, false).unwrap();
        let (peer, _) = Peer::answer(now, &config, crate::sdp::Setup::Passive, &offer).unwrap();
        let counters = peer.counters();
        let ingress = packet_ring(4096).0;
        let permit = LegQuota::new(1).take().unwrap();
        LegState { id: LegId::new(id), peer: peer.into(), ingress, port: None, counters, permit }
    }

    #[test]
    fn an_address_goes_to_the_leg_that_took_it_last_and_leaves_with_it() {
        let (identity, now) = (Identity::generate().unwrap(), Instant::now());
        let mut table = Table::default();
        let (one, two) = (table.insert(leg(1, &identity, now)), table.insert(leg(2, &identity, now)));
        let address: SocketAddr = "192.0.2.7:7".parse().unwrap();
        table.bind(address, one);
        table.bind(address, two);
        table.unbind(address, one); // it is not one's any more
        assert_eq!(table.by_address(address), Some(two));
        let ufrag = table.get_mut(two).unwrap().peer.ufrag().to_owned();
        assert_eq!(table.by_ufrag(&ufrag), Some(two));
        assert!(table.remove(two).is_some() && table.remove(two).is_none());
        assert_eq!((table.by_address(address), table.by_ufrag(&ufrag), table.by_id(LegId::new(2))), (None, None, None));
        assert_eq!(table.insert(leg(3, &identity, now)), two, "slots are used again");
        assert_eq!(table.by_id(LegId::new(1)), Some(one));
    }

    #[test]
    fn deadlines_come_due_in_their_time() {
        let (identity, now) = (Identity::generate().unwrap(), Instant::now());
        let mut table = Table::default();
        let (late, soon) = (table.insert(leg(20, &identity, now)), table.insert(leg(3, &identity, now)));
        assert_eq!(table.next_due(), None);
        table.touch(late);
        table.touch(soon);
        let at = |s| now + Duration::from_secs(s);
        assert_eq!(table.next_due(), Some(at(3)));
        assert_eq!(table.next_expired(0, at(2)), None);
        assert_eq!((table.next_expired(0, at(3)), table.next_expired(soon + 1, at(3))), (Some(soon), None));
        table.remove(soon);
        table.recompute_due();
        assert_eq!(table.next_due(), Some(at(20)));
    }
}
