//! Delivery of notifications: signs, posts, retries.
//!
//! One async task per call runs [`Courier::run`]: one request in flight, in order. Retried on connection failure,
//! timeout, 408, 429 and 5xx after the configured pauses; any other refusal is final. What could not be delivered is
//! counted and logged, and the next one goes out. Redirects are not followed.
//! Spec: the token is RS256 with `iss` <https://graph.microsoft.com>, `aud` the app id and `tid` the call's tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_graph::CallId;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Notification, NotificationClaims, Outbox};
use crate::clock::Clock;
use crate::config::{Limits, TrustAnchors};
use crate::entra::{GRAPH_AUDIENCE, KeyRing};

/// Time a notification token is valid; bots allow five minutes of skew on top.
const TOKEN_LIFETIME: Duration = Duration::from_secs(65 * 60);

/// Why webhooks cannot be reached at all (culprit: configuration).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CourierError {
    /// A file of trust anchors cannot be read.
    #[error("cannot read the trusted certificates in {path}: {source}; check the path and its permissions")]
    TrustFile {
        /// The file named in the configuration.
        path: std::path::PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Trust anchors are not PEM certificates.
    #[error("the trusted certificates for webhooks are not PEM certificates: {0}")]
    TrustAnchors(reqwest::Error),
    /// The HTTP client could not be built.
    #[error("cannot set up the HTTP client for webhooks: {0}")]
    Client(reqwest::Error),
}

/// Who receives the notifications of a call.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    pub(crate) call: CallId,
    pub(crate) app_id: String,
    pub(crate) tenant_id: String,
    pub(crate) callback_uri: String,
    pub(crate) call_chain_id: String,
    /// The GUID the bot sent when it created the call, if any.
    pub(crate) scenario_id: Option<String>,
}

/// How many notifications met which end, since the start of the service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryCounts {
    /// Accepted by the webhook with a 2xx.
    pub delivered: u64,
    /// Attempts repeated after a failure.
    pub retried: u64,
    /// Given up: refused, or all attempts failed.
    pub failed: u64,
    /// Dropped because the call's queue was full.
    pub dropped: u64,
}

#[derive(Debug, Default)]
struct Counters {
    delivered: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// Posts notifications. Cheap to clone; one per service.
#[derive(Debug, Clone)]
pub(crate) struct Courier {
    http: reqwest::Client,
    clock: Clock,
    keys: KeyRing,
    timeout: Duration,
    pauses: Arc<[Duration]>,
    counters: Arc<Counters>,
}

enum Attempt {
    Delivered,
    Refused(String),
    Failed(String),
}

impl Courier {
    /// A courier that trusts the system's certificates and those in `trust`.
    ///
    /// # Errors
    ///
    /// [`CourierError`] when a trust anchor cannot be used.
    pub(crate) fn new(
        trust: &[TrustAnchors],
        limits: &Limits,
        clock: Clock,
        keys: KeyRing,
    ) -> Result<Self, CourierError> {
        let mut anchors = Vec::new();
        for source in trust {
            let pem = match source {
                TrustAnchors::Pem(pem) => pem.clone(),
                TrustAnchors::PemFile(path) => {
                    std::fs::read(path).map_err(|source| CourierError::TrustFile { path: path.clone(), source })?
                }
            };
            anchors.extend(reqwest::Certificate::from_pem_bundle(&pem).map_err(CourierError::TrustAnchors)?);
        }
        Ok(Self {
            http: http_client(anchors).map_err(CourierError::Client)?,
            clock,
            keys,
            timeout: limits.webhook_timeout,
            pauses: limits.webhook_retries.clone().into(),
            counters: Arc::default(),
        })
    }

    /// Delivers everything a call's outbox gets until it is closed and empty.
    ///
    /// When `stopping` turns true nothing is retried any more. Cancelling loses what is in flight.
    pub(crate) async fn run(self, recipient: Recipient, outbox: Arc<Outbox>, stopping: watch::Receiver<bool>) {
        while let Some(notification) = outbox.next().await {
            self.deliver(&recipient, &notification, stopping.clone()).await;
        }
    }

