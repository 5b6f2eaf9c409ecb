//! From a path to an endpoint, or to the reason why there is none (404, 405, 501).
//!
//! Paths come split and decoded; they are compared without case, literals may carry the `microsoft.graph.` prefix, and of
//! two patterns the one with more literals wins. A version offers what the permission matrix has a row for. What the
//! matrix knows and nothing here serves is 501. Pure functions. Spec: OData URL Conventions 4.01 §4.

use antiphon_graph::encode_segment;
use antiphon_graph::permission::{Row, required, rows};
use antiphon_graph::wire::Version;
use http::Method;

use super::{ApiError, ENDPOINTS, Endpoint};

/// Endpoints the matrix has no row for: beta only, with the roles of another.
const WITHOUT_ROW: &[(&str, &str)] = &[
    ("/calls/{id}/record", "/calls/{id}/recordResponse"),
    ("/calls/{id}/contentSharingSessions/{id}/pngOfCurrentSlide", "/calls/{id}/contentSharingSessions/{id}"),
];

/// A collection's size instead of its members, as last segment.
const COUNT: &str = "$count";

/// The two roots of the same resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Communications,
    App,
}

impl Family {
    fn parse(segment: &str) -> Option<Self> {
        [Self::Communications, Self::App].into_iter().find(|family| family.as_str().eq_ignore_ascii_case(segment))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Communications => "communications",
            Self::App => "app",
        }
    }
}

/// Where a request leads.
pub(super) struct Route {
    pub(super) endpoint: &'static Endpoint,
    /// The ids in the path, in order.
    pub(super) ids: Vec<String>,
    /// What it needs. Roles of the path's own family where the matrix lists it, else the sibling's.
    pub(super) row: &'static Row,
    /// Asked for the number of members only.
    pub(super) count: bool,
}

/// The endpoint of a method and a path below the version.
///
/// # Errors
///
/// 404, 405, 501; 400 for a qualified action under a wrong path.
pub(super) fn find(version: Version, method: &Method, path: &[String]) -> Result<Route, ApiError> {
    let Resource { family, below, count, patterns } = resource(version, path)?;
    // HEAD is GET without the body (RFC 9110 §9.3.2); the server leaves it out.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    if let Some((endpoint, row)) = patterns.iter().find(|(endpoint, _)| endpoint.method == method)
        && (!count || method == Method::GET)
    {
        let ids = match_path(endpoint.path, below).map(|matched| matched.ids).unwrap_or_default();
        return Ok(Route { endpoint, ids, row, count });
    }
    if let Some(what) = known_to_the_matrix_only(version, family, method, below) {
        return Err(ApiError::not_implemented(&format!("{method} .../{what}")));
    }
    let allowed = allowed_methods(version, family, below, &patterns);
    if !allowed.is_empty() {
        return Err(ApiError::method_not_allowed(&allowed.join(", ")));
    }
    Err(nothing_there(below))
}

/// The methods of a resource, for OPTIONS.
///
/// # Errors
///
/// As [`find`].
pub(super) fn allowed(version: Version, path: &[String]) -> Result<String, ApiError> {
    let Resource { family, below, patterns, .. } = resource(version, path)?;
    let allowed = allowed_methods(version, family, below, &patterns);
    if allowed.is_empty() { Err(nothing_there(below)) } else { Ok(allowed.join(", ")) }
}

struct Resource<'a> {
    family: Family,
    /// The segments below the family, without `$count`.
    below: &'a [String],
    count: bool,
    /// Every endpoint of the resource's pattern.
    patterns: Vec<(&'static Endpoint, &'static Row)>,
}

fn resource(version: Version, path: &[String]) -> Result<Resource<'_>, ApiError> {
    let (first, below) = path.split_first().ok_or_else(|| ApiError::no_route(""))?;
    let family = Family::parse(first).ok_or_else(|| ApiError::no_route(first))?;
    let (below, count) = match below.split_last() {
        Some((last, collection)) if last.eq_ignore_ascii_case(COUNT) => (collection, true),
        _ => (below, false),
    };
    let mut most_literals = 0;
    let mut patterns = Vec::new();
    for endpoint in ENDPOINTS {
        if let Some(row) = row(version, family, endpoint)
            && let Some(matched) = match_path(endpoint.path, below)
            && matched.literals >= most_literals
        {
            if matched.literals > most_literals {
                most_literals = matched.literals;
                patterns.clear();
            }
            patterns.push((*endpoint, row));
        }
    }
    Ok(Resource { family, below, count, patterns })
}

