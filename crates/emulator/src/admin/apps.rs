//! App registrations, admin consent and users.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use http::StatusCode;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use crate::entra::{App, Consent, DirectoryError, NewApp, NewUser, User};
use crate::service::Service;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/emulator/apps", get(list).post(register))
        .route("/emulator/apps/{app}", get(show).delete(remove))
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
