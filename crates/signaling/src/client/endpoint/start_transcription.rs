//! `POST /calls/{id}/startTranscription`: begin the transcription.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/call-starttranscription>.

use antiphon_graph::CallId;
use antiphon_graph::action::Transcription;
use antiphon_graph::operation::StartTranscriptionOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/startTranscription").beta();

impl GraphClient {
    /// Begins the transcription of the meeting. Beta.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn start_transcription(
        &self,
        call: &CallId,
        parameters: &Transcription,
    ) -> Result<StartTranscriptionOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
