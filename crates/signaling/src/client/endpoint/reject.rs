//! `POST /calls/{id}/reject`: refuse an incoming call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-reject>.

use antiphon_graph::CallId;
use antiphon_graph::action::Reject;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/reject");

impl GraphClient {
    /// Refuses an incoming call.
    ///
    /// # Errors
    ///
    /// `CallGone` if it is over, `Conflict` if it was answered.
    pub async fn reject(&self, call: &CallId, parameters: &Reject) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.done()
    }
}
