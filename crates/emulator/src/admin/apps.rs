//! App registrations and admin consent.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{delete, get, patch, post};
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::AdminError;
use super::json::AdminJson;
use super::schema::{Kind, Member, Schema};
use super::table::Route;
use crate::entra::{self, App, Consent, DirectoryError, NewApp};
use crate::service::Service;

pub(super) const ROUTES: &[Route] = &[
    Route::get("/emulator/apps", || get(list), "Every application registration.")
        .gives(200, Kind::Collection(&Kind::One(&APP))),
    Route::post("/emulator/apps", || post(register), "Registers an application; nothing is consented yet.")
        .takes(&NEW_APP)
        .gives(201, Kind::One(&APP)),
    Route::get("/emulator/apps/{app}", || get(show), "One application registration.").gives(200, Kind::One(&APP)),
    Route::patch("/emulator/apps/{app}", || patch(change), "Changes a registration.")
        .takes(&APP_PATCH)
        .gives(200, Kind::One(&APP)),
    Route::delete("/emulator/apps/{app}", || delete(remove), "Removes a registration; calls it has go on."),
    Route::post(
        "/emulator/apps/{app}/consent",
        || post(consent),
        "Consents as a tenant's administrator; replaces an earlier consent. Tokens given from now on carry it.",
    )
    .takes(&CONSENT)
    .gives(200, Kind::One(&APP)),
    Route::post(
        "/emulator/apps/{app}/delegatedTokens",
        || post(delegated_token),
        "Gives a token on behalf of a user, to see that calls refuse it.",
    )
    .takes(&NEW_DELEGATED_TOKEN)
    .gives(201, Kind::One(&DELEGATED_TOKEN)),
];

const CERTIFICATES: &str = "Certificates or public keys (RSA, PEM) whose private keys sign its client assertions.";

const APP: Schema = Schema {
    name: "App",
    members: &[
        Member::must("appId", Kind::Text, "Client id, a GUID."),
        Member::must("clientSecret", Kind::Text, "Client secret."),
        Member::must("displayName", Kind::Text, "Name shown in rosters."),
        Member::must("tenantId", Kind::Text, "Tenant it was registered in."),
        Member::must(
            "callingBot",
            Kind::Flag,
            "Whether it is registered as a calling bot; if not, calls are refused (7503).",
        ),
        Member::default("webhookUrl", Kind::Text, "Where calls to it are announced; without one nobody can call it."),
        Member::default("certificates", Kind::List(&Kind::Text), CERTIFICATES),
        Member::must("permissions", Kind::List(&Kind::Text), "Permissions it asks for."),
        Member::must("consents", Kind::Map(&Kind::List(&Kind::Text)), "What administrators consented to, by tenant."),
    ],
};

const NEW_APP: Schema = Schema {
    name: "NewApp",
    members: &[
        Member::must("displayName", Kind::Text, "Name shown in rosters."),
        Member::may("appId", Kind::Text, "Client id, a GUID; a fresh one if left out."),
        Member::may("clientSecret", Kind::Text, "Client secret; a fresh one if left out."),
        Member::may("tenantId", Kind::Text, "Home tenant; the first tenant if left out."),
        Member::default("permissions", Kind::List(&Kind::Text), "Permissions to ask for."),
        Member::default("withoutCalling", Kind::Flag, "Registered as an application that does not call."),
        Member::may("webhookUrl", Kind::Text, "Where calls to it are announced."),
        Member::default("certificates", Kind::List(&Kind::Text), CERTIFICATES),
    ],
};

const APP_PATCH: Schema = Schema {
    name: "AppPatch",
    members: &[Member::may("webhookUrl", Kind::Text, "Where calls to it are announced; null takes it away.")],
};

const CONSENT: Schema = Schema {
    name: "Consent",
    members: &[
        Member::may("tenantId", Kind::Text, "Tenant whose administrator consents; the home tenant if left out."),
        Member::may("permissions", Kind::List(&Kind::Text), "What is consented to; all the app asks for if left out."),
    ],
};

const NEW_DELEGATED_TOKEN: Schema =
    Schema { name: "NewDelegatedToken", members: &[Member::must("userId", Kind::Text, "The user it is given for.")] };

const DELEGATED_TOKEN: Schema = Schema {
    name: "DelegatedToken",
    members: &[Member::must("accessToken", Kind::Text, "A bearer token with `scp` and no roles.")],
};

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

/// Changes to a registration; an absent member stays as it is, a null one is taken away.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AppPatch {
    #[serde(default, deserialize_with = "given")]
    webhook_url: Option<Option<String>>,
}

/// Tells a null member from an absent one.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

async fn change(
    State(service): State<Arc<Service>>,
    Path(app): Path<String>,
    AdminJson(change): AdminJson<AppPatch>,
) -> Result<Json<App>, AdminError> {
    let mut directory = service.directory();
    let changed = match change.webhook_url {
        Some(webhook_url) => directory.set_webhook(&app, webhook_url)?,
        None => directory.app(&app).cloned().ok_or(DirectoryError::UnknownApp(app))?,
    };
    Ok(Json(changed))
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewDelegatedToken {
    user_id: String,
}

async fn delegated_token(
    State(service): State<Arc<Service>>,
    Path(app): Path<String>,
    AdminJson(new): AdminJson<NewDelegatedToken>,
) -> Result<(StatusCode, Json<Value>), AdminError> {
    let key = service.authority_key().await;
    let (now, lifetime) = (service.clock.wall_shared(), service.limits.token_lifetime);
    let token = entra::delegated_token(&service.directory(), &key, &app, &new.user_id, now, lifetime)?;
    Ok((StatusCode::CREATED, Json(json!({ "accessToken": token }))))
}
