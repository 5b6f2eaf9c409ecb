//! `POST /communications/calls/{id}/record`: `recordResponse` by its former name. Beta.
//! Spec: <https://learn.microsoft.com/graph/api/call-record?view=graph-rest-beta>.

use http::Method;

use super::{Endpoint, record_response};

pub(super) const ENDPOINT: Endpoint =
    Endpoint { method: Method::POST, path: "/calls/{id}/record", handler: record_response::handler };
