//! What all legs of a process share: one DTLS certificate, its fingerprint, and the crypto provider.
//!
//! In the flow: made once at start (about 60 µs), cloned into every leg.
//! Invariants: the provider is aws-lc-rs, named explicitly, whatever features other crates switch on.
//! Not here: the TLS certificates of HTTP.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use rtc_crypto::RTCCryptoProvider;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_dtls::crypto::Certificate;
use zeroize::Zeroizing;

use crate::sdp::{Fingerprint, IceCredentials};

/// The process could not make its DTLS identity: the environment's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Key or certificate generation failed.
    #[error("cannot generate a DTLS certificate: {0}")]
    Certificate(String),
}

/// One certificate for all legs. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    provider: Arc<dyn RTCCryptoProvider>,
    certificate: Certificate,
    fingerprint: Fingerprint,
}

impl Identity {
    /// Makes a P-256 key and a self-signed certificate.
    ///
    /// # Errors
    /// [`IdentityError`] if the crypto library fails, e.g. for lack of randomness.
    pub fn generate() -> Result<Self, IdentityError> {
        let provider: Arc<dyn RTCCryptoProvider> = Arc::new(AwsLcRsProvider::new());
        let certificate = Certificate::generate_self_signed(vec!["antiphon".to_owned()], provider.crypto())
            .map_err(|e| IdentityError::Certificate(e.to_string()))?;
        let leaf = certificate.certificate.first().ok_or_else(|| IdentityError::Certificate("empty chain".into()))?;
        let fingerprint = fingerprint_of(leaf.as_ref());
        Ok(Self { inner: Arc::new(Inner { provider, certificate, fingerprint }) })
    }

    /// SHA-256 of the certificate, for `a=fingerprint`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.fingerprint
    }

    pub(crate) fn provider(&self) -> &Arc<dyn RTCCryptoProvider> {
        &self.inner.provider
    }

    pub(crate) fn certificate(&self) -> &Certificate {
        &self.inner.certificate
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.inner.fingerprint).finish_non_exhaustive()
    }
}

/// SHA-256 of a DER certificate.
pub(crate) fn fingerprint_of(der: &[u8]) -> Fingerprint {
    let digest = digest::digest(&digest::SHA256, der);
    Fingerprint::new(digest.as_ref().try_into().expect("invariant: SHA-256 gives 32 bytes"))
}

/// The system's randomness is gone; nothing secure can be made without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no randomness")]
pub struct NoRandomness;

/// Fresh random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// 48 bits of ufrag and 144 bits of password (RFC 8839 §5.4 asks for at least 24 and 128).
pub(crate) fn ice_credentials() -> Result<IceCredentials, NoRandomness> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = |bytes: &[u8]| bytes.iter().map(|b| char::from(ALPHABET[usize::from(b & 63)])).collect::<String>();
    let bytes = Zeroizing::new(random::<32>()?);
    Ok(IceCredentials { ufrag: text(&bytes[..8]), pwd: Zeroizing::new(text(&bytes[8..])) })
}
