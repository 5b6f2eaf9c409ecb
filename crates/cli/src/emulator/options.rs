//! What can be typed after `antiphon emulator`, and what it amounts to together with a file.
//!
//! Owns options, defaults and precedence: what is typed takes the place of what the file says; lists add up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{PathBuf, absolute};

use antiphon_emulator::{DEFAULT_TENANT, EmulatorConfig, TrustAnchors};
use antiphon_engine::PortRange;
use antiphon_graph::permission::Permission;
use anyhow::Context as _;
use clap::Args;

use super::entries::{AppEntry, Hidden, MeetingEntry, UserEntry};
use super::file::{self, ConfigFile, Entries, Placed};

/// Where it listens unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);
/// Where the CA goes unless told otherwise.
const CA_FILE: &str = "out/antiphon-ca.pem";

/// Options of `antiphon emulator`.
#[derive(Clone, Args)]
#[command(after_help = "\
Examples:
  antiphon emulator --config docs/emulator.toml
  antiphon emulator --app permissions=Calls.JoinGroupCall.All+Calls.AccessMedia.All --meeting subject=Standup
  antiphon emulator --app secret=s,permissions=Calls.Initiate.All,webhook=https://127.0.0.1:9443/api/calls \\
      --trust webhook-ca.pem --user name=Ada,answering=reject --user name=Bob,phone=+15550100

docs/emulator.toml is a commented example of a file.")]
pub(crate) struct EmulatorOptions {
    /// TOML file that says what options can say; options take the place of its members, and add to its lists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// TCP address for tokens, Graph and administration (HTTPS). Port 0 takes a free one. [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,

    /// A second TCP address without TLS, for tools that cannot be given a CA.
    #[arg(long, value_name = "ADDR")]
    plain_http: Option<SocketAddr>,

    /// UDP address for media. Default: a free port on the host of --listen.
    #[arg(long, value_name = "ADDR")]
    media: Option<SocketAddr>,

    /// Media address to tell peers, when it is not the bound one.
    #[arg(long, value_name = "ADDR")]
    advertise_media: Option<SocketAddr>,

    /// UDP ports for plain RTP legs that ask for none, such as 40000-40999. Default: any free port.
    #[arg(long, value_name = "FIRST-LAST")]
    plain_ports: Option<PortRange>,

    /// Another host name or address to put into the certificate; may be repeated.
    #[arg(long = "host-name", value_name = "NAME")]
    host_names: Vec<String>,

    /// Where to write the CA certificate that clients must trust (PEM). [default: out/antiphon-ca.pem]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Trust the certificates in this PEM file when posting notifications; may be repeated.
    #[arg(long = "trust", value_name = "FILE")]
    trust: Vec<PathBuf>,

    /// Id of the tenant. Default: always the same one.
    #[arg(long, value_name = "GUID", value_parser = guid)]
    tenant: Option<String>,

    /// Key that callers from other machines must send to administer. Environment: ANTIPHON_ADMIN_KEY.
    #[arg(long, value_name = "KEY")]
    admin_key: Option<String>,

    /// Accept http callback URIs. Graph never does.
    #[arg(long)]
    allow_http_callbacks: bool,

    /// Refuse a media blob that this service cannot read, instead of running the call without media.
    #[arg(long)]
    strict_blob: bool,

    /// Ask for the role of the permission matrix when a peer-to-peer call is answered, too.
    #[arg(long)]
    strict_answer: bool,

    /// Refuse to change source or mode of an audio routing group.
    #[arg(long)]
    strict_routing_groups: bool,

    /// Register an application: name=value pairs of id, secret, name, permissions (A+B), consent (true, false, A+B),
    /// webhook, calling. What is left out is made up. May be repeated.
    #[arg(long = "app", value_name = "PAIRS")]
    apps: Vec<String>,

    /// Add a person: name=value pairs of name, id, phone, answering (answer, reject, busy, ring, unreachable, forward),
    /// after-ms, hang-up-after-ms, forward-to. May be repeated.
    #[arg(long = "user", value_name = "PAIRS", value_parser = UserEntry::parse)]
    users: Vec<UserEntry>,

    /// Open a meeting: name=value pairs of subject, organizer, lobby, passcode (true or false). May be repeated.
    #[arg(long = "meeting", value_name = "PAIRS", value_parser = MeetingEntry::parse)]
    meetings: Vec<MeetingEntry>,

    /// Register an application with everything consented to, in short: ID:SECRET:PERMISSION,PERMISSION. May be repeated.
    #[arg(long = "seed-app", value_name = "APP")]
    seed_apps: Vec<String>,

