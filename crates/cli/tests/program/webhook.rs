//! A server that answers as it is told, certificate and status, and keeps what it was sent.
//!
//! For the doctor, which must tell good webhooks from bad ones, and for calls, whose notifications have to go somewhere.
//! HTTP/1.1 by hand, a request per connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(crate) name: &'static str,
    /// First and last year of its validity.
    pub(crate) years: (i32, i32),
}

impl Default for Certificate {
    fn default() -> Self {
        Self { name: "127.0.0.1", years: (2020, 2099) }
    }
}

/// A listening server. Dropped, it stops.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The authority that issued its certificate.
    pub(crate) ca_pem: String,
    bodies: mpsc::Receiver<String>,
    serving: JoinHandle<()>,
}

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(30);

impl Server {
    /// Serves every request this head, such as `401 Unauthorized`, by TLS.
    pub(crate) async fn start(certificate: &Certificate, head: &'static str) -> Self {
        let mut ca = CertificateParams::default();
        ca.distinguished_name.push(rcgen::DnType::CommonName, "Test authority");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().expect("a key")).expect("an authority");
        let mut leaf = CertificateParams::new(vec![certificate.name.to_owned()]).expect("a name");
        (leaf.not_before, leaf.not_after) =
            (rcgen::date_time_ymd(certificate.years.0, 1, 1), rcgen::date_time_ymd(certificate.years.1, 12, 31));
        let key = KeyPair::generate().expect("a key");
        let signed = leaf.signed_by(&key, &ca).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(signed.der().to_vec())],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .expect("a certificate that fits its key");
        Self::listen(Some(TlsAcceptor::from(Arc::new(config))), ca.pem(), head).await
    }

    /// The same without TLS.
    pub(crate) async fn plain(head: &'static str) -> Self {
        Self::listen(None, String::new(), head).await
    }

    async fn listen(tls: Option<TlsAcceptor>, ca_pem: String, head: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heard, bodies) = mpsc::channel(1024);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, heard) = (tls.clone(), heard.clone());
                tokio::spawn(async move {
                    let body = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => answer(stream, head).await,
                            Err(_) => None,
                        },
                        None => answer(stream, head).await,
                    };
                    if let Some(body) = body {
                        heard.try_send(body).expect("a test reads what it is sent");
                    }
                });
            }
        });
        Self { address, ca_pem, bodies, serving }
    }

    /// The resource of the next notification of a call (of any, if none is named) that is in this state.
    pub(crate) async fn heard(&mut self, call: Option<&str>, state: &str) -> Value {
        let fits = |resource: &Value| resource["state"] == state && call.is_none_or(|call| resource["id"] == call);
        self.next(&format!("a call that is {state}"), fits).await
    }

    /// The notification that an operation has ended.
    pub(crate) async fn ended(&mut self, operation: &Value) -> Value {
        self.next("the end of an operation", |resource| resource["id"] == operation["id"]).await
    }

    async fn next(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let next = async {
            loop {
                let body = self.bodies.recv().await.expect("the server runs");
                let body: Value = serde_json::from_str(&body).expect("JSON");
                let told = body["value"].as_array().expect("notifications").iter().map(|one| &one["resourceData"]);
                if let Some(resource) = told.into_iter().find(|resource| fits(resource)) {
                    return resource.clone();
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("nobody told of {what}"))
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}/api/calls", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request to its end, as far as its length is told, and answers. What is no HTTP at all is answered at once.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !is_whole(&request) {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => request.extend_from_slice(&chunk[..count]),
        }
    }
    let reply = format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    // Whoever asked may have gone.
    drop(stream.write_all(reply.as_bytes()).await);
    drop(stream.shutdown().await);
    let text = String::from_utf8(request).ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

fn is_whole(request: &[u8]) -> bool {
    if request.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return true;
    }
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}
