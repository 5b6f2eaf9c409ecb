//! Why calls and operations end: the published pairs of code and subcode.
//!
//! Texts are ours, with the suffix by which Graph repeats the numbers. Spec: Graph `resultInfo` and the published list of
//! call end reasons.

use antiphon_graph::ResultInfo;

/// A published end reason with the text Graph uses to repeat the numbers.
fn reason(code: i32, subcode: i32, text: &str) -> ResultInfo {
    ResultInfo::new(code, subcode, format!("{text} DiagCode: {code}#{subcode}.@"))
}

/// The bot ended its own call.
pub(crate) fn hung_up() -> ResultInfo {
    reason(200, 7000, "The call was ended by the application.")
}

/// The conversation is over for everybody.
pub(crate) fn conversation_ended() -> ResultInfo {
    reason(200, 5003, "The conversation has ended.")
}

/// Somebody took the bot out of the conversation.
pub(crate) fn removed() -> ResultInfo {
    reason(200, 5000, "The application was removed from the conversation by another participant.")
}

/// The other end of a peer-to-peer call hung up.
pub(crate) fn peer_hung_up() -> ResultInfo {
    reason(200, 4521, "The call was ended by the other participant.")
}

/// The caller gave up before the call was answered.
pub(crate) fn caller_gave_up() -> ResultInfo {
    reason(200, 4097, "The call was ended by the other participant before it was answered.")
}

/// Everybody else has left a group call.
pub(crate) fn left_alone() -> ResultInfo {
    reason(200, 5010, "Only one participant remained in the call.")
}

/// Whoever is still in a group call is shown to nobody.
pub(crate) fn only_hidden_left() -> ResultInfo {
    reason(200, 5020, "Only hidden participants remained in the call.")
}

/// Nobody who was called joined a group call.
pub(crate) fn nobody_joined() -> ResultInfo {
    reason(200, 5013, "No other participant joined the call.")
}

/// Nobody let the guest in from the lobby.
pub(crate) fn not_admitted() -> ResultInfo {
    reason(200, 5855, "The participant was not admitted from the lobby in time.")
}

/// Media was never there.
pub(crate) fn media_never_connected() -> ResultInfo {
    reason(500, 1005, "Media connectivity could not be established.")
}

/// Media was there and is gone.
pub(crate) fn media_lost() -> ResultInfo {
    reason(410, 301_005, "Media connectivity was lost.")
}

/// The media engine failed under the whole meeting.
pub(crate) fn media_failed() -> ResultInfo {
    reason(500, 7106, "The media service failed.")
}

/// No keepAlive for the whole of its span.
pub(crate) fn not_kept_alive() -> ResultInfo {
    reason(408, 8537, "No keepAlive was received in time.")
}

/// The callee rang and did nothing.
pub(crate) fn not_answered() -> ResultInfo {
    reason(408, 10057, "The called party did not answer in time.")
}

/// The callee has no endpoint that could ring.
pub(crate) fn no_endpoint() -> ResultInfo {
    reason(480, 10037, "The called party has no registered endpoint.")
}

/// The caller may not dial telephone numbers.
pub(crate) fn telephony_barred() -> ResultInfo {
    reason(403, 10151, "Calls to telephone numbers are not allowed.")
}

/// Who was invited could not be taken over from the call they were in.
pub(crate) fn precondition_failed() -> ResultInfo {
    reason(412, 9999, "The invitation's precondition does not hold.")
}

/// The callee declined. No pair is published for it: this is the SIP code for "decline".
pub(crate) fn declined() -> ResultInfo {
    reason(603, 0, "The called party declined the call.")
}

/// The callee is in another call. No pair is published for it: this is the SIP code for "busy here".
pub(crate) fn busy() -> ResultInfo {
    reason(486, 0, "The called party is busy.")
}

/// The bot forbade the call. No pair is published for it: this is the SIP code for "forbidden".
pub(crate) fn forbidden() -> ResultInfo {
    reason(403, 0, "The called party does not take this call.")
}

/// A transfer worked: the bot is out of the call.
pub(crate) fn transferred() -> ResultInfo {
    ResultInfo::new(0, 7015, "GracefulTransferCompleted")
}

/// The call was passed on before it was answered.
pub(crate) fn redirected() -> ResultInfo {
    reason(0, 0, "The call was redirected.")
}

/// A transfer to somebody new failed; the call goes on.
pub(crate) fn blind_transfer_failed() -> ResultInfo {
    reason(500, 7000, "The transfer failed.")
}

/// A transfer into another call failed; the call goes on.
pub(crate) fn consultative_transfer_failed() -> ResultInfo {
    reason(500, 7700, "The consultative transfer failed.")
}

/// An operation did what it was for.
pub(crate) fn action_completed() -> ResultInfo {
    ResultInfo::new(200, 0, "Action completed successfully.")
}

/// A recording reached its longest duration.
pub(crate) fn record_duration_reached() -> ResultInfo {
    reason(200, 8515, "The longest duration of the recording was reached.")
}

/// An operation was cancelled, by `cancelMediaProcessing` or by the end of its call.
pub(crate) fn operation_cancelled() -> ResultInfo {
    reason(400, 8508, "Action was cancelled.")
}
