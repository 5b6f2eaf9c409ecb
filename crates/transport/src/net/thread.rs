//! The network thread: sockets ⇄ peers ⇄ packet rings.
//!
//! In the flow: RTP goes straight from the receive buffer to the leg's ring, and from the egress rings
//! through the send buffer to the socket. STUN and DTLS wait in a bounded queue and get [`CONTROL_BUDGET`]
//! per pass (one datagram at least), so a storm of handshakes delays media by about a millisecond.
//! Invariants: no allocation per media packet; a panic in a handshake ends that leg only.
//! Not here: protocols (`peer`), routing, real-time priority.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, PacketReceiver, PacketSender};
use antiphon_rt::wake::Wakeable;
use antiphon_rt::{MonoClock, MonoTime};
use antiphon_rtp::demux::DatagramKind;
use bytes::BytesMut;
use crossbeam_channel::{Receiver, TryRecvError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::any_peer::AnyPeer;
use super::leg::{CloseReason, LegCallback, LegEvent, LegId};
use super::quota::LegPermit;
use super::socket::{BATCH, ReceiveBatch, SendBatch, UdpPort};
use super::table::{LegState, Table};
use super::{EgressId, Limits};
use crate::ice::stun::StunMessage;
use crate::peer::{PeerEvent, Received};
use crate::stats::{DropCounters, DropReason};

/// Time for STUN and DTLS per pass.
const CONTROL_BUDGET: Duration = Duration::from_millis(1);
/// STUN and DTLS datagrams that may wait; both protocols repeat what is lost.
const CONTROL_QUEUE: usize = 1024;
/// Batches read from one socket before the others, the timers and the egress rings have their turn.
const BATCHES_PER_PASS: usize = 8;
/// Packets taken from one egress ring before the next one's turn.
const PACKETS_PER_RING: usize = 4096;
/// Packets of a ring whose peers are looked up together.
const AHEAD: usize = 16;
/// Ready descriptors handled per pass.
const READY: usize = 256;
/// `epoll` tokens: the wake-up, the shared socket, then slot numbers.
const WAKE_TOKEN: u64 = 0;
const SHARED_TOKEN: u64 = 1;
const FIRST_SLOT_TOKEN: u64 = 2;

/// What control threads ask for.
pub(super) enum Command {
    AddLeg(NewLeg),
    Close(LegId),
    AddEgress(EgressId, PacketReceiver),
    RemoveEgress(EgressId),
    Shutdown,
}

/// A leg on its way to the network thread.
pub(super) struct NewLeg {
    pub(super) id: LegId,
    pub(super) peer: AnyPeer,
    pub(super) ingress: PacketSender,
    /// `None`: the shared port.
    pub(super) port: Option<UdpPort>,
    pub(super) permit: LegPermit,
}

/// STUN or DTLS that waits for its turn; `slot` if the socket or the source told whose it is.
struct Waiting {
    slot: Option<usize>,
    from: SocketAddr,
    datagram: BytesMut,
}

/// What the worker is made from, in the thread that starts it: the batches must be made on their own thread.
pub(super) struct Seed {
    inbox: Receiver<Command>,
    wakeable: Wakeable,
    shared: Option<UdpPort>,
    epoll: Epoll,
    limits: Limits,
    on_event: LegCallback,
    drops: Arc<DropCounters>,
}

impl Seed {
    pub(super) fn new(
        inbox: Receiver<Command>,
        wakeable: Wakeable,
        shared: Option<UdpPort>,
        limits: &Limits,
        drops: Arc<DropCounters>,
        on_event: LegCallback,
    ) -> std::io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&wakeable, EpollEvent::new(EpollFlags::EPOLLIN, WAKE_TOKEN))?;
        if let Some(port) = &shared {
            epoll.add(port, EpollEvent::new(EpollFlags::EPOLLIN, SHARED_TOKEN))?;
        }
        Ok(Self { inbox, wakeable, shared, epoll, limits: limits.clone(), on_event, drops })
    }

    /// The body of the network thread.
    pub(super) fn run(self) {
        self.into_worker().run();
    }

    fn into_worker(self) -> Worker {
        let send = Sender { batch: SendBatch::new(), slot: None, drops: Arc::clone(&self.drops) };
        Worker {
            seed: self,
            table: Table::default(),
            egress: Vec::new(),
            egress_waits: false,
            control: VecDeque::with_capacity(CONTROL_QUEUE),
            receive: ReceiveBatch::new(),
            found: Box::new([None; BATCH]),
            send,
            staged: Staged::new(),
            ready: Box::new([EpollEvent::empty(); READY]),
            anchor: (Instant::now(), MonoClock.now()),
        }
    }
}

