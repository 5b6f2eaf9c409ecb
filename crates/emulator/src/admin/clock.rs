//! The service's clock: read, and moved forward.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Json;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/clock", || get(read), "The service's time.").gives(200, Kind::One(&CLOCK)),
    Route::post(
        "/emulator/clock",
        || post(advance),
        "Moves the clock forward; everything due within that span happens now. Media keeps real time.",
    )
    .takes(&ADVANCE)
    .gives(200, Kind::One(&CLOCK)),
];

const CLOCK: Schema = Schema {
    name: "Clock",
    members: &[
        Member::must("now", Kind::Text, "Wall time of the service, ISO 8601."),
        Member::must("advancedSeconds", Kind::Number, "By how much it was moved forward since the start."),
    ],
};

const ADVANCE: Schema =
    Schema { name: "ClockAdvance", members: &[Member::must("advanceSeconds", Kind::Number, "From 0 to ten years.")] };

/// Ten years: beyond any deadline, and short of the end of calendars.
const FURTHEST: f64 = 10.0 * 366.0 * 86_400.0;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    advance_seconds: f64,
}

async fn read(State(service): State<Arc<Service>>) -> Json<Value> {
    Json(view(&service))
}

async fn advance(
    State(service): State<Arc<Service>>,
    AdminJson(advance): AdminJson<Advance>,
) -> Result<Json<Value>, AdminError> {
    let seconds = advance.advance_seconds;
    let so_far = service.clock.moved().as_secs_f64();
    if !(0.0..=FURTHEST).contains(&seconds) || so_far + seconds > FURTHEST {
        return Err(AdminError::invalid(format!(
            "advanceSeconds must be from 0 to {FURTHEST:.0} in all, not {seconds}: the clock only goes forward"
        )));
    }
    service.advance_clock(Duration::from_secs_f64(seconds));
    Ok(Json(view(&service)))
}

fn view(service: &Service) -> Value {
    json!({ "now": service.clock.wall().to_string(), "advancedSeconds": service.clock.moved().as_secs_f64() })
}
