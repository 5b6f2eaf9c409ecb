//! Golden JSON: payloads of the published shapes, read and written back.
//!
//! Each fixture is read as its type and written again; nothing non-null may be
//! lost or changed, and only `@odata.type` annotations and empty lists may be
//! added. The fixtures follow the Graph reference pages, not our serializer.

use std::fs;
use std::path::Path;

use antiphon_graph::blob::{BlobKind, DocumentedMembers, OpaqueReason};
use antiphon_graph::operation::{InviteParticipantsOperation, OperationKind};
use antiphon_graph::{
    AudioRoutingGroup, Call, CallState, ChangeType, Collection, CommsNotifications, CommsOperation, DeltaParticipants,
    ErrorEnvelope, MediaConfig, MeetingInfo, Modality, OperationStatus, Participant, ResourceData, ResourcePath,
    RoutingMode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

/// Reads the fixture as a `T`, writes it back and compares; returns the `T`.
fn golden<T: Serialize + DeserializeOwned>(name: &str) -> T {
    let published = fixture(name);
    let read: T = serde_json::from_value(published.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_same(name, &published, &serde_json::to_value(&read).unwrap());
    read
}

fn assert_same(at: &str, published: &Value, written: &Value) {
    match (published, written) {
        (Value::Object(published), Value::Object(written)) => {
            for (key, value) in published.iter().filter(|(_, value)| !value.is_null()) {
                let there = written.get(key).unwrap_or_else(|| panic!("{at}/{key} was lost"));
                assert_same(&format!("{at}/{key}"), value, there);
            }
            for (key, value) in written.iter().filter(|(key, _)| !published.contains_key(*key)) {
                let empty = value.as_array().is_some_and(Vec::is_empty);
                assert!(key == "@odata.type" || empty, "{at}/{key} was added: {value}");
            }
        }
        (Value::Array(published), Value::Array(written)) => {
            assert_eq!(published.len(), written.len(), "{at}");
            for (index, (published, written)) in published.iter().zip(written).enumerate() {
                assert_same(&format!("{at}/{index}"), published, written);
            }
        }
        (Value::String(published), Value::String(written)) if at.ends_with("@odata.type") => {
            assert_eq!(published.trim_start_matches('#'), written.trim_start_matches('#'), "{at}");
            assert!(written.starts_with("#microsoft.graph."), "{at}: {written}");
        }
        _ => assert_eq!(published, written, "{at}"),
    }
}

/// The golden notification's single resource, as its type.
fn resource<T: DeserializeOwned>(notifications: &CommsNotifications) -> T {
    let [entity] = notifications.value[0].resource_data.entities() else { panic!("one entity") };
    serde_json::from_value(Value::Object(entity.clone())).unwrap()
}

#[test]
fn a_peer_to_peer_create_request_reads_whole() {
    let call: Call = golden("create_peer_to_peer");
    let config = call.media_config.unwrap();
    assert_eq!(config.blob().unwrap().kind(), BlobKind::Opaque(OpaqueReason::NotJson));
    let targets = call.targets.unwrap();
    let user = targets[0].identity.as_ref().unwrap().user.as_ref().unwrap();
    assert_eq!(user.display_name.as_deref(), Some("Ada"));
    assert_eq!(call.extra.len(), 0);
}

#[test]
fn a_join_by_organizer_reads_whole_with_the_type_last() {
    let call: Call = golden("create_join_by_organizer");
    let Some(MeetingInfo::Organizer(info)) = call.meeting_info else { panic!("organizer") };
    assert!(info.organizer.user.unwrap().tenant_id.is_some());
    assert!(call.media_config.unwrap().removes_from_default_audio_group());
    assert_eq!(call.call_options.unwrap().is_delta_roster_enabled, Some(true));
}

#[test]
fn a_join_by_meeting_id_reads_without_type_marks_and_hash() {
    let call: Call = golden("create_join_by_meeting_id");
    let Some(MeetingInfo::JoinMeetingId(info)) = call.meeting_info else { panic!("meeting id") };
    assert_eq!(info.passcode.as_deref(), Some("k7Qx2m"));
    let Some(MediaConfig::ServiceHosted(config)) = call.media_config else { panic!("service-hosted") };
    assert_eq!(config.pre_fetch_media.len(), 1);
}

#[test]
fn the_create_reply_reads_whole_and_nulls_are_absent() {
    let call: Call = golden("create_reply");
    assert_eq!(call.state, Some(CallState::Establishing));
    assert_eq!(call.result_info, None);
    assert_eq!(call.targets.as_deref(), Some(&[][..]));
    assert!(call.my_participant_id.is_some());
    let unknown: Vec<_> = call.extra.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key).collect();
    assert_eq!(unknown, ["@odata.context"]);
}

#[test]
fn an_incoming_call_reads_whole() {
    let notifications: CommsNotifications = golden("notification_incoming");
    assert_eq!(notifications.value[0].change_type, Some(ChangeType::Created));
    let call: Call = resource(&notifications);
    assert_eq!(call.requested_modalities, Some(vec![Modality::Audio, Modality::Video]));
    // A participantInfo where an invitation is declared keeps its own type.
    assert_eq!(call.targets.unwrap()[0].odata_type.name(), "participantInfo");
}

#[test]
fn undeclared_members_of_policy_recording_are_kept() {
    let notifications: CommsNotifications = golden("notification_policy_recording");
    let call: Call = resource(&notifications);
    assert_eq!(call.extra["applicationMetadata"]["botData"]["inviteReasons"][0], "PolicyBasedRecording");
    assert!(matches!(call.meeting_info, Some(MeetingInfo::Token(_))));
    assert!(call.incoming_context.unwrap().on_behalf_of.is_none());
}

#[test]
fn call_state_notifications_read_whole() {
    let call: Call = resource(&golden("notification_established"));
    assert_eq!(call.state, Some(CallState::Established));
    let call: Call = resource(&golden("notification_terminated"));
    assert_eq!(call.state, Some(CallState::Terminated));
    let result = call.result_info.unwrap();
    assert_eq!((result.code, result.subcode), (Some(200), Some(5010)));
    assert!(result.is_normal());
    let call: Call = resource(&golden("notification_tone"));
    assert_eq!(call.tone_info.unwrap().sequence_id, Some(1));
}

#[test]
fn a_full_roster_reads_whole() {
    let notifications: CommsNotifications = golden("notification_roster_full");
    let ResourceData::Many(entities) = &notifications.value[0].resource_data else { panic!("a list") };
    let ada: Participant = serde_json::from_value(Value::Object(entities[0].clone())).unwrap();
    assert_eq!((ada.audio_source_id(), ada.display_name()), (Some(1), Some("Ada")));
    assert_eq!(ada.extra["meetingRole"], "organizer");
    assert!(matches!(notifications.value[0].path(), Ok(ResourcePath::Participants(_))));
}

#[test]
fn a_delta_roster_reads_whole() {
    let delta: DeltaParticipants = resource(&golden("notification_roster_delta"));
    assert_eq!(delta.sequence_number, Some(7));
    assert!(delta.participants[0].removed_state.is_none());
    assert!(delta.participants[1].removed_state.is_some());
}

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
fn content_sharing_reads_with_and_without_data() {
    let notifications: CommsNotifications = golden("notification_content_sharing");
    assert_eq!(notifications.value[0].resource_data.entities().len(), 1);
    let notifications: CommsNotifications = golden("notification_without_data");
    assert!(notifications.value[0].resource_data.is_absent());
}

#[test]
fn collections_read_whole() {
    assert_eq!(golden::<Collection<Participant>>("participants").value.len(), 2);
    let groups: Collection<AudioRoutingGroup> = golden("routing_groups");
    assert_eq!(groups.value[0], golden("routing_group_multicast"));
    assert_eq!(groups.value[1].routing_mode, RoutingMode::OneToOne);
}

#[test]
fn the_error_envelope_reads_whole() {
    let envelope: ErrorEnvelope = golden("error_call_not_found");
    assert!(envelope.error.inner_error.unwrap().request_id.is_some());
}

#[test]
fn documented_blobs_read_whole() {
    let blob: DocumentedMembers = golden("blob_audio");
    assert_eq!(blob.supported_audio_format.as_deref(), Some("Pcm16K"));
    let blob: DocumentedMembers = golden("blob_receive_only");
    assert_eq!(blob.audio_source_contexts, [None]);
    assert_eq!(blob.receive_unmixed_meeting_audio, Some(true));
}

#[test]
fn every_fixture_is_read_by_a_test() {
    let source = include_str!("golden.rs");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for entry in fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(source.contains(&format!("\"{name}\"")), "{name} is read by no test");
    }
}
