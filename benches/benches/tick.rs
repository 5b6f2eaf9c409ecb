//! The whole tick, beside the codec calls inside it.
//!
//! `tick/n` times one tick of a room of n. The table after it is from one run of its own: the tick and the
//! libopus calls within it are read from the same counter, so the ratio does not depend on the machine's mood.

use std::time::{Duration, Instant};

use antiphon_benches::Room;
use antiphon_pipeline::TickRecord;
use criterion::{BenchmarkId, Criterion};

const TALKERS: usize = 3;
const ROOMS: [(usize, usize); 5] = [(10, TALKERS), (100, TALKERS), (1_000, TALKERS), (10, 10), (100, 100)];

fn main() {
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

/// Runs every room once more and prints what a tick costs beside its codec calls.
fn table(ticks: usize) {
    println!("\n24 kb/s, complexity 5, 48 kHz, {ticks} ticks each");
    println!(
        "people talking | encodes decodes mixes packets | tick us  codec us | tick/codec | overhead ns per person"
    );
    for (people, talkers) in ROOMS {
        let mut room = Room::new(people, talkers);
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
        let (tick, codec) = (mean(|r| r.cycles) * us_per_cycle, mean(|r| r.codec_cycles) * us_per_cycle);
        println!(
            "{people:6} {talkers:7} | {:7.2} {:7.2} {:5.2} {:7.1} | {tick:7.1} {codec:9.1} | {:5.3} (mean {:5.3}) | {:6.0}",
            mean(|r| u64::from(r.encodes)),
            mean(|r| u64::from(r.decodes)),
            mean(|r| u64::from(r.mixes)),
            mean(|r| u64::from(r.packets_out)),
            ratios[ticks / 2],
            tick / codec,
            (tick - codec) * 1e3 / people as f64,
        );
        let encodes = mean(|r| u64::from(r.encodes));
        assert!(encodes <= talkers as f64 + 1.5, "{encodes} encodes with {talkers} talking");
    }
}
