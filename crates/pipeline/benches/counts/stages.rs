//! The stages that are counted, each with the same input everywhere.
//!
//! Add a stage at the end of its block and run `make counts ARGS=--update`. The whole tick comes last.

use antiphon_codec::{CodecRate, g711};
use antiphon_pipeline::stages::{Dominance, FanOut, Grouping, Jitter, Limit, Mix, Stretch};
use antiphon_pipeline::{
    BusRate, ConversationConfig, Limits, MixPlan, Participant, PlanBuilder, RtpReceiverConfig, Slots,
};
use antiphon_rt::MonoTime;
use antiphon_rt::packet_ring::{MAX_PACKET, packet_ring};
use antiphon_rtp::red::{self, RedBlock, RedPayload};
use antiphon_rtp::{AudioLevel, PayloadType, RtpHeader, RtpPacket, RtpTimestamp, SeqNo, Ssrc};

use crate::room::Room;
use crate::stage;

/// Does everything there is to count.
pub(crate) fn run() {
    wire();
    jitter();
    stretching();
    companding();
    mixing();
    speakers();
    fan_out();
    routing();
    for people in [10, 100, 1_000] {
        tick(people);
    }
}

/// A frame of something like a voice, of integers only, so that no library decides on its last bit.
fn frame(seed: u32, level: f32) -> Vec<f32> {
    let mut noise = seed.wrapping_mul(2_654_435_761) | 1;
    let sample = |n: u32| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let period = 300 + seed * 17;
        let saw = (n % period) as f32 / period as f32 - 0.5;
        level * (saw + ((noise >> 16) as f32 / 65_536.0 - 0.5) * 0.1)
    };
    (0..960).map(sample).collect()
}

fn config(people: usize) -> ConversationConfig {
    ConversationConfig { rate: BusRate::Hz48000, limits: Limits::for_participants(people), ..Default::default() }
}

fn opus() -> PayloadType {
    PayloadType::new(111).expect("invariant: below 128")
}

fn wire() {
    let header = RtpHeader {
        marker: false,
        payload_type: opus(),
        seq: SeqNo::new(7),
        timestamp: RtpTimestamp::new(6_720),
        ssrc: Ssrc::new(1),
        csrcs: &[],
        extensions: &[],
    };
    let mut packet = [0; MAX_PACKET];
    let mut len = 0;
    stage("rtp/write", || len = header.write(&mut packet, &[7; 60]).expect("invariant: a small packet"));
    stage("rtp/parse", || assert!(RtpPacket::parse(&packet[..len]).is_ok()));
    let block = |offset| RedBlock { payload_type: opus(), offset, data: &[7; 60] };
    let mut payload = [0; 512];
    stage("red/write", || len = red::write(&mut payload, &[block(960)], block(0)).expect("invariant: small blocks"));
    stage("red/parse", || {
        let parsed = RedPayload::parse(&payload[..len]).expect("invariant: written just now");
        assert_eq!(parsed.map(|block| block.data.len()).sum::<usize>(), 120);
    });
}

fn jitter() {
    for (name, loss_every, jitter_ms) in [("clean", 0, 0), ("loss_5pct", 20, 0), ("loss_5pct_jitter_60ms", 20, 60)] {
        let kept = (0..250_u16).filter(|n| loss_every == 0 || n % loss_every != 3);
        let mut list: Vec<_> = kept.map(|n| (u64::from(n) * 20 + u64::from(n) * 7_919 % (jitter_ms + 1), n)).collect();
        list.sort_unstable();
        let mut jitters: Vec<_> = (0..4).map(|_| Jitter::default()).collect();
        stage(&format!("jitter/260_ticks/{name}"), || {
            let mut jitter = jitters.pop().expect("invariant: one for each run");
            let mut arrivals = list.iter().peekable();
            for tick in 1..=260_u64 {
                while let Some((at, n)) = arrivals.next_if(|(at, _)| *at < tick * 20) {
                    jitter.insert(MonoTime::from_millis(*at), *n, u32::from(*n) * 960, &[0x08; 60]);
                }
                jitter.next(MonoTime::from_millis(tick * 20));
            }
        });
    }
}

fn stretching() {
    // Two frames of a steady vowel: there is a pitch period to be found.
    let vowel: Vec<f32> = (0..1_920_u32).map(|n| (n % 400) as f32 / 1_000.0 - 0.2).collect();
    let mut stretch = Stretch::new(&vowel);
    stage("stretch/shorten", || assert!(stretch.shorten() > 0));
    let mut stretch = Stretch::new(&vowel);
    stage("stretch/lengthen", || assert!(stretch.lengthen() > 0));
}

