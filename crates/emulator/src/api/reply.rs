//! Answers of the Graph API.
//!
//! A body always has a JSON content type and no body never has one: the JavaScript SDK parses whatever is labelled JSON
//! and throws on nothing.

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

/// Our id of a request and the client's.
#[derive(Debug, Clone)]
pub(crate) struct RequestIds {
    pub(crate) request: String,
    pub(crate) client: String,
}

impl RequestIds {
    /// A fresh id, and the client's echoed if it sent one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let request = Uuid::new_v4().to_string();
        let client = headers
            .get("client-request-id")
            .and_then(|value| value.to_str().ok())
            .filter(|value| value.len() <= 128)
            .map_or_else(|| request.clone(), str::to_owned);
        Self { request, client }
    }
}

/// An answer, less what every answer has.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    /// An answer with a JSON body.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        let body = serde_json::to_vec(body).expect("invariant: Graph resources are plain JSON");
        Self { status, headers, body }
    }

    /// 200 with a JSON body.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new() }
    }

    /// Adds where the new resource is.
    pub(crate) fn location(self, url: &str) -> Self {
        match HeaderValue::from_str(url) {
            Ok(value) => self.header(LOCATION, value),
            Err(_) => self,
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The answer with the ids every answer carries.
    pub(crate) fn into_response(self, ids: &RequestIds) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        for (name, value) in [("request-id", &ids.request), ("client-request-id", &ids.client)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response.headers_mut().insert(
            "x-ms-ags-diagnostic",
            HeaderValue::from_static(r#"{"ServerInfo":{"DataCenter":"Antiphon emulator"}}"#),
        );
        response
    }
}
