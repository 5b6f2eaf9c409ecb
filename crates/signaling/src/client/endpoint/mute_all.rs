//! `POST /calls/{id}/participants/muteAll`: mute several participants.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/participant-muteall>.

use antiphon_graph::CallId;
use antiphon_graph::action::MuteAll;
use antiphon_graph::operation::MuteParticipantsOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/muteAll").beta();

impl GraphClient {
    /// Mutes the participants named. Beta, and deprecated there.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody in the call has one of the ids.
    pub async fn mute_all(&self, call: &CallId, parameters: &MuteAll) -> Result<MuteParticipantsOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
