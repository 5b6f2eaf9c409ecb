//! Operations as they are published, in either spelling of their status.

use antiphon_graph::operation::{
    InviteParticipantsOperation, MuteParticipantsOperation, OperationKind, PlayPromptOperation, RecordOperation,
    SendDtmfTonesOperation,
};
use antiphon_graph::{
    CommsNotifications, CommsOperation, OperationStatus, RecordCompletionReason, SendDtmfCompletionReason,
};

use crate::{golden, resource};

#[test]
fn a_finished_operation_reads_in_either_status_spelling() {
    let notifications: CommsNotifications = golden("notification_operation");
    let operation: CommsOperation = resource(&notifications);
    assert_eq!(operation.kind(), OperationKind::PlayPrompt);
    assert!(operation.is_finished());
    assert_eq!(serde_json::to_value(&operation).unwrap()["status"], "Completed");
    assert_eq!(golden::<CommsOperation>("operation_mute").status, Some(OperationStatus::Completed));
}

#[test]
fn an_invitation_reads_as_its_own_type_and_as_the_base() {
    let operation: CommsOperation = golden("operation_invite");
    assert_eq!(operation.kind(), OperationKind::InviteParticipants);
    let invitation: InviteParticipantsOperation = operation.read_as().unwrap();
    assert_eq!(invitation, golden("operation_invite"));
    assert!(invitation.participants[0].replaces_call_id.is_some());
}

#[test]
fn a_recorded_response_says_where_it_is_and_how_it_ended() {
    let operation: CommsOperation = golden("operation_record");
    let record: RecordOperation = operation.read_as().unwrap();
    assert_eq!(record.completion_reason, Some(RecordCompletionReason::MaxRecordDurationReached));
    assert_eq!(record.operation.result_info.as_ref().and_then(|result| result.subcode), Some(8515));
    assert!(record.recording_location.as_ref().unwrap().starts_with("https://"));
    assert!(record.recording_access_token.is_some());
    assert_eq!(CommsOperation::from(record), operation);
}

#[test]
fn pressed_keys_say_how_they_ended() {
    let tones: SendDtmfTonesOperation = golden("operation_send_dtmf");
    assert_eq!(tones.completion_reason, Some(SendDtmfCompletionReason::CompletedSuccessfully));
}

#[test]
fn a_reply_without_its_type_is_of_the_type_it_is_read_as() {
    let mute: MuteParticipantsOperation = golden("operation_mute_participants");
    assert_eq!(mute.participants.len(), 2);
    assert_eq!(CommsOperation::from(mute).kind(), OperationKind::MuteParticipants);
}

#[test]
fn a_typed_operation_turns_into_the_common_form_and_back() {
    let made = PlayPromptOperation::new("op", OperationStatus::Running);
    let common = CommsOperation::from(made.clone());
    assert_eq!((common.kind(), common.id.as_deref()), (OperationKind::PlayPrompt, Some("op")));
    assert_eq!(common.read_as::<PlayPromptOperation>().unwrap(), made);
}
