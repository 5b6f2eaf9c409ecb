//! `antiphon call`: create, answer, end, and everything a bot does with its own leg.
//!
//! Owns the options of each verb and the request they make. What plays, records or sends tones is in `call_media`.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

use std::path::Path;

use antiphon_graph::blob::Blob;
use antiphon_graph::{
    AppHostedMediaConfig, Call, CallDisposition, CallId, ChatInfo, Identity, IdentitySet, InvitationParticipantInfo,
    JoinMeetingIdMeetingInfo, MediaConfig, MediaInfo, Modality, OrganizerMeetingInfo, ParticipantId, ParticipantInfo,
    RecordingStatus, RejectReason, RoutingPolicy, ScreenSharingRole, ServiceHostedMediaConfig, TokenMeetingInfo,
    action,
};
use antiphon_signaling::MeetingLink;
use anyhow::Context as _;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::call_media;
use super::request::{BodyOption, GraphRequest, fill};
use super::values::{
    ContextOption, NotificationOptions, Person, call_disposition, modality, recording_status, reject_reason,
    routing_policy, screen_sharing_role,
};

/// Verbs of `antiphon call`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CallCommand {
    /// Place a call, or join a meeting.
    #[command(after_help = "\
Examples:
  antiphon call new --join-url 'https://teams.microsoft.com/l/meetup-join/...' --callback-uri https://bot.example.com/api/calls
  antiphon call new --meeting-id 9876543210 --passcode k7Qx2m --callback-uri https://bot.example.com/api/calls
  antiphon call new --to user:112f7296-5fa4-42ca-bae8-6a692b15d4b8 --callback-uri https://bot.example.com/api/calls
  antiphon call new --body call.json --subject Standup")]
    New(Box<NewCall>),
    /// Print a call.
    Get(OneCall),
    /// Hang up; the others go on.
    Remove(OneCall),
    /// Keep a call from ending after 45 minutes.
    KeepAlive(OneCall),
    /// Answer an incoming call.
    #[command(after_help = "\
Example:
  antiphon call answer CALL --callback-uri https://bot.example.com/api/calls --modality audio --delta-roster")]
    Answer(AnswerCall),
    /// Reject an incoming call.
    Reject(RejectCall),
    /// Send an incoming call elsewhere.
    Redirect(RedirectCall),
    /// Hand an established call over to somebody else.
    #[command(after_help = "\
Examples:
  antiphon call transfer CALL --to user:112f7296-5fa4-42ca-bae8-6a692b15d4b8
  antiphon call transfer CALL --to user:112f7296-... --replaces-call OTHER_CALL   (consultative)
  antiphon call transfer CALL --to user:112f7296-... --transferee user:550fae72-... --transferee-participant PARTICIPANT")]
    Transfer(TransferCall),
    /// Mute the bot itself.
    Mute(SimpleAction),
    /// Unmute the bot itself.
    Unmute(SimpleAction),
    /// Begin or end sharing a screen.
    ChangeScreenSharingRole(ScreenSharing),
    /// Say whether the bot records, under a recording policy.
    UpdateRecordingStatus(Recording),
    /// Add the large gallery view.
    AddLargeGalleryView(SimpleAction),
    /// Play audio files to the call.
    PlayPrompt(call_media::PlayPrompt),
    /// Record what the other party says, for two minutes at most.
    RecordResponse(call_media::RecordResponse),
    /// The same by its older name (beta).
    Record(call_media::RecordResponse),
    /// Cancel everything that plays or records, or waits to.
    CancelMediaProcessing(SimpleAction),
    /// Ask for a notification of each key pressed.
    SubscribeToTone(SimpleAction),
    /// Press keys.
    SendDtmfTones(call_media::SendDtmfTones),
    /// Report how a meeting-room device's media went (for interop partners).
    LogDeviceQuality(OnlyBody),
    /// Start the meeting's own recording (beta).
    StartRecording(SimpleAction),
    /// Stop the meeting's own recording (beta).
    StopRecording(SimpleAction),
    /// Start the meeting's transcription (beta).
    StartTranscription(Transcription),
    /// Stop the meeting's transcription (beta).
    StopTranscription(Transcription),
}

