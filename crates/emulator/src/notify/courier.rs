//! Delivery of notifications: signs, posts, retries.
//!
//! One async task per call runs [`Courier::run`]: one request in flight, in order. Retried on connection failure,
//! timeout, 408, 429 and 5xx after the configured pauses; any other refusal is final. What could not be delivered is
//! counted and logged, and the next one goes out. Only the announcement of an incoming call follows a redirect, once.
//! Spec: the token is RS256 with `iss` <https://graph.microsoft.com>, `aud` the app id and `tid` the call's tenant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use antiphon_graph::CallId;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::{Address, Letter, NotificationClaims, Outbox, Subject};
use crate::clock::Clock;
use crate::config::{Limits, TrustAnchors};
use crate::entra::{GRAPH_AUDIENCE, KeyRing};

/// Time a notification token is valid; bots allow five minutes of skew on top.
const TOKEN_LIFETIME: Duration = Duration::from_secs(65 * 60);

/// Reports of unreachable webhooks that may wait for the driver.
const UNDELIVERABLE: usize = 1024;

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
    pub(crate) call_chain_id: String,
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
    /// Calls whose announcement nobody took.
    undeliverable: mpsc::Sender<CallId>,
}

enum Attempt {
    Delivered,
    /// Send it there instead.
    Moved(String),
    Refused(String),
    Failed(String),
}

impl Courier {
    /// A courier that trusts the system's certificates and those in `trust`, and what it reports: incoming calls whose
    /// announcement could not be delivered.
    ///
    /// # Errors
    ///
    /// [`CourierError`] when a trust anchor cannot be used.
    pub(crate) fn new(
        trust: &[TrustAnchors],
        limits: &Limits,
        clock: Clock,
        keys: KeyRing,
    ) -> Result<(Self, mpsc::Receiver<CallId>), CourierError> {
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
        let (undeliverable, reports) = mpsc::channel(UNDELIVERABLE);
        let courier = Self {
            http: http_client(anchors).map_err(CourierError::Client)?,
            clock,
            keys,
            timeout: limits.webhook_timeout,
            pauses: limits.webhook_retries.clone().into(),
            counters: Arc::default(),
            undeliverable,
        };
        Ok((courier, reports))
    }

    /// Delivers everything a call's outbox gets until it is closed and empty.
    ///
    /// When `stopping` turns true nothing is retried any more. Cancelling loses what is in flight.
    pub(crate) async fn run(self, recipient: Recipient, outbox: Arc<Outbox>, stopping: watch::Receiver<bool>) {
        while let Some(letter) = outbox.next().await {
            self.deliver(&recipient, letter, &outbox, stopping.clone()).await;
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

    async fn deliver(
        &self,
        recipient: &Recipient,
        letter: Letter,
        outbox: &Outbox,
        mut stopping: watch::Receiver<bool>,
    ) {
        let Letter { notification, mut to } = letter;
        let incoming = notification.subject == Subject::Incoming;
        // One id for all attempts: a bot tells a repetition by it.
        let message_id = Uuid::new_v4().to_string();
        let mut pauses = self.pauses.iter();
        let mut may_move = incoming;
        let reason = loop {
            let body = serde_json::to_vec(&notification.body(&to.callback_uri))
                .expect("invariant: a notification is plain JSON");
            let reason = match self.post(recipient, &to, &message_id, body).await {
                Attempt::Delivered => {
                    self.counters.delivered.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Attempt::Moved(place) if may_move => {
                    // A bot may send a new call to another of its instances, once; the call's other notifications follow.
                    may_move = false;
                    to = Arc::new(Address { callback_uri: place, ..(*to).clone() });
                    outbox.readdress((*to).clone());
                    continue;
                }
                Attempt::Moved(place) => break format!("redirected to {place}"),
                Attempt::Refused(reason) => break reason,
                Attempt::Failed(reason) => reason,
            };
            let Some(&pause) = pauses.next() else { break reason };
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                _ = stopping.wait_for(|stopping| *stopping) => break reason,
            }
            self.counters.retried.fetch_add(1, Ordering::Relaxed);
        };
        self.counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(call = %recipient.call, callback = %to.callback_uri, reason, "notification not delivered");
        if incoming && self.undeliverable.try_send(recipient.call.clone()).is_err() {
            tracing::warn!(call = %recipient.call, "too many unreachable webhooks: this call ends by its deadline");
        }
    }

    async fn post(&self, recipient: &Recipient, to: &Address, message_id: &str, body: Vec<u8>) -> Attempt {
        let mut request = self
            .http
            .post(&to.callback_uri)
            .header(AUTHORIZATION, format!("Bearer {}", self.token(recipient)))
            .header(CONTENT_TYPE, "application/json; charset=utf-8")
            .header(ACCEPT, "application/json")
            .header("x-microsoft-skype-chain-id", &recipient.call_chain_id)
            .header("x-microsoft-skype-message-id", message_id)
            .body(body);
        if let Some(scenario_id) = &to.scenario_id {
            request = request.header("scenario-id", scenario_id);
        }
        tokio::select! {
            answer = request.send() => judge(answer),
            () = self.clock.wait(self.timeout) => {
                Attempt::Failed(format!("no answer within {} s", self.timeout.as_secs_f32()))
            }
        }
    }

    fn token(&self, to: &Recipient) -> String {
        // Whoever checks it does not share this clock: moving it by hand must not make tokens of the future.
        let now = self.clock.wall_outside().as_second();
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
            302 | 307 => match moved_to(&answer) {
                Some(place) => Attempt::Moved(place),
                None => Attempt::Refused("redirected to nowhere".to_owned()),
            },
            status @ (408 | 429 | 500..=599) => Attempt::Failed(format!("answered {status}")),
            status => Attempt::Refused(format!("answered {status}")),
        },
        Err(error) if error.is_builder() => Attempt::Refused(error.to_string()),
        Err(error) => Attempt::Failed(causes(&error)),
    }
}

/// Where a redirection leads, made absolute.
fn moved_to(answer: &reqwest::Response) -> Option<String> {
    let location = answer.headers().get(LOCATION)?.to_str().ok()?;
    answer.url().join(location).ok().map(String::from)
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
