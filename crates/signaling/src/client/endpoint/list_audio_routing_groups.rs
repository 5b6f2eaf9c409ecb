//! `GET /calls/{id}/audioRoutingGroups`: the private audio paths of a call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-list-audioroutinggroups>.

use antiphon_graph::{AudioRoutingGroup, CallId};
use http::Method;

use super::{Endpoint, Repeat};
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint =
    Endpoint { method: Method::GET, path: "/calls/{id}/audioRoutingGroups", repeat: Repeat::Safe };

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
