//! `POST /calls/{id}/startRecording`: begin the meeting's recording.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/call-startrecording>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::StartRecordingOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/startRecording").beta();

impl GraphClient {
    /// Begins the recording of the meeting itself. Beta.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn start_recording(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<StartRecordingOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
