//! The TCP side: accepts, speaks TLS, serves HTTP/1.1.
//!
//! One task per connection, bounded in number; handshakes, request headers, bodies and unread answers have a deadline
//! (`patience`). On stop it accepts no more, lets requests in progress finish for the shutdown span, and ends.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::request::Parts;
use http::{Request, header::HOST};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::config::Limits;
use crate::patience::{TimedBody, TimedWrites};

/// Most bytes read from a peer that has its last answer already.
const LINGER_BYTES: u64 = 64 * 1024 * 1024;

/// Where a request came in; an extension of every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) peer: SocketAddr,
    pub(crate) tls: bool,
}

/// Scheme and host as the caller wrote them, for URLs in answers.
pub(crate) fn base_url(parts: &Parts, default_authority: &str) -> String {
    let scheme = if is_tls(parts) { "https" } else { "http" };
    format!("{scheme}://{}", host(parts).unwrap_or(default_authority))
}

/// Whether the request came by TLS; so it does unless the server says otherwise.
pub(crate) fn is_tls(parts: &Parts) -> bool {
    parts.extensions.get::<Connection>().is_none_or(|connection| connection.tls)
}

/// The authority of the request: its target's, else the `Host` header's.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let target = parts.uri.authority().map(http::uri::Authority::as_str);
    target.or_else(|| parts.headers.get(HOST)?.to_str().ok().filter(|host| !host.is_empty()))
}

/// Serves `listener` until `stopping` turns true.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stopping) => break,
            accepted = accept(&listener, &room) => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Some((stream, peer, place)) = accepted else {
            continue;
        };
        let (tls, router, stopping) = (tls.clone(), router.clone(), stopping.clone());
        let patience = limits.handshake;
        connections.spawn(async move {
            serve_stream(stream, peer, tls, router, patience, stopping).await;
            drop(place);
        });
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.shutdown, finished).await.is_err() {
        connections.shutdown().await;
    }
}

/// Waits for the signal to stop; a service that is gone stops too.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// The next connection, once there is room for it; `None` after a passing failure.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) => {
            // Out of descriptors, or the peer gave up: not our end. Wait so as not to spin.
            tracing::warn!(%error, "connection not accepted");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

async fn serve_stream(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    patience: Duration,
    stopping: watch::Receiver<bool>,
) {
    let connection = Connection { peer, tls: tls.is_some() };
    // Answers are small; waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_http(stream, connection, router, patience, stopping).await,
        Some(acceptor) => match tokio::time::timeout(patience, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => serve_http(stream, connection, router, patience, stopping).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake timed out"),
        },
    }
}

async fn serve_http<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    connection: Connection,
    router: Router,
    patience: Duration,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| Body::new(TimedBody::new(body, patience)));
        request.extensions_mut().insert(connection);
        Box::pin(router.clone().oneshot(request))
    });
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(TokioIo::new(TimedWrites::new(stream, patience)), service);
    let ended = tokio::select! {
        ended = poll_fn(|cx| serving.poll_without_shutdown(cx)) => ended,
        () = stopped(&mut stopping) => {
            std::pin::Pin::new(&mut serving).graceful_shutdown();
            poll_fn(|cx| serving.poll_without_shutdown(cx)).await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(peer = %connection.peer, %error, "connection ended");
    }
    let stream = serving.into_parts().io.into_inner();
    // A peer that does not close its half either is left alone after a while.
    let _ = tokio::time::timeout(patience, linger(stream, &mut stopping)).await;
}

/// Closes our half, then reads what the peer still sends. Closing both at once would reset a connection with unread bytes
/// in it, and the peer would lose the answer that told it why.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    stopping: &mut watch::Receiver<bool>,
) -> io::Result<u64> {
    stream.shutdown().await?;
    let (mut unread, mut nowhere) = (stream.take(LINGER_BYTES), tokio::io::sink());
    tokio::select! {
        () = stopped(stopping) => Ok(0),
        read = tokio::io::copy(&mut unread, &mut nowhere) => read,
    }
}
