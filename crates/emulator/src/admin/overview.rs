//! `/emulator` itself: where everything is, and the CA certificate.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use crate::server::base_url;
use crate::service::Service;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/emulator", get(overview))
        .route("/emulator/ca.pem", get(ca))
        .route("/emulator/tenants", get(tenants).post(add_tenant))
}

async fn overview(State(service): State<Arc<Service>>, parts: Parts) -> Json<Value> {
    let base = base_url(&parts, service.default_authority());
    Json(json!({
        "service": "antiphon emulator",
        "version": env!("CARGO_PKG_VERSION"),
        "graphUrl": format!("{base}/v1.0"),
        "authorityUrl": base,
        "openIdUrl": format!("{base}/v1/.well-known/OpenIdConfiguration"),
        "tenantId": service.directory().first_tenant(),
        "census": service.world().census(),
        "notifications": service.delivery_counts(),
    }))
}

async fn ca(State(service): State<Arc<Service>>) -> Response {
    ([(CONTENT_TYPE, "application/x-pem-file")], service.certificates().pem().to_owned()).into_response()
}

async fn tenants(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.directory().tenants().collect::<Vec<_>>() }))
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    #[serde(default)]
    id: Option<String>,
}

async fn add_tenant(
    State(service): State<Arc<Service>>,
    AdminJson(new): AdminJson<NewTenant>,
) -> Result<(http::StatusCode, Json<Value>), AdminError> {
    let id = service.directory().add_tenant(new.id.as_deref())?;
    Ok((http::StatusCode::CREATED, Json(json!({ "id": id }))))
}
