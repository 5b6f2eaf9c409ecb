//! The administration API as a table: what the router is built from, and what the OpenAPI document says.
//!
//! Each resource file has a `ROUTES` of these and nothing else leads to its handlers, so that no route can be missing
//! from the document. To add one: a [`Route`] in the table of its file; to add a resource: a file, and its table in
//! [`TABLES`](super::TABLES). Bodies are described in `schema`.

use std::sync::Arc;

use axum::routing::MethodRouter;

use super::schema::{Kind, Schema};
use crate::service::Service;

/// One method of one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) method: &'static str,
    /// As axum writes it: `{name}` for a parameter.
    pub(super) path: &'static str,
    /// Makes the router of this method, for example `|| get(list)`.
    pub(super) handler: fn() -> MethodRouter<Arc<Service>>,
    /// One sentence for the document.
    pub(super) summary: &'static str,
    pub(super) takes: Body,
    pub(super) status: u16,
    pub(super) gives: Body,
}

/// What a request or an answer carries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    Nothing,
    Json(Kind),
    /// Another media type, as bytes or text.
    Media(&'static str),
    /// JSON or another media type.
    Either(Kind, &'static str),
}

type Handler = fn() -> MethodRouter<Arc<Service>>;

impl Route {
    const fn new(method: &'static str, path: &'static str, handler: Handler, summary: &'static str) -> Self {
        Self { method, path, handler, summary, takes: Body::Nothing, status: 204, gives: Body::Nothing }
    }

    pub(super) const fn get(path: &'static str, handler: Handler, summary: &'static str) -> Self {
        Self::new("GET", path, handler, summary)
    }

    pub(super) const fn post(path: &'static str, handler: Handler, summary: &'static str) -> Self {
        Self::new("POST", path, handler, summary)
    }

    pub(super) const fn put(path: &'static str, handler: Handler, summary: &'static str) -> Self {
        Self::new("PUT", path, handler, summary)
    }

    pub(super) const fn patch(path: &'static str, handler: Handler, summary: &'static str) -> Self {
        Self::new("PATCH", path, handler, summary)
    }

    pub(super) const fn delete(path: &'static str, handler: Handler, summary: &'static str) -> Self {
        Self::new("DELETE", path, handler, summary)
    }

    /// With this JSON object as body.
    pub(super) const fn takes(self, schema: &'static Schema) -> Self {
        Self { takes: Body::Json(Kind::One(schema)), ..self }
    }

    /// With a body of this media type.
    pub(super) const fn takes_or_media(self, schema: &'static Schema, media_type: &'static str) -> Self {
        Self { takes: Body::Either(Kind::One(schema), media_type), ..self }
    }

    /// Answered with JSON; 204 and nothing if this is not said.
    pub(super) const fn gives(self, status: u16, kind: Kind) -> Self {
        Self { status, gives: Body::Json(kind), ..self }
    }

    /// Answered 200 with a body of this media type.
    pub(super) const fn gives_media(self, media_type: &'static str) -> Self {
        Self { status: 200, gives: Body::Media(media_type), ..self }
    }
}
