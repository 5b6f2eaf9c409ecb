//! The administration API under `/emulator/`: what an operator, a test or the join page asks over HTTP.
//!
//! Ours, not Graph's. JSON in and out, unknown members refused, errors as `{"error":{"code","message"}}`. A file per
//! resource, each with its table of routes, from which router and OpenAPI document are built (`table`). `guard` decides who
//! may call. Handlers only translate; the work is in `operations` and `entra`.

#[cfg(test)]
pub(crate) mod checks;
mod guard;
mod json;
mod openapi;
mod schema;
mod table;

mod apps;
mod calls;
mod certificates;
mod clock;
mod conversations;
mod meetings;
mod overview;
mod people;
mod plain;
mod settings;
mod speech;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::service::Service;
use json::AdminError;
use table::Route;

/// Every route, resource by resource.
const TABLES: &[&[Route]] = &[
    overview::ROUTES,
    settings::ROUTES,
    openapi::ROUTES,
    clock::ROUTES,
    certificates::ROUTES,
    apps::ROUTES,
    people::ROUTES,
    meetings::ROUTES,
    plain::ROUTES,
    speech::ROUTES,
    conversations::ROUTES,
    calls::ROUTES,
];

/// The routes, behind their guard.
pub(crate) fn routes(service: &Arc<Service>) -> Router<Arc<Service>> {
    TABLES
        .iter()
        .copied()
        .flatten()
        .fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
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
