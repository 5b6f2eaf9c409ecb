//! Client assertions: an application proves who it is by a JWT signed with its own key instead of a secret.
//!
//! The application's certificates or public keys (RSA) are in its registration, as PEM. RS256 and PS256. An assertion may
//! be used more than once: there is no memory of `jti`. Pure functions.
//! Spec: RFC 7523 §3; "Microsoft identity platform application authentication certificate credentials".

use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as B64;
use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::ParsedCertificate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::App;

/// The one `client_assertion_type` there is.
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// By how much the caller's clock may differ from ours.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Why an assertion does not prove anything (culprit: caller).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AssertionError {
    #[error("JWT token is invalid or malformed.")]
    Malformed,
    #[error("Client assertion contains an invalid signature, or its key is not registered for the application.")]
    Signature,
    #[error("Client assertion application identifier doesn't match 'client_id' parameter: 'iss' and 'sub' must be it.")]
    Application,
    #[error("Client assertion audience claim does not name the token endpoint.")]
    Audience,
    #[error("Client assertion is not within its valid time range.")]
    Time,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
}

/// Checks an assertion of `app` for a token of `tenant`.
///
/// # Errors
///
/// [`AssertionError`]
pub(super) fn check(app: &App, tenant: &str, assertion: &str, now: Timestamp) -> Result<(), AssertionError> {
    let (signed, signature) = assertion.rsplit_once('.').ok_or(AssertionError::Malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(AssertionError::Malformed)?;
    let header: Header = decoded(header)?;
    let claims: Claims = decoded(claims)?;
    let signature = B64.decode(signature).map_err(|_| AssertionError::Malformed)?;
    let algorithm: &'static dyn VerificationAlgorithm = match header.alg.as_str() {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        _ => return Err(AssertionError::Malformed),
    };
    let is_signed_by = |key: &SubjectPublicKeyInfoDer<'_>| {
        ParsedPublicKey::new(algorithm, key.as_ref())
            .is_ok_and(|key| key.verify_sig(signed.as_bytes(), &signature).is_ok())
    };
    if !app.certificates.iter().filter_map(|pem| public_key(pem)).any(|key| is_signed_by(&key)) {
        return Err(AssertionError::Signature);
    }
    if [&claims.iss, &claims.sub].into_iter().any(|id| !id.eq_ignore_ascii_case(&app.app_id)) {
        return Err(AssertionError::Application);
    }
    if !names_token_endpoint(&claims.aud, tenant) {
        return Err(AssertionError::Audience);
    }
    let second = |time: SignedDuration| now.saturating_add(time).map_or(i64::MAX, Timestamp::as_second);
    if claims.exp <= second(-SKEW) || claims.nbf.is_some_and(|not_before| not_before > second(SKEW)) {
        return Err(AssertionError::Time);
    }
    Ok(())
}

/// The public key in a certificate or on its own, if it is one for RSA; PEM.
pub(super) fn public_key(pem: &str) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let key = match CertificateDer::from_pem_slice(pem.as_bytes()) {
        Ok(certificate) => ParsedCertificate::try_from(&certificate).ok()?.subject_public_key_info(),
        Err(_) => SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?,
    };
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref()).is_ok().then_some(key)
}

/// The endpoint by any host: it is served under many names. The issuer is as good.
fn names_token_endpoint(audience: &str, tenant: &str) -> bool {
    let path = audience.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let Some((named, rest)) = path.split_once('/') else {
        return false;
    };
    let named_tenant = [tenant, "common", "organizations"].iter().any(|known| known.eq_ignore_ascii_case(named));
    named_tenant && ["oauth2/v2.0/token", "oauth2/token", "v2.0"].contains(&rest.trim_end_matches('/'))
}

