//! The media blob: what one media stack tells the other through Graph.
//!
//! `appHostedMediaConfig.blob` is JSON inside a string. [`MediaBlob`] holds the
//! documented members and one of ours, `antiphon`, versioned, that carries an
//! SDP with complete candidates. A blob we did not make is opaque, with a
//! reason; it is never an error. Unknown members survive a round trip. Never a
//! secret in it beyond what SDP itself holds. Reading never panics.
//! Spec: RFC 8866 (SDP), RFC 8829 §4 (offer and answer); the documented
//! members are from <https://learn.microsoft.com/graph/api/application-post-calls>.

use std::fmt;

use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::wire::{Extra, null_as_default};

/// The version of the `antiphon` member this crate reads and writes.
pub const ANTIPHON_VERSION: u32 = 1;

/// The longest blob read, in bytes; a longer one is opaque.
pub const MAX_BLOB_BYTES: usize = 256 * 1024;

/// The text of a blob as it stands in `appHostedMediaConfig`.
///
/// Read from a string or, as the first published samples had it, from an
/// inline object; always written as a string.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Blob(String);

impl Blob {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the text.
    pub fn kind(&self) -> BlobKind {
        parse(&self.0)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            object @ Value::Object(_) => Ok(Self(object.to_string())),
            _ => Err(D::Error::custom("a blob is a string or an object")),
        }
    }
}

/// What a blob turned out to be.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BlobKind {
    /// Ours: the other end can do media with us.
    Antiphon(Box<MediaBlob>),
    /// Of another make, or broken: the call lives without media.
    Opaque(OpaqueReason),
}

/// Why a blob is opaque to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum OpaqueReason {
    /// Longer than [`MAX_BLOB_BYTES`].
    #[error("the blob is too long")]
    TooLong,
    /// No JSON, for example the documentation's placeholder.
    #[error("the blob is not JSON")]
    NotJson,
    /// JSON, but no object.
    #[error("the blob is not a JSON object")]
    NotAnObject,
    /// Made by another media stack.
    #[error("the blob has no antiphon member")]
    NoAntiphonMember,
    /// Ours, of a version this crate does not know.
    #[error("the blob's antiphon member has an unsupported version")]
    UnsupportedVersion,
    /// Ours, but not of the form its version says.
    #[error("the blob's antiphon member is malformed")]
    Malformed,
}

impl OpaqueReason {
    /// A short name for counters and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::NoAntiphonMember => "no_antiphon_member",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Malformed => "malformed",
        }
    }
}

/// Whether an SDP offers or answers (RFC 3264).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SdpType {
    /// The SDP is an offer.
    Offer,
    /// The SDP answers an offer.
    Answer,
}

/// Our own member of the blob.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct AntiphonMedia {
    /// [`ANTIPHON_VERSION`].
    pub version: u32,
    /// Offer or answer.
    #[serde(rename = "type")]
    pub sdp_type: SdpType,
    /// The SDP, all candidates in it.
    pub sdp: String,
    /// Members of later minor additions.
    #[serde(flatten)]
    pub extra: Extra,
}

impl AntiphonMedia {
    /// An offer.
    pub fn offer(sdp: impl Into<String>) -> Self {
        Self::of(SdpType::Offer, sdp.into())
    }

    /// An answer.
    pub fn answer(sdp: impl Into<String>) -> Self {
        Self::of(SdpType::Answer, sdp.into())
    }

    fn of(sdp_type: SdpType, sdp: String) -> Self {
        Self { version: ANTIPHON_VERSION, sdp_type, sdp, extra: Extra::new() }
    }
}

impl fmt::Debug for AntiphonMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The SDP holds the ICE password; logs do not.
        f.debug_struct("AntiphonMedia")
            .field("version", &self.version)
            .field("type", &self.sdp_type)
            .field("sdp_bytes", &self.sdp.len())
            .finish()
    }
}

/// A blob of ours: our member beside the documented ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaBlob {
    /// Our member.
    pub antiphon: AntiphonMedia,
    /// Everything else.
    #[serde(flatten)]
    pub documented: DocumentedMembers,
}

impl MediaBlob {
    /// A blob that carries an SDP of ours and nothing else.
    pub fn new(antiphon: AntiphonMedia) -> Self {
        Self { antiphon, documented: DocumentedMembers::default() }
    }

    /// Writes the blob as the string Graph wants.
    pub fn to_blob(&self) -> Blob {
        Blob(serde_json::to_string(self).expect("invariant: string keys and plain members only"))
    }
}

/// The documented members of a blob, all of which may be absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentedMembers {
    /// Where the service's media side finds the app's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mp_uri: Option<String>,
    /// One slot per socket, non-null where the app receives audio.
    #[serde(default, deserialize_with = "null_as_default")]
    pub audio_render_contexts: Vec<Option<String>>,
    /// One slot per socket, non-null where the app receives video.
    #[serde(default, deserialize_with = "null_as_default")]
    pub video_render_contexts: Vec<Option<String>>,
    /// One slot per socket, non-null where the app sends audio.
    #[serde(default, deserialize_with = "null_as_default")]
    pub audio_source_contexts: Vec<Option<String>>,
    /// One slot per socket, non-null where the app sends video.
    #[serde(default, deserialize_with = "null_as_default")]
    pub video_source_contexts: Vec<Option<String>>,
    /// Data channel sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_render_contexts: Option<Vec<Option<String>>>,
    /// Data channel sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_source_contexts: Option<Vec<Option<String>>>,
    /// `Pcm16K` or `Pcm44KStereo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_audio_format: Option<String>,
    /// `Yuv` or `H264`, one per video socket.
    #[serde(default, deserialize_with = "null_as_default")]
    pub video_sink_encoding_formats: Vec<String>,
    /// Media session id on the app.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mp_media_session_id: Option<String>,
    /// Null in every published sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region_affinity: Option<String>,
    /// Library version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skype_media_bots_version: Option<String>,
    /// Library version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_stack_version: Option<String>,
    /// Library version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mp_version: Option<String>,
    /// Correlation id of the media library; not the call's id in Graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Whether the app wants each speaker's audio apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receive_unmixed_meeting_audio: Option<bool>,
    /// Members nobody documented.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Reads the text of a blob, whatever it is. Total: never an error or a panic.
