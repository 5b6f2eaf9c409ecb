//! `POST /calls/{id}/recordResponse`: record what the other party says.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-record>.

use antiphon_graph::CallId;
use antiphon_graph::action::RecordResponse;
use antiphon_graph::operation::RecordOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/recordResponse");

impl GraphClient {
    /// Records a response, after a prompt. Service-hosted media only. Where the
    /// recording is, the end of the operation tells.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for app-hosted media or a span out of bounds.
    pub async fn record_response(
        &self,
        call: &CallId,
        parameters: &RecordResponse,
    ) -> Result<RecordOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
