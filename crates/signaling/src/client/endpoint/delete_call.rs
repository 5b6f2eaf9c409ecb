//! `DELETE /calls/{id}`: hang up.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-delete>.

use antiphon_graph::CallId;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::delete("/calls/{id}");

impl GraphClient {
    /// Ends the app's leg; a group call goes on for the others.
    ///
    /// # Errors
    ///
    /// `CallGone` if it had ended before.
    pub async fn delete_call(&self, call: &CallId) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).send().await?.done()
    }
}
