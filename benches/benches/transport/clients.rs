//! The other ends, in a process of their own so that neither their time nor their memory is counted as ours.
//!
//! They are told by lines on standard input: `go` sends every peer's packet each 20 ms, a twentieth of the peers each
//! millisecond; `stop` ends that. What is sent to them they take and forget. They end with their input.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, packet_ring};
use antiphon_transport::srtp::{MAX_OVERHEAD, Outbound};
use antiphon_transport::{Connector, ConnectorConfig, Leg, OfferOptions};

use crate::PACKET;
use crate::floor::{key, packet};
use crate::ours::Ours;

/// First argument of the process.
pub(crate) const MODE: &str = "clients";
/// Slices of 20 ms.
const SLICES: usize = 20;
const IDLE: u8 = 0;
const GO: u8 = 1;
const END: u8 = 2;

/// The process, seen from outside; it ends when this is dropped.
pub(crate) struct Clients {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Clients {
    fn spawn(arguments: &[String]) -> Self {
        let program = std::env::current_exe().expect("the system knows this program");
        let mut command = Command::new(program);
        command.arg(MODE).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a process");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Self { child, input, output: BufReader::new(output.expect("invariant: it is piped")) }
    }

    /// Peers of our endpoint, connected.
    pub(crate) fn of_ours(ours: &mut Ours, peers: usize) -> Self {
        let mut clients = Self::spawn(&["ours".to_owned(), peers.to_string()]);
        let offers: Vec<String> = (0..peers).map(|_| read_text(&mut clients.output)).collect();
        for offer in offers {
            let answer = ours.answer(&offer);
            write_text(clients.input(), &answer);
        }
        ours.wait_connected(peers);
        clients
    }

    /// Peers of the floor.
    pub(crate) fn of_floor(address: SocketAddr, peers: usize) -> Self {
        Self::spawn(&["floor".to_owned(), peers.to_string(), address.to_string()])
    }

    pub(crate) fn load(&mut self, go: bool) {
        self.input().write_all(if go { b"go\n" } else { b"stop\n" }).expect("the clients listen");
    }

    fn input(&mut self) -> &mut ChildStdin {
        self.input.as_mut().expect("invariant: taken at the end only")
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// The body of the process.
pub(crate) fn run(arguments: &[String]) {
    let mut input = BufReader::new(std::io::stdin());
    let peers: usize = arguments[1].parse().expect("invariant: a number");
    let mut send: Box<dyn FnMut(usize, u16)> = match arguments[0].as_str() {
        "ours" => ours(&mut input, peers),
        _ => bare(peers, arguments[2].parse().expect("invariant: an address")),
    };
    let state = Arc::new(AtomicU8::new(IDLE));
    let told = Arc::clone(&state);
    std::thread::spawn(move || {
        for line in input.lines() {
            told.store(if line.is_ok_and(|line| line == "go") { GO } else { IDLE }, Ordering::Relaxed);
        }
        told.store(END, Ordering::Relaxed);
    });
    let mut next = Instant::now();
    let mut seq = 0_u16;
    loop {
        for slice in 0..SLICES {
            next += Duration::from_millis(1);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            match state.load(Ordering::Relaxed) {
                GO => send(slice, seq),
                END => return,
                _ => {}
            }
        }
        seq = seq.wrapping_add(1);
    }
}

/// Legs of a connector; its network thread does the rest.
fn ours(input: &mut impl BufRead, peers: usize) -> Box<dyn FnMut(usize, u16)> {
    let connector = Connector::new(ConnectorConfig::new(|_, _| ())).expect("a connector");
    let bind = "127.0.0.1".parse().expect("invariant: an address");
    let mut legs: Vec<Leg> = Vec::new();
    for _ in 0..peers {
        let offered = connector.offer(OfferOptions { lanes: false, bind }).expect("an offer");
        write_text(&mut std::io::stdout(), &offered.sdp);
        legs.push(offered.leg);
    }
    for leg in &mut legs {
        leg.accept(&read_text(input)).expect("the answer fits");
    }
    let (mut egress, ring) = packet_ring(1 << 20);
    connector.net().register_egress(ring);
    let waker = connector.net().waker();
    let mut ends: Vec<_> = legs
        .iter_mut()
        .map(|leg| {
            let ssrc = leg.negotiated().expect("invariant: it has its answer").mix.ssrc.as_u32();
            (leg.id().as_u32(), ssrc, leg.take_ingress().expect("invariant: it is new"))
        })
        .collect();
    let mut buffer = [0; MAX_PACKET];
    Box::new(move |slice, seq| {
        let _alive = (&legs, &connector);
        for (leg, ssrc, ring) in ends.iter_mut().skip(slice).step_by(SLICES) {
            while ring.pop(&mut buffer).is_some() {}
            let _ = egress.push(PacketMeta { at: MonoTime::ZERO, leg: *leg }, &packet(*ssrc, seq));
        }
        waker.wake();
    })
}

/// A socket per peer.
fn bare(peers: usize, to: SocketAddr) -> Box<dyn FnMut(usize, u16)> {
    let mut ends: Vec<(UdpSocket, Outbound)> = (0..peers as u32)
        .map(|peer| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            socket.set_nonblocking(true).expect("a socket that does not block");
            (socket, Outbound::new(&key(peer, true)))
        })
        .collect();
    let drains: Vec<UdpSocket> = ends.iter().map(|(socket, _)| socket.try_clone().expect("a descriptor")).collect();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        loop {
            std::thread::sleep(Duration::from_millis(5));
            for socket in &drains {
                while socket.recv(&mut buffer).is_ok() {}
            }
        }
    });
    let mut buffer = [0; PACKET + MAX_OVERHEAD];
    Box::new(move |slice, seq| {
        for (peer, (socket, outbound)) in ends.iter_mut().enumerate().skip(slice).step_by(SLICES) {
            buffer[..PACKET].copy_from_slice(&packet(peer as u32, seq));
            if let Ok(len) = outbound.protect_rtp(&mut buffer, PACKET) {
                let _ = socket.send_to(&buffer[..len], to);
            }
        }
    })
}

/// A text behind its length.
fn write_text(to: &mut impl Write, text: &str) {
    let len = u32::try_from(text.len()).expect("invariant: a description is short");
    to.write_all(&len.to_be_bytes()).and_then(|()| to.write_all(text.as_bytes())).expect("the other end reads");
    to.flush().expect("the other end reads");
}

fn read_text(from: &mut impl Read) -> String {
    let mut len = [0; 4];
    from.read_exact(&mut len).expect("the other end writes");
    let mut text = vec![0; u32::from_be_bytes(len) as usize];
    from.read_exact(&mut text).expect("the other end writes");
    String::from_utf8(text).expect("invariant: descriptions are text")
}
