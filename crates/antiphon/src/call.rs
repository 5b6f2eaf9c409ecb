//! A call: the handle a bot holds on one leg in a conversation.
//!
//! In the flow: the driver task owns the call's state machine and media session and publishes snapshots; a
//! handle reads them and sends commands. Cheap to clone; the last handle's drop hangs up.

use crate::{AudioSocket, RoutingGroups};
use antiphon_engine::{CloseReason, ConversationStats, LegStats, MediaSession, SourceId};
use antiphon_graph::{CallId, CallState, Participant, ParticipantId};
use antiphon_signaling::call::{CallEvent, EndCause, NoMedia};
use antiphon_signaling::client::{GraphClient, GraphError};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

/// What happens to the bot's media leg.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaStatus {
    /// No answer yet, or the leg is connecting.
    #[default]
    Connecting,
    /// Audio flows.
    Connected,
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
    fn from_cause(cause: &EndCause) -> Self {
        match cause {
            EndCause::NotCreated(error) => Self::NotCreated(error.clone()),
            EndCause::Notified(Some(result)) => {
                let message = result.message.as_deref().unwrap_or("no message");
                let (code, subcode) = (result.code.unwrap_or_default(), result.subcode.unwrap_or_default());
                Self::Ended(format!("{code}/{subcode} ({message})"))
            }
            EndCause::Notified(None) => Self::Ended("the service gave no reason".into()),
            EndCause::Gone => Self::Ended("the service does not know it any more".into()),
            EndCause::HungUp => Self::Ended("the bot hung up".into()),
            EndCause::NotEstablished => Self::Ended("it was not established in time".into()),
            _ => Self::Ended("for a reason unknown to this version".into()),
        }
    }
}

/// One call of a bot. Cheap to clone; dropping the last clone hangs up.
#[derive(Debug, Clone)]
pub struct Call {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: GraphClient,
    session: Arc<MediaSession>,
    audio: AudioSocket,
    status: watch::Receiver<CallStatus>,
    events: broadcast::Sender<CallEvent>,
    commands: mpsc::Sender<Command>,
    /// Known once created; handed out by `id`.
    id: std::sync::OnceLock<CallId>,
    driver: std::sync::Mutex<Option<JoinHandle<()>>>,
}

/// What a handle asks of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    HangUp,
    RefreshRoster,
}

/// What the driver shares with the handles.
pub(crate) struct Parts {
    pub(crate) client: GraphClient,
    pub(crate) session: Arc<MediaSession>,
    pub(crate) audio: AudioSocket,
    pub(crate) status: watch::Receiver<CallStatus>,
    pub(crate) events: broadcast::Sender<CallEvent>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) driver: JoinHandle<()>,
}

impl Call {
    /// Waits until the service has created the call, then gives the handle.
    pub(crate) async fn created(parts: Parts) -> Result<Self, CallEnded> {
        let Parts { client, session, audio, mut status, events, commands, driver } = parts;
        let created =
            status.wait_for(|s| s.id.is_some() || s.ended.is_some()).await.map(|s| (s.id.clone(), s.ended.clone()));
        let id = match created {
            Ok((_, Some(cause))) => return Err(CallEnded::from_cause(&cause)),
            Ok((Some(id), None)) => id,
            Ok((None, None)) | Err(_) => return Err(CallEnded::Ended("its driver stopped".into())),
        };
        let driver = std::sync::Mutex::new(Some(driver));
        let id = std::sync::OnceLock::from(id);
        Ok(Self { inner: Arc::new(Inner { client, session, audio, status, events, commands, id, driver }) })
    }

    /// The service's id of this call.
    #[must_use]
    pub fn id(&self) -> &CallId {
        self.inner.id.get().expect("invariant: a handle is made with the id")
    }

    /// What the bot hears and says.
    #[must_use]
    pub fn audio(&self) -> &AudioSocket {
        &self.inner.audio
    }

    /// The call as of its last change.
    #[must_use]
    pub fn status(&self) -> CallStatus {
        self.inner.status.borrow().clone()
    }

