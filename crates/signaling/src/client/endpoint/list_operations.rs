//! `GET /calls/{id}/operations`: operations under way.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/commsoperation>.

use antiphon_graph::{CallId, CommsOperation};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/operations");

impl GraphClient {
    /// Lists the operations of a call that the service still holds, all pages.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn operations(&self, call: &CallId) -> Result<Vec<CommsOperation>, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).all_pages().await
    }
}
