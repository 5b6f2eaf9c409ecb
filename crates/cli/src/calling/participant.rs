//! `antiphon participant`: the roster of a call, and who is let in, muted, held or sent away.
//!
//! Owns the options of each verb and the request they make.
//! Spec: <https://learn.microsoft.com/graph/api/resources/participant>.

use antiphon_graph::wire::Guid;
use antiphon_graph::{CallId, DetectionSeverity, InvitationParticipantInfo, ParticipantId, action};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::request::{BodyOption, GraphRequest};
use super::values::{ContextOption, Person, prompts, severity};

/// Verbs of `antiphon participant`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ParticipantCommand {
    /// Print the participants of a call.
    List(OneCall),
    /// Print one participant.
    Get(OneParticipant),
    /// Remove a participant, or take back an invitation.
    Remove(OneParticipant),
    /// Call somebody into the call.
    #[command(after_help = "\
Examples:
  antiphon participant invite CALL --to user:278405a3-f568-4b3e-b684-009193463064
  antiphon participant invite CALL --to user:2784... --to user:550f... --client-context party
  antiphon participant invite CALL --to user:2784... --replaces-call THEIR_CALL")]
    Invite(Invite),
    /// Mute a participant.
    Mute(ParticipantAction),
    /// Mute several participants, or all (beta).
    MuteAll(MuteAll),
    /// Put a participant on hold.
    StartHoldMusic(StartHoldMusic),
    /// Take a participant off hold.
    StopHoldMusic(ParticipantAction),
    /// Set who hears whom how loud (beta; no longer in the metadata).
    ConfigureMixer(ConfigureMixer),
    /// Report that a participant's media are made, not taken (beta).
    ReportSyntheticMedia(ReportSyntheticMedia),
}

