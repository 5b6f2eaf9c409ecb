//! `POST /calls/{id}/participants/{id}/mute`: mute a participant.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-mute>.

use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::MuteParticipantOperation;
use antiphon_graph::{CallId, ParticipantId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/{id}/mute");

impl GraphClient {
    /// Mutes a participant at the service; only they can unmute themselves.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody in the call has that id.
    pub async fn mute_participant(
        &self,
        call: &CallId,
        participant: &ParticipantId,
        parameters: &WithClientContext,
    ) -> Result<MuteParticipantOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), participant.as_str()]).json(parameters).send().await?.read()
    }
}
