//! What a bot does in a call: each method is one request to the service.
//!
//! What the service does at once is over when the method returns; what may take a while gives an [`Operation`], whose
//! end is waited for apart. Every error is a [`GraphError`] and names the missing roles, if that is it; what a call is
//! too old, too small or of the wrong kind for is the service's to refuse.

use crate::driver::Command;
use crate::operation::{Operation, begin};
use crate::{Call, CallEnded, Target};
use antiphon_graph::action::{
    ChangeScreenSharingRole, InviteParticipants, MuteAll, PlayPrompt, RecordResponse, SendDtmfTones, StartHoldMusic,
    Transcription, Transfer, UpdateRecordingStatus, WithClientContext,
};
use antiphon_graph::operation::{
    AddLargeGalleryViewOperation, InviteParticipantsOperation, PlayPromptOperation, RecordOperation,
    SendDtmfTonesOperation, StartHoldMusicOperation, StartRecordingOperation, StartTranscriptionOperation,
    StopHoldMusicOperation, StopRecordingOperation, StopTranscriptionOperation,
};
use antiphon_graph::{
    CallState, ContentSharingSession, MediaPrompt, ParticipantId, ParticipantInfo, RecordingStatus, ResultInfo,
    ScreenSharingRole, Tone,
};
use antiphon_signaling::call::{CallEvent, EndCause};
use antiphon_signaling::client::GraphError;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

/// How often to look at a call that is being transferred, in case the word of it was lost.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How long the reason of a failed transfer may be behind the call's coming back.
const REASON_WITHIN: Duration = Duration::from_secs(3);

/// A transfer did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The service refused to begin it.
    #[error("the service refused the transfer: {0}")]
    Refused(#[from] GraphError),
    /// It failed; the call goes on. Without codes, if the service's reason was lost.
    #[error("the transfer failed: {}/{}", .0.code.unwrap_or_default(), .0.subcode.unwrap_or_default())]
    Failed(ResultInfo),
    /// The call ended for another reason.
    #[error(transparent)]
    CallEnded(CallEnded),
}

/// Who takes part.
impl Call {
    /// Calls somebody into this group call. The roster follows once they have joined.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn invite(
        &self,
        targets: impl IntoIterator<Item = Target>,
    ) -> Result<Operation<InviteParticipantsOperation>, GraphError> {
        let participants: Vec<_> = targets.into_iter().map(Target::into_info).collect();
        let invite = |context| {
            let client_context = Some(context);
            async move {
                let parameters = InviteParticipants { participants, client_context, ..InviteParticipants::default() };
                self.graph().invite(self.id(), &parameters).await
            }
        };
        begin(self.line(), invite).await
    }

    /// Removes a participant, or takes an invitation back.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn remove(&self, participant: &ParticipantId) -> Result<(), GraphError> {
        self.line().checked(self.graph().delete_participant(self.id(), participant).await)
    }

    /// Connects the other party of this peer-to-peer call with `target` and waits for the outcome. If all goes well
    /// the call has ended then. A target that [replaces](Target::replacing) another call of the bot makes the
    /// transfer a consultative one.
    ///
    /// # Errors
    /// [`TransferError`]: unless the call ended for another reason, it goes on.
    pub async fn transfer(&self, target: Target) -> Result<(), TransferError> {
        let mut events = self.events();
        let parameters = Transfer { transfer_target: Some(target.into_info()), ..Transfer::default() };
        self.line().command(Command::Transfer).await;
        self.line().checked(self.graph().transfer(self.id(), &parameters).await)?;
        let mut watch = TransferWatch::new(Instant::now());
        loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Ok(CallEvent::TransferFailed(result)) => return Err(TransferError::Failed(result)),
                    Ok(CallEvent::State(state)) => watch.entered(&state, Instant::now()),
                    Err(RecvError::Lagged(_)) => watch.missed(Instant::now()),
                    Ok(_) => {}
                    Err(RecvError::Closed) => return transferred(&self.ended().await),
                },
                cause = self.ended() => return transferred(&cause),
                () = tokio::time::sleep_until(watch.look_at) => {
                    match self.line().checked(self.graph().call(self.id()).await) {
                        Ok(call) if call.state.as_ref().is_some_and(is_lasting) => {
                            let reason = call.result_info.filter(|result| !result.is_normal());
                            return Err(TransferError::Failed(reason.unwrap_or_default()));
                        }
                        _ => watch.look_at = Instant::now() + LOOK_EVERY, // it goes on, or nobody knows
                    }
                },
            }
        }
    }

    /// Sends a participant of this group call to `target`, out of the call. Returns once the service has taken it on.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn transfer_participant(&self, participant: &ParticipantId, target: Target) -> Result<(), GraphError> {
        let known = self.participants().iter().find(|one| one.id == *participant).and_then(|one| one.info.clone());
        let transferee = ParticipantInfo { participant_id: Some(participant.clone()), ..known.unwrap_or_default() };
        let (transfer_target, transferee) = (Some(target.into_info()), Some(transferee));
        let parameters = Transfer { transfer_target, transferee, ..Transfer::default() };
        self.line().checked(self.graph().transfer(self.id(), &parameters).await)
    }

    /// Puts a participant on hold, with the service's music or a WAV file at a URL.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn start_hold_music(
        &self,
        participant: &ParticipantId,
        prompt_url: Option<String>,
    ) -> Result<Operation<StartHoldMusicOperation>, GraphError> {
        let start = |context| async move {
            let custom_prompt = prompt_url.map(|url| MediaPrompt::of(url).into());
            let parameters =
                StartHoldMusic { custom_prompt, client_context: Some(context), ..StartHoldMusic::default() };
            self.graph().start_hold_music(self.id(), participant, &parameters).await
        };
        begin(self.line(), start).await
    }

    /// Takes a participant back from hold.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn stop_hold_music(
        &self,
        participant: &ParticipantId,
    ) -> Result<Operation<StopHoldMusicOperation>, GraphError> {
        let stop = |context| async move {
            let parameters = WithClientContext::of(Some(context));
            self.graph().stop_hold_music(self.id(), participant, &parameters).await
        };
        begin(self.line(), stop).await
    }
}

