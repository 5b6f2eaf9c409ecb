//! Meetings, the people in them and what they do there, who hears whom, and the join page.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{delete, get, patch, post, put};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::people::USER;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::meeting::MeetingId;
use crate::operations::{
    KeyPresses, MeetingView, NewMeeting, NewPerson, NewSharing, ParticipantPatch, ParticipantView, PersonView,
};
use crate::service::Service;

/// The page a browser joins from: one file, nothing to build.
const JOIN_PAGE: &str = include_str!("join.html");

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/meetings", || get(list), "Every scheduled meeting.")
        .gives(200, Kind::Collection(&Kind::One(&MEETING))),
    Route::post("/emulator/meetings", || post(create), "Opens a meeting.")
        .takes(&NEW_MEETING)
        .gives(201, Kind::One(&MEETING)),
    Route::get("/emulator/meetings/{meeting}", || get(show), "A meeting and who is in it.")
        .gives(200, Kind::One(&MEETING)),
    Route::delete("/emulator/meetings/{meeting}", || delete(end), "Ends a meeting for everybody."),
    Route::get(
        "/emulator/meetings/{meeting}/matrix",
        || get(matrix),
        "Whom each receiver hears, by the engine's plan.",
    )
    .gives(200, Kind::Collection(&Kind::One(&MATRIX_ROW))),
    Route::get("/emulator/meetings/{meeting}/join", || get(join_page), "A page to join from.").gives_media("text/html"),
    Route::post("/emulator/meetings/{meeting}/participants", || post(join), "Lets a person join.")
        .takes(&NEW_PERSON)
        .gives(201, Kind::One(&PERSON)),
    Route::patch(PARTICIPANT_PATH, || patch(change), "Changes a participant; absent members stay as they are.")
        .takes(&PARTICIPANT_PATCH)
        .gives(200, Kind::One(&PARTICIPANT)),
    Route::delete(PARTICIPANT_PATH, || delete(remove), "Takes a participant out; a bot's call ends."),
    Route::post(
        "/emulator/meetings/{meeting}/participants/{participant}/tones",
        || post(press_keys),
        "A participant presses keys; bots that subscribed to tones are told.",
    )
    .takes(&KEY_PRESSES),
    Route::put(SHARING_PATH, || put(share), "A participant shares a screen, or shows another slide. No video flows.")
        .takes(&NEW_SHARING)
        .gives(200, Kind::One(&SHARING)),
    Route::delete(SHARING_PATH, || delete(stop_sharing), "A participant stops sharing."),
];

const PARTICIPANT_PATH: &str = "/emulator/meetings/{meeting}/participants/{participant}";
const SHARING_PATH: &str = "/emulator/meetings/{meeting}/participants/{participant}/sharing";

const MEETING: Schema = Schema {
    name: "Meeting",
    members: &[
        Member::must("id", Kind::Text, "Name of the meeting in this API."),
        Member::must("subject", Kind::Text, "What it is about."),
        Member::must("tenantId", Kind::Text, "Tenant of the meeting; the tenantId of calls into it."),
        Member::must("organizer", Kind::One(&USER), "Who organizes it."),
        Member::must("threadId", Kind::Text, "chatInfo.threadId"),
        Member::must("messageId", Kind::Text, "chatInfo.messageId"),
        Member::must("joinUrl", Kind::Text, "In the form Teams gives it."),
        Member::must("joinMeetingId", Kind::Text, "meetingInfo.joinMeetingId"),
        Member::may("passcode", Kind::Text, "What goes with joinMeetingId, if the meeting has one."),
        Member::must("participants", Kind::List(&Kind::One(&PARTICIPANT)), "Everybody in it, in the order of joining."),
    ],
};

const NEW_MEETING: Schema = Schema {
    name: "NewMeeting",
    members: &[
        Member::may("subject", Kind::Text, "What it is about."),
        Member::may("organizerId", Kind::Text, "Object id of the organizer, a user; a new user if left out."),
        Member::default("withoutPasscode", Kind::Flag, "Joining by meeting id needs no passcode."),
        Member::default("lobby", Kind::Flag, "Guests wait in the lobby until they are admitted."),
    ],
};

/// Somebody in a conversation.
pub(super) const PARTICIPANT: Schema = Schema {
    name: "Participant",
    members: &[
        Member::must("participantId", Kind::Text, "Id in the roster and in routing groups."),
        Member::must("displayName", Kind::Text, "Name shown."),
        Member::may("callId", Kind::Text, "The call, if it is a bot."),
        Member::may("sourceId", Kind::Whole, "mediaStream.sourceId; null without media."),
        Member::must("connected", Kind::Flag, "Whether media is connected."),
        Member::must("inDefaultAudioRoutingGroup", Kind::Flag, "Whether it is in the default group."),
        Member::must("isMuted", Kind::Flag, "Whether it is muted for everybody."),
    ],
};

/// Changes to somebody in a conversation.
pub(super) const PARTICIPANT_PATCH: Schema = Schema {
    name: "ParticipantPatch",
    members: &[
        Member::may("inDefaultAudioRoutingGroup", Kind::Flag, "In or out of the default group."),
        Member::may("isMuted", Kind::Flag, "Muted for everybody or not."),
    ],
};

/// An offer or an answer.
pub(super) const SESSION_DESCRIPTION: Schema = Schema {
    name: "SessionDescription",
    members: &[
        Member::must("type", Kind::Word(&["offer", "answer"]), "Offer or answer."),
        Member::must("sdp", Kind::Text, "The SDP, candidates complete."),
    ],
};

const NEW_PERSON: Schema = Schema {
    name: "NewPerson",
    members: &[
        Member::may("displayName", Kind::Text, "Name shown; the user's if left out."),
        Member::may("userId", Kind::Text, "A user of this service; a passing guest if left out."),
        Member::may("offer", Kind::One(&SESSION_DESCRIPTION), "The WebRTC offer; without one there is no connection."),
        Member::default("removeFromDefaultAudioRoutingGroup", Kind::Flag, "Join outside the default group."),
        Member::default("isMuted", Kind::Flag, "Join muted."),
    ],
};

/// Somebody who joined or answered.
pub(super) const PERSON: Schema = Schema {
    name: "Person",
    members: &[
        Member::must("participantId", Kind::Text, "Id in the roster and in routing groups."),
        Member::may("sourceId", Kind::Whole, "mediaStream.sourceId"),
        Member::may("answer", Kind::One(&SESSION_DESCRIPTION), "The WebRTC answer; null without an offer."),
    ],
};

const MATRIX_ROW: Schema = Schema {
    name: "MatrixRow",
    members: &[
        Member::must("receiver", Kind::Text, "Participant id of the receiver."),
        Member::must("sources", Kind::List(&Kind::Text), "Participant ids of everybody it hears."),
    ],
};

const KEY_PRESSES: Schema = Schema {
    name: "KeyPresses",
    members: &[Member::must(
        "tones",
        Kind::List(&Kind::Text),
        "In order; Graph's names: tone0 to tone9, star, pound, a to d, flash.",
    )],
};

const NEW_SHARING: Schema = Schema {
    name: "NewSharing",
    members: &[Member::may("slide", Kind::Text, "PNG in base64; a white pixel if left out.")],
};

const SHARING: Schema = Schema {
    name: "Sharing",
    members: &[Member::must("contentSharingSessionId", Kind::Text, "contentSharingSession.id")],
};

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
