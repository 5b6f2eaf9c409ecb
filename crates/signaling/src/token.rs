//! App-only access tokens by client credentials: fetched, cached, refreshed.
//!
//! One [`TokenCache`] per app and tenant. Single flight: callers that come while
//! a token is being fetched wait for that one. Refreshed ahead of expiry; if
//! that fails, the old token serves until it expires. Never logs a token.
//! Spec: RFC 6749 §4.4, and
//! <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::Method;
use antiphon_graph::encode_segment;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::http::{HttpClient, TransportError};
use crate::secret::Secret;

/// A token is refreshed this long before it expires, or when a quarter of its
/// life is left, whichever is shorter.
const REFRESH_AHEAD: Duration = Duration::from_secs(5 * 60);

/// Who asks for a token, and where.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// The authority without tenant. Default `https://login.microsoftonline.com`.
    pub authority: String,
    /// The tenant of the meetings: a GUID or a domain name.
    pub tenant: String,
    /// The app's client id.
    pub client_id: String,
    /// The app's client secret.
    pub client_secret: Secret,
    /// The scope. Default `https://graph.microsoft.com/.default`.
    pub scope: String,
}

impl TokenConfig {
    /// An app in a tenant of the public cloud.
    pub fn new(tenant: impl Into<String>, client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self {
            authority: "https://login.microsoftonline.com".to_owned(),
            tenant: tenant.into(),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            scope: "https://graph.microsoft.com/.default".to_owned(),
        }
    }

    /// The same at another authority.
    #[must_use]
    pub fn with_authority(self, authority: impl Into<String>) -> Self {
        Self { authority: authority.into(), ..self }
    }

    fn endpoint(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.authority.trim_end_matches('/'), encode_segment(&self.tenant))
    }
}

/// Why there is no token.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The authority refused: wrong id, secret, tenant or scope.
    #[error("the authority refused a token: {error}: {description}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// OAuth error word, for example `invalid_client`.
        error: String,
        /// The authority's explanation.
        description: String,
    },
    /// The authority answered something that is no token.
    #[error("the authority's answer (status {status}) is not a token")]
    Malformed {
        /// HTTP status.
        status: u16,
    },
    /// The authority cannot be reached.
    #[error("the authority cannot be reached: {0}")]
    Unreachable(#[from] TransportError),
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct AccessToken {
    text: Arc<Secret>,
}

impl AccessToken {
    /// The token, for an `Authorization: Bearer` header.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// What the token says of itself, unverified: to explain errors, not to
    /// decide. `None` if it is not a readable JWT.
    pub fn claims(&self) -> Option<TokenClaims> {
        TokenClaims::read(self.expose())
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.text, &other.text)
    }
}

/// What an access token says of itself. Nobody has checked it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenClaims {
    /// App roles, for example `Calls.JoinGroupCall.All`.
    pub roles: Vec<String>,
    /// Whether it acts for a user (`scp`) and not for the app itself.
    pub delegated: bool,
    /// Tenant it was issued in.
    pub tenant: Option<String>,
    /// The app's client id.
    pub app_id: Option<String>,
}

impl TokenClaims {
    /// Reads a JWT without checking it; `None` for any other text.
    pub fn read(token: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Claims {
            #[serde(default)]
            roles: Vec<String>,
            scp: Option<String>,
            tid: Option<String>,
            appid: Option<String>,
            azp: Option<String>,
        }
        let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok())?;
        let Claims { roles, scp, tid, appid, azp } = serde_json::from_slice(&payload).ok()?;
        Some(Self { roles, delegated: scp.is_some(), tenant: tid, app_id: appid.or(azp) })
    }
}

#[derive(Debug)]
struct Cached {
    token: AccessToken,
    refresh_at: Instant,
    expires_at: Instant,
}

impl Cached {
    fn new(token: AccessToken, fetched_at: Instant, life: Duration) -> Self {
        let expires_at = fetched_at + life;
        Self { token, refresh_at: expires_at - REFRESH_AHEAD.min(life / 4), expires_at }
    }
}

/// The tokens of one app in one tenant. Cheap to clone; clones share the cache.
#[derive(Debug, Clone)]
pub struct TokenCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: HttpClient,
    config: TokenConfig,
    cached: Mutex<Option<Cached>>,
}

impl TokenCache {
    /// An empty cache; nothing is fetched yet.
    pub fn new(http: HttpClient, config: TokenConfig) -> Self {
        Self { inner: Arc::new(Inner { http, config, cached: Mutex::new(None) }) }
    }