impl CallCommand {
    /// The request it makes; `tenant` is that of the credentials.
    pub(super) fn request(&self, tenant: Option<&str>) -> anyhow::Result<GraphRequest> {
        let simple = |verb: &str, options: &SimpleAction| {
            let flags = action::WithClientContext::of(options.context.client_context.clone());
            GraphRequest::post(&format!("/calls/{{}}/{verb}"), &[&options.call], &flags, &options.body)
        };
        match self {
            Self::New(options) => options.request(tenant),
            Self::Get(options) => Ok(GraphRequest::get("/calls/{}", &[&options.call])),
            Self::Remove(options) => Ok(GraphRequest::delete("/calls/{}", &[&options.call])),
            Self::KeepAlive(options) => Ok(GraphRequest::new(Method::POST, "/calls/{}/keepAlive", &[&options.call])),
            Self::Answer(options) => options.request(),
            Self::Reject(options) => options.request(),
            Self::Redirect(options) => options.request(),
            Self::Transfer(options) => options.request(),
            Self::Mute(options) => simple("mute", options),
            Self::Unmute(options) => simple("unmute", options),
            Self::ChangeScreenSharingRole(options) => options.request(),
            Self::UpdateRecordingStatus(options) => options.request(),
            Self::AddLargeGalleryView(options) => simple("addLargeGalleryView", options),
            Self::PlayPrompt(options) => options.request(),
            Self::RecordResponse(options) => options.request("recordResponse"),
            Self::Record(options) => Ok(options.request("record")?.in_beta()),
            Self::CancelMediaProcessing(options) => simple("cancelMediaProcessing", options),
            Self::SubscribeToTone(options) => simple("subscribeToTone", options),
            Self::SendDtmfTones(options) => options.request(),
            Self::LogDeviceQuality(options) => options.request("/calls/logTeleconferenceDeviceQuality"),
            Self::StartRecording(options) => Ok(simple("startRecording", options)?.in_beta()),
            Self::StopRecording(options) => Ok(simple("stopRecording", options)?.in_beta()),
            Self::StartTranscription(options) => Ok(options.request("startTranscription")?.in_beta()),
            Self::StopTranscription(options) => Ok(options.request("stopTranscription")?.in_beta()),
        }
    }
}

/// A call by its id.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneCall {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,
}

/// An action that takes nothing but a client context.
#[derive(Clone, Debug, Args)]
pub(crate) struct SimpleAction {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,
    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

/// An action whose body is too much for options.
#[derive(Clone, Debug, Args)]
pub(crate) struct OnlyBody {
    /// JSON body from a file, or from standard input with -.
    #[arg(long, value_name = "FILE|-", required = true)]
    body: std::path::PathBuf,
}

impl OnlyBody {
    fn request(&self, path: &str) -> anyhow::Result<GraphRequest> {
        let body = BodyOption { body: Some(self.body.clone()) };
        GraphRequest::post(path, &[], &Value::Object(serde_json::Map::new()), &body)
    }
}

/// Who handles the media.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct MediaOptions {
    /// App-hosted media with this blob: the text, or @FILE. Without it the service hosts the media.
    #[arg(long, value_name = "BLOB")]
    blob: Option<String>,

    /// Audio file for the service to fetch ahead; may be repeated.
    #[arg(long = "prefetch", value_name = "URL", conflicts_with = "blob")]
    prefetch: Vec<String>,

    /// Stay out of the default audio group: neither heard nor hearing until routed.
    #[arg(long)]
    outside_default_group: bool,
}

impl MediaOptions {
    /// What the flags say; `None` if they say nothing.
    fn given(&self) -> anyhow::Result<Option<MediaConfig>> {
        let silent = self.blob.is_none() && self.prefetch.is_empty() && !self.outside_default_group;
        if silent { Ok(None) } else { self.media_config().map(Some) }
    }

    fn media_config(&self) -> anyhow::Result<MediaConfig> {
        let outside = self.outside_default_group.then_some(true);
        let Some(text) = &self.blob else {
            let info = |uri: &String| MediaInfo {
                uri: uri.clone(),
                resource_id: Some(uuid::Uuid::new_v4().to_string()),
                ..MediaInfo::default()
            };
            let config = ServiceHostedMediaConfig {
                pre_fetch_media: self.prefetch.iter().map(info).collect(),
                remove_from_default_audio_group: outside,
                ..ServiceHostedMediaConfig::default()
            };
            return Ok(config.into());
        };
        let blob = match text.strip_prefix('@') {
            Some(path) => read_text("--blob", Path::new(path))?,
            None => text.clone(),
        };
        let config = AppHostedMediaConfig {
            blob: Some(Blob::new(blob)),
            remove_from_default_audio_group: outside,
            ..AppHostedMediaConfig::default()
        };
        Ok(config.into())
    }
}

