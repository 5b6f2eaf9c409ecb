//! Fuzz bodies as ordinary functions: the targets are shells around these, and the corpus replays through
//! them as tests.
//!
//! Each takes any bytes, reads them as its wire text, and where something was read checks that it can be
//! written and read again as the same. They panic only when an invariant of this crate is broken.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::blob::{self, BlobKind};
use crate::model::{self, Body, FaultKind, Shape, Strictness};
use crate::wire::Version;
use crate::{
    AudioRoutingGroup, AudioRoutingGroupUpdate, Call, CommsNotifications, CommsOperation, ContentSharingSession,
    Participant, ParticipantJoiningNotification, ParticipantJoiningResponse, ParticipantLeftNotification, action,
};

/// Reads `data` as the text of a blob; one of ours is written and read again.
///
/// # Panics
/// If the blob that is read back is not the same.
pub fn blob(data: &[u8]) {
    let BlobKind::Antiphon(blob) = blob::parse(&String::from_utf8_lossy(data)) else { return };
    let again = blob.to_blob();
    assert_eq!(again.kind(), BlobKind::Antiphon(blob), "{}", again.as_str());
}

/// Reads `data` as the body of a notification, follows its paths and tries its entities as every resource
/// that notifications carry.
///
/// # Panics
/// If what was read is not read back the same after writing.
pub fn notification(data: &[u8]) {
    let Ok(body) = CommsNotifications::parse(data) else { return };
    for notification in &body.value {
        let _ = notification.path();
        for entity in notification.resource_data.entities() {
            let value = Value::Object(entity.clone());
            reads_back::<Call>(&value);
            reads_back::<Participant>(&value);
            reads_back::<CommsOperation>(&value);
            reads_back::<ContentSharingSession>(&value);
            reads_back::<ParticipantJoiningNotification>(&value);
            reads_back::<ParticipantLeftNotification>(&value);
            reads_back::<ParticipantJoiningResponse>(&value);
        }
    }
    let written = serde_json::to_vec(&body).expect("invariant: everything that was read can be written");
    assert_eq!(CommsNotifications::parse(&written).expect("invariant: what we write, we read"), body);
}

/// Reads `data` as the body of every request there is, and holds it against the model as a reply.
///
/// # Panics
/// If a body that was read is not read back the same after writing, or if what is left out for a version still holds
/// what that version does not declare.
pub fn request(data: &[u8]) {
    requested::<Call>(data);
    requested::<AudioRoutingGroup>(data);
    requested::<AudioRoutingGroupUpdate>(data);
    requested::<action::Answer>(data);
    requested::<action::ChangeScreenSharingRole>(data);
    requested::<action::ConfigureMixer>(data);
    requested::<action::InviteParticipants>(data);
    requested::<action::LogTeleconferenceDeviceQuality>(data);
    requested::<action::MuteAll>(data);
    requested::<action::PlayPrompt>(data);
    requested::<action::RecordResponse>(data);
    requested::<action::Redirect>(data);
    requested::<action::Reject>(data);
    requested::<action::ReportSyntheticMedia>(data);
    requested::<action::SendDtmfTones>(data);
    requested::<action::StartHoldMusic>(data);
    requested::<action::Transcription>(data);
    requested::<action::Transfer>(data);
    requested::<action::UpdateRecordingStatus>(data);
    requested::<action::WithClientContext>(data);
}

fn requested<T: Body + Serialize + PartialEq + std::fmt::Debug>(data: &[u8]) {
    let Ok(read) = model::read_request::<T>(Version::Beta, data) else { return };
    let mut written = serde_json::to_value(&read).expect("invariant: everything that was read can be written");
    let again: T = serde_json::from_value(written.clone()).expect("invariant: what we write, we read");
    assert_eq!(again, read, "{written}");
    if let Shape::Type(name) = T::SHAPE {
        model::declared_only(Version::V1, name, &mut written);
        let faults = model::check(Version::V1, name, Strictness::Reply, &written);
        let undeclared = faults.iter().find(|fault| matches!(fault.kind, FaultKind::Undeclared(_)));
        assert_eq!(undeclared, None, "{written}");
    }
}

fn reads_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(value: &Value) {
    let Ok(read) = serde_json::from_value::<T>(value.clone()) else { return };
    let written = serde_json::to_string(&read).expect("invariant: everything that was read can be written");
    let again = serde_json::from_str::<T>(&written).expect("invariant: what we write, we read");
    assert_eq!(again, read, "{written}");
}