/// What an endpoint needs, or `None` if the version does not have it.
pub(super) fn row(version: Version, family: Family, endpoint: &Endpoint) -> Option<&'static Row> {
    let path = match WITHOUT_ROW.iter().find(|(path, _)| *path == endpoint.path) {
        None => endpoint.path,
        Some((_, like)) if version == Version::Beta => like,
        Some(_) => return None,
    };
    let row = |family: Family| required(version, endpoint.method.as_str(), &format!("/{}{path}", family.as_str()));
    row(family).or_else(|| row(Family::Communications))
}

/// The last segment of a request that the matrix has a row for; `data-only` rows count in both versions, since the
/// published matrix has none.
fn known_to_the_matrix_only<'a>(
    version: Version,
    family: Family,
    method: &Method,
    below: &'a [String],
) -> Option<&'a str> {
    let path = |family: Family| {
        below.iter().fold(format!("/{}", family.as_str()), |whole, segment| whole + "/" + &encode_segment(segment))
    };
    let known = |family: Family| {
        let row = |version: Version| required(version, method.as_str(), &path(family)).filter(|row| !is_served(row));
        row(version).is_some() || row(Version::Beta).is_some_and(is_data_only)
    };
    (known(family) || known(Family::Communications)).then(|| below.last().map(String::as_str).unwrap_or_default())
}

/// Whether an endpoint here is what the row is about.
fn is_served(row: &Row) -> bool {
    let below = row.path.strip_prefix("/communications").or_else(|| row.path.strip_prefix("/app"));
    ENDPOINTS.iter().any(|endpoint| endpoint.method == row.method && Some(endpoint.path) == below)
}

fn is_data_only(row: &Row) -> bool {
    row.notes.contains(&"data-only")
}

fn allowed_methods(
    version: Version,
    family: Family,
    below: &[String],
    patterns: &[(&'static Endpoint, &'static Row)],
) -> Vec<&'static str> {
    let mut allowed = Vec::new();
    for (endpoint, _) in patterns {
        allowed.push(endpoint.method.as_str());
        if endpoint.method == Method::GET {
            allowed.push("HEAD");
        }
    }
    if allowed.is_empty() && known_to_the_matrix_only(version, family, &Method::POST, below).is_some() {
        allowed.push("POST");
    }
    if !allowed.is_empty() {
        allowed.push("OPTIONS");
    }
    allowed
}

/// The answer to a path that no endpoint has: 404 names the first segment that leads nowhere.
fn nothing_there(below: &[String]) -> ApiError {
    if let Some(last) = below.last()
        && let Some(action) = qualified(last)
        && is_known_action(action)
    {
        return ApiError::function_on_open_property(action);
    }
    let furthest = ENDPOINTS.iter().map(|endpoint| common_segments(endpoint.path, below)).max().unwrap_or_default();
    let culprit = below.get(furthest).or(below.last());
    ApiError::no_route(culprit.map_or("communications", String::as_str))
}

fn is_known_action(name: &str) -> bool {
    let is_last = |path: &str| path.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(name));
    ENDPOINTS.iter().any(|endpoint| endpoint.method == Method::POST && is_last(endpoint.path))
        || rows().iter().any(|row| row.method == "POST" && is_last(row.path))
}

struct Matched {
    ids: Vec<String>,
    literals: usize,
}

/// The ids of a path that fits a pattern.
fn match_path(pattern: &str, path: &[String]) -> Option<Matched> {
    let mut matched = Matched { ids: Vec::new(), literals: 0 };
    let mut segments = path.iter();
    for expected in pattern.split('/').filter(|segment| !segment.is_empty()) {
        let segment = segments.next()?;
        if !segment_fits(expected, segment) {
            return None;
        }
        if expected == "{id}" {
            matched.ids.push(segment.clone());
        } else {
            matched.literals += 1;
        }
    }
    segments.next().is_none().then_some(matched)
}

