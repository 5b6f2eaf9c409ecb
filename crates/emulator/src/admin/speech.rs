//! People without a connection speak: a WAV file or a tone.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::Json;
use axum::routing::{delete, post};
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::json::{AdminBytes, read_json};
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::meeting::MeetingId;
use crate::operations::OperationError;
use crate::service::Service;
use crate::speech::Speech;

const PATH: &str = "/emulator/meetings/{meeting}/participants/{participant}/speak";

/// Two minutes of stereo at 48 kHz, and a header.
const MAX_BYTES: usize = 120 * 48_000 * 4 + 64 * 1024;

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        PATH,
        || post(speak).layer(DefaultBodyLimit::max(MAX_BYTES)),
        "A person without a connection is heard, after what they say already.",
    )
    .takes_or_media(&TONE, "audio/wav")
    .gives(202, Kind::One(&SPOKEN)),
    Route::delete(PATH, || delete(hush), "Forgets what a person was still to say."),
];

const TONE: Schema = Schema {
    name: "NewTone",
    members: &[
        Member::must("tone", Kind::Number, "Frequency in hertz, 20 to 20000."),
        Member::default("seconds", Kind::Number, "Length, up to 120; 2 if left out."),
    ],
};

const SPOKEN: Schema = Schema {
    name: "Spoken",
    members: &[Member::must("heardForSeconds", Kind::Number, "How long the person will be heard from now on.")],
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTone {
    tone: f32,
    #[serde(default = "two")]
    seconds: f32,
}

fn two() -> f32 {
    2.0
}

async fn speak(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
    AdminBytes(body): AdminBytes,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let speech = speech(&body)?;
    // A long file takes a while to read; connections are served meanwhile.
    let samples = tokio::task::spawn_blocking(move || speech.into_samples())
        .await
        .expect("invariant: reading sound does not panic")
        .map_err(OperationError::from)?;
    let heard_for: Duration = service.speak(&meeting, &participant.into(), samples)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "heardForSeconds": heard_for.as_secs_f64() }))))
}

/// A WAV file by its first bytes, whatever the content type says; else a tone.
fn speech(body: &Bytes) -> Result<Speech, AdminError> {
    if body.starts_with(b"RIFF") {
        return Ok(Speech::Wav(body.to_vec()));
    }
    let NewTone { tone, seconds } = read_json(body)?;
    Ok(Speech::Tone { hz: tone, seconds })
}

async fn hush(
    State(service): State<Arc<Service>>,
    Path((meeting, participant)): Path<(MeetingId, String)>,
) -> Result<StatusCode, AdminError> {
    service.hush(&meeting, &participant.into())?;
    Ok(StatusCode::NO_CONTENT)
}
