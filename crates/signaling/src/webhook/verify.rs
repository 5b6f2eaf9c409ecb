//! Verification of the token a notification carries: a pure function.
//!
//! RS256 only, so that neither `none` nor a symmetric algorithm with the
//! public key as secret can pass. Issuer, audience, tenant and times are
//! checked before the signature: an unknown key then means that everything
//! else fits, and only then is fetching keys anew worth it.
//! Spec: RFC 7519 (JWT), RFC 7515 (JWS), RFC 7518 §3.3 (RS256), RFC 7517 (JWK),
//! RFC 8725 (best current practices).

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

/// Tokens longer than this are not looked at.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The public keys of the service, by key id.
#[derive(Debug, Clone, Default)]
pub struct KeySet {
    keys: HashMap<String, RsaKey>,
}

#[derive(Debug, Clone)]
struct RsaKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    #[serde(default)]
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// Reads a JWK set; keys that cannot sign RS256 are left out.
    ///
    /// # Errors
    ///
    /// If the text is no JWK set.
    pub fn parse(jwks: &[u8]) -> Result<Self, serde_json::Error> {
        let jwks: Jwks = serde_json::from_slice(jwks)?;
        Ok(Self { keys: jwks.keys.into_iter().filter_map(usable).collect() })
    }

    /// How many usable keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

fn usable(jwk: Jwk) -> Option<(String, RsaKey)> {
    let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig");
    let rs256 = jwk.alg.as_deref().is_none_or(|alg| alg == "RS256");
    if !(jwk.kty == "RSA" && signs && rs256) {
        return None;
    }
    let key = RsaKey { modulus: integer(&jwk.n?)?, exponent: integer(&jwk.e?)? };
    Some((jwk.kid?, key))
}

/// Base64url of a big-endian integer, leading zeros dropped.
fn integer(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    let first = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[first..].to_vec())
}

/// What a token must say.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The app's client id.
    pub audience: String,
    /// Issuers that are taken.
    pub issuers: Vec<String>,
    /// How far clocks may differ. Default 5 minutes.
    pub skew: Duration,
}

impl Expected {
    /// Tokens of the public cloud's calling service for an app.
    pub fn for_app(client_id: impl Into<String>) -> Self {
        Self {
            audience: client_id.into(),
            issuers: vec!["https://graph.microsoft.com".to_owned(), "https://api.botframework.com".to_owned()],
            skew: Duration::from_secs(5 * 60),
        }
    }
}

/// What a good token told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Tenant of the call.
    pub tenant: String,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TokenFault {
    /// No `Authorization` header.
    #[error("there is no Authorization header")]
    Missing,
    /// An `Authorization` header that is no bearer token.
    #[error("the Authorization header is not a bearer token")]
    NotBearer,
    /// Not a JWT, or too long.
    #[error("the token is not a JWT")]
    Malformed,
    /// Signed with something else than RS256.
    #[error("the token is not signed with RS256")]
    Algorithm,
    /// By an issuer that is not the service.
    #[error("the token has another issuer")]
    Issuer,
    /// For another app.
    #[error("the token is for another audience")]
    Audience,
    /// No expiry, or past it.
    #[error("the token has expired")]
    Expired,
    /// Good only later.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// No tenant.
    #[error("the token names no tenant")]
    NoTenant,
    /// A tenant that is not the call's.
    #[error("the token's tenant is not the call's")]
    OtherTenant,
    /// Signed with a key the service does not publish.
    #[error("the token is signed with an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("the token's signature is wrong")]
    Signature,
    /// The service's keys cannot be had, so nothing can be verified.
    #[error("the service's keys are not available")]
    KeysUnavailable,
}

impl TokenFault {
    /// Every fault.
    pub const ALL: [Self; 13] = [
        Self::Missing,
        Self::NotBearer,
        Self::Malformed,
        Self::Algorithm,
        Self::Issuer,
        Self::Audience,
        Self::Expired,
        Self::NotYetValid,
        Self::NoTenant,
        Self::OtherTenant,
        Self::UnknownKey,
        Self::Signature,
        Self::KeysUnavailable,
    ];

    /// A short name for counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NotBearer => "not_bearer",
            Self::Malformed => "malformed",
            Self::Algorithm => "algorithm",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::NoTenant => "no_tenant",
            Self::OtherTenant => "other_tenant",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    iss: String,
    aud: Option<Audience>,
    tid: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn holds(&self, audience: &str) -> bool {
        match self {
            Self::One(one) => one.eq_ignore_ascii_case(audience),
            Self::Many(many) => many.iter().any(|one| one.eq_ignore_ascii_case(audience)),
        }
    }
}

/// Verifies a token. Pure: the same arguments give the same result.
///
/// # Errors
///
/// Why the token is refused; [`TokenFault::UnknownKey`] only if nothing else
/// is wrong with it but the signature, which then cannot be checked.
pub fn verify(token: &str, keys: &KeySet, expected: &Expected, now: Timestamp) -> Result<Verified, TokenFault> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenFault::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
    let header: Header = part(header)?;
    if header.alg != "RS256" {
        return Err(TokenFault::Algorithm);
    }
    let claims: Claims = part(payload)?;
    let tenant = check(claims, expected, now)?;
    let key = header.kid.and_then(|kid| keys.keys.get(&kid)).ok_or(TokenFault::UnknownKey)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenFault::Malformed)?;
    RsaPublicKeyComponents { n: &key.modulus, e: &key.exponent }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
        .map_err(|_| TokenFault::Signature)?;
    Ok(Verified { tenant })
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, TokenFault> {
    let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenFault::Malformed)
}

/// Checks everything but the signature; gives the tenant.
fn check(claims: Claims, expected: &Expected, now: Timestamp) -> Result<String, TokenFault> {
    if !expected.issuers.contains(&claims.iss) {
        return Err(TokenFault::Issuer);
    }
    if !claims.aud.is_some_and(|audience| audience.holds(&expected.audience)) {
        return Err(TokenFault::Audience);
    }
    let (now, skew) = (now.as_duration().as_secs_f64(), expected.skew.as_secs_f64());
    if !claims.exp.is_some_and(|expiry| now < expiry + skew) {
        return Err(TokenFault::Expired);
    }
    if claims.nbf.is_some_and(|not_before| now < not_before - skew) {
        return Err(TokenFault::NotYetValid);
    }
    claims.tid.filter(|tenant| !tenant.trim().is_empty()).ok_or(TokenFault::NoTenant)
}
