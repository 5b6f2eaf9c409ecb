//! The fan-out: one payload to many receivers, header and ring included.

use antiphon_benches::{config, receiver_config, speech};
use antiphon_pipeline::stages::{FanOut, Mix};
use antiphon_rt::packet_ring::{MAX_PACKET, packet_ring};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("egress");
    for receivers in [10_usize, 100, 1_000] {
        let config = config(8);
        let frames: Vec<_> = (0..3).map(|n| speech(n, 30).pop().expect("invariant: frames")).collect();
        let mut mix = Mix::new(&frames, false, &config).expect("memory for an encoder");
        mix.sum();
        mix.mix();
        assert!(mix.encode() > 0);
        let legs = (0..receivers as u32).map(receiver_config);
        let mut fan_out = FanOut::new(legs, &config).expect("memory for encoders");
        let (mut egress, mut ring) = packet_ring(receivers * 512);
        let mut buffer = [0; MAX_PACKET];
        assert_eq!(fan_out.send(0, &mix, &mut egress), receivers);
        while ring.pop(&mut buffer).is_some() {}
        group.throughput(Throughput::Elements(receivers as u64));
        group.bench_function(BenchmarkId::new("receivers", receivers), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut spent = std::time::Duration::ZERO;
                for tick in 0..rounds {
                    let begin = std::time::Instant::now();
                    fan_out.send(tick, &mix, &mut egress);
                    spent += begin.elapsed();
                    while ring.pop(&mut buffer).is_some() {}
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
