//! `GET /calls/{id}/participants`: the roster.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-list-participants>.

use antiphon_graph::{CallId, Participant};
use http::Method;

use super::{Endpoint, Repeat};
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint { method: Method::GET, path: "/calls/{id}/participants", repeat: Repeat::Safe };

impl GraphClient {
    /// Lists the participants of a call, all pages.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn participants(&self, call: &CallId) -> Result<Vec<Participant>, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).all_pages().await
    }
}
