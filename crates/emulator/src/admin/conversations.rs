//! Conversations of every kind: scheduled meetings, group calls, peer-to-peer calls.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::get;
use serde_json::{Value, json};

use super::AdminError;
use super::meetings::PARTICIPANT;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::meeting::MeetingId;
use crate::operations::ConversationView;
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/conversations", || get(list), "Every conversation in progress.")
        .gives(200, Kind::Collection(&Kind::One(&CONVERSATION))),
    Route::get("/emulator/conversations/{conversation}", || get(show), "A conversation and who is in it.")
        .gives(200, Kind::One(&CONVERSATION)),
];

const CONVERSATION: Schema = Schema {
    name: "Conversation",
    members: &[
        Member::must("id", Kind::Text, "Its id; a scheduled meeting's is its meeting id."),
        Member::must("kind", Kind::Word(&["meeting", "groupCall", "peerToPeer"]), "Of which kind."),
        Member::must("tenantId", Kind::Text, "Its tenant."),
        Member::may("subject", Kind::Text, "What it is about."),
        Member::must("token", Kind::Text, "tokenMeetingInfo.token that joins it."),
        Member::must("participants", Kind::List(&Kind::One(&PARTICIPANT)), "Everybody in it, in the order of joining."),
        Member::may("contentSharingSessionId", Kind::Text, "contentSharingSession.id, while somebody shares."),
    ],
};

async fn list(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.conversation_views() }))
}

async fn show(
    State(service): State<Arc<Service>>,
    Path(id): Path<MeetingId>,
) -> Result<Json<ConversationView>, AdminError> {
    let view = service.conversation_view(&id);
    view.map(Json).ok_or_else(|| AdminError::not_found(format!("there is no conversation {:?}", id.as_str())))
}
