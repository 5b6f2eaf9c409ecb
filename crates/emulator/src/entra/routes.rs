//! The HTTP side of the identity endpoints.
//!
//! Token, discovery and key sets of the authority, and discovery and key set of the calling service. No token needed.
//! Unknown tenants get discovery documents too: only the token endpoint judges.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{TokenError, authority_document, calling_document, issue_token};
use crate::patience::is_body_timeout;
use crate::server::base_url;
use crate::service::Service;

const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// The routes, to be merged into the service's.
pub(crate) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/{tenant}/v2.0/.well-known/openid-configuration", get(authority))
        .route("/{tenant}/.well-known/openid-configuration", get(authority))
        .route("/{tenant}/discovery/v2.0/keys", get(authority_keys))
        .route("/v1/.well-known/OpenIdConfiguration", get(calling))
        .route("/v1/.well-known/openid-configuration", get(calling))
        .route("/v1/keys", get(calling_keys))
        .method_not_allowed_fallback(wrong_method)
}

/// The router adds which methods are allowed.
async fn wrong_method(State(service): State<Arc<Service>>, method: Method) -> Response {
    refusal(&TokenError::WrongMethod(method.to_string()), service.clock.wall())
}

async fn token(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    headers: HeaderMap,
    form: Result<Form<HashMap<String, String>>, FormRejection>,
) -> Response {
    let key = service.authority_key().await;
    let now = service.clock.wall_shared();
    let issued = form.map_err(|rejection| unreadable(&rejection)).and_then(|Form(mut form)| {
        basic_credentials(&headers, &mut form);
        issue_token(&service.directory(), &key, &tenant, &form, now, service.limits.token_lifetime)
    });
    match issued {
        Ok(body) => (NO_STORE, Json(body)).into_response(),
        Err(error) => {
            tracing::debug!(%tenant, %error, "token refused");
            refusal(&error, now)
        }
    }
}

fn refusal(error: &TokenError, now: Timestamp) -> Response {
    let status = StatusCode::from_u16(error.status()).expect("invariant: a status of RFC 6749");
    (status, NO_STORE, Json(error.body(now))).into_response()
}

/// A body that is no form has none of its fields, says Entra.
fn unreadable(rejection: &FormRejection) -> TokenError {
    if is_body_timeout(rejection) {
        TokenError::TooSlow
    } else if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        TokenError::TooLarge
    } else {
        TokenError::MissingParameter("grant_type")
    }
}

/// Client id and secret may come as HTTP Basic credentials (RFC 6749 §2.3.1).
fn basic_credentials(headers: &HeaderMap, form: &mut HashMap<String, String>) {
    let decoded = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|encoded| BASE64_STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((id, secret)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) {
        form.entry("client_id".to_owned()).or_insert_with(|| antiphon_graph::decode_segment(id));
        form.entry("client_secret".to_owned()).or_insert_with(|| antiphon_graph::decode_segment(secret));
    }
}

async fn authority(State(service): State<Arc<Service>>, Path(tenant): Path<String>, parts: Parts) -> Json<Value> {
    Json(authority_document(&base_url(&parts, service.default_authority()), &tenant))
}

async fn authority_keys(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "keys": [service.authority_key().await.jwk()] }))
}

async fn calling(State(service): State<Arc<Service>>, parts: Parts) -> Json<Value> {
    Json(calling_document(&base_url(&parts, service.default_authority())))
}

async fn calling_keys(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "keys": [service.calling_key().await.jwk()] }))
}