fn read_text(flag: &str, path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {} of {flag}", path.display()))
}

/// Options of `antiphon call new`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("whom").required(true).multiple(true)
    .args(["join_url", "meeting_id", "meeting_token", "thread_id", "to", "body"])))]
pub(crate) struct NewCall {
    /// Meeting to join, by the link of its invitation.
    #[arg(long, value_name = "URL", conflicts_with_all = ["meeting_id", "meeting_token", "thread_id", "to"])]
    join_url: Option<String>,

    /// Meeting to join, by its id.
    #[arg(long, value_name = "ID", conflicts_with_all = ["meeting_token", "thread_id", "to"])]
    meeting_id: Option<String>,

    /// Passcode of --meeting-id.
    #[arg(long, value_name = "CODE", requires = "meeting_id")]
    passcode: Option<String>,

    /// Meeting to join, by a token out of an incoming call.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["thread_id", "to"])]
    meeting_token: Option<String>,

    /// Meeting to join, by its chat thread; with --organizer.
    #[arg(long, value_name = "ID", requires = "organizer", conflicts_with = "to")]
    thread_id: Option<String>,

    /// Message of --thread-id.
    #[arg(long, value_name = "ID", default_value = "0", requires = "thread_id")]
    message_id: String,

    /// Object id of the organizer of --thread-id.
    #[arg(long, value_name = "ID", requires = "thread_id")]
    organizer: Option<String>,

    /// Whom to call: user:ID, phone:+15550100 or app:ID. One makes a peer-to-peer call, several a group call.
    #[arg(long, value_name = "WHOM", value_parser = Person::parse)]
    to: Vec<Person>,

    /// Where the notifications of this call go (https).
    #[arg(long, value_name = "URL", required_unless_present = "body")]
    callback_uri: Option<String>,

    /// What the call carries; may be repeated. Default: audio.
    #[arg(long = "modality", value_name = "MODALITY", value_parser = modality)]
    modalities: Vec<Modality>,

    #[command(flatten)]
    media: MediaOptions,

    /// Join as a guest of this name.
    #[arg(long, value_name = "NAME", conflicts_with = "source")]
    as_guest: Option<String>,

    /// Who calls, if not the app itself: instance:ID for calls to telephones.
    #[arg(long, value_name = "WHO", value_parser = Person::parse)]
    source: Option<Person>,

    /// Subject of the conversation.
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// Tenant of the meeting. Default: that of the link, else of the credentials.
    #[arg(long, value_name = "ID")]
    call_tenant: Option<String>,

    /// How long to let it ring, peer to peer (beta).
    #[arg(long, value_name = "S")]
    ringing_timeout: Option<i32>,

    /// How the call may be routed, peer to peer (beta); may be repeated.
    #[arg(long = "routing-policy", value_name = "POLICY", value_parser = routing_policy)]
    routing_policies: Vec<RoutingPolicy>,

    /// GUID to correlate calls by.
    #[arg(long, value_name = "GUID")]
    call_chain_id: Option<String>,

    #[command(flatten)]
    notifications: NotificationOptions,

    #[command(flatten)]
    body: BodyOption,
}

impl NewCall {
    fn request(&self, tenant: Option<&str>) -> anyhow::Result<GraphRequest> {
        let mut call = Call {
            callback_uri: self.callback_uri.clone(),
            call_chain_id: self.call_chain_id.clone(),
            call_options: self.notifications.call_options(),
            media_config: self.media.given()?,
            requested_modalities: (!self.modalities.is_empty()).then(|| self.modalities.clone()),
            ringing_timeout_in_seconds: self.ringing_timeout,
            routing_policies: (!self.routing_policies.is_empty()).then(|| self.routing_policies.clone()),
            source: self.source_info(),
            subject: self.subject.clone(),
            targets: (!self.to.is_empty()).then(|| self.to.iter().map(Person::invited).collect()),
            ..Call::default()
        };
        self.meeting(&mut call, tenant)?;
        if let Some(tenant) = &self.call_tenant {
            call.tenant_id = Some(tenant.clone());
        }
        let mut body = self.body.merged(&call)?;
        fill(&mut body, "requestedModalities", [Modality::Audio]);
        if !body.contains_key("mediaConfig") {
            fill(&mut body, "mediaConfig", self.media.media_config()?);
        }
        // A domain name is good for a token, not for a call.
        if let Some(tenant) = tenant.filter(|tenant| uuid::Uuid::try_parse(tenant).is_ok()) {
            fill(&mut body, "tenantId", tenant);
        }
        Ok(GraphRequest { body: Some(Value::Object(body)), ..GraphRequest::new(Method::POST, "/calls", &[]) })
    }

