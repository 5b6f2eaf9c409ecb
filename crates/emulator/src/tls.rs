//! The emulator's own certificate authority, and the certificates it issues.
//!
//! A new CA at each start; its private key never leaves memory. The service's leaf names every spelling a caller on this
//! machine may use, because SDKs match an IP literal against an IP entry only. The same CA issues certificates for the
//! webhooks of bots. Writes one file, the CA certificate, if asked. ECDSA P-256 by aws-lc-rs; X.509 per RFC 5280.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{DnsName, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most names of one certificate.
const MAX_HOSTS: usize = 100;
/// The spellings of this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

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
    #[error("{0:?} cannot be named in a certificate: it is neither a DNS name nor an IP address")]
    HostName(String),
    /// More names than one certificate takes.
    #[error("a certificate names at most {MAX_HOSTS} hosts, not {0}")]
    TooManyHosts(usize),
    /// Certificate or key could not be made.
    #[error("cannot make the service's certificates: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the key or certificate.
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A certificate with its private key, issued by the emulator's CA.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct IssuedCertificate {
    /// The certificate and, after it, the CA's, as PEM: what a server presents.
    pub certificate_pem: String,
    /// The private key, PKCS #8 as PEM.
    pub private_key_pem: String,
    /// The names and addresses it is good for.
    pub hosts: Vec<String>,
}

impl fmt::Debug for IssuedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCertificate").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// The certificate authority of one emulator.
pub(crate) struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    /// Everything is valid from the end of the year before to the end of the year after.
    year: i32,
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").finish_non_exhaustive()
    }
}

impl CertificateAuthority {
    /// A CA with a key of its own.
    ///
    /// # Errors
    ///
    /// [`TlsError::Certificate`] when the cryptography library fails.
    pub(crate) fn new() -> Result<Self, TlsError> {
        let year = i32::from(Timestamp::now().to_zoned(TimeZone::UTC).year());
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Antiphon emulator CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        limit_validity(&mut params, year);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem, year })
    }

    /// The CA certificate, PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Issues a server certificate for these names and addresses; none means this machine by all its spellings.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when a name is no host name, there are too many, or the cryptography library fails.
    pub(crate) fn issue<S: AsRef<str>>(&self, hosts: &[S]) -> Result<IssuedCertificate, TlsError> {
        let mut hosts: Vec<String> = hosts.iter().map(|host| host.as_ref().to_owned()).collect();
        if hosts.is_empty() {
            hosts = LOOPBACK.map(str::to_owned).to_vec();
        }
        let (leaf, key) = self.leaf("Antiphon emulator webhook", &hosts)?;
        Ok(IssuedCertificate { certificate_pem: leaf.pem() + &self.pem, private_key_pem: key.serialize_pem(), hosts })
    }

    /// What the service itself presents at `bind`, ready for an acceptor; offers HTTP/1.1 by ALPN.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when a name is no host name or a library fails.
    pub(crate) fn server(&self, bind: IpAddr, names: &[String]) -> Result<Arc<ServerConfig>, TlsError> {
        let (leaf, key) = self.leaf("Antiphon emulator", &own_names(bind, names))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(tls))
    }

    fn leaf(&self, common_name: &str, hosts: &[String]) -> Result<(Certificate, KeyPair), TlsError> {
        if hosts.len() > MAX_HOSTS {
            return Err(TlsError::TooManyHosts(hosts.len()));
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.subject_alt_names = hosts.iter().map(|host| subject_alt_name(host)).collect::<Result<_, _>>()?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        limit_validity(&mut params, self.year);
        Ok((params.signed_by(&key, &self.issuer)?, key))
    }
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

fn limit_validity(params: &mut CertificateParams, year: i32) {
    params.not_before = date_time_ymd(year - 1, 12, 1);
    params.not_after = date_time_ymd(year + 1, 12, 31);
}

/// Every name under which the service is called.
fn own_names(bind: IpAddr, names: &[String]) -> Vec<String> {
    let mut all = LOOPBACK.map(str::to_owned).to_vec();
    if !bind.is_unspecified() {
        all.push(bind.to_string());
    }
    all.extend(names.iter().cloned());
    all.sort();
    all.dedup();
    all
}

/// An address, a DNS name, or a DNS name with `*` as its first label.
fn subject_alt_name(host: &str) -> Result<SanType, TlsError> {
    if let Ok(ip) = host.parse() {
        return Ok(SanType::IpAddress(ip));
    }
    let refused = || TlsError::HostName(host.to_owned());
    DnsName::try_from(host.strip_prefix("*.").unwrap_or(host)).map_err(|_| refused())?;
    host.try_into().map(SanType::DnsName).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    #[test]
    fn service_names_localhost_loopback_and_bind_address_once() {
        let names = own_names([127, 0, 0, 1].into(), &["svc.test".to_owned()]);
        assert_eq!(names, ["127.0.0.1", "::1", "localhost", "svc.test"]);
    }

    #[test]
    fn issued_certificate_is_the_cas_and_good_for_the_named_hosts_only() {
        let authority = CertificateAuthority::new().unwrap();
        let issued = authority.issue(&["bot.test", "127.0.0.1"]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(issued.certificate_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
        let check = |host: &'static str| {
            let name = ServerName::try_from(host).unwrap();
            verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
        };
        check("bot.test").unwrap();
        check("127.0.0.1").unwrap();
        check("localhost").unwrap_err();
        PrivateKeyDer::from_pem_slice(issued.private_key_pem.as_bytes()).unwrap();

        let own = authority.issue::<&str>(&[]).unwrap();
        assert_eq!(own.hosts, LOOPBACK);
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
    fn names_that_are_none_are_refused_by_name() {
        let authority = CertificateAuthority::new().unwrap();
        for name in ["no\u{e9}l", "a b", "", "*", "a..b", "-a.test", "https://bot.test"] {
            let error = authority.issue(&["localhost", name]).unwrap_err();
            assert!(matches!(&error, TlsError::HostName(culprit) if culprit == name), "{error}");
        }
        authority.issue(&["*.bot.test"]).unwrap();
        let many: Vec<String> = (0..=MAX_HOSTS).map(|index| format!("bot{index}.test")).collect();
        assert!(matches!(authority.issue(&many), Err(TlsError::TooManyHosts(101))));
        assert!(matches!(authority.server([0, 0, 0, 0].into(), &["a b".to_owned()]), Err(TlsError::HostName(_))));
    }
}
