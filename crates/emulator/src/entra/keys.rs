//! RSA keys and the tokens they sign.
//!
//! Two keys, as in the real service: one of the token authority, one of the calling service that signs notifications.
//! RSA-2048, RS256 (RFC 7518 §3.3), by aws-lc-rs. Making a key takes tens of milliseconds, so both are made once per
//! process, on a thread of their own, and shared by every emulator in it; whoever needs one first waits for it.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An RSA-2048 key pair with the id it is published under.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pair: KeyPair,
    kid: String,
}

/// Why a compact JWT was not accepted as signed by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JwtError {
    /// Not three base64url parts around JSON.
    Malformed,
    /// Another algorithm than RS256.
    Algorithm,
    /// Not signed by this key.
    Signature,
}

impl SigningKey {
    fn generate() -> Self {
        let pair =
            KeyPair::generate(KeySize::Rsa2048).expect("invariant: the cryptography library can make an RSA-2048 key");
        let kid = B64.encode(&digest(&SHA256, pair.public_key().as_ref()).as_ref()[..15]);
        Self { pair, kid }
    }

    /// Signs claims as a compact JWT (RFC 7519 §7.1).
    pub(crate) fn sign(&self, claims: &impl Serialize) -> String {
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": self.kid, "x5t": self.kid });
        let claims = serde_json::to_vec(claims).expect("invariant: claims are plain JSON");
        let mut token = B64.encode(header.to_string());
        token.push('.');
        B64.encode_string(claims, &mut token);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .expect("invariant: the signature buffer has the length of the modulus");
        token.push('.');
        B64.encode_string(signature, &mut token);
        token
    }

    /// Checks algorithm and signature, then reads the claims. Times and audience are the caller's to judge.
    ///
    /// # Errors
    ///
    /// [`JwtError`] when the text is no JWT of this key.
    pub(crate) fn verify<C: DeserializeOwned>(&self, token: &str) -> Result<C, JwtError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
        let header: Value = decode_json(header)?;
        if header["alg"] != "RS256" {
            return Err(JwtError::Algorithm);
        }
        let signature = B64.decode(signature).map_err(|_| JwtError::Malformed)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.pair.public_key().as_ref())
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| JwtError::Signature)?;
        decode_json(claims)
    }

    /// The public half as a JSON Web Key (RFC 7517 §4, RFC 7518 §6.3.1).
    pub(crate) fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "x5t": self.kid,
            "n": B64.encode(public.modulus().big_endian_without_leading_zero()),
            "e": B64.encode(public.exponent().big_endian_without_leading_zero()),
        })
    }
}

fn decode_json<T: DeserializeOwned>(part: &str) -> Result<T, JwtError> {
    let bytes = B64.decode(part).map_err(|_| JwtError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| JwtError::Malformed)
}

/// The two keys of the process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct KeyRing;

static AUTHORITY: OnceLock<Arc<SigningKey>> = OnceLock::new();
static CALLING: OnceLock<Arc<SigningKey>> = OnceLock::new();

impl KeyRing {
    /// Begins to make both keys, if nobody has yet, and returns at once.
    pub(crate) fn prepare(self) {
        if AUTHORITY.get().is_none() {
            std::thread::spawn(move || self.authority());
        }
        if CALLING.get().is_none() {
            std::thread::spawn(move || self.calling());
        }
    }

    /// The key that signs access tokens. Waits for it on first use.
    pub(crate) fn authority(self) -> Arc<SigningKey> {
        Arc::clone(AUTHORITY.get_or_init(|| Arc::new(SigningKey::generate())))
    }

    /// The key that signs notifications. Waits for it on first use.
    pub(crate) fn calling(self) -> Arc<SigningKey> {
        Arc::clone(CALLING.get_or_init(|| Arc::new(SigningKey::generate())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    #[test]
    fn token_is_accepted_by_another_implementation_through_the_published_key() {
        let key = KeyRing.authority();
        let token = key.sign(&json!({ "aud": "me", "n": 1 }));
        let jwk = key.jwk();
        let public = DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
        let mut rules = Validation::new(Algorithm::RS256);
        rules.set_audience(&["me"]);
        rules.required_spec_claims.clear();
        let read = decode::<Value>(&token, &public, &rules).unwrap();
        assert_eq!(read.claims["n"], 1);
        assert_eq!(read.header.kid.as_deref(), Some(key.kid.as_str()));
    }

    #[test]
    fn changed_claims_other_key_and_other_algorithm_are_refused() {
        let key = KeyRing.authority();
        let token = key.sign(&json!({ "roles": [] }));
        assert_eq!(KeyRing.calling().verify::<Value>(&token), Err(JwtError::Signature));

        let parts: Vec<_> = token.split('.').collect();
        let forged = B64.encode(json!({ "roles": ["Calls.JoinGroupCall.All"] }).to_string());
        let changed = format!("{}.{forged}.{}", parts[0], parts[2]);
        assert_eq!(key.verify::<Value>(&changed), Err(JwtError::Signature));

        let none = B64.encode(json!({ "alg": "none" }).to_string());
        assert_eq!(key.verify::<Value>(&format!("{none}.{forged}.")), Err(JwtError::Algorithm));
        for text in ["", ".", "a.b", "a.b.c", "..", "\u{e9}.\u{e9}.\u{e9}"] {
            assert_eq!(key.verify::<Value>(text), Err(JwtError::Malformed), "{text}");
        }
    }
}
