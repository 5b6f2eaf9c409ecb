//! A call: the handle a bot holds on one leg in a conversation.
//!
//! In the flow: the driver task owns the call's state machine and media session and publishes snapshots; a
//! handle reads them and sends commands. Cheap to clone; the last handle's drop hangs up. What a bot does in a call
//! is in `actions.rs`.

use crate::driver::Command;
use crate::line::Line;
use crate::{AudioSocket, RoutingGroups};
use antiphon_engine::{CloseReason, ConversationStats, LegStats, MediaSession, SourceId};
use antiphon_graph::{CallId, CallState, Participant, ParticipantId};
use antiphon_signaling::CallMachine;
use antiphon_signaling::call::{CallEvent, EndCause, NoMedia};
use antiphon_signaling::client::{GraphClient, GraphError};
use std::sync::Arc;
use tokio::sync::{broadcast, watch};

/// What happens to the bot's media leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaStatus {
    /// No answer yet, or the leg is connecting.
    #[default]
    Connecting,
    /// Audio flows.
    Connected,
    /// The service hosts the media, as was asked of it: the bot neither hears nor speaks itself.
    ServiceHosted,
    /// The service speaks no media we know; the call lives without audio.
    Unavailable(NoMedia),
    /// The service's answer could not be used; the log says why.
    Rejected,
    /// The leg has ended.
    Ended(CloseReason),
    /// The bot's own media failed by a fault of this crate; the call is hung up.
    Failed,
}

/// A call as of its last change.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CallStatus {
    /// The service's id for it, once created.
    pub id: Option<CallId>,
    /// Where it is in its life.
    pub state: Option<CallState>,
    /// The bot's own participant.
    pub my_participant_id: Option<ParticipantId>,
    /// Who takes part, the bot included.
    pub participants: Arc<[Participant]>,
    /// The media leg.
    pub media: MediaStatus,
    /// Set once, last: how it ended.
    pub ended: Option<EndCause>,
}

impl CallStatus {
    pub(crate) fn of(machine: &CallMachine, app_hosted: bool) -> Self {
        Self {
            id: machine.id().cloned(),
            state: Some(machine.state().clone()),
            my_participant_id: machine.my_participant_id(),
            media: if app_hosted { MediaStatus::Connecting } else { MediaStatus::ServiceHosted },
            ..Self::default()
        }
    }
}

/// The call ended before it came to what was awaited.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallEnded {
    /// The service refused to create it.
    #[error("the call was not created: {0}")]
    NotCreated(GraphError),
    /// The service ended it, for the reason given.
    #[error("the call ended: {0}")]
    Ended(String),
    /// It lives, but has no audio.
    #[error("the call has no audio: {0}")]
    NoAudio(String),
}

impl CallEnded {
    pub(crate) fn driver_stopped() -> Self {
        Self::Ended("its driver stopped".into())
    }

    pub(crate) fn from_cause(cause: &EndCause) -> Self {
        match cause {
            EndCause::NotCreated(error) => Self::NotCreated(error.clone()),
            EndCause::Notified(Some(result)) => {
                let message = result.message.as_deref().unwrap_or("no message");
                let (code, subcode) = (result.code.unwrap_or_default(), result.subcode.unwrap_or_default());
                Self::Ended(format!("{code}/{subcode} ({message})"))
            }
            EndCause::Notified(None) => Self::Ended("the service gave no reason".into()),
            EndCause::Gone => Self::Ended("the service does not know it any more".into()),
            EndCause::HungUp => Self::Ended("the bot hung up or refused it".into()),
            EndCause::NotEstablished => Self::Ended("it was not established in time".into()),
            _ => Self::Ended("for a reason unknown to this version".into()),
        }
    }
}

/// One call of a bot. Cheap to clone; dropping the last clone hangs up. An [`Operation`](crate::Operation) of the call
/// that is kept holds it as a clone does.
#[derive(Debug, Clone)]
pub struct Call {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    line: Arc<Line>,
    /// None if the service hosts the media.
    session: Option<Arc<MediaSession>>,
    audio: AudioSocket,
}

impl Call {
    pub(crate) fn new(line: Line, session: Option<Arc<MediaSession>>, audio: AudioSocket) -> Self {
        Self { inner: Arc::new(Inner { line: Arc::new(line), session, audio }) }
    }

