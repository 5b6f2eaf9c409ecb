//! Settings of tenants that decide what applications may do in their meetings.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, put};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/tenants/{tenant}/settings", || get(show), "The settings of a tenant.")
        .gives(200, Kind::One(&SETTINGS)),
    Route::put("/emulator/tenants/{tenant}/settings", || put(set), "Sets all settings of a tenant anew.")
        .takes(&SETTINGS)
        .gives(200, Kind::One(&SETTINGS)),
];

const SETTINGS: Schema = Schema {
    name: "TenantSettings",
    members: &[Member::may(
        "allowRemoveParticipantAppIds",
        Kind::List(&Kind::Text),
        "Applications that may remove participants; all may if left out.",
    )],
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    allow_remove_participant_app_ids: Option<Vec<String>>,
}

async fn show(State(service): State<Arc<Service>>, Path(tenant): Path<String>) -> Result<Json<Value>, AdminError> {
    settings(&service, &tenant).map(Json)
}

async fn set(
    State(service): State<Arc<Service>>,
    Path(tenant): Path<String>,
    AdminJson(new): AdminJson<Settings>,
) -> Result<Json<Value>, AdminError> {
    known(&service, &tenant)?;
    service.directory().allow_removal(&tenant, new.allow_remove_participant_app_ids)?;
    settings(&service, &tenant).map(Json)
}

fn settings(service: &Service, tenant: &str) -> Result<Value, AdminError> {
    known(service, tenant)?;
    Ok(json!({ "allowRemoveParticipantAppIds": service.directory().removers(tenant) }))
}

fn known(service: &Service, tenant: &str) -> Result<(), AdminError> {
    let unknown = || AdminError::not_found(format!("there is no tenant {tenant:?}"));
    service.directory().tenant(tenant).map(drop).ok_or_else(unknown)
}