    fn meeting(&self, call: &mut Call, tenant: Option<&str>) -> anyhow::Result<()> {
        if let Some(link) = &self.join_url {
            let link = MeetingLink::parse(link).with_context(|| format!("--join-url {link:?}"))?;
            link.apply_to(call);
        }
        if let Some(id) = &self.meeting_id {
            let info = JoinMeetingIdMeetingInfo {
                join_meeting_id: id.clone(),
                passcode: self.passcode.clone(),
                ..JoinMeetingIdMeetingInfo::default()
            };
            call.meeting_info = Some(info.into());
        }
        if let Some(token) = &self.meeting_token {
            call.meeting_info = Some(TokenMeetingInfo { token: token.clone(), ..TokenMeetingInfo::default() }.into());
        }
        if let (Some(thread), Some(organizer)) = (&self.thread_id, &self.organizer) {
            let tenant_id = self.call_tenant.clone().or_else(|| tenant.map(str::to_owned));
            let organizer = Identity { tenant_id, ..Identity::of(organizer) };
            call.chat_info = Some(ChatInfo {
                thread_id: Some(thread.clone()),
                message_id: Some(self.message_id.clone()),
                ..ChatInfo::default()
            });
            let info = OrganizerMeetingInfo {
                organizer: IdentitySet::of_user(organizer),
                allow_conversation_without_host: Some(true),
                ..OrganizerMeetingInfo::default()
            };
            call.meeting_info = Some(info.into());
        }
        Ok(())
    }

    fn source_info(&self) -> Option<ParticipantInfo> {
        let guest = self
            .as_guest
            .as_ref()
            .map(|name| IdentitySet::of_guest(Identity::of(uuid::Uuid::new_v4().to_string()).named(name)));
        guest.or_else(|| self.source.as_ref().map(|who| (*who.0).clone())).map(ParticipantInfo::of)
    }
}

/// Options of `antiphon call answer`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AnswerCall {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Where later notifications of this call go (https). Default: the app's registered webhook.
    #[arg(long, value_name = "URL")]
    callback_uri: Option<String>,

    /// What to take; may be repeated. Default: audio.
    #[arg(long = "modality", value_name = "MODALITY", value_parser = modality)]
    modalities: Vec<Modality>,

    /// How many more participants under the recording policy this call takes.
    #[arg(long, value_name = "N")]
    participant_capacity: Option<i32>,

    #[command(flatten)]
    media: MediaOptions,
    #[command(flatten)]
    notifications: NotificationOptions,
    #[command(flatten)]
    body: BodyOption,
}

impl AnswerCall {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::Answer {
            callback_uri: self.callback_uri.clone(),
            media_config: self.media.given()?,
            accepted_modalities: (!self.modalities.is_empty()).then(|| self.modalities.clone()),
            participant_capacity: self.participant_capacity,
            call_options: self.notifications.call_options(),
            ..action::Answer::default()
        };
        let mut body = self.body.merged(&flags)?;
        fill(&mut body, "acceptedModalities", [Modality::Audio]);
        if !body.contains_key("mediaConfig") {
            fill(&mut body, "mediaConfig", self.media.media_config()?);
        }
        let request = GraphRequest::new(Method::POST, "/calls/{}/answer", &[&self.call]);
        Ok(GraphRequest { body: Some(Value::Object(body)), ..request })
    }
}

/// Options of `antiphon call reject`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RejectCall {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Why: none, busy or forbidden.
    #[arg(long, value_name = "REASON", value_parser = reject_reason)]
    reason: Option<RejectReason>,

    /// Where the notification of its end goes (https).
    #[arg(long, value_name = "URL")]
    callback_uri: Option<String>,

    #[command(flatten)]
    body: BodyOption,
}

