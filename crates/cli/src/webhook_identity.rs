//! A throw-away TLS identity for a bot's webhook on this machine.
//!
//! Owns one self-signed certificate for loopback, made at start. The emulator is told to trust exactly it.

use antiphon::WebhookTls;
use anyhow::Context as _;

/// A certificate with its key, both PEM.
#[derive(Clone)]
pub(crate) struct WebhookIdentity {
    certificate: String,
    key: String,
}

impl WebhookIdentity {
    /// Makes a new one for `127.0.0.1` and `localhost`.
    ///
    /// # Errors
    /// If the crypto library cannot make a key.
    pub(crate) fn for_loopback() -> anyhow::Result<Self> {
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).context("no certificate can be made for the webhook")?;
        Ok(Self { certificate: made.cert.pem(), key: made.signing_key.serialize_pem() })
    }

    /// What the emulator must trust.
    pub(crate) fn certificate_pem(&self) -> Vec<u8> {
        self.certificate.clone().into_bytes()
    }

    /// For the webhook's listener.
    pub(crate) fn tls(&self) -> WebhookTls {
        WebhookTls::Pem { certificates: self.certificate.clone().into(), key: self.key.clone().into() }
    }
}

impl std::fmt::Debug for WebhookIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookIdentity")
    }
}
