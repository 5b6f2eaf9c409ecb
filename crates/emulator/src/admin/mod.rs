//! The administration API under `/emulator/`: what an operator, a test or the join page asks over HTTP.
//!
//! Ours, not Graph's. JSON in and out, unknown members refused, errors as `{"error":{"code","message"}}`. `guard` decides
//! who may call. Handlers only translate; the work is in `operations` and `entra`.

mod apps;
mod calls;
mod guard;
mod json;
mod meetings;
mod overview;
mod people;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::service::Service;
use json::AdminError;

/// The routes, behind their guard.
pub(crate) fn routes(service: &Arc<Service>) -> Router<Arc<Service>> {
    Router::new()
        .merge(overview::routes())
        .merge(apps::routes())
        .merge(meetings::routes())
        .merge(calls::routes())
        .merge(people::routes())
        .route("/emulator/{*rest}", axum::routing::any(unknown))
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(service.limits.body_bytes))
        .layer(from_fn_with_state(Arc::clone(service), guard::guard))
}

async fn unknown(uri: http::Uri) -> AdminError {
    AdminError::not_found(format!("there is nothing at {}", uri.path()))
}

async fn wrong_method(method: http::Method, uri: http::Uri) -> AdminError {
    AdminError::method_not_allowed(format!("{method} is not allowed on {}", uri.path()))
}