struct Worker {
    seed: Seed,
    table: Table,
    egress: Vec<(EgressId, PacketReceiver)>,
    /// A ring had more than its turn.
    egress_waits: bool,
    control: VecDeque<Waiting>,
    receive: ReceiveBatch,
    /// On a shared port, whose each datagram of the batch is by its source. No leg comes or goes meanwhile.
    found: Box<[Option<usize>; BATCH]>,
    send: Sender,
    staged: Staged,
    ready: Box<[EpollEvent; READY]>,
    /// The same moment on both clocks: peers count in `Instant`, rings in `MonoTime`.
    anchor: (Instant, MonoTime),
}

impl Worker {
    /// Runs until told to stop or until all handles are gone.
    fn run(mut self) {
        loop {
            let ready = self.wait(self.timeout(Instant::now()));
            let Some(media) = self.pass(Instant::now(), ready) else { return };
            if media && self.control.is_empty() && !self.egress_waits {
                self.pause();
            }
        }
    }

    /// Waits for datagrams, a wake-up or the time; returns how many descriptors are ready.
    fn wait(&mut self, timeout: EpollTimeout) -> usize {
        self.seed.epoll.wait(&mut self.ready[..], timeout).unwrap_or(0) // EINTR
    }

    /// Does all there is to do; `None` when it was told to stop, else whether there was RTP.
    fn pass(&mut self, now: Instant, ready: usize) -> Option<bool> {
        let mut media = false;
        for i in 0..ready {
            match self.ready[i].data() {
                WAKE_TOKEN => {
                    self.seed.wakeable.drain();
                }
                SHARED_TOKEN => media |= self.receive_from(now, None),
                token => media |= self.receive_from(now, Some((token - FIRST_SLOT_TOKEN) as usize)),
            }
        }
        // After receiving: a datagram cannot be here before the command that made its leg.
        if !self.take_commands(now) {
            self.shut_down(now);
            return None;
        }
        self.send_egress(now);
        self.run_control(now);
        self.run_timers(now);
        self.send.flush(&mut self.table, self.seed.shared.as_ref());
        Some(media)
    }

    /// Until the next deadline, rounded up to what `epoll` counts in.
    fn timeout(&self, now: Instant) -> EpollTimeout {
        if !self.control.is_empty() || self.egress_waits {
            return EpollTimeout::ZERO;
        }
        let Some(due) = self.table.next_due() else { return EpollTimeout::NONE };
        let millis = due.saturating_duration_since(now).as_micros().div_ceil(1000);
        EpollTimeout::try_from(u32::try_from(millis.min(60_000)).unwrap_or(60_000)).unwrap_or(EpollTimeout::ZERO)
    }

    /// Lets datagrams gather; a wake-up ends it.
    fn pause(&self) {
        let span = PollTimeout::try_from(self.seed.limits.coalesce).unwrap_or(PollTimeout::ZERO);
        if span != PollTimeout::ZERO {
            let _ = poll(&mut [PollFd::new(self.seed.wakeable.as_fd(), PollFlags::POLLIN)], span);
        }
    }

    fn mono(&self, now: Instant) -> MonoTime {
        self.anchor.1 + now.saturating_duration_since(self.anchor.0)
    }

