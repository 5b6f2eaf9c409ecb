//! `GET /calls/{id}/audioRoutingGroups/{id}`: one routing group.
//!
//! Spec: <https://learn.microsoft.com/graph/api/audioroutinggroup-get>.

use antiphon_graph::{AudioRoutingGroup, CallId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/audioRoutingGroups/{id}");

impl GraphClient {
    /// Reads one routing group.
    ///
    /// # Errors
    ///
    /// `NotFound` if the call has no group of that id.
    pub async fn audio_routing_group(&self, call: &CallId, group: &str) -> Result<AudioRoutingGroup, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), group]).send().await?.read()
    }
}
