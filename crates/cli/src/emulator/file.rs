//! The TOML file of `antiphon emulator --config`.
//!
//! Owns its members and its errors, which name line and member. Paths in it are taken from the folder it is in.
//! Spec: TOML 1.0; docs/emulator.toml is a commented example.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use antiphon_engine::PortRange;
use anyhow::Context as _;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::entries::{AppEntry, Hidden, MeetingEntry, UserEntry};

/// What the file can say; all of it optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ConfigFile {
    #[serde(default)]
    pub(crate) listen: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) plain_http: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) media: Option<SocketAddr>,
    #[serde(default)]
    pub(crate) advertise_media: Option<SocketAddr>,
    #[serde(default, deserialize_with = "ports")]
    pub(crate) plain_ports: Option<PortRange>,
    #[serde(default)]
    pub(crate) media_threads: Option<usize>,
    #[serde(default)]
    pub(crate) host_names: Vec<String>,
    #[serde(default)]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) trust: Vec<PathBuf>,
    #[serde(default, deserialize_with = "guid")]
    pub(crate) tenant: Option<String>,
    #[serde(default)]
    pub(crate) admin_key: Option<Hidden>,
    #[serde(default)]
    pub(crate) allow_http_callbacks: bool,
    #[serde(default)]
    pub(crate) strict_blob: bool,
    #[serde(default)]
    pub(crate) strict_answer: bool,
    #[serde(default)]
    pub(crate) strict_routing_groups: bool,
    #[serde(default, rename = "app")]
    apps: Vec<Spanned<AppEntry>>,
    #[serde(default, rename = "user")]
    users: Vec<Spanned<UserEntry>>,
    #[serde(default, rename = "meeting")]
    meetings: Vec<Spanned<MeetingEntry>>,
}

/// All members there are, of the file and of its entries.
const MEMBERS: [&str; 34] = [
    "listen",
    "plain-http",
    "media",
    "advertise-media",
    "plain-ports",
    "media-threads",
    "host-names",
    "ca-file",
    "trust",
    "tenant",
    "admin-key",
    "allow-http-callbacks",
    "strict-blob",
    "strict-answer",
    "strict-routing-groups",
    "app",
    "user",
    "meeting",
    "id",
    "secret",
    "name",
    "permissions",
    "consent",
    "webhook",
    "calling",
    "phone",
    "answering",
    "after-ms",
    "hang-up-after-ms",
    "forward-to",
    "subject",
    "organizer",
    "lobby",
    "passcode",
];

/// An entry and where it was written, for errors that show only when it is used.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) entry: T,
    pub(crate) place: String,
}

/// All entries of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entries {
    pub(crate) apps: Vec<Placed<AppEntry>>,
    pub(crate) users: Vec<Placed<UserEntry>>,
    pub(crate) meetings: Vec<Placed<MeetingEntry>>,
}

/// Reads a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<(ConfigFile, Entries)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read --config {}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    parse(&text, &path.display().to_string(), folder)
}

fn parse(text: &str, name: &str, folder: &Path) -> anyhow::Result<(ConfigFile, Entries)> {
    let mut file: ConfigFile = toml::from_str(text).map_err(|error| fault(name, text, error))?;
    file.ca_file = file.ca_file.map(|path| folder.join(path));
    file.trust = file.trust.iter().map(|path| folder.join(path)).collect();
    let entries = Entries {
        apps: placed(&mut file.apps, "[[app]]", name, text),
        users: placed(&mut file.users, "[[user]]", name, text),
        meetings: placed(&mut file.meetings, "[[meeting]]", name, text),
    };
    for user in &entries.users {
        user.entry.check().map_err(|fault| anyhow::anyhow!("{}: {fault}", user.place))?;
    }
    Ok((file, entries))
}

/// What is wrong, by line and member; never the line itself, which may hold a secret.
fn fault(name: &str, text: &str, mut error: toml::de::Error) -> anyhow::Error {
    error.set_input(None);
    let told = error.to_string().trim_end().replace('\n', " ");
    let Some(at) = error.span().map(|span| span.start) else { return anyhow::anyhow!("{name} is not right: {told}") };
    let line = line_of(text, at);
    // Text that is no TOML has no path to its members. A piece of a secret may look like a name: only known ones are
    // told.
    let start = text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(start, _)| start.trim());
    match start.filter(|start| MEMBERS.contains(start) && !told.contains(" in `")) {
        Some(member) => anyhow::anyhow!("{name} line {line} is not right: {told} in `{member}`"),
        None => anyhow::anyhow!("{name} line {line} is not right: {told}"),
    }
}

fn placed<T>(list: &mut Vec<Spanned<T>>, header: &str, name: &str, text: &str) -> Vec<Placed<T>> {
    let place = |at: usize| format!("{name} line {}, {header}", line_of(text, at));
    list.drain(..).map(|one| Placed { place: place(one.span().start), entry: one.into_inner() }).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match uuid::Uuid::try_parse(&text) {
        Ok(_) => Ok(Some(text)),
        Err(_) => Err(D::Error::custom(format_args!("{text:?} is not a GUID"))),
    }
}

