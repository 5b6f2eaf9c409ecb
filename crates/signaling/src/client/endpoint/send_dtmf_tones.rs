//! `POST /calls/{id}/sendDtmfTones`: press keys.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-senddtmftones>.

use antiphon_graph::CallId;
use antiphon_graph::action::SendDtmfTones;
use antiphon_graph::operation::SendDtmfTonesOperation;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/sendDtmfTones");

impl GraphClient {
    /// Presses keys. Errors, too, end the operation as completed: its completion
    /// reason tells.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` without tones.
    pub async fn send_dtmf_tones(
        &self,
        call: &CallId,
        parameters: &SendDtmfTones,
    ) -> Result<SendDtmfTonesOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
