//! What an access token says, and what it lacks for the calling API.
//!
//! Reads the claims without checking the signature: only the service can, and only to explain, never to decide. The time
//! is an argument. Pure. Spec: RFC 7519; claims by "Access token claims reference" of the Microsoft identity platform.

use antiphon_graph::permission::Permission;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::finding::{Finding, Subject};

/// Audiences that are Graph: its URL and its app id.
const GRAPH_AUDIENCES: [&str; 3] =
    ["https://graph.microsoft.com", "https://graph.microsoft.com/", "00000003-0000-0000-c000-000000000000"];
/// A token that has less time left is worth a word.
const SHORT: SignedDuration = SignedDuration::from_mins(5);
/// How far clocks may differ before services refuse.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The claims the doctor looks at.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Claims {
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    exp: Option<f64>,
    #[serde(default)]
    appid: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    tid: Option<String>,
    #[serde(default)]
    idtyp: Option<String>,
    #[serde(default)]
    scp: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// What the token ought to say, as far as that is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    pub(crate) tenant: Option<String>,
    pub(crate) app_id: Option<String>,
}

impl Claims {
    /// Reads them; `None` if the text is no JWT.
    pub(crate) fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        // By way of an object: a list would do for a struct too.
        let object: serde_json::Map<_, _> = serde_json::from_slice(&payload).ok()?;
        serde_json::from_value(object.into()).ok()
    }

    /// The app it was given to.
    pub(crate) fn app_id(&self) -> Option<&str> {
        self.appid.as_deref().or(self.azp.as_deref())
    }

    /// The tenant it is for.
    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tid.as_deref()
    }

    /// Its calling permissions.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        self.roles.iter().filter_map(|role| Permission::parse(role)).collect()
    }

    /// Everything but what the wants need.
    pub(crate) fn examine(&self, expected: &Expected, now: Timestamp) -> Vec<Finding> {
        let mut findings = vec![self.audience(), self.time(now), self.kind()];
        findings.extend(self.identity("app", "appid", self.app_id(), expected.app_id.as_deref()));
        findings.extend(self.identity("tenant", "tid", self.tenant(), expected.tenant.as_deref()));
        findings
    }

    fn audience(&self) -> Finding {
        let audiences = match &self.aud {
            None => &[],
            Some(Audience::One(one)) => std::slice::from_ref(one),
            Some(Audience::Many(many)) => &many[..],
        };
        let fix = "ask for the scope https://graph.microsoft.com/.default";
        match audiences {
            [] => Finding::missing(Subject::Token, "audience", "there is no aud claim", fix),
            some if some.iter().any(|one| GRAPH_AUDIENCES.contains(&one.as_str())) => {
                Finding::ok(Subject::Token, "audience", some.join(", "))
            }
            others => Finding::missing(Subject::Token, "audience", format!("{} is not Graph", others.join(", ")), fix),
        }
    }

    fn time(&self, now: Timestamp) -> Finding {
        let check = "validity";
        let (Some(expires), begins) = (self.exp.and_then(moment), self.nbf.and_then(moment)) else {
            return Finding::missing(Subject::Token, check, "there is no exp claim", "fetch a token of the authority");
        };
        let left = expires.duration_since(now);
        if left <= SignedDuration::ZERO {
            let seen = format!("expired {} ago, at {expires}", spoken(-left));
            return Finding::missing(Subject::Token, check, seen, "fetch a new one; mind this machine's clock");
        }
        match begins.map(|begins| begins.duration_since(now)) {
            Some(ahead) if ahead > SKEW => {
                let seen = format!("not valid for another {}", spoken(ahead));
                Finding::missing(Subject::Token, check, seen, "set this machine's clock right")
            }
            _ if left < SHORT => {
                let seen = format!("expires in {}", spoken(left));
                Finding::warning(Subject::Token, check, seen, "fetch a new one before it is used")
            }
            _ => Finding::ok(Subject::Token, check, format!("valid for another {}", spoken(left))),
        }
    }

    /// App-only or delegated, and with roles or without.
    fn kind(&self) -> Finding {
        let check = "kind";
        let delegated = self.scp.as_deref().filter(|scopes| !scopes.trim().is_empty());
        if let Some(scopes) = delegated.or(self.idtyp.as_deref().filter(|kind| kind.eq_ignore_ascii_case("user"))) {
            let seen = format!("a delegated token of a user (scp: {scopes}); the calling API takes app-only tokens");
            let fix = "use the client credentials grant with application permissions";
            return Finding::missing(Subject::Token, check, seen, fix);
        }
        let permissions: Vec<_> = self.permissions().iter().map(|permission| permission.name()).collect();
        if !permissions.is_empty() {
            return Finding::ok(Subject::Token, check, format!("app-only, with {}", permissions.join(", ")));
        }
        let seen = if self.roles.is_empty() {
            "app-only, without a roles claim: nothing is consented to in this tenant".to_owned()
        } else {
            format!("app-only, but no role of it is about calls: {}", self.roles.join(", "))
        };
        let fix = "add Calls.* application permissions and have an administrator of the tenant consent to them";
        Finding::missing(Subject::Token, check, seen, fix)
    }

    fn identity(&self, check: &str, claim: &str, said: Option<&str>, expected: Option<&str>) -> Option<Finding> {
        let fix = match check {
            "tenant" => "fetch the token from the tenant of the call or meeting: another answers 403 with code 7505",
            _ => "fetch the token with the bot's own app id",
        };
        let Some(said) = said else {
            let seen = format!("there is no {claim} claim");
            return Some(Finding::missing(Subject::Token, check, seen, fix));
        };
        // A domain name, `common` or `organizations` cannot be held against a GUID.
        let expected = expected.filter(|text| uuid::Uuid::try_parse(text).is_ok());
        match expected {
            Some(expected) if uuid::Uuid::try_parse(said) != uuid::Uuid::try_parse(expected) => {
                Some(Finding::missing(Subject::Token, check, format!("{said}, not {expected}"), fix))
            }
            _ => Some(Finding::ok(Subject::Token, check, said)),
        }
    }
}

