//! What a packet costs on the network thread, beside the least it can cost on this machine.
//!
//! Our path: recvmmsg → peer by address → SRTP in place → ring, and ring → SRTP → sendmmsg. The floor, in `floor`:
//! the same calls and the same SRTP with nothing between them. The clients are a process of their own. Both take
//! turns under the same load; what is counted is the CPU time of the one network thread, whatever else runs.

mod clients;
mod cpu;
mod floor;
mod ours;

use std::time::Duration;

use clients::Clients;
use cpu::resident_bytes;
use floor::Floor;
use ours::Ours;

/// A voice packet: header, level extension, 80 bytes of Opus.
const PACKET: usize = 100;
/// Packets per peer and second, each way.
const FRAME: Duration = Duration::from_millis(20);
/// A voice may cost this many times the floor.
const BAR: f64 = 1.3;
/// Bytes an idle connected peer may hold.
const RESIDENT_BAR: f64 = 40.0 * 1024.0;

/// Which way packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Receive,
    Send,
    Both,
}

impl Load {
    const fn receives(self) -> bool {
        matches!(self, Self::Receive | Self::Both)
    }

    const fn sends(self) -> bool {
        matches!(self, Self::Send | Self::Both)
    }
}

/// What one network thread did in a run.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    cpu: Duration,
    packets: u64,
}

impl Used {
    fn since(self, before: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(before.cpu), packets: self.packets - before.packets }
    }

    fn micros_per_packet(self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.packets.max(1) as f64
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, rest @ ..] = &arguments[..]
        && mode == clients::MODE
    {
        return clients::run(rest);
    }
    if !antiphon_benches::is_asked_for("transport", arguments.iter().cloned()) {
        return;
    }
    let quick = !arguments.iter().any(|argument| argument == "--bench");
    let asked = arguments.iter().position(|a| a == "--peers").and_then(|i| arguments.get(i + 1)?.parse().ok());
    let peers: usize = asked.unwrap_or(if quick { 10 } else { 200 });
    let (rounds, span) = if quick { (1, Duration::from_millis(200)) } else { (5, Duration::from_secs(2)) };
    // The first legs pay for tables and buffers that all share.
    let warm_up = (peers / 10).max(1);
    let mut ours = Ours::new();
    let mut first = Clients::of_ours(&mut ours, warm_up);
    std::thread::sleep(span);
    let before = resident_bytes();
    let mut rest = Clients::of_ours(&mut ours, peers - warm_up);
    std::thread::sleep(span);
    let resident = resident_bytes().saturating_sub(before) as f64 / (peers - warm_up) as f64;

    let floor = Floor::new(peers);
    let mut bare = Clients::of_floor(floor.address(), peers);
    println!("{peers} peers, {} packets/s each way, {PACKET} bytes, AEAD_AES_128_GCM, medians of {rounds}", peers * 50);
    println!("load     | ours us/packet | floor us/packet | ours/floor | packets ours, floor");
    // The floor learns its clients' addresses from their packets, so sending comes after receiving.
    for load in [Load::Receive, Load::Both, Load::Send] {
        let (mut mine, mut least) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            mine.push(measure(&mut [&mut first, &mut rest], load, span, || ours.used(), |go| ours.send(go)));
            least.push(measure(&mut [&mut bare], load, span, || floor.used(), |go| floor.send(go)));
        }
        let (mine, least) = (median(mine), median(least));
        let (a, b) = (mine.micros_per_packet(), least.micros_per_packet());
        let verdict = match (load, a / b <= BAR) {
            (Load::Both, true) => format!("(bar {BAR}: met)"),
            (Load::Both, false) => format!("(bar {BAR}: MISSED)"),
            _ => String::new(),
        };
        let name = format!("{load:?}").to_lowercase();
        println!("{name:8} | {a:14.2} | {b:15.2} | {:10.2} | {}, {} {verdict}", a / b, mine.packets, least.packets);
    }
    let verdict = if resident <= RESIDENT_BAR { "met" } else { "MISSED" };
    println!("resident per idle connected peer: {:.1} KB (bar 40 KB: {verdict})", resident / 1024.0);
    println!("dropped by our network thread: {:?}", ours.dropped());
}

/// Runs a load for `span` and gives what the network thread used for it.
fn measure(
    clients: &mut [&mut Clients],
    load: Load,
    span: Duration,
    used: impl Fn() -> Used,
    send: impl Fn(bool),
) -> Used {
    for clients in &mut *clients {
        clients.load(load.receives());
    }
    send(load.sends());
    std::thread::sleep(span / 4);
    let before = used();
    std::thread::sleep(span);
    let used = used().since(before);
    send(false);
    for clients in clients {
        clients.load(false);
    }
    std::thread::sleep(span / 8);
    used
}

fn median(mut runs: Vec<Used>) -> Used {
    runs.sort_by(|a, b| a.micros_per_packet().total_cmp(&b.micros_per_packet()));
    runs[runs.len() / 2]
}