/// Who is heard.
impl Call {
    /// Mutes the bot at the service. Group calls only.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn mute(&self) -> Result<(), GraphError> {
        self.line().checked(self.graph().mute(self.id(), &WithClientContext::default()).await).map(drop)
    }

    /// Unmutes the bot at the service. Group calls only.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn unmute(&self) -> Result<(), GraphError> {
        self.line().checked(self.graph().unmute(self.id(), &WithClientContext::default()).await).map(drop)
    }

    /// Mutes a participant; only they can unmute themselves.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn mute_participant(&self, participant: &ParticipantId) -> Result<(), GraphError> {
        let parameters = WithClientContext::default();
        self.line().checked(self.graph().mute_participant(self.id(), participant, &parameters).await).map(drop)
    }

    /// Mutes several participants (beta).
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn mute_all(&self, participants: Vec<ParticipantId>) -> Result<(), GraphError> {
        let parameters = MuteAll { participants, ..MuteAll::default() };
        self.line().checked(self.graph().mute_all(self.id(), &parameters).await).map(drop)
    }
}

/// Media that the service hosts.
impl Call {
    /// Plays WAV files (16 bit, mono, 16 kHz) at URLs the service can reach, after those being played.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn play_prompt(
        &self,
        urls: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Operation<PlayPromptOperation>, GraphError> {
        let prompts: Vec<_> = urls.into_iter().map(|url| MediaPrompt::of(url).into()).collect();
        let play = |context| async move {
            let parameters = PlayPrompt { prompts, client_context: Some(context), ..PlayPrompt::default() };
            self.graph().play_prompt(self.id(), &parameters).await
        };
        begin(self.line(), play).await
    }

    /// Records what the other party says. Where the recording is, and with which token to fetch it, the end of the
    /// operation tells. The client context of `terms` is replaced.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn record(&self, terms: RecordResponse) -> Result<Operation<RecordOperation>, GraphError> {
        let record = |context| async move {
            let parameters = RecordResponse { client_context: Some(context), ..terms };
            self.graph().record_response(self.id(), &parameters).await
        };
        begin(self.line(), record).await
    }

    /// Cancels all prompts and recordings; their operations fail.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn cancel_media(&self) -> Result<(), GraphError> {
        let parameters = WithClientContext::default();
        self.line().checked(self.graph().cancel_media_processing(self.id(), &parameters).await).map(drop)
    }

    /// Asks to be told of key presses: [`CallEvent::Tone`].
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn subscribe_to_tones(&self) -> Result<(), GraphError> {
        let parameters = WithClientContext::default();
        self.line().checked(self.graph().subscribe_to_tone(self.id(), &parameters).await).map(drop)
    }

    /// Presses keys, with app-hosted media too. An error ends the operation as completed: its reason tells.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn send_tones(
        &self,
        tones: impl IntoIterator<Item = Tone>,
    ) -> Result<Operation<SendDtmfTonesOperation>, GraphError> {
        let tones: Vec<_> = tones.into_iter().collect();
        let send = |context| async move {
            let parameters = SendDtmfTones { tones, client_context: Some(context), ..SendDtmfTones::default() };
            self.graph().send_dtmf_tones(self.id(), &parameters).await
        };
        begin(self.line(), send).await
    }
}

