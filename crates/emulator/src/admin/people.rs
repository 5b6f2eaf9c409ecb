//! Users, the calls they place, and phones that ring.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, patch, post};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::meetings::{PERSON, SESSION_DESCRIPTION};
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::entra::{Answering, NewUser, User};
use crate::operations::{NewUserCall, PersonView, RingAnswer, RingRefusal, UserCallView};
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/users", || get(users), "Every user.").gives(200, Kind::Collection(&Kind::One(&USER))),
    Route::post("/emulator/users", || post(add_user), "Adds a user.").takes(&NEW_USER).gives(201, Kind::One(&USER)),
    Route::patch("/emulator/users/{user}", || patch(change_user), "Changes what a user does when called.")
        .takes(&USER_PATCH)
        .gives(200, Kind::One(&USER)),
    Route::post(
        "/emulator/users/{user}/calls",
        || post(call_app),
        "A user calls an application, alone or into a conversation they are in.",
    )
    .takes(&NEW_USER_CALL)
    .gives(201, Kind::One(&USER_CALL)),
    Route::get("/emulator/rings", || get(rings), "The phones that ring.")
        .gives(200, Kind::Collection(&Kind::One(&RING))),
    Route::post("/emulator/rings/{ring}/answer", || post(answer), "Whoever rings answers.")
        .takes(&RING_ANSWER)
        .gives(200, Kind::One(&PERSON)),
    Route::post("/emulator/rings/{ring}/reject", || post(refuse), "Whoever rings declines.").takes(&RING_REFUSAL),
];

const ANSWERING: Schema = Schema {
    name: "Answering",
    members: &[
        Member::default(
            "action",
            Kind::Word(&["answer", "reject", "busy", "ring", "unreachable", "forward"]),
            "What happens; answer if left out.",
        ),
        Member::default("afterMs", Kind::Whole, "After ringing for this long, in milliseconds; 1000 if left out."),
        Member::may("hangUpAfterMs", Kind::Whole, "Hangs up this long after answering; stays if left out."),
        Member::may("forwardTo", Kind::Text, "Object id of the user a call is forwarded to; with forward only."),
    ],
};

/// A person of a tenant.
pub(super) const USER: Schema = Schema {
    name: "User",
    members: &[
        Member::must("id", Kind::Text, "Object id, a GUID."),
        Member::must("displayName", Kind::Text, "Name shown in rosters."),
        Member::must("tenantId", Kind::Text, "Tenant of the person."),
        Member::default("phoneNumber", Kind::Text, "Telephone number, E.164."),
        Member::must("answering", Kind::One(&ANSWERING), "What the person does when called."),
    ],
};

const NEW_USER: Schema = Schema {
    name: "NewUser",
    members: &[
        Member::must("displayName", Kind::Text, "Name shown in rosters."),
        Member::may("id", Kind::Text, "Object id, a GUID; a fresh one if left out."),
        Member::may("tenantId", Kind::Text, "Tenant; the first tenant if left out."),
        Member::may("phoneNumber", Kind::Text, "Telephone number, E.164."),
        Member::default("answering", Kind::One(&ANSWERING), "What the person does when called."),
    ],
};

const USER_PATCH: Schema = Schema {
    name: "UserPatch",
    members: &[Member::may("answering", Kind::One(&ANSWERING), "What the person does when called.")],
};

const NEW_USER_CALL: Schema = Schema {
    name: "NewUserCall",
    members: &[
        Member::must("appId", Kind::Text, "The application called."),
        Member::may("meetingId", Kind::Text, "Invite it into this conversation; a peer-to-peer call if left out."),
        Member::may("offer", Kind::One(&SESSION_DESCRIPTION), "The user's WebRTC offer, for a peer-to-peer call."),
        Member::default("modalities", Kind::List(&Kind::Text), "What is offered; audio if left out."),
        Member::default("policyRecording", Kind::Flag, "Called to record the user by policy: five seconds to answer."),
    ],
};

const USER_CALL: Schema = Schema {
    name: "UserCall",
    members: &[
        Member::must("conversationId", Kind::Text, "The conversation the call leads into."),
        Member::must("callId", Kind::Text, "The call announced to the application."),
        Member::must("participant", Kind::One(&PERSON), "The user's participant."),
    ],
};

const RING: Schema = Schema {
    name: "Ring",
    members: &[
        Member::must("ringId", Kind::Text, "Its id, and the participant id of whoever answers."),
        Member::must("conversationId", Kind::Text, "The conversation answering leads into."),
        Member::must("displayName", Kind::Text, "Whom it rings."),
        Member::may("userId", Kind::Text, "The user's object id, if it rings a user."),
        Member::may("callId", Kind::Text, "The announced call, if it rings an application."),
        Member::must("rungBy", Kind::Text, "The bot's call it rings for."),
        Member::must("ringsForMs", Kind::Whole, "How much longer it rings, in milliseconds."),
    ],
};

const RING_ANSWER: Schema = Schema {
    name: "RingAnswer",
    members: &[Member::may("offer", Kind::One(&SESSION_DESCRIPTION), "The person's WebRTC offer.")],
};

const RING_REFUSAL: Schema =
    Schema { name: "RingRefusal", members: &[Member::default("busy", Kind::Flag, "Says busy instead of declining.")] };

async fn users(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(json!({ "value": service.directory().users().collect::<Vec<_>>() }))
}

async fn add_user(
    State(service): State<Arc<Service>>,
    AdminJson(new): AdminJson<NewUser>,
) -> Result<(StatusCode, Json<User>), AdminError> {
    Ok((StatusCode::CREATED, Json(service.directory().add_user(new)?)))
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
