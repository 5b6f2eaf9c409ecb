//! The service's signing keys: fetched, cached, rotated.
//!
//! From an OpenID configuration to its `jwks_uri` to the keys. Cached for two
//! hours; fetched anew for an unknown key id, but not more often than once a
//! minute, whoever asks. Old keys serve on if fetching fails. Single flight.
//! Spec: OpenID Connect Discovery 1.0 §4, RFC 7517 §5.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::Method;
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Mutex;

use super::verify::KeySet;
use crate::http::{HttpClient, TransportError};

/// Where the keys are and how long they are good.
#[derive(Debug, Clone)]
pub struct KeySourceConfig {
    /// The OpenID configuration document. Default: the public cloud's.
    pub openid_url: String,
    /// How long keys are used without asking again. Default 2 hours.
    pub lifetime: Duration,
    /// The least time between two fetches for unknown keys; at most a second while there are no keys at all.
    /// Default 1 minute.
    pub refetch_after: Duration,
}

impl Default for KeySourceConfig {
    fn default() -> Self {
        Self {
            openid_url: "https://api.aps.skype.com/v1/.well-known/OpenIdConfiguration".to_owned(),
            lifetime: Duration::from_secs(2 * 60 * 60),
            refetch_after: Duration::from_secs(60),
        }
    }
}

/// Why there are no keys.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum KeysUnavailable {
    /// A document cannot be fetched.
    #[error("{url} cannot be fetched: {error}")]
    Fetch {
        /// Which document.
        url: String,
        /// Why.
        error: TransportError,
    },
    /// A document is not what it should be.
    #[error("{url} is not what it should be (status {status})")]
    Malformed {
        /// Which document.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Fetching failed less than a minute ago; it is not tried again so soon.
    #[error("the keys could not be fetched a moment ago")]
    RecentlyFailed,
}

/// What the keys are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// To verify a token.
    Current,
    /// The current keys, fetched at this time, did not know a token's key.
    NewerThan(Instant),
}

/// The keys of the service. Cheap to clone; clones share the cache.
#[derive(Debug, Clone)]
pub struct KeySource {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: HttpClient,
    config: KeySourceConfig,
    cache: Mutex<Cache>,
}

/// Between two fetches while there are no keys at all.
const WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// Keys and the time they were fetched at.
pub(super) type Fetched = (Arc<KeySet>, Instant);

#[derive(Debug, Default)]
struct Cache {
    held: Option<Fetched>,
    tried_at: Option<Instant>,
}

impl Cache {
    /// Whether to fetch now.
    fn should_fetch(&self, want: Want, config: &KeySourceConfig, now: Instant) -> bool {
        // Without any keys every notification is refused: try again soon.
        let pause = if self.held.is_some() { config.refetch_after } else { config.refetch_after.min(WITHOUT_KEYS) };
        let lately = self.tried_at.is_some_and(|tried| now < tried + pause);
        if lately {
            return false;
        }
        match (&self.held, want) {
            (None, _) => true,
            (Some((_, at)), Want::Current) => now >= *at + config.lifetime,
            (Some((_, at)), Want::NewerThan(known)) => *at <= known,
        }
    }
}

impl KeySource {
    /// A source; nothing is fetched yet.
    pub fn new(http: HttpClient, config: KeySourceConfig) -> Self {
        Self { inner: Arc::new(Inner { http, config, cache: Mutex::default() }) }
    }

    /// Fetches the keys ahead of the first notification.
    ///
    /// # Errors
    ///
    /// If they cannot be had.
    pub async fn warm_up(&self) -> Result<(), KeysUnavailable> {
        self.keys(Want::Current).await.map(drop)
    }

    /// The best keys there are now.
    pub(super) async fn keys(&self, want: Want) -> Result<Fetched, KeysUnavailable> {
        let inner = &*self.inner;
        let mut cache = inner.cache.lock().await;
        let now = Instant::now();
        if cache.should_fetch(want, &inner.config, now) {
            cache.tried_at = Some(now);
            match inner.fetch().await {
                Ok(keys) => cache.held = Some((Arc::new(keys), now)),
                Err(error) if cache.held.is_some() => {
                    tracing::warn!(%error, "the service's keys could not be fetched anew; the old ones serve on");
                }
                Err(error) => return Err(error),
            }
        }
        cache.held.clone().ok_or(KeysUnavailable::RecentlyFailed)
    }
}

impl Inner {
    async fn fetch(&self) -> Result<KeySet, KeysUnavailable> {
        #[derive(Deserialize)]
        struct OpenIdConfiguration {
            jwks_uri: String,
        }
        let url = &self.config.openid_url;
        let (status, body) = self.document(url).await?;
        let configuration: OpenIdConfiguration =
            serde_json::from_slice(&body).map_err(|_| KeysUnavailable::Malformed { url: url.clone(), status })?;
        let url = configuration.jwks_uri;
        let (status, body) = self.document(&url).await?;
        KeySet::parse(&body).ok().filter(|keys| !keys.is_empty()).ok_or(KeysUnavailable::Malformed { url, status })
    }

    async fn document(&self, url: &str) -> Result<(u16, bytes::Bytes), KeysUnavailable> {
        let reply = self.http.send(self.http.request(Method::GET, url)).await;
        let reply = reply.map_err(|error| KeysUnavailable::Fetch { url: url.to_owned(), error })?;
        let status = reply.status.as_u16();
        if !reply.status.is_success() {
            return Err(KeysUnavailable::Malformed { url: url.to_owned(), status });
        }
        Ok((status, reply.body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_when_absent_old_or_unknown_but_not_twice_a_minute() {
        let config = KeySourceConfig::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut cache = Cache::default();
        assert!(cache.should_fetch(Want::Current, &config, at(0)));

        cache.tried_at = Some(at(0));
        assert!(!cache.should_fetch(Want::Current, &config, at(0)), "a failure is not repeated at once");
        assert!(cache.should_fetch(Want::Current, &config, at(1)), "but soon, while there are no keys at all");

        cache.held = Some((Arc::default(), at(0)));
        assert!(!cache.should_fetch(Want::Current, &config, at(7199)));
        assert!(cache.should_fetch(Want::Current, &config, at(7200)));

        assert!(!cache.should_fetch(Want::NewerThan(at(0)), &config, at(59)));
        assert!(cache.should_fetch(Want::NewerThan(at(0)), &config, at(60)));
        cache.held = Some((Arc::default(), at(70)));
        assert!(!cache.should_fetch(Want::NewerThan(at(0)), &config, at(200)), "somebody has fetched already");
    }
}
