//! `POST /calls/{id}/participants/{id}/reportSyntheticMedia`: report made-up media.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/participant-reportsyntheticmedia>.

use antiphon_graph::action::ReportSyntheticMedia;
use antiphon_graph::{CallId, ParticipantId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/{id}/reportSyntheticMedia").beta();

impl GraphClient {
    /// Reports that a participant's media seem to be synthetic. Beta.
    ///
    /// # Errors
    ///
    /// `NotFound` if nobody in the call has that id.
    pub async fn report_synthetic_media(
        &self,
        call: &CallId,
        participant: &ParticipantId,
        parameters: &ReportSyntheticMedia,
    ) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), participant.as_str()]).json(parameters).send().await?.done()
    }
}
