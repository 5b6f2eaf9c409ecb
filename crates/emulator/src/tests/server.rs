//! Connections: TLS, plain HTTP, bad bytes, stop. Real sockets, no engine.

use super::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(super) async fn listening(
    rig: &Rig,
    tls: Option<TlsAcceptor>,
) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = rig.service.limits.clone();
    let serving = crate::server::serve(listener, tls, rig.router.clone(), limits, rig.service.stop_signal());
    (address, tokio::spawn(serving))
}

pub(super) fn acceptor(rig: &Rig) -> TlsAcceptor {
    TlsAcceptor::from(rig.service.certificates().server([127, 0, 0, 1].into(), &[]).unwrap())
}

#[tokio::test]
async fn caller_that_trusts_the_ca_is_served_by_every_spelling_of_loopback() {
    let rig = Rig::start().await;
    let (address, _) = listening(&rig, Some(acceptor(&rig))).await;
    let ca = reqwest::Certificate::from_pem(rig.service.certificates().pem().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/emulator", address.port());
        let overview: Value = client.get(&url).send().await.unwrap().json().await.unwrap();
        assert_eq!(overview["authorityUrl"], format!("https://{host}:{}", address.port()));
    }
    let stranger = reqwest::Client::builder().tls_certs_only([]).no_proxy().build().unwrap();
    assert!(stranger.get(format!("https://{address}/emulator")).send().await.is_err());
}

#[tokio::test]
async fn bytes_that_are_no_tls_or_http_disturb_nobody() {
    let rig = Rig::start().await;
    let (tls, _) = listening(&rig, Some(acceptor(&rig))).await;
    let (plain, _) = listening(&rig, None).await;
    for address in [tls, plain] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[0xff; 64]).await.unwrap();
        stream.write_all(b"\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await; // closed, with or without a complaint
    }
    let overview: Value = reqwest::get(format!("http://{plain}/emulator")).await.unwrap().json().await.unwrap();
    assert_eq!(overview["authorityUrl"], format!("http://{plain}"));
}

#[tokio::test]
async fn stop_ends_idle_connections_and_the_listener() {
    let rig = Rig::start().await;
    let (address, serving) = listening(&rig, None).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /emulator HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    idle.read_exact(&mut byte).await.unwrap();
    rig.service.signal_stop();
    serving.await.unwrap();
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}
