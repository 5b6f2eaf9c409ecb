//! What is told: a line every ten seconds, a summary with histograms at the end, and whether it was good.

use super::room::SoakRoom;
use super::watch::Sample;
use antiphon_engine::{FrameCounts, GovernorStats};
use hdrhistogram::Histogram;
use ringbuf::HeapCons;
use ringbuf::traits::Consumer;
use std::time::Duration;

/// How much memory may grow after warming up, in percent.
const GROWTH: u64 = 5;
/// How far the load may be from the one asked for, in thousandths of a core.
const OFF: u64 = 50;

/// Sums over some time.
struct Sums {
    took: Histogram<u64>,
    lateness: Histogram<u64>,
    canary: Histogram<u64>,
    own: Duration,
    ticks: u64,
    skipped: u64,
    canary_skipped: u64,
    heap: u64,
}

impl Sums {
    fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, 10_000_000, 3).expect("invariant: 1 < 10 s in us, 3 digits");
        Self {
            took: histogram(),
            lateness: histogram(),
            canary: histogram(),
            own: Duration::ZERO,
            ticks: 0,
            skipped: 0,
            canary_skipped: 0,
            heap: 0,
        }
    }

    fn add(&mut self, sample: &Sample) {
        self.took.saturating_record(micros(sample.took));
        self.lateness.saturating_record(micros(sample.lateness));
        self.own += sample.own;
        self.ticks += 1;
        self.skipped += sample.skipped;
        self.heap += sample.heap;
    }

    /// Thousandths of a core, of the media thread alone.
    fn busy(&self) -> u64 {
        (self.own.as_micros() as u64 * 1_000).checked_div(self.ticks * 20_000).unwrap_or(0)
    }
}

/// All figures of a run.
pub(crate) struct Figures {
    samples: HeapCons<Sample>,
    canary: HeapCons<(Duration, u64)>,
    all: Sums,
    /// Since the last line.
    lately: Sums,
    before: GovernorStats,
}

impl Figures {
    /// Of the lines every ten seconds.
    pub(crate) const HEADER: &str = "     s rooms people talking | busy % | tick us p50    p99    max | late us p50    p99    max | canary p50    p99    max | skipped | governor down up | MiB | heap";

    pub(crate) fn new(samples: HeapCons<Sample>, canary: HeapCons<(Duration, u64)>) -> Self {
        Self { samples, canary, all: Sums::new(), lately: Sums::new(), before: GovernorStats::default() }
    }

    /// Takes in what the two threads have noted.
    pub(crate) fn take(&mut self) {
        while let Some(sample) = self.samples.try_pop() {
            self.all.add(&sample);
            self.lately.add(&sample);
        }
        while let Some((lateness, skipped)) = self.canary.try_pop() {
            for sums in [&mut self.all, &mut self.lately] {
                sums.canary.saturating_record(micros(lateness));
                sums.canary_skipped += skipped;
            }
        }
    }

    /// How busy the media thread was since this was asked last, in thousandths of a core.
    pub(crate) fn since_last_busy(&mut self) -> u64 {
        std::mem::replace(&mut self.lately, Sums::new()).busy()
    }

    /// How busy it was since the last line.
    pub(crate) fn busy_lately(&self) -> u64 {
        self.lately.busy()
    }

    /// The warm-up is over: what counts begins.
    pub(crate) fn begin(&mut self, governor: GovernorStats) {
        self.all = Sums::new();
        self.lately = Sums::new();
        self.before = governor;
    }

    /// The line of the last ten seconds.
    pub(crate) fn tell(&mut self, second: u64, rooms: &[SoakRoom], governor: GovernorStats) {
        let of = |h: &Histogram<u64>| {
            format!("{:6} {:6} {:6}", h.value_at_quantile(0.5), h.value_at_quantile(0.99), h.max())
        };
        let l = &self.lately;
        println!(
            "{second:6} {:5} {:6} {:7} | {:6.1} |      {} |      {} |     {} | {:7} | level {:2} {:4} {:2} | {:3} | {}",
            rooms.len(),
            rooms.iter().map(SoakRoom::people).sum::<usize>(),
            rooms.iter().map(SoakRoom::talking).sum::<usize>(),
            l.busy() as f64 / 10.0,
            of(&l.took),
            of(&l.lateness),
            of(&l.canary),
            l.skipped,
            governor.level,
            governor.lowered.total() - self.before.lowered.total(),
            governor.restored.total() - self.before.restored.total(),
            resident_kib() / 1_024,
            l.heap,
        );
        self.lately = Sums::new();
    }

