//! Resource paths of the calling API, as notifications name them.
//!
//! Splits a `resourceUrl` first and decodes its segments after, in any case,
//! with or without a leading slash, host, version or `/app` family.
//! Spec: RFC 3986 §2.1 (percent-encoding) and §3.3 (path).

use std::fmt::Write as _;

use thiserror::Error;

use crate::{CallId, ParticipantId};

/// What a path under `/communications/calls` or `/app/calls` names.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourcePath {
    /// The collection of calls.
    Calls,
    /// A call.
    Call(CallId),
    /// The roster of a call.
    Participants(CallId),
    /// One participant.
    Participant(CallId, ParticipantId),
    /// The operations of a call.
    Operations(CallId),
    /// One operation.
    Operation(CallId, String),
    /// The routing groups of a call.
    AudioRoutingGroups(CallId),
    /// One routing group.
    AudioRoutingGroup(CallId, String),
    /// The content sharing sessions of a call.
    ContentSharingSessions(CallId),
    /// One content sharing session.
    ContentSharingSession(CallId, String),
    /// Something else below a call: the segments after its id.
    OtherOfCall(CallId, Vec<String>),
}

/// A path that does not lead to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ResourcePathError {
    /// No `communications/calls` or `app/calls` in it.
    #[error("the path is not under /communications/calls or /app/calls")]
    NotACallPath,
}

impl ResourcePath {
    /// Reads a path or URL.
    ///
    /// # Errors
    ///
    /// If it is not under one of the two path families.
    pub fn parse(text: &str) -> Result<Self, ResourcePathError> {
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        loop {
            let family = segments.next().ok_or(ResourcePathError::NotACallPath)?;
            let known = family.eq_ignore_ascii_case("communications") || family.eq_ignore_ascii_case("app");
            let mut ahead = segments.clone();
            if known && ahead.next().is_some_and(|next| next.eq_ignore_ascii_case("calls")) {
                segments = ahead;
                break;
            }
        }
        let Some(call) = segments.next() else { return Ok(Self::Calls) };
        let call = CallId::new(decode_segment(call));
        let rest: Vec<String> = segments.map(decode_segment).collect();
        Ok(Self::below_call(call, rest))
    }

    fn below_call(call: CallId, rest: Vec<String>) -> Self {
        let mut parts = rest.iter();
        let (collection, item) = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => return Self::Call(call),
            (Some(collection), item, None) => (collection.to_ascii_lowercase(), item.cloned()),
            _ => return Self::OtherOfCall(call, rest),
        };
        match (collection.as_str(), item) {
            ("participants", None) => Self::Participants(call),
            ("participants", Some(item)) => Self::Participant(call, ParticipantId::new(item)),
            ("operations", None) => Self::Operations(call),
            ("operations", Some(item)) => Self::Operation(call, item),
            ("audioroutinggroups", None) => Self::AudioRoutingGroups(call),
            ("audioroutinggroups", Some(item)) => Self::AudioRoutingGroup(call, item),
            ("contentsharingsessions", None) => Self::ContentSharingSessions(call),
            ("contentsharingsessions", Some(item)) => Self::ContentSharingSession(call, item),
            _ => Self::OtherOfCall(call, rest),
        }
    }

    /// The call the path leads to.
    pub fn call_id(&self) -> Option<&CallId> {
        match self {
            Self::Calls => None,
            Self::Call(call)
            | Self::Participants(call)
            | Self::Participant(call, _)
            | Self::Operations(call)
            | Self::Operation(call, _)
            | Self::AudioRoutingGroups(call)
            | Self::AudioRoutingGroup(call, _)
            | Self::ContentSharingSessions(call)
            | Self::ContentSharingSession(call, _)
            | Self::OtherOfCall(call, _) => Some(call),
        }
    }
}

/// Percent-decodes one path segment; a broken escape stays as it is.
pub fn decode_segment(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("invariant: two hex digits"));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encodes one path segment: everything but RFC 3986 §2.3 unreserved.
pub fn encode_segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("invariant: a String takes any text");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_both_families_name_the_same_resource() {
        let call = CallId::new("57dab8b1-894c-409a-b240-bd8beae78896");
        for text in [
            "/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896",
            "/app/calls/57DAB8B1894C409AB240BD8BEAE78896",
            "communications/Calls/57DAB8B1894C409AB240BD8BEAE78896/",
            "https://graph.microsoft.com/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896?x=1",
        ] {
            assert_eq!(ResourcePath::parse(text), Ok(ResourcePath::Call(call.clone())), "{text}");
        }
    }

    #[test]
    fn everything_below_a_call_is_named() {
        let call = || CallId::new("c");
        for (text, path) in [
            ("/communications/calls", ResourcePath::Calls),
            ("/app/calls/c/participants", ResourcePath::Participants(call())),
            ("/app/calls/c/participants/p", ResourcePath::Participant(call(), ParticipantId::new("p"))),
            ("/app/calls/c/operations/o%2F1", ResourcePath::Operation(call(), "o/1".into())),
            ("/app/calls/c/contentsharingsessions", ResourcePath::ContentSharingSessions(call())),
            ("/app/calls/c/audioRoutingGroups/g", ResourcePath::AudioRoutingGroup(call(), "g".into())),
            (
                "/app/calls/c/whatever/x/y",
                ResourcePath::OtherOfCall(call(), vec!["whatever".into(), "x".into(), "y".into()]),
            ),
        ] {
            assert_eq!(ResourcePath::parse(text), Ok(path), "{text}");
        }
    }

    #[test]
    fn paths_elsewhere_are_refused() {
        for text in ["", "/", "/users/1", "/communications/onlineMeetings/1", "calls/1", "%"] {
            assert_eq!(ResourcePath::parse(text), Err(ResourcePathError::NotACallPath), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_encoded_segment_decodes_to_itself(text in ".*") {
            prop_assert_eq!(decode_segment(&encode_segment(&text)), text);
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = ResourcePath::parse(&text);
            let _ = decode_segment(&text);
        }
    }
}
