//! `POST /calls/{id}/playPrompt`: play files to the call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-playprompt>.

use antiphon_graph::CallId;
use antiphon_graph::action::PlayPrompt;
use antiphon_graph::operation::PlayPromptOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/playPrompt");

impl GraphClient {
    /// Plays prompts, after those that are being played. Service-hosted media only.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for app-hosted media, no prompt or too many.
    pub async fn play_prompt(&self, call: &CallId, parameters: &PlayPrompt) -> Result<PlayPromptOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
