//! The joints: swapping a plan in, and a packet through a ring.

use antiphon_rt::MonoTime;
use antiphon_rt::handover::handover;
use antiphon_rt::packet_ring::{MAX_PACKET, PacketMeta, packet_ring};
use criterion::{Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handover");
    let (mut publisher, mut subscriber) = handover::<u64>();
    let mut current = Box::new(0_u64);
    let mut next = Box::new(1_u64);
    publisher.publish(next).expect("invariant: the first has its credit");
    assert!(subscriber.swap(&mut current) && *current == 1);
    next = publisher.reclaim().expect("the old value comes back");
    assert_eq!(*next, 0);
    let mut spare = Some(next);
    group.bench_function("plan_swap", |bencher| {
        bencher.iter(|| {
            let value = spare.take().expect("invariant: it came back");
            publisher.publish(value).expect("invariant: it was reclaimed");
            subscriber.swap(&mut current);
            spare = publisher.reclaim();
        });
    });
    group.bench_function("nothing_to_swap", |bencher| bencher.iter(|| subscriber.swap(&mut current)));
    let (mut tx, mut rx) = packet_ring(64 * 1024);
    let mut buffer = [0; MAX_PACKET];
    let meta = PacketMeta { at: MonoTime::ZERO, leg: 1 };
    tx.push(meta, &[7; 90]).expect("invariant: an empty ring");
    assert_eq!(rx.pop(&mut buffer), Some((meta, 90)));
    group.bench_function("packet_ring/90_bytes", |bencher| {
        bencher.iter(|| {
            tx.push(meta, &[7; 90]).expect("invariant: an empty ring");
            rx.pop(&mut buffer)
        });
    });
    group.bench_function("packet_ring/empty", |bencher| bencher.iter(|| rx.pop(&mut buffer)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
