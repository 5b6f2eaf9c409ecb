//! The error envelope: `{"error": {"code", "message", "innerError"}}`.
//!
//! Gateway errors have words for codes, the calling service has decimal
//! numbers as text, some of them wrapped as JSON inside the message.
//! Reading accepts both spellings of the inner error; writing uses the
//! hyphenated one, which the generated SDKs read.
//! Spec: <https://learn.microsoft.com/graph/errors>.

use serde::{Deserialize, Serialize};

use crate::wire::Extra;

/// Codes of the calling service, `error.code` as text.
pub mod codes {
    /// 403: the app has no registration as a calling bot.
    pub const BOT_NOT_REGISTERED: &str = "7503";
    /// 403: the needed role is missing or not consented in that tenant.
    pub const PERMISSION_MISSING: &str = "7504";
    /// 403: the token's tenant is not the call's.
    pub const TENANT_MISMATCH: &str = "7505";
    /// 403: recording status outside a policy recording call.
    pub const NOT_A_RECORDING_CALL: &str = "8506";
    /// 404: the call is unknown or has ended.
    pub const CALL_NOT_FOUND: &str = "8522";
    /// 500: unspecified.
    pub const INTERNAL: &str = "9999";
    /// 401: missing, expired or wrong token.
    pub const INVALID_AUTHENTICATION_TOKEN: &str = "InvalidAuthenticationToken";
    /// 400: the request is not well formed.
    pub const INVALID_REQUEST: &str = "invalidRequest";
    /// 404 of anything but a call.
    pub const ITEM_NOT_FOUND: &str = "itemNotFound";
    /// 409: the name is taken.
    pub const NAME_ALREADY_EXISTS: &str = "nameAlreadyExists";
    /// 405 or 501.
    pub const NOT_SUPPORTED: &str = "notSupported";
    /// 429.
    pub const TOO_MANY_REQUESTS: &str = "TooManyRequests";
    /// 503.
    pub const SERVICE_UNAVAILABLE: &str = "ServiceUnavailable";
    /// Carries the real code as JSON in the message.
    pub const UNKNOWN_ERROR: &str = "UnknownError";
}

/// The body of every reply from 400 up.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// A word or a decimal number; compare ignoring case.
    #[serde(default)]
    pub code: String,
    /// Text for developers; never branch on it.
    #[serde(default, deserialize_with = "crate::wire::null_as_default")]
    pub message: String,
    /// What the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// More errors of the same request.
    #[serde(default, deserialize_with = "crate::wire::null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<ErrorDetail>,
    /// Request ids and time.
    #[serde(default, alias = "innererror", skip_serializing_if = "Option::is_none")]
    pub inner_error: Option<Box<InnerError>>,
    /// Members not declared.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One of several errors of a request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// A word or a decimal number.
    #[serde(default)]
    pub code: String,
    /// Text for developers.
    #[serde(default)]
    pub message: String,
    /// What the error is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Ids and time of the failed request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InnerError {
    /// UTC without zone, for example `2024-04-04T10:11:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The service's id of the request.
    #[serde(rename = "request-id", alias = "requestId", default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The client's id of the request, echoed.
    #[serde(rename = "client-request-id", alias = "clientRequestId", default, skip_serializing_if = "Option::is_none")]
    pub client_request_id: Option<String>,
    /// A more specific code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Members not declared, a nested inner error among them.
    #[serde(flatten)]
    pub extra: Extra,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrappedError {
    error_code: String,
    #[serde(default)]
    message: String,
}

impl ErrorEnvelope {
    /// An error of a code and a text.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error: ErrorBody { code: code.into(), message: message.into(), ..ErrorBody::default() } }
    }

    /// Reads a reply's body; `None` if it is no error envelope, as gateways
    /// send empty and HTML bodies too.
    ///
    /// A wrapped error (`UnknownError` with JSON in the message) is unwrapped.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let mut envelope: Self = serde_json::from_slice(body).ok()?;
        let error = &mut envelope.error;
        if error.code.eq_ignore_ascii_case(codes::UNKNOWN_ERROR)
            && let Ok(wrapped) = serde_json::from_str::<WrappedError>(&error.message)
        {
            error.code = wrapped.error_code;
            error.message = wrapped.message;
        }
        Some(envelope)
    }
}

impl ErrorBody {
    /// Compares the code as Graph's clients must: ignoring case.
    pub fn is(&self, code: &str) -> bool {
        self.code.eq_ignore_ascii_case(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_the_inner_error_are_read() {
        for body in [
            r#"{"error":{"code":"8522","message":"m","innerError":{"request-id":"r","client-request-id":"c"}}}"#,
            r#"{"error":{"code":"8522","message":"m","innererror":{"requestId":"r","clientRequestId":"c"}}}"#,
        ] {
            let error = ErrorEnvelope::parse(body.as_bytes()).unwrap().error;
            let inner = error.inner_error.unwrap();
            assert_eq!(inner.request_id.as_deref(), Some("r"));
            assert_eq!(inner.client_request_id.as_deref(), Some("c"));
        }
    }

    #[test]
    fn an_error_wrapped_in_its_own_message_is_unwrapped() {
        let body = r#"{"error":{"code":"UnknownError","message":"{\"errorCode\":\"7503\",\"message\":\"Application is not registered in our store.\",\"instanceAnnotations\":[]}"}}"#;
        let error = ErrorEnvelope::parse(body.as_bytes()).unwrap().error;
        assert!(error.is(codes::BOT_NOT_REGISTERED));
        assert_eq!(error.message, "Application is not registered in our store.");
    }

    #[test]
    fn bodies_that_are_no_envelope_are_none() {
        for body in ["", "<html>", "[]", "{}", "{\"error\":3}", "null"] {
            assert_eq!(ErrorEnvelope::parse(body.as_bytes()), None, "{body}");
        }
    }
}