    /// A token that is good now.
    ///
    /// Cancel-safe: a caller that goes away while fetching leaves the next
    /// one to fetch.
    ///
    /// # Errors
    ///
    /// If none is cached and the authority gives none.
    pub async fn token(&self) -> Result<AccessToken, TokenError> {
        let mut cached = self.inner.cached.lock().await;
        let now = Instant::now();
        let still_good = cached.as_ref().filter(|held| now < held.expires_at);
        if let Some(held) = still_good.filter(|held| now < held.refresh_at) {
            return Ok(held.token.clone());
        }
        match (self.inner.fetch(now).await, still_good) {
            (Ok(fresh), _) => Ok(cached.insert(fresh).token.clone()),
            (Err(error), Some(held)) => {
                tracing::warn!(%error, "the access token could not be refreshed; the old one still serves");
                Ok(held.token.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    /// A token other than one the service refused. If somebody else has
    /// already replaced it, theirs.
    ///
    /// # Errors
    ///
    /// If the authority gives none.
    pub async fn replace(&self, refused: &AccessToken) -> Result<AccessToken, TokenError> {
        let mut cached = self.inner.cached.lock().await;
        if let Some(held) = cached.as_ref().filter(|held| !held.token.is_same(refused)) {
            return Ok(held.token.clone());
        }
        *cached = None;
        let fresh = self.inner.fetch(Instant::now()).await?;
        Ok(cached.insert(fresh).token.clone())
    }
}

impl Inner {
    async fn fetch(&self, now: Instant) -> Result<Cached, TokenError> {
        #[derive(Deserialize)]
        struct Granted {
            access_token: String,
            expires_in: Seconds,
        }
        #[derive(Deserialize)]
        struct Refused {
            error: String,
            #[serde(default)]
            error_description: String,
        }
        let config = &self.config;
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &config.client_id),
            ("client_secret", config.client_secret.expose()),
            ("scope", &config.scope),
        ];
        let reply = self.http.send(self.http.request(Method::POST, &config.endpoint()).form(&form)).await?;
        let status = reply.status.as_u16();
        if !reply.status.is_success() {
            return Err(match serde_json::from_slice::<Refused>(&reply.body) {
                Ok(Refused { error, error_description: description }) => {
                    TokenError::Refused { status, error, description }
                }
                Err(_) => TokenError::Malformed { status },
            });
        }
        let granted: Granted = serde_json::from_slice(&reply.body).map_err(|_| TokenError::Malformed { status })?;
        let token = AccessToken { text: Arc::new(Secret::new(granted.access_token)) };
        Ok(Cached::new(token, now, granted.expires_in.duration()))
    }
}

/// `expires_in`: a number or a numeric string, never more than a day.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u64),
    Text(String),
}

impl Seconds {
    fn duration(&self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        let seconds = match self {
            Self::Number(number) => *number,
            Self::Text(text) => text.trim().parse().unwrap_or(0),
        };
        Duration::from_secs(seconds.min(DAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> AccessToken {
        AccessToken { text: Arc::new(Secret::new(text)) }
    }

    #[test]
    fn a_token_is_refreshed_five_minutes_ahead_or_at_three_quarters_of_its_life() {
        let now = Instant::now();
        for (life, refresh_after) in [(3600, 3300), (100, 75), (0, 0)] {
            let cached = Cached::new(token("t"), now, Duration::from_secs(life));
            assert_eq!(cached.refresh_at - now, Duration::from_secs(refresh_after));
            assert_eq!(cached.expires_at - now, Duration::from_secs(life));
        }
    }

    #[test]
    fn claims_are_read_from_a_jwt_and_absent_from_anything_else() {
        let read = |json: &str| token(&format!("h.{}.s", URL_SAFE_NO_PAD.encode(json))).claims();
        let claims = read(r#"{"roles":["Calls.JoinGroupCall.All"],"tid":"t","appid":"a"}"#).unwrap();
        assert_eq!(claims.roles, ["Calls.JoinGroupCall.All"]);
        assert_eq!((claims.tenant.as_deref(), claims.app_id.as_deref()), (Some("t"), Some("a")));
        assert!(!claims.delegated && read(r#"{"scp":"User.Read"}"#).unwrap().delegated);
        assert_eq!(read("{}"), Some(TokenClaims::default()));
        for odd in ["", "opaque", "a.b.c", "a.W10.c"] {
            assert_eq!(token(odd).claims(), None, "{odd}");
        }
    }

    #[test]
    fn neither_secret_nor_token_is_printed() {
        let config = TokenConfig::new("tenant", "app", "hush");
        assert!(!format!("{config:?} {:?}", token("hush")).contains("hush"));
    }

    #[test]
    fn the_endpoint_is_built_from_authority_and_tenant() {
        let config = TokenConfig::new("contoso.com", "app", "s").with_authority("https://127.0.0.1:8443/");
        assert_eq!(config.endpoint(), "https://127.0.0.1:8443/contoso.com/oauth2/v2.0/token");
    }
}
