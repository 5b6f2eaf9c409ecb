//! `POST /calls/{id}/participants/configureMixer`: set who hears whom how loud.
//!
//! Beta only: sent there whatever version the client speaks.
//! Spec: <https://learn.microsoft.com/graph/api/participant-configuremixer>.

use antiphon_graph::action::ConfigureMixer;
use antiphon_graph::{CallId, CommsOperation};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/participants/configureMixer").beta();

impl GraphClient {
    /// Sets what participants hear, source by source. Beta; the service's metadata
    /// has it no more.
    ///
    /// # Errors
    ///
    /// `NotSupported` where it is gone.
    pub async fn configure_mixer(
        &self,
        call: &CallId,
        parameters: &ConfigureMixer,
    ) -> Result<CommsOperation, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(parameters).send().await?.read()
    }
}
