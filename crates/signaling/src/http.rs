//! The HTTP client everything in this crate shares.
//!
//! Owns trust (system roots, an extra CA), timeouts and the limit on reply
//! bodies. Never follows redirects: a redirected POST would become a GET, and
//! a token would travel to another host. One request in, one reply out;
//! retrying is the caller's business.
//! Spec: RFC 9110.

use std::net::IpAddr;
use std::time::Duration;

use ::http::{HeaderMap, StatusCode};
use bytes::BytesMut;
use thiserror::Error;

/// Reply bodies beyond this are refused.
const MAX_REPLY_BYTES: usize = 8 * 1024 * 1024;

/// What names a proxy in the environment; `NO_PROXY` then has its say too.
const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

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
    /// never go through one anyway. Default: ask the environment.
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
    proxied: reqwest::Client,
    /// For loopback hosts: no proxy can reach those.
    direct: reqwest::Client,
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
        let builder = || {
            let builder = reqwest::Client::builder()
                .user_agent(concat!("antiphon/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(config.connect_timeout)
                .timeout(config.request_timeout)
                .tcp_nodelay(true);
            match config.system_roots {
                true => builder.tls_certs_merge(certificates.clone()),
                false => builder.tls_certs_only(certificates.clone()),
            }
        };
        let build =
            |builder: reqwest::ClientBuilder| builder.build().map_err(|error| HttpConfigError::Build(chain(&error)));
        let direct = build(builder().no_proxy())?;
        let environment = !config.no_proxy && PROXY_VARIABLES.iter().any(|name| std::env::var_os(name).is_some());
        let proxied = if environment { build(builder())? } else { direct.clone() };
        Ok(Self { proxied, direct })
    }

    pub(crate) fn request(&self, method: ::http::Method, url: &str) -> reqwest::RequestBuilder {
        let client = if is_loopback(url) { &self.direct } else { &self.proxied };
        client.request(method, url)
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

/// Whether the host of a URL is this machine.
fn is_loopback(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_reached_without_a_proxy() {
        for url in ["https://127.0.0.1:8443/x", "http://localhost/", "https://[::1]:1/", "http://LOCALHOST:80"] {
            assert!(is_loopback(url), "{url}");
        }
        for url in ["https://graph.microsoft.com", "http://10.0.0.1/", "http://localhost.evil.example", "nonsense"] {
            assert!(!is_loopback(url), "{url}");
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_said() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"] {
            let config = HttpConfig { ca_pem: Some(pem.into()), ..HttpConfig::default() };
            assert!(HttpClient::new(&config).is_err(), "{pem}");
        }
    }
}
