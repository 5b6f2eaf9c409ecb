//! What a meeting asks of the media engine, and what the engine reports back.
//!
//! The seam between call control and media: [`EngineMedia`](super::EngineMedia) is the engine; router tests put a
//! recorder here so that they need no sockets. All calls are synchronous and quick, made under the service's lock.
//! Events arrive by a bounded channel and are handled in order by the service's driver task.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::PlainLeg;
use antiphon_graph::ParticipantId;
use thiserror::Error;
use tokio::sync::mpsc;

use super::MeetingId;

/// Opens conversations.
pub(crate) trait MediaService: Debug + Send + Sync {
    /// A new, empty conversation whose events carry `meeting`.
    fn open(&self, meeting: &MeetingId, events: mpsc::Sender<MediaEvent>) -> Result<Arc<dyn MeetingMedia>, MediaError>;
}

/// The media of one meeting.
pub(crate) trait MeetingMedia: Debug + Send + Sync {
    /// Adds a participant by answering its SDP offer.
    fn answer(&self, who: &ParticipantId, offer: &str, terms: JoinTerms) -> Result<MediaAnswer, MediaError>;
    /// Adds a participant by plain RTP.
    fn plain(&self, who: &ParticipantId, leg: &PlainLeg, terms: JoinTerms) -> Result<PlainAnswer, MediaError>;
    /// Lets a participant without a connection of its own be heard: what they say is queued behind what they say already.
    /// Whoever is not in the mix yet enters it by `terms`. Mono at [`SPEECH_RATE`].
    fn speak(&self, who: &ParticipantId, terms: JoinTerms, samples: Vec<i16>) -> Result<Spoken, MediaError>;
    /// Forgets what a participant was still to say.
    fn hush(&self, who: &ParticipantId);
    /// Takes a participant out; unknown ones are ignored.
    fn leave(&self, who: &ParticipantId);
    /// Puts a participant into the default group or takes it out.
    fn set_in_default_group(&self, who: &ParticipantId, inside: bool);
    /// Mutes a participant for everybody.
    fn set_muted(&self, who: &ParticipantId, muted: bool);
    /// Sets routes from every source to every receiver, replacing those of the same name; all or nothing.
    fn set_routing_group(
        &self,
        name: &str,
        sources: &[ParticipantId],
        receivers: &[ParticipantId],
    ) -> Result<(), MediaError>;
    /// Removes the routes of that name, if there are any.
    fn remove_routing_group(&self, name: &str);
    /// Receiver by receiver, who is heard.
    fn matrix(&self) -> Vec<(ParticipantId, Vec<ParticipantId>)>;
    /// The engine's conversation, if this is the engine.
    fn conversation(&self) -> Option<&antiphon_engine::Conversation> {
        None
    }
    /// Ends the conversation.
    fn close(&self);
}

/// How a participant enters the mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinTerms {
    pub(crate) in_default_group: bool,
    pub(crate) muted: bool,
}

/// What an offer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MediaAnswer {
    /// SDP answer, candidates complete.
    pub(crate) sdp: String,
    /// `mediaStream.sourceId` of the participant, and the CSRC of its voice.
    pub(crate) source_id: u32,
}

/// What a plain leg got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlainAnswer {
    /// Where the peer sends to.
    pub(crate) local_address: SocketAddr,
    /// SSRC of what it hears.
    pub(crate) ssrc: u32,
    /// As in [`MediaAnswer`].
    pub(crate) source_id: u32,
}

/// Samples per second of what is spoken for people without a connection.
pub(crate) const SPEECH_RATE: u32 = antiphon_engine::Speaker::RATE;

/// What speaking led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spoken {
    /// As in [`MediaAnswer`].
    pub(crate) source_id: u32,
    /// How long they will be heard from now on.
    pub(crate) queued: Duration,
}

/// Why the media engine refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub(crate) enum MediaError {
    /// The offer cannot be answered, or the plain leg is not possible (culprit: peer or caller).
    #[error("{0}")]
    Offer(String),
    /// No room for another participant (culprit: configuration).
    #[error("{0}")]
    Full(String),
    /// A route names somebody without media (culprit: caller).
    #[error("{0}")]
    Route(String),
    /// The participant speaks for itself, or has more to say than may wait (culprit: caller).
    #[error("{0}")]
    Speech(String),
    /// The engine cannot do it (culprit: environment).
    #[error("{0}")]
    Unavailable(String),
}

/// A report of the media engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MediaEvent {
    /// Something happened to one participant's media.
    Participant { meeting: MeetingId, who: ParticipantId, kind: MediaEventKind },
    /// The whole meeting lost its media by a fault of the engine.
    Failed { meeting: MeetingId },
}

/// What happened to a participant's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaEventKind {
    /// It flows both ways.
    Connected,
    /// It could not be connected, or is lost.
    Disconnected,
}
