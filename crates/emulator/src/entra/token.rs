//! The token endpoint: OAuth 2.0 client credentials, in the words of Entra.
//!
//! A pure function from tenant and form to a token or an AADSTS error; the HTTP side is in `entra::routes`. Only
//! permissions consented to in that tenant become `roles`. An app proves itself by secret or `client_assertion`. Nobody
//! signs in here: grants on behalf of users are refused, but one such token can be had to see it refused.
//! Spec: RFC 6749 §4.4 and §5.2; "Microsoft identity platform and the OAuth 2.0 client credentials flow".

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::assertion::{self, AssertionError};
use super::{App, Directory, DirectoryError, GRAPH_AUDIENCE, SigningKey};

/// Why no token was given (culprit: caller).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum TokenError {
    #[error("The request body must contain the following parameter: '{0}'.")]
    MissingParameter(&'static str),
    #[error("The request body did not arrive in time.")]
    TooSlow,
    #[error("The request body is too large.")]
    TooLarge,
    #[error("The endpoint does not accept {0} requests.")]
    WrongMethod(String),
    #[error("The app requested an unsupported grant type '{0}'.")]
    UnsupportedGrant(String),
    #[error("'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.")]
    MissingCredential,
    #[error(transparent)]
    Assertion(AssertionError),
    #[error("Invalid request. Request is malformed or invalid.")]
    InvalidGrant,
    #[error(
        "The user account does not exist in the directory. To sign into this application, the account must be added to it."
    )]
    UnknownUser,
    #[error("Assertion failed signature validation.")]
    InvalidUserAssertion,
    #[error(
        "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    )]
    UnknownTenant(String),
    #[error(
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant."
    )]
    UnknownApp { app: String, tenant: String },
    #[error(
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{0}'."
    )]
    WrongSecret(String),
    #[error(
        "The provided value for scope {0} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
    )]
    InvalidScope(String),
}

impl TokenError {
    /// HTTP status, OAuth error word and AADSTS number.
    fn kind(&self) -> (u16, &'static str, u32) {
        match self {
            Self::MissingParameter(_) => (400, "invalid_request", 900_144),
            Self::TooSlow => (408, "invalid_request", 9_002_313),
            Self::TooLarge => (413, "invalid_request", 9_002_313),
            Self::WrongMethod(_) => (405, "invalid_request", 900_561),
            Self::UnsupportedGrant(_) => (400, "unsupported_grant_type", 70_003),
            Self::MissingCredential => (401, "invalid_client", 7_000_216),
            Self::Assertion(AssertionError::Malformed) => (401, "invalid_client", 50_027),
            Self::Assertion(AssertionError::Signature) => (401, "invalid_client", 700_027),
            Self::Assertion(AssertionError::Application) => (401, "invalid_client", 700_021),
            Self::Assertion(AssertionError::Audience) => (401, "invalid_client", 700_023),
            Self::Assertion(AssertionError::Time) => (401, "invalid_client", 700_024),
            Self::InvalidGrant => (400, "invalid_grant", 9_002_313),
            Self::UnknownUser => (400, "invalid_grant", 50_034),
            Self::InvalidUserAssertion => (400, "invalid_grant", 50_013),
            Self::UnknownTenant(_) => (400, "invalid_request", 90_002),
            Self::UnknownApp { .. } => (400, "unauthorized_client", 700_016),
            Self::WrongSecret(_) => (401, "invalid_client", 7_000_215),
            Self::InvalidScope(_) => (400, "invalid_scope", 1_002_012),
        }
    }

    /// The answer's status.
    pub(crate) fn status(&self) -> u16 {
        self.kind().0
    }

