//! Names of the control side: participants as the caller calls them.
//!
//! The media thread never sees these; it is given dense slots (see `routes`).

use std::fmt;

/// A participant's identity inside one conversation, as the owner of the conversation spells it
/// (Graph's `participant.id` in the emulator and the façade). Compared exactly.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(String);

impl ParticipantId {
    /// Takes the identity as given; any text is legal.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The identity as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ParticipantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParticipantId({:?})", self.0)
    }
}

impl From<&str> for ParticipantId {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for ParticipantId {
    fn from(id: String) -> Self {
        Self(id)
    }
}
