//! The token endpoint: OAuth 2.0 client credentials, in the words of Entra.
//!
//! A pure function from tenant and form to a token or an AADSTS error; the HTTP side is in `entra::routes`. Only
//! permissions consented to in that tenant become `roles`. Client certificates (`client_assertion`) are not offered.
//! Spec: RFC 6749 §4.4 and §5.2; "Microsoft identity platform and the OAuth 2.0 client credentials flow".

use std::collections::HashMap;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use super::{App, Directory, GRAPH_AUDIENCE, SigningKey};

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
    #[error("Client certificates are not offered by this service: send 'client_secret'.")]
    CertificateNotOffered,
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
            Self::CertificateNotOffered => (401, "invalid_client", 700_027),
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
        return Err(TokenError::UnsupportedGrant(grant.clone()));
    }
    let client_id = field("client_id")?;
    let app = directory.app(client_id);
    let tenant = resolve_tenant(directory, tenant, app)?;
    let app = app
        .filter(|app| app.tenant_id == tenant || app.consents.contains_key(&tenant))
        .ok_or_else(|| TokenError::UnknownApp { app: client_id.clone(), tenant: tenant.clone() })?;
    check_secret(app, form)?;
    let scope = field("scope")?;
    if !scope.ends_with("/.default") {
        return Err(TokenError::InvalidScope(scope.clone()));
    }
    let claims = access_claims(app, &tenant, now, lifetime);
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

fn check_secret(app: &App, form: &HashMap<String, String>) -> Result<(), TokenError> {
    let Some(secret) = form.get("client_secret").filter(|secret| !secret.is_empty()) else {
        return Err(if form.contains_key("client_assertion") {
            TokenError::CertificateNotOffered
        } else {
            TokenError::MissingCredential
        });
    };
    verify_slices_are_equal(secret.as_bytes(), app.client_secret.as_bytes())
        .map_err(|_| TokenError::WrongSecret(app.app_id.clone()))
}

fn access_claims(app: &App, tenant: &str, now: Timestamp, lifetime: Duration) -> Value {
    let issued = now.as_second();
    let expires = issued.saturating_add_unsigned(lifetime.as_secs());
    let principal = service_principal(&app.app_id, tenant);
    let mut claims = json!({
        "aud": GRAPH_AUDIENCE,
        "iss": format!("https://sts.windows.net/{tenant}/"),
        "iat": issued, "nbf": issued, "exp": expires,
        "app_displayname": app.display_name,
        "appid": app.app_id, "appidacr": "1", "idtyp": "app",
        "oid": principal, "sub": principal,
        "tid": tenant, "uti": Uuid::new_v4().simple(), "ver": "1.0",
    });
    // As in Entra: an app without consent has no roles claim at all.
    if let Some(roles) = app.consents.get(tenant).filter(|roles| !roles.is_empty()) {
        claims["roles"] = json!(roles);
    }
    claims
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
            ("grant_type", Some("password"), home, 70_003, 400),
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
        assert_eq!(error, super::super::DirectoryError::NotRequested("Calls.Initiate.All".to_owned()));
        let error = directory.consent(&app.app_id, ask(&["Mail.Read"])).unwrap_err();
        assert_eq!(error, super::super::DirectoryError::UnknownPermission("Mail.Read".to_owned()));
    }
}
