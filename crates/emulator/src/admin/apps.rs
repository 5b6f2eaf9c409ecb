//! App registrations, admin consent and users.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use crate::entra::{App, Consent, DirectoryError, NewApp, NewUser, User};
use crate::service::Service;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/emulator/apps", get(list).post(register))
        .route("/emulator/apps/{app}", get(show).patch(change).delete(remove))
        .route("/emulator/apps/{app}/consent", post(consent))
        .route("/emulator/users", get(users).post(add_user))
}

async fn list(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.directory().apps().collect::<Vec<_>>() }))
}

async fn register(
    State(service): State<Arc<Service>>,
    AdminJson(new): AdminJson<NewApp>,
) -> Result<(StatusCode, Json<App>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.directory().register(new)?)))
}

async fn show(State(service): State<Arc<Service>>, Path(app): Path<String>) -> Result<Json<App>, AdminError> {
    let found = service.directory().app(&app).cloned();
    Ok(Json(found.ok_or(DirectoryError::UnknownApp(app))?))
}

/// Changes to a registration; an absent member stays as it is, a null one is taken away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AppPatch {
    #[serde(default, deserialize_with = "given")]
    webhook_url: Option<Option<String>>,
}

/// Tells a null member from an absent one.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn change(
    State(service): State<Arc<Service>>,
    Path(app): Path<String>,
    AdminJson(change): AdminJson<AppPatch>,
) -> Result<Json<App>, AdminError> {
    let mut directory = service.directory();
    let changed = match change.webhook_url {
        Some(webhook_url) => directory.set_webhook(&app, webhook_url)?,
        None => directory.app(&app).cloned().ok_or(DirectoryError::UnknownApp(app))?,
    };
    Ok(Json(changed))
}

async fn remove(State(service): State<Arc<Service>>, Path(app): Path<String>) -> Result<StatusCode, AdminError> {
    service.directory().remove_app(&app)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn consent(
    State(service): State<Arc<Service>>,
    Path(app): Path<String>,
    AdminJson(consent): AdminJson<Consent>,
) -> Result<Json<App>, AdminError> {
    Ok(Json(service.directory().consent(&app, consent)?))
}

async fn users(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.directory().users().collect::<Vec<_>>() }))
}

async fn add_user(
    State(service): State<Arc<Service>>,
    AdminJson(new): AdminJson<NewUser>,
) -> Result<(StatusCode, Json<User>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.directory().add_user(new)?)))
}
