//! `POST /calls/{id}/answer`: take an incoming call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-answer>.

use antiphon_graph::CallId;
use antiphon_graph::action::Answer;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/answer");

impl GraphClient {
    /// Answers an incoming call. The service waits 15 seconds for it, 5 with a
    /// recording policy. Its media answer comes with a notification.
    ///
    /// # Errors
    ///
    /// `PermissionMissing` also names what app-hosted media need, `Conflict` if it
    /// was answered before, `CallGone` if it came too late.
    pub async fn answer(&self, call: &CallId, parameters: &Answer) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.done()
    }
}
