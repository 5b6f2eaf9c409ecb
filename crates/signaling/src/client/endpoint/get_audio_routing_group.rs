//! `GET /calls/{id}/audioRoutingGroups/{id}`: one routing group.
//!
//! Spec: <https://learn.microsoft.com/graph/api/audioroutinggroup-get>.

use antiphon_graph::{AudioRoutingGroup, CallId};
use http::Method;

use super::{Endpoint, Repeat};
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint =
    Endpoint { method: Method::GET, path: "/calls/{id}/audioRoutingGroups/{id}", repeat: Repeat::Safe };

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