    /// Returns whether there was RTP.
    fn receive_from(&mut self, now: Instant, own: Option<usize>) -> bool {
        let at = self.mono(now);
        let mut media = false;
        for _ in 0..BATCHES_PER_PASS {
            let port = match own {
                None => self.seed.shared.as_ref(),
                Some(slot) => self.table.get_mut(slot).and_then(|leg| leg.port.as_ref()),
            };
            let Some(port) = port else { return media };
            let count = self.receive.receive(port);
            if own.is_none() {
                self.find_legs(count);
            }
            for i in 0..count {
                let Some((from, datagram)) = self.receive.datagram(i) else {
                    self.refuse(own, DropReason::TooLong);
                    continue;
                };
                match DatagramKind::of(datagram) {
                    kind @ (DatagramKind::Rtp | DatagramKind::Rtcp) => {
                        media |= kind == DatagramKind::Rtp;
                        let Some(slot) = own.or(self.found[i]) else {
                            self.seed.drops.count(DropReason::UnknownSource);
                            continue;
                        };
                        let (table, drops) = (&mut self.table, &*self.seed.drops);
                        if deliver(table, drops, now, at, slot, from, datagram) {
                            self.with_peer(slot, |_| ());
                        }
                    }
                    _ if own.is_some_and(|slot| self.table.get_mut(slot).is_some_and(|l| !l.peer.has_control())) => {
                        self.refuse(own, DropReason::NotOurs);
                    }
                    kind @ (DatagramKind::Stun | DatagramKind::Dtls) => {
                        // A shared port finds the leg of STUN by its ufrag, later, and of DTLS by its source.
                        let by_source = || self.found[i].filter(|_| kind == DatagramKind::Dtls);
                        let slot = own.or_else(by_source);
                        if kind == DatagramKind::Dtls && slot.is_none() {
                            self.seed.drops.count(DropReason::UnknownSource);
                        } else if self.control.len() == CONTROL_QUEUE {
                            self.seed.drops.count(DropReason::HandshakeBacklog);
                        } else {
                            self.control.push_back(Waiting { slot, from, datagram: BytesMut::from(&*datagram) });
                        }
                    }
                    DatagramKind::Other => self.seed.drops.count(DropReason::NotOurs),
                }
            }
            if count < BATCH {
                break;
            }
        }
        media
    }

    /// Finds the legs of a batch by their addresses and looks at all their memory before the first packet is worked on.
    /// Each leg's lies elsewhere and has left the cache since its last packet; one after the other the misses would take
    /// as long as the work itself.
    fn find_legs(&mut self, count: usize) {
        let mut seen = 0;
        for (i, found) in self.found.iter_mut().enumerate().take(count) {
            *found = self.receive.datagram(i).and_then(|(from, _)| self.table.by_address(from));
            seen ^= found.and_then(|slot| self.table.get_mut(slot)).map_or(0, |leg| leg.peer.warm());
        }
        std::hint::black_box(seen);
    }

    /// Counts what was dropped before any peer saw it, on its leg too if the socket told whose it was.
    fn refuse(&mut self, own: Option<usize>, reason: DropReason) {
        self.seed.drops.count(reason);
        if let Some(leg) = own.and_then(|slot| self.table.get_mut(slot)) {
            leg.counters.drops.count(reason);
        }
    }

