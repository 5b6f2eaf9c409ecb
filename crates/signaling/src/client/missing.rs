//! What a refused request lacked: from endpoint, body and token to role names.
//!
//! The matrix says which roles an endpoint takes; creating and answering a
//! call depend on the body as well. The token is only read, never trusted: a
//! service decides, this explains. Pure.
//! Spec: <https://learn.microsoft.com/graph/permissions-reference>.

use std::fmt;

use antiphon_graph::permission::{CreateScenario, Permission, access_media_missing, required};
use antiphon_graph::wire::Version;
use antiphon_graph::{Call, MediaConfig};
use serde::Deserialize;

use crate::token::TokenClaims;

/// The roles a refused request lacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MissingRoles {
    /// Each entry is needed; of an entry any one role suffices, least
    /// privileged first. Empty if the endpoint is not in the matrix.
    pub needed: Vec<Vec<Permission>>,
    /// The roles in the token; `None` if the token cannot be read.
    pub held: Option<Vec<String>>,
    /// Whether the token acts for a user; this API takes none of those.
    pub delegated: bool,
}

impl MissingRoles {
    /// What a request lacked. `path` is without version; `token` is what can
    /// be read of the token, if anything.
    ///
    /// If a readable token holds all that is known to be needed, all of that
    /// is named: what lacks is then consent in this tenant, or knowledge here.
    pub fn of(version: Version, method: &str, path: &str, body: Option<&[u8]>, token: Option<&TokenClaims>) -> Self {
        let needed = needs(version, method, path, body);
        let held = token.map(|token| token.roles.clone());
        let roles: Vec<_> = held.iter().flatten().filter_map(|role| Permission::parse(role)).collect();
        let lacking: Vec<_> = needed.iter().filter(|any| !any.iter().any(|one| roles.contains(one))).cloned().collect();
        let needed = if lacking.is_empty() { needed } else { lacking };
        Self { needed, held, delegated: token.is_some_and(|token| token.delegated) }
    }

    /// Whether this role would serve for something that lacks.
    pub fn names(&self, permission: Permission) -> bool {
        self.needed.iter().flatten().any(|one| *one == permission)
    }
}

impl fmt::Display for MissingRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let any = |any: &Vec<Permission>| any.iter().map(|one| one.name()).collect::<Vec<_>>().join(" or ");
        match &self.needed[..] {
            [] => f.write_str("The app lacks a permission")?,
            needed => write!(f, "The app needs {}", needed.iter().map(any).collect::<Vec<_>>().join(", and "))?,
        }
        match &self.held {
            _ if self.delegated => f.write_str("; its token acts for a user, which this API never takes"),
            None => Ok(()),
            Some(held) if held.is_empty() => f.write_str("; its token holds no role (is admin consent given?)"),
            Some(held) => write!(f, "; its token holds {}", held.join(", ")),
        }
    }
}

/// All that a request needs: each entry, any one of it.
fn needs(version: Version, method: &str, path: &str, body: Option<&[u8]>) -> Vec<Vec<Permission>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answered {
        media_config: Option<MediaConfig>,
    }
    let Some(row) = required(version, method, path) else { return Vec::new() };
    let created = row.path.ends_with("/calls").then(|| serde_json::from_slice::<Call>(body?).ok()).flatten();
    let (first, media) = match created {
        Some(call) => (CreateScenario::of(&call).sufficient().to_vec(), call.media_config),
        None if row.path.ends_with("/answer") => {
            let answer = body.and_then(|body| serde_json::from_slice::<Answered>(body).ok());
            (row.sufficient().to_vec(), answer.and_then(|answer| answer.media_config))
        }
        None => (row.sufficient().to_vec(), None),
    };
    let media = access_media_missing(media.as_ref(), &[]).map(<[Permission]>::to_vec);
    [first].into_iter().chain(media).filter(|any| !any.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const CALLS: &str = "/communications/calls";
    const ANSWER: &str = "/communications/calls/42/microsoft.graph.answer";

    fn claims(roles: &[&str]) -> TokenClaims {
        TokenClaims { roles: roles.iter().map(ToString::to_string).collect(), ..TokenClaims::default() }
    }

    fn text(path: &str, body: &Value, token: Option<&TokenClaims>) -> String {
        MissingRoles::of(Version::V1, "POST", path, Some(body.to_string().as_bytes()), token).to_string()
    }

    #[test]
    fn a_creation_names_what_its_scenario_and_its_media_lack() {
        let app_hosted = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "b"});
        let one = json!({"targets": [{}], "mediaConfig": app_hosted});
        let two = json!({"targets": [{}, {}], "mediaConfig": app_hosted});
        let token = json!({"@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": "t"});
        let join = json!({"meetingInfo": token, "mediaConfig": app_hosted});
        for (body, roles, expected) in [
            (&one, None, "The app needs Calls.Initiate.All, and Calls.AccessMedia.All or Calls.AccessMedia.Chat"),
            (
                &one,
                Some(&["Calls.Initiate.All"][..]),
                "The app needs Calls.AccessMedia.All or Calls.AccessMedia.Chat; its token holds Calls.Initiate.All",
            ),
            (
                &two,
                Some(&["Calls.AccessMedia.All", "Calls.Initiate.All"]),
                "The app needs Calls.InitiateGroupCall.All; its token holds Calls.AccessMedia.All, Calls.Initiate.All",
            ),
            (
                &join,
                Some(&["Calls.JoinGroupCall.All"]),
                "The app needs Calls.AccessMedia.All or Calls.AccessMedia.Chat; its token holds Calls.JoinGroupCall.All",
            ),
        ] {
            let token = roles.map(claims);
            assert_eq!(text(CALLS, body, token.as_ref()), expected);
        }
        assert!(text(CALLS, &one, Some(&claims(&[]))).ends_with("its token holds no role (is admin consent given?)"));
    }

    #[test]
    fn an_answer_with_app_hosted_media_needs_access_to_media_too() {
        let service = json!({"mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"}});
        let app = json!({"mediaConfig": {"@odata.type": "#microsoft.graph.appHostedMediaConfig"}});
        let held = claims(&["Calls.JoinGroupCall.All"]);
        assert!(text(ANSWER, &app, Some(&held)).starts_with("The app needs Calls.AccessMedia.All"));
        // Nothing known is lacking, so all that is needed is named.
        assert!(text(ANSWER, &service, Some(&held)).starts_with("The app needs Calls.JoinGroupCall.All"));
    }

    #[test]
    fn a_delegated_token_and_an_unknown_endpoint_are_named_as_such() {
        let delegated = TokenClaims { delegated: true, ..TokenClaims::default() };
        assert!(text(ANSWER, &json!({}), Some(&delegated)).ends_with("acts for a user, which this API never takes"));
        assert_eq!(text("/communications/other", &json!({}), None), "The app lacks a permission");
    }

    #[test]
    fn a_body_that_is_no_call_names_the_roles_of_every_scenario() {
        let missing = MissingRoles::of(Version::V1, "POST", CALLS, Some(b"{"), None);
        assert!(missing.names(Permission::Initiate) && missing.names(Permission::JoinGroupCall));
    }
}
