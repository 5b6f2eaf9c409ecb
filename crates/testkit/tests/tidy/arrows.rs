//! Who may depend on whom: the table of the architecture, checked against every manifest.
//!
//! Normal and build dependencies follow the table; dev-dependencies may add what tests share. Crates that
//! run on a media thread, and the leaves, also have a closed list of outside packages.

use std::collections::{BTreeMap, BTreeSet};

use crate::repo::Repo;

/// Package (without `antiphon-`), the packages of ours it may use.
const ARROWS: [(&str, &[&str]); 14] = [
    ("graph", &[]),
    ("rtp", &[]),
    ("codec", &[]),
    ("rt", &[]),
    ("pipeline", &["rtp", "codec", "rt"]),
    ("transport", &["rtp", "rt"]),
    ("signaling", &["graph"]),
    // The engine hands out types of the crates below pipeline and transport, so it names them too.
    ("engine", &["pipeline", "transport", "rtp", "rt", "codec"]),
    ("antiphon", &["signaling", "engine", "graph"]),
    ("emulator", &["graph", "engine"]),
    ("load", &["rtp", "codec"]),
    ("cli", &["antiphon", "emulator", "signaling", "load", "engine", "graph"]),
    ("testkit", &["rt"]),
    ("benches", &["codec", "pipeline", "rt", "rtp", "load", "transport", "engine"]),
];

/// What tests of any crate may add.
const FOR_TESTS: [&str; 3] = ["testkit", "load", "emulator"];

/// Never, not even through others: from → to, with the reason.
const NEVER: [(&str, &str, &str); 8] = [
    ("pipeline", "transport", "a media thread does no I/O"),
    ("signaling", "pipeline", "call control knows no media"),
    ("signaling", "codec", "call control knows no media"),
    ("signaling", "transport", "call control knows no media"),
    ("emulator", "signaling", "a shared state machine would agree with itself and prove nothing"),
    ("engine", "graph", "the façade and the emulator turn Graph's groups into routes"),
    ("load", "engine", "the other end must not be ours"),
    ("load", "transport", "the other end must not be ours"),
];

/// Crates with a closed list of outside packages.
const CLOSED: [(&str, &[&str]); 5] = [
    ("graph", &["serde", "serde_json", "thiserror", "jiff", "uuid"]),
    ("rtp", &["thiserror"]),
    ("codec", &["opus", "opusic-sys", "thiserror"]),
    ("rt", &["ringbuf", "nix", "thiserror", "loom"]),
    ("pipeline", &["ringbuf", "thiserror"]),
];

/// Every dependency that goes against the arrows.
pub(crate) fn complaints(repo: &Repo) -> Vec<String> {
    let manifests: BTreeMap<String, Manifest> = repo
        .files()
        .filter(|f| {
            f.path == "benches/Cargo.toml" || (f.path.starts_with("crates/") && f.path.ends_with("/Cargo.toml"))
        })
        .map(|f| (folder(&f.path), Manifest::parse(&f.text)))
        .collect();
    let mut complaints = Vec::new();
    for (name, manifest) in &manifests {
        let Some((_, allowed)) = ARROWS.iter().find(|(n, _)| n == name) else {
            complaints.push(format!("{name}: not in the table of arrows"));
            continue;
        };
        if !manifest.inherits_lints {
            complaints.push(format!("{name}: does not inherit the workspace's lints"));
        }
        for dep in &manifest.normal {
            match ours(dep) {
                Some(dep) if !allowed.contains(&dep) => complaints.push(format!("{name} → {dep}")),
                None if !outside_allowed(name, dep) => complaints.push(format!("{name} → {dep} (outside package)")),
                _ => {}
            }
        }
        for dep in manifest.dev.iter().filter_map(|d| ours(d)) {
            if !allowed.contains(&dep) && !FOR_TESTS.contains(&dep) {
                complaints.push(format!("{name} → {dep} (for tests)"));
            }
        }
    }
    for (from, to, why) in NEVER {
        if reach(&manifests, from).contains(to) {
            complaints.push(format!("{from} reaches {to}: {why}"));
        }
    }
    complaints
}

fn folder(path: &str) -> String {
    path.trim_start_matches("crates/").trim_end_matches("/Cargo.toml").into()
}

/// The name in the table, if the package is ours.
fn ours(package: &str) -> Option<&str> {
    if package == "antiphon" { Some(package) } else { package.strip_prefix("antiphon-") }
}

fn outside_allowed(name: &str, dep: &str) -> bool {
    CLOSED.iter().find(|(n, _)| *n == name).is_none_or(|(_, list)| list.contains(&dep))
}