fn decoded<T: DeserializeOwned>(part: &str) -> Result<T, AssertionError> {
    let bytes = B64.decode(part).map_err(|_| AssertionError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| AssertionError::Malformed)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::entra::{Directory, NewApp};
    use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use jsonwebtoken::{Algorithm, EncodingKey, encode};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use serde_json::{Value, json};

    /// A private key as PKCS #8 and its public half, both PEM.
    static KEY: LazyLock<(String, String)> = LazyLock::new(|| {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let pkcs8: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public = pair.public_key().as_der().unwrap();
        (pem("PRIVATE KEY", pkcs8.as_ref()), pem("PUBLIC KEY", public.as_ref()))
    });

    fn pem(kind: &str, der: &[u8]) -> String {
        let text = base64::prelude::BASE64_STANDARD.encode(der);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
    }

    fn registered(certificates: Vec<String>) -> App {
        let mut directory = Directory::new(crate::config::DEFAULT_TENANT).unwrap();
        directory.register(NewApp { certificates, ..NewApp::named("Bot") }).unwrap()
    }

    fn claims(app: &App, now: i64) -> Value {
        let aud = format!("https://127.0.0.1:8443/{}/oauth2/v2.0/token", app.tenant_id);
        json!({ "aud": aud, "iss": app.app_id, "sub": app.app_id, "jti": "1", "nbf": now, "exp": now + 600 })
    }

    fn signed(claims: &Value, algorithm: Algorithm) -> String {
        // Written by another implementation than the one that reads it.
        let pkcs8 = PrivatePkcs8KeyDer::from_pem_slice(KEY.0.as_bytes()).unwrap();
        // PKCS #8 has 26 octets in front of the PKCS #1 key of this size.
        let key = EncodingKey::from_rsa_der(&pkcs8.secret_pkcs8_der()[26..]);
        encode(&jsonwebtoken::Header::new(algorithm), claims, &key).unwrap()
    }

    #[test]
    fn assertion_by_a_registered_key_or_certificate_is_taken() {
        let key = rcgen::KeyPair::from_pem(&KEY.0).unwrap();
        let certificate = rcgen::CertificateParams::new(["bot".to_owned()]).unwrap().self_signed(&key).unwrap();
        let now = Timestamp::now();
        for pem in [KEY.1.clone(), certificate.pem()] {
            let app = registered(vec![pem]);
            for algorithm in [Algorithm::RS256, Algorithm::PS256] {
                let assertion = signed(&claims(&app, now.as_second()), algorithm);
                assert_eq!(check(&app, &app.tenant_id, &assertion, now), Ok(()));
            }
        }
    }

    #[test]
    fn whatever_is_not_right_has_its_own_error() {
        let now = Timestamp::now();
        let app = registered(vec![KEY.1.clone()]);
        let judge = |change: &dyn Fn(&mut Value)| {
            let mut claims = claims(&app, now.as_second());
            change(&mut claims);
            check(&app, &app.tenant_id, &signed(&claims, Algorithm::RS256), now).unwrap_err()
        };
        assert_eq!(judge(&|claims| claims["iss"] = json!("somebody")), AssertionError::Application);
        assert_eq!(judge(&|claims| claims["sub"] = json!("somebody")), AssertionError::Application);
        assert_eq!(judge(&|claims| claims["exp"] = json!(now.as_second() - 301)), AssertionError::Time);
        assert_eq!(judge(&|claims| claims["nbf"] = json!(now.as_second() + 310)), AssertionError::Time);
        assert_eq!(judge(&|claims| drop(claims.as_object_mut().unwrap().remove("exp"))), AssertionError::Malformed);
        for audience in
            ["", "https://127.0.0.1", "https://127.0.0.1/other/oauth2/v2.0/token", "https://127.0.0.1/common/x"]
        {
            assert_eq!(judge(&|claims| claims["aud"] = json!(audience)), AssertionError::Audience, "{audience}");
        }

        let good = signed(&claims(&app, now.as_second()), Algorithm::RS256);
        let (head, signature) = good.rsplit_once('.').unwrap();
        let forged = format!("{}.{signature}", &head[..head.len() - 2]);
        assert!(check(&app, &app.tenant_id, &forged, now).is_err());
        let stranger = registered(Vec::new());
        assert_eq!(check(&stranger, &stranger.tenant_id, &good, now), Err(AssertionError::Signature));
        let unsigned =
            encode(&jsonwebtoken::Header::new(Algorithm::HS256), &claims(&app, 0), &EncodingKey::from_secret(b"x"));
        assert_eq!(check(&app, &app.tenant_id, &unsigned.unwrap(), now), Err(AssertionError::Malformed));
        for text in ["", ".", "..", "a.b.c", "\u{e9}.\u{e9}.\u{e9}"] {
            assert_eq!(check(&app, &app.tenant_id, text, now), Err(AssertionError::Malformed), "{text}");
        }
    }

    #[test]
    fn what_is_no_rsa_key_cannot_be_registered() {
        let ecdsa = rcgen::KeyPair::generate().unwrap();
        for pem in [String::new(), "key".to_owned(), KEY.0.clone(), ecdsa.public_key_pem(), pem("CERTIFICATE", b"x")] {
            assert!(public_key(&pem).is_none(), "{pem}");
            let mut directory = Directory::new(crate::config::DEFAULT_TENANT).unwrap();
            let new = NewApp { certificates: vec![KEY.1.clone(), pem], ..NewApp::named("Bot") };
            let error = directory.register(new).unwrap_err();
            assert_eq!(error, crate::entra::DirectoryError::NotCertificate(1));
            assert_eq!(directory.apps().count(), 0, "nothing changed");
        }
    }
}