    /// Counts notifications a full queue had to drop.
    pub(crate) fn count_dropped(&self, count: u64) {
        self.counters.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// The totals so far. The counters are independent; relaxed loads suffice.
    pub(crate) fn counts(&self) -> DeliveryCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DeliveryCounts {
            delivered: read(&self.counters.delivered),
            retried: read(&self.counters.retried),
            failed: read(&self.counters.failed),
            dropped: read(&self.counters.dropped),
        }
    }

    async fn deliver(&self, to: &Recipient, notification: &Notification, mut stopping: watch::Receiver<bool>) {
        let body =
            serde_json::to_vec(&notification.body(&to.callback_uri)).expect("invariant: a notification is plain JSON");
        // One id for all attempts: a bot tells a repetition by it.
        let message_id = Uuid::new_v4().to_string();
        let mut pauses = self.pauses.iter();
        loop {
            let reason = match self.post(to, &message_id, body.clone()).await {
                Attempt::Delivered => {
                    self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Attempt::Refused(reason) => {
                    self.give_up(to, &reason);
                    return;
                }
                Attempt::Failed(reason) => reason,
            };
            let Some(&pause) = pauses.next() else {
                self.give_up(to, &reason);
                return;
            };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                _ = stopping.wait_for(|stopping| *stopping) => {
                    self.give_up(to, &reason);
                    return;
                }
            }
            self.counters.retried.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn give_up(&self, to: &Recipient, reason: &str) {
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(call = %to.call, callback = %to.callback_uri, reason, "notification not delivered");
    }

    async fn post(&self, to: &Recipient, message_id: &str, body: Vec<u8>) -> Attempt {
        let mut request = self
            .http
            .post(&to.callback_uri)
            .header(AUTHORIZATION, format!("Bearer {}", self.token(to)))
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header(ACCEPT, "application/json")
            .header("x-microsoft-skype-chain-id", &to.call_chain_id)
            .header("x-microsoft-skype-message-id", message_id)
            .body(body);
        if let Some(scenario_id) = &to.scenario_id {
            request = request.header("scenario-id", scenario_id);
        }
        tokio::select! {
            answer = request.send() => judge(answer),
            () = self.clock.sleep(self.timeout) => {
                Attempt::Failed(format!("no answer within {} s", self.timeout.as_secs_f32()))
            }
        }
    }

    fn token(&self, to: &Recipient) -> String {
        let now = self.clock.wall().as_second();
        self.keys.calling().sign(&NotificationClaims {
            iss: GRAPH_AUDIENCE,
            aud: &to.app_id,
            tid: &to.tenant_id,
            iat: now,
            nbf: now,
            exp: now.saturating_add_unsigned(TOKEN_LIFETIME.as_secs()),
        })
    }
}

fn judge(answer: Result<reqwest::Response, reqwest::Error>) -> Attempt {
    match answer {
        Ok(answer) => match answer.status().as_u16() {
            200..=299 => Attempt::Delivered,
            status @ (408 | 429 | 500..=599) => Attempt::Failed(format!("answered {status}")),
            status => Attempt::Refused(format!("answered {status}")),
        },
        Err(error) if error.is_builder() => Attempt::Refused(error.to_string()),
        Err(error) => Attempt::Failed(causes(&error)),
    }
}

/// An error with its causes: the outermost text alone rarely says why.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

fn http_client(anchors: Vec<reqwest::Certificate>) -> Result<reqwest::Client, reqwest::Error> {
    let builder = || {
        reqwest::Client::builder()
            .user_agent(concat!("antiphon-emulator/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
    };
    // A machine without any system certificate still reaches the webhooks it was given anchors for.
    builder().tls_certs_merge(anchors.clone()).build().or_else(|_| builder().tls_certs_only(anchors).build())
}
