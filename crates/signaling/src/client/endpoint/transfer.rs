//! `POST /calls/{id}/transfer`: connect the other party with somebody else.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-transfer>.

use antiphon_graph::CallId;
use antiphon_graph::action::Transfer;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/transfer");

impl GraphClient {
    /// Transfers the other party, or with `transferee` one participant of a group
    /// call. How it went comes with notifications of the call.
    ///
    /// # Errors
    ///
    /// `Conflict` while another transfer is under way.
    pub async fn transfer(&self, call: &CallId, parameters: &Transfer) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.done()
    }
}
