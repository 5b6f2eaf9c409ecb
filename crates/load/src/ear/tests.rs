//! Tests of the ear with real Opus packets over simulated links, on a virtual clock.

use super::*;
use crate::link::{Link, LinkConfig};
use crate::speech::{SpeechLoop, Voice};
use antiphon_codec::{Encoder, EncoderConfig};

const RATE: SpeechRate = SpeechRate::Hz16000;
const MS: fn(u64) -> Duration = Duration::from_millis;

struct Sent {
    at: Duration,
    seq: SeqNo,
    timestamp: RtpTimestamp,
    payload: Vec<u8>,
}

/// `frames` of speech as packets, one each 20 ms from `from` on, numbered from the given counters.
fn speech(frames: usize, from: Duration, seq: u16, timestamp: u32) -> Vec<Sent> {
    let config = EncoderConfig { fec: true, expected_loss: 10, ..EncoderConfig::speech(RATE.codec_rate()) };
    let mut encoder = Encoder::new(&config).unwrap();
    let mut source = SpeechLoop::new(Voice::nth(0), RATE, 0);
    (0..frames)
        .map(|n| {
            let (mut pcm, mut out) = ([0.0; 320], [0; 1_275]);
            source.next_frame(&mut pcm);
            let len = encoder.encode(&pcm, &mut out).unwrap();
            Sent {
                at: from + MS(20) * n as u32,
                seq: SeqNo::new(seq).offset(n as i32),
                timestamp: RtpTimestamp::new(timestamp).advance(960 * n as u32),
                payload: out[..len].to_vec(),
            }
        })
        .collect()
}

fn hear(ear: &mut Ear, at: Duration, sent: &Sent) {
    let Sent { seq, timestamp, payload, .. } = sent;
    ear.hear(at, Heard { seq: *seq, timestamp: *timestamp, payload, csrcs: &[], level: None });
}

/// What a perfect wire gives.
fn reference(sent: &[Sent]) -> Recording {
    let mut ear = Ear::new(RATE).unwrap();
    sent.iter().for_each(|s| hear(&mut ear, s.at, s));
    ear.recording()
}

/// Sends everything over a link and lets the ear hear it in order of arrival.
fn over(link: LinkConfig, sent: &[Sent]) -> Ear {
    let mut link = Link::new(link);
    let mut arrivals: Vec<(Duration, usize)> = vec![];
    for (n, s) in sent.iter().enumerate() {
        let due = link.send(s.at);
        arrivals.extend(due.first.into_iter().chain(due.second).map(|at| (at, n)));
    }
    arrivals.sort();
    let mut ear = Ear::new(RATE).unwrap();
    arrivals.iter().for_each(|(at, n)| hear(&mut ear, *at, &sent[*n]));
    ear.flush();
    ear
}

#[test]
fn recording_starts_when_the_first_packet_came_and_wraps_do_not_show() {
    let sent = speech(100, MS(500), 65_500, u32::MAX - 20_000);
    let wrapped = reference(&sent);
    assert_eq!(wrapped.duration(), MS(500 + 100 * 20));
    assert!(wrapped.between(&(MS(0)..MS(500))).iter().all(|s| *s == 0.0));
    assert_eq!(wrapped, reference(&speech(100, MS(500), 1, 1)));
}

#[test]
fn jitter_reorder_and_duplicates_leave_the_recording_as_it_was() {
    let sent = speech(300, MS(0), 9, 9);
    let link = LinkConfig { jitter: MS(30), reorder: 0.3, duplicate: 0.1, seed: 4, ..LinkConfig::default() };
    let ear = over(link, &sent);
    let stats = ear.stats();
    assert_eq!((stats.decoded, stats.lost, stats.late), (300, 0, 0));
    assert!(stats.duplicates > 10, "{stats:?}");
    // Anchored at the quickest packet, so shifted by the least jitter drawn: under a millisecond.
    let (got, whole) = (ear.recording(), reference(&sent));
    let shift = got.samples().len() - whole.samples().len();
    assert!(shift < 16, "{shift} samples");
    assert_eq!(got.samples()[shift..], *whole.samples());
    assert!(stats.lateness_us.iter().all(|late| *late <= 30_000) && stats.lateness_us.contains(&0));
}

#[test]
fn every_packet_and_every_frame_ends_once_under_any_seed() {
    for seed in 0..20 {
        let sent = speech(150, MS(0), 65_000, 77);
        let link = LinkConfig {
            loss: 0.1,
            burst: 1.0 + (seed % 3) as f64,
            jitter: MS(40),
            reorder: 0.5,
            duplicate: 0.05,
            seed,
            ..LinkConfig::default()
        };
        let stats = over(link, &sent).stats();
        assert_eq!(
            stats.packets,
            stats.decoded + stats.late + stats.duplicates + stats.refused,
            "seed {seed}: {stats:?}"
        );
        assert_eq!(stats.lost, stats.recovered + stats.concealed, "seed {seed}: {stats:?}");
        assert!(stats.recovered > 0 && stats.concealed > 0, "seed {seed}: {stats:?}");
    }
}

#[test]
fn lost_frames_are_filled_and_nothing_after_them_moves() {
    let sent = speech(200, MS(0), 1, 1);
    let ear = over(LinkConfig { loss: 0.1, seed: 5, ..LinkConfig::default() }, &sent);
    let (got, whole) = (ear.recording(), reference(&sent));
    assert!(ear.stats().lost > 10);
    assert_eq!(got.samples().len(), whole.samples().len());
    let energy = |r: &Recording| r.samples().iter().map(|s| f64::from(s * s)).sum::<f64>();
    let error: f64 = got.samples().iter().zip(whole.samples()).map(|(a, b)| f64::from((a - b) * (a - b))).sum();
    // Shifted speech would be uncorrelated: an error of twice the energy.
    assert!(error < 0.4 * energy(&whole), "{}", error / energy(&whole));
}

#[test]
fn pause_in_talking_stays_as_long_as_it_was() {
    let mut sent = speech(20, MS(0), 1, 0);
    sent.extend(speech(20, MS(1_400), 21, 48 * 1_400));
    let recording = reference(&sent);
    assert_eq!(recording.duration(), MS(1_800));
    assert!(recording.between(&(MS(400)..MS(1_400))).iter().all(|s| *s == 0.0));
    assert!(recording.between(&(MS(1_420)..MS(1_800))).iter().any(|s| s.abs() > 0.01));
}

#[test]
fn nonsense_is_refused_and_disturbs_nothing() {
    let sent = speech(100, MS(0), 100, 1_000_000);
    let mut ear = Ear::new(RATE).unwrap();
    for s in &sent {
        hear(&mut ear, s.at, s);
        let mad = Sent { at: s.at, seq: s.seq, timestamp: s.timestamp.advance(1 << 30), payload: s.payload.clone() };
        hear(&mut ear, s.at, &mad);
        let empty = Sent { payload: vec![], timestamp: s.timestamp, ..mad };
        hear(&mut ear, s.at, &empty);
    }
    assert_eq!(ear.stats().refused, 200);
    assert_eq!(ear.recording(), reference(&sent));
}
