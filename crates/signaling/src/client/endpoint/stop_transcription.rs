//! `POST /calls/{id}/stopTranscription`: end the transcription.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/call-stoptranscription>.

use antiphon_graph::CallId;
use antiphon_graph::action::Transcription;
use antiphon_graph::operation::StopTranscriptionOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/stopTranscription").beta();

impl GraphClient {
    /// Ends the transcription of the meeting. Beta.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn stop_transcription(
        &self,
        call: &CallId,
        parameters: &Transcription,
    ) -> Result<StopTranscriptionOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
