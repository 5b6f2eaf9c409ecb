//! `DELETE /calls/{id}/audioRoutingGroups/{id}`: end a private audio path.
//!
//! Spec: <https://learn.microsoft.com/graph/api/audioroutinggroup-delete>.

use antiphon_graph::CallId;

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::delete("/calls/{id}/audioRoutingGroups/{id}");

impl GraphClient {
    /// Deletes a routing group.
    ///
    /// # Errors
    ///
    /// `NotFound` if the call has no group of that id.
    pub async fn delete_audio_routing_group(&self, call: &CallId, group: &str) -> Result<(), GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), group]).send().await?.done()
    }
}