fn common_segments(pattern: &str, path: &[String]) -> usize {
    let patterns = pattern.split('/').filter(|segment| !segment.is_empty());
    patterns.zip(path).take_while(|(expected, segment)| segment_fits(expected, segment)).count()
}

fn segment_fits(expected: &str, segment: &str) -> bool {
    match qualified(segment) {
        Some(name) => expected.eq_ignore_ascii_case(name),
        None => expected == "{id}" || expected.eq_ignore_ascii_case(segment),
    }
}

/// The name of a bound action written with its namespace.
fn qualified(segment: &str) -> Option<&str> {
    const NAMESPACE: &str = "microsoft.graph.";
    let head = segment.get(..NAMESPACE.len())?;
    head.eq_ignore_ascii_case(NAMESPACE).then(|| &segment[NAMESPACE.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_graph::decode_segment;

    fn path(text: &str) -> Vec<String> {
        text.split('/').filter(|segment| !segment.is_empty()).map(decode_segment).collect()
    }

    fn ids(pattern: &str, text: &str) -> Option<Vec<String>> {
        match_path(pattern, &path(text)).map(|matched| matched.ids)
    }

    #[test]
    fn slash_inside_an_id_does_not_split_the_path() {
        let found = ids("/calls/{id}/audioRoutingGroups/{id}", "/calls/c/audioroutinggroups/a%2Fb");
        assert_eq!(found.unwrap(), ["c", "a/b"]);
    }

    #[test]
    fn literals_match_in_any_case_and_qualified() {
        for text in ["/calls/c/keepAlive", "/CALLS/c/KEEPALIVE", "/calls/c/microsoft.graph.keepAlive"] {
            assert_eq!(ids("/calls/{id}/keepAlive", text), Some(vec!["c".to_owned()]), "{text}");
        }
        for text in ["/calls/c", "/calls/c/keepAlive/x", "/calls/c/keepAlives", "/calls/microsoft.graph.c/keepAlive"] {
            assert_eq!(ids("/calls/{id}/keepAlive", text), None, "{text}");
        }
    }

    #[test]
    fn every_endpoint_is_offered_by_beta_in_both_families() {
        for endpoint in ENDPOINTS {
            for family in [Family::Communications, Family::App] {
                assert!(row(Version::Beta, family, endpoint).is_some(), "{} {}", endpoint.method, endpoint.path);
            }
        }
    }

    #[test]
    fn roles_are_of_the_familys_own_row_where_there_is_one() {
        for row_of_app in rows().iter().filter(|row| row.path.starts_with("/app/")) {
            let below = row_of_app.path.strip_prefix("/app").unwrap();
            let Some(endpoint) = ENDPOINTS.iter().find(|e| e.path == below && e.method == row_of_app.method) else {
                continue;
            };
            assert_eq!(row(row_of_app.version, Family::App, endpoint), Some(row_of_app));
        }
        let create = ENDPOINTS.iter().find(|endpoint| endpoint.path == "/calls").unwrap();
        let sibling = row(Version::V1, Family::App, create).unwrap();
        assert_eq!(sibling.path, "/communications/calls", "v1.0 has no row of its own for /app/calls");
    }

    #[test]
    fn first_segment_that_leads_nowhere_is_named() {
        for (text, culprit) in [
            ("/me", "me"),
            ("/communications", "communications"),
            ("/communications/onlineMeetings/x", "onlineMeetings"),
            ("/communications/calls/c/nothing/more", "nothing"),
            ("/app/calls/c/participants/p/nothing", "nothing"),
        ] {
            let error = find(Version::V1, &Method::GET, &path(text)).err().unwrap();
            assert_eq!(error.status, 404, "{text}");
            assert!(error.message.contains(&format!("'{culprit}'")), "{text}: {}", error.message);
        }
    }
}