fn ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PortRange>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<(ConfigFile, Entries)> {
        parse(text, "emulator.toml", Path::new("folder"))
    }

    #[test]
    fn the_commented_example_is_right_and_says_everything_there_is() {
        let example = include_str!("../../../../docs/emulator.toml");
        let (file, entries) = read_text(example).expect("right");
        assert!(file.listen.is_some() && file.tenant.is_some() && file.ca_file.is_some());
        assert_eq!((entries.apps.len(), entries.users.len(), entries.meetings.len()), (2, 3, 2));
        // Every member is there, used or commented out.
        let unknown = read_text("x = 1").unwrap_err().to_string();
        let members: Vec<&str> = unknown.split('`').skip(1).step_by(2).filter(|name| *name != "x").collect();
        assert!(members.len() > 15, "{unknown}");
        for member in members {
            let said = |line: &str| {
                let line = line.trim_start_matches(['#', ' ']);
                line.starts_with(&format!("{member} =")) || line.starts_with(&format!("[[{member}]]"))
            };
            assert!(example.lines().any(said), "docs/emulator.toml does not say {member}");
        }
        for header in ["", "[[app]]\n", "[[user]]\n", "[[meeting]]\n"] {
            let unknown = read_text(&format!("{header}x = 1")).unwrap_err().to_string();
            let told = unknown.split_once("expected one of").expect("a list").1;
            for member in told.split('`').skip(1).step_by(2) {
                assert!(MEMBERS.contains(&member), "{member}");
            }
        }
    }

    #[test]
    fn an_empty_file_is_right_and_paths_are_taken_from_its_folder() {
        assert!(read_text("").is_ok());
        let (file, _) = read_text("ca-file = \"ca.pem\"\ntrust = [\"a.pem\", \"/b.pem\"]").expect("right");
        assert_eq!(file.ca_file, Some(PathBuf::from("folder/ca.pem")));
        assert_eq!(file.trust, [PathBuf::from("folder/a.pem"), PathBuf::from("/b.pem")]);
    }

    #[test]
    fn each_mistake_is_told_with_line_and_member() {
        for (text, line, hints) in [
            ("lisen = \"127.0.0.1:1\"", 1, &["lisen", "listen"][..]),
            ("\nlisten = \"here\"", 2, &["listen", "socket address"]),
            ("listen = 8443", 1, &["listen", "8443"]),
            ("tenant = \"x\"", 1, &["tenant", "not a GUID"]),
            ("plain-ports = \"9-8\"", 1, &["plain-ports", "no range of ports, such as 40000-40999"]),
            ("media-threads = -1", 1, &["media-threads", "-1"]),
            ("[[app]]\nid = \"2d2f\"", 2, &["id", "not a GUID"]),
            ("[[app]]\n\npermissions = [\"Calls.Fly.All\"]", 3, &["permissions", "Calls.Fly.All"]),
            ("[[app]]\nconsent = \"all\"", 2, &["consent", "true, false or a list"]),
            ("[[app]]\nwebhook = \"here\"", 2, &["webhook", "no absolute URL"]),
            ("[[user]]\nid = \"2d2f1a4e-0000-4000-8000-000000000001\"", 1, &["name"]),
            ("[[user]]\nname = \"A\"\nanswering = \"shout\"", 3, &["answering", "shout", "unreachable"]),
            ("\n[[user]]\nname = \"A\"\nanswering = \"forward\"", 2, &["[[user]]", "forward-to"]),
            ("[[meeting]]\nlobby = 1", 2, &["lobby", "boolean"]),
            ("[[meeting]]\nsubject = \"x", 2, &["subject"]),
            ("[app]\nid = \"x\"", 1, &["app", "sequence"]),
        ] {
            let error = read_text(text).expect_err(text).to_string();
            assert!(error.contains(&format!("emulator.toml line {line}")), "{text}: {error}");
            for hint in hints {
                assert!(error.contains(hint), "{text}: {hint}: {error}");
            }
        }
    }

    #[test]
    fn no_error_tells_a_secret() {
        for (text, hints) in [
            ("[[app]]\nsecret = \"hush\nname = \"A\"", &["line 2", "secret"][..]),
            ("[[app]]\nsecret = hush", &["line 2", "secret"]),
            ("[[app]]\nsecret = \"hush\", id = 1", &["line 2", "secret"]),
            ("[[app]]\nsecret = \"\"\"a\nhush = \\q\"\"\"", &["line 3"]),
            ("[[app]]\nsecret = [\"hush\"]", &["line 2", "app.secret", "text in quotes"]),
            ("[[app]]\nsecret = 4711", &["line 2", "app.secret", "text in quotes"]),
            ("app = [{ secret = \"hush\", typo = 1 }]", &["line 1", "typo"]),
            ("app = [{ secret = \"hush\", id = \"1\" }]", &["line 1", "app.id"]),
            ("admin-key = { hush = 1 }", &["line 1", "admin-key"]),
            ("[[app]]\nwebhook = \"https//me:hush@x\"", &["line 2", "app.webhook", "\u{2026}@x"]),
        ] {
            let error = format!("{:#}", read_text(text).expect_err(text));
            assert!(!error.contains("hush") && !error.contains("4711"), "{text}: {error}");
            for hint in hints {
                assert!(error.contains(hint), "{text}: {hint}: {error}");
            }
        }
        let (file, entries) = read_text("admin-key = \"hush\"\n[[app]]\nsecret = \"hush\"").expect("right");
        assert!(!format!("{file:?} {entries:?}").contains("hush"));
    }
}
