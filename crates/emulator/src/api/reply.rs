//! Answers of the Graph API.
//!
//! A body always has a JSON content type and no body never has one: the JavaScript SDK parses whatever is labelled JSON
//! and throws on nothing.

use antiphon_graph::model::declared_only_as_named;
use antiphon_graph::wire::Version;
use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, STRICT_TRANSPORT_SECURITY};
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::ApiError;

/// Who answered, in the form Graph's front end says it.
const DIAGNOSTIC: &str =
    r#"{"ServerInfo":{"DataCenter":"Antiphon","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"emulator"}}"#;

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

    /// 200 with a body of another kind.
    pub(crate) fn of_type(content_type: HeaderValue, body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]), body }
    }

    /// The same answer with another JSON body; one that is no JSON stays as it is.
    pub(super) fn map_json(mut self, change: impl FnOnce(Value) -> Value) -> Self {
        if let Ok(body) = serde_json::from_slice(&self.body) {
            self.body = serde_json::to_vec(&change(body)).expect("invariant: JSON can be written as it was read");
        }
        self
    }

    /// The same answer without what this version's closed types do not declare: strict clients refuse it.
    pub(super) fn declared_in(self, version: Version) -> Self {
        if version == Version::Beta {
            return self;
        }
        self.map_json(|mut body| {
            let entities = match body.get_mut("value") {
                Some(Value::Array(items)) => items.as_mut_slice(),
                _ => std::slice::from_mut(&mut body),
            };
            entities.iter_mut().filter_map(Value::as_object_mut).for_each(|one| declared_only_as_named(version, one));
            body
        })
    }

    /// The number of members of the collection this answer holds, as text.
    ///
    /// # Errors
    ///
    /// 404 when it is no collection.
    pub(super) fn into_count(self) -> Result<Self, ApiError> {
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let members = body.as_ref().and_then(|body| body.get("value")?.as_array());
        let count = members.ok_or_else(|| ApiError::no_route("$count"))?.len();
        Ok(Self::of_type(HeaderValue::from_static("text/plain; charset=utf-8"), count.to_string().into()))
    }

    /// The body as it will be sent.
    #[cfg(test)]
    pub(super) fn body(&self) -> &[u8] {
        &self.body
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

    /// The answer with the headers every answer carries; `now` is the service's time.
    pub(crate) fn into_response(self, ids: &RequestIds, now: Timestamp, tls: bool) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        for (name, value) in [("request-id", &ids.request), ("client-request-id", &ids.client), ("date", &date)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers.insert("x-ms-ags-diagnostic", HeaderValue::from_static(DIAGNOSTIC));
        if tls {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        response
    }
}
