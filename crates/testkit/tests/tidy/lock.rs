//! Cargo.lock holds one crypto provider.
//!
//! A lock file also lists packages that no chosen feature pulls in, so this rule is about names only: what
//! may never appear, and who may mention `ring` (optionally). That none of it is built is checked with
//! features resolved by `make check` (cargo-deny's bans and an empty `cargo tree -i ring`).

use crate::repo::Repo;

const NEVER: [&str; 4] = ["openssl", "openssl-sys", "native-tls", "rsa"];
/// Packages whose optional dependency on `ring` is not chosen here.
const MAY_MENTION_RING: [&str; 2] = ["quinn-proto", "rustls-webpki"];

/// Forbidden packages, and new mentions of `ring`.
pub(crate) fn complaints(repo: &Repo) -> Vec<String> {
    let Some(lock) = repo.text("Cargo.lock") else {
        return vec!["Cargo.lock is missing".into()];
    };
    let mut complaints = Vec::new();
    let mut provider = false;
    for package in lock.split("[[package]]").skip(1) {
        let name = value(package, "name").unwrap_or_default();
        provider |= name == "aws-lc-rs";
        if NEVER.contains(&name) {
            complaints.push(format!("{name} is locked"));
        }
        let mentions = package.lines().any(|l| matches!(l.trim(), "\"ring\"," | "\"ring\""));
        if mentions && !MAY_MENTION_RING.contains(&name) {
            complaints.push(format!("{name} depends on ring"));
        }
    }
    if !provider {
        complaints.push("aws-lc-rs is not locked".into());
    }
    complaints
}

fn value<'a>(package: &'a str, key: &str) -> Option<&'a str> {
    let line = package.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(" = "))?;
    Some(line.trim_matches('"'))
}

#[test]
fn a_second_provider_is_named() {
    let good = "[[package]]\nname = \"aws-lc-rs\"\n";
    let with = |more: &str| complaints(&Repo::sample(&[("Cargo.lock", &format!("{good}{more}"))]));
    assert_eq!(with(""), [""; 0]);
    assert_eq!(with("[[package]]\nname = \"rsa\"\n"), ["rsa is locked"]);
    assert_eq!(with("[[package]]\nname = \"x\"\ndependencies = [\n \"ring\",\n]\n"), ["x depends on ring"]);
    assert_eq!(with("[[package]]\nname = \"rustls-webpki\"\ndependencies = [\n \"ring\",\n]\n"), [""; 0]);
    assert_eq!(complaints(&Repo::sample(&[("Cargo.lock", "")])), ["aws-lc-rs is not locked"]);
    assert_eq!(complaints(&Repo::sample(&[])), ["Cargo.lock is missing"]);
}
