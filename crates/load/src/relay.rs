//! A UDP relay that behaves like a NAT with a bad line: one public port, one upstream socket per client.
//!
//! Stands between talkers and a service under test: the service advertises the relay's address, everything passes both ways through
//! seeded [`Link`]s. Tasks on the caller's tokio runtime; dropping the relay ends them.
//! Does not: look inside datagrams, except to spare handshakes (STUN, DTLS) from the link unless told otherwise.
//! Invariant: at most 1,024 clients and 4,096 datagrams on the way; what is beyond is dropped and counted.

use crate::link::{Link, LinkConfig, LinkStats};
use antiphon_rtp::demux::DatagramKind;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Most clients at a time.
const MAX_CLIENTS: usize = 1_024;
/// Most datagrams waiting to be delivered.
const MAX_WAITING: usize = 4_096;
/// Largest datagram.
const MAX_DATAGRAM: usize = 2_048;

/// How a relay treats what passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RelayConfig {
    /// From clients to the service; each client gets draws of its own.
    pub up: LinkConfig,
    /// From the service to clients.
    pub down: LinkConfig,
    /// Whether STUN and DTLS suffer too. Otherwise only RTP and RTCP do, so that a bad line is measured in sound and not in joins.
    pub harm_handshakes: bool,
}

impl RelayConfig {
    /// The same loss and jitter both ways.
    pub fn lossy(loss: f64, jitter: Duration, seed: u64) -> Self {
        let link = LinkConfig::lossy(loss, jitter, seed);
        Self { up: link.nth(0), down: link.nth(1), harm_handshakes: false }
    }
}

/// What a relay has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayStats {
    /// Clients seen.
    pub clients: u64,
    /// Links towards the service, summed.
    pub up: LinkStats,
    /// Links towards clients, summed.
    pub down: LinkStats,
    /// Datagrams that passed without a link (handshakes).
    pub spared: u64,
    /// Datagrams dropped for want of an upstream, a socket or room.
    pub dropped: u64,
}

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Aborts its tasks on drop.
    _tasks: JoinSet<()>,
}

impl Relay {
    /// Opens the public port; datagrams are dropped until [`Relay::set_upstream`].
    ///
    /// # Errors
    /// The operating system's, if `bind` cannot be bound.
    pub async fn bind(bind: SocketAddr, config: RelayConfig) -> io::Result<Self> {
        let public = Arc::new(UdpSocket::bind(bind).await?);
        let addr = public.local_addr()?;
        let (outbox, deliveries) = mpsc::channel(MAX_WAITING);
        let shared = Arc::new(Shared { config, outbox, epoch: Instant::now(), state: Mutex::default() });
        let mut tasks = JoinSet::new();
        tasks.spawn(deliver(deliveries));
        tasks.spawn(serve(public, addr, Arc::clone(&shared)));
        Ok(Self { addr, shared, _tasks: tasks })
    }

    /// The public address, which the service advertises.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Says where the service really is; may be changed at any time.
    pub fn set_upstream(&self, addr: SocketAddr) {
        self.shared.state().upstream = Some(addr);
    }

    /// What it has done so far.
    pub fn stats(&self) -> RelayStats {
        let state = self.shared.state();
        let mut stats = state.stats;
        for client in state.clients.values() {
            add(&mut stats.up, client.up.stats());
            add(&mut stats.down, client.down.stats());
        }
        stats
    }
}

fn add(sum: &mut LinkStats, one: LinkStats) {
    sum.sent += one.sent;
    sum.lost += one.lost;
    sum.duplicated += one.duplicated;
    sum.overtook += one.overtook;
}

struct Shared {
    config: RelayConfig,
    outbox: mpsc::Sender<Delivery>,
    epoch: Instant,
    state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    upstream: Option<SocketAddr>,
    clients: HashMap<SocketAddr, Client>,
    stats: RelayStats,
}

struct Client {
    socket: Arc<UdpSocket>,
    up: Link,
    down: Link,
}

/// A datagram on its way.
struct Delivery {
    due: Instant,
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    datagram: Vec<u8>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes one datagram over `link` into the outbox, never waiting.
    fn pass(&self, stats: &mut RelayStats, link: &mut Link, socket: &Arc<UdpSocket>, to: SocketAddr, datagram: &[u8]) {
        let now = self.epoch.elapsed();
        let media = matches!(DatagramKind::of(datagram), DatagramKind::Rtp | DatagramKind::Rtcp);
        let arrivals = if media || self.config.harm_handshakes {
            let arrivals = link.send(now);
            [arrivals.first, arrivals.second]
        } else {
            stats.spared += 1;
            [Some(now), None]
        };
        for due in arrivals.into_iter().flatten() {
            let delivery =
                Delivery { due: self.epoch + due, socket: Arc::clone(socket), to, datagram: datagram.to_vec() };
            if self.outbox.try_send(delivery).is_err() {
                stats.dropped += 1;
            }
        }
    }
}

/// Reads the public socket, makes an upstream socket for each new client, and passes datagrams up.
async fn serve(public: Arc<UdpSocket>, addr: SocketAddr, shared: Arc<Shared>) {
    // Owned here, so that the readers of all clients end with this task.
    let mut readers = JoinSet::new();
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        // An error here is a port-unreachable report about an earlier send; the next datagram is none the worse.
        let Ok((len, from)) = public.recv_from(&mut buffer).await else { continue };
        let known = shared.state().clients.contains_key(&from);
        if !known && !admit(&shared, &public, addr, from, &mut readers).await {
            shared.state().stats.dropped += 1;
            continue;
        }
        let mut state = shared.state();
        let State { upstream, clients, stats } = &mut *state;
        let (Some(to), Some(client)) = (*upstream, clients.get_mut(&from)) else {
            stats.dropped += 1;
            continue;
        };
        let socket = Arc::clone(&client.socket);
        shared.pass(stats, &mut client.up, &socket, to, &buffer[..len]);
    }
}

