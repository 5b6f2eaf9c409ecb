//! How to take part in a call: which meeting, on what terms, and the bodies that say so to the service.

use crate::{AudioFormat, CallEnded, Target};
use antiphon_engine::CreateError;
use antiphon_graph::action::Answer;
use antiphon_graph::blob::{AntiphonMedia, MediaBlob};
use antiphon_graph::{
    AppHostedMediaConfig, Call, CallOptions, ChatInfo, Identity, IdentitySet, MediaConfig, MediaInfo, MeetingInfo,
    Modality, ParticipantInfo, ServiceHostedMediaConfig, TokenMeetingInfo,
};
use antiphon_signaling::MeetingLink;
use antiphon_signaling::client::GraphError;
pub use antiphon_signaling::meeting_link::MeetingLinkError;
use std::time::Duration;

/// Which meeting.
#[derive(Debug, Clone, PartialEq)]
pub struct Meeting(Way);

#[derive(Debug, Clone, PartialEq)]
enum Way {
    Link(MeetingLink),
    Resource(Option<Box<ChatInfo>>, Box<MeetingInfo>),
}

impl Meeting {
    /// The meeting an invitation's link leads to, in either of its forms.
    ///
    /// # Errors
    /// The text is no meeting link.
    pub fn from_link(link: &str) -> Result<Self, MeetingLinkError> {
        MeetingLink::parse(link).map(|link| Self(Way::Link(link)))
    }

    /// The meeting with this id (`joinMeetingIdMeetingInfo`).
    #[must_use]
    pub fn by_id(join_meeting_id: impl Into<String>, passcode: Option<String>) -> Self {
        Self(Way::Link(MeetingLink::MeetingId { join_meeting_id: join_meeting_id.into(), passcode }))
    }

    /// The meeting a token leads to: incoming calls of groups and meetings carry one (`tokenMeetingInfo`).
    #[must_use]
    pub fn by_token(token: impl Into<String>) -> Self {
        let info = TokenMeetingInfo { token: token.into(), ..TokenMeetingInfo::default() };
        Self(Way::Resource(None, Box::new(info.into())))
    }

    /// The meeting as Graph describes it: what a call told of it, kept to join again after a restart.
    #[must_use]
    pub fn of(chat_info: Option<ChatInfo>, meeting_info: MeetingInfo) -> Self {
        Self(Way::Resource(chat_info.map(Box::new), Box::new(meeting_info)))
    }

    fn apply_to(&self, call: &mut Call) {
        match &self.0 {
            Way::Link(link) => link.apply_to(call),
            Way::Resource(chat, info) => {
                call.chat_info = chat.as_deref().cloned();
                call.meeting_info = Some((**info).clone());
            }
        }
    }
}

/// Who handles the media of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Hosting {
    /// The bot does: it hears and speaks through its [`AudioSocket`](crate::AudioSocket).
    #[default]
    App,
    /// The service does: it plays prompts, records responses and tells of key presses.
    Service {
        /// Prompts to fetch ahead.
        prefetch: Vec<MediaInfo>,
    },
}

/// On what terms the bot takes part: in a meeting it joins, a call it places, or one it answers.
#[derive(Debug, Clone)]
pub struct JoinOptions {
    /// PCM of the bot's audio socket.
    pub format: AudioFormat,
    /// Also hear every participant apart.
    pub unmixed: bool,
    /// Who handles the media.
    pub hosting: Hosting,
    /// Stay out of the default audio group: hear and be heard only through routing groups.
    pub remove_from_default_group: bool,
    /// Ask for roster changes instead of whole rosters.
    pub delta_roster: bool,
    /// Ask to be told of content sharing.
    pub content_sharing: bool,
    /// What the bot takes part with; audio alone if empty.
    pub modalities: Vec<Modality>,
    /// Tenant of the meeting; the bot's own if absent. Not for answers: an incoming call has its tenant.
    pub tenant_id: Option<String>,
    /// Join a meeting as a guest of this name, maybe through its lobby.
    pub as_guest: Option<String>,
    /// Subject of a call that is placed.
    pub subject: Option<String>,
    /// How long a peer-to-peer call that is placed rings, at most 115 seconds (beta).
    pub ring_for: Option<Duration>,
    /// For an answer under a recording policy: how many participants this one call takes.
    pub participant_capacity: Option<u32>,
}

impl Default for JoinOptions {
    /// 16 kHz, unmixed too, in the default group.
    fn default() -> Self {
        Self {
            format: AudioFormat::default(),
            unmixed: true,
            hosting: Hosting::default(),
            remove_from_default_group: false,
            delta_roster: false,
            content_sharing: false,
            modalities: Vec::new(),
            tenant_id: None,
            as_guest: None,
            subject: None,
            ring_for: None,
            participant_capacity: None,
        }
    }
}

impl JoinOptions {
    /// Terms of a call whose media the service hosts.
    #[must_use]
    pub fn service_hosted() -> Self {
        Self { hosting: Hosting::Service { prefetch: Vec::new() }, ..Self::default() }
    }

    fn modalities(&self) -> Vec<Modality> {
        if self.modalities.is_empty() { vec![Modality::Audio] } else { self.modalities.clone() }
    }

    fn call_options(&self) -> Option<CallOptions> {
        let asked = |asked: bool| asked.then_some(true);
        (self.delta_roster || self.content_sharing).then(|| CallOptions {
            is_delta_roster_enabled: asked(self.delta_roster),
            is_content_sharing_notification_enabled: asked(self.content_sharing),
            ..CallOptions::default()
        })
    }

