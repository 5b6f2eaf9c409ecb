//! Discovery documents: the authority's and the calling service's.
//!
//! Every address in them is built from the scheme and host the caller used, because clients refuse an issuer on another
//! host. Pure functions. Spec: OpenID Connect Discovery 1.0 §3.

use serde_json::{Value, json};

/// The document of the token authority for one tenant.
///
/// All clients need `authorization_endpoint` and some need `jwks_uri`, though neither is used for client credentials.
pub(crate) fn authority_document(base: &str, tenant: &str) -> Value {
    json!({
        "issuer": format!("{base}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code", "id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
    })
}

/// The document by which bots find the keys that sign notifications.
pub(crate) fn calling_document(base: &str) -> Value {
    json!({
        "issuer": super::GRAPH_AUDIENCE,
        "authorization_endpoint": format!("{base}/v1/authorize"),
        "jwks_uri": format!("{base}/v1/keys"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
    })
}
