//! The task of one call: one loop over a closed set of inputs, feeding the sans-IO machine.
//!
//! In the flow: notifications, replies, commands, media events and time in; requests to Graph, snapshots and
//! events to the handles, the answer to the media session out. Cancel-safe by construction: every branch of the
//! select takes one whole input. Ends when the machine says so. Not here: what any of it means (`CallMachine`).

use crate::AudioSocket;
use crate::call::{CallStatus, Command, MediaStatus};
use antiphon_engine::{ConversationEvent, MediaSession};
use antiphon_graph::CommsNotification;
use antiphon_signaling::CallMachine;
use antiphon_signaling::call::{CallEvent, CallRequest, EndCause, Output, Reply, RequestId};
use antiphon_signaling::client::{GraphClient, GraphError};
use antiphon_signaling::webhook::{Delivery, Dispatcher, NotificationReceiver};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;

/// Everything that can happen to a call.
enum Input {
    Notification(CommsNotification),
    NotificationsLost,
    Reply(RequestId, Reply),
    Command(Command),
    Media(ConversationEvent),
    Deadline,
}

/// How long a hang-up may take before the bot lets go of the call without the service's word.
const HANG_UP_WITHIN: Duration = Duration::from_secs(15);

/// What the task owns. Dropping it, even by a panic, ends the call's media and wakes whoever waits for it.
pub(crate) struct Driver {
    pub(crate) machine: CallMachine,
    pub(crate) client: GraphClient,
    pub(crate) session: Arc<MediaSession>,
    pub(crate) audio: AudioSocket,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) status: watch::Sender<CallStatus>,
    pub(crate) events: broadcast::Sender<CallEvent>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) media: mpsc::Receiver<ConversationEvent>,
    /// Set by the first hang-up: when to stop waiting for the service.
    pub(crate) closing: Option<tokio::time::Instant>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.session.close();
        self.audio.close();
    }
}

impl Driver {
    /// Runs the call to its end, then closes its media.
    pub(crate) async fn run(mut self) {
        let mut requests: JoinSet<(RequestId, Reply)> = JoinSet::new();
        let mut subscription: Option<NotificationReceiver> = None;
        loop {
            self.drain(&mut requests, &mut subscription);
            if self.machine.is_ended() {
                break;
            }
            let input = self.next(&mut requests, &mut subscription).await;
            if matches!(input, Input::Deadline) && self.closing.is_some_and(|by| by <= tokio::time::Instant::now()) {
                tracing::warn!("the service did not confirm the hang-up in time; letting go of the call");
                self.status.send_modify(|s| s.ended = Some(EndCause::HungUp));
                break;
            }
            self.handle(input);
        }
    }

