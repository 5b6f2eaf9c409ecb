//! The media of meetings, by the real engine.
//!
//! Translates between Graph's words and the engine's; keeps the handles, and what people without a connection have still to
//! say (`mouths`). Engine events arrive on an engine thread and are put into a bounded channel without waiting; what does
//! not fit is counted in the log and lost (the media set-up deadline then ends the call).

use std::net::SocketAddr;
use std::sync::Arc;

use antiphon_engine::{
    Conversation, ConversationEvent, ConversationOptions, Engine, EngineConfig, JoinError, JoinOptions,
    ParticipantId as EngineId, PlainError, PlainLeg, StartError,
};
use antiphon_graph::ParticipantId;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::MeetingId;
use super::media::{
    JoinTerms, MediaAnswer, MediaError, MediaEvent, MediaEventKind, MediaService, MeetingMedia, PlainAnswer, Spoken,
};
use super::mouths::Mouths;

/// The engine as a maker of meetings' media.
#[derive(Debug)]
pub(crate) struct EngineMedia {
    engine: Engine,
    max_participants: usize,
    runtime: Handle,
}

impl EngineMedia {
    /// Starts an engine that answers offers. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the media port or a thread cannot be had.
    pub(crate) fn start(config: EngineConfig, max_participants: usize) -> Result<Self, StartError> {
        Ok(Self { engine: Engine::start(config)?, max_participants, runtime: Handle::current() })
    }

    /// Where the media port is bound.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.engine.media_addr()
    }
}

impl MediaService for EngineMedia {
    fn open(&self, meeting: &MeetingId, events: mpsc::Sender<MediaEvent>) -> Result<Arc<dyn MeetingMedia>, MediaError> {
        let meeting = meeting.clone();
        let on_event = move |event| report(&meeting, event, &events);
        let options =
            ConversationOptions { max_participants: self.max_participants, ..ConversationOptions::new(on_event) };
        let conversation =
            self.engine.conversation(options).map_err(|error| MediaError::Unavailable(error.to_string()))?;
        Ok(Arc::new(EngineConversation { conversation, mouths: Mouths::new(self.runtime.clone()) }))
    }
}

/// Runs on an engine thread: must not wait.
fn report(meeting: &MeetingId, event: ConversationEvent, events: &mpsc::Sender<MediaEvent>) {
    let participant = |who: &EngineId, kind| MediaEvent::Participant {
        meeting: meeting.clone(),
        who: ParticipantId::new(who.as_str()),
        kind,
    };
    let event = match event {
        ConversationEvent::Connected(who) => participant(&who, MediaEventKind::Connected),
        ConversationEvent::Disconnected { participant: who, reason } => {
            tracing::debug!(%meeting, participant = %who, ?reason, "media disconnected");
            participant(&who, MediaEventKind::Disconnected)
        }
        ConversationEvent::Failed { report } => {
            tracing::error!(%meeting, report, "the media of a meeting failed");
            MediaEvent::Failed { meeting: meeting.clone() }
        }
        // Talk states are for the roster's `isSpeaking` of a console; call control does not need them.
        _ => return,
    };
    if let Err(error) = events.try_send(event) {
        tracing::warn!(%meeting, %error, "media report lost: too many are waiting");
    }
}

#[derive(Debug)]
struct EngineConversation {
    conversation: Conversation,
    mouths: Mouths,
}

impl MeetingMedia for EngineConversation {
    fn answer(&self, who: &ParticipantId, offer: &str, terms: JoinTerms) -> Result<MediaAnswer, MediaError> {
        let options = JoinOptions { in_default_group: terms.in_default_group, muted: terms.muted };
        let joined = self.conversation.answer(&engine_id(who), offer, options).map_err(|error| refused(&error))?;
        Ok(MediaAnswer { sdp: joined.answer, source_id: joined.source_id.as_u32() })
    }

    fn plain(&self, who: &ParticipantId, leg: &PlainLeg, terms: JoinTerms) -> Result<PlainAnswer, MediaError> {
        let options = JoinOptions { in_default_group: terms.in_default_group, muted: terms.muted };
        let joined = self.conversation.join_plain(&engine_id(who), leg, options).map_err(|error| refused(&error))?;
        let (local_address, ssrc) = (joined.local_addr, joined.ssrc.as_u32());
        Ok(PlainAnswer { local_address, ssrc, source_id: joined.source_id.as_u32() })
    }

    fn speak(&self, who: &ParticipantId, terms: JoinTerms, samples: Vec<i16>) -> Result<Spoken, MediaError> {
        self.mouths.speak(who, samples, || {
            let options = JoinOptions { in_default_group: terms.in_default_group, muted: terms.muted };
            self.conversation.join_speaker(&engine_id(who), options).map_err(|error| match error {
                JoinError::Duplicate(_) => {
                    MediaError::Speech(format!("participant {who} speaks by its own connection"))
                }
                error => refused(&error),
            })
        })
    }

    fn hush(&self, who: &ParticipantId) {
        self.mouths.hush(who);
    }

    fn leave(&self, who: &ParticipantId) {
        self.mouths.forget(who);
        self.conversation.leave(&engine_id(who));
    }

    fn set_in_default_group(&self, who: &ParticipantId, inside: bool) {
        self.conversation.set_in_default_group(&engine_id(who), inside);
    }

    fn set_muted(&self, who: &ParticipantId, muted: bool) {
        self.conversation.set_muted(&engine_id(who), muted);
    }

    fn set_routing_group(
        &self,
        name: &str,
        sources: &[ParticipantId],
        receivers: &[ParticipantId],
    ) -> Result<(), MediaError> {
        let ids = |ids: &[ParticipantId]| ids.iter().map(engine_id).collect::<Vec<_>>();
        self.conversation
            .set_routing_group(name, &ids(sources), &ids(receivers))
            .map_err(|error| MediaError::Route(error.to_string()))
    }

    fn remove_routing_group(&self, name: &str) {
        self.conversation.remove_routing_group(name);
    }

    fn matrix(&self) -> Vec<(ParticipantId, Vec<ParticipantId>)> {
        let graph = |id: EngineId| ParticipantId::new(id.as_str());
        let rows = self.conversation.matrix().into_iter();
        rows.map(|(receiver, sources)| (graph(receiver), sources.into_iter().map(graph).collect())).collect()
    }

    fn conversation(&self) -> Option<&Conversation> {
        Some(&self.conversation)
    }

    fn close(&self) {
        self.mouths.forget_all();
        self.conversation.close();
    }
}

fn refused(error: &JoinError) -> MediaError {
    let text = error.to_string();
    match error {
        JoinError::Offer(_) => MediaError::Offer(text),
        JoinError::Full { .. } | JoinError::Plain(PlainError::NoFreePort { .. } | PlainError::TooManyLegs(_)) => {
            MediaError::Full(text)
        }
        JoinError::Plain(
            PlainError::Params(_) | PlainError::Family { .. } | PlainError::Itself(_) | PlainError::Bind(_),
        ) => MediaError::Offer(text),
        _ => MediaError::Unavailable(text),
    }
}

/// The engine compares ids exactly; `world` passes them only as the meeting spells them.
fn engine_id(id: &ParticipantId) -> EngineId {
    EngineId::new(id.as_str())
}