fn companding() {
    let pcm = frame(1, 0.4);
    let mut bytes = [0; 160];
    let mut encoder = g711::Encoder::new(g711::Law::A, CodecRate::Hz48000);
    stage("g711/encode", || assert_eq!(encoder.encode(&pcm, &mut bytes), Ok(160)));
    let mut decoder = g711::Decoder::new(CodecRate::Hz48000);
    let mut out = [0.0; 960];
    stage("g711/decode", || assert_eq!(decoder.decode(g711::Law::A, &bytes, &mut out), Ok(960)));
    stage("g711/conceal", || assert_eq!(decoder.conceal(&mut out), Ok(960)));
}

fn mixing() {
    let config = config(64);
    for talkers in [3_u32, 32] {
        let frames: Vec<_> = (0..talkers).map(|n| frame(n, 0.2)).collect();
        let mut everybody = Mix::new(&frames, false, &config).expect("memory for an encoder");
        stage(&format!("mix/total/{talkers}"), || everybody.sum());
        stage(&format!("mix/everybody/{talkers}"), || assert!(!everybody.mix().is_empty()));
        let mut minus = Mix::new(&frames, true, &config).expect("memory for an encoder");
        minus.sum();
        stage(&format!("mix/mix_minus/{talkers}"), || assert!(!minus.mix().is_empty()));
        stage(&format!("mix/ramp/{talkers}"), || assert!(!minus.ramp().is_empty()));
    }
    for (name, level) in [("calm", 0.5), ("limiting", 3.0)] {
        let loud = frame(3, level);
        let mut limit = Limit::new(960);
        let mut frame = loud.clone();
        stage(&format!("mix/limiter/{name}"), || {
            frame.copy_from_slice(&loud);
            limit.process(&mut frame);
        });
    }
}

fn speakers() {
    let levels: Vec<_> = (0..100_u8).map(|n| AudioLevel::new(20 + n % 50)).collect();
    let mut dominance = Dominance::new(100);
    stage("dominant/100", || dominance.hear(&levels));
}

fn fan_out() {
    let config = config(100);
    let frames: Vec<_> = (0..3).map(|n| frame(n, 0.2)).collect();
    let mut mix = Mix::new(&frames, false, &config).expect("memory for an encoder");
    mix.sum();
    mix.mix();
    assert!(mix.encode() > 0);
    let legs = (0..100).map(|leg| RtpReceiverConfig {
        leg,
        ssrc: Ssrc::new(0x1000 + leg),
        payload_type: opus(),
        red: None,
        tones: None,
        first_seq: SeqNo::new(0),
        first_timestamp: RtpTimestamp::new(0),
        class: 0,
        level_extension: Some(1),
        csrc_level_extension: Some(2),
        mid: None,
        lanes: None,
    });
    let mut fan_out = FanOut::new(legs, &config).expect("memory for encoders");
    let (mut egress, _ring) = packet_ring(1 << 20);
    let mut tick = 0;
    stage("egress/100_receivers", || {
        tick += 1;
        assert_eq!(fan_out.send(tick, &mix, &mut egress), 100);
    });
}

fn plan(people: usize, limits: &Limits) -> Box<MixPlan> {
    let (mut sources, mut receivers) = (Slots::new(limits.sources), Slots::new(limits.receivers));
    let mut builder = PlanBuilder::new(limits);
    let mut everybody = Vec::new();
    for _ in 0..people {
        let (source, receiver) = (sources.take(), receivers.take());
        builder.participant(Participant { source, receiver, in_default_group: true, unmixed: false });
        everybody.extend(source.zip(receiver));
    }
    for n in 0..10 {
        let hearing: Vec<_> = (1..5).map(|step| everybody[(n + step) % people].1).collect();
        builder.route(&[everybody[n].0], &hearing);
    }
    builder.build()
}

fn routing() {
    for people in [100, 1_000] {
        let config = config(people);
        let limits = &config.limits;
        stage(&format!("plan/build/{people}"), || drop(plan(people, limits)));
        let words = limits.sources.div_ceil(64);
        let (mut three, mut four) = (vec![0_u64; words], vec![0_u64; words]);
        three[0] = 0b111;
        four[0] = 0b1111;
        let mut grouping = Grouping::new(plan(people, limits), people, &config).expect("memory for encoders");
        let mut turn = false;
        stage(&format!("plan/regroup/{people}"), || {
            turn = !turn;
            assert_eq!(grouping.regroup(if turn { &three } else { &four }), if turn { 4 } else { 5 });
        });
    }
}

/// A room in which three talk; the rest are silent and send nothing.
fn tick(people: usize) {
    let mut config = config(people);
    config.limits.commands = people * 3 + 16;
    let mut room = Room::new(config, 1);
    room.decode_ears = false;
    for _ in 0..people {
        room.join();
    }
    room.publish();
    room.steps(people / 80 + 40);
    for talker in 0..3 {
        room.people[talker].talking = true;
    }
    room.steps(40);
    println!("tick/3_talking/{people}");
    room.send();
    let now = MonoTime::from_nanos(room.now);
    crate::measured(&mut || room.conversation.tick(now));
    let record = room.conversation.last_record();
    assert_eq!((record.encodes, record.decodes, record.packets_out as usize), (4, 3, people));
}
