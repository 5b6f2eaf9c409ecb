//! UDP sockets and batched, preallocated receive and send.
//!
//! In the flow: the network thread's system calls: `recvmmsg` and `sendmmsg` with 128 datagrams each.
//! Invariants: nothing allocates after construction; a datagram that does not fit a buffer is dropped whole.
//! Not here: demultiplexing, protocols. See recvmmsg(2), sendmmsg(2), socket(7).

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt};

use crate::stats::{DropCounters, DropReason};

/// Datagrams per system call.
pub(super) const BATCH: usize = 128;
/// Bytes per receive buffer: any datagram that was not fragmented, DTLS flights included.
const RECEIVE_BUFFER: usize = 2048;
/// Bytes per send buffer: the longest packet of a ring and its tag.
const SEND_BUFFER: usize = 1600;

/// A bound, non-blocking UDP socket.
#[derive(Debug)]
pub(super) struct UdpPort {
    socket: UdpSocket,
    local: SocketAddr,
}

impl UdpPort {
    /// Binds, and asks for large buffers; getting smaller ones is no error.
    pub(super) fn bind(address: SocketAddr, buffer: usize) -> io::Result<Self> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        // The forced form needs CAP_NET_ADMIN; the other is capped by net.core.{r,w}mem_max.
        if setsockopt(&socket, sockopt::RcvBufForce, &buffer).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &buffer);
        }
        if setsockopt(&socket, sockopt::SndBufForce, &buffer).is_err() {
            let _ = setsockopt(&socket, sockopt::SndBuf, &buffer);
        }
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The machine's addresses of the same family as the wildcard `bound`, with its port: routable ones first,
/// loopback last. Never empty.
pub(super) fn local_addresses(bound: SocketAddr) -> Vec<SocketAddr> {
    let mut found: Vec<(bool, IpAddr)> = Vec::new();
    for interface in getifaddrs().into_iter().flatten() {
        let flags = interface.flags;
        let up = flags.contains(InterfaceFlags::IFF_UP);
        let Some(ip) = interface.address.as_ref().and_then(to_std).map(|a| a.ip()).filter(|_| up) else { continue };
        let link_local = matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local());
        if ip.is_ipv4() == bound.is_ipv4() && !link_local && !found.iter().any(|(_, known)| *known == ip) {
            found.push((flags.contains(InterfaceFlags::IFF_LOOPBACK), ip));
        }
    }
    found.sort_by_key(|(loopback, _)| *loopback); // stable: otherwise the system's order
    if found.is_empty() {
        found.push((true, IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    found.into_iter().map(|(_, ip)| SocketAddr::new(ip, bound.port())).collect()
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::new(v4.ip(), v4.port())));
    }
    let v6 = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6(SocketAddrV6::new(v6.ip(), v6.port(), v6.flowinfo(), v6.scope_id())))
}

/// Receives up to [`BATCH`] datagrams at a time into its own buffers.
pub(super) struct ReceiveBatch {
    buffers: Box<[[u8; RECEIVE_BUFFER]]>,
    /// Length and source of each datagram of the last batch; `None`: truncated or without a source.
    datagrams: Box<[Option<(usize, SocketAddr)>]>,
    /// One per family: the kernel leaves the address length behind that the next call then reads.
    v4: MultiHeaders<SockaddrStorage>,
    v6: MultiHeaders<SockaddrStorage>,
}

