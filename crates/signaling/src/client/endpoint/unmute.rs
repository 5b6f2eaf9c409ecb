//! `POST /calls/{id}/unmute`: unmute the app.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-unmute>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::UnmuteParticipantOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/unmute");

impl GraphClient {
    /// Unmutes the app at the service. Group calls only.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` in a peer-to-peer call.
    pub async fn unmute(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<UnmuteParticipantOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
