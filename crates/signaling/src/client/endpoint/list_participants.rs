//! `GET /calls/{id}/participants`: the roster.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-list-participants>.

use antiphon_graph::{CallId, Participant};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/participants");

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
