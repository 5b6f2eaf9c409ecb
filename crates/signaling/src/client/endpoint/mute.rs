//! `POST /calls/{id}/mute`: mute the app.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-mute>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::MuteParticipantOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/mute");

impl GraphClient {
    /// Mutes the app at the service. Group calls only.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` in a peer-to-peer call.
    pub async fn mute(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<MuteParticipantOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
