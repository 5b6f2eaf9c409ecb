//! A calling service's signing key: makes tokens, good and bad.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub(crate) const APP: &str = "2891555a-92ff-42e6-80fa-6e1300c6b5c6";
pub(crate) const TENANT: &str = "632899f8-2ea1-4604-8413-27bd2892079f";

#[derive(Debug)]
pub(crate) struct Signer {
    kid: String,
    key: KeyPair,
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of a good token at this time.
pub(crate) fn claims(now: i64) -> Value {
    json!({
        "iss": "https://graph.microsoft.com", "aud": APP, "tid": TENANT, "iat": now, "nbf": now, "exp": now + 3900,
    })
}

impl Signer {
    pub(crate) fn new(kid: &str) -> Self {
        Self { kid: kid.to_owned(), key: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"typ": "JWT", "alg": "RS256", "kid": self.kid}), claims)
    }

    /// Signs with RSA whatever the header says.
    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    /// The public key in DER, as an attacker knows it.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    pub(crate) fn jwks(&self) -> Value {
        // RSAPublicKey (RFC 8017 A.1.1) of a 2048-bit key: n is 256 bytes after a zero, e is 65537.
        let public = self.public();
        let (n, e) = (encode(&public[9..265]), encode(&public[public.len() - 3..]));
        json!({"keys": [
            {"kty": "EC", "kid": "other", "crv": "P-256", "x": "AA", "y": "AA"},
            {"kty": "RSA", "use": "enc", "kid": "encryption", "n": n, "e": e},
            {"kty": "RSA", "use": "sig", "kid": self.kid, "n": n, "e": e, "endorsements": ["msteams"]},
        ]})
    }
}
