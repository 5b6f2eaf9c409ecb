//! Meeting links: the URL in an invitation, taken apart for a join request.
//!
//! Two forms: `.../l/meetup-join/{thread}/{message}?context={json}` names the
//! chat and the organizer, `.../meet/{id}?p={passcode}` the meeting id. The
//! host is not looked at, so that the emulator's links work too.
//! Spec: <https://learn.microsoft.com/graph/api/application-post-calls>
//! (joining by organizer and by meeting id), RFC 3986 §3.

use antiphon_graph::{
    Call, ChatInfo, Identity, IdentitySet, JoinMeetingIdMeetingInfo, OrganizerMeetingInfo, decode_segment,
};
use serde::Deserialize;
use thiserror::Error;

/// What a meeting link says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MeetingLink {
    /// The classic form.
    Organizer(OrganizerLink),
    /// The short form.
    MeetingId {
        /// The numeric meeting id.
        join_meeting_id: String,
        /// The passcode, if the link holds one.
        passcode: Option<String>,
    },
}

/// A meeting by its chat and organizer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrganizerLink {
    /// Chat thread.
    pub thread_id: String,
    /// Message; `0` for scheduled meetings.
    pub message_id: String,
    /// Reply chain, in channel meetings.
    pub reply_chain_message_id: Option<String>,
    /// Object id of the organizer.
    pub organizer_id: String,
    /// Tenant of the organizer and the meeting.
    pub tenant_id: String,
}

/// Why a text is no meeting link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MeetingLinkError {
    /// Neither `/l/meetup-join/` nor `/meet/` in its path.
    #[error("the link is neither a meetup-join nor a meet link")]
    UnknownForm,
    /// Thread, message or meeting id is missing.
    #[error("the link's path is incomplete")]
    Incomplete,
    /// The `context` of a meetup-join link is missing or unreadable.
    #[error("the link's context does not name tenant and organizer")]
    Context,
}

#[derive(Deserialize)]
struct Context {
    #[serde(rename = "Tid")]
    tenant_id: String,
    #[serde(rename = "Oid")]
    organizer_id: String,
    #[serde(rename = "MessageId", default)]
    message_id: Option<String>,
}

impl MeetingLink {
    /// Takes a link apart.
    ///
    /// ```
    /// use antiphon_signaling::MeetingLink;
    ///
    /// let link = MeetingLink::parse("https://teams.microsoft.com/meet/2345678?p=k7Qx2m").unwrap();
    /// assert_eq!(
    ///     link,
    ///     MeetingLink::MeetingId { join_meeting_id: "2345678".into(), passcode: Some("k7Qx2m".into()) },
    /// );
    /// ```
    ///
    /// # Errors
    ///
    /// If the text has neither form, or not all of one.
    pub fn parse(link: &str) -> Result<Self, MeetingLinkError> {
        let link = link.trim().split('#').next().unwrap_or_default();
        let (path, query) = link.split_once('?').unwrap_or((link, ""));
        if let Some(rest) = after(path, "/l/meetup-join/") {
            return Self::by_organizer(rest, query);
        }
        if let Some(rest) = after(path, "/meet/") {
            let id = rest.split('/').next().map(decode_segment).unwrap_or_default();
            if id.is_empty() {
                return Err(MeetingLinkError::Incomplete);
            }
            return Ok(Self::MeetingId { join_meeting_id: id, passcode: parameter(query, "p") });
        }
        Err(MeetingLinkError::UnknownForm)
    }

    fn by_organizer(path: &str, query: &str) -> Result<Self, MeetingLinkError> {
        let mut segments = path.split('/').map(decode_segment).filter(|segment| !segment.is_empty());
        let (Some(thread_id), Some(message_id)) = (segments.next(), segments.next()) else {
            return Err(MeetingLinkError::Incomplete);
        };
        let context = parameter(query, "context").ok_or(MeetingLinkError::Context)?;
        let context: Context = serde_json::from_str(&context).map_err(|_| MeetingLinkError::Context)?;
        Ok(Self::Organizer(OrganizerLink {
            thread_id,
            message_id,
            reply_chain_message_id: context.message_id.filter(|id| !id.is_empty()),
            organizer_id: context.organizer_id,
            tenant_id: context.tenant_id,
        }))
    }

