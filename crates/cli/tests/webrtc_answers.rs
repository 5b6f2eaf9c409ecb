//! The independent `webrtc` stack answers the offer that our bots put into their media blob.
//!
//! Both ends speak with a signature of their own; each must be found in what the other decoded, and nothing else. Runs
//! over loopback sockets in real time, paced by the media thread's ticks and not by sleeps; ends after six seconds of
//! sound. Also part of `make interop`.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::{Duration, Instant};

use antiphon_engine::{AudioPort, Engine, EngineConfig, SessionOptions, Wakeable};
use antiphon_load::mouth::MouthConfig;
use antiphon_load::recording::Recording;
use antiphon_load::signature::{Detection, Detector, Marker, Signature};
use antiphon_load::speech::{SpeechLoop, SpeechRate, Voice};
use antiphon_load::talker::{Talker, TalkerConfig};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

const RATE: SpeechRate = SpeechRate::Hz16000;
/// Six seconds of 20 ms frames.
const FRAMES: usize = 300;
const PATIENCE: Duration = Duration::from_secs(20);

struct Ticks(Wakeable);

impl AsRawFd for Ticks {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webrtc_answers_our_two_line_offer_and_each_side_decodes_the_other() {
    let (theirs, ours) = (Signature::new(3).unwrap(), Signature::new(9).unwrap());
    let engine = Engine::client(EngineConfig { priority: None, ..EngineConfig::default() }).expect("engine");
    let (events, mut happened) = mpsc::channel(64);
    let session = engine
        .session(SessionOptions {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            ..SessionOptions::new(move |event| drop(events.try_send(event)))
        })
        .expect("session");
    assert_eq!(session.offer().matches("m=audio").count(), 2, "{}", session.offer());

    let mouth = MouthConfig { voice: 1, signature: Some(theirs), rate: RATE, ..MouthConfig::default() };
    let config = TalkerConfig::new("webrtc", mouth, Instant::now());
    let (talker, answer) = Talker::answer(config, session.offer()).await.expect("an answer");
    session.accept(&answer).expect("the answer fits");
    talker.connected(PATIENCE).await.expect("connected");
    tokio::time::timeout(PATIENCE, happened.recv()).await.expect("an event in time").expect("an event");

    let port = session.take_audio().expect("audio");
    let heard = tokio::time::timeout(PATIENCE, converse(port, ours)).await.expect("ticks go on");
    talker.heard_packets(FRAMES as u64 / 2, PATIENCE).await.expect("packets of ours");
    let stats = talker.stats();
    talker.leave().await.expect("closed");

    let we_hear = Detector::new(&heard, RATE);
    let remote: Recording = talker.heard();
    let they_hear = Detector::new(remote.samples(), RATE);
    report("webrtc answers: the bot hears it", we_hear.detect(theirs), we_hear.detect(ours));
    report("webrtc answers: it hears the bot", they_hear.detect(ours), they_hear.detect(theirs));
    println!("webrtc answers: {} packets heard, {} lost", stats.packets(), stats.lost());
    session.close();
}

/// Speaks and listens, frame for frame, until six seconds with somebody talking have been heard.
async fn converse(port: AudioPort, signature: Signature) -> Vec<f32> {
    let AudioPort { mut mixed, unmixed: _unmixed, mut mouth, wakeable } = port;
    #[expect(deprecated, reason = "its replacement is unsafe to call; Ticks owns one descriptor for life, as asked")]
    let ticks = AsyncFd::with_interest(Ticks(wakeable), Interest::READABLE).expect("an eventfd");
    let mut speech = SpeechLoop::new(Voice::nth(5), RATE, 0);
    let mut marker = Marker::new(signature, RATE.sample_rate());
    let (mut heard, mut frame) = (Vec::new(), vec![0.0; RATE.frame()]);
    let mut talking = 0;
    while talking < FRAMES {
        let mut ready = ticks.readable().await.expect("readable");
        ticks.get_ref().0.drain();
        ready.clear_ready();
        while let Some(tick) = mixed.next_frame() {
            if tick.talking > 0 || talking > 0 {
                talking += 1;
                heard.extend(tick.samples.as_slice().iter().map(|sample| f32::from(*sample) / 32_768.0));
            }
            let speaking = speech.next_frame(&mut frame);
            marker.mark(&mut frame, speaking);
            let pcm: Vec<i16> = frame.iter().map(|sample| (sample * 32_767.0) as i16).collect();
            mouth.speak(&pcm);
        }
    }
    heard
}

fn report(case: &str, present: Detection, absent: Detection) {
    println!("{case}: its signature {:.1} dB, own {:.1} dB", present.score_db, absent.score_db);
    assert!(present.is_present(), "{case}: the signature is missing: {present:?}");
    assert!(!absent.is_present(), "{case}: the listener's own signature came back: {absent:?}");
}
