//! `GET /calls/{id}/operations/{id}`: one operation.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/commsoperation>.

use antiphon_graph::{CallId, CommsOperation};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/operations/{id}");

impl GraphClient {
    /// Reads one operation. Most are gone once they have ended.
    ///
    /// # Errors
    ///
    /// `NotFound` if the call holds no operation of that id.
    pub async fn operation(&self, call: &CallId, operation: &str) -> Result<CommsOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), operation]).send().await?.read()
    }
}