    /// Open a meeting of this subject; may be repeated.
    #[arg(long = "seed-meeting", value_name = "SUBJECT")]
    seed_meetings: Vec<String>,

    /// Media threads; a meeting lives on one of them. [default: 1]
    #[arg(long, value_name = "N")]
    media_threads: Option<usize>,

    /// Print one line of JSON with all addresses instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

impl std::fmt::Debug for EmulatorOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither secrets nor the key.
        f.debug_struct("EmulatorOptions")
            .field("config", &self.config)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// What was meant.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: EmulatorConfig,
    pub(crate) ca_file: PathBuf,
    pub(crate) entries: Entries,
}

impl EmulatorOptions {
    /// Options and file, put together and checked.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        // Not by clap: its errors repeat what was typed, secrets and all.
        let apps = read_each(&self.apps, "--app", AppEntry::parse)?;
        let seed_apps = read_each(&self.seed_apps, "--seed-app", seed_app)?;
        let (file, mut entries) = match &self.config {
            Some(path) => file::read(path)?,
            None => <(ConfigFile, Entries)>::default(),
        };
        let ca_file = self.ca_file.clone().or(file.ca_file).unwrap_or_else(|| CA_FILE.into());
        let ca_file = absolute(&ca_file).context("the path of --ca-file cannot be made absolute")?;
        let usual = EmulatorConfig::default();
        let environment_key = || crate::connection::environment("ANTIPHON_ADMIN_KEY");
        let config = EmulatorConfig {
            bind: self.listen.or(file.listen).unwrap_or(LISTEN),
            plain_http_bind: self.plain_http.or(file.plain_http),
            media_bind: self.media.or(file.media),
            advertise_media: self.advertise_media.or(file.advertise_media),
            plain_ports: self.plain_ports.or(file.plain_ports),
            media_threads: self.media_threads.or(file.media_threads).unwrap_or(usual.media_threads),
            host_names: file.host_names.iter().chain(&self.host_names).cloned().collect(),
            ca_file: Some(ca_file.clone()),
            tenant_id: self.tenant.clone().or(file.tenant).unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
            webhook_trust: file.trust.iter().chain(&self.trust).cloned().map(TrustAnchors::PemFile).collect(),
            allow_http_callbacks: self.allow_http_callbacks || file.allow_http_callbacks,
            strict_blob: self.strict_blob || file.strict_blob,
            strict_answer: self.strict_answer || file.strict_answer,
            strict_routing_groups: self.strict_routing_groups || file.strict_routing_groups,
            admin_key: self.admin_key.clone().or(file.admin_key.map(Hidden::into_inner)).or_else(environment_key),
            ..usual
        };
        entries.apps.extend(typed(&apps, "--app"));
        entries.apps.extend(typed(&seed_apps, "--seed-app"));
        entries.users.extend(typed(&self.users, "--user"));
        entries.meetings.extend(typed(&self.meetings, "--meeting"));
        let seeded: Vec<_> = self.seed_meetings.iter().map(|subject| MeetingEntry::of(subject)).collect();
        entries.meetings.extend(typed(&seeded, "--seed-meeting"));
        Ok(Settings { config, ca_file, entries })
    }
}

fn read_each(
    texts: &[String],
    flag: &str,
    read: fn(&str) -> Result<AppEntry, String>,
) -> anyhow::Result<Vec<AppEntry>> {
    let which = |index: usize| if texts.len() == 1 { flag.to_owned() } else { format!("{flag} ({index})") };
    let read =
        |(text, index): (&String, usize)| read(text).map_err(|error| anyhow::anyhow!("{}: {error}", which(index)));
    texts.iter().zip(1..).map(read).collect()
}

fn typed<T: Clone>(list: &[T], flag: &str) -> impl Iterator<Item = Placed<T>> {
    list.iter().cloned().map(move |entry| Placed { entry, place: flag.to_owned() })
}

fn guid(text: &str) -> Result<String, String> {
    uuid::Uuid::try_parse(text).map(|id| id.to_string()).map_err(|_| format!("{text:?} is not a GUID"))
}

