//! What can go wrong with a Graph request, sorted by whose fault it is.
//!
//! One [`GraphError`] for every endpoint: status, code, message and request
//! ids as the service gave them, the kind they amount to, and whether the
//! request may have happened. The text of a message is never branched on.
//! Spec: <https://learn.microsoft.com/graph/errors>, RFC 9110 §15.

use std::fmt;
use std::time::Duration;

use antiphon_graph::error::codes;
use antiphon_graph::wire::Version;
use antiphon_graph::{ErrorEnvelope, ResourcePath};
use http::Method;

use super::missing::MissingRoles;
use crate::http::{Reply, TransportError};
use crate::token::{TokenClaims, TokenError};

/// A failed Graph request.
#[derive(Debug, Clone)]
pub struct GraphError(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: GraphErrorKind,
    status: Option<u16>,
    code: String,
    message: String,
    request_id: Option<String>,
    client_request_id: Option<String>,
    request: String,
    happened: Happened,
}

/// What a failure amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GraphErrorKind {
    /// The token was refused twice, or the authority gave none.
    Unauthenticated,
    /// The app lacks these roles.
    PermissionMissing(MissingRoles),
    /// The token's tenant is not the call's.
    TenantMismatch,
    /// The app is not registered as a calling bot.
    BotNotRegistered,
    /// Refused for another reason.
    Forbidden,
    /// The request is not what the endpoint wants.
    InvalidRequest,
    /// The call is unknown or has ended.
    CallGone,
    /// This is unknown; for a request that names several, one of them.
    NotFound(Missing),
    /// The request does not fit the state of things.
    Conflict,
    /// The service does not do this.
    NotSupported,
    /// Too many requests; wait at least this long if it says so.
    Throttled(Option<Duration>),
    /// The service failed.
    Service,
    /// The service answered success in a form that cannot be read.
    UnreadableReply,
    /// The service cannot be reached.
    Unreachable,
}

/// What a service does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// The meeting or target of a new call.
    Meeting,
    /// A participant.
    Participant,
    /// An audio routing group.
    AudioRoutingGroup,
    /// An operation: it has ended, or never was.
    Operation,
    /// A content sharing session.
    ContentSharingSession,
    /// Something else, or the endpoint itself.
    Other,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Culprit {
    /// The bot asked for something it may not or cannot have.
    Caller,
    /// The tenant's admin or registration: roles, consent, tenant, secret.
    Administrator,
    /// The service.
    Service,
    /// The network between.
    Environment,
}

/// Whether a failed request took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It did not.
    No,
    /// Nobody knows: look before doing it again.
    Unknown,
}

impl GraphError {
    /// An error of a kind, for whoever drives a call machine with a client of
    /// their own.
    pub fn new(kind: GraphErrorKind, happened: Happened, message: impl Into<String>) -> Self {
        Details {
            kind,
            status: None,
            code: String::new(),
            message: message.into(),
            request_id: None,
            client_request_id: None,
            request: "a request".to_owned(),
            happened,
        }
        .into()
    }

    /// What the failure amounts to.
    pub fn kind(&self) -> &GraphErrorKind {
        &self.0.kind
    }

    /// HTTP status, if there was a reply.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// `error.code` of the reply; empty if there was none.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Text for developers.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The service's id of the request, for its support.
    pub fn request_id(&self) -> Option<&str> {
        self.0.request_id.as_deref()
    }

    /// The client's id of the request, the same on every try.
    pub fn client_request_id(&self) -> Option<&str> {
        self.0.client_request_id.as_deref()
    }

    /// Whether the request may have taken effect in spite of the failure.
    pub fn happened(&self) -> Happened {
        self.0.happened
    }

    /// Whether the call it was about has ended.
    pub fn is_call_gone(&self) -> bool {
        self.0.kind == GraphErrorKind::CallGone
    }

    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, GraphErrorKind::Throttled(_) | GraphErrorKind::Service | GraphErrorKind::Unreachable)
    }

    /// Whose fault it is.
    pub fn culprit(&self) -> Culprit {
        match self.0.kind {
            GraphErrorKind::Unauthenticated
            | GraphErrorKind::PermissionMissing(_)
            | GraphErrorKind::TenantMismatch
            | GraphErrorKind::BotNotRegistered => Culprit::Administrator,
            GraphErrorKind::Forbidden
            | GraphErrorKind::InvalidRequest
            | GraphErrorKind::CallGone
            | GraphErrorKind::NotFound(_)
            | GraphErrorKind::Conflict
            | GraphErrorKind::NotSupported => Culprit::Caller,
            GraphErrorKind::Throttled(_) | GraphErrorKind::Service | GraphErrorKind::UnreadableReply => {
                Culprit::Service
            }
            GraphErrorKind::Unreachable => Culprit::Environment,
        }
    }
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed", self.0.request)?;
        if let Some(status) = self.0.status {
            write!(f, " with {status}")?;
        }
        if !self.0.code.is_empty() {
            write!(f, " ({})", self.0.code)?;
        }
        write!(f, ": {}", self.0.message)?;
        if let GraphErrorKind::PermissionMissing(missing) = &self.0.kind {
            write!(f, " {missing}.")?;
        }
        if let Some(id) = &self.0.request_id {
            write!(f, " [request-id {id}]")?;
        }
        Ok(())
    }
}

