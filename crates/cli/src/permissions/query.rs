//! What a person means by an endpoint, a permission or a word: rows of the matrix.
//!
//! Owns the text forms: `POST /v1.0/communications/calls/{id}/answer`, a whole URL, ids or placeholders in any braces,
//! OData keys as `calls('id')`, qualified action names, role names in old and new spelling, or plain words. The look-up of
//! one request is `antiphon_graph::permission::required`; here a text may leave version, method or family open. Pure.

use antiphon_graph::permission::{Permission, Row, required, rows};
use antiphon_graph::wire::Version;

/// The methods that the matrix knows.
const METHODS: [&str; 4] = ["GET", "POST", "PATCH", "DELETE"];
const NAMESPACE: &str = "microsoft.graph.";

/// What a text turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Query {
    /// A request, some of it perhaps left open.
    Endpoint { version: Option<Version>, method: Option<&'static str>, path: String },
    /// A permission by its name.
    Permission(Permission),
    /// Words that must all occur in the operation or the names of its permissions.
    Words(Vec<String>),
}

impl Query {
    /// Reads a text.
    pub(crate) fn parse(text: &str) -> Self {
        let mut words: Vec<&str> = text.split_whitespace().collect();
        let method = words.first().and_then(|word| METHODS.into_iter().find(|known| known.eq_ignore_ascii_case(word)));
        let rest = if method.is_some() { &words[1..] } else { &words[..] };
        if let [path] = rest
            && let Some((version, path)) = endpoint_path(path)
        {
            return Self::Endpoint { version, method, path };
        }
        if let [name] = words[..]
            && let Some(permission) = Permission::parse(name).or_else(|| Permission::parse(&format!("Calls.{name}")))
        {
            return Self::Permission(permission);
        }
        // `POST answer`: the method is a word of the operation like any other.
        Self::Words(words.drain(..).map(|word| unqualified(word).to_ascii_lowercase()).collect())
    }

    /// The rows it means, in the order of the matrix.
    pub(crate) fn rows(&self) -> Vec<&'static Row> {
        match self {
            Self::Endpoint { version, method, path } => endpoint_rows(*version, *method, path),
            Self::Permission(permission) => rows().iter().filter(|row| row.sufficient().contains(permission)).collect(),
            Self::Words(words) => rows().iter().filter(|row| words.iter().all(|word| holds(row, word))).collect(),
        }
    }
}

/// Method, version and path of a row, as they are written.
pub(crate) fn operation(row: &Row) -> String {
    format!("{} {}{}", row.method, row.version.as_str(), row.path)
}

fn holds(row: &Row, word: &str) -> bool {
    let named = row.sufficient().iter().any(|permission| permission.name().to_ascii_lowercase().contains(word));
    named || operation(row).to_ascii_lowercase().contains(word)
}

/// Version and path of a text that has the form of a path into the API.
fn endpoint_path(text: &str) -> Option<(Option<Version>, String)> {
    let text = match text.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => text,
    };
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let mut segments: Vec<String> = Vec::new();
    for segment in text.split('/').filter(|segment| !segment.is_empty()) {
        match segment.split_once('(') {
            Some((collection, key)) if key.ends_with(')') => {
                segments.push(collection.to_owned());
                let key = key.trim_end_matches(')').trim_matches('\'');
                segments.extend((!key.is_empty()).then(|| key.to_owned()));
            }
            _ => segments.push(segment.to_owned()),
        }
    }
    let version = segments.first().and_then(|first| Version::parse(first));
    let path = &segments[usize::from(version.is_some())..];
    let family = path
        .first()
        .is_some_and(|first| first.eq_ignore_ascii_case("communications") || first.eq_ignore_ascii_case("app"));
    let calls = path.get(1).is_some_and(|second| second.eq_ignore_ascii_case("calls"));
    (family && calls).then(|| (version, format!("/{}", path.join("/"))))
}

