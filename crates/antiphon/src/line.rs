//! The line between the handles of a call and the task that drives it.
//!
//! In the flow: a driver publishes snapshots, events and ends of operations; a handle reads them and sends
//! commands. Shared by `Call`, `IncomingCall` and `Operation`. Dropping it tells the driver to hang up.

use crate::call::{CallEnded, CallStatus};
use crate::driver::{Command, Driver, Media};
use crate::operation::Operations;
use antiphon_graph::CallId;
use antiphon_signaling::CallMachine;
use antiphon_signaling::call::{CallEvent, EndCause};
use antiphon_signaling::client::{GraphClient, GraphError, GraphErrorKind, Missing};
use antiphon_signaling::webhook::{Dispatcher, NotificationReceiver};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

/// Call events kept for a reader that is behind.
const EVENTS: usize = 256;
/// Commands to a call that may wait.
const COMMANDS: usize = 16;

/// What a handle holds of one call.
#[derive(Debug)]
pub(crate) struct Line {
    client: GraphClient,
    id: CallId,
    pub(crate) status: watch::Receiver<CallStatus>,
    pub(crate) events: broadcast::Sender<CallEvent>,
    commands: mpsc::Sender<Command>,
    operations: Arc<Operations>,
    driver: Mutex<Option<JoinHandle<()>>>,
}

/// A driver that has been started, before the call has an id.
pub(crate) struct Opening {
    client: GraphClient,
    status: watch::Receiver<CallStatus>,
    events: broadcast::Sender<CallEvent>,
    commands: mpsc::Sender<Command>,
    operations: Arc<Operations>,
    driver: JoinHandle<()>,
}

impl Opening {
    /// Starts the driver of a call.
    pub(crate) fn start(
        machine: CallMachine,
        client: GraphClient,
        dispatcher: Dispatcher,
        subscription: Option<NotificationReceiver>,
        media: Option<Media>,
    ) -> Self {
        let (status_tx, status) = watch::channel(CallStatus::of(&machine, media.is_some()));
        let (events, _) = broadcast::channel(EVENTS);
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let operations = Arc::new(Operations::default());
        let driver = Driver {
            machine,
            client: client.clone(),
            media,
            dispatcher,
            status: status_tx,
            events: events.clone(),
            commands: inbox,
            operations: Arc::clone(&operations),
            deciding: None,
            decision: None,
            released: false,
            closing: None,
        };
        let driver = tokio::spawn(driver.run(subscription));
        Self { client, status, events, commands, operations, driver }
    }

    /// Waits until the service has given the call an id. Cancelled, the driver hangs up.
    pub(crate) async fn open(mut self) -> Result<Line, CallEnded> {
        let status = &mut self.status;
        let created =
            status.wait_for(|s| s.id.is_some() || s.ended.is_some()).await.map(|s| (s.id.clone(), s.ended.clone()));
        match created {
            // It may have ended meanwhile: a handle of its own tells that like any other end.
            Ok((Some(id), _)) => Ok(self.known(id)),
            Ok((None, Some(cause))) => Err(CallEnded::from_cause(&cause)),
            Ok((None, None)) | Err(_) => Err(CallEnded::driver_stopped()),
        }
    }

    /// The line of a call whose id is known.
    pub(crate) fn known(self, id: CallId) -> Line {
        let Self { client, status, events, commands, operations, driver } = self;
        Line { client, id, status, events, commands, operations, driver: Mutex::new(Some(driver)) }
    }
}

impl Line {
    pub(crate) fn id(&self) -> &CallId {
        &self.id
    }

    pub(crate) fn client(&self) -> &GraphClient {
        &self.client
    }

    pub(crate) fn operations(&self) -> &Arc<Operations> {
        &self.operations
    }

    /// Asks something of the driver; nothing happens once the call is over.
    pub(crate) async fn command(&self, command: Command) {
        let _ = self.commands.send(command).await; // the driver is gone: it is over
    }

    /// The outcome of a request about the call, after taking note of it.
    pub(crate) fn checked<T>(&self, outcome: Result<T, GraphError>) -> Result<T, GraphError> {
        outcome.inspect_err(|error| self.note(error))
    }

    /// A request failed; if the service does not know the call any more, or may not, the driver should know.
    pub(crate) fn note(&self, error: &GraphError) {
        let command = match error.kind() {
            GraphErrorKind::CallGone => Command::Gone,
            GraphErrorKind::NotFound(Missing::Other) => Command::Look,
            _ => return,
        };
        let _ = self.commands.try_send(command); // full or over: it will find out by itself
    }

    /// Waits until the call is over and says how it ended.
    pub(crate) async fn ended(&self) -> EndCause {
        let mut status = self.status.clone();
        let cause = status.wait_for(|s| s.ended.is_some()).await.ok().and_then(|s| s.ended.clone());
        cause.unwrap_or(EndCause::Gone)
    }

    /// Why something that was waited for never came.
    pub(crate) async fn why_ended(&self) -> CallEnded {
        CallEnded::from_cause(&self.ended().await)
    }

    /// Hangs up and waits until the call and its driver are over.
    pub(crate) async fn hang_up(&self) -> EndCause {
        self.command(Command::HangUp).await;
        let cause = self.ended().await;
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            let _ = driver.await; // its panic was printed by the hook
        }
        cause
    }
}

impl Line {
    /// Lets go of the call without hanging up: its driver goes on by itself to the end the service has in mind.
    pub(crate) fn release(self) {
        if self.commands.try_send(Command::Release).is_err() {
            tracing::debug!("a declined call is over already");
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // With the last sender gone the driver hangs up and ends by itself; this only spares it the wait.
        let _ = self.commands.try_send(Command::HangUp);
    }
}