/// A claim's NumericDate.
fn moment(seconds: f64) -> Option<Timestamp> {
    // Out of range becomes the nearest; no calendar goes that far anyway.
    Timestamp::from_second(seconds as i64).ok()
}

/// A span in its largest fitting unit.
pub(crate) fn spoken(span: SignedDuration) -> String {
    match span.as_secs().unsigned_abs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Status;
    use super::*;
    use serde_json::{Value, json};

    const APP: &str = "2d2f1a4e-0000-4000-8000-000000000001";
    const TENANT: &str = "3b9f6f5e-7c0d-4a57-9f0b-6d1c5a0e7a11";
    const NOW: i64 = 1_700_000_000;

    fn good() -> Value {
        json!({
            "aud": "https://graph.microsoft.com", "nbf": NOW - 60, "exp": NOW + 3600, "appid": APP, "tid": TENANT,
            "idtyp": "app", "roles": ["Calls.JoinGroupCall.All", "User.Read.All"],
        })
    }

    fn examine(claims: &Value) -> Vec<Finding> {
        let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let expected = Expected { tenant: Some(TENANT.to_uppercase()), app_id: Some(APP.to_owned()) };
        let now = Timestamp::from_second(NOW).unwrap();
        Claims::read(&token).expect("a JWT").examine(&expected, now)
    }

    fn changed(changes: Value) -> Value {
        let mut claims = good();
        let (Value::Object(claims_map), Value::Object(changes)) = (&mut claims, changes) else { panic!("objects") };
        for (name, value) in changes {
            if value.is_null() {
                claims_map.remove(&name)
            } else {
                claims_map.insert(name, value)
            };
        }
        claims
    }

    #[test]
    fn a_good_token_lacks_nothing() {
        for finding in examine(&good()) {
            assert_eq!(finding.status, Status::Ok, "{finding:?}");
        }
    }

    #[test]
    fn each_fault_of_a_token_is_found_by_name() {
        use Status::{Missing, Warning};
        for (changes, check, status, words) in [
            (json!({ "aud": "api://other" }), "audience", Missing, "api://other is not Graph"),
            (json!({ "aud": null }), "audience", Missing, "no aud claim"),
            (json!({ "exp": NOW - 300 }), "validity", Missing, "expired 5 min ago"),
            (json!({ "exp": NOW + 60 }), "validity", Warning, "expires in 60 s"),
            (json!({ "exp": null }), "validity", Missing, "no exp claim"),
            (json!({ "nbf": NOW + 3600 }), "validity", Missing, "not valid for another 60 min"),
            (json!({ "scp": "User.Read Calls.All", "roles": null }), "kind", Missing, "a delegated token"),
            (json!({ "idtyp": "user", "roles": null }), "kind", Missing, "a delegated token"),
            (json!({ "roles": null }), "kind", Missing, "nothing is consented to"),
            (json!({ "roles": ["Mail.Read"] }), "kind", Missing, "Mail.Read"),
            (json!({ "tid": APP }), "tenant", Missing, "not"),
            (json!({ "tid": null }), "tenant", Missing, "no tid claim"),
            (json!({ "appid": TENANT }), "app", Missing, "not"),
            (json!({ "appid": null }), "app", Missing, "no appid claim"),
        ] {
            let findings = examine(&changed(changes.clone()));
            let finding = findings.iter().find(|finding| finding.check == check).expect(check);
            assert_eq!(finding.status, status, "{changes}: {finding:?}");
            assert!(finding.seen.contains(words) && finding.fix.is_some(), "{finding:?}");
            assert!(findings.iter().all(|other| other.check == check || other.status == Status::Ok), "{findings:?}");
        }
    }

    #[test]
    fn version_two_tokens_and_lists_of_audiences_are_read() {
        let claims =
            changed(json!({ "appid": null, "azp": APP, "aud": ["x", "00000003-0000-0000-c000-000000000000"] }));
        assert!(examine(&claims).iter().all(|finding| finding.status == Status::Ok));
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for text in ["", "opaque", "a.b.c", "a.e30", "a.W10.c", "..", "a.eyJyb2xlcyI6MX0.c"] {
            assert!(Claims::read(text).is_none(), "{text}");
        }
        assert!(Claims::read("a.e30.c").is_some());
        assert!(Claims::read("a.e30=.c").is_some());
    }

    #[test]
    fn absurd_times_do_not_panic() {
        for exp in [json!(1e300), json!(-1e300), json!(0), json!(i64::MAX)] {
            let findings = examine(&changed(json!({ "exp": exp, "nbf": exp })));
            assert!(findings.iter().any(|finding| finding.check == "validity" && finding.status != Status::Ok));
        }
    }
}