fn endpoint_rows(version: Option<Version>, method: Option<&str>, path: &str) -> Vec<&'static Row> {
    let versions = [Version::V1, Version::Beta].into_iter().filter(|known| version.is_none_or(|asked| asked == *known));
    let mut found: Vec<&'static Row> = versions
        .flat_map(|version| {
            METHODS
                .into_iter()
                .filter(|known| method.is_none_or(|asked| asked == *known))
                .filter_map(move |method| required(version, method, path))
        })
        .collect();
    // Without a method `.../participants/invite` is the action, not a participant of that name.
    let ids = |row: &Row| row.path.matches("{id}").count();
    let fewest = found.iter().map(|row| ids(row)).min();
    found.retain(|row| Some(ids(row)) == fewest);
    found
}

fn unqualified(word: &str) -> &str {
    match word.get(..NAMESPACE.len()) {
        Some(head) if head.eq_ignore_ascii_case(NAMESPACE) => &word[NAMESPACE.len()..],
        _ => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        Query::parse(text).rows().into_iter().map(operation).collect()
    }

    #[test]
    fn an_endpoint_is_found_however_it_is_written() {
        let answer = ["POST v1.0/communications/calls/{id}/answer"];
        for text in [
            "POST /v1.0/communications/calls/{id}/answer",
            "post v1.0/communications/calls/{call-id}/microsoft.graph.answer",
            "POST https://graph.microsoft.com/v1.0/communications/calls/57dab8b1-894c-409a-b240-bd8beae78896/Answer?x=1",
            "/V1.0/Communications/calls('57dab8b1894c409ab240bd8beae78896')/answer/",
            "https://127.0.0.1:8443/v1.0/communications/calls/c/MICROSOFT.GRAPH.ANSWER#top",
        ] {
            assert_eq!(found(text), answer, "{text}");
        }
    }

    #[test]
    fn what_an_endpoint_leaves_open_matches_all() {
        assert_eq!(found("/communications/calls/c/answer").len(), 2, "both versions");
        assert_eq!(
            found("/beta/communications/calls/c"),
            ["GET beta/communications/calls/{id}", "DELETE beta/communications/calls/{id}"]
        );
        assert_eq!(
            found("/v1.0/communications/calls/c/participants/invite"),
            ["POST v1.0/communications/calls/{id}/participants/invite"]
        );
        assert_eq!(found("/v1.0/app/calls"), Vec::<String>::new(), "v1.0 has no app family but for a few paths");
    }

    #[test]
    fn every_row_is_found_by_its_own_text_and_by_nothing_else() {
        for row in rows() {
            assert_eq!(found(&format!("{} /{}{}", row.method, row.version.as_str(), row.path)), [operation(row)]);
        }
    }

    #[test]
    fn permissions_are_found_by_every_spelling_and_not_as_parts_of_others() {
        let join = found("Calls.JoinGroupCall.All");
        for text in ["calls.joingroupcalls.all", "JoinGroupCall.All", " Calls.JoinGroupCall.All "] {
            assert_eq!(found(text), join, "{text}");
        }
        assert!(join.contains(&"PATCH v1.0/communications/calls/{id}/audioRoutingGroups/{id}".to_owned()));
        assert!(!join.contains(&"POST v1.0/communications/calls/{id}/participants/invite".to_owned()));
        assert_eq!(Query::parse("AccessMedia.All"), Query::Permission(Permission::AccessMedia));
    }

    #[test]
    fn words_must_all_occur_in_any_case() {
        assert_eq!(found("microsoft.graph.answer"), found("ANSWER"));
        assert_eq!(found("post v1.0 answer"), ["POST v1.0/communications/calls/{id}/answer"]);
        assert!(found("accessmedia").len() > 10);
        assert_eq!(found("").len(), rows().len());
        assert!(found("no such thing").is_empty());
        assert_eq!(found("(").len(), 0);
    }
}
