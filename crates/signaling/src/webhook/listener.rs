//! The webhook's socket: accepts, TLS, HTTP/1.1.
//!
//! One task per connection, a bounded number of them; a slow handshake or
//! header ends only its own connection. Stops when dropped.
//! Spec: RFC 8446 (TLS 1.3), RFC 9112 (HTTP/1.1).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::dispatch::{DispatchLimits, Dispatcher};
use super::joining::JoiningHook;
use super::keys::{KeySource, KeySourceConfig};
use super::router::{Webhook, WebhookLimits, routes};
use super::stats::{Counters, WebhookStats};
use super::verify::Expected;
use crate::http::HttpClient;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
const HEADERS_WITHIN: Duration = Duration::from_secs(30);

/// How the webhook is reached.
#[derive(Clone)]
#[non_exhaustive]
pub enum WebhookTls {
    /// No TLS. For development, or behind a proxy that ends TLS.
    Plain,
    /// TLS by a certificate chain and its key, both PEM.
    Pem {
        /// Leaf first.
        certificates: Vec<u8>,
        /// PKCS #8, PKCS #1 or SEC 1.
        key: Vec<u8>,
    },
}

impl std::fmt::Debug for WebhookTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Pem { .. } => "Pem",
        })
    }
}

/// Everything about the webhook.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Path notifications are posted to. Default `/api/calls`.
    pub path: String,
    /// TLS or not.
    pub tls: WebhookTls,
    /// What tokens must say.
    pub expected: Expected,
    /// Where the service's keys are.
    pub keys: KeySourceConfig,
    /// Queue capacities.
    pub dispatch: DispatchLimits,
    /// Who decides about participants joining under a recording policy.
    pub joining: JoiningHook,
    /// What one request may cost.
    pub limits: WebhookLimits,
    /// Connections at the same time. Default 512.
    pub connections: usize,
}

impl WebhookConfig {
    /// The defaults for an app.
    pub fn new(listen: SocketAddr, tls: WebhookTls, client_id: impl Into<String>) -> Self {
        Self {
            listen,
            path: "/api/calls".to_owned(),
            tls,
            expected: Expected::for_app(client_id),
            keys: KeySourceConfig::default(),
            dispatch: DispatchLimits::default(),
            joining: JoiningHook::default(),
            limits: WebhookLimits::default(),
            connections: 512,
        }
    }
}

/// Why the webhook cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenerError {
    /// The address is taken or not ours.
    #[error("the webhook cannot listen on {address}: {error}; choose another port or address")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The certificate or key is unreadable, or they do not fit together.
    #[error("the webhook's certificate and key cannot be used: {0}")]
    Certificate(String),
    /// The path does not begin with a slash or holds a pattern.
    #[error("the webhook's path must begin with '/' and hold no '{{' or '*'")]
    Path,
}

/// A listening webhook. Dropped, it stops.
#[derive(Debug)]
pub struct WebhookListener {
    address: SocketAddr,
    dispatcher: Dispatcher,
    counters: Arc<Counters>,
    keys: KeySource,
    accepting: JoinHandle<()>,
}

impl WebhookListener {
    /// Opens the socket and begins to accept.
    ///
    /// # Errors
    ///
    /// If address, path or certificate cannot be used.
    pub async fn start(config: WebhookConfig, http: HttpClient) -> Result<Self, ListenerError> {
        if !config.path.starts_with('/') || config.path.contains(['{', '*']) {
            return Err(ListenerError::Path);
        }
        let tls = match &config.tls {
            WebhookTls::Plain => None,
            WebhookTls::Pem { certificates, key } => Some(acceptor(certificates, key)?),
        };
        let listen = |error| ListenerError::Listen { address: config.listen, error };
        let socket = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        let counters = Arc::new(Counters::default());
        let dispatcher = Dispatcher::counting(config.dispatch, Arc::clone(&counters));
        let keys = KeySource::new(http, config.keys);
        let webhook = Webhook {
            expected: config.expected,
            keys: keys.clone(),
            dispatcher: dispatcher.clone(),
            joining: config.joining,
            limits: config.limits,
            counters: Arc::clone(&counters),
        };
        let router = routes(&config.path, Arc::new(webhook));
        let permits = Arc::new(Semaphore::new(config.connections));
        let accepting = tokio::spawn(accept(socket, tls, router, permits, Arc::clone(&counters)));
        Ok(Self { address, dispatcher, counters, keys, accepting })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where calls register for their notifications.
    pub fn dispatcher(&self) -> &Dispatcher {
        &self.dispatcher
    }

    /// The service's keys, to be fetched ahead if wanted.
    pub fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// What became of requests and notifications so far.
    pub fn stats(&self) -> WebhookStats {
        self.counters.snapshot()
    }
}

impl Drop for WebhookListener {
    fn drop(&mut self) {
        self.accepting.abort();
        self.dispatcher.close();
    }
}

fn acceptor(certificates: &[u8], key: &[u8]) -> Result<TlsAcceptor, ListenerError> {
    let bad = |error: &dyn std::fmt::Display| ListenerError::Certificate(error.to_string());
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(certificates).collect::<Result<_, _>>().map_err(|error| bad(&error))?;
    if chain.is_empty() {
        return Err(bad(&"there is no PEM certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| bad(&error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| bad(&error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    permits: Arc<Semaphore>,
    counters: Arc<Counters>,
) {
    // Connections live in this set: they end with the listener.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match socket.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, mostly: leave the others time to end.
                tracing::warn!(%error, "a connection to the webhook could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            counters.connections_refused.add(1);
            continue;
        };
        let (tls, router, counters) = (tls.clone(), router.clone(), Arc::clone(&counters));
        connections.spawn(async move {
            connection(stream, tls, router, &counters).await;
            drop(permit);
        });
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, router: Router, counters: &Counters) {
    // Failing only costs latency.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve(stream, router).await };
    match tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, router).await,
        Ok(Err(_)) | Err(_) => counters.handshakes_failed.add(1),
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router) {
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection to the webhook broke");
    }
}