    async fn next(
        &mut self,
        requests: &mut JoinSet<(RequestId, Reply)>,
        subscription: &mut Option<NotificationReceiver>,
    ) -> Input {
        let due = self.machine.deadline().map(tokio::time::Instant::from_std);
        let deadline = due.into_iter().chain(self.closing).min();
        tokio::select! {
            Some(delivery) = notified(subscription) => match delivery {
                Delivery::Notification { notification, .. } => Input::Notification(*notification),
                _ => Input::NotificationsLost,
            },
            Some(done) = requests.join_next() => match done {
                Ok((id, reply)) => Input::Reply(id, reply),
                Err(failed) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => Input::Deadline, // cancelled: the runtime is shutting down
                },
            },
            // No handle is left (a join that was cancelled, say): hang up.
            command = self.commands.recv(), if self.closing.is_none() => Input::Command(command.unwrap_or(Command::HangUp)),
            Some(event) = self.media.recv() => Input::Media(event),
            () = wait(deadline) => Input::Deadline,
        }
    }

    fn handle(&mut self, input: Input) {
        let now = Instant::now();
        match input {
            Input::Notification(notification) => self.machine.handle_notification(notification, now),
            Input::NotificationsLost => self.machine.handle_loss(),
            Input::Reply(id, reply) => self.machine.handle_reply(id, reply, now),
            Input::Command(Command::HangUp) => {
                self.closing.get_or_insert(tokio::time::Instant::now() + HANG_UP_WITHIN);
                self.machine.hang_up();
            }
            Input::Command(Command::RefreshRoster) => self.machine.refresh_roster(),
            Input::Media(event) => self.handle_media(event),
            Input::Deadline => self.machine.handle_deadline(now),
        }
    }

    fn handle_media(&mut self, event: ConversationEvent) {
        let media = match event {
            ConversationEvent::Connected(_) => MediaStatus::Connected,
            ConversationEvent::Disconnected { reason, .. } => {
                if self.closing.is_none() {
                    tracing::warn!(reason = reason.as_str(), "the call's media leg ended");
                }
                MediaStatus::Ended(reason)
            }
            ConversationEvent::Failed { report } => {
                tracing::error!(%report, "the call's media failed; hanging up");
                self.audio.close();
                self.handle(Input::Command(Command::HangUp));
                MediaStatus::Failed
            }
            _ => return,
        };
        self.status.send_modify(|s| s.media = media);
    }

    /// Does what the machine wants done and publishes what changed.
    fn drain(&mut self, requests: &mut JoinSet<(RequestId, Reply)>, subscription: &mut Option<NotificationReceiver>) {
        let mut changed = false;
        while let Some(output) = self.machine.poll_output() {
            changed = true;
            match output {
                Output::Request(id, request) => {
                    let client = self.client.clone();
                    requests.spawn(async move { (id, perform(&client, request).await) });
                }
                Output::Event(event) => self.tell(event, subscription),
                _ => {}
            }
        }
        if changed {
            self.publish();
        }
    }

    fn tell(&mut self, event: CallEvent, subscription: &mut Option<NotificationReceiver>) {
        match &event {
            CallEvent::Created(id) => *subscription = Some(self.dispatcher.register(id.clone(), None)),
            CallEvent::MediaAnswer(blob) => {
                if let Err(error) = self.session.accept(&blob.antiphon.sdp) {
                    tracing::warn!(%error, "the service's media answer cannot be used");
                    self.status.send_modify(|s| s.media = MediaStatus::Rejected);
                }
            }
            CallEvent::NoMediaAnswer(why) => {
                tracing::warn!(?why, "the service speaks no media this bot knows; the call has no audio");
                self.status.send_modify(|s| s.media = MediaStatus::Unavailable(*why));
            }
            CallEvent::Terminated(cause) => self.status.send_modify(|s| s.ended = Some(cause.clone())),
            _ => {}
        }
        let _ = self.events.send(event); // nobody listens: fine
    }

    fn publish(&self) {
        let (machine, id) = (&self.machine, self.machine.id().cloned());
        self.status.send_modify(|s| {
            s.id = id;
            s.state = Some(machine.state().clone());
            s.my_participant_id = machine.my_participant_id();
            let roster = machine.roster().participants();
            if roster.len() != s.participants.len() || roster.zip(s.participants.iter()).any(|(a, b)| a != b) {
                s.participants = machine.roster().participants().cloned().collect();
            }
        });
    }
}

/// The next notification; never, while there is no subscription.
async fn notified(subscription: &mut Option<NotificationReceiver>) -> Option<Delivery> {
    match subscription {
        Some(subscription) => subscription.recv().await,
        None => std::future::pending().await,
    }
}

async fn wait(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn perform(client: &GraphClient, request: CallRequest) -> Reply {
    let done: Result<Reply, GraphError> = match request {
        CallRequest::Create(body) => client.create_call(&body).await.map(|call| Reply::Call(Box::new(call))),
        CallRequest::Get(id) => client.call(&id).await.map(|call| Reply::Call(Box::new(call))),
        CallRequest::Participants(id) => client.participants(&id).await.map(Reply::Participants),
        CallRequest::KeepAlive(id) => client.keep_alive(&id).await.map(|()| Reply::Done),
        CallRequest::Delete(id) => client.delete_call(&id).await.map(|()| Reply::Done),
        _ => unreachable!("invariant: the façade is built with the machine it drives"),
    };
    done.unwrap_or_else(Reply::Failed)
}