    /// The answer's body (RFC 6749 §5.2 with Entra's additions).
    pub(crate) fn body(&self, now: Timestamp) -> Value {
        let (_, error, number) = self.kind();
        let trace = Uuid::new_v4();
        let correlation = Uuid::new_v4();
        let time = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        json!({
            "error": error,
            "error_description": format!("AADSTS{number}: {self} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
            "error_codes": [number],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
        })
    }
}

/// Gives a token for the client credentials in `form`.
///
/// # Errors
///
/// [`TokenError`] when the form, the tenant, the app or its secret is not right.
pub(crate) fn issue_token(
    directory: &Directory,
    key: &SigningKey,
    tenant: &str,
    form: &HashMap<String, String>,
    now: Timestamp,
    lifetime: Duration,
) -> Result<Value, TokenError> {
    let field =
        |name: &'static str| form.get(name).filter(|value| !value.is_empty()).ok_or(TokenError::MissingParameter(name));
    let grant = field("grant_type")?;
    if grant != "client_credentials" {
        return Err(refused_grant(grant, form));
    }
    let client_id = field("client_id")?;
    let app = directory.app(client_id);
    let tenant = resolve_tenant(directory, tenant, app)?;
    let app = app
        .filter(|app| app.tenant_id == tenant || app.consents.contains_key(&tenant))
        .ok_or_else(|| TokenError::UnknownApp { app: client_id.clone(), tenant: tenant.clone() })?;
    let proof = check_credential(app, &tenant, form, now)?;
    let scope = field("scope")?;
    if !scope.trim_end().ends_with("/.default") {
        return Err(TokenError::InvalidScope(scope.clone()));
    }
    let claims = access_claims(app, &tenant, proof, now, lifetime);
    Ok(json!({
        "token_type": "Bearer",
        "expires_in": lifetime.as_secs().saturating_sub(1),
        "ext_expires_in": lifetime.as_secs().saturating_sub(1),
        "access_token": key.sign(&claims),
    }))
}

/// `common` and `organizations` stand for the app's own tenant.
fn resolve_tenant(directory: &Directory, named: &str, app: Option<&App>) -> Result<String, TokenError> {
    if named.eq_ignore_ascii_case("common") || named.eq_ignore_ascii_case("organizations") {
        return Ok(app.map_or(directory.first_tenant(), |app| &app.tenant_id).to_owned());
    }
    directory.tenant(named).map(str::to_owned).ok_or_else(|| TokenError::UnknownTenant(named.to_owned()))
}

/// The application is who it says: by its secret, or by an assertion signed with a key it registered.
fn check_credential(
    app: &App,
    tenant: &str,
    form: &HashMap<String, String>,
    now: Timestamp,
) -> Result<Proof, TokenError> {
    let given = |name: &str| form.get(name).filter(|value| !value.is_empty());
    if let Some(secret) = given("client_secret") {
        return verify_slices_are_equal(secret.as_bytes(), app.client_secret.as_bytes())
            .map(|()| Proof::Secret)
            .map_err(|_| TokenError::WrongSecret(app.app_id.clone()));
    }
    let assertion = given("client_assertion").ok_or(TokenError::MissingCredential)?;
    let kind = given("client_assertion_type").ok_or(TokenError::MissingParameter("client_assertion_type"))?;
    if kind != assertion::JWT_BEARER {
        return Err(TokenError::Assertion(AssertionError::Malformed));
    }
    assertion::check(app, tenant, assertion, now).map_err(TokenError::Assertion)?;
    Ok(Proof::Assertion)
}

/// How an application proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Secret,
    Assertion,
}

impl Proof {
    /// `appidacr`: the authentication context of the application.
    fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "1",
            Self::Assertion => "2",
        }
    }
}

/// What Entra answers to a grant that this service knows and cannot serve: nobody signs in here.
fn refused_grant(grant: &str, form: &HashMap<String, String>) -> TokenError {
    let (needed, error): (&[&'static str], fn() -> TokenError) = match grant {
        "authorization_code" => (&["client_id", "code"], || TokenError::InvalidGrant),
        "refresh_token" => (&["client_id", "refresh_token"], || TokenError::InvalidGrant),
        "password" => (&["client_id", "username", "password", "scope"], || TokenError::UnknownUser),
        "urn:ietf:params:oauth:grant-type:device_code" => (&["client_id", "device_code"], || TokenError::InvalidGrant),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            (&["client_id", "assertion", "requested_token_use"], || TokenError::InvalidUserAssertion)
        }
        other => return TokenError::UnsupportedGrant(other.to_owned()),
    };
    let missing = needed.iter().find(|name| form.get(**name).is_none_or(String::is_empty));
    missing.map_or_else(error, |name| TokenError::MissingParameter(name))
}

