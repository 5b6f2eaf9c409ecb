//! `/emulator/openapi.json`: the administration API, described for programs.
//!
//! Built from the same tables as the router. Spec: OpenAPI 3.1.0.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Json;
use axum::routing::get;
use http::request::Parts;
use serde_json::{Map, Value, json};

use super::TABLES;
use super::schema::{Kind, Member, Schema};
use super::table::{Body, Route};
use crate::server::base_url;
use crate::service::Service;

pub(super) const ROUTES: &[Route] =
    &[Route::get("/emulator/openapi.json", || get(show), "This document.").gives_media("application/json")];

/// Every refusal.
pub(super) const ERROR: Schema = Schema {
    name: "Error",
    members: &[Member::must(
        "error",
        Kind::One(&Schema {
            name: "ErrorBody",
            members: &[
                Member::must("code", Kind::Text, "A word for programs."),
                Member::must("message", Kind::Text, "A sentence that names the culprit."),
            ],
        }),
        "What was wrong.",
    )],
};

async fn show(State(service): State<Arc<Service>>, parts: Parts) -> Json<Value> {
    Json(document(&base_url(&parts, service.default_authority())))
}

/// The document, for a service reached at `base`.
fn document(base: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Vec::new();
    Kind::One(&ERROR).collect(&mut schemas);
    for route in TABLES.iter().copied().flatten() {
        for body in [route.takes, route.gives] {
            if let Body::Json(kind) | Body::Either(kind, _) = body {
                kind.collect(&mut schemas);
            }
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    let schemas: Map<String, Value> =
        schemas.into_iter().map(|schema| (schema.name.to_owned(), schema.to_json())).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Antiphon emulator: administration",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What an operator or a test does beside Graph itself.",
        },
        "servers": [{ "url": base }],
        // Callers on the same machine need no key.
        "security": [{}, { "adminKey": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "adminKey": { "type": "apiKey", "in": "header", "name": "x-antiphon-admin-key" },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "responses": {
            route.status.to_string(): response(route),
            "default": {
                "description": "Refused.",
                "content": { "application/json": { "schema": Kind::One(&ERROR).to_json() } },
            },
        },
    });
    let parameters: Vec<_> = parameters(route.path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let content = content(route.takes);
    if !content.is_empty() {
        // An absent body is an empty object, so it is required only where that would be refused.
        let required = matches!(route.takes, Body::Json(Kind::One(schema)) | Body::Either(Kind::One(schema), _)
            if schema.members.iter().any(|member| member.required));
        operation["requestBody"] = json!({ "required": required, "content": content });
    }
    operation
}

fn response(route: &Route) -> Value {
    let mut response = json!({ "description": if route.status == 204 { "Done." } else { "As asked." } });
    let content = content(route.gives);
    if !content.is_empty() {
        response["content"] = content.into();
    }
    response
}

fn content(body: Body) -> Map<String, Value> {
    let json = |kind: Kind| ("application/json".to_owned(), json!({ "schema": kind.to_json() }));
    let media = |media_type: &str| (media_type.to_owned(), json!({}));
    match body {
        Body::Nothing => Map::new(),
        Body::Json(kind) => Map::from_iter([json(kind)]),
        Body::Media(media_type) => Map::from_iter([media(media_type)]),
        Body::Either(kind, media_type) => Map::from_iter([json(kind), media(media_type)]),
    }
}

/// The names of a path's parameters.
fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

/// Method and path as one word: `postEmulatorAppsAppConsent`.
fn operation_id(route: &Route) -> String {
    let mut id = route.method.to_ascii_lowercase();
    for word in route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        id.extend(word.chars().take(1).map(|first| first.to_ascii_uppercase()));
        id.push_str(&word[1..]);
    }
    id
}
