//! One Graph request made from a command line, and its body.
//!
//! Owns how flags and `--body` become one JSON object: the file's members, with those given by flags in their place. What
//! is absent stays absent; whether a body will do is the service's decision.

use std::io::Read as _;
use std::path::PathBuf;

use antiphon_graph::encode_segment;
use anyhow::Context as _;
use clap::Args;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};

/// Longest body that is read; services take no longer one.
const BODY_BYTES: u64 = 1024 * 1024;

/// `--body`
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct BodyOption {
    /// JSON body from a file, or from standard input with -. Members given by other options take the place of its own.
    #[arg(long, value_name = "FILE|-")]
    pub(crate) body: Option<PathBuf>,
}

/// A request, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GraphRequest {
    pub(crate) method: Method,
    /// Below the family, for example `/calls/{id}/mute` with the id filled in.
    pub(crate) path: String,
    /// v1.0 does not have it.
    pub(crate) beta_only: bool,
    pub(crate) body: Option<Value>,
    pub(crate) reply: ReplyKind,
}

/// What to do with a reply's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReplyKind {
    /// Print it, if there is one.
    Json,
    /// Follow it to its last page and print all.
    Collection,
    /// Write the bytes to a file, or to standard output.
    Bytes(PathBuf),
}

impl GraphRequest {
    /// A request without a body. Each `{}` of the pattern is filled with the next id, percent-encoded.
    pub(crate) fn new(method: Method, pattern: &str, ids: &[&str]) -> Self {
        let mut ids = ids.iter();
        let mut path = String::new();
        for (at, literal) in pattern.split("{}").enumerate() {
            if at > 0 {
                let id = ids.next().expect("invariant: a pattern is given all its ids");
                path.push_str(&encode_segment(id));
            }
            path.push_str(literal);
        }
        Self { method, path, beta_only: false, body: None, reply: ReplyKind::Json }
    }

    pub(crate) fn get(pattern: &str, ids: &[&str]) -> Self {
        Self::new(Method::GET, pattern, ids)
    }

    pub(crate) fn list(pattern: &str, ids: &[&str]) -> Self {
        Self { reply: ReplyKind::Collection, ..Self::get(pattern, ids) }
    }

    pub(crate) fn delete(pattern: &str, ids: &[&str]) -> Self {
        Self::new(Method::DELETE, pattern, ids)
    }

    /// An action whose body may be left out altogether.
    pub(crate) fn post(pattern: &str, ids: &[&str], flags: &impl Serialize, body: &BodyOption) -> anyhow::Result<Self> {
        let body = body.merged(flags)?;
        let body = (!body.is_empty()).then_some(Value::Object(body));
        Ok(Self { body, ..Self::new(Method::POST, pattern, ids) })
    }

    /// The same for an endpoint that only beta has.
    pub(crate) fn in_beta(self) -> Self {
        Self { beta_only: true, ..self }
    }
}

impl BodyOption {
    /// The file's members, then those of the flags.
    pub(crate) fn merged(&self, flags: &impl Serialize) -> anyhow::Result<Map<String, Value>> {
        let mut body = self.read()?;
        let flags = serde_json::to_value(flags).context("the options cannot be written as JSON")?;
        let Value::Object(flags) = flags else { anyhow::bail!("the options make no JSON object") };
        for (name, value) in flags {
            let not_given = matches!(&value, Value::Null) || matches!(&value, Value::Array(items) if items.is_empty());
            if not_given || (name == "@odata.type" && body.contains_key(&name)) {
                continue;
            }
            body.insert(name, value);
        }
        Ok(body)
    }

    fn read(&self) -> anyhow::Result<Map<String, Value>> {
        let Some(path) = &self.body else { return Ok(Map::new()) };
        let mut text = String::new();
        if path.as_os_str() == "-" {
            let read = std::io::stdin().lock().take(BODY_BYTES + 1).read_to_string(&mut text);
            read.context("no body can be read from standard input")?;
        } else {
            let file = std::fs::File::open(path).with_context(|| format!("cannot read --body {}", path.display()))?;
            let read = file.take(BODY_BYTES + 1).read_to_string(&mut text);
            read.with_context(|| format!("--body {} is no text", path.display()))?;
        }
        anyhow::ensure!(text.len() as u64 <= BODY_BYTES, "--body {} is longer than {BODY_BYTES} bytes", path.display());
        match serde_json::from_str(&text) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => anyhow::bail!("--body {} is JSON, but no object", path.display()),
            Err(error) => anyhow::bail!("--body {} is no JSON: {error}", path.display()),
        }
    }
}

/// Fills a member that neither file nor flags have.
pub(crate) fn fill(body: &mut Map<String, Value>, name: &str, value: impl Serialize) {
    if !body.contains_key(name) {
        let value = serde_json::to_value(value).expect("invariant: resources have text keys and plain members only");
        body.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(text: &str) -> (tempfile::TempDir, BodyOption) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("body.json");
        std::fs::write(&path, text).unwrap();
        (folder, BodyOption { body: Some(path) })
    }

    #[test]
    fn flags_take_the_place_of_the_files_members_and_leave_the_others() {
        let (_folder, body) = file(r##"{"@odata.type":"#x","a":1,"b":[1],"c":{"d":2},"e":3}"##);
        let flags = json!({ "@odata.type": "#y", "a": 2, "b": [], "c": null, "f": true });
        let merged = Value::Object(body.merged(&flags).unwrap());
        assert_eq!(merged, json!({ "@odata.type": "#x", "a": 2, "b": [1], "c": { "d": 2 }, "e": 3, "f": true }));
    }

    #[test]
    fn a_body_that_is_no_object_is_refused_with_file_and_place() {
        for (text, hint) in
            [("[1]", "no object"), ("", "no JSON"), ("{\n  \"a\": }", "line 2 column 8"), ("7", "no object")]
        {
            let (_folder, body) = file(text);
            let error = body.merged(&json!({})).unwrap_err().to_string();
            assert!(error.contains(hint) && error.contains("body.json"), "{text}: {error}");
        }
        let missing = BodyOption { body: Some("no/such/file".into()) };
        assert!(missing.merged(&json!({})).unwrap_err().to_string().contains("no/such/file"));
        let (_folder, long) = file(&" ".repeat(1024 * 1024 + 1));
        assert!(long.merged(&json!({})).unwrap_err().to_string().contains("longer than"));
    }

    #[test]
    fn ids_are_encoded_into_the_path() {
        let request = GraphRequest::get("/calls/{}/audioRoutingGroups/{}", &["c", "a/b c"]);
        assert_eq!(request.path, "/calls/c/audioRoutingGroups/a%2Fb%20c");
    }

    #[test]
    fn an_action_without_anything_to_say_has_no_body() {
        let request = GraphRequest::post("/calls/{}/mute", &["c"], &json!({}), &BodyOption::default()).unwrap();
        assert_eq!(request.body, None);
    }
}
