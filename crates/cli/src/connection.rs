//! Which service to speak to, whom to get tokens from, and as which app.
//!
//! Owns the options that Graph commands and the doctor share, their environment variables, and the clients made from
//! them. A secret may come from the environment, where `ps` does not show it; nothing here prints one.

use std::path::{Path, PathBuf};

use antiphon_graph::wire::Version;
use antiphon_signaling::client::{GraphConfig, PathFamily};
use antiphon_signaling::http::HttpConfig;
use antiphon_signaling::token::TokenConfig;
use antiphon_signaling::{GraphClient, HttpClient, TokenCache};
use anyhow::Context as _;
use clap::{Args, ValueEnum};

/// Graph's public cloud.
pub(crate) const GRAPH: &str = "https://graph.microsoft.com";
/// Its token authority.
pub(crate) const LOGIN: &str = "https://login.microsoftonline.com";

/// The variable that azure-identity takes the token authority from.
const AZURE_AUTHORITY: &str = "AZURE_AUTHORITY_HOST";

/// Looks a variable up; empty counts as absent.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own environment.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the service is.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServiceOptions {
    /// Base URL of the service, without version. Environment: ANTIPHON_SERVICE. Default: Graph's public cloud.
    #[arg(long, global = true, value_name = "URL", help_heading = "Service")]
    pub(crate) service: Option<String>,

    /// CA certificate to trust besides the system's (PEM). Environment: ANTIPHON_CA_FILE.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Service")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// Who asks.
#[derive(Clone, Default, Args)]
pub(crate) struct CredentialOptions {
    /// Base URL of the token authority. Environment: ANTIPHON_AUTHORITY or AZURE_AUTHORITY_HOST. Default: the public
    /// cloud's for Graph, else the same as --service.
    #[arg(long, global = true, value_name = "URL", help_heading = "Credentials")]
    pub(crate) authority: Option<String>,

    /// Tenant of the meetings. Environment: ANTIPHON_TENANT_ID or AZURE_TENANT_ID.
    #[arg(long, global = true, value_name = "ID", help_heading = "Credentials")]
    pub(crate) tenant: Option<String>,

    /// Application (client) id. Environment: ANTIPHON_APP_ID or AZURE_CLIENT_ID.
    #[arg(long, global = true, value_name = "GUID", help_heading = "Credentials")]
    pub(crate) app_id: Option<String>,

    /// Client secret; better kept in the environment: ANTIPHON_CLIENT_SECRET or AZURE_CLIENT_SECRET.
    #[arg(long, global = true, value_name = "SECRET", help_heading = "Credentials")]
    pub(crate) secret: Option<String>,
}

impl std::fmt::Debug for CredentialOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialOptions")
            .field("authority", &self.authority)
            .field("tenant", &self.tenant)
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// The two families of equivalent paths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// `/communications/calls`
    #[default]
    Communications,
    /// `/app/calls`: deprecated, whole in beta only.
    App,
}

/// Everything a Graph command needs to reach its service.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConnectionOptions {
    #[command(flatten)]
    pub(crate) service: ServiceOptions,

    #[command(flatten)]
    pub(crate) credentials: CredentialOptions,

    /// Use the beta version of the API. Commands that exist in beta only do so by themselves.
    #[arg(long, global = true, help_heading = "Service")]
    pub(crate) beta: bool,

    /// Which of the two families of equivalent paths to use.
    #[arg(long, global = true, value_enum, default_value_t = Family::Communications, help_heading = "Service")]
    pub(crate) family: Family,
}

