//! What is done to a voice beside Opus: time-stretch, G.711, RED, and the search for who is dominant.

use antiphon_benches::{opus, speech};
use antiphon_codec::{CodecRate, g711};
use antiphon_pipeline::stages::{Dominance, Stretch};
use antiphon_rtp::AudioLevel;
use antiphon_rtp::red::{self, RedBlock, RedPayload};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};

fn stretch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stretch/40_ms");
    let frames = speech(0, 60);
    // The loudest two frames are of a vowel, which has a pitch period to be found.
    let power = |at: usize| frames[at..at + 2].iter().flatten().map(|s| s * s).sum::<f32>();
    let loudest = (0..frames.len() - 1).max_by(|a, b| power(*a).total_cmp(&power(*b))).expect("invariant: frames");
    let vowel = frames[loudest..loudest + 2].concat();
    assert!(Stretch::new(&vowel).shorten() > 0 && Stretch::new(&vowel).lengthen() > 0);
    let fresh = || Stretch::new(&vowel);
    group.bench_function("shorten", |b| b.iter_batched_ref(fresh, Stretch::shorten, BatchSize::SmallInput));
    group.bench_function("lengthen", |b| b.iter_batched_ref(fresh, Stretch::lengthen, BatchSize::SmallInput));
    group.finish();
}

fn telephone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("g711/48k");
    let pcm = speech(1, 30).pop().expect("invariant: frames");
    let (mut bytes, mut out) = ([0; 160], [0.0; 960]);
    let mut encoder = g711::Encoder::new(g711::Law::A, CodecRate::Hz48000);
    let mut decoder = g711::Decoder::new(CodecRate::Hz48000);
    assert_eq!(encoder.encode(&pcm, &mut bytes), Ok(160));
    group.bench_function("encode", |bencher| bencher.iter(|| encoder.encode(&pcm, &mut bytes)));
    group.bench_function("decode", |bencher| bencher.iter(|| decoder.decode(g711::Law::A, &bytes, &mut out)));
    group.bench_function("conceal", |bencher| bencher.iter(|| decoder.conceal(&mut out)));
    group.finish();
}

fn redundancy(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("red/one_older_frame");
    let block = |offset| RedBlock { payload_type: opus(), offset, data: &[7; 60] };
    let mut payload = [0; 512];
    let len = red::write(&mut payload, &[block(960)], block(0)).expect("invariant: small blocks");
    assert_eq!(RedPayload::parse(&payload[..len]).expect("invariant: written just now").count(), 2);
    let written = payload;
    group.bench_function("write", |bencher| bencher.iter(|| red::write(&mut payload, &[block(960)], block(0))));
    group.bench_function("parse", |bencher| bencher.iter(|| RedPayload::parse(&written[..len]).map(Iterator::count)));
    group.finish();
}

fn dominance(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dominant");
    for talkers in [3_u8, 30, 100] {
        let levels: Vec<_> = (0..talkers).map(|n| AudioLevel::new(20 + n % 50)).collect();
        let mut dominance = Dominance::new(usize::from(talkers));
        group.bench_function(BenchmarkId::new("talkers", talkers), |b| b.iter(|| dominance.hear(&levels)));
    }
    group.finish();
}

criterion_group!(benches, stretch, telephone, redundancy, dominance);
criterion_main!(benches);
