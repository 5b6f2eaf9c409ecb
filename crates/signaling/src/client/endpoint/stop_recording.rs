//! `POST /calls/{id}/stopRecording`: end the meeting's recording.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/call-stoprecording>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::StopRecordingOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/stopRecording").beta();

impl GraphClient {
    /// Ends the recording of the meeting itself. Beta.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn stop_recording(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<StopRecordingOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
