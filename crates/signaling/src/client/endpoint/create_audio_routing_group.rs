//! `POST /calls/{id}/audioRoutingGroups`: a new private audio path.
//!
//! Spec: <https://learn.microsoft.com/graph/api/call-post-audioroutinggroups>.

use antiphon_graph::{AudioRoutingGroup, CallId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::post("/calls/{id}/audioRoutingGroups");

impl GraphClient {
    /// Creates a routing group; its id is the caller's choice.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` for an unknown participant or a shape the mode does
    /// not allow, `Conflict` for an id that is taken.
    pub async fn create_audio_routing_group(
        &self,
        call: &CallId,
        group: &AudioRoutingGroup,
    ) -> Result<AudioRoutingGroup, GraphError> {
        self.request(&ENDPOINT, &[call.as_str()]).json(group).send().await?.read()
    }
}