impl RejectCall {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::Reject {
            reason: self.reason.clone(),
            callback_uri: self.callback_uri.clone(),
            ..action::Reject::default()
        };
        GraphRequest::post("/calls/{}/reject", &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon call redirect`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RedirectCall {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Where to: one forwards, several ring at once; may be repeated.
    #[arg(long, value_name = "WHOM", value_parser = Person::parse, required_unless_present = "body")]
    to: Vec<Person>,

    /// How long they ring, 15 to 90 seconds.
    #[arg(long, value_name = "S")]
    timeout: Option<i32>,

    /// Where later notifications go (https).
    #[arg(long, value_name = "URL")]
    callback_uri: Option<String>,

    /// Show the app instead of the caller (beta).
    #[arg(long)]
    mask_caller: bool,

    /// Show the app instead of the callee (beta).
    #[arg(long)]
    mask_callee: bool,

    /// How the targets are rung (beta): default, simultaneousRing or forward.
    #[arg(long, value_name = "HOW", value_parser = call_disposition)]
    target_disposition: Option<CallDisposition>,

    #[command(flatten)]
    body: BodyOption,
}

impl RedirectCall {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::Redirect {
            targets: self.to.iter().map(Person::invited).collect(),
            timeout: self.timeout,
            callback_uri: self.callback_uri.clone(),
            mask_caller: self.mask_caller.then_some(true),
            mask_callee: self.mask_callee.then_some(true),
            target_disposition: self.target_disposition.clone(),
            ..action::Redirect::default()
        };
        GraphRequest::post("/calls/{}/redirect", &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon call transfer`.
#[derive(Clone, Debug, Args)]
pub(crate) struct TransferCall {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// To whom.
    #[arg(long, value_name = "WHOM", value_parser = Person::parse, required_unless_present = "body")]
    to: Option<Person>,

    /// The call of the bot with the target that the other party takes over: makes the transfer consultative.
    #[arg(long, value_name = "CALL", requires = "to")]
    replaces_call: Option<String>,

    /// Who is handed over, out of a group call.
    #[arg(long, value_name = "WHO", value_parser = Person::parse)]
    transferee: Option<Person>,

    /// Participant id of --transferee.
    #[arg(long, value_name = "PARTICIPANT", requires = "transferee")]
    transferee_participant: Option<String>,

    #[command(flatten)]
    body: BodyOption,
}

impl TransferCall {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let target = self.to.as_ref().map(|to| InvitationParticipantInfo {
            replaces_call_id: self.replaces_call.as_deref().map(CallId::new),
            ..to.invited()
        });
        let transferee = self.transferee.as_ref().map(|who| ParticipantInfo {
            participant_id: self.transferee_participant.as_deref().map(ParticipantId::new),
            ..ParticipantInfo::of((*who.0).clone())
        });
        let flags = action::Transfer { transfer_target: target, transferee, ..action::Transfer::default() };
        GraphRequest::post("/calls/{}/transfer", &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon call change-screen-sharing-role`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScreenSharing {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// viewer or sharer.
    #[arg(long, value_name = "ROLE", value_parser = screen_sharing_role, required_unless_present = "body")]
    role: Option<ScreenSharingRole>,

    #[command(flatten)]
    body: BodyOption,
}

impl ScreenSharing {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags =
            action::ChangeScreenSharingRole { role: self.role.clone(), ..action::ChangeScreenSharingRole::default() };
        GraphRequest::post("/calls/{}/changeScreenSharingRole", &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon call update-recording-status`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Recording {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// notRecording, recording or failed.
    #[arg(long, value_name = "STATUS", value_parser = recording_status, required_unless_present = "body")]
    status: Option<RecordingStatus>,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl Recording {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::UpdateRecordingStatus {
            status: self.status.clone(),
            client_context: self.context.client_context.clone(),
            ..action::UpdateRecordingStatus::default()
        };
        GraphRequest::post("/calls/{}/updateRecordingStatus", &[&self.call], &flags, &self.body)
    }
}

/// Options of starting and stopping a transcription.
#[derive(Clone, Debug, Args)]
pub(crate) struct Transcription {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Language spoken, such as en-us.
    #[arg(long, value_name = "TAG")]
    language: Option<String>,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl Transcription {
    fn request(&self, verb: &str) -> anyhow::Result<GraphRequest> {
        let flags = action::Transcription {
            language: self.language.clone(),
            client_context: self.context.client_context.clone(),
            ..action::Transcription::default()
        };
        GraphRequest::post(&format!("/calls/{{}}/{verb}"), &[&self.call], &flags, &self.body)
    }
}