/// Reads `ID:SECRET:PERMISSION,PERMISSION`. The secret may hold colons; id and permissions cannot.
fn seed_app(text: &str) -> Result<AppEntry, String> {
    let usage = || {
        "write ID:SECRET:PERMISSION,PERMISSION with a GUID as ID, for example \
         2d2f1a4e-0000-4000-8000-000000000001:secret:Calls.JoinGroupCall.All,Calls.AccessMedia.All"
            .to_owned()
    };
    let (id, rest) = text.split_once(':').ok_or_else(usage)?;
    let (secret, permissions) = rest.rsplit_once(':').ok_or_else(usage)?;
    if secret.is_empty() || uuid::Uuid::try_parse(id).is_err() {
        return Err(usage());
    }
    let permissions = permissions
        .split(',')
        .zip(1..)
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, index)| {
            // Where the last colon is part of the secret, the name is, too.
            Permission::parse(name).ok_or_else(|| {
                format!("name {index} after the last colon is no calling permission; `antiphon permissions` lists them")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(AppEntry::of(id, secret, &permissions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    const ID: &str = "2d2f1a4e-0000-4000-8000-000000000001";

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        options: EmulatorOptions,
    }

    fn settings(words: &[&str]) -> Settings {
        let words = std::iter::once("emulator").chain(words.iter().copied());
        Program::try_parse_from(words).expect("valid").options.settings().expect("settings")
    }

    #[test]
    fn nothing_at_all_is_enough() {
        let settings = settings(&[]);
        assert_eq!((settings.config.bind, settings.config.tenant_id.as_str()), (LISTEN, DEFAULT_TENANT));
        assert!(settings.ca_file.is_absolute() && settings.ca_file.ends_with(CA_FILE));
        assert!(settings.entries.apps.is_empty());
    }

    #[test]
    fn options_take_the_place_of_the_files_members_and_add_to_its_lists() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("e.toml");
        let text = "listen = \"127.0.0.1:1\"\nmedia = \"127.0.0.1:2\"\nhost-names = [\"a\"]\nca-file = \"ca.pem\"\n\
                    strict-blob = true\n[[app]]\nname = \"from the file\"\n[[meeting]]\nsubject = \"one\"\n";
        std::fs::write(&path, text).expect("a file");
        let config = path.to_str().expect("Unicode");
        let seed = format!("{ID}:se:cr:et:calls.joingroupcall.all");
        let words = [
            "--config",
            config,
            "--listen",
            "127.0.0.1:9",
            "--host-name",
            "b",
            "--seed-app",
            &seed,
            "--seed-meeting",
            "two",
        ];
        let settings = settings(&words);
        assert_eq!(settings.config.bind.port(), 9);
        assert_eq!(settings.config.media_bind.map(|address| address.port()), Some(2));
        assert_eq!(settings.config.host_names, ["a", "b"]);
        assert!(settings.config.strict_blob);
        assert_eq!(settings.ca_file, folder.path().join("ca.pem"));
        let apps = &settings.entries.apps;
        assert_eq!((apps.len(), settings.entries.meetings.len()), (2, 2));
        assert!(apps[0].place.contains("e.toml line 6") && apps[1].place == "--seed-app", "{apps:?}");
        let seeded = apps[1].entry.registration();
        assert_eq!(seeded.client_secret.as_deref(), Some("se:cr:et"));
        assert_eq!(seeded.permissions, ["Calls.JoinGroupCall.All"]);
    }

    #[test]
    fn broken_seed_apps_say_what_to_write() {
        for wrong in ["", "id", "id:secret", ":secret:Calls.AccessMedia.All", "id::", "id:secret:"] {
            assert!(seed_app(wrong).expect_err(wrong).contains("ID:SECRET:"), "{wrong}");
        }
        assert!(seed_app(&format!("{ID}:s:Calls.Fly.All")).expect_err("unknown").contains("antiphon permissions"));
    }

    #[test]
    fn neither_secret_nor_key_is_printed() {
        let words = ["emulator", "--admin-key", "hush", "--app", "secret=hush"];
        assert!(!format!("{:?}", Program::try_parse_from(words).expect("valid")).contains("hush"));
    }

    #[test]
    fn no_secret_is_in_what_is_said_about_a_wrong_option() {
        for (words, hint) in [
            (&["--app", "secret=hush,typo=x"][..], "--app: unknown field `typo`"),
            (&["--app", "name=A", "--app", "secret=hush,id=1"], "--app (2): \"1\" is not a GUID in `id`"),
            (&["--seed-app", "hush"], "--seed-app: write ID:SECRET:"),
            (&["--seed-app", &format!("{ID}:s:hush")], "--seed-app: name 1 after the last colon"),
        ] {
            let words = std::iter::once("emulator").chain(words.iter().copied());
            let parsed = Program::try_parse_from(words).expect("taken as text");
            let error = format!("{:#}", parsed.options.settings().expect_err(hint));
            assert!(error.contains(hint) && !error.contains("hush"), "{hint}: {error}");
        }
    }
}