    /// The media configuration around an offer, which app-hosted media have.
    fn media_config(&self, offer: Option<&str>) -> MediaConfig {
        let remove_from_default_audio_group = self.remove_from_default_group.then_some(true);
        match &self.hosting {
            Hosting::App => AppHostedMediaConfig {
                blob: offer.map(|offer| MediaBlob::new(AntiphonMedia::offer(offer)).to_blob()),
                remove_from_default_audio_group,
                ..AppHostedMediaConfig::default()
            }
            .into(),
            Hosting::Service { prefetch } => ServiceHostedMediaConfig {
                pre_fetch_media: prefetch.clone(),
                remove_from_default_audio_group,
                ..ServiceHostedMediaConfig::default()
            }
            .into(),
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

/// What every create request says. The tenant is the terms', or else the bot's own.
fn body(options: &JoinOptions, offer: Option<&str>, callback_uri: String, home_tenant: &str) -> Call {
    Call {
        callback_uri: Some(callback_uri),
        requested_modalities: Some(options.modalities()),
        media_config: Some(options.media_config(offer)),
        tenant_id: Some(options.tenant_id.clone().unwrap_or_else(|| home_tenant.to_owned())),
        call_options: options.call_options(),
        subject: options.subject.clone(),
        ..Call::default()
    }
}

/// The body of the request that joins a meeting.
pub(crate) fn join_body(
    meeting: &Meeting,
    options: &JoinOptions,
    offer: Option<&str>,
    callback_uri: String,
    home_tenant: &str,
) -> Call {
    let mut call = body(options, offer, callback_uri, home_tenant);
    meeting.apply_to(&mut call);
    if let Some(tenant) = &options.tenant_id {
        call.tenant_id = Some(tenant.clone());
    }
    if let Some(name) = &options.as_guest {
        let guest = Identity::of(uuid::Uuid::new_v4().to_string()).named(name);
        call.source = Some(ParticipantInfo::of(IdentitySet::of_guest(guest)));
    }
    call
}

/// The body of the request that places a call.
pub(crate) fn place_body(
    targets: Vec<Target>,
    options: &JoinOptions,
    offer: Option<&str>,
    callback_uri: String,
    home_tenant: &str,
) -> Call {
    Call {
        targets: Some(targets.into_iter().map(Target::into_info).collect()),
        ringing_timeout_in_seconds: options.ring_for.map(|span| i32::try_from(span.as_secs()).unwrap_or(i32::MAX)),
        ..body(options, offer, callback_uri, home_tenant)
    }
}

/// The body of the request that answers a call.
pub(crate) fn answer_body(options: &JoinOptions, offer: Option<&str>, callback_uri: String) -> Answer {
    Answer {
        callback_uri: Some(callback_uri),
        media_config: Some(options.media_config(offer)),
        accepted_modalities: Some(options.modalities()),
        participant_capacity: options.participant_capacity.map(|number| i32::try_from(number).unwrap_or(i32::MAX)),
        call_options: options.call_options(),
        ..Answer::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_graph::blob::BlobKind;

    #[test]
    fn the_body_carries_offer_meeting_and_terms() {
        let options = JoinOptions { remove_from_default_group: true, delta_roster: true, ..JoinOptions::default() };
        let meeting = Meeting::by_id("4711", Some("pass".into()));
        let body = join_body(&meeting, &options, Some("v=0"), "https://bot/cb".into(), "tenant-a");
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
        let body = join_body(&meeting, &JoinOptions::default(), Some("v=0"), String::new(), "tenant-a");
        assert_eq!(body.tenant_id.as_deref(), Some("tenant-b"));
        let options = JoinOptions { tenant_id: Some("tenant-c".into()), ..JoinOptions::default() };
        let body = join_body(&meeting, &options, Some("v=0"), String::new(), "tenant-a");
        assert_eq!(body.tenant_id.as_deref(), Some("tenant-c"));
    }

    #[test]
    fn a_guest_joins_under_its_name_and_a_token_is_a_meeting() {
        let options = JoinOptions { as_guest: Some("Visitor".into()), ..JoinOptions::default() };
        let body = join_body(&Meeting::by_token("t"), &options, None, String::new(), "tenant-a");
        let guest = body.source.unwrap().identity.unwrap().guest.unwrap();
        assert_eq!(guest.display_name.as_deref(), Some("Visitor"));
        assert!(guest.id.is_some());
        assert!(matches!(body.meeting_info, Some(MeetingInfo::Token(info)) if info.token == "t"));
    }

    #[test]
    fn a_call_that_is_placed_names_its_targets_and_how_long_it_rings() {
        let options = JoinOptions { ring_for: Some(Duration::from_secs(40)), ..JoinOptions::service_hosted() };
        let body = place_body(vec![Target::user("ada")], &options, None, String::new(), "tenant-a");
        assert_eq!(body.targets.unwrap()[0].identity.as_ref().unwrap().first().unwrap().id.as_deref(), Some("ada"));
        assert_eq!((body.ringing_timeout_in_seconds, body.meeting_info), (Some(40), None));
        assert!(matches!(body.media_config, Some(MediaConfig::ServiceHosted(_))));
    }

    #[test]
    fn an_answer_takes_modalities_capacity_and_options() {
        let options = JoinOptions {
            participant_capacity: Some(7),
            content_sharing: true,
            modalities: vec![Modality::Audio, Modality::Video],
            ..JoinOptions::default()
        };
        let body = serde_json::to_value(answer_body(&options, Some("v=0"), "https://bot/cb".into())).unwrap();
        assert_eq!(body["acceptedModalities"], serde_json::json!(["audio", "video"]));
        assert_eq!(body["participantCapacity"], 7);
        assert_eq!(body["callOptions"]["@odata.type"], "#microsoft.graph.incomingCallOptions");
        assert_eq!(body["callOptions"]["isContentSharingNotificationEnabled"], true);
    }
}
