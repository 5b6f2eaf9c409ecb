//! What goes into the call state machine and what comes out.

use antiphon_graph::action::{Answer, Redirect, Reject};
use antiphon_graph::blob::{MediaBlob, OpaqueReason};
use antiphon_graph::{
    Call, CallId, CallState, CallTranscriptionInfo, CommsOperation, ContentSharingSession, MediaState, Participant,
    ParticipantId, ParticipantJoiningNotification, ParticipantLeftNotification, RecordingStatus, ResultInfo, ToneInfo,
};

use super::roster::RosterChange;
use super::sharing::SharingChange;
use crate::client::GraphError;

/// Ties a reply to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

/// What the machine wants done next.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Output {
    /// Send this request and hand the outcome to `handle_reply`.
    Request(RequestId, CallRequest),
    /// Tell the application.
    Event(CallEvent),
}

/// A request to the service; the names are those of `GraphClient`'s methods.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallRequest {
    /// `create_call`
    Create(Box<Call>),
    /// `answer`
    Answer(CallId, Box<Answer>),
    /// `reject`
    Reject(CallId, Box<Reject>),
    /// `redirect`
    Redirect(CallId, Box<Redirect>),
    /// `call`
    Get(CallId),
    /// `participants`
    Participants(CallId),
    /// `content_sharing_sessions`
    ContentSharingSessions(CallId),
    /// `keep_alive`
    KeepAlive(CallId),
    /// `delete_call`
    Delete(CallId),
}

/// What came of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Reply {
    /// To `Create` and `Get`.
    Call(Box<Call>),
    /// To `Participants`.
    Participants(Vec<Participant>),
    /// To `ContentSharingSessions`.
    ContentSharingSessions(Vec<ContentSharingSession>),
    /// To `Answer`, `Reject`, `Redirect`, `KeepAlive` and `Delete`.
    Done,
    /// To any.
    Failed(GraphError),
}

/// What becomes of an incoming call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// It is answered.
    Answer,
    /// It is refused.
    Reject,
    /// It is sent elsewhere.
    Redirect,
}

/// Something the application should know.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum CallEvent {
    /// The service took the call and gave it an id.
    Created(CallId),
    /// The service took the decision about an incoming call.
    Decided(Decision),
    /// It did not; the call still wants one, unless it is over.
    DecisionFailed(Decision, GraphError),
    /// The service's answer to our media blob.
    MediaAnswer(Box<MediaBlob>),
    /// The call is established, but the service gave no answer we can use.
    NoMediaAnswer(NoMedia),
    /// The state changed, never backwards.
    State(CallState),
    /// Audio began or ceased to flow.
    Media(MediaState),
    /// Who is in the conversation changed.
    Roster(RosterChange),
    /// What a participant says of its recording under a policy changed.
    Recording(ParticipantId, RecordingStatus),
    /// The transcription began or ended.
    Transcription(CallTranscriptionInfo),
    /// A participant pressed a key. Each press is told once; `sequenceId`
    /// has their order.
    Tone(ToneInfo),
    /// A long-running operation ended. Told once.
    Operation(Box<CommsOperation>),
    /// A long-running operation goes on.
    OperationProgress(Box<CommsOperation>),
    /// A transfer failed; the call goes on.
    TransferFailed(ResultInfo),
    /// Content sharing began, changed or ended.
    ContentSharing(SharingChange),
    /// Another participant joins under a recording policy; the webhook has
    /// answered already.
    ParticipantJoining(Box<ParticipantJoiningNotification>),
    /// Such a participant left.
    ParticipantLeft(Box<ParticipantLeftNotification>),
    /// A keepAlive failed; it is tried again soon.
    KeepAliveFailed(GraphError),
    /// A command or repair failed; the call goes on.
    RequestFailed(GraphError),
    /// The call is over. Always the last event.
    Terminated(EndCause),
}

/// Why there is no media answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoMedia {
    /// No blob in reply and notifications.
    Absent,
    /// A blob that is not ours.
    Opaque(OpaqueReason),
    /// Our own offer came back.
    Echo,
}

/// How a call ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum EndCause {
    /// The service said so, with its reason.
    Notified(Option<ResultInfo>),
    /// The service knows the call no more; its word was lost or never sent.
    Gone,
    /// We hung up or refused, and the service confirmed no end in time.
    HungUp,
    /// It never was: the create request failed.
    NotCreated(GraphError),
    /// It was not established in time; we hung up.
    NotEstablished,
}

impl EndCause {
    /// Whether it is an end as any other: somebody hung up, the meeting is
    /// over, a transfer is done. A fault of client, service or network is not.
    pub fn is_normal(&self) -> bool {
        match self {
            Self::Notified(result) => result.as_ref().is_none_or(ResultInfo::is_normal),
            Self::HungUp => true,
            Self::Gone | Self::NotCreated(_) | Self::NotEstablished => false,
        }
    }
}
