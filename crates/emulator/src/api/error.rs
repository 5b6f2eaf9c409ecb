//! Errors of the Graph API: status, code and text, and how they look on the wire.
//!
//! Every answer from 400 up has this envelope, unknown routes and internal failures included, because SDKs read nothing
//! else. Spec: "Microsoft Graph error responses"; codes are in `antiphon_graph::error::codes`.

use antiphon_graph::error::codes;
use antiphon_graph::permission::Permission;
use antiphon_graph::{ErrorEnvelope, InnerError};
use http::StatusCode;
use http::header::{ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use jiff::Timestamp;

use super::reply::{Reply, RequestIds};
use crate::entra::AccessError;
use crate::meeting::MediaError;
use crate::world::ActionError;

/// A refused request.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The member or parameter at fault, by path.
    target: Option<String>,
    /// Boxed: few have one, and results with an error in them are passed about a lot.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl From<MediaError> for ApiError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Offer(_) | MediaError::Route(_) | MediaError::Speech(_) => Self::invalid(error.to_string()),
            MediaError::Full(_) => Self::forbidden(error.to_string()),
            MediaError::Unavailable(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<ActionError> for ApiError {
    fn from(error: ActionError) -> Self {
        match error {
            ActionError::NoCall => Self::call_not_found(),
            ActionError::TooManyOperations => Self::too_many(error.to_string()),
            ActionError::WrongState(message) => Self::wrong_state(message),
        }
    }
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), target: None, header: None }
    }

    /// The same, naming the member or parameter at fault by its path.
    pub(crate) fn about(self, target: impl Into<String>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// 400: the request is not well formed or breaks a rule.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::INVALID_REQUEST, message)
    }

    /// 400: a qualified action where none is bound.
    pub(crate) fn function_on_open_property(action: &str) -> Self {
        let message = format!(
            "Found a function 'microsoft.graph.{action}' on an open property. Functions on open properties are not supported."
        );
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// 401. No `claims` in the challenge: the Python SDK would ask for another token because of it.
    pub(crate) fn unauthenticated(error: AccessError, base: &str) -> Self {
        let mut challenge = format!("Bearer realm=\"\", authorization_uri=\"{base}/common/oauth2/authorize\"");
        if error != AccessError::Empty {
            challenge.push_str(", error=\"invalid_token\"");
        }
        Self {
            header: HeaderValue::from_str(&challenge).ok().map(|challenge| Box::new((WWW_AUTHENTICATE, challenge))),
            ..Self::new(StatusCode::UNAUTHORIZED, codes::INVALID_AUTHENTICATION_TOKEN, error.to_string())
        }
    }

    /// 403: none of the roles that would do is in the token.
    pub(crate) fn permission_missing(any_of: &[Permission]) -> Self {
        let names: Vec<_> = any_of.iter().map(|permission| permission.name()).collect();
        let message = format!(
            "Insufficient enterprise tenant permissions, cannot access this API. The token needs one of: {}.",
            names.join(", ")
        );
        Self::new(StatusCode::FORBIDDEN, codes::PERMISSION_MISSING, message)
    }

    /// 403: the token was given for a user; calls are for applications only.
    pub(crate) fn delegated() -> Self {
        Self::forbidden(
            "This API takes application permissions only: the token is a delegated one, given on behalf of a user.",
        )
    }

    /// 403: the recording status of a call that is not for policy recording.
    pub(crate) fn not_a_recording_call() -> Self {
        let message = "API call not allowed for non-Compliance Recording call";
        Self::new(StatusCode::FORBIDDEN, codes::NOT_A_RECORDING_CALL, message)
    }

    /// 403: the token is of another tenant than the call.
    pub(crate) fn tenant_mismatch() -> Self {
        let message = "Mismatch between request authorization tenant and call tenant.";
        Self::new(StatusCode::FORBIDDEN, codes::TENANT_MISMATCH, message)
    }

    /// 403: no calling bot has this app id.
    pub(crate) fn bot_not_registered() -> Self {
        let message = "Application is not registered in our store.";
        Self::new(StatusCode::FORBIDDEN, codes::BOT_NOT_REGISTERED, message)
    }

    /// 403 for another reason.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// 404: no such call, or another application's.
    pub(crate) fn call_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, codes::CALL_NOT_FOUND, "Call not found.")
    }

    /// 404 of anything but a call.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, codes::ITEM_NOT_FOUND, message)
    }

    /// 404 of a participant.
    pub(crate) fn no_participant() -> Self {
        Self::not_found("Participant not found")
    }

    /// 404: the path leads nowhere.
    pub(crate) fn no_route(segment: &str) -> Self {
        let message = format!("Resource not found for the segment '{segment}'.");
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
    }

    /// 405, with the methods that would do.
    pub(crate) fn method_not_allowed(allowed: &str) -> Self {
        Self {
            header: HeaderValue::from_str(allowed).ok().map(|allowed| Box::new((ALLOW, allowed))),
            ..Self::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "notAllowed",
                format!("The method is not allowed on this resource; allowed: {allowed}."),
            )
        }
    }

    /// 409: the name is taken.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, codes::NAME_ALREADY_EXISTS, message)
    }

    /// 409: not in the state the call is in.
    pub(crate) fn wrong_state(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, codes::INVALID_REQUEST, message)
    }

    /// 408: the body did not come in time.
    pub(crate) fn body_too_slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, codes::INVALID_REQUEST, "The request body did not arrive in time.")
    }

    /// 413
    pub(crate) fn body_too_large(limit: usize) -> Self {
        let message = format!("The request body is larger than {limit} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, codes::INVALID_REQUEST, message)
    }

    /// 415
    pub(crate) fn unsupported_media(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, codes::INVALID_REQUEST, message)
    }

    /// 415: compressed in a way that is not understood. The header says which are.
    pub(crate) fn unsupported_encoding(encoding: &str) -> Self {
        let message = format!("Content-Encoding {encoding} is not supported; send the body uncompressed or as gzip.");
        Self {
            header: Some(Box::new((ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity")))),
            ..Self::unsupported_media(message)
        }
    }

    /// 429, before anything happened.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self {
            header: Some(Box::new((RETRY_AFTER, HeaderValue::from_static("10")))),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, codes::TOO_MANY_REQUESTS, message)
        }
    }

    /// 429: too many operations of one call run.
    pub(crate) fn too_many_operations() -> Self {
        Self::too_many("Too many operations of this call are running.")
    }

    /// 500: not the caller's fault and not to be repeated.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, codes::INTERNAL, message)
    }

    /// 501: known to Graph, not offered here.
    pub(crate) fn not_implemented(what: &str) -> Self {
        let message = format!("This service does not implement {what}.");
        Self::new(StatusCode::NOT_IMPLEMENTED, "notImplemented", message)
    }

    /// The answer on the wire.
    pub(crate) fn reply(self, ids: &RequestIds, now: Timestamp) -> Reply {
        let mut envelope = ErrorEnvelope::new(self.code, self.message);
        envelope.error.target = self.target;
        envelope.error.inner_error = Some(Box::new(InnerError {
            date: Some(now.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
            request_id: Some(ids.request.clone()),
            client_request_id: Some(ids.client.clone()),
            ..InnerError::default()
        }));
        let reply = Reply::json(self.status, &envelope);
        match self.header.map(|header| *header) {
            Some((name, value)) => reply.header(name, value),
            None => reply,
        }
    }
}
