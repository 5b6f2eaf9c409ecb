//! The task of one call: one loop over a closed set of inputs, feeding the sans-IO machine.
//!
//! In the flow: notifications, replies, commands, media events and time in; requests to Graph, snapshots and
//! events to the handles, the answer to the media session out. An incoming call gets its media when it is answered, a
//! service-hosted one never. Cancel-safe by construction: every branch of the select takes one whole input. Ends when
//! the machine says so. Not here: what any of it means (`CallMachine`).

use crate::AudioSocket;
use crate::call::{CallEnded, CallStatus, MediaStatus};
use crate::operation::Operations;
use antiphon_engine::{ConversationEvent, MediaSession};
use antiphon_graph::CommsNotification;
use antiphon_graph::action::{Answer, Redirect, Reject};
use antiphon_signaling::CallMachine;
use antiphon_signaling::call::{CallEvent, CallRequest, EndCause, Output, Reply, RequestId};
use antiphon_signaling::client::{GraphClient, GraphError};
use antiphon_signaling::webhook::{Delivery, Dispatcher, NotificationReceiver};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;

/// What a handle asks of the driver.
#[derive(Debug)]
pub(crate) enum Command {
    HangUp,
    RefreshRoster,
    /// Nobody holds the call any more, and it is to go on: a declined one, to its end.
    Release,
    /// A request found that the service knows the call no more.
    Gone,
    /// A request did not find what it names: maybe the call.
    Look,
    /// A transfer is about to be sent.
    Transfer,
    Decide(Box<Decide>, oneshot::Sender<Decided>),
}

/// What to do with an incoming call.
#[derive(Debug)]
pub(crate) enum Decide {
    Answer(Answer, Option<Media>),
    Reject(Reject),
    Redirect(Redirect),
}

/// What came of it.
pub(crate) type Decided = Result<(), Undecided>;

/// The decision was not taken.
#[derive(Debug)]
pub(crate) enum Undecided {
    Refused(GraphError),
    Ended(CallEnded),
}

/// The app's end of a call's media.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) session: Arc<MediaSession>,
    pub(crate) audio: AudioSocket,
    pub(crate) events: mpsc::Receiver<ConversationEvent>,
}

/// Dropping it, even by a panic, ends the call's media and wakes whoever waits for it.
impl Drop for Media {
    fn drop(&mut self) {
        self.session.close();
        self.audio.close();
    }
}

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

/// What the task owns.
pub(crate) struct Driver {
    pub(crate) machine: CallMachine,
    pub(crate) client: GraphClient,
    /// None while an incoming call is undecided, and if the service hosts the media.
    pub(crate) media: Option<Media>,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) status: watch::Sender<CallStatus>,
    pub(crate) events: broadcast::Sender<CallEvent>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) operations: Arc<Operations>,
    /// Who waits for the outcome of a decision.
    pub(crate) deciding: Option<oneshot::Sender<Decided>>,
    /// The request of the last decision, and whether it declines the call.
    pub(crate) decision: Option<(RequestId, bool)>,
    /// Whether commands are taken no more, so that the last handle's end is no hang-up.
    pub(crate) released: bool,
    /// Set by the first hang-up: when to stop waiting for the service.
    pub(crate) closing: Option<tokio::time::Instant>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.operations.close();
    }
}

impl Driver {
    /// Runs the call to its end, then closes its media.
    pub(crate) async fn run(mut self, mut subscription: Option<NotificationReceiver>) {
        let mut requests: JoinSet<(RequestId, Reply)> = JoinSet::new();
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
        self.conclude(requests).await;
    }

