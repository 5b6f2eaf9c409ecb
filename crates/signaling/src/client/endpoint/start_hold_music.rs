//! `POST /calls/{id}/participants/{id}/startHoldMusic`: put a participant on hold.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-startholdmusic>.

use antiphon_graph::action::StartHoldMusic;
use antiphon_graph::operation::StartHoldMusicOperation;
use antiphon_graph::{CallId, ParticipantId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/{id}/startHoldMusic");

impl GraphClient {
    /// Puts a participant on hold, with music or a prompt of one's own.
    ///
    /// # Errors
    ///
    /// `Conflict` while another one is on hold, `NotFound` if nobody in the call
    /// has that id.
    pub async fn start_hold_music(
        &self,
        call: &CallId,
        participant: &ParticipantId,
        parameters: &StartHoldMusic,
    ) -> Result<StartHoldMusicOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), participant.as_str()]).json(parameters).send().await?.read()
    }
}