    /// Returns whether to go on.
    fn take_commands(&mut self, now: Instant) -> bool {
        loop {
            match self.seed.inbox.try_recv() {
                Ok(Command::AddLeg(new)) => self.add_leg(now, new),
                Ok(Command::Close(id)) => {
                    if let Some(slot) = self.table.by_id(id) {
                        self.with_peer(slot, |peer| peer.close(now, CloseReason::Local));
                    }
                }
                Ok(Command::AddEgress(id, ring)) => self.egress.push((id, ring)),
                Ok(Command::RemoveEgress(id)) => {
                    self.drain_egress(now);
                    self.egress.retain(|(known, _)| *known != id);
                }
                Err(TryRecvError::Empty) => return true,
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn add_leg(&mut self, now: Instant, new: NewLeg) {
        let NewLeg { id, peer, ingress, port, permit } = new;
        let counters = peer.counters();
        let slot = self.table.insert(LegState { id, peer, ingress, port, counters, permit });
        if let Some(port) = self.table.get_mut(slot).and_then(|leg| leg.port.as_ref()) {
            let token = FIRST_SLOT_TOKEN + slot as u64;
            if let Err(error) = self.seed.epoll.add(port, EpollEvent::new(EpollFlags::EPOLLIN, token)) {
                tracing::warn!(%id, %error, "cannot poll the leg's socket");
                return self.with_peer(slot, |peer| peer.close(now, CloseReason::Internal));
            }
        }
        self.with_peer(slot, |peer| peer.handle_timeout(now));
    }

    fn send_egress(&mut self, now: Instant) {
        let Self { seed, egress, send, table, staged, .. } = self;
        let shared = seed.shared.as_ref();
        for (_, ring) in egress.iter_mut() {
            for _ in 0..PACKETS_PER_RING / AHEAD {
                let count = staged.fill(ring, table);
                for (packet, (slot, len)) in staged.packets.iter().zip(staged.known).take(count) {
                    send.slot(table, shared)[..len].copy_from_slice(&packet[..len]);
                    send.packet(now, slot, len, table, shared);
                }
                if count < AHEAD {
                    break;
                }
            }
        }
        self.egress_waits = egress.iter().any(|(_, ring)| !ring.is_empty());
    }

    /// Sends what is in the rings by now; whoever fills one for ever does not hold us up.
    fn drain_egress(&mut self, now: Instant) {
        for _ in 0..16 {
            self.send_egress(now);
            if !self.egress_waits {
                break;
            }
        }
    }

    fn run_control(&mut self, now: Instant) {
        while let Some(Waiting { slot, from, mut datagram }) = self.control.pop_front() {
            match slot.map_or_else(|| self.find_by_ufrag(&datagram), Ok) {
                Ok(slot) => {
                    let drops = Arc::clone(&self.seed.drops);
                    self.with_peer(slot, |peer| {
                        if let Received::Dropped(reason) = peer.handle_datagram(now, from, &mut datagram) {
                            drops.count(reason);
                        }
                    });
                }
                Err(reason) => self.seed.drops.count(reason),
            }
            if now.elapsed() >= CONTROL_BUDGET {
                break;
            }
        }
    }

    fn find_by_ufrag(&self, datagram: &[u8]) -> Result<usize, DropReason> {
        let request = StunMessage::parse(datagram).filter(StunMessage::is_request);
        let ufrag = request.and_then(|r| r.receiver_ufrag()).ok_or(DropReason::StunMalformed)?;
        self.table.by_ufrag(ufrag).ok_or(DropReason::UnknownUfrag)
    }

    fn run_timers(&mut self, now: Instant) {
        if self.table.next_due().is_none_or(|due| due > now) {
            return;
        }
        let mut from = 0;
        while let Some(slot) = self.table.next_expired(from, now) {
            self.with_peer(slot, |peer| peer.handle_timeout(now));
            from = slot + 1;
        }
        self.table.recompute_due();
    }

    /// Runs a step of a peer, then does what the peer wants done. A panic in the step ends that leg only.
    fn with_peer(&mut self, slot: usize, step: impl FnOnce(&mut AnyPeer)) {
        let Some(leg) = self.table.get_mut(slot) else { return };
        let id = leg.id;
        if catch_unwind(AssertUnwindSafe(|| step(&mut leg.peer))).is_err() {
            tracing::error!(%id, "a handshake panicked; the leg is dropped");
            return self.remove(slot, CloseReason::Internal);
        }
        while let Some((to, datagram)) = self.table.get_mut(slot).and_then(|leg| leg.peer.poll_transmit()) {
            self.send.datagram(slot, to, &datagram, &mut self.table, self.seed.shared.as_ref());
        }
        while let Some(event) = self.table.get_mut(slot).and_then(|leg| leg.peer.poll_event()) {
            match event {
                PeerEvent::SourceAdded(address) => self.table.bind(address, slot),
                PeerEvent::SourceRemoved(address) => self.table.unbind(address, slot),
                PeerEvent::Connected => {
                    tracing::debug!(%id, "connected");
                    (self.seed.on_event)(id, LegEvent::Connected);
                }
                PeerEvent::Closed(reason) => self.remove(slot, reason),
            }
        }
        self.table.touch(slot);
    }

    fn remove(&mut self, slot: usize, reason: CloseReason) {
        self.send.flush(&mut self.table, self.seed.shared.as_ref()); // it may hold the leg's last words
        let Some(leg) = self.table.remove(slot) else { return };
        if let Some(port) = &leg.port {
            let _ = self.seed.epoll.delete(port);
        }
        tracing::debug!(id = %leg.id, reason = reason.as_str(), "closed");
        // A slot is given to another leg only after its queued datagrams are gone.
        self.control.retain(|waiting| waiting.slot != Some(slot));
        let id = leg.id;
        drop(leg); // whoever hears of the end may have another leg
        (self.seed.on_event)(id, LegEvent::Closed(reason));
    }

    fn shut_down(&mut self, now: Instant) {
        self.drain_egress(now);
        let slots: Vec<usize> = self.table.occupied().collect();
        for slot in slots {
            self.with_peer(slot, |peer| peer.close(now, CloseReason::Shutdown));
        }
        self.send.flush(&mut self.table, self.seed.shared.as_ref());
    }
}

/// RTP or RTCP of a known leg, in place. Returns whether the peer has something to tell.
fn deliver(
    table: &mut Table,
    drops: &DropCounters,
    now: Instant,
    at: MonoTime,
    slot: usize,
    from: SocketAddr,
    datagram: &mut [u8],
) -> bool {
    let Some(leg) = table.get_mut(slot) else { return false };
    match leg.peer.handle_datagram(now, from, datagram) {
        Received::Media { len } => {
            let meta = PacketMeta { at, leg: leg.id.as_u32() };
            let reason = if len > MAX_PACKET { DropReason::TooLong } else { DropReason::IngressFull };
            if len > MAX_PACKET || leg.ingress.push(meta, &datagram[..len]).is_err() {
                leg.counters.drops.count(reason);
                drops.count(reason);
            }
            return leg.peer.has_event();
        }
        Received::Control => table.touch(slot),
        Received::Dropped(reason) => drops.count(reason),
    }
    false
}

/// Packets taken from an egress ring together, so that their peers' memory is fetched at the same time.
struct Staged {
    packets: Box<[[u8; MAX_PACKET]; AHEAD]>,
    /// Of each packet, the slot of its leg and its length.
    known: [(Option<usize>, usize); AHEAD],
}

impl Staged {
    fn new() -> Self {
        Self { packets: Box::new([[0; MAX_PACKET]; AHEAD]), known: [(None, 0); AHEAD] }
    }

    /// Takes what is there, up to [`AHEAD`], and looks at the peers' memory; returns how many.
    fn fill(&mut self, ring: &mut PacketReceiver, table: &mut Table) -> usize {
        let mut count = 0;
        for (packet, known) in self.packets.iter_mut().zip(&mut self.known) {
            let Some((meta, len)) = ring.pop(packet) else { break };
            *known = (table.by_id(LegId::new(meta.leg)), len);
            count += 1;
        }
        let mut seen = 0;
        for (slot, _) in &self.known[..count] {
            seen ^= slot.and_then(|slot| table.get_mut(slot)).map_or(0, |leg| leg.peer.warm_out());
        }
        std::hint::black_box(seen);
        count
    }
}

/// The send batch and whose socket it is for.
struct Sender {
    batch: SendBatch,
    /// The slot whose own socket the batch goes to; `None`: the shared socket.
    slot: Option<usize>,
    drops: Arc<DropCounters>,
}

impl Sender {
    /// The buffer for the next datagram, whoever it will be for.
    fn slot(&mut self, table: &mut Table, shared: Option<&UdpPort>) -> &mut [u8] {
        if self.batch.is_full() {
            self.flush(table, shared);
        }
        self.batch.slot()
    }

    /// Protects and adds the plain packet in [`Self::slot`].
    fn packet(&mut self, now: Instant, slot: Option<usize>, len: usize, table: &mut Table, shared: Option<&UdpPort>) {
        let Some((slot, state)) = slot.and_then(|slot| Some((slot, table.get_mut(slot)?))) else {
            return self.drops.count(DropReason::UnknownLeg);
        };
        let own = state.port.is_some().then_some(slot);
        match state.peer.protect(now, self.batch.slot(), len) {
            Ok((len, to)) => {
                if self.slot != own && !self.batch.is_empty() {
                    self.keep_last_and_flush(len, table, shared);
                }
                self.slot = own;
                self.batch.commit(len, to);
            }
            Err(reason) => self.drops.count(reason),
        }
    }

    /// Adds a finished datagram of the leg in `slot`.
    fn datagram(&mut self, slot: usize, to: SocketAddr, datagram: &[u8], table: &mut Table, shared: Option<&UdpPort>) {
        let own = table.get_mut(slot).is_some_and(|leg| leg.port.is_some()).then_some(slot);
        if self.slot != own {
            self.flush(table, shared);
            self.slot = own;
        }
        let Some(buffer) = self.slot(table, shared).get_mut(..datagram.len()) else {
            return self.drops.count(DropReason::SendMalformed);
        };
        buffer.copy_from_slice(datagram);
        self.batch.commit(datagram.len(), to);
    }

    /// Flushes what was committed and moves the datagram behind it to the front.
    fn keep_last_and_flush(&mut self, len: usize, table: &mut Table, shared: Option<&UdpPort>) {
        self.batch.flush_before_slot(len, port_of(self.slot, table, shared), &self.drops);
    }

    fn flush(&mut self, table: &mut Table, shared: Option<&UdpPort>) {
        if !self.batch.is_empty() {
            self.batch.flush(port_of(self.slot, table, shared), &self.drops);
        }
    }
}

fn port_of<'a>(slot: Option<usize>, table: &'a mut Table, shared: Option<&'a UdpPort>) -> Option<&'a UdpPort> {
    match slot {
        None => shared,
        Some(slot) => table.get_mut(slot).and_then(|leg| leg.port.as_ref()),
    }
}

#[cfg(test)]
#[path = "thread_tests.rs"]
mod tests;
