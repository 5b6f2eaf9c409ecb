//! The audio routing groups of a call: who is heard by whom beside, or instead of, the default group.

use crate::Call;
use antiphon_graph::{AudioRoutingGroup, AudioRoutingGroupUpdate, ParticipantId};
use antiphon_signaling::client::GraphError;

/// The `audioRoutingGroups` of one call. All methods are requests to the service; a change is in force when the
/// method returns.
///
/// All errors are [`GraphError`]s, among them 400 for a rule the service enforces (one source, known participants, a
/// source that is no receiver), 403 with the missing permission, 404 for an unknown group, 409 for an id in use.
#[derive(Debug, Clone, Copy)]
pub struct RoutingGroups<'a> {
    call: &'a Call,
}

impl<'a> RoutingGroups<'a> {
    pub(crate) fn new(call: &'a Call) -> Self {
        Self { call }
    }

    /// Creates a group; build it with [`AudioRoutingGroup::one_to_one`] or [`AudioRoutingGroup::multicast`].
    ///
    /// # Errors
    /// See the type.
    pub async fn create(&self, group: &AudioRoutingGroup) -> Result<AudioRoutingGroup, GraphError> {
        self.call.line().checked(self.call.graph().create_audio_routing_group(self.call.id(), group).await)
    }

    /// All groups of the call.
    ///
    /// # Errors
    /// See the type.
    pub async fn list(&self) -> Result<Vec<AudioRoutingGroup>, GraphError> {
        self.call.line().checked(self.call.graph().audio_routing_groups(self.call.id()).await)
    }

    /// One group by its id.
    ///
    /// # Errors
    /// See the type.
    pub async fn get(&self, group: &str) -> Result<AudioRoutingGroup, GraphError> {
        self.call.line().checked(self.call.graph().audio_routing_group(self.call.id(), group).await)
    }

    /// Replaces the receivers of a group.
    ///
    /// # Errors
    /// See the type.
    pub async fn set_receivers(
        &self,
        group: &str,
        receivers: Vec<ParticipantId>,
    ) -> Result<AudioRoutingGroup, GraphError> {
        let update = AudioRoutingGroupUpdate::receivers(receivers);
        self.call.line().checked(self.call.graph().update_audio_routing_group(self.call.id(), group, &update).await)
    }

    /// Deletes a group.
    ///
    /// # Errors
    /// See the type.
    pub async fn delete(&self, group: &str) -> Result<(), GraphError> {
        self.call.line().checked(self.call.graph().delete_audio_routing_group(self.call.id(), group).await)
    }
}
