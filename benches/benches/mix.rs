//! The mixer: sums, mix-minus and the limiter.

use antiphon_benches::{config, speech};
use antiphon_pipeline::stages::{Limit, Mix};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mix");
    for talkers in [2_usize, 3, 8, 32, 100] {
        let config = config(128);
        let frames: Vec<_> = (0..talkers).map(|n| speech(n, 30 + n).pop().expect("invariant: frames")).collect();
        for (name, minus_one) in [("everybody", false), ("mix_minus", true)] {
            let mut mix = Mix::new(&frames, minus_one, &config).expect("memory for an encoder");
            mix.sum();
            mix.mix();
            // Limited or not, nothing leaves full scale; and somebody is in there.
            let top = mix.mix().iter().fold(0.0_f32, |top, sample| top.max(sample.abs()));
            assert!(top > 0.0 && top < 1.0, "{name} of {talkers}: {top}");
            group.bench_function(BenchmarkId::new(name, talkers), |bencher| bencher.iter(|| mix.mix()[0]));
        }
        let mut ramp = Mix::new(&frames, false, &config).expect("memory for an encoder");
        ramp.sum();
        group.bench_function(BenchmarkId::new("ramp", talkers), |bencher| bencher.iter(|| ramp.ramp()[0]));
        let mut mix = Mix::new(&frames, false, &config).expect("memory for an encoder");
        group.bench_function(BenchmarkId::new("total", talkers), |bencher| bencher.iter(|| mix.sum()));
    }
    for (name, gain) in [("calm", 0.5_f32), ("limiting", 3.0)] {
        let tone: Vec<f32> = (0..960).map(|n| gain * (n as f32 * 0.05).sin()).collect();
        let mut limit = Limit::new(960);
        let mut frame = tone.clone();
        limit.process(&mut frame);
        group.bench_function(BenchmarkId::new("limiter", name), |bencher| {
            bencher.iter(|| {
                frame.copy_from_slice(&tone);
                limit.process(&mut frame);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