impl ServiceOptions {
    /// The base URL, checked and without a slash at its end; `None` if nobody named one.
    pub(crate) fn base_url(&self, environment: Environment<'_>) -> anyhow::Result<Option<String>> {
        match (&self.service, environment("ANTIPHON_SERVICE")) {
            (Some(url), _) => base_url("--service", url).map(Some),
            (None, Some(url)) => base_url("ANTIPHON_SERVICE", &url).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The client that tokens and Graph are asked with.
    pub(crate) fn http(&self, environment: Environment<'_>) -> anyhow::Result<HttpClient> {
        let ca_pem = self.ca_pem(environment)?;
        HttpClient::new(&HttpConfig { ca_pem, ..HttpConfig::default() }).context("--ca-file")
    }

    /// The extra trust, read.
    pub(crate) fn ca_pem(&self, environment: Environment<'_>) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.ca_file.clone().or_else(|| environment("ANTIPHON_CA_FILE").map(PathBuf::from));
        path.map(|path| read_ca("--ca-file", &path)).transpose()
    }
}

impl CredentialOptions {
    /// The authority for a service, checked.
    pub(crate) fn authority(&self, service: Option<&str>, environment: Environment<'_>) -> anyhow::Result<String> {
        if let Some(url) = &self.authority {
            return base_url("--authority", url);
        }
        if let Some(url) = environment("ANTIPHON_AUTHORITY") {
            return base_url("ANTIPHON_AUTHORITY", &url);
        }
        match environment(AZURE_AUTHORITY) {
            // The constants of azure-identity are bare hosts.
            Some(host) if !host.contains("://") => base_url(AZURE_AUTHORITY, &format!("https://{}", host.trim())),
            Some(url) => base_url(AZURE_AUTHORITY, &url),
            None => Ok(service.filter(|service| *service != GRAPH).unwrap_or(LOGIN).to_owned()),
        }
    }

    /// The tenant, if anybody named it.
    pub(crate) fn tenant(&self, environment: Environment<'_>) -> Option<String> {
        self.tenant.clone().or_else(|| first(environment, &["ANTIPHON_TENANT_ID", "AZURE_TENANT_ID"]))
    }

    /// The app, if anybody named it.
    pub(crate) fn app_id(&self, environment: Environment<'_>) -> Option<String> {
        self.app_id.clone().or_else(|| first(environment, &["ANTIPHON_APP_ID", "AZURE_CLIENT_ID"]))
    }

    /// The secret, if there is one.
    pub(crate) fn secret(&self, environment: Environment<'_>) -> Option<String> {
        self.secret.clone().or_else(|| first(environment, &["ANTIPHON_CLIENT_SECRET", "AZURE_CLIENT_SECRET"]))
    }

    /// All of them, or an error that names what is absent.
    pub(crate) fn token_config(
        &self,
        service: Option<&str>,
        environment: Environment<'_>,
    ) -> anyhow::Result<TokenConfig> {
        let need = |value: Option<String>, flag: &str, variable: &str| {
            value.with_context(|| format!("give {flag}, or set {variable} in the environment"))
        };
        let tenant = need(self.tenant(environment), "--tenant", "ANTIPHON_TENANT_ID")?;
        let app = need(self.app_id(environment), "--app-id", "ANTIPHON_APP_ID")?;
        let secret = need(self.secret(environment), "--secret", "ANTIPHON_CLIENT_SECRET")?;
        Ok(TokenConfig::new(tenant, app, secret).with_authority(self.authority(service, environment)?))
    }
}

impl ConnectionOptions {
    /// A client for the service, in beta if the options or the command say so.
    pub(crate) fn client(&self, beta: bool, environment: Environment<'_>) -> anyhow::Result<GraphClient> {
        let service = self.service.base_url(environment)?.unwrap_or_else(|| GRAPH.to_owned());
        let tokens = self.credentials.token_config(Some(&service), environment)?;
        let http = self.service.http(environment)?;
        let config = GraphConfig {
            version: if beta || self.beta { Version::Beta } else { Version::V1 },
            family: match self.family {
                Family::Communications => PathFamily::Communications,
                Family::App => PathFamily::App,
            },
            ..GraphConfig::at(service)
        };
        Ok(GraphClient::new(http.clone(), TokenCache::new(http, tokens), config))
    }
}

/// Reads a PEM file of certificates to trust.
pub(crate) fn read_ca(flag: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {} of {flag}", path.display()))
}

fn first(environment: Environment<'_>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| environment(name))
}

/// An absolute http or https URL of nothing but scheme, host and port, without a slash at its end. `source` is the flag
/// or variable that said it.
fn base_url(source: &str, text: &str) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(text.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(reqwest::Url::has_host).with_context(|| {
        format!("{source} must be an absolute URL like https://127.0.0.1:8443, not {:?}", shown(text))
    })?;
    let path = url.path().trim_matches('/').to_ascii_lowercase();
    if Version::parse(&path).is_some() {
        anyhow::bail!("{source} goes without the version: drop /{path} from {:?} (--beta selects it)", shown(text));
    }
    let userinfo = !url.username().is_empty() || url.password().is_some();
    if userinfo || !path.is_empty() || url.query().is_some() || url.fragment().is_some() {
        anyhow::bail!("{source} is scheme, host and port only, not {:?}", shown(text));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// A URL, or what was meant as one, without user name and password, to be shown.
pub(crate) fn shown(text: &str) -> String {
    let text = text.trim();
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("\u{2026}@{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    fn azure(name: &str) -> Option<String> {
        name.starts_with("AZURE_").then(|| match name {
            "AZURE_AUTHORITY_HOST" => "https://127.0.0.1:8443/".to_owned(),
            _ => format!("value of {name}"),
        })
    }

    #[test]
    fn the_authority_follows_the_service_unless_it_is_graph() {
        let credentials = CredentialOptions::default();
        assert_eq!(credentials.authority(None, &none).unwrap(), LOGIN);
        assert_eq!(credentials.authority(Some(GRAPH), &none).unwrap(), LOGIN);
        assert_eq!(credentials.authority(Some("https://localhost:8443"), &none).unwrap(), "https://localhost:8443");
        assert_eq!(credentials.authority(Some(GRAPH), &azure).unwrap(), "https://127.0.0.1:8443");
    }

    #[test]
    fn flags_win_over_the_environment_and_what_is_absent_is_named() {
        let credentials = CredentialOptions { tenant: Some("t".to_owned()), ..CredentialOptions::default() };
        let config = credentials.token_config(None, &azure).unwrap();
        assert_eq!((config.tenant.as_str(), config.client_id.as_str()), ("t", "value of AZURE_CLIENT_ID"));
        let error = credentials.token_config(None, &none).unwrap_err().to_string();
        assert!(error.contains("--app-id") && error.contains("ANTIPHON_APP_ID"), "{error}");
    }

    #[test]
    fn a_base_url_is_checked_by_the_name_of_its_flag() {
        for (text, hint) in [
            ("127.0.0.1:8443", "absolute URL"),
            ("ftp://x", "absolute URL"),
            ("https://x/v1.0/", "--beta selects it"),
            ("https://user@x", "scheme, host and port only"),
            ("https://:pw@x", "scheme, host and port only"),
            ("https://x?y=1", "scheme, host and port only"),
            ("https://x#y", "scheme, host and port only"),
            ("https://x/tenant", "scheme, host and port only"),
        ] {
            let error = base_url("--service", text).unwrap_err().to_string();
            assert!(error.contains("--service") && error.contains(hint), "{text}: {error}");
        }
        assert_eq!(base_url("--service", " https://[::1]:8443/ ").unwrap(), "https://[::1]:8443");
    }

    #[test]
    fn no_secret_is_printed() {
        let credentials = CredentialOptions { secret: Some("hush".to_owned()), ..CredentialOptions::default() };
        assert!(!format!("{credentials:?}").contains("hush"));
    }

    #[test]
    fn no_user_name_and_no_password_is_printed() {
        for text in ["https://ada:hush@x", "https://:hush@x/v1.0", "ada:hush@x", "https://ada:hu/hush@x", "//hush@h@x"]
        {
            let error = base_url("--service", text).unwrap_err().to_string();
            assert!(!error.contains("hush") && !error.contains("ada") && error.contains("@x"), "{text}: {error}");
        }
    }

    #[test]
    fn an_authority_of_the_environment_may_be_a_bare_host_and_its_variable_is_named() {
        let credentials = CredentialOptions::default();
        let authority = |name: &'static str, value: &'static str| {
            credentials.authority(None, &move |asked| (asked == name).then(|| value.to_owned()))
        };
        for value in ["login.microsoftonline.us", " login.microsoftonline.us/ ", "https://login.microsoftonline.us/"] {
            let url = authority("AZURE_AUTHORITY_HOST", value).expect(value);
            assert_eq!(url, "https://login.microsoftonline.us", "{value}");
        }
        for name in ["AZURE_AUTHORITY_HOST", "ANTIPHON_AUTHORITY"] {
            let error = authority(name, "https://login.microsoftonline.us/common").unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains("scheme, host and port only"), "{error}");
        }
    }
}
