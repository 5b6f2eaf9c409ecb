//! `GET /calls/{id}/audioRoutingGroups`: the private audio paths of a call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-list-audioroutinggroups>.

use antiphon_graph::{AudioRoutingGroup, CallId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::get("/calls/{id}/audioRoutingGroups");

impl GraphClient {
    /// Lists the routing groups of a call, all pages.
    ///
    /// # Errors
    ///
    /// `CallGone` once the call has ended.
    pub async fn audio_routing_groups(&self, call: &CallId) -> Result<Vec<AudioRoutingGroup>, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).all_pages().await
    }
}
