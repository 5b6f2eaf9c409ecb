//! Graph commands: `antiphon call`, `participant`, `audio-routing-group`, `content-sharing-session`, `operation`.
//!
//! One command per Graph PowerShell cmdlet of the calling endpoints (docs/commands.md has the table), against any base
//! URL. A command makes one request, sends it through the Graph client of `antiphon-signaling`, and prints the reply's
//! JSON as it came. Errors say code, message, request id, and which roles lack.

mod audio_routing_group;
mod call;
mod call_media;
mod participant;
mod request;
mod sharing;
mod values;

use std::io::Write as _;
use std::path::Path;

use antiphon_signaling::GraphClient;
use antiphon_signaling::client::{PathFamily, RawReply};
use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::connection::{ConnectionOptions, Environment, environment};
use audio_routing_group::AudioRoutingGroupCommand;
use call::CallCommand;
use participant::ParticipantCommand;
use request::{GraphRequest, ReplyKind};
use sharing::{ContentSharingSessionCommand, OperationCommand};

/// Pages of a collection followed at most; more is a service gone wrong.
const MAX_PAGES: usize = 100;

macro_rules! groups {
    ($($(#[$doc:meta])* $group:ident: $verbs:ident),+ $(,)?) => {
        $($(#[$doc])*
        #[derive(Clone, Debug, Args)]
        pub(crate) struct $group {
            #[command(subcommand)]
            verb: $verbs,
            #[command(flatten)]
            connection: ConnectionOptions,
        })+
    };
}

groups! {
    /// `antiphon call`
    CallOptions: CallCommand,
    /// `antiphon participant`
    ParticipantOptions: ParticipantCommand,
    /// `antiphon audio-routing-group`
    AudioRoutingGroupOptions: AudioRoutingGroupCommand,
    /// `antiphon content-sharing-session`
    ContentSharingSessionOptions: ContentSharingSessionCommand,
    /// `antiphon operation`
    OperationOptions: OperationCommand,
}

/// A Graph command of any group.
#[derive(Debug)]
pub(crate) enum GraphCommand<'a> {
    Call(&'a CallOptions),
    Participant(&'a ParticipantOptions),
    AudioRoutingGroup(&'a AudioRoutingGroupOptions),
    ContentSharingSession(&'a ContentSharingSessionOptions),
    Operation(&'a OperationOptions),
}

impl GraphCommand<'_> {
    /// Sends the request and prints the reply.
    pub(crate) async fn run(&self) -> anyhow::Result<u8> {
        let request = self.request(&environment)?;
        let client = self.connection().client(request.beta_only, &environment)?;
        send(&client, request).await?;
        Ok(0)
    }

    fn connection(&self) -> &ConnectionOptions {
        match self {
            Self::Call(options) => &options.connection,
            Self::Participant(options) => &options.connection,
            Self::AudioRoutingGroup(options) => &options.connection,
            Self::ContentSharingSession(options) => &options.connection,
            Self::Operation(options) => &options.connection,
        }
    }

    fn request(&self, environment: Environment<'_>) -> anyhow::Result<GraphRequest> {
        match self {
            Self::Call(options) => {
                let tenant = options.connection.credentials.tenant(environment);
                options.verb.request(tenant.as_deref())
            }
            Self::Participant(options) => options.verb.request(),
            Self::AudioRoutingGroup(options) => options.verb.request(),
            Self::ContentSharingSession(options) => Ok(options.verb.request()),
            Self::Operation(options) => Ok(options.verb.request()),
        }
    }
}

async fn send(client: &GraphClient, request: GraphRequest) -> anyhow::Result<()> {
    let family = match client.config().family {
        PathFamily::Communications => "/communications",
        PathFamily::App => "/app",
    };
    let path = format!("{family}{}", request.path);
    let reply = client.raw(request.method, &path, request.body.as_ref()).await?;
    match request.reply {
        ReplyKind::Json => print(&reply),
        ReplyKind::Collection => print_value(&all_pages(client, &reply).await?),
        ReplyKind::Bytes(out) => write_bytes(&out, &reply.body),
    }
}

/// What came, indented; nothing for nothing.
fn print(reply: &RawReply) -> anyhow::Result<()> {
    if reply.body.is_empty() {
        return Ok(());
    }
    match reply.json::<Value>() {
        Ok(value) => print_value(&value),
        Err(_) => write_bytes(Path::new("-"), &reply.body),
    }
}

fn print_value(value: &Value) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// The first page, with the values of all that follow. Links to elsewhere are not followed: the token stays here.
async fn all_pages(client: &GraphClient, reply: &RawReply) -> anyhow::Result<Value> {
    let base = client.config().base_url.trim_end_matches('/');
    let mut whole: Value = reply.json().context("the reply is no JSON")?;
    for _ in 0..MAX_PAGES {
        let link = whole.as_object_mut().and_then(|object| object.remove("@odata.nextLink"));
        let next = link.as_ref().and_then(Value::as_str).and_then(|link| link.strip_prefix(base));
        let Some(path) = next.filter(|path| path.starts_with('/')) else { break };
        let mut page: Value =
            client.raw(Method::GET, path, None::<&Value>).await?.json().context("a page is no JSON")?;
        if let (Some(all), Value::Array(more)) = (whole["value"].as_array_mut(), page["value"].take()) {
            all.extend(more);
        }
        if let (Some(object), Value::String(link)) = (whole.as_object_mut(), page["@odata.nextLink"].take()) {
            object.insert("@odata.nextLink".to_owned(), link.into());
        }
    }
    Ok(whole)
}

fn write_bytes(out: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if out.as_os_str() == "-" {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).context("standard output cannot be written")
    } else {
        std::fs::write(out, bytes).with_context(|| format!("cannot write {}", out.display()))
    }
}

#[cfg(test)]
mod tests;
