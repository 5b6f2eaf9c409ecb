//! Who listens to music on behalf of a call: one participant at a time.

use antiphon_graph::ParticipantId;

/// A participant a bot puts on hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) participant: ParticipantId,
    pub(crate) phase: HoldPhase,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HoldPhase {
    /// This operation puts the participant on hold.
    Starting(String),
    /// The music plays.
    On,
    /// This operation takes the participant off hold.
    Stopping(String),
}

impl Hold {
    /// The operation under way.
    pub(crate) fn operation(&self) -> Option<&str> {
        match &self.phase {
            HoldPhase::Starting(operation) | HoldPhase::Stopping(operation) => Some(operation),
            HoldPhase::On => None,
        }
    }
}
