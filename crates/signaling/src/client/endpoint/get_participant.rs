//! `GET /calls/{id}/participants/{id}`: one participant.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-get>.

use antiphon_graph::{CallId, Participant, ParticipantId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/participants/{id}");

impl GraphClient {
    /// Reads one participant.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody in the call has that id.
    pub async fn participant(&self, call: &CallId, participant: &ParticipantId) -> Result<Participant, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), participant.as_str()]).send().await?.read()
    }
}
