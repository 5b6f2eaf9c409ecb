//! Calls from outside: what Graph itself does not offer to do with one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, patch};
use http::StatusCode;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use crate::operations::{ParticipantPatch, ParticipantView};
use crate::service::Service;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new().route("/emulator/calls", get(list)).route("/emulator/calls/{call}", patch(change).delete(remove))
}

async fn list(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.call_views() }))
}

/// Graph v1.0 cannot take a call in progress out of the default group; this can.
async fn change(
    State(service): State<Arc<Service>>,
    Path(call): Path<String>,
    AdminJson(change): AdminJson<ParticipantPatch>,
) -> Result<Json<ParticipantView>, AdminError> {
    Ok(Json(service.patch_call(&call.into(), change)?))
}

async fn remove(State(service): State<Arc<Service>>, Path(call): Path<String>) -> Result<StatusCode, AdminError> {
    service.remove_call(&call.into())?;
    Ok(StatusCode::NO_CONTENT)
}
