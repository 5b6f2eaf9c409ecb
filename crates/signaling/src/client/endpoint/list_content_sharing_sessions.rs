//! `GET /calls/{id}/contentSharingSessions`: who shares content.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-list-contentsharingsessions>.

use antiphon_graph::{CallId, ContentSharingSession};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/contentSharingSessions");

impl GraphClient {
    /// Lists the content sharing sessions of a call, all pages.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn content_sharing_sessions(&self, call: &CallId) -> Result<Vec<ContentSharingSession>, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).all_pages().await
    }
}