    /// Follows the call's changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<CallStatus> {
        self.inner.status.clone()
    }

    /// Everything the service tells about this call from now on. A reader that falls 256 events behind is told so
    /// and goes on with the newest.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<CallEvent> {
        self.inner.events.subscribe()
    }

    /// Waits until the call is established and its audio flows.
    ///
    /// # Errors
    /// [`CallEnded`]: it ended before, or the service offers no media this crate understands.
    pub async fn established(&self) -> Result<(), CallEnded> {
        let mut status = self.inner.status.clone();
        let done = |s: &CallStatus| {
            s.ended.is_some()
                || (s.state == Some(CallState::Established) && !matches!(s.media, MediaStatus::Connecting))
        };
        let Ok(status) = status.wait_for(done).await.map(|s| s.clone()) else {
            return Err(CallEnded::Ended("its driver stopped".into()));
        };
        match (&status.ended, status.media) {
            (Some(cause), _) => Err(CallEnded::from_cause(cause)),
            (None, MediaStatus::Connected) => Ok(()),
            (None, media) => Err(CallEnded::NoAudio(format!("{media:?}"))),
        }
    }

    /// Waits until the call is over and says how it ended.
    pub async fn ended(&self) -> EndCause {
        let mut status = self.inner.status.clone();
        let cause = status.wait_for(|s| s.ended.is_some()).await.ok().and_then(|s| s.ended.clone());
        cause.unwrap_or(EndCause::Gone)
    }

    /// Who takes part, the bot included. Empty until the first roster has come.
    #[must_use]
    pub fn participants(&self) -> Arc<[Participant]> {
        Arc::clone(&self.inner.status.borrow().participants)
    }

    /// The bot's own participant id.
    #[must_use]
    pub fn my_participant_id(&self) -> Option<ParticipantId> {
        self.inner.status.borrow().my_participant_id.clone()
    }

    /// Whose voice an unmixed frame is.
    #[must_use]
    pub fn participant_of(&self, source: SourceId) -> Option<Participant> {
        let status = self.inner.status.borrow();
        status.participants.iter().find(|p| p.audio_source_id() == Some(source.as_u32())).cloned()
    }

    /// Waits until the roster satisfies `done`.
    ///
    /// # Errors
    /// [`CallEnded`]: the call ended before.
    pub async fn roster(&self, mut done: impl FnMut(&[Participant]) -> bool) -> Result<Arc<[Participant]>, CallEnded> {
        let mut status = self.inner.status.clone();
        let status = status.wait_for(|s| s.ended.is_some() || done(&s.participants)).await.map(|s| s.clone());
        match status {
            Ok(CallStatus { ended: Some(cause), .. }) => Err(CallEnded::from_cause(&cause)),
            Ok(status) => Ok(status.participants),
            Err(_) => Err(CallEnded::Ended("its driver stopped".into())),
        }
    }

    /// Asks the service for the roster; changes come as events.
    pub async fn refresh_roster(&self) {
        let _ = self.inner.commands.send(Command::RefreshRoster).await; // the call is over: nothing to refresh
    }

    /// The audio routing groups of this call.
    #[must_use]
    pub fn routing_groups(&self) -> RoutingGroups<'_> {
        RoutingGroups::new(self)
    }

    /// Figures of the media thread for this call.
    #[must_use]
    pub fn media_stats(&self) -> ConversationStats {
        self.inner.session.stats()
    }

    /// Network figures of the leg, while it lives.
    #[must_use]
    pub fn leg_stats(&self) -> Option<LegStats> {
        self.inner.session.leg_stats()
    }

    /// Hangs up and waits until the call is over: the service's word, or fifteen seconds.
    pub async fn hang_up(&self) -> EndCause {
        let _ = self.inner.commands.send(Command::HangUp).await; // the driver is gone: it is over
        let cause = self.ended().await;
        let driver = self.inner.driver.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(driver) = driver {
            let _ = driver.await; // its panic was printed by the hook
        }
        cause
    }

    pub(crate) fn client(&self) -> &GraphClient {
        &self.inner.client
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // With the last sender gone the driver hangs up and ends by itself; this only spares it the wait.
        let _ = self.commands.try_send(Command::HangUp);
    }
}
