//! `POST /calls/{id}/keepAlive`: the call is still wanted.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-keepalive>.

use antiphon_graph::CallId;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/keepAlive").repeatable();

impl GraphClient {
    /// Keeps a call alive; the service ends one that was not for 45 minutes.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn keep_alive(&self, call: &CallId) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).send().await?.done()
    }
}
