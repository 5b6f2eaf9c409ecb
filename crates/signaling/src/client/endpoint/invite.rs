//! `POST /calls/{id}/participants/invite`: call somebody into the call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/participant-invite>.

use antiphon_graph::CallId;
use antiphon_graph::action::InviteParticipants;
use antiphon_graph::operation::InviteParticipantsOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/invite");

impl GraphClient {
    /// Invites one or several into a group call.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` in a peer-to-peer call or for too many.
    pub async fn invite(
        &self,
        call: &CallId,
        parameters: &InviteParticipants,
    ) -> Result<InviteParticipantsOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
