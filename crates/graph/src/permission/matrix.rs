//! The permission matrix and the look-up of a request in it.
//!
//! Reads `data/permissions.csv`, compiled in, once. A path matches in any
//! case, in both families, with ids or `{id}`, and with an action written with
//! or without the `microsoft.graph.` prefix; literal segments beat `{id}`.

use std::sync::LazyLock;

use super::Permission;
use crate::wire::Version;

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    include_str!("../../data/permissions.csv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1) // column names
        .map(|line| read_row(line).expect("invariant: the compiled-in matrix is well formed"))
        .collect()
});

/// When the service checks the permission of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// On this request.
    Request,
    /// When the call was created or joined; now only its ownership is checked.
    CallCreation,
    /// Never: no role is needed.
    Nothing,
}

impl Enforcement {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::CallCreation => "call-creation",
            Self::Nothing => "none",
        }
    }
}

/// One endpoint of one version and path family.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// `v1.0` or `beta`.
    pub version: Version,
    /// HTTP method, upper case.
    pub method: &'static str,
    /// Path with `{id}` for ids, starting with `/`.
    pub path: &'static str,
    /// When it is checked.
    pub enforcement: Enforcement,
    /// What the matrix lists; any one suffices, least privileged first.
    pub listed: Vec<Permission>,
    /// Those the matrix marks as least privileged.
    pub least: Vec<Permission>,
    /// What the sibling path family lists, where this one has no row.
    pub siblings: Vec<Permission>,
    /// Whether a reference page names the path.
    pub documented: bool,
    /// Whether generated client libraries know it.
    pub in_sdk: bool,
    /// Words explained at the head of the table.
    pub notes: Vec<&'static str>,
}

impl Row {
    /// The permissions any one of which suffices; empty if none is needed.
    pub fn sufficient(&self) -> &[Permission] {
        if self.listed.is_empty() { &self.siblings } else { &self.listed }
    }

    /// Whether a token of these roles may make the request, as far as this
    /// request is checked at all.
    pub fn allows(&self, roles: &[Permission]) -> bool {
        self.enforcement != Enforcement::Request
            || self.sufficient().is_empty()
            || self.sufficient().iter().any(|permission| roles.contains(permission))
    }
}

/// The whole matrix, v1.0 first.
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// The row of a request, or `None` if the matrix does not know the endpoint.
///
/// `path` starts at `/communications/calls` or `/app/calls`, without version
/// and query.
///
/// ```
/// use antiphon_graph::permission::{required, Permission};
/// use antiphon_graph::wire::Version;
///
/// let row = required(Version::V1, "POST", "/communications/calls/42/participants/invite").unwrap();
/// assert_eq!(row.sufficient(), [Permission::InitiateGroupCall]);
/// ```
pub fn required(version: Version, method: &str, path: &str) -> Option<&'static Row> {
    ROWS.iter()
        .filter(|row| row.version == version && row.method.eq_ignore_ascii_case(method))
        .filter_map(|row| Some((literals_if_match(row.path, path)?, row)))
        .max_by_key(|(literals, _)| *literals)
        .map(|(_, row)| row)
}

/// How many literal segments the pattern has, if the path matches it.
fn literals_if_match(pattern: &str, path: &str) -> Option<usize> {
    const NAMESPACE: &str = "microsoft.graph.";
    let mut patterns = pattern.split('/').filter(|segment| !segment.is_empty());
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut literals = 0;
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return Some(literals),
            (Some("{id}"), Some(segment)) if !is_qualified(segment) => {}
            (Some(pattern), Some(segment)) => {
                let bare = if is_qualified(segment) { &segment[NAMESPACE.len()..] } else { segment };
                if !pattern.eq_ignore_ascii_case(bare) {
                    return None;
                }
                literals += 1;
            }
            _ => return None,
        }
    }

    fn is_qualified(segment: &str) -> bool {
        segment.get(..NAMESPACE.len()).is_some_and(|head| head.eq_ignore_ascii_case(NAMESPACE))
    }
}

fn read_row(line: &'static str) -> Option<Row> {
    let mut columns = line.split(',');
    let mut next = || columns.next();
    Some(Row {
        version: Version::parse(next()?)?,
        method: next()?,
        path: next()?,
        enforcement: match next()? {
            "request" => Enforcement::Request,
            "call-creation" => Enforcement::CallCreation,
            "none" => Enforcement::Nothing,
            _ => return None,
        },
        listed: permissions(next()?)?,
        least: permissions(next()?)?,
        siblings: permissions(next()?)?,
        documented: next()? == "yes",
        in_sdk: next()? == "yes",
        notes: next()?.split(' ').filter(|note| !note.is_empty()).collect(),
    })
}

fn permissions(column: &str) -> Option<Vec<Permission>> {
    column.split(' ').filter(|name| !name.is_empty()).map(|name| Permission::parse(&format!("Calls.{name}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_every_published_row_once() {
        assert_eq!(rows().len(), 142);
        for row in rows() {
            let same = |other: &&Row| (other.version, other.method, other.path) == (row.version, row.method, row.path);
            assert_eq!(rows().iter().filter(same).count(), 1, "{} {}", row.method, row.path);
            assert!(row.least.iter().all(|least| row.listed.contains(least)), "{}", row.path);
        }
        let enforced = |kind| rows().iter().filter(|row| row.enforcement == kind).count();
        assert_eq!(enforced(Enforcement::Request), 99);
        assert_eq!(enforced(Enforcement::CallCreation), 34);
        assert_eq!(enforced(Enforcement::Nothing), 9);
    }

    #[test]
    fn each_row_is_found_by_its_own_path_in_both_action_spellings() {
        for row in rows() {
            let path = row.path.replace("{id}", "57dab8b1-894c-409a-b240-bd8beae78896");
            assert_eq!(required(row.version, row.method, &path.to_uppercase()), Some(row));
            let (head, last) = path.rsplit_once('/').unwrap();
            if !row.path.ends_with("{id}") {
                let qualified = format!("{head}/microsoft.graph.{last}");
                assert_eq!(required(row.version, row.method, &qualified), Some(row), "{qualified}");
            }
        }
    }

    #[test]
    fn a_literal_segment_beats_an_id() {
        let path = "/communications/calls/logTeleconferenceDeviceQuality";
        assert_eq!(required(Version::V1, "POST", path).unwrap().path, path);
        let invite = required(Version::Beta, "POST", "/app/calls/c/participants/invite").unwrap();
        assert_eq!(invite.path, "/app/calls/{id}/participants/invite");
    }

    #[test]
    fn unknown_endpoints_have_no_row() {
        for (version, method, path) in [
            (Version::V1, "POST", "/app/calls"),
            (Version::V1, "PATCH", "/communications/calls/c"),
            (Version::V1, "POST", "/communications/calls/c/participants/muteAll"),
            (Version::Beta, "GET", ""),
            (Version::Beta, "GET", "/communications/calls/c/participants/p/extra"),
        ] {
            assert_eq!(required(version, method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn a_path_the_matrix_lacks_takes_the_permissions_of_its_sibling() {
        let row = required(Version::Beta, "POST", "/app/calls/c/keepAlive").unwrap();
        assert!(row.listed.is_empty());
        assert_eq!(row.sufficient(), [Permission::Initiate, Permission::AccessMedia]);
    }
}