/// What is recorded, transcribed, shown.
impl Call {
    /// Says whether the bot records, in a call under a recording policy: before it keeps anything, and when it stops.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn set_recording_status(&self, status: RecordingStatus) -> Result<(), GraphError> {
        let parameters = UpdateRecordingStatus { status: Some(status), ..UpdateRecordingStatus::default() };
        self.line().checked(self.graph().update_recording_status(self.id(), &parameters).await).map(drop)
    }

    /// Begins the meeting's own recording (beta).
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn start_recording(&self) -> Result<Operation<StartRecordingOperation>, GraphError> {
        let start = |context| async move {
            self.graph().start_recording(self.id(), &WithClientContext::of(Some(context))).await
        };
        begin(self.line(), start).await
    }

    /// Ends the meeting's own recording (beta).
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn stop_recording(&self) -> Result<Operation<StopRecordingOperation>, GraphError> {
        let stop = |context| async move {
            self.graph().stop_recording(self.id(), &WithClientContext::of(Some(context))).await
        };
        begin(self.line(), stop).await
    }

    /// Begins the transcription of what is spoken in `language`, such as `en-us` (beta).
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn start_transcription(
        &self,
        language: impl Into<String>,
    ) -> Result<Operation<StartTranscriptionOperation>, GraphError> {
        let language = Some(language.into());
        let start = |context| async move {
            let parameters = Transcription { language, client_context: Some(context), ..Transcription::default() };
            self.graph().start_transcription(self.id(), &parameters).await
        };
        begin(self.line(), start).await
    }

    /// Ends the transcription (beta).
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn stop_transcription(&self) -> Result<Operation<StopTranscriptionOperation>, GraphError> {
        let stop = |context| async move {
            let parameters = Transcription { client_context: Some(context), ..Transcription::default() };
            self.graph().stop_transcription(self.id(), &parameters).await
        };
        begin(self.line(), stop).await
    }

    /// Makes the bot a sharer of its screen, or a viewer again. Group calls with app-hosted media only.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn set_screen_sharing_role(&self, role: ScreenSharingRole) -> Result<(), GraphError> {
        let parameters = ChangeScreenSharingRole { role: Some(role), ..ChangeScreenSharingRole::default() };
        self.line().checked(self.graph().change_screen_sharing_role(self.id(), &parameters).await)
    }

    /// Asks for the large gallery: a hidden participant whose video shows many.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn add_large_gallery_view(&self) -> Result<Operation<AddLargeGalleryViewOperation>, GraphError> {
        let add = |context| async move {
            self.graph().add_large_gallery_view(self.id(), &WithClientContext::of(Some(context))).await
        };
        begin(self.line(), add).await
    }

    /// What is being shared now. Changes come as [`CallEvent::ContentSharing`], if that was asked for.
    ///
    /// # Errors
    /// A [`GraphError`].
    pub async fn content_sharing(&self) -> Result<Vec<ContentSharingSession>, GraphError> {
        self.line().checked(self.graph().content_sharing_sessions(self.id()).await)
    }
}

/// When to look at a call that is being transferred: in a while, or soon if its failure may have been told unheard.
#[derive(Debug)]
struct TransferWatch {
    begun: bool,
    look_at: Instant,
}

impl TransferWatch {
    fn new(now: Instant) -> Self {
        Self { begun: false, look_at: now + LOOK_EVERY }
    }

    fn entered(&mut self, state: &CallState, now: Instant) {
        if matches!(state, CallState::Transferring | CallState::TransferAccepted) {
            *self = Self { begun: true, look_at: now + LOOK_EVERY };
        } else if self.begun && is_lasting(state) {
            self.look_at = now + REASON_WITHIN;
        }
    }

    /// Some events were missed.
    fn missed(&mut self, now: Instant) {
        self.look_at = self.look_at.min(now + REASON_WITHIN);
    }
}

/// Whether a call in this state is not being transferred.
fn is_lasting(state: &CallState) -> bool {
    matches!(state, CallState::Established | CallState::Hold)
}

/// Whether the end of a call is that of a transfer gone well.
fn transferred(cause: &EndCause) -> Result<(), TransferError> {
    /// `GracefulTransferCompleted`
    const DONE: i32 = 7015;
    match cause {
        EndCause::Notified(Some(result)) if result.subcode == Some(DONE) => Ok(()),
        other => Err(TransferError::CallEnded(CallEnded::from_cause(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_that_came_back_or_was_missed_is_looked_at_soon() {
        let now = Instant::now();
        let (soon, late) = (now + REASON_WITHIN, now + LOOK_EVERY);
        let mut watch = TransferWatch::new(now);
        watch.entered(&CallState::Established, now);
        assert_eq!(watch.look_at, late, "it has not begun");
        watch.entered(&CallState::Transferring, now);
        watch.entered(&CallState::TransferAccepted, now);
        assert_eq!(watch.look_at, late, "it goes on");
        watch.entered(&CallState::Established, now);
        assert_eq!(watch.look_at, soon, "it is over, and the reason may follow");
        watch.entered(&CallState::Transferring, now);
        assert_eq!(watch.look_at, late, "that was an older state");
        watch.missed(now);
        assert_eq!(watch.look_at, soon);
    }
}
