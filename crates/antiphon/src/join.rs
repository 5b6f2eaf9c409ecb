//! How to join a meeting: which one, and on what terms.

use crate::{AudioFormat, CallEnded};
use antiphon_engine::CreateError;
use antiphon_graph::blob::{AntiphonMedia, MediaBlob};
use antiphon_graph::{AppHostedMediaConfig, Call, CallOptions, Modality};
use antiphon_signaling::MeetingLink;
use antiphon_signaling::client::GraphError;
pub use antiphon_signaling::meeting_link::MeetingLinkError;

/// Which meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting(MeetingLink);

impl Meeting {
    /// The meeting an invitation's link leads to, in either of its forms.
    ///
    /// # Errors
    /// The text is no meeting link.
    pub fn from_link(link: &str) -> Result<Self, MeetingLinkError> {
        MeetingLink::parse(link).map(Self)
    }

    /// The meeting with this id (`joinMeetingIdMeetingInfo`).
    #[must_use]
    pub fn by_id(join_meeting_id: impl Into<String>, passcode: Option<String>) -> Self {
        Self(MeetingLink::MeetingId { join_meeting_id: join_meeting_id.into(), passcode })
    }
}

/// On what terms the bot joins.
#[derive(Debug, Clone)]
pub struct JoinOptions {
    /// PCM of the bot's audio socket.
    pub format: AudioFormat,
    /// Also hear every participant apart.
    pub unmixed: bool,
    /// Stay out of the default audio group: hear and be heard only through routing groups.
    pub remove_from_default_group: bool,
    /// Ask for roster changes instead of whole rosters.
    pub delta_roster: bool,
    /// Tenant of the meeting; the bot's own if absent.
    pub tenant_id: Option<String>,
}

impl Default for JoinOptions {
    /// 16 kHz, unmixed too, in the default group.
    fn default() -> Self {
        Self {
            format: AudioFormat::default(),
            unmixed: true,
            remove_from_default_group: false,
            delta_roster: false,
            tenant_id: None,
        }
    }
}

/// The call could not be placed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The bot's end of the media could not be made.
    #[error("cannot prepare the call's media: {0}")]
    Media(#[from] CreateError),
    /// The audio socket could not be opened.
    #[error("cannot open the audio socket: {0}")]
    Audio(std::io::Error),
    /// The service refused to create the call.
    #[error("the service refused the call: {0}")]
    Refused(GraphError),
    /// The call ended before it was created.
    #[error(transparent)]
    Ended(CallEnded),
}

/// The body of the create request.
pub(crate) fn create_body(
    meeting: &Meeting,
    options: &JoinOptions,
    offer: &str,
    callback_uri: String,
    home_tenant: &str,
) -> Call {
    let media = AppHostedMediaConfig {
        blob: Some(MediaBlob::new(AntiphonMedia::offer(offer)).to_blob()),
        remove_from_default_audio_group: options.remove_from_default_group.then_some(true),
        ..AppHostedMediaConfig::default()
    };
    let mut call = Call {
        callback_uri: Some(callback_uri),
        requested_modalities: Some(vec![Modality::Audio]),
        media_config: Some(media.into()),
        tenant_id: Some(options.tenant_id.clone().unwrap_or_else(|| home_tenant.to_owned())),
        call_options: options
            .delta_roster
            .then(|| CallOptions { is_delta_roster_enabled: Some(true), ..CallOptions::default() }),
        ..Call::default()
    };
    meeting.0.apply_to(&mut call);
    if let Some(tenant) = &options.tenant_id {
        call.tenant_id = Some(tenant.clone());
    }
    call
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_graph::MeetingInfo;
    use antiphon_graph::blob::BlobKind;

    #[test]
    fn the_body_carries_offer_meeting_and_terms() {
        let options = JoinOptions { remove_from_default_group: true, delta_roster: true, ..JoinOptions::default() };
        let meeting = Meeting::by_id("4711", Some("pass".into()));
        let body = create_body(&meeting, &options, "v=0", "https://bot/cb".into(), "tenant-a");
        let media = body.media_config.expect("a media config");
        assert!(media.removes_from_default_audio_group());
        assert!(matches!(media.blob().unwrap().kind(), BlobKind::Antiphon(blob) if blob.antiphon.sdp == "v=0"));
        assert!(matches!(body.meeting_info, Some(MeetingInfo::JoinMeetingId(_))));
        assert_eq!(body.tenant_id.as_deref(), Some("tenant-a"));
    }

    #[test]
    fn the_tenant_of_a_link_wins_over_home_and_an_explicit_one_over_both() {
        let link = "https://teams.microsoft.com/l/meetup-join/19%3ameeting_a%40thread.v2/0?context=%7b%22Tid%22%3a%22tenant-b%22%2c%22Oid%22%3a%22o%22%7d";
        let meeting = Meeting::from_link(link).unwrap();
        let body = create_body(&meeting, &JoinOptions::default(), "v=0", String::new(), "tenant-a");
        assert_eq!(body.tenant_id.as_deref(), Some("tenant-b"));
        let options = JoinOptions { tenant_id: Some("tenant-c".into()), ..JoinOptions::default() };
        let body = create_body(&meeting, &options, "v=0", String::new(), "tenant-a");
        assert_eq!(body.tenant_id.as_deref(), Some("tenant-c"));
    }
}
