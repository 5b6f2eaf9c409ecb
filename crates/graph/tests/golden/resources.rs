//! Resources and notifications as they are published.

use antiphon_graph::blob::{BlobKind, DocumentedMembers, OpaqueReason};
use antiphon_graph::{
    AudioRoutingGroup, Call, CallState, ChangeType, Collection, CommsNotifications, ContentSharingSession,
    DeltaParticipants, ErrorEnvelope, MediaConfig, MeetingInfo, Modality, OnlineMeetingVideoDisabledReason,
    Participant, ParticipantJoiningNotification, ParticipantJoiningResponse, ParticipantLeftNotification, RejectReason,
    ResourceData, ResourcePath, RoutingMode,
};
use serde_json::Value;

use crate::{golden, resource};

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
fn what_is_shared_reads_with_an_id_alone_and_with_more() {
    let sessions: Collection<ContentSharingSession> = golden("content_sharing_sessions");
    assert_eq!(sessions.value[0].presenter_participant_id, None);
    assert_eq!(sessions.value[1].presenter_participant_id.as_ref().unwrap().as_str(), "9f0c2f4e");
}

#[test]
fn a_participant_under_protection_reads_in_the_form_of_either_version() {
    for name in ["participant_restricted_v1", "participant_restricted_beta"] {
        let participant: Participant = golden(name);
        let video = participant.restricted_experience.unwrap().video_disabled.unwrap();
        assert_eq!(video.members(), [OnlineMeetingVideoDisabledReason::WatermarkProtection], "{name}");
    }
    let participant: Participant = golden("participant_restricted_beta");
    assert_eq!(participant.synthetic_media_detection.unwrap().synthetic_confidence, Some(0.875));
}

#[test]
fn the_large_gallery_is_known_by_the_kind_of_its_application() {
    let gallery: Participant = golden("participant_large_gallery");
    let application = gallery.info.unwrap().identity.unwrap().application.unwrap();
    assert_eq!(application.application_kind(), Some("LargeGallery-V2"));
    assert_eq!(application.hidden, Some(true));
}

#[test]
fn participants_of_a_recording_bot_come_and_go() {
    let joining: ParticipantJoiningNotification = resource(&golden("notification_participant_joining"));
    let call = joining.call.unwrap();
    assert!(call.incoming_context.is_some() && call.extra.contains_key("applicationMetadata"));
    let left: ParticipantLeftNotification = resource(&golden("notification_participant_left"));
    assert!(left.participant_id.is_some());
}

#[test]
fn the_three_answers_to_a_joining_participant_read_whole() {
    assert_eq!(golden::<ParticipantJoiningResponse>("join_accept"), ParticipantJoiningResponse::accept());
    assert_eq!(
        golden::<ParticipantJoiningResponse>("join_reject"),
        ParticipantJoiningResponse::reject(RejectReason::Busy)
    );
    let elsewhere = ParticipantJoiningResponse::invite_new_bot("https://emea.bot.example/api/calling");
    assert_eq!(golden::<ParticipantJoiningResponse>("join_invite_new_bot"), elsewhere);
}
