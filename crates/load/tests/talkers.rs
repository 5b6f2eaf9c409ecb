//! Two talkers on webrtc peer connections hear each other over a lossy relay, proven by signatures in what they decoded.
//!
//! One offers, the other answers; the relay stands in for the answerer's address, so every datagram passes it.
//! Real sockets on loopback; waits are for packets, bounded by a timeout that only a broken build reaches.

use antiphon_load::matrix::{Ear, Matrix, Source};
use antiphon_load::mouth::MouthConfig;
use antiphon_load::relay::{Relay, RelayConfig};
use antiphon_load::signature::Signature;
use antiphon_load::speech::SpeechRate;
use antiphon_load::talker::{Talker, TalkerConfig};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn config(name: &str, n: usize, epoch: Instant) -> TalkerConfig {
    let mouth = MouthConfig { voice: n, signature: Signature::new(n), expected_loss: 10, ..MouthConfig::default() };
    TalkerConfig::new(name, mouth, epoch)
}

/// The SDP without its candidates, and where the first UDP one pointed.
fn without_candidates(sdp: &str) -> (String, Option<SocketAddr>) {
    let mut addr = None;
    let mut rest = String::new();
    for line in sdp.lines() {
        let Some(candidate) = line.strip_prefix("a=candidate:") else {
            rest += line;
            rest += "\r\n";
            continue;
        };
        let fields: Vec<_> = candidate.split(' ').collect();
        if fields[2].eq_ignore_ascii_case("udp") {
            addr = addr.or(format!("{}:{}", fields[4], fields[5]).parse().ok());
        }
    }
    (rest, addr)
}

/// Connects two talkers through a relay and lets them talk until both have heard `packets`.
async fn talk(relay: RelayConfig, packets: u64) -> (Talker, Talker, Relay) {
    let epoch = Instant::now();
    let relay = Relay::bind(loopback(), relay).await.unwrap();
    let offering = Talker::offer(config("Ann", 0, epoch)).await.unwrap();
    // Bob must not learn where Ann is, or he would go round the relay.
    let (offer, _) = without_candidates(offering.sdp());
    let (bob, answer) = Talker::answer(config("Bob", 1, epoch), &offer).await.unwrap();
    let (mut answer, bob_addr) = without_candidates(&answer);
    relay.set_upstream(bob_addr.expect("Bob has a UDP candidate"));
    answer += &format!("a=candidate:1 1 udp 2130706431 {} {} typ host\r\n", relay.addr().ip(), relay.addr().port());
    let ann = offering.accept(&answer).await.unwrap();
    ann.connected(PATIENCE).await.unwrap();
    bob.connected(PATIENCE).await.unwrap();
    ann.heard_packets(packets, PATIENCE).await.unwrap();
    bob.heard_packets(packets, PATIENCE).await.unwrap();
    (ann, bob, relay)
}

/// Each hears exactly the other, and nobody who is not there.
fn assert_heard(ann: &Talker, bob: &Talker) {
    let sources: Vec<_> = ["Ann", "Bob", "Cid", "Dee"]
        .iter()
        .enumerate()
        .map(|(n, name)| Source { name: (*name).into(), signature: Signature::new(n).unwrap() })
        .collect();
    let (at_ann, at_bob) = (ann.heard(), bob.heard());
    assert_eq!(at_ann.rate(), SpeechRate::Hz16000);
    let ears = [Ear { name: "Ann", recording: &at_ann }, Ear { name: "Bob", recording: &at_bob }];
    // The last that both heard: before that the connection was made.
    let end = at_ann.duration().min(at_bob.duration());
    let matrix = Matrix::measure(&ears, &sources, &(end.saturating_sub(Duration::from_millis(3_500))..end));
    let wrong = matrix.diff(|ear, source| matches!((ear, source), ("Ann", "Bob") | ("Bob", "Ann")));
    assert!(wrong.is_empty(), "{}", wrong[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_talkers_hear_each_other_over_a_clean_relay() {
    let (ann, bob, relay) = talk(RelayConfig::default(), 200).await;
    assert_heard(&ann, &bob);
    for talker in [&ann, &bob] {
        let stats = talker.stats();
        assert!(stats.sent >= 150 && stats.send_errors == 0, "{}: {} sent", talker.name(), stats.sent);
        assert_eq!((stats.lost(), stats.streams.len()), (0, 1), "{}: {stats:?}", talker.name());
    }
    assert_eq!(relay.stats().clients, 1);
    ann.leave().await.unwrap();
    // DTLS close_notify reaches the other side.
    tokio::time::timeout(PATIENCE, bob.gone()).await.expect("Bob notices that Ann left");
    bob.leave().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_and_jitter_are_filled_and_signatures_survive() {
    let (ann, bob, relay) = talk(RelayConfig::lossy(0.05, Duration::from_millis(30), 7), 250).await;
    ann.leave().await.unwrap();
    bob.leave().await.unwrap();
    assert_heard(&ann, &bob);
    let stats = relay.stats();
    assert!(stats.up.lost > 0 && stats.down.lost > 0, "{stats:?}");
    for talker in [&ann, &bob] {
        let stats = talker.stats();
        assert!(stats.lost() > 0 && stats.filled() > 0, "{}: {stats:?}", talker.name());
    }
}

/// A bot's offer: a mix both ways and lanes towards the bot, in one bundle.
const BOT_OFFER: &str = "v=0\r\n\
o=- 1 1 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE mix lanes\r\n\
a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n\
a=ice-ufrag:someufrag\r\n\
a=ice-pwd:somepasswordofenoughlength\r\n\
a=setup:actpass\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 100\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:mix\r\n\
a=sendrecv\r\n\
a=rtcp-mux\r\n\
a=rtpmap:100 opus/48000/2\r\n\
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
a=extmap:7 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n\
m=audio 9 UDP/TLS/RTP/SAVPF 100\r\n\
c=IN IP4 0.0.0.0\r\n\
a=mid:lanes\r\n\
a=recvonly\r\n\
a=rtcp-mux\r\n\
a=rtpmap:100 opus/48000/2\r\n\
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";

#[tokio::test]
async fn offer_with_two_m_lines_is_answered_on_both_with_the_offerers_numbers() {
    let (talker, answer) = Talker::answer(config("Bob", 1, Instant::now()), BOT_OFFER).await.unwrap();
    let (_, sections) = answer.split_once("m=audio").expect("an audio section");
    let [mix, lanes] = sections.split("m=audio").collect::<Vec<_>>()[..] else { panic!("two sections: {answer}") };
    for (section, mid) in [(mix, "mix"), (lanes, "lanes")] {
        assert!(section.contains(&format!("a=mid:{mid}\r\n")), "{section}");
        assert!(section.contains("a=rtpmap:100 opus/48000/2"), "{section}");
    }
    assert!(mix.contains("a=sendrecv\r\n"), "{mix}");
    assert!(mix.contains("a=extmap:7 urn:ietf:params:rtp-hdrext:ssrc-audio-level"), "{mix}");
    assert!(!lanes.contains("a=sendrecv\r\n") && !lanes.contains("a=recvonly\r\n"), "{lanes}");
    talker.leave().await.unwrap();
}

#[tokio::test]
async fn nonsense_for_an_offer_is_refused_with_the_talkers_name() {
    let error = Talker::answer(config("Bob", 1, Instant::now()), "v=0\r\nm=nonsense").await.unwrap_err();
    assert!(error.to_string().starts_with("Bob: answering the offer: "), "{error}");
}
