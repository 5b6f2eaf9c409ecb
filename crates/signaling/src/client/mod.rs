//! The Graph client: one typed method per endpoint.
//!
//! Owns the base URL, version and path family, the token, and the decision to
//! try again. Each endpoint is a small file under `endpoint/` that names its
//! method, path and whether it may be repeated; everything they share is in
//! `request.rs`. Async, cancel-safe except that a cancelled POST may have
//! happened. Not here: call state, notifications.
//! Spec: <https://learn.microsoft.com/graph/api/resources/communications-api-overview>.

mod endpoint;
mod error;
mod missing;
mod raw;
mod request;
mod retry;

pub use error::{Culprit, GraphError, GraphErrorKind, Happened, Missing};
pub use http::Method;
pub use missing::MissingRoles;
pub use raw::RawReply;
pub use retry::RetryPolicy;

use std::sync::Arc;

use antiphon_graph::wire::Version;

use crate::http::HttpClient;
use crate::token::TokenCache;

/// Which of the two families of equivalent paths requests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathFamily {
    /// `/communications/calls`
    #[default]
    Communications,
    /// `/app/calls`: deprecated; whole in beta only.
    App,
}

/// Where the service is and how patient to be with it.
#[derive(Debug, Clone)]
pub struct GraphConfig {
    /// Scheme, host and port, without version. Default `https://graph.microsoft.com`.
    pub base_url: String,
    /// Default v1.0.
    pub version: Version,
    /// Default `/communications/calls`.
    pub family: PathFamily,
    /// When to try again.
    pub retry: RetryPolicy,
}

impl Default for GraphConfig {
    fn default() -> Self {
        Self {
            base_url: "https://graph.microsoft.com".to_owned(),
            version: Version::V1,
            family: PathFamily::default(),
            retry: RetryPolicy::default(),
        }
    }
}

impl GraphConfig {
    /// The defaults at another address.
    pub fn at(base_url: impl Into<String>) -> Self {
        Self { base_url: base_url.into(), ..Self::default() }
    }
}

/// A client of the calling API for one app in one tenant. Cheap to clone.
///
/// Every method makes one logical request: a token is attached and replaced
/// once if refused; throttling is waited out; and what is safe to repeat is
/// repeated. A POST is repeated only if it surely did not happen: no
/// connection was made, or the service answered 429, or 503 with a
/// `Retry-After`.
///
/// All errors are [`GraphError`]s.
#[derive(Debug, Clone)]
pub struct GraphClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: HttpClient,
    tokens: TokenCache,
    config: GraphConfig,
}

impl GraphClient {
    /// A client; nothing is sent yet.
    pub fn new(http: HttpClient, tokens: TokenCache, config: GraphConfig) -> Self {
        Self { inner: Arc::new(Inner { http, tokens, config }) }
    }

    /// The configuration it was made with.
    pub fn config(&self) -> &GraphConfig {
        &self.inner.config
    }

    fn family(&self) -> &'static str {
        match self.inner.config.family {
            PathFamily::Communications => "communications",
            PathFamily::App => "app",
        }
    }
}