impl ReceiveBatch {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![[0; RECEIVE_BUFFER]; BATCH].into_boxed_slice(),
            datagrams: vec![None; BATCH].into_boxed_slice(),
            v4: MultiHeaders::preallocate(BATCH, None),
            v6: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// Receives what waits; returns how many datagrams, 0 if none or on an error (which a later call repeats).
    pub(super) fn receive(&mut self, port: &UdpPort) -> usize {
        let mut buffers = self.buffers.iter_mut();
        let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let buffer = buffers.next().expect("invariant: there are BATCH buffers");
            [IoSliceMut::new(buffer)]
        });
        let headers = if port.local.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
        let fd = port.socket.as_raw_fd();
        let Ok(received) = recvmmsg(fd, headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None) else { return 0 };
        let mut count = 0;
        for (slot, message) in self.datagrams.iter_mut().zip(received) {
            let whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
            *slot = message.address.as_ref().and_then(to_std).filter(|_| whole).map(|from| (message.bytes, from));
            count += 1;
        }
        count
    }

    /// Datagram `i` of the last batch.
    pub(super) fn datagram(&mut self, i: usize) -> Option<(SocketAddr, &mut [u8])> {
        let (len, from) = self.datagrams[i]?;
        Some((from, &mut self.buffers[i][..len]))
    }
}

/// Collects up to [`BATCH`] datagrams for one socket and sends them together.
pub(super) struct SendBatch {
    buffers: Box<[[u8; SEND_BUFFER]]>,
    lens: Box<[usize]>,
    addresses: Box<[Option<SockaddrStorage>]>,
    used: usize,
    headers: MultiHeaders<SockaddrStorage>,
}

impl SendBatch {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![[0; SEND_BUFFER]; BATCH].into_boxed_slice(),
            lens: vec![0; BATCH].into_boxed_slice(),
            addresses: vec![None; BATCH].into_boxed_slice(),
            used: 0,
            headers: MultiHeaders::preallocate(BATCH, None),
        }
    }

    /// The buffer for the next datagram. The batch must not be full.
    pub(super) fn slot(&mut self) -> &mut [u8] {
        &mut self.buffers[self.used]
    }

    /// Adds the datagram in [`Self::slot`].
    pub(super) fn commit(&mut self, len: usize, to: SocketAddr) {
        self.lens[self.used] = len;
        self.addresses[self.used] = Some(SockaddrStorage::from(to));
        self.used += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.used == BATCH
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Sends what was committed and keeps the `len` bytes in [`Self::slot`] for the next batch.
    pub(super) fn flush_before_slot(&mut self, len: usize, port: Option<&UdpPort>, drops: &DropCounters) {
        let at = self.used;
        self.flush(port, drops);
        let (front, back) = self.buffers.split_at_mut(at);
        if let (Some(first), Some(last)) = (front.first_mut(), back.first()) {
            first[..len].copy_from_slice(&last[..len]);
        }
    }

    /// Sends all; what the system does not take is dropped and counted. Without a port (its leg is gone)
    /// everything is.
    pub(super) fn flush(&mut self, port: Option<&UdpPort>, drops: &DropCounters) {
        let Some(port) = port else {
            drops.count_many(DropReason::UnknownLeg, self.used as u64);
            self.used = 0;
            return;
        };
        let mut from = 0;
        while from < self.used {
            match self.send(from, port) {
                Ok(sent) => from += sent.max(1),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    drops.count_many(DropReason::SendBufferFull, (self.used - from) as u64);
                    break;
                }
                Err(_) => {
                    // The first datagram of the rest is at fault, e.g. its destination has no route.
                    drops.count(DropReason::SendFailed);
                    from += 1;
                }
            }
        }
        self.used = 0;
    }

    fn send(&mut self, from: usize, port: &UdpPort) -> Result<usize, Errno> {
        let mut filled = self.buffers.iter().zip(&*self.lens).map(|(buffer, len)| &buffer[..*len]);
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let datagram = filled.next().expect("invariant: there are BATCH buffers");
            [IoSlice::new(datagram)]
        });
        let (slices, addresses) = (&slices[from..self.used], &self.addresses[from..self.used]);
        let fd = port.socket.as_raw_fd();
        let sent = sendmmsg(fd, &mut self.headers, slices, addresses, [], MsgFlags::MSG_DONTWAIT)?;
        Ok(sent.count())
    }
}
