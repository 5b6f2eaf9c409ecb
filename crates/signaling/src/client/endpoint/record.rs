//! `POST /calls/{id}/record`: `recordResponse` by its former name.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/call-record>.

use antiphon_graph::CallId;
use antiphon_graph::action::RecordResponse;
use antiphon_graph::operation::RecordOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/record").beta();

impl GraphClient {
    /// Does what [`record_response`](Self::record_response) does, by the name it had before. Beta.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn record(&self, call: &CallId, parameters: &RecordResponse) -> Result<RecordOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
