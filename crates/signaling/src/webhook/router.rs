//! One notification request: token, body, queues, answer.
//!
//! The order matters: the token is verified before a byte of the body is read,
//! and the answer does not wait for anybody to handle what was queued.
//! Spec: RFC 9110 §15, RFC 6750 §3 (401).

use std::sync::Arc;
use std::time::{Duration, Instant};

use antiphon_graph::{CommsNotifications, ParticipantJoiningResponse, RejectReason};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use axum::routing::post;
use jiff::Timestamp;

use super::dispatch::Dispatcher;
use super::joining::{Joining, JoiningHook};
use super::keys::{KeySource, Want};
use super::stats::Counters;
use super::verify::{Expected, TokenFault, Verified, verify};

/// What one request may cost.
#[derive(Debug, Clone)]
pub struct WebhookLimits {
    /// Longest body taken, in bytes. Default 1 MiB.
    pub body: usize,
    /// How long a body may take to arrive. Default 10 s.
    pub body_within: Duration,
}

impl Default for WebhookLimits {
    fn default() -> Self {
        Self { body: 1024 * 1024, body_within: Duration::from_secs(10) }
    }
}

#[derive(Debug)]
pub(super) struct Webhook {
    pub(super) expected: Expected,
    pub(super) keys: KeySource,
    pub(super) dispatcher: Dispatcher,
    pub(super) joining: JoiningHook,
    pub(super) limits: WebhookLimits,
    pub(super) counters: Arc<Counters>,
}

/// The webhook as an axum router, for a server of one's own.
pub fn router(
    path: &str,
    expected: Expected,
    keys: KeySource,
    dispatcher: Dispatcher,
    joining: JoiningHook,
    limits: WebhookLimits,
) -> Router {
    let counters = dispatcher.counters();
    routes(path, Arc::new(Webhook { expected, keys, dispatcher, joining, limits, counters }))
}

pub(super) fn routes(path: &str, webhook: Arc<Webhook>) -> Router {
    Router::new().route(path, post(receive)).with_state(webhook)
}

async fn receive(State(webhook): State<Arc<Webhook>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let verified = match webhook.authenticate(&head.headers).await {
        Ok(verified) => verified,
        Err(fault) => {
            webhook.counters.refuse(fault);
            tracing::debug!(reason = fault.name(), "a notification was refused");
            // Not the sender's fault: 503 asks it to try again, 401 would be final.
            return if fault == TokenFault::KeysUnavailable {
                status(StatusCode::SERVICE_UNAVAILABLE)
            } else {
                refuse()
            };
        }
    };
    let read = to_bytes(body, webhook.limits.body);
    let body = match tokio::time::timeout(webhook.limits.body_within, read).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => {
            webhook.counters.too_long.add(1);
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Ok(Err(_)) | Err(_) => {
            webhook.counters.cut_off.add(1);
            return status(StatusCode::REQUEST_TIMEOUT);
        }
    };
    let Ok(notifications) = CommsNotifications::parse(&body) else {
        webhook.counters.malformed.add(1);
        return status(StatusCode::BAD_REQUEST);
    };
    let tenant: Arc<str> = verified.tenant.into();
    let joining = Joining::find(&notifications.value, &tenant, &webhook.dispatcher);
    if let Err(fault) = webhook.dispatcher.dispatch_all(notifications.value, &tenant, Instant::now()) {
        tracing::warn!(reason = fault.name(), %tenant, "a notification was refused");
        return refuse();
    }
    webhook.counters.accepted.add(1);
    let accepted = accept(&head.headers);
    let Some(joining) = joining else { return accepted };
    webhook.counters.joinings.add(1);
    let refusal = |_| ParticipantJoiningResponse::reject(RejectReason::None);
    decided(accepted, &joining.map_or_else(refusal, |joining| webhook.joining.decide(&joining)))
}

/// 200 with a decision in the body, the ids as they are.
fn decided(accepted: Response<Body>, decision: &ParticipantJoiningResponse) -> Response<Body> {
    let (mut head, _) = accepted.into_parts();
    head.status = StatusCode::OK;
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = serde_json::to_vec(decision).expect("invariant: a response has text keys and plain members only");
    Response::from_parts(head, Body::from(body))
}

impl Webhook {
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Verified, TokenFault> {
        let header = headers.get(AUTHORIZATION).ok_or(TokenFault::Missing)?;
        let token = header.to_str().ok().and_then(bearer).ok_or(TokenFault::NotBearer)?;
        let (keys, fetched_at) = self.keys_for(Want::Current).await?;
        let first = verify(token, &keys, &self.expected, Timestamp::now());
        if first != Err(TokenFault::UnknownKey) {
            return first;
        }
        let (keys, newer) = self.keys_for(Want::NewerThan(fetched_at)).await?;
        if newer == fetched_at {
            return first;
        }
        verify(token, &keys, &self.expected, Timestamp::now())
    }

    async fn keys_for(&self, want: Want) -> Result<super::keys::Fetched, TokenFault> {
        self.keys.keys(want).await.map_err(|error| {
            tracing::warn!(%error, "notifications cannot be verified");
            TokenFault::KeysUnavailable
        })
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(inner) = cause {
        if inner.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn refuse() -> Response<Body> {
    let mut response = status(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
    response
}

/// 202, with the ids the service likes to see again.
fn accept(request: &HeaderMap) -> Response<Body> {
    const ECHOES: [(HeaderName, HeaderName); 2] = [
        (HeaderName::from_static("x-microsoft-skype-message-id"), HeaderName::from_static("client-request-id")),
        (HeaderName::from_static("scenario-id"), HeaderName::from_static("scenario-id")),
    ];
    let mut response = status(StatusCode::ACCEPTED);
    for (from, to) in ECHOES {
        if let Some(value) = request.get(from) {
            response.headers_mut().insert(to, value.clone());
        }
    }
    response
}
