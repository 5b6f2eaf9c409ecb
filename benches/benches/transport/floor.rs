//! The floor: one thread, one socket, recvmmsg and sendmmsg of 128, SRTP in place, and nothing else.
//!
//! It knows its peers by their SSRC, an index into an array, and sends to wherever each was heard from. The keys are
//! fixed. As our network thread does, it lets packets gather for a millisecond after a batch.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use antiphon_transport::srtp::{Inbound, MasterKey, Outbound, Profile};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use crate::cpu::ThreadCpu;
use crate::{FRAME, PACKET, Used};

const BATCH: usize = 128;
/// Both directions of every peer; each has SSRCs of its own, so no nonce is used twice.
pub(crate) fn key(peer: u32, from_client: bool) -> MasterKey {
    let mut key = [7; 16];
    key[..4].copy_from_slice(&peer.to_be_bytes());
    key[4] = u8::from(from_client);
    MasterKey::new(Profile::AeadAes128Gcm, key, &[9; 12]).expect("invariant: the salt has its length")
}

struct Peer {
    inbound: Inbound,
    outbound: Outbound,
    address: Option<SockaddrStorage>,
    seq: u16,
}

#[derive(Default)]
struct Shared {
    sends: AtomicBool,
    stop: AtomicBool,
    packets: AtomicU64,
}

/// The floor's thread, seen from outside.
pub(crate) struct Floor {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
    cpu: ThreadCpu,
}

impl Floor {
    pub(crate) fn new(peers: usize) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_nonblocking(true).expect("a socket that does not block");
        let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &(8 << 20));
        let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::SndBufForce, &(8 << 20));
        let address = socket.local_addr().expect("invariant: it is bound");
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let run = move || run(&socket, peers, &theirs);
        let thread = std::thread::Builder::new().name("floor-net".to_owned()).spawn(run).expect("a thread");
        Self { address, shared, thread: Some(thread), cpu: ThreadCpu::named("floor-net") }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn send(&self, go: bool) {
        self.shared.sends.store(go, Ordering::Relaxed);
    }

    pub(crate) fn used(&self) -> Used {
        Used { cpu: self.cpu.so_far(), packets: self.shared.packets.load(Ordering::Relaxed) }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn run(socket: &UdpSocket, peers: usize, shared: &Shared) {
    let mut peers: Vec<Peer> = (0..peers as u32)
        .map(|i| Peer {
            inbound: Inbound::new(&key(i, true), 1),
            outbound: Outbound::new(&key(i, false)),
            address: None,
            seq: 0,
        })
        .collect();
    let mut buffers = vec![[0_u8; 2048]; BATCH];
    let mut receive_headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut send_headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
    let mut next = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        let wait = next.saturating_duration_since(Instant::now()).as_millis() as u16;
        let _ = poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLIN)], PollTimeout::from(wait));
        let mut done = 0;
        loop {
            let count = receive(socket, &mut buffers, &mut receive_headers, &mut peers);
            done += count as u64;
            if count < BATCH {
                break;
            }
        }
        if Instant::now() >= next {
            next += FRAME;
            if shared.sends.load(Ordering::Relaxed) {
                done += send(socket, &mut buffers, &mut send_headers, &mut peers);
            }
        }
        shared.packets.store(shared.packets.load(Ordering::Relaxed) + done, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1).min(next.saturating_duration_since(Instant::now())));
    }
}

/// One batch in; returns how many packets were good.
fn receive(
    socket: &UdpSocket,
    buffers: &mut [[u8; 2048]],
    headers: &mut MultiHeaders<SockaddrStorage>,
    peers: &mut [Peer],
) -> usize {
    let mut from: [Option<(usize, Option<SockaddrStorage>)>; BATCH] = [None; BATCH];
    let mut rest = buffers.iter_mut();
    let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
        std::array::from_fn(|_| [IoSliceMut::new(rest.next().expect("invariant: BATCH buffers"))]);
    let fd = socket.as_raw_fd();
    let Ok(messages) = recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) else { return 0 };
    for (message, from) in messages.zip(&mut from) {
        *from = Some((message.bytes, message.address));
    }
    let mut good = 0;
    for (buffer, from) in buffers.iter_mut().zip(from) {
        let Some((len, address)) = from else { break };
        let ssrc = u32::from_be_bytes([buffer[8], buffer[9], buffer[10], buffer[11]]);
        let Some(peer) = peers.get_mut(ssrc as usize) else { continue };
        if peer.inbound.unprotect_rtp(&mut buffer[..len]).is_ok() {
            peer.address = address;
            good += 1;
        }
    }
    good
}

/// One packet to everybody who was heard; returns how many went out.
fn send(
    socket: &UdpSocket,
    buffers: &mut [[u8; 2048]],
    headers: &mut MultiHeaders<SockaddrStorage>,
    peers: &mut [Peer],
) -> u64 {
    let mut sent = 0;
    for (chunk, peers) in peers.chunks_mut(BATCH).enumerate() {
        let mut lens = [0; BATCH];
        let mut addresses = [None; BATCH];
        for (i, peer) in peers.iter_mut().enumerate() {
            let ssrc = (chunk * BATCH + i) as u32;
            buffers[i][..PACKET].copy_from_slice(&packet(ssrc, peer.seq));
            peer.seq = peer.seq.wrapping_add(1);
            lens[i] = peer.outbound.protect_rtp(&mut buffers[i], PACKET).expect("invariant: numbers go up");
            addresses[i] = peer.address;
        }
        let used = peers.iter().take_while(|peer| peer.address.is_some()).count();
        let slices: Vec<[IoSlice<'_>; 1]> =
            buffers[..used].iter().zip(lens).map(|(buffer, len)| [IoSlice::new(&buffer[..len])]).collect();
        let fd = socket.as_raw_fd();
        let done = sendmmsg(fd, headers, &slices, &addresses[..used], [], MsgFlags::MSG_DONTWAIT);
        sent += done.map_or(0, Iterator::count) as u64;
    }
    sent
}

/// A plain packet with a level extension.
pub(crate) fn packet(ssrc: u32, seq: u16) -> [u8; PACKET] {
    let mut packet = [0x5a; PACKET];
    packet[..2].copy_from_slice(&[0x90, 111]);
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(seq) * 960).to_be_bytes());
    packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
    packet[12..20].copy_from_slice(&[0xbe, 0xde, 0, 1, 0x10, 0x30, 0, 0]);
    packet
}
