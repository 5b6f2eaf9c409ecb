//! The jitter buffer: one packet in, one decision out, on good and bad networks.

use antiphon_pipeline::stages::Jitter;
use antiphon_rt::MonoTime;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

/// Arrivals of five seconds: (arrival in ms, packet number), in order of arrival.
fn arrivals(loss_every: u16, jitter_ms: u64) -> Vec<(u64, u16)> {
    let kept = (0..250_u16).filter(|n| loss_every == 0 || n % loss_every != 3);
    let mut list: Vec<_> = kept.map(|n| (u64::from(n) * 20 + u64::from(n) * 7_919 % (jitter_ms + 1), n)).collect();
    list.sort_unstable();
    list
}

/// Plays them; how many packets were decoded.
fn play(jitter: &mut Jitter, arrivals: &[(u64, u16)]) -> usize {
    let payload = [0x08; 60];
    let mut arrivals = arrivals.iter().peekable();
    let mut played = 0;
    for tick in 1..=260_u64 {
        while let Some((at, n)) = arrivals.next_if(|(at, _)| *at < tick * 20) {
            jitter.insert(MonoTime::from_millis(*at), *n, u32::from(*n) * 960, &payload);
        }
        played += usize::from(jitter.next(MonoTime::from_millis(tick * 20)));
    }
    played
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jitter/260_ticks");
    for (name, loss_every, jitter_ms) in [("clean", 0, 0), ("loss_5pct", 20, 0), ("loss_5pct_jitter_60ms", 20, 60)] {
        let arrivals = arrivals(loss_every, jitter_ms);
        let mut jitter = Jitter::default();
        let played = play(&mut jitter, &arrivals);
        assert!(played * 100 >= arrivals.len() * 95, "{name}: {played} of {} played", arrivals.len());
        group.bench_function(name, |bencher| {
            bencher.iter_batched_ref(Jitter::default, |jitter| play(jitter, &arrivals), BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
