//! `POST /calls/{id}/updateRecordingStatus`: say whether the app records.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-updaterecordingstatus>.

use antiphon_graph::CallId;
use antiphon_graph::action::UpdateRecordingStatus;
use antiphon_graph::operation::UpdateRecordingStatusOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/updateRecordingStatus");

impl GraphClient {
    /// Tells everybody in a call under a recording policy whether the app records:
    /// before anything is kept, and when that ends.
    ///
    /// # Errors
    ///
    /// `Forbidden` outside a recording policy.
    pub async fn update_recording_status(
        &self,
        call: &CallId,
        parameters: &UpdateRecordingStatus,
    ) -> Result<UpdateRecordingStatusOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
