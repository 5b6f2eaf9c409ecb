//! A server's certificate, looked at from every side at once.
//!
//! A handshake that stops at the first fault tells only that one. This one takes whatever is presented, keeps it, and then
//! holds chain, name and time against the rules one by one. Nothing is sent over such a connection.
//! Spec: RFC 5280, RFC 6125.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::finding::{Finding, Subject};
use super::token::spoken;

const SUBJECT: Subject = Subject::Webhook;
/// A certificate with less time left is worth a word.
const SHORT: SignedDuration = SignedDuration::from_hours(14 * 24);
const PATIENCE: Duration = Duration::from_secs(10);

/// Keeps what is presented and objects to nothing but broken signatures of the handshake.
#[derive(Debug)]
struct Witness {
    provider: Arc<CryptoProvider>,
    presented: Mutex<Vec<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates).map(|one| one.clone().into_owned()).collect();
        *self.presented.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whom to trust: the public roots as this machine has them, and what the user added.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    system: RootCertStore,
    extra: RootCertStore,
}

impl Trust {
    /// Loads the system's roots and reads the extra ones.
    pub(super) fn load(extra_pem: Option<&[u8]>) -> anyhow::Result<Self> {
        let mut system = RootCertStore::empty();
        system.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut extra = RootCertStore::empty();
        if let Some(pem) = extra_pem {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.context("--webhook-ca holds something that is no PEM certificate")?;
                extra.add(certificate).context("--webhook-ca holds a certificate that cannot be a trust anchor")?;
            }
            anyhow::ensure!(!extra.is_empty(), "--webhook-ca holds no PEM certificate");
        }
        Ok(Self { system, extra })
    }
}

/// Shakes hands with a server and judges its certificate.
pub(super) async fn examine(address: SocketAddr, host: &str, trust: &Trust, now: Timestamp) -> Vec<Finding> {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let Ok(name) = ServerName::try_from(host.clone()) else {
        let seen = format!("{host:?} cannot be the name of a server");
        return vec![Finding::missing(SUBJECT, "tls", seen, "use a DNS name of letters, digits and hyphens")];
    };
    match tokio::time::timeout(PATIENCE, presented(address, name.clone())).await {
        Ok(Ok(certificates)) => {
            let mut findings = vec![Finding::ok(SUBJECT, "tls", "TLS 1.2 or newer is spoken")];
            findings.extend(judge(&certificates, &name, trust, now));
            findings
        }
        Ok(Err(error)) => {
            let fix = "serve TLS 1.2 or newer with a certificate on this very port";
            vec![Finding::missing(SUBJECT, "tls", format!("the TLS handshake fails: {error:#}"), fix)]
        }
        Err(_) => {
            let seen = format!("no TLS handshake within {} s", PATIENCE.as_secs());
            vec![Finding::missing(SUBJECT, "tls", seen, "check that this port speaks TLS and is not plain HTTP")]
        }
    }
}

async fn presented(address: SocketAddr, name: ServerName<'static>) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let witness = Arc::new(Witness { provider: Arc::clone(&provider), presented: Mutex::default() });
    let verifier: Arc<dyn ServerCertVerifier> = Arc::<Witness>::clone(&witness);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let certificates = std::mem::take(&mut *witness.presented.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(certificates)
}

/// Chain, name and time, each by itself.
fn judge(
    certificates: &[CertificateDer<'static>],
    name: &ServerName<'_>,
    trust: &Trust,
    now: Timestamp,
) -> Vec<Finding> {
    let parsed = certificates.split_first().and_then(|(leaf, rest)| {
        Some((rest, X509Certificate::from_der(leaf).ok()?.1, ParsedCertificate::try_from(leaf).ok()?))
    });
    let Some((intermediates, leaf, checked)) = parsed else {
        let fix = "serve an X.509 certificate of version 3";
        return vec![Finding::missing(SUBJECT, "certificate chain", "the certificate cannot be read", fix)];
    };
    vec![chain(&leaf, &checked, intermediates, trust, now), named(&leaf, &checked, name), time(&leaf, now)]
}

fn chain(
    leaf: &X509Certificate<'_>,
    checked: &ParsedCertificate<'_>,
    intermediates: &[CertificateDer<'_>],
    trust: &Trust,
    now: Timestamp,
) -> Finding {
    let check = "certificate chain";
    // Its time is a finding of its own: here it is looked at on a day it was good.
    let validity = leaf.validity();
    let day = now
        .as_second()
        .clamp(validity.not_before.timestamp(), validity.not_after.timestamp().max(validity.not_before.timestamp()));
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(day).unwrap_or(0)));
    let algorithms = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let leads_to = |roots| verify_server_cert_signed_by_trust_anchor(checked, roots, intermediates, at, algorithms.all);
    let issuer = leaf.issuer().to_string();
    let error = match leads_to(&trust.system) {
        Ok(()) => return Finding::ok(SUBJECT, check, format!("leads from {issuer:?} to a root this machine trusts")),
        Err(error) => error,
    };
    if leads_to(&trust.extra).is_ok() {
        let seen = format!("issued by {issuer:?}, trusted by --webhook-ca only");
        let fix = "good for an emulator that is told to trust it; Graph wants a certificate of a public authority";
        return Finding::warning(SUBJECT, check, seen, fix);
    }
    let self_signed = leaf.issuer() == leaf.subject();
    let fix = if self_signed {
        "it is self-signed: Graph wants one of a public authority; to check one of your own, add --webhook-ca FILE"
    } else if intermediates.is_empty() {
        "only the certificate itself is sent: send the intermediates too (the full chain), or add --webhook-ca FILE"
    } else {
        "use a certificate of a public authority; to check one of your own authority, add --webhook-ca FILE"
    };
    Finding::missing(SUBJECT, check, format!("issued by {issuer:?}, which leads to no trusted root ({error})"), fix)
}

fn named(leaf: &X509Certificate<'_>, checked: &ParsedCertificate<'_>, name: &ServerName<'_>) -> Finding {
    let check = "certificate name";
    let wanted = name.to_str();
    if verify_server_name(checked, name).is_ok() {
        return Finding::ok(SUBJECT, check, format!("is for {wanted}"));
    }
    let alternative = leaf.subject_alternative_name().ok().flatten();
    let names = alternative.map_or_else(
        || "nothing (it has no subject alternative names)".to_owned(),
        |extension| extension.value.general_names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    );
    let fix = format!("get a certificate with {wanted} among its subject alternative names, or use a name it has");
    Finding::missing(SUBJECT, check, format!("is not for {wanted} but for {names}"), fix)
}

fn time(leaf: &X509Certificate<'_>, now: Timestamp) -> Finding {
    let check = "certificate time";
    let moment = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    let begins = moment(leaf.validity().not_before.timestamp());
    let ends = moment(leaf.validity().not_after.timestamp());
    let left = ends.duration_since(now);
    if left <= SignedDuration::ZERO {
        return Finding::missing(SUBJECT, check, format!("expired {} ago, at {ends}", spoken(-left)), "renew it");
    }
    if begins > now {
        let seen = format!("is not valid before {begins}");
        return Finding::missing(SUBJECT, check, seen, "wait, or check the clock of the machine that made it");
    }
    let seen = format!("valid for another {}, until {ends}", spoken(left));
    if left < SHORT { Finding::warning(SUBJECT, check, seen, "renew it") } else { Finding::ok(SUBJECT, check, seen) }
}
