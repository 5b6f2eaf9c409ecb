//! What can go wrong on the control side of the engine, by culprit.

use crate::ParticipantId;
use antiphon_codec as codec;
use antiphon_pipeline as pipeline;
use antiphon_transport as transport;

/// The engine could not start: something about this machine or its configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The media socket could not be opened.
    #[error(transparent)]
    Bind(#[from] transport::BindError),
    /// The side that makes offers could not start.
    #[error(transparent)]
    Connector(#[from] transport::StartError),
    /// A thread could not be started.
    #[error("cannot start the {thread} thread: {source}; raise the process's thread or memory limit")]
    Thread {
        /// Which thread.
        thread: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A conversation or media session could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// An option is out of range (culprit: caller).
    #[error("the conversation's options cannot be used: {0}")]
    Config(#[from] pipeline::ConfigError),
    /// The codec gave no memory (culprit: environment).
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    /// A receiver could not be made (culprit: environment).
    #[error(transparent)]
    Receiver(#[from] pipeline::ReceiverError),
    /// This engine was started as a client and answers no offers (culprit: caller).
    #[error("this engine only makes offers; start it with Engine::start to host conversations")]
    NoEndpoint,
    /// Every media thread holds all the conversations it can (culprit: configuration).
    #[error("the media threads hold {limit} conversations each and are full; raise EngineConfig::media_threads")]
    ThreadsFull {
        /// Conversations one media thread can hold.
        limit: usize,
    },
    /// The leg's socket or offer could not be made (culprit: environment).
    #[error(transparent)]
    Offer(#[from] transport::OfferError),
    /// No descriptor for waking the app (culprit: environment).
    #[error("cannot make an eventfd: {0}; raise the process's limit of open files")]
    Wake(std::io::Error),
}

/// A participant could not join.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The peer's SDP offer is not one we can answer, or ours could not be made.
    #[error(transparent)]
    Offer(#[from] transport::OfferError),
    /// The peer's SDP answer does not fit our offer (culprit: peer).
    #[error(transparent)]
    Answer(#[from] transport::AnswerError),
    /// The plain leg could not be opened.
    #[error(transparent)]
    Plain(#[from] transport::PlainError),
    /// The codec gave no memory (culprit: environment).
    #[error(transparent)]
    Codec(#[from] codec::CodecError),
    /// A receiver could not be made (culprit: environment).
    #[error(transparent)]
    Receiver(#[from] pipeline::ReceiverError),
    /// That identity is already in the conversation (culprit: caller).
    #[error("participant {0} is already in the conversation")]
    Duplicate(ParticipantId),
    /// That identity is not in the conversation (culprit: caller).
    #[error("participant {0} is not in the conversation")]
    Unknown(ParticipantId),
    /// The conversation has reached its capacity (culprit: configuration).
    #[error("the conversation is full: it holds {limit} participants; raise ConversationOptions::max_participants")]
    Full {
        /// The capacity fixed at creation.
        limit: usize,
    },
    /// The conversation was closed or its media thread failed.
    #[error("the conversation is closed")]
    Closed,
}

/// A row of digits could not be sent (culprit: caller or peer). Nothing was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The identity is not in the conversation.
    #[error("participant {0} is not in the conversation")]
    UnknownParticipant(ParticipantId),
    /// The participant's leg did not agree to telephone-events on the clock of its codec (RFC 4733).
    #[error("participant {0} did not negotiate telephone-event; tones inside the audio are not made")]
    NoTelephoneEvent(ParticipantId),
    /// Four rows are on their way to it already.
    #[error("participant {0} is being sent four rows of digits already; wait for TonesSent")]
    Busy(ParticipantId),
    /// The session has no answer yet, or was closed.
    #[error("the media session is not connected")]
    NotConnected,
}

/// A route names somebody who is not there (culprit: caller). Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// The identity is not in the conversation.
    #[error("participant {0} is not in the conversation")]
    UnknownParticipant(ParticipantId),
}
