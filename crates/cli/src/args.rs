//! What can be typed: commands, options and their help.
//!
//! Owns the text forms only; each command's own module says what is done with them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::calling::{
    AudioRoutingGroupOptions, CallOptions, ContentSharingSessionOptions, OperationOptions, ParticipantOptions,
};
use crate::demo::script::{MAX_TALKERS, MIN_SECONDS, MIN_TALKERS};
use crate::doctor::DoctorOptions;
use crate::emulator::EmulatorOptions;
use crate::values::{Share, Span};

/// App-hosted media for calling bots: a media engine, and a local calling service to run it against.
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Log more: once for information, twice for details, three times for everything. `RUST_LOG` overrides it.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,

    /// Log errors only.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a whole meeting on this machine and prove who heard whom.
    ///
    /// Starts the emulator, lets talkers join over WebRTC and a bot join over Graph, takes the call through eight
    /// phases of routing, and compares what everybody recorded with the plan. Writes WAV files and an HTML report.
    Demo(DemoOptions),
    /// Run the calling service on this machine: tokens, Graph calls, signed notifications, meetings.
    ///
    /// Point a bot or an official Graph SDK at the address it prints. Ctrl-C stops it.
    Emulator(Box<EmulatorOptions>),
    /// Print which permission each operation needs.
    Permissions(PermissionsOptions),
    /// Tell what a token, a registration or a webhook lacks for what a bot wants to do.
    Doctor(DoctorOptions),
    /// Create, answer and end calls, and act on the bot's own leg, over Graph.
    ///
    /// Works against Graph and against any emulator: name it by --service, trust its CA by --ca-file, say who you are by
    /// --tenant and --app-id with the secret in ANTIPHON_CLIENT_SECRET. Replies are printed as JSON.
    Call(CallOptions),
    /// List, invite, mute and remove the participants of a call, over Graph.
    Participant(ParticipantOptions),
    /// Route single participants' voices inside a group call, over Graph.
    AudioRoutingGroup(AudioRoutingGroupOptions),
    /// See what is being shared in a call, over Graph.
    ContentSharingSession(ContentSharingSessionOptions),
    /// See the operations of a call, over Graph.
    Operation(OperationOptions),
    /// Join a meeting as a bot, speak a tone, and print which tones were heard.
    Probe(ProbeOptions),
}

/// Options of `antiphon demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoOptions {
    /// Talkers in the meeting at the start.
    #[arg(long, default_value_t = 6, value_parser = talkers, value_name = "N")]
    pub(crate) talkers: usize,

    /// How long the run should take, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(MIN_SECONDS..=3600), value_name = "S")]
    pub(crate) seconds: u64,

    /// Share of media datagrams to lose on the way, each direction: 5% or 0.05.
    #[arg(long, default_value_t = Share::default(), value_name = "SHARE")]
    pub(crate) loss: Share,

    /// Largest random delay of a media datagram on the way, each direction: 30ms or 0.03s.
    #[arg(long, default_value_t = Span::default(), value_name = "SPAN")]
    pub(crate) jitter: Span,

    /// Seed of loss and jitter; the same seed draws the same numbers.
    #[arg(long, default_value_t = 1, value_name = "X")]
    pub(crate) seed: u64,

    /// Directory for recordings and the report; made if it is not there.
    #[arg(long, default_value = "out/demo", value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Print the result as JSON instead of text. Progress still goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `antiphon permissions`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  antiphon permissions POST /v1.0/communications/calls/{id}/answer
  antiphon permissions https://graph.microsoft.com/beta/app/calls/57dab8b1-894c-409a-b240-bd8beae78896
  antiphon permissions microsoft.graph.playPrompt
  antiphon permissions Calls.InitiateGroupCall.All --format csv
  antiphon permissions beta audioRoutingGroups --format json