    /// The call is over, maybe before the reply to a decision about it: only that reply tells whether the decision is
    /// what ended it.
    async fn conclude(&mut self, mut requests: JoinSet<(RequestId, Reply)>) {
        let Some(tell) = self.deciding.take() else { return };
        let ended = self.status.borrow().ended.as_ref().map_or_else(CallEnded::driver_stopped, CallEnded::from_cause);
        let mut outcome = Err(Undecided::Ended(ended));
        while let Some(Ok((id, reply))) = requests.join_next().await {
            if let Some((decision, declines)) = self.decision
                && id == decision
            {
                if declines && matches!(reply, Reply::Done) {
                    outcome = Ok(());
                }
                break;
            }
        }
        let _ = tell.send(outcome); // whoever decided has gone away
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
            command = self.commands.recv(), if self.closing.is_none() && !self.released => Input::Command(command.unwrap_or(Command::HangUp)),
            Some(event) = media_event(&mut self.media) => Input::Media(event),
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
            Input::Command(Command::Release) => self.released = true,
            Input::Command(Command::RefreshRoster) => self.machine.refresh_roster(),
            Input::Command(Command::Gone) => self.machine.handle_gone(now),
            Input::Command(Command::Look) => self.machine.refresh(),
            Input::Command(Command::Transfer) => self.machine.begin_transfer(),
            Input::Command(Command::Decide(decide, tell)) => self.decide(*decide, tell),
            Input::Media(event) => self.handle_media(event),
            Input::Deadline => self.machine.handle_deadline(now),
        }
    }

    fn decide(&mut self, decide: Decide, tell: oneshot::Sender<Decided>) {
        let taken = match decide {
            Decide::Answer(answer, media) => {
                let status = if media.is_some() { MediaStatus::Connecting } else { MediaStatus::ServiceHosted };
                self.media = media;
                self.status.send_modify(|s| s.media = status);
                self.machine.answer(answer)
            }
            Decide::Reject(reject) => self.machine.reject(reject),
            Decide::Redirect(redirect) => self.machine.redirect(redirect),
        };
        match taken {
            Ok(()) => self.deciding = Some(tell),
            // Over or hung up meanwhile. If nobody waits for the answer, fine.
            Err(error) => drop(tell.send(Err(Undecided::Ended(CallEnded::Ended(error.to_string()))))),
        }
    }

    fn handle_media(&mut self, event: ConversationEvent) {
        let media = match event {
            ConversationEvent::Connected(_) => MediaStatus::Connected,
            ConversationEvent::Disconnected { reason, .. } => {
                if self.closing.is_none() {
                    tracing::warn!(reason = reason.as_str(), "the call's media leg ended");
                    self.machine.refresh(); // the call may have ended, and the word of it been lost
                }
                MediaStatus::Ended(reason)
            }
            ConversationEvent::Failed { report } => {
                tracing::error!(%report, "the call's media failed; hanging up");
                if let Some(media) = &self.media {
                    media.audio.close();
                }
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
                    match request {
                        CallRequest::Answer(..) => self.decision = Some((id, false)),
                        CallRequest::Reject(..) | CallRequest::Redirect(..) => self.decision = Some((id, true)),
                        _ => {}
                    }
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
            CallEvent::Created(id) => {
                let tenant = self.machine.tenant_id();
                *subscription = Some(self.dispatcher.register(id.clone(), tenant.as_deref()));
            }
            CallEvent::Decided(_) => self.decided(Ok(())),
            CallEvent::DecisionFailed(_, error) => self.decided(Err(Undecided::Refused(error.clone()))),
            CallEvent::MediaAnswer(blob) => {
                if let Some(media) = &self.media
                    && let Err(error) = media.session.accept(&blob.antiphon.sdp)
                {
                    tracing::warn!(%error, "the service's media answer cannot be used");
                    self.status.send_modify(|s| s.media = MediaStatus::Rejected);
                }
            }
            CallEvent::NoMediaAnswer(why) => {
                tracing::warn!(?why, "the service speaks no media this bot knows; the call has no audio");
                self.status.send_modify(|s| s.media = MediaStatus::Unavailable(*why));
            }
            CallEvent::Operation(operation) => self.operations.end((**operation).clone()),
            CallEvent::Terminated(cause) => self.status.send_modify(|s| s.ended = Some(cause.clone())),
            _ => {}
        }
        let _ = self.events.send(event); // nobody listens: fine
    }

    fn decided(&mut self, outcome: Decided) {
        if let Some(tell) = self.deciding.take() {
            let _ = tell.send(outcome); // whoever decided has gone away
        }
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

/// What next happens to the media; never, while there are none.
async fn media_event(media: &mut Option<Media>) -> Option<ConversationEvent> {
    match media {
        Some(media) => media.events.recv().await,
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
    let done = |done: Result<(), GraphError>| done.map(|()| Reply::Done);
    let outcome: Result<Reply, GraphError> = match request {
        CallRequest::Create(body) => client.create_call(&body).await.map(|call| Reply::Call(Box::new(call))),
        CallRequest::Answer(id, body) => done(client.answer(&id, &body).await),
        CallRequest::Reject(id, body) => done(client.reject(&id, &body).await),
        CallRequest::Redirect(id, body) => done(client.redirect(&id, &body).await),
        CallRequest::Get(id) => client.call(&id).await.map(|call| Reply::Call(Box::new(call))),
        CallRequest::Participants(id) => client.participants(&id).await.map(Reply::Participants),
        CallRequest::ContentSharingSessions(id) => {
            client.content_sharing_sessions(&id).await.map(Reply::ContentSharingSessions)
        }
        CallRequest::KeepAlive(id) => done(client.keep_alive(&id).await),
        CallRequest::Delete(id) => done(client.delete_call(&id).await),
        _ => unreachable!("invariant: the façade is built with the machine it drives"),
    };
    outcome.unwrap_or_else(Reply::Failed)
}
