//! Media that the service plays and records for a bot: prompts, responses, keys.
//!
//! Part of [`World`]. Prompts and recordings run one after the other. What they do to sound is not there yet: nothing is
//! heard and nothing kept, and each takes a nominal time, so that their life-cycle can be lived through.

use std::time::Duration;

use antiphon_graph::operation::OperationKind;
use antiphon_graph::wire::Extra;
use antiphon_graph::{
    CallId, CommsOperation, PlayPromptCompletionReason, RecordCompletionReason, SendDtmfCompletionReason,
};
use serde_json::Value;

use super::{ActionError, World};
use crate::call::{Outcome, Pace, reason};
use crate::clock::ServiceTime;

/// Nominal time a prompt plays.
const PROMPT: Duration = Duration::from_secs(1);
/// Nominal time a key is pressed.
const TONE: Duration = Duration::from_millis(100);

/// What a prompt operation plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Playing {
    /// So many prompts, repetitions counted.
    Times(u32),
    /// Over and over.
    UntilCancelled,
}

/// How a response is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recording {
    /// Prompts before it, repetitions counted.
    pub(crate) prompts: u32,
    /// Whether it interrupts what is played or recorded.
    pub(crate) barge_in: bool,
    /// The longest it may take.
    pub(crate) longest: Duration,
}

impl World {
    /// Plays prompts when those before them have ended.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn play_prompts(
        &mut self,
        id: &CallId,
        playing: Playing,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        let pace = match playing {
            Playing::Times(times) => Pace::InTurn(PROMPT.saturating_mul(times)),
            Playing::UntilCancelled => Pace::InTurnUntilCancelled,
        };
        let result = Some(reason::action_completed());
        let members = completion_reason(PlayPromptCompletionReason::CompletedSuccessfully.as_str());
        let how = (pace, Outcome { result, members });
        self.begin_media(id, &OperationKind::PlayPrompt, client_context, Extra::new(), how, now)
    }

    /// Records a response. Nobody is heard yet, so it ends by its longest duration, and no recording is kept.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn record_response(
        &mut self,
        id: &CallId,
        recording: Recording,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        let call = self.calls.get(id).ok_or(ActionError::NoCall)?;
        if !call.operations.has_room(recording.barge_in) {
            return Err(ActionError::TooManyOperations);
        }
        if recording.barge_in {
            self.cancel_media(id);
        }
        let span = PROMPT.saturating_mul(recording.prompts).saturating_add(recording.longest);
        let result = Some(reason::record_duration_reached());
        let members = completion_reason(RecordCompletionReason::MaxRecordDurationReached.as_str());
        let how = (Pace::InTurn(span), Outcome { result, members });
        let nothing_kept = ["recordingLocation", "recordingAccessToken"].map(|name| (name.to_owned(), Value::Null));
        self.begin_media(id, &OperationKind::Record, client_context, Extra::from_iter(nothing_kept), how, now)
    }

    /// Presses keys, after those that are still being pressed.
    ///
    /// # Errors
    ///
    /// [`ActionError`]; nothing has changed then.
    pub(crate) fn send_tones(
        &mut self,
        id: &CallId,
        count: u32,
        delay: Duration,
        client_context: Option<String>,
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        let kind = OperationKind::SendDtmfTones;
        let pause = delay.saturating_mul(count.saturating_sub(1));
        let span = TONE.saturating_mul(count).saturating_add(pause);
        let call = self.calls.get(id).ok_or(ActionError::NoCall)?;
        let free = call.operations.last_end(&kind).unwrap_or(now).max(now);
        let waiting = free.since_start().saturating_sub(now.since_start());
        let members = completion_reason(SendDtmfCompletionReason::CompletedSuccessfully.as_str());
        let how = (Pace::After(waiting.saturating_add(span)), Outcome { result: None, members });
        self.begin_media(id, &kind, client_context, Extra::new(), how, now)
    }

    /// Cancels all prompts and recordings, those that wait included.
    ///
    /// # Errors
    ///
    /// [`ActionError::NoCall`]; nothing has changed then.
    pub(crate) fn cancel_media_processing(
        &mut self,
        id: &CallId,
        client_context: Option<String>,
    ) -> Result<CommsOperation, ActionError> {
        self.cancel_media(id);
        self.done_at_once(id, &OperationKind::CancelMediaProcessing, client_context)
    }

    fn begin_media(
        &mut self,
        id: &CallId,
        kind: &OperationKind,
        client_context: Option<String>,
        members: Extra,
        how: (Pace, Outcome),
        now: ServiceTime,
    ) -> Result<CommsOperation, ActionError> {
        self.begin_operation(id, kind, client_context, members, how, now).ok_or(ActionError::TooManyOperations)
    }
}

fn completion_reason(reason: &str) -> Extra {
    Extra::from_iter([("completionReason".to_owned(), reason.into())])
}
