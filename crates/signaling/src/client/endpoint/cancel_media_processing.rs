//! `POST /calls/{id}/cancelMediaProcessing`: stop prompts and recordings.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-cancelmediaprocessing>.

use antiphon_graph::CallId;
use antiphon_graph::action::WithClientContext;
use antiphon_graph::operation::CancelMediaProcessingOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/cancelMediaProcessing");

impl GraphClient {
    /// Cancels every prompt and recording, running or waiting; their operations
    /// end as failed.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn cancel_media_processing(
        &self,
        call: &CallId,
        parameters: &WithClientContext,
    ) -> Result<CancelMediaProcessingOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
