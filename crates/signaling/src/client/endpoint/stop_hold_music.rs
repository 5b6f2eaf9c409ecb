//! `POST /calls/{id}/participants/{id}/stopHoldMusic`: take a participant from hold.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-stopholdmusic>.

use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::StopHoldMusicOperation;
use antiphon_graph::{CallId, ParticipantId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/{id}/stopHoldMusic");

impl GraphClient {
    /// Takes a participant back from hold.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody in the call has that id.
    pub async fn stop_hold_music(
        &self,
        call: &CallId,
        participant: &ParticipantId,
        parameters: &WithClientContext,
    ) -> Result<StopHoldMusicOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), participant.as_str()]).json(parameters).send().await?.read()
    }
}