    /// The end of it. `false` if something was not as it must be.
    pub(crate) fn summary(&self, rooms: &[SoakRoom], governor: GovernorStats, resident: &[u64], percent: u64) -> bool {
        let all = &self.all;
        // The first look at memory is at the end of the warm-up, the last at the end of the run.
        if all.ticks == 0 || resident.len() < 2 {
            println!("FAILED: stopped before the load was found: nothing to say");
            return false;
        }
        println!("\n{} ticks of {} rooms, {:.1} % of a core", all.ticks, rooms.len(), all.busy() as f64 / 10.0);
        println!("{:22} {:>8} {:>8} {:>8} {:>8}", "microseconds", "p50", "p99", "p99.9", "max");
        let rows = [("tick", &all.took), ("lateness", &all.lateness), ("lateness of the canary", &all.canary)];
        for (name, h) in rows {
            let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| h.value_at_quantile(q));
            println!("{name:22} {p50:8} {p99:8} {p999:8} {:8}", h.max());
        }
        println!("lateness by power of two, microseconds: media thread, canary");
        for power in 3..24 {
            let (low, high) = (if power == 3 { 0 } else { 1 << power }, (1_u64 << (power + 1)) - 1);
            let counts = [&all.lateness, &all.canary].map(|h| h.count_between(low, high));
            if counts != [0, 0] {
                println!("{low:9} to {high:8} {:8} {:8}", counts[0], counts[1]);
            }
        }
        println!("ticks skipped: {}; by the canary: {}", all.skipped, all.canary_skipped);
        println!("governor steps in all, warm-up too; now at level {}", governor.level);
        for (name, of) in [("down", governor.lowered), ("up", governor.restored), ("lapsed", governor.lapsed)] {
            println!("{name:6} {} complexity, {} bitrate, {} talkers", of.complexity, of.bitrate, of.talkers);
        }
        let churn = rooms.iter().fold((0, 0, 0), |(j, l, p), room| (j + room.joins, l + room.leaves, p + room.plans));
        println!("joins {}, leaves {}, plans {}", churn.0, churn.1, churn.2);
        let packets: u64 = rooms.iter().map(|room| room.packets_out).sum();
        let dropped: u64 = rooms.iter().map(|room| room.dropped).sum();
        println!("packets out: {packets}; refused for want of room: {dropped}");
        let (mut frames, mut late) = (FrameCounts::default(), 0);
        for room in rooms {
            frames.merge(&room.frames);
            late += room.late;
        }
        println!(
            "frames: {} decoded, {} recovered, {} concealed, {} skipped, {} comfort; packets late: {late}",
            frames.decoded, frames.recovered, frames.concealed, frames.skipped, frames.comfort,
        );
        println!("heap calls on the media thread: {}", all.heap);
        let mib: Vec<String> = resident.iter().map(|kib| format!("{:.1}", *kib as f64 / 1_024.0)).collect();
        println!("resident MiB, from after the warm-up to the end: {}", mib.join(", "));
        let (first, last) = (resident[0], resident[resident.len() - 1]);
        let flat = last * 100 <= first * (100 + GROWTH);
        let checks = [
            ("memory is flat", flat),
            ("the media thread left the heap alone", all.heap == 0),
            ("packets flowed, and all found room", packets > 0 && dropped == 0),
            ("voices were heard: more was decoded than concealed", frames.decoded > frames.concealed),
            ("the load was within 5 points of what was asked", all.busy().abs_diff(percent * 10) <= OFF),
            ("no more ticks were skipped than by the canary", all.skipped <= all.canary_skipped),
        ];
        for (name, good) in checks {
            println!("{} {name}", if good { "ok    " } else { "FAILED" });
        }
        checks.iter().all(|(_, good)| *good)
    }
}

/// Memory of this process that is in use, in KiB.
pub(crate) fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|kib| kib.trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
