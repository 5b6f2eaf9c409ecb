//! What the bot wants to do, and which permissions that takes.
//!
//! Owns the words of `--want` (scenarios, action names, endpoints, permissions) and the verdict over a token's roles. The
//! matrix and the rules of creation are in `antiphon_graph::permission`. Pure.

use antiphon_graph::permission::{CreateScenario, Enforcement, Permission, Row, rows};

use super::finding::{Finding, Subject};
use crate::permissions::names;
use crate::permissions::query::{Query, operation};

/// Words for what no single endpoint says.
const SCENARIOS: [(&str, Scenario); 8] = [
    ("join", Scenario::Join),
    ("join-as-guest", Scenario::JoinAsGuest),
    ("call", Scenario::Call),
    ("group-call", Scenario::GroupCall),
    ("media", Scenario::Media),
    ("record", Scenario::Action("recordResponse")),
    ("tones", Scenario::Action("subscribeToTone")),
    ("routing-groups", Scenario::Action("audioRoutingGroups")),
];

#[derive(Clone, Copy, Debug)]
enum Scenario {
    Join,
    JoinAsGuest,
    Call,
    GroupCall,
    Media,
    /// The last segment of a path.
    Action(&'static str),
}

/// Something the bot wants to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// As it was typed.
    pub(crate) text: String,
    needs: Vec<Need>,
}

/// Any one of these permissions, least privileged first; none at all if empty.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    /// The operation, where the word stands for one.
    operation: Option<String>,
    any_of: Vec<Permission>,
    /// The one to ask for.
    best: Option<Permission>,
    note: Option<&'static str>,
}

/// Who would have to consent, for the advice.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consent {
    pub(crate) authority: String,
    pub(crate) tenant: Option<String>,
    pub(crate) app_id: Option<String>,
}

impl Want {
    /// Reads a word; the error says which words there are.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let want = |needs| Ok(Self { text: text.to_owned(), needs });
        if let Some((_, scenario)) = SCENARIOS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)) {
            return want(scenario.needs());
        }
        let rows = match Query::parse(text) {
            Query::Permission(permission) => {
                return want(vec![Need {
                    operation: None,
                    any_of: vec![permission],
                    best: Some(permission),
                    note: None,
                }]);
            }
            Query::Words(words) => match &words[..] {
                [action] => ending_in(action),
                _ => Vec::new(),
            },
            query @ Query::Endpoint { .. } => query.rows(),
        };
        if rows.is_empty() {
            let words: Vec<_> = SCENARIOS.iter().map(|(word, _)| *word).collect();
            return Err(format!(
                "{text:?} is nothing a bot can want; choose {}, an action such as playPrompt, an endpoint such as \
                 \"POST /communications/calls/{{id}}/answer\", or a permission",
                words.join(", ")
            ));
        }
        want(needs_of(&rows))
    }

    /// How a token of these roles stands to it.
    pub(crate) fn judge(&self, roles: &[Permission], consent: &Consent) -> Vec<Finding> {
        self.needs.iter().map(|need| self.judge_one(need, roles, consent)).collect()
    }

    fn judge_one(&self, need: &Need, roles: &[Permission], consent: &Consent) -> Finding {
        let subject = Subject::Permissions;
        // An endpoint is its own name already.
        let operation = need.operation.as_ref().filter(|_| !self.text.contains('/'));
        let about = operation.map_or_else(String::new, |operation| format!("{operation} "));
        if need.any_of.is_empty() {
            return Finding::ok(subject, &self.text, format!("{about}needs no permission"));
        }
        let note = need.note.map_or_else(String::new, |note| format!(" ({note})"));
        let Some(held) = need.any_of.iter().find(|permission| roles.contains(permission)) else {
            let seen = format!("{about}needs {}{note}; the token has none", names(&need.any_of).join(" or "));
            let best = need.best.unwrap_or(need.any_of[0]);
            return Finding::missing(subject, &self.text, seen, consent.advice(best));
        };
        let seen = format!("{about}may be done by {held}{note}");
        match held {
            Permission::JoinGroupCallsChat | Permission::AccessMediaChat => {
                let advice = format!(
                    "it holds only in chats and meetings that installed the app; ask for {} to do it everywhere",
                    need.best.map_or("the tenant-wide permission", Permission::name)
                );
                Finding::warning(subject, &self.text, seen, advice)
            }
            Permission::JoinGroupCallAsGuest if self.text.eq_ignore_ascii_case("join") => {
                let advice = format!(
                    "the bot joins as a guest, through the lobby; {} joins as the app",
                    Permission::JoinGroupCall
                );
                Finding::warning(subject, &self.text, seen, advice)
            }
            _ => Finding::ok(subject, &self.text, seen),
        }
    }
}

impl Scenario {
    fn needs(self) -> Vec<Need> {
        use Permission as P;
        let (any_of, best): (&[P], P) = match self {
            // The app's own permission first: that a guest may come in too is what `join-as-guest` asks.
            Self::Join => (&[P::JoinGroupCall, P::JoinGroupCallAsGuest, P::JoinGroupCallsChat], P::JoinGroupCall),
            Self::JoinAsGuest => (&[P::JoinGroupCallAsGuest, P::JoinGroupCall], P::JoinGroupCallAsGuest),
            Self::Call => (CreateScenario::PeerToPeer.sufficient(), P::Initiate),
            Self::GroupCall => (CreateScenario::GroupCall.sufficient(), P::InitiateGroupCall),
            Self::Media => (&[P::AccessMedia, P::AccessMediaChat], P::AccessMedia),
            Self::Action(name) => return needs_of(&ending_in(name)),
        };
        vec![Need { operation: None, any_of: any_of.to_vec(), best: Some(best), note: None }]
    }
}