impl std::error::Error for GraphError {}

impl From<Details> for GraphError {
    fn from(details: Details) -> Self {
        Self(Box::new(details))
    }
}

/// What is known of a request when it fails.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) version: Version,
    pub(super) method: &'a Method,
    /// With the family, `{id}` unfilled.
    pub(super) path: &'a str,
    pub(super) client_request_id: &'a str,
    pub(super) body: Option<&'a [u8]>,
    /// What can be read of the token.
    pub(super) token: Option<TokenClaims>,
}

impl Context<'_> {
    fn details(self, kind: GraphErrorKind, happened: Happened) -> Details {
        Details {
            kind,
            status: None,
            code: String::new(),
            message: String::new(),
            request_id: None,
            client_request_id: Some(self.client_request_id.to_owned()),
            request: format!("{} {}", self.method, self.path),
            happened,
        }
    }

    /// No token.
    pub(super) fn token(self, error: &TokenError) -> GraphError {
        let kind = match error {
            TokenError::Unreachable(_) => GraphErrorKind::Unreachable,
            _ => GraphErrorKind::Unauthenticated,
        };
        Details { message: error.to_string(), ..self.details(kind, Happened::No) }.into()
    }

    /// No reply.
    pub(super) fn transport(self, error: &TransportError) -> GraphError {
        let happened = if error.may_have_happened() { Happened::Unknown } else { Happened::No };
        Details { message: error.to_string(), ..self.details(GraphErrorKind::Unreachable, happened) }.into()
    }

    /// Success, but not readable.
    pub(super) fn unreadable(self, reply: &Reply, why: impl fmt::Display) -> GraphError {
        Details {
            status: Some(reply.status.as_u16()),
            message: format!("the reply cannot be read: {why}"),
            request_id: reply.header("request-id").map(str::to_owned),
            ..self.details(GraphErrorKind::UnreadableReply, Happened::Unknown)
        }
        .into()
    }

    fn missing_roles(&self) -> MissingRoles {
        MissingRoles::of(self.version, self.method.as_str(), self.path, self.body, self.token.as_ref())
    }

    /// A reply that says no.
    pub(super) fn refused(self, reply: &Reply, retry_after: Option<Duration>) -> GraphError {
        let status = reply.status.as_u16();
        let error = ErrorEnvelope::parse(&reply.body).unwrap_or_default().error;
        let is = |code| error.is(code);
        let kind = match status {
            401 => GraphErrorKind::Unauthenticated,
            403 if is(codes::PERMISSION_MISSING) => GraphErrorKind::PermissionMissing(self.missing_roles()),
            403 if is(codes::TENANT_MISMATCH) => GraphErrorKind::TenantMismatch,
            403 if is(codes::BOT_NOT_REGISTERED) => GraphErrorKind::BotNotRegistered,
            403 => GraphErrorKind::Forbidden,
            404 | 410 if is(codes::CALL_NOT_FOUND) => GraphErrorKind::CallGone,
            404 | 410 => not_found(self.path),
            405 | 501 => GraphErrorKind::NotSupported,
            409 | 412 => GraphErrorKind::Conflict,
            429 => GraphErrorKind::Throttled(retry_after),
            503 => GraphErrorKind::Throttled(retry_after),
            500.. => GraphErrorKind::Service,
            300..=399 => GraphErrorKind::UnreadableReply,
            _ => GraphErrorKind::InvalidRequest,
        };
        // A gateway that gives up has not said what the service behind it did.
        let happened = match status {
            503 if retry_after.is_some() => Happened::No,
            500.. => Happened::Unknown,
            _ => Happened::No,
        };
        let inner = error.inner_error.unwrap_or_default();
        let request_id = reply.header("request-id").map(str::to_owned).or(inner.request_id);
        let message = if error.message.is_empty() {
            reply.status.canonical_reason().unwrap_or("no explanation").to_owned()
        } else {
            error.message
        };
        Details { status: Some(status), code: error.code, message, request_id, ..self.details(kind, happened) }.into()
    }
}

/// What a 404 without the calling service's code is about. For a call and its
/// lists it is the call; for an action it may be that or something else, and
/// only a look at the call tells.
fn not_found(path: &str) -> GraphErrorKind {
    let missing = match ResourcePath::parse(path) {
        Ok(ResourcePath::Calls) => Missing::Meeting,
        Ok(ResourcePath::Call(action)) if is_any(action.as_str(), &["logTeleconferenceDeviceQuality"]) => {
            Missing::Other
        }
        Ok(ResourcePath::Participant(_, action)) if is_any(action.as_str(), &["invite"]) => Missing::Other,
        Ok(ResourcePath::Participant(..)) => Missing::Participant,
        Ok(ResourcePath::AudioRoutingGroup(..)) => Missing::AudioRoutingGroup,
        Ok(ResourcePath::AudioRoutingGroups(_)) => Missing::Participant,
        Ok(ResourcePath::Operation(..)) => Missing::Operation,
        Ok(ResourcePath::ContentSharingSession(..)) => Missing::ContentSharingSession,
        Ok(ResourcePath::OtherOfCall(_, rest)) => match &rest[..] {
            [list, ..] if is_any(list, &["participants"]) => Missing::Participant,
            [list, ..] if is_any(list, &["contentSharingSessions"]) => Missing::ContentSharingSession,
            _ => Missing::Other,
        },
        Ok(_) => return GraphErrorKind::CallGone,
        Err(_) => Missing::Other,
    };
    GraphErrorKind::NotFound(missing)
}

