//! `POST /calls/{id}/redirect`: send an incoming call elsewhere.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-redirect>.

use antiphon_graph::CallId;
use antiphon_graph::action::Redirect;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/redirect");

impl GraphClient {
    /// Sends an incoming call, not yet answered, to one target or several that ring
    /// at once.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for targets or a timeout the service does not take,
    /// `Conflict` if the call was answered.
    pub async fn redirect(&self, call: &CallId, parameters: &Redirect) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.done()
    }
}
