//! The token check as a pure function: what passes, and each way not to.

use std::sync::LazyLock;

use crate::signer::{APP, Signer, TENANT, claims, encode};
use antiphon_signaling::webhook::{Expected, KeySet, TokenFault, verify};
use aws_lc_rs::hmac;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

const NOW: i64 = 1_770_000_000;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("k1"));
static KEYS: LazyLock<KeySet> = LazyLock::new(|| KeySet::parse(SIGNER.jwks().to_string().as_bytes()).unwrap());

fn check_at(token: &str, now: i64) -> Result<String, TokenFault> {
    let now = Timestamp::from_second(now).unwrap();
    verify(token, &KEYS, &Expected::for_app(APP), now).map(|verified| verified.tenant)
}

fn check(token: &str) -> Result<String, TokenFault> {
    check_at(token, NOW)
}

fn with(member: &str, value: Value) -> Value {
    let mut claims = claims(NOW);
    claims[member] = value;
    claims
}

fn without(member: &str) -> Value {
    let mut claims = claims(NOW);
    claims.as_object_mut().unwrap().remove(member);
    claims
}

#[test]
fn a_good_token_gives_its_tenant() {
    assert_eq!(KEYS.len(), 1, "only the RSA signing key is usable");
    assert_eq!(check(&SIGNER.sign(&claims(NOW))).as_deref(), Ok(TENANT));
    let bot_framework = with("iss", json!("https://api.botframework.com"));
    assert_eq!(check(&SIGNER.sign(&bot_framework)).as_deref(), Ok(TENANT));
    let several = with("aud", json!(["other", APP]));
    assert_eq!(check(&SIGNER.sign(&several)).as_deref(), Ok(TENANT));
}

#[test]
fn a_wrong_claim_is_refused_by_name() {
    for (claims, fault) in [
        (with("iss", json!("https://evil.example")), TokenFault::Issuer),
        (without("iss"), TokenFault::Issuer),
        (with("aud", json!("another-app")), TokenFault::Audience),
        (with("aud", json!([])), TokenFault::Audience),
        (without("aud"), TokenFault::Audience),
        (with("tid", json!("")), TokenFault::NoTenant),
        (with("tid", json!("  ")), TokenFault::NoTenant),
        (without("tid"), TokenFault::NoTenant),
        (without("exp"), TokenFault::Expired),
        (with("exp", json!("soon")), TokenFault::Malformed),
    ] {
        assert_eq!(check(&SIGNER.sign(&claims)), Err(fault), "{claims}");
    }
}

#[test]
fn times_are_checked_with_five_minutes_of_skew() {
    let token = SIGNER.sign(&claims(NOW));
    assert!(check_at(&token, NOW + 3900 + 299).is_ok());
    assert_eq!(check_at(&token, NOW + 3900 + 300), Err(TokenFault::Expired));
    assert!(check_at(&token, NOW - 300).is_ok());
    assert_eq!(check_at(&token, NOW - 301), Err(TokenFault::NotYetValid));
}

#[test]
fn only_rs256_is_taken() {
    let none = format!("{}.{}.", encode(json!({"alg": "none"}).to_string()), encode(claims(NOW).to_string()));
    assert_eq!(check(&none), Err(TokenFault::Algorithm));

    // The classic confusion: the public key as the secret of a symmetric MAC.
    let header = json!({"typ": "JWT", "alg": "HS256", "kid": "k1"});
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims(NOW).to_string()));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &SIGNER.public());
    let confused = format!("{signed}.{}", encode(hmac::sign(&secret, signed.as_bytes())));
    assert_eq!(check(&confused), Err(TokenFault::Algorithm));

    for alg in ["rs256", "RS384", "PS256", "ES256", ""] {
        let token = SIGNER.sign_as(&json!({"alg": alg, "kid": "k1"}), &claims(NOW));
        assert_eq!(check(&token), Err(TokenFault::Algorithm), "{alg}");
    }
}

#[test]
fn another_key_is_unknown_and_another_signature_wrong() {
    let stranger = Signer::new("k2");
    assert_eq!(check(&stranger.sign(&claims(NOW))), Err(TokenFault::UnknownKey));
    let nameless = SIGNER.sign_as(&json!({"alg": "RS256"}), &claims(NOW));
    assert_eq!(check(&nameless), Err(TokenFault::UnknownKey));
    // The stranger's signature under our key's name.
    let forged = stranger.sign_as(&json!({"alg": "RS256", "kid": "k1"}), &claims(NOW));
    assert_eq!(check(&forged), Err(TokenFault::Signature));
}

#[test]
fn a_changed_claim_breaks_the_signature() {
    let token = SIGNER.sign(&claims(NOW));
    let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts[1] = encode(with("tid", json!("another-tenant")).to_string());
    assert_eq!(check(&parts.join(".")), Err(TokenFault::Signature));
}

#[test]
fn texts_that_are_no_tokens_are_malformed() {
    let long = "a".repeat(20_000);
    for text in ["", ".", "..", "a.b", "a.b.c", "e30.e30.e30", long.as_str()] {
        assert_eq!(check(text), Err(TokenFault::Malformed), "{text:.20}");
    }
}

proptest! {
    #[test]
    fn no_text_passes_or_panics(text in ".*", header in ".*", payload in ".*") {
        prop_assert!(check(&text).is_err());
        let token = format!("{}.{}.{}", encode(&header), encode(&payload), encode(&text));
        prop_assert!(check(&token).is_err());
        let _ = KeySet::parse(text.as_bytes());
    }

    #[test]
    fn a_token_with_any_byte_changed_does_not_pass(position: prop::sample::Index, to in "[A-Za-z0-9_-]") {
        let token = SIGNER.sign(&claims(NOW));
        let at = position.index(token.len());
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        // The last character of a part has bits that mean nothing; those are refused or the same.
        prop_assert!(changed == token || check(&changed).is_err());
    }
}
