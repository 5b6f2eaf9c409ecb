//! Routing: compiling a plan off the media thread, and grouping receivers on it.

use antiphon_benches::config;
use antiphon_pipeline::stages::Grouping;
use antiphon_pipeline::{Limits, MixPlan, Participant, PlanBuilder, Slots};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn build(people: usize, groups: usize, limits: &Limits) -> Box<MixPlan> {
    let (mut sources, mut receivers) = (Slots::new(limits.sources), Slots::new(limits.receivers));
    let mut builder = PlanBuilder::new(limits);
    let mut everybody = Vec::new();
    for _ in 0..people {
        let (source, receiver) = (sources.take(), receivers.take());
        builder.participant(Participant { source, receiver, in_default_group: true, unmixed: false });
        everybody.extend(source.zip(receiver));
    }
    for n in 0..groups {
        let (source, _) = everybody[n % people];
        let hearing: Vec<_> = (1..5).map(|step| everybody[(n + step) % people].1).collect();
        builder.route(&[source], &hearing);
    }
    builder.build()
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    for people in [10, 100, 1_000] {
        let config = config(people);
        let limits = &config.limits;
        let plan = build(people, 10, limits);
        let receiver = Slots::new(people).take().expect("invariant: there are people");
        assert_eq!(plan.heard(receiver).count(), people - 1);
        group.bench_function(BenchmarkId::new("build", people), |bencher| {
            bencher.iter(|| build(people, 10, limits));
        });
        // Two sets of talkers in turn, so that each call has something to do.
        let words = limits.sources.div_ceil(64);
        let (mut three, mut four) = (vec![0_u64; words], vec![0_u64; words]);
        three[0] = 0b111;
        four[0] = 0b1111;
        let mut grouping = Grouping::new(plan, people, &config).expect("memory for encoders");
        assert_eq!((grouping.regroup(&three), grouping.regroup(&four)), (4, 5));
        let mut turn = false;
        group.bench_function(BenchmarkId::new("regroup", people), |bencher| {
            bencher.iter(|| {
                turn = !turn;
                grouping.regroup(if turn { &three } else { &four })
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
