//! `GET /calls/{id}/contentSharingSessions/{id}`: one content sharing session.
//!
//! Spec: <https://learn.microsoft.com/graph/api/contentsharingsession-get>.

use antiphon_graph::{CallId, ContentSharingSession};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/contentSharingSessions/{id}");

impl GraphClient {
    /// Reads one content sharing session.
    ///
    /// # Errors
    ///
    /// `NotFound` once the sharing has ended.
    pub async fn content_sharing_session(
        &self,
        call: &CallId,
        session: &str,
    ) -> Result<ContentSharingSession, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), session]).send().await?.read()
    }
}
