//! Calls from outside: what Graph itself does not offer to do with one.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{delete, get, patch, post};
use http::StatusCode;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::meetings::{PARTICIPANT, PARTICIPANT_PATCH};
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::operations::{ParticipantPatch, ParticipantView};
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/calls", || get(list), "Every call in progress.")
        .gives(200, Kind::Collection(&Kind::One(&CALL))),
    Route::patch("/emulator/calls/{call}", || patch(change), "Changes the participant of a call in progress.")
        .takes(&PARTICIPANT_PATCH)
        .gives(200, Kind::One(&PARTICIPANT)),
    Route::delete(
        "/emulator/calls/{call}",
        || delete(remove),
        "Ends a call as if another participant had removed the bot.",
    ),
    Route::post("/emulator/calls/{call}/admit", || post(admit), "Lets a guest in from the lobby."),
];

const CALL: Schema = Schema {
    name: "Call",
    members: &[
        Member::must("callId", Kind::Text, "Graph's id of the call."),
        Member::must("appId", Kind::Text, "The application it belongs to."),
        Member::must("meetingId", Kind::Text, "The conversation it is in."),
        Member::must("participantId", Kind::Text, "Its participant."),
        Member::must("state", Kind::Text, "A word of Graph's callState."),
        Member::must("notificationsWaiting", Kind::Whole, "Notifications waiting to be posted."),
    ],
};

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

async fn admit(State(service): State<Arc<Service>>, Path(call): Path<String>) -> Result<StatusCode, AdminError> {
    service.admit(&call.into())?;
    Ok(StatusCode::NO_CONTENT)
}
