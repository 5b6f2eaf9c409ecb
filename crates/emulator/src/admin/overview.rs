//! `/emulator` itself: where everything is, and the CA certificate.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::server::base_url;
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator", || get(overview), "Where everything is, and how much is going on.")
        .gives(200, Kind::One(&OVERVIEW)),
    Route::get("/emulator/ca.pem", || get(ca), "The CA certificate: trust it to call this service.")
        .gives_media("application/x-pem-file"),
    Route::get("/emulator/tenants", || get(tenants), "The ids of all tenants.")
        .gives(200, Kind::Collection(&Kind::Text)),
    Route::post("/emulator/tenants", || post(add_tenant), "Adds a tenant.")
        .takes(&NEW_TENANT)
        .gives(201, Kind::One(&TENANT)),
];

const OVERVIEW: Schema = Schema {
    name: "Overview",
    members: &[
        Member::must("service", Kind::Text, "Always the same."),
        Member::must("version", Kind::Text, "Of this program."),
        Member::must("graphUrl", Kind::Text, "Base URL of Graph v1.0."),
        Member::must("authorityUrl", Kind::Text, "Base URL of the token endpoint, before the tenant."),
        Member::must("openIdUrl", Kind::Text, "Where bots learn the keys that sign notifications."),
        Member::must("openApiUrl", Kind::Text, "This API, described for programs."),
        Member::must("tenantId", Kind::Text, "The first tenant."),
        Member::must(
            "census",
            Kind::One(&Schema {
                name: "Census",
                members: &[
                    Member::must("meetings", Kind::Whole, "Conversations in progress, scheduled meetings among them."),
                    Member::must("calls", Kind::Whole, "Calls in progress."),
                ],
            }),
            "What is there.",
        ),
        Member::must(
            "notifications",
            Kind::One(&Schema {
                name: "DeliveryCounts",
                members: &[
                    Member::must("delivered", Kind::Whole, "Accepted by the webhook."),
                    Member::must("retried", Kind::Whole, "Attempts repeated after a failure."),
                    Member::must("failed", Kind::Whole, "Given up."),
                    Member::must("dropped", Kind::Whole, "Dropped because the call's queue was full."),
                ],
            }),
            "How many notifications met which end.",
        ),
    ],
};

const NEW_TENANT: Schema =
    Schema { name: "NewTenant", members: &[Member::may("id", Kind::Text, "A GUID; a fresh one if left out.")] };

const TENANT: Schema = Schema { name: "Tenant", members: &[Member::must("id", Kind::Text, "The tenant's GUID.")] };

async fn overview(State(service): State<Arc<Service>>, parts: Parts) -> Json<Value> {
    let base = base_url(&parts, service.default_authority());
    Json(json!({
        "service": "antiphon emulator",
        "version": env!("CARGO_PKG_VERSION"),
        "graphUrl": format!("{base}/v1.0"),
        "authorityUrl": base,
        "openIdUrl": format!("{base}/v1/.well-known/OpenIdConfiguration"),
        "openApiUrl": format!("{base}/emulator/openapi.json"),
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