/// A token given on behalf of a user, to see what Graph answers to it: calls are for applications only.
///
/// # Errors
///
/// [`DirectoryError`] when app or user is unknown.
pub(crate) fn delegated_token(
    directory: &Directory,
    key: &SigningKey,
    app_id: &str,
    user_id: &str,
    now: Timestamp,
    lifetime: Duration,
) -> Result<String, DirectoryError> {
    let app = directory.app(app_id).ok_or_else(|| DirectoryError::UnknownApp(app_id.to_owned()))?;
    let user = directory.user(user_id).ok_or_else(|| DirectoryError::UnknownUser(user_id.to_owned()))?;
    let mut claims = common_claims(app, &user.tenant_id, now, lifetime);
    claims["scp"] = json!(app.permissions.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
    for (name, value) in [("idtyp", "user"), ("oid", &user.id), ("sub", &user.id), ("name", &user.display_name)] {
        claims[name] = json!(value);
    }
    Ok(key.sign(&claims))
}

fn access_claims(app: &App, tenant: &str, proof: Proof, now: Timestamp, lifetime: Duration) -> Value {
    let principal = service_principal(&app.app_id, tenant);
    let mut claims = common_claims(app, tenant, now, lifetime);
    for (name, value) in [("appidacr", proof.as_str()), ("idtyp", "app")] {
        claims[name] = json!(value);
    }
    claims["oid"] = json!(principal);
    claims["sub"] = json!(principal);
    // As in Entra: an app without consent has no roles claim at all.
    if let Some(roles) = app.consents.get(tenant).filter(|roles| !roles.is_empty()) {
        claims["roles"] = json!(roles);
    }
    claims
}

/// What tokens of applications and of users have in common.
fn common_claims(app: &App, tenant: &str, now: Timestamp, lifetime: Duration) -> Value {
    let issued = now.as_second();
    json!({
        "aud": GRAPH_AUDIENCE,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": issued, "nbf": issued, "exp": issued.saturating_add_unsigned(lifetime.as_secs()),
        "app_displayname": app.display_name,
        "appid": app.app_id,
        "tid": tenant, "uti": Uuid::new_v4().simple(), "ver": "1.0",
    })
}

/// The object id of an app in a tenant: always the same for the pair.
fn service_principal(app_id: &str, tenant: &str) -> Uuid {
    let hash = digest(&SHA256, format!("{tenant}/{app_id}").as_bytes());
    let bytes = hash.as_ref()[..16].try_into().expect("invariant: SHA-256 has 32 bytes");
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entra::{Consent, KeyRing, NewApp};

    const HOUR: Duration = Duration::from_secs(3600);

    fn setup() -> (Directory, App) {
        let mut directory = Directory::new(crate::config::DEFAULT_TENANT).unwrap();
        let app = directory
            .register(NewApp {
                display_name: "Bot".to_owned(),
                permissions: vec!["Calls.JoinGroupCall.All".to_owned(), "Calls.AccessMedia.All".to_owned()],
                ..NewApp::default()
            })
            .unwrap();
        (directory, app)
    }

    fn form(app: &App) -> HashMap<String, String> {
        [
            ("grant_type", "client_credentials"),
            ("client_id", &app.app_id),
            ("client_secret", &app.client_secret),
            ("scope", "https://127.0.0.1/.default"),
            ("client_info", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn issue(directory: &Directory, tenant: &str, form: &HashMap<String, String>) -> Result<Value, TokenError> {
        issue_token(directory, &KeyRing.authority(), tenant, form, Timestamp::now(), HOUR)
    }

    fn roles(answer: &Value) -> Value {
        let token = answer["access_token"].as_str().unwrap();
        KeyRing.authority().verify::<Value>(token).unwrap()["roles"].clone()
    }

    #[test]
    fn roles_are_exactly_what_was_consented_to_in_that_tenant() {
        let (mut directory, app) = setup();
        let home = directory.first_tenant().to_owned();
        assert_eq!(roles(&issue(&directory, &home, &form(&app)).unwrap()), Value::Null);

        let join_only = Consent { permissions: Some(vec!["calls.joingroupcall.all".to_owned()]), ..Consent::default() };
        directory.consent(&app.app_id, join_only).unwrap();
        let answer = issue(&directory, &home, &form(&app)).unwrap();
        assert_eq!(roles(&answer), json!(["Calls.JoinGroupCall.All"]));
        assert_eq!(answer["expires_in"], 3599);

        let other = directory.add_tenant(None).unwrap();
        let unknown = issue(&directory, &other, &form(&app)).unwrap_err();
        assert!(matches!(unknown, TokenError::UnknownApp { .. }), "{unknown}");
        directory.consent(&app.app_id, Consent { tenant_id: Some(other.clone()), permissions: None }).unwrap();
        let answer = issue(&directory, &other, &form(&app)).unwrap();
        assert_eq!(roles(&answer), json!(["Calls.AccessMedia.All", "Calls.JoinGroupCall.All"]));
    }

    #[test]
    fn each_wrong_request_has_its_own_aadsts_number() {
        let (directory, app) = setup();
        let home = directory.first_tenant();
        let cases: &[(&str, Option<&str>, &str, u64, u16)] = &[
            ("client_secret", Some("wrong"), home, 7_000_215, 401),
            ("client_secret", None, home, 7_000_216, 401),
            ("client_id", Some("0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10"), home, 700_016, 400),
            ("client_id", None, home, 900_144, 400),
            ("grant_type", Some("magic"), home, 70_003, 400),
            ("grant_type", Some("password"), home, 900_144, 400),
            ("grant_type", None, home, 900_144, 400),
            ("scope", Some("https://graph.microsoft.com/Calls.All"), home, 1_002_012, 400),
            ("scope", None, home, 900_144, 400),
            ("client_info", None, "no-such-tenant", 90_002, 400),
        ];
        for (name, value, tenant, number, status) in cases {
            let mut form = form(&app);
            form.remove(*name);
            if let Some(value) = value {
                form.insert((*name).to_owned(), (*value).to_owned());
            }
            let error = issue(&directory, tenant, &form).unwrap_err();
            let body = error.body(Timestamp::now());
            assert_eq!(body["error_codes"], json!([number]), "{name}: {body}");
            assert_eq!(error.status(), *status);
            let text = body["error_description"].as_str().unwrap();
            assert!(text.starts_with(&format!("AADSTS{number}: ")), "{text}");
            assert!(body["trace_id"].is_string() && body["correlation_id"].is_string());
        }
    }

    #[test]
    fn grants_that_need_a_user_are_refused_as_entra_does_for_wrong_ones() {
        let (directory, app) = setup();
        let home = directory.first_tenant();
        for (grant, fields, number, word) in [
            ("authorization_code", &["code"][..], 9_002_313, "invalid_grant"),
            ("refresh_token", &["refresh_token"], 9_002_313, "invalid_grant"),
            ("password", &["username", "password"], 50_034, "invalid_grant"),
            ("urn:ietf:params:oauth:grant-type:device_code", &["device_code"], 9_002_313, "invalid_grant"),
            (
                "urn:ietf:params:oauth:grant-type:jwt-bearer",
                &["assertion", "requested_token_use"],
                50_013,
                "invalid_grant",
            ),
        ] {
            let mut form = form(&app);
            form.insert("grant_type".to_owned(), grant.to_owned());
            let bare = issue(&directory, home, &form).unwrap_err();
            assert_eq!(bare, TokenError::MissingParameter(fields[0]), "{grant}");
            form.extend(fields.iter().map(|name| ((*name).to_owned(), "x".to_owned())));
            let body = issue(&directory, home, &form).unwrap_err().body(Timestamp::now());
            assert_eq!((&body["error"], &body["error_codes"]), (&json!(word), &json!([number])), "{grant}");
        }
    }

    #[test]
    fn assertion_without_its_type_or_by_a_stranger_is_refused() {
        let (directory, app) = setup();
        let mut form = form(&app);
        form.remove("client_secret");
        form.insert("client_assertion".to_owned(), "a.b.c".to_owned());
        let refused = |form: &HashMap<String, String>| issue(&directory, &app.tenant_id, form).unwrap_err();
        assert_eq!(refused(&form), TokenError::MissingParameter("client_assertion_type"));
        form.insert("client_assertion_type".to_owned(), "something".to_owned());
        assert_eq!(refused(&form), TokenError::Assertion(AssertionError::Malformed));
        form.insert("client_assertion_type".to_owned(), assertion::JWT_BEARER.to_owned());
        let body = refused(&form).body(Timestamp::now());
        assert_eq!((&body["error"], &body["error_codes"]), (&json!("invalid_client"), &json!([50_027])));
    }

    #[test]
    fn common_means_the_home_tenant_of_the_app() {
        let (directory, app) = setup();
        let answer = issue(&directory, "common", &form(&app)).unwrap();
        let token = answer["access_token"].as_str().unwrap();
        let claims: Value = KeyRing.authority().verify(token).unwrap();
        assert_eq!(claims["tid"], app.tenant_id);
        assert_eq!(claims["appid"], app.app_id);
        assert_eq!(claims["aud"], GRAPH_AUDIENCE);
    }

    #[test]
    fn consent_to_what_was_not_asked_for_is_refused() {
        let (mut directory, app) = setup();
        let ask = |names: &[&str]| Consent {
            tenant_id: None,
            permissions: Some(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let error = directory.consent(&app.app_id, ask(&["Calls.Initiate.All"])).unwrap_err();
        assert_eq!(error, DirectoryError::NotRequested("Calls.Initiate.All".to_owned()));
        let error = directory.consent(&app.app_id, ask(&["Mail.Read"])).unwrap_err();
        assert_eq!(error, DirectoryError::UnknownPermission("Mail.Read".to_owned()));
    }
}