    /// The service's id of this call.
    #[must_use]
    pub fn id(&self) -> &CallId {
        self.line().id()
    }

    /// What the bot hears and says. If the service hosts the media, a socket that has ended.
    #[must_use]
    pub fn audio(&self) -> &AudioSocket {
        &self.inner.audio
    }

    /// The call as of its last change.
    #[must_use]
    pub fn status(&self) -> CallStatus {
        self.line().status.borrow().clone()
    }

    /// Follows the call's changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<CallStatus> {
        self.line().status.clone()
    }

    /// Everything the service tells about this call from now on. A reader that falls 256 events behind is told so
    /// and goes on with the newest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<CallEvent> {
        self.line().events.subscribe()
    }

    /// Waits until the call is established and its audio flows, or the service hosts the audio.
    ///
    /// # Errors
    /// [`CallEnded`]: it ended before, or the service offers no media this crate understands.
    pub async fn established(&self) -> Result<(), CallEnded> {
        let mut status = self.line().status.clone();
        let done = |s: &CallStatus| {
            s.ended.is_some()
                || (s.state == Some(CallState::Established) && !matches!(s.media, MediaStatus::Connecting))
        };
        let Ok(status) = status.wait_for(done).await.map(|s| s.clone()) else {
            return Err(CallEnded::driver_stopped());
        };
        match (&status.ended, status.media) {
            (Some(cause), _) => Err(CallEnded::from_cause(cause)),
            (None, MediaStatus::Connected | MediaStatus::ServiceHosted) => Ok(()),
            (None, media) => Err(CallEnded::NoAudio(format!("{media:?}"))),
        }
    }

    /// Waits until the call is over and says how it ended.
    pub async fn ended(&self) -> EndCause {
        self.line().ended().await
    }

    /// Who takes part, the bot included. Empty until the first roster has come.
    #[must_use]
    pub fn participants(&self) -> Arc<[Participant]> {
        Arc::clone(&self.line().status.borrow().participants)
    }

    /// The bot's own participant id.
    #[must_use]
    pub fn my_participant_id(&self) -> Option<ParticipantId> {
        self.line().status.borrow().my_participant_id.clone()
    }

    /// Whose voice an unmixed frame is.
    #[must_use]
    pub fn participant_of(&self, source: SourceId) -> Option<Participant> {
        let status = self.line().status.borrow();
        status.participants.iter().find(|p| p.audio_source_id() == Some(source.as_u32())).cloned()
    }

    /// Waits until the roster satisfies `done`.
    ///
    /// # Errors
    /// [`CallEnded`]: the call ended before.
    pub async fn roster(&self, mut done: impl FnMut(&[Participant]) -> bool) -> Result<Arc<[Participant]>, CallEnded> {
        let mut status = self.line().status.clone();
        let status = status.wait_for(|s| s.ended.is_some() || done(&s.participants)).await.map(|s| s.clone());
        match status {
            Ok(CallStatus { ended: Some(cause), .. }) => Err(CallEnded::from_cause(&cause)),
            Ok(status) => Ok(status.participants),
            Err(_) => Err(CallEnded::driver_stopped()),
        }
    }

    /// Asks the service for the roster; changes come as events.
    pub async fn refresh_roster(&self) {
        self.line().command(Command::RefreshRoster).await;
    }

    /// The audio routing groups of this call.
    #[must_use]
    pub fn routing_groups(&self) -> RoutingGroups<'_> {
        RoutingGroups::new(self)
    }

    /// Figures of the media thread for this call; none if the service hosts the media.
    #[must_use]
    pub fn media_stats(&self) -> Option<ConversationStats> {
        self.inner.session.as_ref().map(|session| session.stats())
    }

    /// Network figures of the leg, while it lives.
    #[must_use]
    pub fn leg_stats(&self) -> Option<LegStats> {
        self.inner.session.as_ref()?.leg_stats()
    }

    /// Hangs up and waits until the call is over: the service's word, or fifteen seconds.
    pub async fn hang_up(&self) -> EndCause {
        self.line().hang_up().await
    }

    /// The typed Graph client in the call's tenant, for requests the façade has no method for.
    #[must_use]
    pub fn graph(&self) -> &GraphClient {
        self.line().client()
    }

    pub(crate) fn line(&self) -> &Arc<Line> {
        &self.inner.line
    }
}
