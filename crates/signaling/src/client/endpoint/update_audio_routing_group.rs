//! `PATCH /calls/{id}/audioRoutingGroups/{id}`: change who hears.
//!
//! Repeating it is safe: the body says the whole new value of each member.
//! Spec: <https://learn.microsoft.com/graph/api/audioroutinggroup-update>.

use antiphon_graph::{AudioRoutingGroup, AudioRoutingGroupUpdate, CallId};

use super::Endpoint;
use crate::client::{GraphClient, GraphError};

const ENDPOINT: Endpoint = Endpoint::patch("/calls/{id}/audioRoutingGroups/{id}");

impl GraphClient {
    /// Changes a routing group; the service may take new receivers only.
    ///
    /// # Errors
    ///
    /// `NotFound` if the call has no group of that id, `InvalidRequest` for a
    /// change the service refuses.
    pub async fn update_audio_routing_group(
        &self,
        call: &CallId,
        group: &str,
        update: &AudioRoutingGroupUpdate,
    ) -> Result<AudioRoutingGroup, GraphError> {
        self.request(&ENDPOINT, &[call.as_str(), group]).json(update).send().await?.read()
    }
}
