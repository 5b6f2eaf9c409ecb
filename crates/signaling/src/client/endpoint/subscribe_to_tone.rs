//! `POST /calls/{id}/subscribeToTone`: be told of key presses.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-subscribetotone>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::SubscribeToToneOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/subscribeToTone");

impl GraphClient {
    /// Asks for a notification of each key press. Service-hosted media only.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for app-hosted media.
    pub async fn subscribe_to_tone(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<SubscribeToToneOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
