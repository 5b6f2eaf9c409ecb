//! Meetings, the people in them, who hears whom, and the join page.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, patch, post};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use crate::meeting::MeetingId;
use crate::operations::{MeetingView, NewMeeting, NewPerson, ParticipantPatch, ParticipantView, PersonView};
use crate::service::Service;

/// The page a browser joins from: one file, nothing to build.
const JOIN_PAGE: &str = include_str!("join.html");

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/emulator/meetings", get(list).post(create))
        .route("/emulator/meetings/{meeting}", get(show).delete(end))
        .route("/emulator/meetings/{meeting}/matrix", get(matrix))
        .route("/emulator/meetings/{meeting}/join", get(join_page))
        .route("/emulator/meetings/{meeting}/participants", post(join))
        .route("/emulator/meetings/{meeting}/participants/{participant}", patch(change).delete(remove))
}

async fn list(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.meeting_views() }))
}

async fn create(
    State(service): State<Arc<Service>>,
    AdminJson(new): AdminJson<NewMeeting>,
) -> Result<(StatusCode, Json<MeetingView>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.create_meeting(new)?)))
}

async fn show(State(service): State<Arc<Service>>, Path(id): Path<MeetingId>) -> Result<Json<MeetingView>, AdminError> {
    let view = service.meeting_view(&id);
    view.map(Json).ok_or_else(|| AdminError::not_found(format!("there is no meeting {:?}", id.as_str())))
}

async fn end(State(service): State<Arc<Service>>, Path(id): Path<MeetingId>) -> Result<StatusCode, AdminError> {
    service.end_meeting(&id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn matrix(State(service): State<Arc<Service>>, Path(id): Path<MeetingId>) -> Result<Json<Value>, AdminError> {
    Ok(Json(json!({ "value": service.matrix(&id)? })))
}

async fn join_page(State(service): State<Arc<Service>>, Path(id): Path<MeetingId>) -> Result<Response, AdminError> {
    if service.meeting_view(&id).is_none() {
        return Err(AdminError::not_found(format!("there is no meeting {:?}", id.as_str())));
    }
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
        ),
    ];
    Ok((headers, JOIN_PAGE).into_response())
}

async fn join(
    State(service): State<Arc<Service>>,
    Path(id): Path<MeetingId>,
    AdminJson(person): AdminJson<NewPerson>,
) -> Result<(StatusCode, Json<PersonView>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.join_person(&id, person)?)))
}

async fn change(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
    AdminJson(change): AdminJson<ParticipantPatch>,
) -> Result<Json<ParticipantView>, AdminError> {
    Ok(Json(service.patch_participant(&meeting, &participant.into(), change)?))
}

async fn remove(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
) -> Result<StatusCode, AdminError> {
    service.remove_participant(&meeting, &participant.into())?;
    Ok(StatusCode::NO_CONTENT)
}
