//! Incoming calls: from the webhook to a decision.
//!
//! In the flow: the webhook offers each new call once; a driver takes it at once, so that it is noticed if the caller
//! gives up; the bot answers, rejects or redirects it. One that is dropped undecided is rejected. Bounded by the
//! webhook: calls nobody takes in time are dropped and counted.

use crate::bot::Bot;
use crate::call::{Call, CallEnded};
use crate::driver::{Command, Decide, Undecided};
use crate::join::{JoinError, JoinOptions, answer_body};
use crate::line::Line;
use crate::{AudioSocket, Target};
use antiphon_graph::action::{Redirect, Reject};
use antiphon_graph::{CallId, ChatInfo, IdentitySet, IncomingContext, MeetingInfo, RejectReason};
use antiphon_signaling::CallMachine;
use antiphon_signaling::call::EndCause;
use antiphon_signaling::client::GraphError;
use antiphon_signaling::webhook::IncomingReceiver;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The calls that come in for a bot; see [`Bot::incoming`].
#[derive(Debug)]
pub struct IncomingCalls {
    bot: Bot,
    receiver: IncomingReceiver,
}

/// The service did not take the decision about an incoming call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecisionError {
    /// It refused; the call is rejected as this returns.
    #[error("the service refused the decision: {0}")]
    Refused(GraphError),
    /// The call was over already: the caller gave up, or the time did.
    #[error(transparent)]
    Ended(CallEnded),
}

/// A call that wants to be answered, within 15 seconds; within 5 under a recording policy.
///
/// Dropped undecided, it is rejected.
#[derive(Debug)]
pub struct IncomingCall {
    bot: Bot,
    line: Line,
    call: Box<antiphon_graph::Call>,
    since: Instant,
}

impl IncomingCalls {
    pub(crate) fn new(bot: Bot, receiver: IncomingReceiver) -> Self {
        Self { bot, receiver }
    }

    /// The next call; `None` once the bot has stopped or somebody else asked for its calls. Cancel-safe.
    pub async fn next(&mut self) -> Option<IncomingCall> {
        loop {
            let incoming = self.receiver.recv().await?;
            let config = self.bot.call_config();
            let Ok(machine) = CallMachine::incoming(&incoming.notification, config, Instant::now()) else { continue };
            let (id, call) = (incoming.receiver.call().clone(), machine.call());
            let opening = self.bot.open(machine, Some(&incoming.tenant), Some(incoming.receiver), None);
            let line = opening.known(id);
            match call {
                Ok(call) => {
                    let (bot, call, since) = (self.bot.clone(), Box::new(call), incoming.since);
                    return Some(IncomingCall { bot, line, call, since });
                }
                // The line is dropped, which rejects the call.
                Err(error) => tracing::warn!(%error, "an incoming call cannot be read"),
            }
        }
    }
}

impl IncomingCall {
    /// The service's id of this call.
    #[must_use]
    pub fn id(&self) -> &CallId {
        self.line.id()
    }

    /// Who calls; some identities are withheld from apps without the permission to see them.
    #[must_use]
    pub fn caller(&self) -> Option<&IdentitySet> {
        self.call.source.as_ref()?.identity.as_ref()
    }

    /// The chat of the conversation, if it is a group's or a meeting's.
    #[must_use]
    pub fn chat_info(&self) -> Option<&ChatInfo> {
        self.call.chat_info.as_ref()
    }

    /// The meeting, if it is one: with this the bot could also join it.
    #[must_use]
    pub fn meeting_info(&self) -> Option<&MeetingInfo> {
        self.call.meeting_info.as_ref()
    }

    /// Who is behind the call: a delegator, a transferor, a participant to be recorded.
    #[must_use]
    pub fn context(&self) -> Option<&IncomingContext> {
        self.call.incoming_context.as_ref()
    }

    /// Whether it comes under a recording policy, which leaves 5 seconds to answer.
    #[must_use]
    pub fn is_policy_recording(&self) -> bool {
        let observed = self.context().and_then(|context| context.observed_participant_id.as_ref());
        observed.is_some_and(|id| !id.as_str().is_empty())
    }

    /// The whole call as it was told.
    #[must_use]
    pub fn resource(&self) -> &antiphon_graph::Call {
        &self.call
    }

    /// How long ago it arrived.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// Waits until the caller gives up or the service's time to answer is over. Cancel-safe.
    pub async fn ended(&self) -> EndCause {
        self.line.ended().await
    }

    /// Answers. The media are as with a call that was placed; [`Call::established`] waits for them.
    ///
    /// # Errors
    /// [`JoinError`]; the call is rejected then, unless it was over.
    pub async fn answer(self, options: JoinOptions) -> Result<Call, JoinError> {
        let media = self.bot.media(&options)?;
        let offer = media.as_ref().map(|media| media.session.offer());
        let body = answer_body(&options, offer, self.bot.callback_uri().to_owned());
        let session = media.as_ref().map(|media| media.session.clone());
        let audio = media.as_ref().map_or_else(|| AudioSocket::none(options.format), |media| media.audio.clone());
        match self.decide(Decide::Answer(body, media)).await {
            Ok(()) => Ok(Call::new(self.line, session, audio)),
            Err(Undecided::Refused(error)) => Err(JoinError::Refused(error)),
            Err(Undecided::Ended(ended)) => Err(JoinError::Ended(ended)),
        }
    }

    /// Refuses the call and waits until the service has taken that.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn reject(self, reason: RejectReason) -> Result<(), DecisionError> {
        let reject = Reject { reason: Some(reason), ..Reject::default() };
        self.decline(Decide::Reject(reject)).await
    }

    /// Sends the call elsewhere: to one target, or to several that ring at once. Returns once the service has taken
    /// that; until somebody answers, or nobody, the call is in the background.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn redirect(self, targets: impl IntoIterator<Item = Target>) -> Result<(), DecisionError> {
        self.redirect_for(targets, None).await
    }

    /// The same, ringing for so long: 15 to 90 seconds.
    ///
    /// # Errors
    /// [`DecisionError`].
    pub async fn redirect_for(
        self,
        targets: impl IntoIterator<Item = Target>,
        ring_for: Option<Duration>,
    ) -> Result<(), DecisionError> {
        let targets = targets.into_iter().map(Target::into_info).collect();
        let timeout = ring_for.map(|span| i32::try_from(span.as_secs()).unwrap_or(i32::MAX));
        self.decline(Decide::Redirect(Redirect { targets, timeout, ..Redirect::default() })).await
    }

    async fn decline(self, decide: Decide) -> Result<(), DecisionError> {
        match self.decide(decide).await {
            Ok(()) => {
                // The driver follows the call to its end without anybody's help.
                self.line.release();
                Ok(())
            }
            Err(Undecided::Refused(error)) => Err(DecisionError::Refused(error)),
            Err(Undecided::Ended(ended)) => Err(DecisionError::Ended(ended)),
        }
    }

    async fn decide(&self, decide: Decide) -> Result<(), Undecided> {
        let (tell, told) = oneshot::channel();
        self.line.command(Command::Decide(Box::new(decide), tell)).await;
        match told.await {
            Ok(outcome) => outcome,
            Err(_) => Err(Undecided::Ended(self.line.why_ended().await)),
        }
    }
}
