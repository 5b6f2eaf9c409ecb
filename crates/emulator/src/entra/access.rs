//! Who is calling: the bearer token of a Graph request, checked.
//!
//! Signature by the authority's key, audience, times (no skew: the same clock issued it) and tenant. What the caller may
//! do is decided elsewhere, from `roles`. Spec: RFC 6750 §2.1 and §3.

use antiphon_graph::permission::Permission;
use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use super::GRAPH_AUDIENCE;
use super::keys::{JwtError, SigningKey};

/// The audience by Graph's own application id, which is as good as its address.
const GRAPH_APP_ID: &str = "00000003-0000-0000-c000-000000000000";

/// The application behind a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) roles: Vec<Permission>,
    /// The token was given on behalf of a user, not to the application itself.
    pub(crate) delegated: bool,
}

/// Why a request is not authenticated (401). The texts are Graph's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum AccessError {
    #[error("Access token is empty.")]
    Empty,
    #[error("CompactToken parsing failed.")]
    Malformed,
    #[error("Access token validation failure. Invalid signature.")]
    Signature,
    #[error("Access token validation failure. Invalid audience.")]
    Audience,
    #[error("Access token has expired or is not yet valid.")]
    Expired,
}

#[derive(Debug, Deserialize)]
struct Claims {
    aud: String,
    nbf: i64,
    exp: i64,
    appid: String,
    tid: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scp: Option<String>,
    #[serde(default)]
    idtyp: Option<String>,
}

impl Caller {
    /// Reads and checks an `Authorization` header.
    ///
    /// # Errors
    ///
    /// [`AccessError`] when there is no token or it is not valid now.
    pub(crate) fn authenticate(header: Option<&str>, key: &SigningKey, now: Timestamp) -> Result<Self, AccessError> {
        let (scheme, token) = header.and_then(|header| header.trim().split_once(' ')).ok_or(AccessError::Empty)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(AccessError::Empty);
        }
        let claims: Claims = key.verify(token.trim()).map_err(|error| match error {
            JwtError::Malformed | JwtError::Algorithm => AccessError::Malformed,
            JwtError::Signature => AccessError::Signature,
        })?;
        if claims.aud.trim_end_matches('/') != GRAPH_AUDIENCE && claims.aud != GRAPH_APP_ID {
            return Err(AccessError::Audience);
        }
        let now = now.as_second();
        if now < claims.nbf || now >= claims.exp {
            return Err(AccessError::Expired);
        }
        Ok(Self {
            app_id: claims.appid,
            tenant_id: claims.tid,
            delegated: claims.scp.is_some() || claims.idtyp.is_some_and(|kind| kind != "app"),
            roles: claims.roles.iter().filter_map(|role| Permission::parse(role)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::KeyRing;
    use serde_json::{Value, json};

    fn claims(now: i64) -> Value {
        json!({ "aud": GRAPH_AUDIENCE, "nbf": now - 5, "exp": now + 5, "appid": "a", "tid": "t", "roles": ["Calls.Initiate.All", "Mail.Read"] })
    }

    #[test]
    fn only_a_current_token_of_this_authority_for_graph_is_accepted() {
        let key = KeyRing.authority();
        let now = Timestamp::now();
        let second = now.as_second();
        let check = |claims: &Value| Caller::authenticate(Some(&format!("Bearer {}", key.sign(claims))), &key, now);

        let caller = check(&claims(second)).unwrap();
        assert_eq!((caller.app_id.as_str(), caller.tenant_id.as_str()), ("a", "t"));
        assert_eq!(caller.roles, [Permission::Initiate]);
        assert!(!caller.delegated);

        assert_eq!(check(&claims(second - 10)), Err(AccessError::Expired));
        assert_eq!(check(&claims(second + 10)), Err(AccessError::Expired));
        let mut other = claims(second);
        other["aud"] = json!("https://management.azure.com");
        assert_eq!(check(&other), Err(AccessError::Audience));
        other.as_object_mut().unwrap().remove("appid");
        assert_eq!(check(&other), Err(AccessError::Malformed));

        let mut by_id = claims(second);
        by_id["aud"] = json!(GRAPH_APP_ID);
        assert!(check(&by_id).is_ok());
        for (claim, value) in [("scp", "Calls.Initiate.All"), ("scp", ""), ("idtyp", "user")] {
            let mut delegated = claims(second);
            delegated[claim] = json!(value);
            assert!(check(&delegated).unwrap().delegated, "{claim}");
        }

        let foreign = KeyRing.calling().sign(&claims(second));
        let foreign = Caller::authenticate(Some(&format!("Bearer {foreign}")), &key, now);
        assert_eq!(foreign, Err(AccessError::Signature));
        for header in [None, Some(""), Some("Bearer"), Some("Basic YTpi")] {
            assert_eq!(Caller::authenticate(header, &key, now), Err(AccessError::Empty), "{header:?}");
        }
    }
}
