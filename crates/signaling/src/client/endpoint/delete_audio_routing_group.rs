//! `DELETE /calls/{id}/audioRoutingGroups/{id}`: end a private audio path.
//!
//! Spec: <https://learn.microsoft.com/graph/api/audioroutinggroup-delete>.

use antiphon_graph::CallId;
use http::Method;

use super::{Endpoint, Repeat};
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint =
    Endpoint { method: Method::DELETE, path: "/calls/{id}/audioRoutingGroups/{id}", repeat: Repeat::SafeUntilGone };

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
