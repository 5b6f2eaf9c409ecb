//! The body of a request, read as a type and refused by the path of its first fault.
//!
//! Bytes to JSON, JSON against the model, JSON to the type. An absent body is an
//! empty object. What only the service can know (whether an optional member is
//! needed here, whether a URL may be used) is not checked.

use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use super::{Fault, Strictness, check, check_parameters};
use crate::wire::{Typed, Version};
use crate::{AudioRoutingGroupUpdate, action};

/// What a body is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A type, by name.
    Type(&'static str),
    /// The parameters of an action, by name.
    Parameters(&'static str),
}

/// A Rust type that a request's body is read as.
pub trait Body: DeserializeOwned {
    /// What the model has for it.
    const SHAPE: Shape;
}

impl<T: Typed + DeserializeOwned> Body for T {
    const SHAPE: Shape = Shape::Type(T::TYPE);
}

macro_rules! parameters {
    ($( $ty:ident = $name:literal ),* $(,)?) => {
        $( impl Body for action::$ty { const SHAPE: Shape = Shape::Parameters($name); } )*
    };
}

parameters! {
    Answer = "answer",
    ChangeScreenSharingRole = "changeScreenSharingRole",
    ConfigureMixer = "configureMixer",
    InviteParticipants = "invite",
    LogTeleconferenceDeviceQuality = "logTeleconferenceDeviceQuality",
    MuteAll = "muteAll",
    PlayPrompt = "playPrompt",
    RecordResponse = "recordResponse",
    Redirect = "redirect",
    Reject = "reject",
    ReportSyntheticMedia = "reportSyntheticMedia",
    SendDtmfTones = "sendDtmfTones",
    StartHoldMusic = "startHoldMusic",
    Transcription = "startTranscription",
    Transfer = "transfer",
    UpdateRecordingStatus = "updateRecordingStatus",
    WithClientContext = "mute",
}

impl Body for AudioRoutingGroupUpdate {
    const SHAPE: Shape = Shape::Type("audioRoutingGroup");
}

/// Why a body cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The bytes are no JSON.
    #[error("the body is no JSON: {0}")]
    NotJson(serde_json::Error),
    /// A member does not fit the model.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The type needs something that the model leaves to the service.
    #[error("{0}")]
    Incomplete(serde_json::Error),
}

impl RequestError {
    /// The member it is about, by its path.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Fault(fault) => Some(&fault.path).filter(|path| !path.is_empty()).map(String::as_str),
            _ => None,
        }
    }
}

/// Reads the body of a request as a `T`. Never panics, whatever the bytes.
///
/// # Errors
///
/// The first thing that is wrong with it.
///
/// ```
/// use antiphon_graph::action::SendDtmfTones;
/// use antiphon_graph::model::read_request;
/// use antiphon_graph::wire::Version;
///
/// let error = read_request::<SendDtmfTones>(Version::V1, br#"{"tones": ["star", "bell"]}"#).unwrap_err();
/// assert_eq!(error.path(), Some("tones[1]"));
/// assert_eq!(error.to_string(), "`tones[1]` is no member of tone: `bell`");
/// ```
pub fn read_request<T: Body>(version: Version, body: &[u8]) -> Result<T, RequestError> {
    let body = if body.is_empty() { b"{}" } else { body };
    let value: Value = serde_json::from_slice(body).map_err(RequestError::NotJson)?;
    let faults = match T::SHAPE {
        Shape::Type(name) => check(version, name, Strictness::Request, &value),
        Shape::Parameters(name) => check_parameters(version, name, &value),
    };
    match faults.into_iter().next() {
        Some(fault) => Err(fault.into()),
        None => serde_json::from_value(value).map_err(RequestError::Incomplete),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AudioRoutingGroup, Call, model};

    fn refusal<T: Body + std::fmt::Debug>(body: &str) -> String {
        read_request::<T>(Version::V1, body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_absent_body_is_an_empty_object() {
        let call: Call = read_request(Version::V1, b"").unwrap();
        assert_eq!(call, Call::default());
        let mute: action::WithClientContext = read_request(Version::V1, b"{}").unwrap();
        assert_eq!(mute, action::WithClientContext::default());
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path_however_deep() {
        let meeting =
            r#"{"meetingInfo":{"@odata.type":"microsoft.graph.organizerMeetingInfo","organizer":{"user":7}}}"#;
        assert_eq!(refusal::<Call>(meeting), "`meetingInfo.organizer.user` must be an identity, not a number");
        let meeting = r#"{"meetingInfo":{"@odata.type":"microsoft.graph.organizerMeetingInfo"}}"#;
        assert_eq!(refusal::<Call>(meeting), "`meetingInfo.organizer` is required");
        let transfer = r#"{"transferTarget":{"identity":{"user":{"id":[]}}}}"#;
        assert_eq!(
            refusal::<action::Transfer>(transfer),
            "`transferTarget.identity.user.id` must be a String, not a list"
        );
        assert_eq!(
            refusal::<action::InviteParticipants>(r#"{"participants":[{"identity":null}]}"#),
            "`participants[0].identity` is required"
        );
        let quality = r#"{"quality":{"callChainId":"x"}}"#;
        assert_eq!(
            refusal::<action::LogTeleconferenceDeviceQuality>(quality),
            "`quality.callChainId` is not well formed as a GUID"
        );
    }

    #[test]
    fn what_the_service_must_judge_is_left_to_it() {
        let answer = r#"{"mediaConfig":{"@odata.type":"microsoft.graph.appHostedMediaConfig"}}"#;
        let answer: action::Answer = read_request(Version::V1, answer.as_bytes()).unwrap();
        assert_eq!(answer.callback_uri, None);
        assert_eq!(read_request::<action::Transfer>(Version::V1, b"{}").unwrap(), action::Transfer::default());
        let update: AudioRoutingGroupUpdate = read_request(Version::V1, br#"{"receivers":["a"]}"#).unwrap();
        assert_eq!(update.routing_mode, None);
        assert!(refusal::<AudioRoutingGroup>(r#"{"sources":[]}"#).contains("routingMode"));
    }

    #[test]
    fn bytes_that_are_no_json_are_refused_as_such() {
        for body in ["{", "{} {}", "\u{1}", "nul"] {
            let error = read_request::<Call>(Version::Beta, body.as_bytes()).unwrap_err();
            assert!(matches!(error, RequestError::NotJson(_)), "{body}");
        }
        assert_eq!(refusal::<Call>("[]"), "the body must be a call, not a list");
        assert_eq!(refusal::<action::Reject>("null"), "the body must be an object, not null");
    }

    #[test]
    fn every_shape_is_in_the_model() {
        for shape in [Call::SHAPE, AudioRoutingGroupUpdate::SHAPE, action::Answer::SHAPE, action::MuteAll::SHAPE] {
            match shape {
                Shape::Type(name) => assert!(model::type_named(name).is_some(), "{name}"),
                Shape::Parameters(name) => assert!(model::action(name).is_some(), "{name}"),
            }
        }
    }
}