/// Whether a path segment is one of these actions, qualified or not.
fn is_any(segment: &str, actions: &[&str]) -> bool {
    const NAMESPACE: &str = "microsoft.graph.";
    let qualified = segment.get(..NAMESPACE.len()).is_some_and(|head| head.eq_ignore_ascii_case(NAMESPACE));
    let bare = if qualified { &segment[NAMESPACE.len()..] } else { segment };
    actions.iter().any(|action| action.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use antiphon_graph::permission::Permission;

    use super::*;

    fn refused(path: &str, status: u16, body: &str) -> GraphError {
        let reply = Reply {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers: [(http::HeaderName::from_static("request-id"), "r-1".parse().unwrap())].into_iter().collect(),
            body: body.to_owned().into(),
        };
        let context = Context {
            version: Version::V1,
            method: &Method::POST,
            path,
            client_request_id: "c-1",
            body: None,
            token: None,
        };
        context.refused(&reply, None)
    }

    #[test]
    fn replies_amount_to_the_kind_their_status_and_code_say() {
        use GraphErrorKind as K;
        let call = "/communications/calls/{id}";
        let below = "/communications/calls/{id}/participants/{id}/mute";
        let gone = |missing| K::NotFound(missing);
        let body = |code: &str| format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#);
        for (path, status, code, kind) in [
            (call, 400, "invalidRequest", K::InvalidRequest),
            (call, 401, "InvalidAuthenticationToken", K::Unauthenticated),
            (call, 403, "7505", K::TenantMismatch),
            (call, 403, "7503", K::BotNotRegistered),
            (call, 403, "accessDenied", K::Forbidden),
            (call, 404, "8522", K::CallGone),
            (call, 404, "itemNotFound", K::CallGone),
            (below, 404, "8522", K::CallGone),
            ("/communications/calls/{id}/mute", 404, "8522", K::CallGone),
            ("/communications/calls/{id}/mute", 404, "", gone(Missing::Other)),
            ("/communications/calls", 404, "itemNotFound", gone(Missing::Meeting)),
            (below, 404, "itemNotFound", gone(Missing::Participant)),
            ("/app/calls/{id}/participants/muteAll", 404, "itemNotFound", gone(Missing::Participant)),
            ("/communications/calls/{id}/participants/invite", 404, "", gone(Missing::Other)),
            ("/communications/calls/{id}/transfer", 404, "", gone(Missing::Other)),
            ("/communications/calls/{id}/operations/{id}", 404, "", gone(Missing::Operation)),
            ("/communications/calls/{id}/audioRoutingGroups", 404, "", gone(Missing::Participant)),
            ("/communications/calls/{id}/audioRoutingGroups/{id}", 404, "", gone(Missing::AudioRoutingGroup)),
            ("/communications/elsewhere", 404, "", gone(Missing::Other)),
            (call, 405, "notSupported", K::NotSupported),
            (call, 409, "nameAlreadyExists", K::Conflict),
            (call, 413, "", K::InvalidRequest),
            (call, 429, "TooManyRequests", K::Throttled(None)),
            (call, 500, "9999", K::Service),
            (call, 501, "", K::NotSupported),
            (call, 503, "", K::Throttled(None)),
            (call, 504, "", K::Service),
        ] {
            let error = refused(path, status, &body(code));
            assert_eq!(error.kind(), &kind, "{status} {code}");
            assert_eq!((error.status(), error.code()), (Some(status), code));
            assert_eq!(error.request_id(), Some("r-1"));
        }
    }

    #[test]
    fn a_missing_permission_names_those_that_would_do() {
        let body = r#"{"error":{"code":"7504","message":"Insufficient."}}"#;
        let error = refused("/communications/calls/{id}/participants/invite", 403, body);
        let GraphErrorKind::PermissionMissing(missing) = error.kind() else { panic!("{error}") };
        assert_eq!(missing.needed, [[Permission::InitiateGroupCall]]);
        assert_eq!(error.culprit(), Culprit::Administrator);
        assert!(error.to_string().contains("The app needs Calls.InitiateGroupCall.All."), "{error}");
    }

    #[test]
    fn bodies_that_are_no_envelope_still_make_an_error() {
        for body in ["", "<html>gateway</html>", "{}", "null"] {
            let error = refused("/communications/calls", 504, body);
            assert_eq!(error.message(), "Gateway Timeout");
            assert_eq!(error.happened(), Happened::Unknown);
        }
    }
}
