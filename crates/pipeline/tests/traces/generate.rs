//! How the traces of this folder were made: seeded, in whole numbers, the same bytes on every machine.
//!
//! Each is a minute of packets sent every 20 ms, with the delay each of them takes, or nothing if it is lost.

/// Packets of a trace: a minute.
pub(crate) const PACKETS: usize = 3_000;
/// Every trace, by name.
pub(crate) const NAMES: [&str; 5] = ["clean", "wifi", "lte", "bursty", "reordering"];

const FRAME_US: u64 = 20_000;

/// A small generator of numbers (SplitMix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// True this often in a thousand.
    fn often(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    /// Mostly little and sometimes much, up to `most`: the product of three even ones.
    fn skewed(&mut self, most: u64) -> u64 {
        self.below(most + 1) * self.below(1_001) / 1_000 * self.below(1_001) / 1_000
    }
}

/// The delays of a trace in microseconds, `None` for what is lost.
pub(crate) fn delays(name: &str) -> Vec<Option<u64>> {
    match name {
        "clean" => clean(),
        "wifi" => wifi(),
        "lte" => lte(),
        "bursty" => bursty(),
        "reordering" => reordering(),
        _ => unreachable!("there is no trace {name}"),
    }
}

/// A trace as it is kept: a line for each packet.
pub(crate) fn text(name: &str) -> String {
    let line = |delay: Option<u64>| delay.map_or_else(|| "-\n".to_owned(), |delay| format!("{delay}\n"));
    delays(name).into_iter().map(line).collect()
}

/// A wire: half a millisecond of card and scheduler.
fn clean() -> Vec<Option<u64>> {
    let mut rng = Rng(1);
    (0..PACKETS).map(|_| Some(20_000 + rng.below(500))).collect()
}

/// A shared channel: contention for a few packets every other second, a scan of other channels every ten, during which
/// nothing passes, a packet in two hundred lost. The radio keeps the order.
fn wifi() -> Vec<Option<u64>> {
    let mut rng = Rng(2);
    let (mut free, mut contention, mut scan) = (0, 0_u64, 180 + rng.below(100));
    let packet = |n: u64| {
        let sent = n * FRAME_US;
        contention = if contention == 0 && rng.often(12) { 5 + rng.below(12) } else { contention.saturating_sub(1) };
        if scan == 0 {
            free = free.max(sent + 60_000 + rng.below(60_000));
            scan = 450 + rng.below(100);
        }
        scan -= 1;
        let air = if contention > 0 { 4_000 + rng.below(30_000) } else { rng.skewed(8_000) };
        // One after the other, a millisecond each at least.
        free = (free + 1_000).max(sent + 3_000 + air);
        (!rng.often(5)).then_some(free - sent)
    };
    (0..PACKETS as u64).map(packet).collect()
}

/// A cell: grants every 5 ms, one in ten transmissions repeated after 8 ms, load that wanders, and each 25 s a
/// hand-over of 150 to 300 ms. What waits for it comes in order, all at once.
fn lte() -> Vec<Option<u64>> {
    let mut rng = Rng(3);
    let (mut free, mut load, mut handover) = (0, 10_000_i64, 700);
    let packet = |n: u64| {
        let sent = n * FRAME_US;
        load = (load + rng.below(1_601) as i64 - 800).clamp(0, 25_000);
        if handover == 0 {
            free = free.max(sent + 150_000 + rng.below(150_000));
            handover = 1_200 + rng.below(100);
        }
        handover -= 1;
        let mut air = 30_000 + load as u64 + rng.below(4_000);
        while rng.often(100) {
            air += 8_000;
        }
        free = free.max((sent + air).next_multiple_of(5_000));
        (!rng.often(2)).then_some(free - sent)
    };
    (0..PACKETS as u64).map(packet).collect()
}

/// A bottleneck with a deep queue that somebody else fills every few seconds: up to 120 ms of it within a second or two,
/// and at its end losses in bursts of three packets on average, one in twenty packets in all.
fn bursty() -> Vec<Option<u64>> {
    let mut rng = Rng(4);
    let (mut queue, mut filling, mut losing) = (0_u64, 0_u64, false);
    let packet = |_| {
        if filling == 0 && rng.often(5) {
            filling = 50 + rng.below(50);
        }
        filling = filling.saturating_sub(1);
        queue = if filling > 0 { (queue + rng.below(3_500)).min(120_000) } else { queue * 4 / 5 };
        losing = if losing { rng.often(667) } else { rng.often(18) };
        (!losing).then_some(25_000 + queue + rng.skewed(3_000))
    };
    (0..PACKETS).map(packet).collect()
}

/// Two ways through the network, one of them 25 to 45 ms longer, taken by one packet in eight.
fn reordering() -> Vec<Option<u64>> {
    let mut rng = Rng(5);
    let packet = |_| {
        let detour = if rng.often(125) { 25_000 + rng.below(20_000) } else { 0 };
        let delay = 15_000 + rng.below(3_000) + detour;
        (!rng.often(3)).then_some(delay)
    };
    (0..PACKETS).map(packet).collect()
}
