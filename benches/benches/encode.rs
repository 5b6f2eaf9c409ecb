//! The encoder by effort, and the copy of its state.

use antiphon_benches::speech;
use antiphon_codec::{CodecRate, Encoder, EncoderConfig, MAX_FRAME_BYTES};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let frames = speech(0, 250);
    let mut group = criterion.benchmark_group("encode");
    let speech = EncoderConfig::speech(CodecRate::Hz48000);
    for (name, config) in [
        ("24k_cx0", EncoderConfig { complexity: 0, ..speech }),
        ("24k_cx5", speech),
        ("24k_cx5_fec", EncoderConfig { fec: true, expected_loss: 10, ..speech }),
        ("24k_cx9", EncoderConfig { complexity: 9, ..speech }),
        ("48k_cx0", EncoderConfig { bitrate: 48_000, complexity: 0, ..speech }),
    ] {
        let mut encoder = Encoder::new(&config).expect("memory for an encoder");
        let mut out = [0; MAX_FRAME_BYTES];
        let mut next = frames.iter().cycle();
        let first = encoder.encode(&frames[0], &mut out).expect("invariant: 20 ms of mono");
        assert!(first > 0);
        group.bench_function(BenchmarkId::new("frame", name), |bencher| {
            bencher.iter(|| encoder.encode(next.next().expect("invariant: a cycle"), &mut out));
        });
    }
    let mut model = Encoder::new(&speech).expect("memory for an encoder");
    let mut copy = Encoder::new(&speech).expect("memory for an encoder");
    let (mut a, mut b) = ([0; MAX_FRAME_BYTES], [0; MAX_FRAME_BYTES]);
    for frame in &frames[..20] {
        model.encode(frame, &mut a).expect("invariant: 20 ms of mono");
    }
    copy.copy_state_from(&model).expect("invariant: one shape");
    let len = model.encode(&frames[20], &mut a).expect("invariant: 20 ms of mono");
    assert_eq!(copy.encode(&frames[20], &mut b), Ok(len));
    assert_eq!(a[..len], b[..len], "a copy goes on bit-exactly");
    group.bench_function("state_copy", |bencher| bencher.iter(|| copy.copy_state_from(&model)));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