impl ParticipantCommand {
    /// The request it makes.
    pub(super) fn request(&self) -> anyhow::Result<GraphRequest> {
        const ONE: &str = "/calls/{}/participants/{}";
        match self {
            Self::List(options) => Ok(GraphRequest::list("/calls/{}/participants", &[&options.call])),
            Self::Get(options) => Ok(GraphRequest::get(ONE, &[&options.call, &options.participant])),
            Self::Remove(options) => Ok(GraphRequest::delete(ONE, &[&options.call, &options.participant])),
            Self::Invite(options) => options.request(),
            Self::Mute(options) => options.request("mute"),
            Self::MuteAll(options) => options.request(),
            Self::StartHoldMusic(options) => options.request(),
            Self::StopHoldMusic(options) => options.request("stopHoldMusic"),
            Self::ConfigureMixer(options) => options.request(),
            Self::ReportSyntheticMedia(options) => options.request(),
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

/// A participant by call and id.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneParticipant {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Id of the participant.
    #[arg(value_name = "PARTICIPANT")]
    participant: String,
}

/// An action on one participant that takes nothing but a client context.
#[derive(Clone, Debug, Args)]
pub(crate) struct ParticipantAction {
    #[command(flatten)]
    one: OneParticipant,
    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl ParticipantAction {
    fn request(&self, verb: &str) -> anyhow::Result<GraphRequest> {
        let flags = action::WithClientContext::of(self.context.client_context.clone());
        let pattern = format!("/calls/{{}}/participants/{{}}/{verb}");
        GraphRequest::post(&pattern, &[&self.one.call, &self.one.participant], &flags, &self.body)
    }
}

/// Options of `antiphon participant invite`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Invite {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Whom to invite: user:ID, phone:+15550100 or app:ID; may be repeated, five at most.
    #[arg(long, value_name = "WHOM", value_parser = Person::parse, required_unless_present = "body")]
    to: Vec<Person>,

    /// The peer-to-peer call they are in, and leave for this one.
    #[arg(long, value_name = "CALL", requires = "to")]
    replaces_call: Option<String>,

    /// Keep them out of the default audio group.
    #[arg(long, requires = "to")]
    outside_default_group: bool,

    /// Keep them out of the roster.
    #[arg(long, requires = "to")]
    hidden: bool,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl Invite {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let invitation = |person: &Person| InvitationParticipantInfo {
            replaces_call_id: self.replaces_call.as_deref().map(CallId::new),
            remove_from_default_audio_routing_group: self.outside_default_group.then_some(true),
            hidden: self.hidden.then_some(true),
            ..person.invited()
        };
        let flags = action::InviteParticipants {
            participants: self.to.iter().map(invitation).collect(),
            client_context: self.context.client_context.clone(),
            ..action::InviteParticipants::default()
        };
        GraphRequest::post("/calls/{}/participants/invite", &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon participant mute-all`.
#[derive(Clone, Debug, Args)]
pub(crate) struct MuteAll {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Participants to mute.
    #[arg(value_name = "PARTICIPANT")]
    participants: Vec<String>,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl MuteAll {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::MuteAll {
            participants: self.participants.iter().map(ParticipantId::new).collect(),
            client_context: self.context.client_context.clone(),
            ..action::MuteAll::default()
        };
        let request = GraphRequest::post("/calls/{}/participants/muteAll", &[&self.call], &flags, &self.body)?;
        Ok(request.in_beta())
    }
}

/// Options of `antiphon participant start-hold-music`.
#[derive(Clone, Debug, Args)]
pub(crate) struct StartHoldMusic {
    #[command(flatten)]
    one: OneParticipant,

    /// Audio file to play instead of the usual music (https).
    #[arg(long, value_name = "URL")]
    uri: Option<String>,

    #[command(flatten)]
    context: ContextOption,
    #[command(flatten)]
    body: BodyOption,
}

impl StartHoldMusic {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::StartHoldMusic {
            custom_prompt: self.uri.as_ref().and_then(|uri| prompts(std::slice::from_ref(uri)).pop()),
            client_context: self.context.client_context.clone(),
            ..action::StartHoldMusic::default()
        };
        let ids = [self.one.call.as_str(), &self.one.participant];
        GraphRequest::post("/calls/{}/participants/{}/startHoldMusic", &ids, &flags, &self.body)
    }
}

/// Options of `antiphon participant configure-mixer`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigureMixer {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// JSON body with `participantMixerLevels`, from a file or from standard input with -.
    #[arg(long, value_name = "FILE|-", required = true)]
    body: std::path::PathBuf,
}

impl ConfigureMixer {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let body = BodyOption { body: Some(self.body.clone()) };
        let none = Value::Object(Map::new());
        Ok(GraphRequest::post("/calls/{}/participants/configureMixer", &[&self.call], &none, &body)?.in_beta())
    }
}

/// Options of `antiphon participant report-synthetic-media`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReportSyntheticMedia {
    #[command(flatten)]
    one: OneParticipant,

    /// GUID of the report. Default: a new one, unless --body has it.
    #[arg(long, value_name = "GUID")]
    id: Option<String>,

    /// When it was found, for example 2026-03-01T08:30:00Z.
    #[arg(long, value_name = "TIME")]
    detection_date_time: Option<String>,

    /// Say that it is meant to deceive.
    #[arg(long)]
    malicious: bool,

    /// How sure the detector is, 0 to 1.
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,

    /// low, medium or high.
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<DetectionSeverity>,

    #[command(flatten)]
    body: BodyOption,
}

impl ReportSyntheticMedia {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let flags = action::ReportSyntheticMedia {
            id: self.id.as_deref().map(Guid::from),
            is_malicious: self.malicious.then_some(true),
            overall_confidence: self.confidence,
            severity: self.severity.clone(),
            detection_date_time: self.detection_date_time.as_deref().map(Into::into),
            ..action::ReportSyntheticMedia::default()
        };
        let ids = [self.one.call.as_str(), &self.one.participant];
        let mut body = self.body.merged(&flags)?;
        super::request::fill(&mut body, "id", uuid::Uuid::new_v4().to_string());
        let pattern = "/calls/{}/participants/{}/reportSyntheticMedia";
        let request = GraphRequest::new(reqwest::Method::POST, pattern, &ids).in_beta();
        Ok(GraphRequest { body: Some(Value::Object(body)), ..request })
    }
}
