//! The whole tick, beside the codec calls inside it.
//!
//! `tick/n` times one tick of a room of n. The table after it is from one run of its own: the tick and the
//! libopus calls within it are read from the same counter, so the ratio does not depend on the machine's mood.
//! Rooms of 1,000 are measured with 1, 10 and 100 routing groups too; encodes are asserted to be the distinct mixes.
//! The table also goes to `tick.txt` beside criterion's results, for the one table at the end of `make bench`.

use std::time::{Duration, Instant};

use antiphon_benches::Room;
use antiphon_pipeline::TickRecord;
use criterion::{BenchmarkId, Criterion};

const TALKERS: usize = 3;
const ROOMS: [(usize, usize); 5] = [(10, TALKERS), (100, TALKERS), (1_000, TALKERS), (10, 10), (100, 100)];

fn main() {
    if !antiphon_benches::is_asked_for("tick", std::env::args().skip(1)) {
        return;
    }
    let quick = std::env::args().any(|argument| argument == "--test");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("tick");
    for (people, talkers) in ROOMS {
        let mut room = Room::new(people, talkers);
        let record = room.step();
        assert!(record.encodes as usize <= talkers + 1, "{record:?}");
        assert_eq!(record.packets_out as usize, people);
        group.bench_function(BenchmarkId::new(format!("{talkers}_talking"), people), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    room.send();
                    let begin = Instant::now();
                    room.tick();
                    spent += begin.elapsed();
                    room.drain();
                }
                spent
            });
        });
    }
    group.finish();
    criterion.final_summary();
    table(if quick { 50 } else { 1_500 });
}

/// Rooms of 1,000 with so many talking, in so many routing groups.
const GROUPED: [(usize, usize); 9] =
    [(1, 1), (1, 10), (1, 100), (3, 1), (3, 10), (3, 100), (10, 1), (10, 10), (10, 100)];

/// What is asked of a room, if anything: the highest tick ÷ codec, and the most overhead per person in nanoseconds.
fn bar(people: usize, talkers: usize, groups: usize) -> (f64, f64) {
    match (people, talkers, groups) {
        (100, 3, 1) => (1.10, f64::INFINITY),
        (100, 100, 1) => (1.03, f64::INFINITY),
        (1_000, 3, 1) => (f64::INFINITY, 200.0),
        _ => (f64::INFINITY, f64::INFINITY),
    }
}

/// Runs every room once more and prints what a tick costs beside its codec calls.
fn table(ticks: usize) {
    let mut lines = vec![
        format!("The whole tick: 24 kb/s, complexity 5, 48 kHz, up to {ticks} ticks each"),
        "people talking groups | encodes decodes mixes packets | tick us  codec us | tick/codec | overhead ns per person"
            .to_owned(),
    ];
    let grouped = GROUPED.iter().filter(|(talkers, groups)| (*talkers, *groups) != (3, 1)).map(|room| (1_000, *room));
    let rooms = ROOMS.iter().map(|(people, talkers)| (*people, (*talkers, 1))).chain(grouped);
    lines.extend(rooms.map(|(people, (talkers, groups))| row(people, talkers, groups, ticks)));
    println!();
    lines.iter().for_each(|line| println!("{line}"));
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), std::path::PathBuf::from);
    // Benches run in their package's folder, one below the workspace's.
    let folder = if folder.is_absolute() { folder } else { std::path::Path::new("..").join(folder) }.join("criterion");
    if let Err(error) =
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join("tick.txt"), lines.join("\n") + "\n"))
    {
        println!("{}: {error}", folder.display());
    }
}

fn row(people: usize, talkers: usize, groups: usize, ticks: usize) -> String {
    let mut room = Room::with_groups(people, talkers, groups);
    let distinct = Room::distinct_mixes(people, talkers, groups);
    // A tick of a hundred encodes is as good as ten of ten.
    let ticks = (ticks * 5 / distinct.max(5)).max(50);
    let mut records: Vec<TickRecord> = Vec::with_capacity(ticks);
    let (mut spent, mut cycles) = (Duration::ZERO, 0);
    for _ in 0..ticks {
        room.send();
        let begin = Instant::now();
        room.tick();
        spent += begin.elapsed();
        room.drain();
        let record = room.last_record();
        cycles += record.cycles;
        records.push(record);
    }
    let mean = |value: fn(&TickRecord) -> u64| records.iter().map(value).sum::<u64>() as f64 / ticks as f64;
    let us_per_cycle = spent.as_secs_f64() * 1e6 / cycles as f64;
    // Medians of the single ticks: one interrupted tick must not decide the figure.
    let mut ratios: Vec<f64> = records.iter().map(|r| r.cycles as f64 / r.codec_cycles.max(1) as f64).collect();
    ratios.sort_by(f64::total_cmp);
    let mut overheads: Vec<f64> = records.iter().map(|r| (r.cycles - r.codec_cycles) as f64).collect();
    overheads.sort_by(f64::total_cmp);
    let overhead = overheads[ticks / 2] * us_per_cycle * 1e3 / people as f64;
    let (tick, codec) = (mean(|r| r.cycles) * us_per_cycle, mean(|r| r.codec_cycles) * us_per_cycle);
    let encodes = mean(|r| u64::from(r.encodes));
    // Whoever pauses for a breath is in hangover or out of the mix for a moment, and a silent mix is kept alive.
    assert!(encodes <= distinct as f64 + 1.5, "{encodes} encodes of {distinct} mixes with {talkers} talking");
    let (most_ratio, most_overhead) = bar(people, talkers, groups);
    let verdict = match (most_ratio.is_finite(), most_overhead.is_finite()) {
        (true, _) if ratios[ticks / 2] <= most_ratio => format!("  bar {most_ratio}: ok"),
        (true, _) => format!("  bar {most_ratio}: OVER"),
        (_, true) if overhead <= most_overhead => format!("  bar {most_overhead} ns: ok"),
        (_, true) => format!("  bar {most_overhead} ns: OVER"),
        _ => String::new(),
    };
    format!(
        "{people:6} {talkers:7} {groups:6} | {encodes:7.2} {:7.2} {:5.2} {:7.1} | {tick:7.1} {codec:9.1} | {:5.3} (mean {:5.3}) | {overhead:6.0}{verdict}",
        mean(|r| u64::from(r.decodes)),
        mean(|r| u64::from(r.mixes)),
        mean(|r| u64::from(r.packets_out)),
        ratios[ticks / 2],
        tick / codec,
    )
}
