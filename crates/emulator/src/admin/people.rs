//! Users who call, phones that ring, and what people do in a conversation: press keys, share, let somebody in.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, patch, post, put};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use crate::entra::{Answering, User};
use crate::meeting::MeetingId;
use crate::operations::{
    ConversationView, KeyPresses, NewSharing, NewUserCall, PersonView, RingAnswer, RingRefusal, UserCallView,
};
use crate::service::Service;

pub(super) fn routes() -> Router<Arc<Service>> {
    Router::new()
        .route("/emulator/users/{user}", patch(change_user))
        .route("/emulator/users/{user}/calls", post(call_app))
        .route("/emulator/rings", get(rings))
        .route("/emulator/rings/{ring}/answer", post(answer))
        .route("/emulator/rings/{ring}/reject", post(refuse))
        .route("/emulator/calls/{call}/admit", post(admit))
        .route("/emulator/conversations", get(conversations))
        .route("/emulator/conversations/{meeting}", get(conversation))
        .route("/emulator/meetings/{meeting}/participants/{participant}/tones", post(press_keys))
        .route("/emulator/meetings/{meeting}/participants/{participant}/sharing", put(share).delete(stop_sharing))
}

/// Changes to a user; an absent member stays as it is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserPatch {
    #[serde(default)]
    answering: Option<Answering>,
}

async fn change_user(
    State(service): State<Arc<Service>>,
    Path(user): Path<String>,
    AdminJson(change): AdminJson<UserPatch>,
) -> Result<Json<User>, AdminError> {
    Ok(Json(service.directory().change_user(&user, change.answering)?))
}

async fn call_app(
    State(service): State<Arc<Service>>,
    Path(user): Path<String>,
    AdminJson(call): AdminJson<NewUserCall>,
) -> Result<(StatusCode, Json<UserCallView>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.call_app(&user, call)?)))
}

async fn rings(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.ring_views() }))
}

async fn answer(
    State(service): State<Arc<Service>>,
    Path(ring): Path<String>,
    AdminJson(answer): AdminJson<RingAnswer>,
) -> Result<Json<PersonView>, AdminError> {
    Ok(Json(service.answer_ring(&ring.into(), answer)?))
}

async fn refuse(
    State(service): State<Arc<Service>>,
    Path(ring): Path<String>,
    AdminJson(refusal): AdminJson<RingRefusal>,
) -> Result<StatusCode, AdminError> {
    service.refuse_ring(&ring.into(), refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn admit(State(service): State<Arc<Service>>, Path(call): Path<String>) -> Result<StatusCode, AdminError> {
    service.admit(&call.into())?;
    Ok(StatusCode::NO_CONTENT)
}

async fn conversations(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.conversation_views() }))
}

async fn conversation(
    State(service): State<Arc<Service>>,
    Path(id): Path<MeetingId>,
) -> Result<Json<ConversationView>, AdminError> {
    let view = service.conversation_view(&id);
    view.map(Json).ok_or_else(|| AdminError::not_found(format!("there is no conversation {:?}", id.as_str())))
}

async fn press_keys(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
    AdminJson(keys): AdminJson<KeyPresses>,
) -> Result<StatusCode, AdminError> {
    service.press_keys(&meeting, &participant.into(), &keys)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn share(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
    AdminJson(sharing): AdminJson<NewSharing>,
) -> Result<Json<Value>, AdminError> {
    let id = service.share(&meeting, &participant.into(), sharing)?;
    Ok(Json(json!({ "contentSharingSessionId": id })))
}

async fn stop_sharing(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
) -> Result<StatusCode, AdminError> {
    service.stop_sharing(&meeting, &participant.into())?;
    Ok(StatusCode::NO_CONTENT)
}
