//! The decoder: a packet, the FEC copy in one, and concealment.

use antiphon_benches::speech_packets;
use antiphon_codec::{Channels, CodecRate, Decoder};
use criterion::{Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let packets = speech_packets(0, 250);
    let mut group = criterion.benchmark_group("decode");
    for (name, rate) in [("48k", CodecRate::Hz48000), ("16k", CodecRate::Hz16000)] {
        let mut decoder = Decoder::new(rate, Channels::Mono).expect("memory for a decoder");
        let mut out = vec![0.0; rate.frame_samples()];
        for packet in &packets {
            assert_eq!(decoder.decode(packet, &mut out), Ok(rate.frame_samples()));
        }
        let mut next = packets.iter().cycle();
        group.bench_function(format!("packet/{name}"), |bencher| {
            bencher.iter(|| decoder.decode(next.next().expect("invariant: a cycle"), &mut out));
        });
        group.bench_function(format!("fec/{name}"), |bencher| {
            bencher.iter(|| decoder.decode_fec(next.next().expect("invariant: a cycle"), &mut out));
        });
        group.bench_function(format!("plc/{name}"), |bencher| bencher.iter(|| decoder.conceal(&mut out)));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
