//! `antiphon doctor`: what a token, a registration or a webhook lacks for what the bot wants to do.
//!
//! Owns the options and the order of examination: authority, token, wants, service, webhook. Each part is a module that
//! returns findings; `finding` prints them. Never prints a token or a secret.

mod certificate;
mod finding;
mod registration;
mod service;
mod token;
mod want;
mod webhook;

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::connection::{CredentialOptions, Environment, ServiceOptions, environment, read_ca};
use certificate::Trust;
use finding::{Checklist, Finding, Subject};
use token::{Claims, Expected};
use want::{Consent, Want};

/// How the doctor calls itself over HTTP.
const AGENT: &str = concat!("antiphon-doctor/", env!("CARGO_PKG_VERSION"));
/// Longest token that is read.
const TOKEN_BYTES: u64 = 64 * 1024;

/// Options of `antiphon doctor`.
#[derive(Clone, Args)]
#[command(after_help = "\
Examples:
  antiphon doctor --tenant TENANT --app-id APP --want join --want media
      Fetches a token with the secret in ANTIPHON_CLIENT_SECRET and looks at its permissions.
  antiphon doctor --token @token.txt --want \"POST /communications/calls/{id}/participants/invite\"
  az account get-access-token --resource https://graph.microsoft.com --query accessToken -o tsv | antiphon doctor --token -
  antiphon doctor --webhook https://bot.example.com/api/calls
  antiphon doctor --service https://127.0.0.1:8443 --ca-file out/antiphon-ca.pem --tenant T --app-id A --want group-call

Exit code 1 if something is missing, 0 if not.")]
pub(crate) struct DoctorOptions {
    /// An access token to examine: the token, @FILE, or - for standard input. Environment: ANTIPHON_TOKEN.
    #[arg(long, value_name = "TOKEN", hide_possible_values = true)]
    token: Option<String>,

    #[command(flatten)]
    credentials: CredentialOptions,

    /// What the bot wants to do; may be repeated: join, join-as-guest, call, group-call, media, record, tones,
    /// routing-groups, an action such as playPrompt, an endpoint, or a permission.
    #[arg(long = "want", value_name = "WHAT", value_parser = Want::parse)]
    wants: Vec<Want>,

    /// A webhook to examine from this machine.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,

    /// Trust the certificates in this PEM file for the webhook too.
    #[arg(long, value_name = "FILE")]
    webhook_ca: Option<PathBuf>,

    #[command(flatten)]
    service: ServiceOptions,

    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// Output formats of `antiphon doctor`.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A checklist for a terminal.
    Text,
    /// One object.
    Json,
}

impl std::fmt::Debug for DoctorOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DoctorOptions")
            .field("wants", &self.wants)
            .field("webhook", &self.webhook)
            .finish_non_exhaustive()
    }
}

/// Examines what there is and prints the checklist; 1 if something lacks.
pub(crate) async fn run(options: &DoctorOptions) -> anyhow::Result<u8> {
    let checklist = examine(options, &environment).await?;
    match options.format {
        Format::Text => print!("{}", checklist.as_text()),
        Format::Json => println!("{}", serde_json::to_string_pretty(&checklist.as_json())?),
    }
    Ok(u8::from(!checklist.is_fit()))
}

async fn examine(options: &DoctorOptions, environment: Environment<'_>) -> anyhow::Result<Checklist> {
    let service = options.service.base_url(environment)?;
    let authority = options.credentials.authority(service.as_deref(), environment)?;
    let ca_pem = options.service.ca_pem(environment)?;
    let webhook_ca = options.webhook_ca.as_deref().map(|path| read_ca("--webhook-ca", path)).transpose()?;
    let trust = Trust::load(webhook_ca.as_deref())?;
    let app_id = options.credentials.app_id(environment);
    let mut checklist = Checklist::default();

    let given =
        options.token.clone().or_else(|| environment("ANTIPHON_TOKEN")).map(|text| read_token(&text)).transpose()?;
    let token = match given {
        Some(token) => Some(token),
        None if app_id.is_some() || options.credentials.secret(environment).is_some() => {
            let config = options.credentials.token_config(service.as_deref(), environment)?;
            let plain = service::client(ca_pem.as_deref(), &authority)?;
            checklist.add(registration::discovery(&plain, &authority, &config.tenant).await);
            let (findings, token) = registration::examine(options.service.http(environment)?, config).await;
            checklist.extend(findings);
            token.map(|token| token.expose().to_owned())
        }
        None if options.webhook.is_some() && options.wants.is_empty() => None,
        None => anyhow::bail!(
            "there is nothing to examine: give --token, or --tenant, --app-id and --secret to fetch one, or --webhook"
        ),
    };

    let claims = token.as_deref().map(Claims::read);
    let tenant = options.credentials.tenant(environment);
    let mut roles = Vec::new();
    match &claims {
        Some(Some(claims)) => {
            roles = claims.permissions();
            let expected = Expected { tenant: tenant.clone(), app_id: app_id.clone() };
            checklist.extend(claims.examine(&expected, Timestamp::now()));
        }
        Some(None) => {
            let fix = "give the access token itself: three parts with two dots between, without quotes";
            checklist.add(Finding::missing(Subject::Token, "form", "this is no JSON web token", fix));
        }
        None => {}
    }
    let read = claims.flatten();
    let consent = Consent {
        authority,
        tenant: read.as_ref().and_then(Claims::tenant).map(str::to_owned).or(tenant),
        app_id: read.as_ref().and_then(Claims::app_id).map(str::to_owned).or(app_id.clone()),
    };
    for want in &options.wants {
        checklist.extend(want.judge(&roles, &consent));
    }
    if let Some(base) = &service {
        let http = service::client(ca_pem.as_deref(), base)?;
        checklist.extend(service::examine(&http, base, token.as_deref()).await);
    } else if token.is_some() {
        let fix = "add --service https://graph.microsoft.com to ask the service: two questions that change nothing";
        checklist.add(Finding::unknown(Subject::Service, "calling bot", "the service has not been asked", fix));
    }
    if let Some(url) = &options.webhook {
        checklist.extend(webhook::examine(url, consent.app_id.as_deref(), &trust).await);
        if read.is_some() {
            checklist.add(webhook::caller(&roles));
        }
    }
    Ok(checklist)
}

/// The token itself, from where the text says; never part of an error.
fn read_token(text: &str) -> anyhow::Result<String> {
    let mut token = String::new();
    match text.strip_prefix('@') {
        _ if text == "-" => {
            let read = std::io::stdin().lock().take(TOKEN_BYTES).read_to_string(&mut token);
            read.context("no token can be read from standard input")?;
        }
        Some(path) => {
            let file = std::fs::File::open(path).with_context(|| format!("cannot read the token file {path}"))?;
            file.take(TOKEN_BYTES).read_to_string(&mut token).with_context(|| format!("{path} is no text"))?;
        }
        None => text.clone_into(&mut token),
    }
    let token = token.trim();
    let bare = token.get(..7).filter(|head| head.eq_ignore_ascii_case("bearer ")).map_or(token, |_| token[7..].trim());
    anyhow::ensure!(!bare.is_empty(), "the token is empty");
    Ok(bare.to_owned())
}