/// Gives a new client its upstream socket and the task that reads it.
async fn admit(
    shared: &Arc<Shared>,
    public: &Arc<UdpSocket>,
    addr: SocketAddr,
    from: SocketAddr,
    readers: &mut JoinSet<()>,
) -> bool {
    let number = shared.state().stats.clients;
    if number as usize >= MAX_CLIENTS {
        return false;
    }
    let Ok(socket) = UdpSocket::bind(SocketAddr::new(addr.ip(), 0)).await else { return false };
    let socket = Arc::new(socket);
    let client = Client {
        socket: Arc::clone(&socket),
        up: Link::new(shared.config.up.nth(number)),
        down: Link::new(shared.config.down.nth(number)),
    };
    let mut state = shared.state();
    state.stats.clients += 1;
    state.clients.insert(from, client);
    readers.spawn(read_upstream(Arc::clone(shared), socket, Arc::clone(public), from));
    true
}

/// Passes what the service sends to one client's upstream socket down to that client.
async fn read_upstream(shared: Arc<Shared>, socket: Arc<UdpSocket>, public: Arc<UdpSocket>, client: SocketAddr) {
    let mut buffer = [0; MAX_DATAGRAM];
    loop {
        let Ok((len, _)) = socket.recv_from(&mut buffer).await else { continue };
        let mut state = shared.state();
        let State { clients, stats, .. } = &mut *state;
        let Some(link) = clients.get_mut(&client).map(|c| &mut c.down) else { return };
        shared.pass(stats, link, &public, client, &buffer[..len]);
    }
}

/// Sends each datagram when it is due, in order of being due.
async fn deliver(mut incoming: mpsc::Receiver<Delivery>) {
    let mut waiting: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let mut held: HashMap<u64, Delivery> = HashMap::new();
    let mut number = 0;
    loop {
        let due = waiting.peek().map(|Reverse((due, _))| *due);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into()), if due.is_some() => {
                let Some(Reverse((_, n))) = waiting.pop() else { continue };
                if let Some(Delivery { socket, to, datagram, .. }) = held.remove(&n) {
                    // A full socket buffer is one more lossy line.
                    let _ = socket.try_send_to(&datagram, to);
                }
            }
            delivery = incoming.recv(), if held.len() < MAX_WAITING => {
                let Some(delivery) = delivery else { return };
                waiting.push(Reverse((delivery.due, number)));
                held.insert(number, delivery);
                number += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: [u8; 13] = [0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0];

    async fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").await.unwrap()
    }

    async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 100];
        let (len, from) = tokio::time::timeout(Duration::from_secs(10), socket.recv_from(&mut buffer))
            .await
            .expect("a datagram comes")
            .unwrap();
        (buffer[..len].to_vec(), from)
    }

    #[tokio::test]
    async fn clients_reach_the_service_from_ports_of_their_own_and_get_their_own_answers() {
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), RelayConfig::default()).await.unwrap();
        let service = socket().await;
        relay.set_upstream(service.local_addr().unwrap());
        let clients = [socket().await, socket().await];
        let mut seen = vec![];
        for (n, client) in clients.iter().enumerate() {
            client.send_to(&[n as u8, 9], relay.addr()).await.unwrap();
            let (datagram, from) = receive(&service).await;
            assert_eq!(datagram, [n as u8, 9]);
            seen.push(from);
        }
        assert_ne!(seen[0], seen[1]);
        assert!(seen.iter().all(|from| *from != relay.addr()));
        for (n, from) in seen.iter().enumerate() {
            service.send_to(&[n as u8, 7], from).await.unwrap();
        }
        for (n, client) in clients.iter().enumerate() {
            assert_eq!(receive(client).await, (vec![n as u8, 7], relay.addr()));
        }
        assert_eq!(relay.stats().clients, 2);
        assert_eq!(relay.stats().spared, 4);
    }

    #[tokio::test]
    async fn media_suffers_the_link_and_handshakes_do_not() {
        let config = RelayConfig { up: LinkConfig { loss: 1.0, ..LinkConfig::default() }, ..RelayConfig::default() };
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
        let (service, client) = (socket().await, socket().await);
        relay.set_upstream(service.local_addr().unwrap());
        for _ in 0..20 {
            client.send_to(&RTP, relay.addr()).await.unwrap();
        }
        client.send_to(&[0, 1, 2], relay.addr()).await.unwrap();
        // The STUN-like datagram was sent last and is the first to arrive.
        assert_eq!(receive(&service).await.0, [0, 1, 2]);
        let stats = relay.stats();
        assert_eq!((stats.up.sent, stats.up.lost, stats.spared), (20, 20, 1));
    }

    #[tokio::test]
    async fn duplicates_arrive_twice_and_nothing_arrives_without_an_upstream() {
        let config =
            RelayConfig { up: LinkConfig { duplicate: 1.0, ..LinkConfig::default() }, ..RelayConfig::default() };
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), config).await.unwrap();
        let (service, client) = (socket().await, socket().await);
        client.send_to(&RTP, relay.addr()).await.unwrap();
        while relay.stats().dropped == 0 {
            tokio::task::yield_now().await;
        }
        relay.set_upstream(service.local_addr().unwrap());
        client.send_to(&RTP, relay.addr()).await.unwrap();
        assert_eq!(receive(&service).await.0, RTP);
        assert_eq!(receive(&service).await.0, RTP);
    }
}
