//! `antiphon audio-routing-group`: private audio paths inside a group call.
//!
//! Spec: <https://learn.microsoft.com/graph/api/resources/audioroutinggroup>.

use antiphon_graph::{AudioRoutingGroup, AudioRoutingGroupUpdate, ParticipantId, RoutingMode};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::request::{BodyOption, GraphRequest};
use super::values::routing_mode;

/// Verbs of `antiphon audio-routing-group`.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AudioRoutingGroupCommand {
    /// Route one participant's voice to others.
    #[command(after_help = "\
Examples:
  antiphon audio-routing-group new CALL --id aside --source PARTICIPANT --receiver OTHER
  antiphon audio-routing-group new CALL --id choir --source PARTICIPANT --receiver ONE --receiver TWO
  antiphon audio-routing-group new CALL --body group.json")]
    New(NewGroup),
    /// Print one routing group.
    Get(OneGroup),
    /// Print the routing groups of a call.
    List(AllGroups),
    /// Change who hears.
    Update(UpdateGroup),
    /// Remove a routing group.
    Remove(OneGroup),
}

const ALL: &str = "/calls/{}/audioRoutingGroups";
const ONE: &str = "/calls/{}/audioRoutingGroups/{}";

impl AudioRoutingGroupCommand {
    /// The request it makes.
    pub(super) fn request(&self) -> anyhow::Result<GraphRequest> {
        match self {
            Self::New(options) => options.request(),
            Self::Get(options) => Ok(GraphRequest::get(ONE, &[&options.call, &options.group])),
            Self::List(options) => Ok(GraphRequest::list(ALL, &[&options.call])),
            Self::Update(options) => options.request(),
            Self::Remove(options) => Ok(GraphRequest::delete(ONE, &[&options.call, &options.group])),
        }
    }
}

/// A routing group by call and id.
#[derive(Clone, Debug, Args)]
pub(crate) struct OneGroup {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Id of the routing group.
    #[arg(value_name = "GROUP")]
    group: String,
}

/// The routing groups of a call.
#[derive(Clone, Debug, Args)]
pub(crate) struct AllGroups {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,
}

/// Options of `antiphon audio-routing-group new`.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewGroup {
    /// Id of the call.
    #[arg(value_name = "CALL")]
    call: String,

    /// Name of the group, chosen by the bot.
    #[arg(long, value_name = "ID", required_unless_present = "body")]
    id: Option<String>,

    /// Participant who is heard.
    #[arg(long = "source", value_name = "PARTICIPANT", required_unless_present = "body")]
    sources: Vec<String>,

    /// Participant who hears; may be repeated.
    #[arg(long = "receiver", value_name = "PARTICIPANT", required_unless_present = "body")]
    receivers: Vec<String>,

    /// oneToOne or multicast. Default: as the number of receivers says.
    #[arg(long, value_name = "MODE", value_parser = routing_mode)]
    mode: Option<RoutingMode>,

    #[command(flatten)]
    body: BodyOption,
}

impl NewGroup {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let by_count = || if self.receivers.len() == 1 { RoutingMode::OneToOne } else { RoutingMode::Multicast };
        let mode = match &self.mode {
            Some(mode) => Some(mode.clone()),
            None => (!self.receivers.is_empty()).then(by_count),
        };
        let group = mode.map(|mode| AudioRoutingGroup {
            id: self.id.clone(),
            ..AudioRoutingGroup::new("", mode, ids(&self.sources), ids(&self.receivers))
        });
        let flags = match group {
            Some(group) => serde_json::to_value(group)?,
            None => json!({ "id": self.id, "sources": self.sources }),
        };
        GraphRequest::post(ALL, &[&self.call], &flags, &self.body)
    }
}

/// Options of `antiphon audio-routing-group update`.
#[derive(Clone, Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(true).args(["sources", "receivers", "mode", "body"])))]
pub(crate) struct UpdateGroup {
    #[command(flatten)]
    one: OneGroup,

    /// New participant who hears; may be repeated. Replaces those there were.
    #[arg(long = "receiver", value_name = "PARTICIPANT")]
    receivers: Vec<String>,

    /// New participant who is heard; services may refuse it.
    #[arg(long = "source", value_name = "PARTICIPANT")]
    sources: Vec<String>,

    /// New mode, oneToOne or multicast; services may refuse it.
    #[arg(long, value_name = "MODE", value_parser = routing_mode)]
    mode: Option<RoutingMode>,

    #[command(flatten)]
    body: BodyOption,
}

impl UpdateGroup {
    fn request(&self) -> anyhow::Result<GraphRequest> {
        let some = |list: &[String]| (!list.is_empty()).then(|| ids(list));
        let flags = AudioRoutingGroupUpdate {
            receivers: some(&self.receivers),
            sources: some(&self.sources),
            routing_mode: self.mode.clone(),
            ..AudioRoutingGroupUpdate::default()
        };
        let body = Value::Object(self.body.merged(&flags)?);
        let request = GraphRequest::new(Method::PATCH, ONE, &[&self.one.call, &self.one.group]);
        Ok(GraphRequest { body: Some(body), ..request })
    }
}

fn ids(list: &[String]) -> Vec<ParticipantId> {
    list.iter().map(ParticipantId::new).collect()
}