    /// Fills in what a create request needs to join this meeting.
    pub fn apply_to(&self, call: &mut Call) {
        match self {
            Self::Organizer(link) => {
                let organizer =
                    Identity { tenant_id: Some(link.tenant_id.clone()), ..Identity::of(link.organizer_id.clone()) };
                call.chat_info = Some(ChatInfo {
                    thread_id: Some(link.thread_id.clone()),
                    message_id: Some(link.message_id.clone()),
                    reply_chain_message_id: link.reply_chain_message_id.clone(),
                    ..ChatInfo::default()
                });
                call.meeting_info = Some(
                    OrganizerMeetingInfo {
                        organizer: IdentitySet::of_user(organizer),
                        allow_conversation_without_host: Some(true),
                        ..OrganizerMeetingInfo::default()
                    }
                    .into(),
                );
                call.tenant_id = Some(link.tenant_id.clone());
            }
            Self::MeetingId { join_meeting_id, passcode } => {
                call.meeting_info = Some(
                    JoinMeetingIdMeetingInfo {
                        join_meeting_id: join_meeting_id.clone(),
                        passcode: passcode.clone(),
                        ..JoinMeetingIdMeetingInfo::default()
                    }
                    .into(),
                );
            }
        }
    }
}

/// What follows a marker, in any case.
fn after<'a>(path: &'a str, marker: &str) -> Option<&'a str> {
    let at = path.to_ascii_lowercase().find(marker)?;
    path.get(at + marker.len()..)
}

/// A query parameter, decoded; `+` is a space.
fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| decode_segment(&value.replace('+', "%20")))
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use antiphon_graph::{MeetingInfo, encode_segment};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_meetup_join_link_names_chat_organizer_and_tenant() {
        let link = MeetingLink::parse(
            "https://teams.microsoft.com/l/meetup-join/19%3ameeting_Q29u%40thread.v2/0?context=%7b%22Tid%22%3a%22tenant%22%2c%22Oid%22%3a%22ada%22%7d",
        )
        .unwrap();
        let mut call = Call::default();
        link.apply_to(&mut call);
        let chat = call.chat_info.unwrap();
        assert_eq!(chat.thread_id.as_deref(), Some("19:meeting_Q29u@thread.v2"));
        assert_eq!(chat.message_id.as_deref(), Some("0"));
        assert_eq!(chat.reply_chain_message_id, None);
        assert_eq!(call.tenant_id.as_deref(), Some("tenant"));
        let Some(MeetingInfo::Organizer(info)) = call.meeting_info else { panic!("organizer") };
        assert_eq!(info.organizer.user.unwrap().id.as_deref(), Some("ada"));
    }

    #[test]
    fn a_channel_meeting_keeps_its_reply_chain() {
        let context = encode_segment(r#"{"Tid":"t","Oid":"o","MessageId":"1700"}"#);
        let text = format!("https://x/l/meetup-join/19:c@thread.tacv2/1600?context={context}");
        let Ok(MeetingLink::Organizer(link)) = MeetingLink::parse(&text) else { panic!("organizer") };
        assert_eq!(link.reply_chain_message_id.as_deref(), Some("1700"));
        assert_eq!(link.message_id, "1600");
    }

    #[test]
    fn a_meet_link_names_id_and_passcode() {
        let link = MeetingLink::parse("https://127.0.0.1:8443/meet/9876543210?p=k7%2BQ").unwrap();
        let mut call = Call::default();
        link.apply_to(&mut call);
        let Some(MeetingInfo::JoinMeetingId(info)) = call.meeting_info else { panic!("meeting id") };
        assert_eq!((info.join_meeting_id.as_str(), info.passcode.as_deref()), ("9876543210", Some("k7+Q")));
        assert_eq!(call.chat_info, None);
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        for (text, error) in [
            ("", MeetingLinkError::UnknownForm),
            ("https://teams.microsoft.com/l/channel/x", MeetingLinkError::UnknownForm),
            ("https://t/meet/", MeetingLinkError::Incomplete),
            ("https://t/l/meetup-join/19:x", MeetingLinkError::Incomplete),
            ("https://t/l/meetup-join/19:x/0", MeetingLinkError::Context),
            ("https://t/l/meetup-join/19:x/0?context=%7B%7D", MeetingLinkError::Context),
        ] {
            assert_eq!(MeetingLink::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".*", tail in ".*") {
            let _ = MeetingLink::parse(&text);
            let _ = MeetingLink::parse(&format!("https://t/l/meetup-join/{text}?context={tail}"));
            let _ = MeetingLink::parse(&format!("/meet/{text}?p={tail}"));
        }
    }
}