pub fn parse(text: &str) -> BlobKind {
    read(text).map_or_else(BlobKind::Opaque, |blob| BlobKind::Antiphon(Box::new(blob)))
}

fn read(text: &str) -> Result<MediaBlob, OpaqueReason> {
    if text.len() > MAX_BLOB_BYTES {
        return Err(OpaqueReason::TooLong);
    }
    let value: Value = serde_json::from_str(text).map_err(|_| OpaqueReason::NotJson)?;
    let Value::Object(object) = &value else { return Err(OpaqueReason::NotAnObject) };
    let ours = match object.get("antiphon") {
        None | Some(Value::Null) => return Err(OpaqueReason::NoAntiphonMember),
        Some(ours) => ours,
    };
    let version = ours.get("version").and_then(Value::as_u64).ok_or(OpaqueReason::Malformed)?;
    if version != u64::from(ANTIPHON_VERSION) {
        return Err(OpaqueReason::UnsupportedVersion);
    }
    serde_json::from_value(value).map_err(|_| OpaqueReason::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn our_blob_survives_the_round_trip_with_unknown_members() {
        let text = json!({
            "mpUri": "net.tcp://bot.contoso.com:18732/MediaProcessor",
            "audioRenderContexts": [null],
            "somebodyElses": {"kept": [1, 2]},
            "antiphon": {"version": 1, "type": "offer", "sdp": "v=0\r\n", "later": true},
        });
        let BlobKind::Antiphon(blob) = parse(&text.to_string()) else { panic!("ours") };
        assert_eq!(blob.antiphon.sdp, "v=0\r\n");
        assert_eq!(blob.antiphon.sdp_type, SdpType::Offer);
        let written: Value = serde_json::from_str(blob.to_blob().as_str()).unwrap();
        for member in ["mpUri", "audioRenderContexts", "somebodyElses", "antiphon"] {
            assert_eq!(written[member], text[member], "{member}");
        }
    }

    #[test]
    fn blobs_of_another_make_are_opaque_with_the_reason() {
        let long = "x".repeat(MAX_BLOB_BYTES + 1);
        for (text, reason) in [
            ("<Media Session Configuration>", OpaqueReason::NotJson),
            ("", OpaqueReason::NotJson),
            ("[]", OpaqueReason::NotAnObject),
            ("{\"mpUri\":\"net.tcp://x\"}", OpaqueReason::NoAntiphonMember),
            ("{\"antiphon\":null}", OpaqueReason::NoAntiphonMember),
            ("{\"antiphon\":{\"version\":2}}", OpaqueReason::UnsupportedVersion),
            ("{\"antiphon\":{\"version\":1,\"type\":\"offer\"}}", OpaqueReason::Malformed),
            ("{\"antiphon\":{\"version\":1,\"type\":\"x\",\"sdp\":\"\"}}", OpaqueReason::Malformed),
            ("{\"antiphon\":7}", OpaqueReason::Malformed),
            ("{\"mpUri\":3,\"antiphon\":{\"version\":1,\"type\":\"offer\",\"sdp\":\"\"}}", OpaqueReason::Malformed),
            (long.as_str(), OpaqueReason::TooLong),
        ] {
            assert_eq!(parse(text), BlobKind::Opaque(reason), "{text:.60}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_not_followed() {
        let text = "[".repeat(100_000);
        assert_eq!(parse(&text), BlobKind::Opaque(OpaqueReason::NotJson));
    }

    #[test]
    fn the_object_form_is_read_and_the_string_form_written() {
        let blob: Blob = serde_json::from_value(json!({"antiphon": {"version": 9}})).unwrap();
        assert_eq!(blob.kind(), BlobKind::Opaque(OpaqueReason::UnsupportedVersion));
        assert!(serde_json::to_value(&blob).unwrap().is_string());
        assert!(serde_json::from_value::<Blob>(json!(7)).is_err());
    }

    #[test]
    fn debug_output_does_not_show_the_sdp() {
        let media = AntiphonMedia::offer("a=ice-pwd:hush");
        let blob = MediaBlob::new(media.clone()).to_blob();
        assert!(!format!("{media:?} {blob:?}").contains("hush"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn every_sdp_comes_back_as_written(sdp in "\\PC*|[\\s\\S]*", unmixed: Option<bool>) {
            let mut written = MediaBlob::new(AntiphonMedia::answer(sdp));
            written.documented.receive_unmixed_meeting_audio = unmixed;
            prop_assert_eq!(
                parse(written.to_blob().as_str()),
                BlobKind::Antiphon(Box::new(written))
            );
        }
    }
}
