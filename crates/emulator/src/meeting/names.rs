//! The names of a meeting: thread, join URL, meeting id and passcode.
//!
//! In the forms Teams gives them, so that a bot's own parsing of a join URL is exercised. Random, made once per meeting.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use uuid::Uuid;

/// How a meeting is found from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MeetingNames {
    /// `19:meeting_...@thread.v2`
    pub(crate) thread_id: String,
    /// `0`: a scheduled meeting.
    pub(crate) message_id: String,
    /// `https://teams.microsoft.com/l/meetup-join/...`
    pub(crate) join_url: String,
    /// 12 decimal digits.
    pub(crate) join_meeting_id: String,
    /// `None` for a meeting without one.
    pub(crate) passcode: Option<String>,
}

impl MeetingNames {
    /// Fresh names for a meeting of this tenant and organizer.
    pub(crate) fn fresh(tenant_id: &str, organizer_id: &str, passcode: Option<String>) -> Self {
        let random = Uuid::new_v4();
        let room = BASE64_STANDARD_NO_PAD.encode(random.to_string());
        let thread_id = format!("19:meeting_{room}@thread.v2");
        let message_id = "0".to_owned();
        let context = format!(r#"{{"Tid":"{tenant_id}","Oid":"{organizer_id}"}}"#);
        let join_url = format!(
            "https://teams.microsoft.com/l/meetup-join/{}/{message_id}?context={}",
            percent_encoded(&thread_id),
            percent_encoded(&context),
        );
        // 2 followed by 11 digits: never a leading zero.
        let join_meeting_id = format!("2{:011}", random.as_u128() % 100_000_000_000);
        Self { thread_id, message_id, join_url, join_meeting_id, passcode }
    }
}

/// A six-character passcode.
pub(crate) fn fresh_passcode() -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
    let random = Uuid::new_v4();
    random.as_bytes()[..6].iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

/// Everything but unreserved characters escaped (RFC 3986 §2.1).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02x}").expect("invariant: writing to a String cannot fail");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_url_leads_back_to_thread_tenant_and_organizer() {
        let names = MeetingNames::fresh("tenant", "organizer", None);
        let url = reqwest::Url::parse(&names.join_url).unwrap();
        let (_, context) = url.query_pairs().find(|(name, _)| name == "context").unwrap();
        let context: serde_json::Value = serde_json::from_str(&context).unwrap();
        assert_eq!((&context["Tid"], &context["Oid"]), (&"tenant".into(), &"organizer".into()));
        let segments: Vec<_> = url.path_segments().unwrap().collect();
        assert_eq!(segments[2], percent_encoded(&names.thread_id));
        assert_eq!(segments[3], "0");
        assert!(names.thread_id.starts_with("19:meeting_") && names.thread_id.ends_with("@thread.v2"));
    }

    #[test]
    fn meeting_id_and_passcode_have_their_forms() {
        for _ in 0..200 {
            let names = MeetingNames::fresh("t", "o", None);
            assert_eq!(names.join_meeting_id.len(), 12);
            assert!(names.join_meeting_id.bytes().all(|byte| byte.is_ascii_digit()));
            assert_eq!(fresh_passcode().len(), 6);
        }
    }
}