Left out, version, method and family match all; ids may be written as they are or as {id}.")]
pub(crate) struct PermissionsOptions {
    /// An endpoint, a permission, or words that operation or permissions contain; case does not matter.
    #[arg(value_name = "ENDPOINT|PERMISSION|WORD")]
    pub(crate) words: Vec<String>,

    /// How to print.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

/// Output formats of `antiphon permissions`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Columns for a terminal.
    Table,
    /// An array of objects.
    Json,
    /// RFC 4180, with a header.
    Csv,
}

/// Options of `antiphon probe`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProbeOptions {
    /// Base URL of Graph or of an emulator, for example https://127.0.0.1:8443.
    #[arg(long, value_name = "URL")]
    pub(crate) graph_url: String,

    /// Base URL of the token service. Default: the same as --graph-url.
    #[arg(long, value_name = "URL")]
    pub(crate) authority_url: Option<String>,

    /// OpenID configuration whose keys sign notifications. Default: the one of the token service's emulator.
    #[arg(long, value_name = "URL")]
    pub(crate) openid_url: Option<String>,

    /// CA certificate to trust (PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Tenant id.
    #[arg(long, value_name = "GUID")]
    pub(crate) tenant: String,

    /// Application id.
    #[arg(long, value_name = "GUID")]
    pub(crate) app: String,

    /// Application secret. Default: the environment variable ANTIPHON_CLIENT_SECRET, which `ps` does not show.
    #[arg(long, value_name = "SECRET")]
    pub(crate) secret: Option<String>,

    /// Join meeting id.
    #[arg(long, value_name = "ID")]
    pub(crate) meeting: String,

    /// Passcode of the meeting.
    #[arg(long, value_name = "CODE")]
    pub(crate) passcode: Option<String>,

    /// Certificate and key files (PEM) for the webhook, as CERT,KEY.
    #[arg(long, value_name = "CERT,KEY")]
    pub(crate) webhook_tls: Option<String>,

    /// Tone to speak, Hz.
    #[arg(long, default_value_t = 990.0, value_name = "HZ")]
    pub(crate) tone: f64,

    /// How long to speak and listen, seconds.
    #[arg(long, default_value_t = 6.0, value_name = "S")]
    pub(crate) seconds: f64,
}

fn talkers(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (MIN_TALKERS..=MAX_TALKERS).contains(&n) => Ok(n),
        _ => Err(format!("choose between {MIN_TALKERS} and {MAX_TALKERS} talkers")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_command_line_in_the_docs_is_understood() {
        let pages = [
            include_str!("../../../docs/commands.md"),
            include_str!("../../../docs/registration.md"),
            include_str!("../../../docs/emulator.toml"),
        ];
        let mut understood = 0;
        for line in pages.iter().flat_map(|page| page.lines()).filter(|line| line.starts_with("antiphon ")) {
            // As a shell would see it with every variable set, quotes taken off.
            let words = line.split_whitespace().map(|word| word.trim_matches('"'));
            Arguments::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"));
            understood += 1;
        }
        assert!(understood >= 9, "{understood}");
    }

    #[test]
    fn demo_takes_loss_and_jitter_with_units() {
        let parsed =
            Arguments::try_parse_from(["antiphon", "demo", "--loss", "5%", "--jitter", "30ms", "--talkers", "4"]);
        let Ok(Arguments { command: Command::Demo(options), .. }) = parsed else { panic!("{parsed:?}") };
        assert_eq!((options.loss.percent(), options.jitter.millis(), options.talkers), (5.0, 30.0, 4));
    }

    #[test]
    fn out_of_range_values_are_refused_with_the_range() {
        for (flag, value, range) in
            [("--talkers", "2", "between 3 and 16"), ("--loss", "5", "5%"), ("--seconds", "3", "40")]
        {
            let error = Arguments::try_parse_from(["antiphon", "demo", flag, value]).expect_err(flag).to_string();
            assert!(error.contains(range), "{error}");
        }
    }
}
