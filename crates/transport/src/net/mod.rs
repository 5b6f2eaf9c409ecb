//! Sockets and the network thread: one thread type for the service side and for bots.
//!
//! In the flow: [`endpoint`] and [`connector`] start a thread each; [`leg`] is the handle on one peer;
//! [`NetThread`] is the part both sides share: egress rings, the waker, counters.
//! Threads: everything public here is called by control threads; the socket loop is in `thread`.
//! Not here: protocols, which are in `peer` and below.

pub mod connector;
pub mod endpoint;
pub mod leg;
pub mod plain;

mod any_peer;
mod hash;
mod quota;
mod socket;
mod table;
mod thread;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use antiphon_rt::packet_ring::PacketReceiver;
use antiphon_rt::wake::{Waker, wake_pair};
use crossbeam_channel::Sender;

use self::leg::{LegCallback, LegId};
use self::socket::UdpPort;
use self::thread::{Command, Seed};
use crate::stats::{DropCounters, DropCounts};

/// Commands that may wait for the network thread; it takes them once per pass.
const COMMANDS: usize = 4096;
/// How long a control thread waits for room among them. A thread that takes none for so long is gone.
const COMMAND_WAIT: Duration = Duration::from_secs(1);

/// Names an egress ring within its network thread; never reused there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EgressId(u32);

/// Capacities and times of a network thread, fixed when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of each leg's ingress ring. 16 KiB hold a second of one voice (the default of an endpoint);
    /// a leg with lanes needs more (a connector's default is 256 KiB).
    pub ingress_bytes: usize,
    /// SSRCs a peer may send with over the whole life of a leg: an authentic one is never forgotten, because
    /// forgetting its replay window would let its packets be played again. Packets of further SSRCs are
    /// dropped before they cost any state, so a source that comes anew with another SSRC uses up one more.
    pub max_ssrcs: usize,
    /// Legs at one time, on either side; a connector's count from the offer on.
    pub max_legs: usize,
    /// Time from the description being complete to the handshake being done.
    pub connect_timeout: Duration,
    /// After a batch of packets the thread lets this much time pass before it looks again, so that
    /// packets arrive in batches: less CPU against up to this much delay. Whole milliseconds, rounded down;
    /// zero turns it off. A wake-up ends the pause.
    pub coalesce: Duration,
    /// Asked for as `SO_RCVBUF` and `SO_SNDBUF` of each socket; the system may give less.
    pub socket_buffer: usize,
}

impl Limits {
    /// For a service: many peers, one voice each.
    #[must_use]
    pub const fn endpoint() -> Self {
        Self {
            ingress_bytes: 16 * 1024,
            max_ssrcs: 64,
            max_legs: 4096,
            connect_timeout: Duration::from_secs(30),
            coalesce: Duration::from_millis(1),
            socket_buffer: 8 << 20,
        }
    }

    /// For a bot: few peers, each of which may send everybody's voice apart.
    #[must_use]
    pub const fn connector() -> Self {
        Self { ingress_bytes: 256 * 1024, max_ssrcs: 4096, socket_buffer: 1 << 20, ..Self::endpoint() }
    }
}

/// The shared surface of a network thread, whichever side started it. Cheap to clone; outliving the
/// thread is harmless, calls then do nothing.
#[derive(Clone)]
pub struct NetThread {
    shared: Arc<Shared>,
}

struct Shared {
    commands: Sender<Command>,
    waker: Waker,
    drops: Arc<DropCounters>,
    next_leg: AtomicU32,
    next_egress: AtomicU32,
}

/// The network thread has ended.
struct Ended;

impl NetThread {
    /// Hands over the reading end of an egress ring. Its records are whole plain RTP packets, tagged with
    /// the [`LegId`] they go to; they are sent when the thread is woken. Any number of rings.
    pub fn register_egress(&self, ring: PacketReceiver) -> EgressId {
        let id = EgressId(self.shared.next_egress.fetch_add(1, Ordering::Relaxed));
        let _ = self.send(Command::AddEgress(id, ring)); // ended: the ring is dropped
        id
    }

    /// Sends what is still in the ring, then drops the reading end on the network thread.
    pub fn unregister_egress(&self, id: EgressId) {
        let _ = self.send(Command::RemoveEgress(id));
    }

    /// Rouses the thread to drain its egress rings: once after all ticks, not once per packet.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.shared.waker.clone()
    }

    /// What was dropped on this thread, all legs and none.
    #[must_use]
    pub fn drops(&self) -> DropCounts {
        self.shared.drops.snapshot()
    }

    fn next_leg_id(&self) -> LegId {
        LegId::new(self.shared.next_leg.fetch_add(1, Ordering::Relaxed))
    }

    fn send(&self, command: Command) -> Result<(), Ended> {
        self.shared.commands.send_timeout(command, COMMAND_WAIT).map_err(|_| Ended)?;
        self.shared.waker.wake();
        Ok(())
    }
}

impl fmt::Debug for NetThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetThread").field("drops", &self.drops().total()).finish_non_exhaustive()
    }
}

/// Owns the thread: dropping it closes all legs and waits for the thread to end.
struct NetOwner {
    net: NetThread,
    thread: Option<JoinHandle<()>>,
}

impl NetOwner {
    fn start(name: &str, port: Option<UdpPort>, limits: &Limits, on_event: LegCallback) -> std::io::Result<Self> {
        let (waker, wakeable) = wake_pair()?;
        let (commands, inbox) = crossbeam_channel::bounded(COMMANDS);
        let drops = Arc::new(DropCounters::default());
        let seed = Seed::new(inbox, wakeable, port, limits, Arc::clone(&drops), on_event)?;
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || seed.run())?;
        let next = || AtomicU32::new(1);
        let shared = Shared { commands, waker, drops, next_leg: next(), next_egress: next() };
        Ok(Self { net: NetThread { shared: Arc::new(shared) }, thread: Some(thread) })
    }
}

impl Drop for NetOwner {
    fn drop(&mut self) {
        let _ = self.net.send(Command::Shutdown);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join(); // a panic there was reported by the panic hook
        }
    }
}
