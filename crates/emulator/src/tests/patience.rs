//! Peers that are slow, stop half-way or never read: they get their error, and nobody waits for them. Real sockets.

use super::server::{acceptor, listening};
use super::*;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a peer gets for these bytes when it then keeps still, until the service closes the connection.
async fn answer_to(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn impatient(config: &mut EmulatorConfig) {
    config.limits.handshake = Duration::from_millis(100);
}

#[tokio::test]
async fn half_a_body_is_answered_408_everywhere() {
    let rig = Rig::with(impatient).await;
    let bot = rig.bot(JOIN).await;
    let (address, _) = listening(&rig, None).await;
    let half = |path: &str, headers: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: 100\r\n\r\n{{\"half")
    };
    let authorization = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", bot.token);
    let graph = answer_to(address, &half("/v1.0/communications/calls", &authorization)).await;
    assert!(graph.starts_with("HTTP/1.1 408") && graph.contains("invalidRequest"), "{graph}");
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let token = answer_to(address, &half("/common/oauth2/v2.0/token", form)).await;
    assert!(token.starts_with("HTTP/1.1 408") && token.contains("invalid_request"), "{token}");
    let admin = answer_to(address, &half("/emulator/apps", "")).await;
    assert!(admin.starts_with("HTTP/1.1 408") && admin.contains("did not arrive in time"), "{admin}");
}

#[tokio::test]
async fn announced_body_beyond_the_limit_is_413_without_waiting_for_it() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    let (address, _) = listening(&rig, None).await;
    let head = format!(
        "POST /v1.0/communications/calls HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\nContent-Length: 9999999\r\n\r\n",
        bot.token
    );
    let answer = answer_to(address, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("invalidRequest"), "{answer}");
}

#[tokio::test]
async fn peer_that_sends_all_of_a_refused_body_can_still_read_why() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    let (plain, _) = listening(&rig, None).await;
    for path in ["/v1.0/communications/calls", "/common/oauth2/v2.0/token", "/emulator/apps"] {
        let body = "x".repeat(5 << 20);
        let form = "Content-Type: application/x-www-form-urlencoded";
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n{form}\r\nContent-Length: {}\r\n\r\n{body}",
            bot.token,
            body.len()
        );
        let answer = answer_to(plain, &request).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn peers_that_stop_half_way_give_their_place_back() {
    let rig = Rig::with(|config| {
        impatient(config);
        config.limits.connections = 2;
    })
    .await;
    let (plain, _) = listening(&rig, None).await;
    let (tls, _) = listening(&rig, Some(acceptor(&rig))).await;
    // Twice as many as there is room for, in each way to stop; the last ones are served because the first ones are gone.
    for bytes in
        ["", "GET /emulator HT", "GET /emulator HTTP/1.1\r\nHost: loc", "POST /emulator/apps HTTP/1.1\r\nContent-Le"]
    {
        let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(answer_to(plain, bytes))).collect();
        let overview = reqwest::get(format!("http://{plain}/emulator")).await.unwrap();
        assert_eq!(overview.status(), 200, "after {bytes:?}");
        for peer in waiting {
            let answer = peer.await.unwrap();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }
    let handshakes: Vec<_> = (0..4).map(|_| tokio::spawn(answer_to(tls, "\u{16}\u{3}\u{1}"))).collect();
    for handshake in handshakes {
        handshake.await.unwrap();
    }
}

#[tokio::test]
async fn peer_that_reads_no_answer_gives_its_place_back() {
    let rig = Rig::with(|config| {
        impatient(config);
        config.limits.connections = 1;
    })
    .await;
    let meeting = rig.meeting();
    let (address, _) = listening(&rig, None).await;
    let deaf = TcpStream::connect(address).await.unwrap();
    let (unread, mut asking) = deaf.into_split();
    let path = format!("/emulator/meetings/{}/join", meeting.id);
    let flood = tokio::spawn(async move {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        while asking.write_all(request.as_bytes()).await.is_ok() {}
    });
    let overview = reqwest::get(format!("http://{address}/emulator")).await.unwrap();
    assert_eq!(overview.status(), 200);
    flood.await.unwrap();
    drop(unread);
}
