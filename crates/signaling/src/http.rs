//! The HTTP client everything in this crate shares.
//!
//! Owns trust (system roots, an extra CA), timeouts and the limit on reply
//! bodies. Never follows redirects: a redirected POST would become a GET, and
//! a token would travel to another host. One request in, one reply out;
//! retrying is the caller's business.
//! Spec: RFC 9110.

use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use bytes::BytesMut;
use thiserror::Error;

/// Reply bodies beyond this are refused.
const MAX_REPLY_BYTES: usize = 8 * 1024 * 1024;

/// Trust and timeouts.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// PEM certificates to trust besides the system's: the emulator's CA.
    pub ca_pem: Option<Vec<u8>>,
    /// Whether the system's roots are trusted at all. Off, only `ca_pem` is.
    pub system_roots: bool,
    /// For the TCP and TLS handshakes. Default 10 s.
    pub connect_timeout: Duration,
    /// For a whole request, the reply's body included. Default 30 s.
    pub request_timeout: Duration,
    /// Never use a proxy, even if the environment names one. Loopback hosts
    /// are what this is for; the default asks the environment.
    pub no_proxy: bool,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            ca_pem: None,
            system_roots: true,
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            no_proxy: false,
        }
    }
}

/// Why no client could be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpConfigError {
    /// `ca_pem` holds no readable certificate.
    #[error("the CA file holds no readable PEM certificate")]
    CaPem,
    /// The TLS set-up failed, mostly for want of system roots.
    #[error("the HTTP client cannot be made: {0} (is a CA bundle installed, or a CA file given?)")]
    Build(String),
}

/// A connection pool with its trust. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpClient {
    inner: reqwest::Client,
}

/// A whole reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
}

impl Reply {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, Error)]
#[error("{message}")]
pub struct TransportError {
    pub(crate) kind: TransportErrorKind,
    pub(crate) message: String,
}

/// What kept a reply from coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection: the request was never sent.
    Connect,
    /// Timed out or broken after the request may have been sent.
    Interrupted,
    /// The reply's body is longer than any this API sends.
    TooLong,
    /// The request cannot be built, for example for a malformed URL.
    Request,
}

impl TransportError {
    /// What kept the reply from coming.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }

    /// Whether sending the same request again can help.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self.kind, TransportErrorKind::Connect | TransportErrorKind::Interrupted)
    }

    /// Whether the service may have done what it was asked.
    pub fn may_have_happened(&self) -> bool {
        matches!(self.kind, TransportErrorKind::Interrupted | TransportErrorKind::TooLong)
    }
}

impl HttpClient {
    /// Makes a client.
    ///
    /// # Errors
    ///
    /// If the CA is unreadable or no root of trust can be loaded.
    pub fn new(config: &HttpConfig) -> Result<Self, HttpConfigError> {
        let certificates = match &config.ca_pem {
            None => Vec::new(),
            Some(pem) => reqwest::Certificate::from_pem_bundle(pem)
                .ok()
                .filter(|bundle| !bundle.is_empty())
                .ok_or(HttpConfigError::CaPem)?,
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(config.connect_timeout)
            .timeout(config.request_timeout)
            .tcp_nodelay(true);
        builder = if config.system_roots {
            builder.tls_certs_merge(certificates)
        } else {
            builder.tls_certs_only(certificates)
        };
        if config.no_proxy {
            builder = builder.no_proxy();
        }
        let inner = builder.build().map_err(|error| HttpConfigError::Build(chain(&error)))?;
        Ok(Self { inner })
    }

    pub(crate) fn request(&self, method: ::http::Method, url: &str) -> reqwest::RequestBuilder {
        self.inner.request(method, url)
    }

    /// Sends a request and reads the whole reply.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, TransportError> {
        let mut response = request.send().await.map_err(|error| transport_error(&error))?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| transport_error(&error))? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                let message = format!("the reply is longer than {MAX_REPLY_BYTES} bytes");
                return Err(TransportError { kind: TransportErrorKind::TooLong, message });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body: body.freeze() })
    }
}

fn transport_error(error: &reqwest::Error) -> TransportError {
    let kind = if error.is_connect() {
        TransportErrorKind::Connect
    } else if error.is_builder() {
        TransportErrorKind::Request
    } else {
        TransportErrorKind::Interrupted
    };
    TransportError { kind, message: chain(error) }
}

/// An error with its causes, which hold what one wants to know.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
