//! What the doctor found, and its two printed forms.
//!
//! A finding says what was looked at, how it stands, and what to do if it lacks. Only `missing` makes the doctor fail.

use std::fmt::Write as _;

use antiphon_graph::permission::{DATA_DATE, DATA_PAGE};
use serde::Serialize;
use serde_json::json;

/// What a finding is about; printed in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Subject {
    /// App id, secret, tenant, calling-bot registration.
    Registration,
    /// The access token.
    Token,
    /// What the bot wants to do.
    Permissions,
    /// The Graph service.
    Service,
    /// The webhook.
    Webhook,
}

impl Subject {
    const ALL: [Self; 5] = [Self::Registration, Self::Token, Self::Permissions, Self::Service, Self::Webhook];

    fn name(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Token => "token",
            Self::Permissions => "permissions",
            Self::Service => "service",
            Self::Webhook => "webhook",
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Works, but not as well as it should, or not everywhere.
    Warning,
    /// Lacking: what the bot wants will fail.
    Missing,
    /// Cannot be told from here.
    Unknown,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// One line of the checklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) subject: Subject,
    /// Short name of what was looked at, the same on every run.
    pub(crate) check: String,
    pub(crate) status: Status,
    /// What was seen.
    pub(crate) seen: String,
    /// How to put it right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fix: Option<String>,
}

impl Finding {
    fn new(subject: Subject, check: &str, status: Status, seen: String, fix: Option<String>) -> Self {
        Self { subject, check: check.to_owned(), status, seen, fix }
    }

    pub(crate) fn ok(subject: Subject, check: &str, seen: impl Into<String>) -> Self {
        Self::new(subject, check, Status::Ok, seen.into(), None)
    }

    pub(crate) fn warning(subject: Subject, check: &str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(subject, check, Status::Warning, seen.into(), Some(fix.into()))
    }

    pub(crate) fn missing(subject: Subject, check: &str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(subject, check, Status::Missing, seen.into(), Some(fix.into()))
    }

    pub(crate) fn unknown(subject: Subject, check: &str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(subject, check, Status::Unknown, seen.into(), Some(fix.into()))
    }
}

/// Longer names stand out of their column.
const WIDEST: usize = 24;

/// Everything found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Checklist {
    findings: Vec<Finding>,
}

impl Checklist {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    /// Whether nothing lacks.
    pub(crate) fn is_fit(&self) -> bool {
        self.findings.iter().all(|finding| finding.status != Status::Missing)
    }

    fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// For a terminal.
    pub(crate) fn as_text(&self) -> String {
        let mut out = String::new();
        let mut put = |line: &str| writeln!(out, "{line}").expect("invariant: writing to a String cannot fail");
        let widths = self.findings.iter().map(|finding| finding.check.len());
        let width = widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
        for subject in Subject::ALL {
            let about: Vec<_> = self.findings.iter().filter(|finding| finding.subject == subject).collect();
            if about.is_empty() {
                continue;
            }
            put(subject.name());
            for finding in about {
                put(&format!("  {:7}  {:width$}  {}", finding.status.name(), finding.check, finding.seen));
                if let Some(fix) = &finding.fix {
                    put(&format!("  {:7}  {:width$}  → {fix}", "", ""));
                }
            }
        }
        put(&format!(
            "\n{} missing, {} to look at, {} unknown, {} ok. Permissions by {DATA_PAGE}, {DATA_DATE}.",
            self.count(Status::Missing),
            self.count(Status::Warning),
            self.count(Status::Unknown),
            self.count(Status::Ok),
        ));
        out
    }

    /// For a program.
    pub(crate) fn as_json(&self) -> serde_json::Value {
        json!({
            "fit": self.is_fit(),
            "findings": self.findings,
            "permissionData": { "date": DATA_DATE, "page": DATA_PAGE },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checklist() -> Checklist {
        let mut checklist = Checklist::default();
        checklist.add(Finding::ok(Subject::Webhook, "url", "https"));
        checklist.add(Finding::warning(Subject::Token, "expiry", "soon", "fetch another"));
        checklist.add(Finding::unknown(Subject::Service, "bot", "not asked", "give --service"));
        checklist
    }

    #[test]
    fn only_what_is_missing_makes_it_unfit() {
        let mut checklist = checklist();
        assert!(checklist.is_fit());
        checklist.add(Finding::missing(Subject::Token, "roles", "none", "consent"));
        assert!(!checklist.is_fit());
        assert_eq!(checklist.as_json()["fit"], false);
    }

    #[test]
    fn both_forms_have_every_finding_with_its_fix() {
        let checklist = checklist();
        let (text, json) = (checklist.as_text(), checklist.as_json());
        assert_eq!(json["findings"].as_array().map(Vec::len), Some(3));
        for finding in &checklist.findings {
            assert!(text.contains(&finding.seen) && text.contains(finding.status.name()), "{text}");
            assert!(finding.fix.as_ref().is_none_or(|fix| text.contains(fix)), "{text}");
        }
        assert!(text.find("token").unwrap() < text.find("webhook").unwrap(), "{text}");
    }
}
