//! `DELETE /calls/{id}/participants/{id}`: remove a participant.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-delete>.

use antiphon_graph::{CallId, ParticipantId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::delete("/calls/{id}/participants/{id}");

impl GraphClient {
    /// Removes a participant, or takes an invitation back.
    ///
    /// # Errors
    ///
    /// `Forbidden` unless the meeting lets the app remove people, `NotFound` if
    /// nobody in the call has that id.
    pub async fn delete_participant(&self, call: &CallId, participant: &ParticipantId) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), participant.as_str()]).send().await?.done()
    }
}
