//! The emulator's own certificate authority and its server certificate.
//!
//! A new CA at each start; its private key never leaves memory. The leaf names every spelling a caller on this machine
//! may use, because SDKs match an IP literal against an IP entry only. Writes one file, the CA certificate, if asked.
//! ECDSA P-256 by aws-lc-rs; X.509 per RFC 5280.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

/// Why the certificates could not be made or kept.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The CA file cannot be written.
    #[error("cannot write the CA certificate to {path}: {source}; choose a writable file for it")]
    CaFile {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A host name cannot stand in a certificate.
    #[error("{name:?} cannot be named in a certificate: {source}")]
    HostName {
        /// The name asked for.
        name: String,
        /// What the certificate builder said.
        source: rcgen::Error,
    },
    /// Certificate or key could not be made.
    #[error("cannot make the service's certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the key or certificate.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// What the server needs to speak TLS, and what callers need to trust it.
#[derive(Debug, Clone)]
pub(crate) struct ServerIdentity {
    /// Ready for an acceptor; offers HTTP/1.1 by ALPN.
    pub(crate) tls: Arc<ServerConfig>,
    /// The CA certificate, PEM.
    pub(crate) ca_pem: String,
}

/// Makes a CA and a leaf for localhost, the loopback addresses, `bind` and `names`.
///
/// # Errors
///
/// [`TlsError`] when a name is no host name or the cryptography library fails.
pub(crate) fn make_identity(bind: IpAddr, names: &[String]) -> Result<ServerIdentity, TlsError> {
    let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year();
    let not_before = date_time_ymd(i32::from(year) - 1, 12, 1);
    let not_after = date_time_ymd(i32::from(year) + 1, 12, 31);

    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name.push(DnType::CommonName, "Antiphon emulator CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (ca.not_before, ca.not_after) = (not_before, not_after);
    let ca_certificate = ca.self_signed(&ca_key)?;

    let leaf_key = KeyPair::generate()?;
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "Antiphon emulator");
    leaf.subject_alt_names = subject_alt_names(bind, names)?;
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    (leaf.not_before, leaf.not_after) = (not_before, not_after);
    let leaf_certificate = leaf.signed_by(&leaf_key, &Issuer::from_params(&ca, &ca_key))?;

    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf_certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der())),
        )?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(ServerIdentity { tls: Arc::new(tls), ca_pem: ca_certificate.pem() })
}

/// Writes the CA certificate, making its folder if need be.
///
/// # Errors
///
/// [`TlsError::CaFile`] when the system refuses.
pub(crate) fn write_ca(path: &Path, ca_pem: &str) -> Result<(), TlsError> {
    let wrap = |source| TlsError::CaFile { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(wrap)?;
    }
    fs::write(path, ca_pem).map_err(wrap)
}

fn subject_alt_names(bind: IpAddr, names: &[String]) -> Result<Vec<SanType>, TlsError> {
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !bind.is_unspecified() {
        all.push(bind.to_string());
    }
    all.extend(names.iter().cloned());
    all.sort();
    all.dedup();
    all.into_iter()
        .map(|name| match name.parse::<IpAddr>() {
            Ok(ip) => Ok(SanType::IpAddress(ip)),
            Err(_) => match name.as_str().try_into() {
                Ok(dns) => Ok(SanType::DnsName(dns)),
                Err(source) => Err(TlsError::HostName { name, source }),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_names_localhost_loopback_and_bind_address_once() {
        let names = subject_alt_names([127, 0, 0, 1].into(), &["svc.test".to_owned()]).unwrap();
        assert_eq!(names.len(), 4, "{names:?}");
    }

    #[test]
    fn unwritable_ca_file_is_one_sentence_with_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").unwrap();
        let error = write_ca(&blocked.join("ca.pem"), "pem").unwrap_err();
        let text = error.to_string();
        assert!(text.contains("ca.pem") && text.contains("choose a writable file"), "{text}");
    }

    #[test]
    fn host_name_with_a_space_is_refused_by_name() {
        let error = make_identity([127, 0, 0, 1].into(), &["no\u{e9}l".to_owned()]).unwrap_err();
        assert!(matches!(error, TlsError::HostName { name, .. } if name == "no\u{e9}l"));
    }
}
