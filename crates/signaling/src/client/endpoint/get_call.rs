//! `GET /calls/{id}`: the call as the service sees it.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-get>.

use antiphon_graph::{Call, CallId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}");

impl GraphClient {
    /// Reads a call.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn call(&self, call: &CallId) -> Result<Call, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).send().await?.read()
    }
}