/// Everything of ours that `from` is built with, directly or through others.
fn reach<'a>(manifests: &'a BTreeMap<String, Manifest>, from: &'a str) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        let deps = manifests.get(name).into_iter().flat_map(|m| &m.normal).filter_map(|d| ours(d));
        open.extend(deps.filter(|d| seen.insert(*d)));
    }
    seen
}

/// What a manifest says about dependencies.
#[derive(Default)]
struct Manifest {
    normal: Vec<String>,
    dev: Vec<String>,
    inherits_lints: bool,
}

impl Manifest {
    /// Reads the forms that manifests here use: `name.workspace = true`, `name = …` and `[dependencies.name]`.
    fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut section = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(header) = line.strip_prefix('[') {
                section = header.trim_end_matches(']').into();
                if let Some((table, dep)) = section.rsplit_once("dependencies.") {
                    manifest.note(&format!("{table}dependencies"), dep);
                }
            } else if section == "lints" && line == "workspace = true" {
                manifest.inherits_lints = true;
            } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                let key = key.trim().split('.').next().unwrap_or_default().trim_matches('"');
                // `alias = { package = "real" }` counts under the real name.
                let renamed = value.split_once("package").and_then(|(_, v)| v.split('"').nth(1));
                manifest.note(&section, renamed.unwrap_or(key));
            }
        }
        manifest
    }

    fn note(&mut self, section: &str, dep: &str) {
        if section.ends_with("dev-dependencies") {
            self.dev.push(dep.into());
        } else if section.ends_with("dependencies") {
            self.normal.push(dep.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(manifests: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<(String, String)> = manifests
            .iter()
            .map(|(name, deps)| (format!("crates/{name}/Cargo.toml"), format!("[lints]\nworkspace = true\n{deps}")))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
        complaints(&Repo::sample(&files))
    }

    #[test]
    fn an_arrow_against_the_table_is_named_in_every_way_of_writing_it() {
        let forms = [
            "[dependencies]\nantiphon-engine.workspace = true\n",
            "[dependencies]\nantiphon-engine = { path = \"../engine\" }\n",
            "[dependencies.antiphon-engine]\nworkspace = true\n",
            "[build-dependencies]\nantiphon-engine.workspace = true\n",
            "[target.'cfg(unix)'.dependencies]\nantiphon-engine.workspace = true\n",
            "[dependencies]\nother = { package = \"antiphon-engine\", path = \"../engine\" }\n",
        ];
        for form in forms {
            assert!(check(&[("transport", form)]).contains(&"transport → engine".to_owned()), "{form}");
        }
        assert_eq!(check(&[("transport", "[dependencies]\nantiphon-rt.workspace = true\n")]), [""; 0]);
    }

    #[test]
    fn a_forbidden_package_is_named_even_when_reached_through_others() {
        let found = check(&[
            ("emulator", "[dependencies]\nantiphon-engine.workspace = true\n"),
            ("engine", "[dependencies]\nantiphon-signaling.workspace = true\n"),
        ]);
        assert!(found.iter().any(|c| c.starts_with("emulator reaches signaling")), "{found:?}");
        assert!(found.contains(&"engine → signaling".to_owned()), "{found:?}");
    }

    #[test]
    fn media_crates_have_a_closed_list_of_outside_packages() {
        assert_eq!(check(&[("pipeline", "[dependencies]\ntokio = \"1\"\n")]), ["pipeline → tokio (outside package)"]);
        assert_eq!(check(&[("pipeline", "[dev-dependencies]\nproptest.workspace = true\n")]), [""; 0]);
        assert_eq!(check(&[("engine", "[dependencies]\ntracing.workspace = true\n")]), [""; 0]);
    }

    #[test]
    fn tests_may_use_what_tests_share_and_no_more() {
        assert_eq!(check(&[("engine", "[dev-dependencies]\nantiphon-load.workspace = true\n")]), [""; 0]);
        let found = check(&[("engine", "[dev-dependencies]\nantiphon-signaling.workspace = true\n")]);
        assert_eq!(found, ["engine → signaling (for tests)"]);
    }

    #[test]
    fn a_crate_unknown_to_the_table_or_without_lints_is_named() {
        assert_eq!(check(&[("extra", "")]), ["extra: not in the table of arrows"]);
        let bare = Repo::sample(&[("crates/rtp/Cargo.toml", "[package]\n")]);
        assert_eq!(complaints(&bare), ["rtp: does not inherit the workspace's lints"]);
    }
}
