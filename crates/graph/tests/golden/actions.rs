//! Bodies of the actions as they are published.

use antiphon_graph::action::{
    Answer, ChangeScreenSharingRole, ConfigureMixer, InviteParticipants, LogTeleconferenceDeviceQuality, MuteAll,
    PlayPrompt, RecordResponse, Redirect, Reject, ReportSyntheticMedia, SendDtmfTones, StartHoldMusic, Transcription,
    Transfer, UpdateRecordingStatus, WithClientContext,
};
use antiphon_graph::model::{Body, read_request};
use antiphon_graph::wire::Version;
use antiphon_graph::{
    DetectionSeverity, MediaConfig, Modality, Prompt, RecordingStatus, RejectReason, ScreenSharingRole,
    TeleconferenceDeviceMediaQuality, Tone,
};
use serde::Serialize;

use crate::{fixture, golden};

/// Reads the fixture as serde does and as a service does, which must come to the same.
fn body<T: Body + Serialize + PartialEq + std::fmt::Debug>(name: &str) -> T {
    let read: T = golden(name);
    let requested = read_request::<T>(Version::Beta, fixture(name).to_string().as_bytes());
    assert_eq!(requested.unwrap_or_else(|error| panic!("{name}: {error}")), read);
    read
}

#[test]
fn answer_reads_whole() {
    let answer: Answer = body("action_answer");
    assert_eq!(answer.accepted_modalities, Some(vec![Modality::Audio]));
    assert_eq!(answer.participant_capacity, Some(200));
    assert!(matches!(answer.media_config, Some(MediaConfig::AppHosted(_))));
    let options = answer.call_options.unwrap();
    assert_eq!(options.odata_type.name(), "incomingCallOptions");
    assert_eq!(options.is_delta_roster_enabled, Some(true));
}

#[test]
fn options_in_an_answer_are_those_of_an_incoming_call_whatever_they_were() {
    let answer = Answer { call_options: Some(Default::default()), ..Default::default() };
    let written = serde_json::to_value(&answer).unwrap();
    assert_eq!(written["callOptions"]["@odata.type"], "#microsoft.graph.incomingCallOptions");
}

#[test]
fn reject_and_redirect_read_whole() {
    assert_eq!(body::<Reject>("action_reject").reason, Some(RejectReason::Busy));
    let redirect: Redirect = body("action_redirect");
    assert_eq!((redirect.targets.len(), redirect.timeout), (2, Some(30)));
    assert_eq!(redirect.mask_caller, Some(false));
    assert_eq!(redirect.extra["routingPolicies"][0], "disableForwarding");
}

#[test]
fn a_consultative_transfer_names_the_call_it_replaces() {
    let transfer: Transfer = body("action_transfer");
    assert!(transfer.transfer_target.unwrap().replaces_call_id.is_some());
    assert!(transfer.transferee.unwrap().identity.is_some());
    assert!(transfer.extra.contains_key("clientContext"));
}

#[test]
fn what_an_app_does_with_its_leg_reads_whole() {
    assert_eq!(body::<ChangeScreenSharingRole>("action_change_role").role, Some(ScreenSharingRole::Sharer));
    let status: UpdateRecordingStatus = body("action_recording_status");
    assert_eq!(status.status, Some(RecordingStatus::Recording));
    assert!(body::<WithClientContext>("action_mute").client_context.is_some());
    assert_eq!(body::<Transcription>("action_transcription").language.as_deref(), Some("en-us"));
}

#[test]
fn prompts_recordings_and_keys_read_whole() {
    let play: PlayPrompt = body("action_play_prompt");
    let Prompt::Media(prompt) = &play.prompts[0] else { panic!("a media prompt") };
    assert_eq!(prompt.media_info.resource_id.as_deref(), Some("1d6de2d4-cd51-4309-8daa-70768651088e"));
    assert_eq!((prompt.loop_count, play.loop_count), (Some(2), Some(false)));
    let record: RecordResponse = body("action_record_response");
    assert_eq!(record.stop_tones, ["#", "1", "*"]);
    assert_eq!(record.max_record_duration_in_seconds, Some(10));
    assert_eq!(body::<SendDtmfTones>("action_send_dtmf").tones, [Tone::Tone1, Tone::Star, Tone::Pound]);
    assert!(matches!(body::<StartHoldMusic>("action_hold_music").custom_prompt, Some(Prompt::Media(_))));
}

#[test]
fn what_is_done_to_participants_reads_whole() {
    let invite: InviteParticipants = body("action_invite");
    assert!(invite.participants[0].replaces_call_id.is_some());
    assert_eq!(body::<MuteAll>("action_mute_all").participants.len(), 2);
    let mixer: ConfigureMixer = body("action_configure_mixer");
    assert!(mixer.participant_mixer_levels.iter().all(|level| level.is_exclusive()));
    assert_eq!(mixer.participant_mixer_levels[0].ducking.as_ref().unwrap().lower_level, Some(10));
}

#[test]
fn a_device_report_has_one_entry_per_kind_of_media() {
    let report: LogTeleconferenceDeviceQuality = body("action_device_quality");
    let quality = report.quality.unwrap();
    let [audio, video, sharing] = &quality.media_quality_list[..] else { panic!("three reports") };
    let TeleconferenceDeviceMediaQuality::Audio(audio) = audio else { panic!("audio") };
    assert_eq!(audio.average_inbound_jitter.as_ref().unwrap().value().unwrap().as_millis(), 30);
    assert_eq!(audio.local_ip_address.as_deref(), Some("192.0.2.7"));
    let TeleconferenceDeviceMediaQuality::Video(video) = video else { panic!("video") };
    assert_eq!(video.average_inbound_frame_rate, Some(29.5));
    assert!(matches!(sharing, TeleconferenceDeviceMediaQuality::ScreenSharing(_)));
}

#[test]
fn a_report_of_synthetic_media_reads_whole() {
    let report: ReportSyntheticMedia = body("action_report_synthetic_media");
    assert!(report.id.unwrap().is_well_formed() && report.detection_date_time.unwrap().is_well_formed());
    assert_eq!(report.severity, Some(DetectionSeverity::High));
    assert_eq!(report.detections[0].segment.as_ref().unwrap().frame_indices, [3, 4]);
    assert_eq!(report.content_metadata.unwrap().audio_metadata.unwrap().sample_rate_hz, Some(16_000));
}