/// Rows of the current family whose path ends in this action or collection.
fn ending_in(name: &str) -> Vec<&'static Row> {
    let ends = |row: &&Row| {
        let last = row.path.rsplit('/').next().unwrap_or_default();
        row.path.starts_with("/communications") && last.eq_ignore_ascii_case(name)
    };
    rows().iter().filter(ends).collect()
}

/// One need for each set of permissions; endpoints with the same set are told once, by the first.
fn needs_of(rows: &[&Row]) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for row in rows {
        let (any_of, note) = match row.enforcement {
            _ if row.method == "POST" && row.path.ends_with("/calls") => {
                (row.sufficient().to_vec(), Some("which one depends on the call: say join, call or group-call"))
            }
            Enforcement::Request => (row.sufficient().to_vec(), None),
            Enforcement::Nothing => (Vec::new(), None),
            Enforcement::CallCreation => (creating(), Some("checked when the call is created or joined")),
        };
        if needs.iter().all(|need| need.any_of != any_of) {
            let best = any_of.iter().copied().find(|permission| !permission.is_resource_specific());
            needs.push(Need { operation: Some(operation(row)), any_of, best, note });
        }
    }
    needs
}

/// By any of these an app comes to have a call of its own.
fn creating() -> Vec<Permission> {
    let scenarios = [CreateScenario::Join, CreateScenario::PeerToPeer, CreateScenario::GroupCall];
    scenarios.iter().flat_map(|scenario| scenario.sufficient()).copied().collect()
}

impl Consent {
    /// How a permission gets into tokens.
    fn advice(&self, permission: Permission) -> String {
        if permission.is_resource_specific() {
            return format!("have the app with {permission} in its manifest installed in the chat or meeting");
        }
        let tenant = self.tenant.as_deref().unwrap_or("{tenant}");
        let app = self.app_id.as_deref().unwrap_or("{app id}");
        format!(
            "add the application permission {permission} (app role {}) to the registration, have an administrator consent \
             at {}/{tenant}/adminconsent?client_id={app}, then fetch a new token",
            permission.app_role_id(),
            self.authority
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;

    fn verdicts(text: &str, roles: &[Permission]) -> Vec<Status> {
        let consent = Consent { authority: "https://login".to_owned(), ..Consent::default() };
        Want::parse(text).unwrap().judge(roles, &consent).into_iter().map(|finding| finding.status).collect()
    }

    #[test]
    fn each_scenario_is_allowed_by_its_permission_and_by_no_other() {
        use Permission as P;
        for (text, enough) in [
            ("join", vec![P::JoinGroupCall]),
            ("join-as-guest", vec![P::JoinGroupCallAsGuest, P::JoinGroupCall]),
            ("call", vec![P::Initiate]),
            ("group-call", vec![P::InitiateGroupCall]),
            ("media", vec![P::AccessMedia]),
            ("record", vec![P::AccessMedia]),
            ("tones", vec![P::AccessMedia]),
            ("routing-groups", vec![P::JoinGroupCall, P::InitiateGroupCall]),
            ("Calls.Initiate.All", vec![P::Initiate]),
            ("POST /v1.0/communications/calls/{id}/participants/invite", vec![P::InitiateGroupCall]),
        ] {
            for role in P::ALL {
                let expected = if enough.contains(&role) { Status::Ok } else { Status::Missing };
                let lesser = matches!(
                    (text, role),
                    ("join", P::JoinGroupCallAsGuest | P::JoinGroupCallsChat) | ("media", P::AccessMediaChat)
                );
                let expected = if lesser { Status::Warning } else { expected };
                assert!(verdicts(text, &[role]).iter().all(|status| *status == expected), "{text} by {role}");
            }
        }
    }

    #[test]
    fn what_is_checked_at_creation_needs_any_way_to_have_a_call() {
        assert_eq!(verdicts("keepAlive", &[Permission::JoinGroupCall]), [Status::Ok]);
        assert_eq!(verdicts("keepAlive", &[Permission::AccessMedia]), [Status::Missing]);
        assert_eq!(verdicts("reject", &[]), [Status::Ok]);
    }

    #[test]
    fn advice_names_permission_role_id_and_where_to_consent() {
        let consent = Consent {
            authority: "https://login".to_owned(),
            tenant: Some("contoso".to_owned()),
            app_id: Some("app".to_owned()),
        };
        let findings = Want::parse("group-call").unwrap().judge(&[], &consent);
        let fix = findings[0].fix.as_deref().unwrap();
        assert!(
            fix.contains("Calls.InitiateGroupCall.All") && fix.contains("4c277553-8a09-487b-8023-29ee378d8324"),
            "{fix}"
        );
        assert!(fix.contains("https://login/contoso/adminconsent?client_id=app"), "{fix}");
    }

    #[test]
    fn unknown_wants_are_refused_with_the_words_there_are() {
        for text in ["fly", "", "POST /v1.0/communications/calls/{id}/fly", "two words"] {
            let error = Want::parse(text).unwrap_err();
            assert!(error.contains("join-as-guest") && error.contains("playPrompt"), "{error}");
        }
    }
}
