//! JSON bodies and errors of the administration API.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Json, Response};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::entra::DirectoryError;
use crate::operations::OperationError;
use crate::patience::is_body_timeout;
use crate::tls::TlsError;

/// A refused request: status, code word and a sentence.
#[derive(Debug)]
pub(crate) struct AdminError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl AdminError {
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, code: "notFound", message: message.into() }
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self { status: StatusCode::FORBIDDEN, code: "forbidden", message: message.into() }
    }

    /// 405; the router adds which methods are allowed.
    pub(super) fn method_not_allowed(message: impl Into<String>) -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, code: "methodNotAllowed", message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: "invalid", message: message.into() }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        (self.status, Json(body)).into_response()
    }
}

impl From<OperationError> for AdminError {
    fn from(error: OperationError) -> Self {
        let message = error.to_string();
        match error {
            OperationError::Directory(error) => error.into(),
            OperationError::NotFound(_) => Self::not_found(message),
            OperationError::Invalid(_) => Self::invalid(message),
            OperationError::Full(_) => Self { status: StatusCode::CONFLICT, code: "full", message },
            OperationError::Media(_) => Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "media", message },
        }
    }
}

impl From<DirectoryError> for AdminError {
    fn from(error: DirectoryError) -> Self {
        let message = error.to_string();
        match error {
            DirectoryError::UnknownApp(_) | DirectoryError::UnknownUser(_) => Self::not_found(message),
            DirectoryError::Taken(_) => Self { status: StatusCode::CONFLICT, code: "taken", message },
            _ => Self::invalid(message),
        }
    }
}

impl From<TlsError> for AdminError {
    fn from(error: TlsError) -> Self {
        let message = error.to_string();
        match error {
            TlsError::HostName(_) | TlsError::TooManyHosts(_) => Self::invalid(message),
            _ => Self { status: StatusCode::INTERNAL_SERVER_ERROR, code: "certificate", message },
        }
    }
}

impl From<BytesRejection> for AdminError {
    fn from(rejection: BytesRejection) -> Self {
        if is_body_timeout(&rejection) {
            let message = "the request body did not arrive in time".to_owned();
            return Self { status: StatusCode::REQUEST_TIMEOUT, code: "timeout", message };
        }
        Self { status: rejection.status(), code: "invalid", message: rejection.body_text() }
    }
}

/// A JSON body; an absent one is `{}`. The content type does not matter: `curl -d` says form.
#[derive(Debug)]
pub(crate) struct AdminJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for AdminJson<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AdminError> {
        let AdminBytes(body) = AdminBytes::from_request(request, state).await?;
        read_json(&body).map(Self)
    }
}

/// A body of any kind.
#[derive(Debug)]
pub(crate) struct AdminBytes(pub(crate) Bytes);

impl<S: Send + Sync> FromRequest<S> for AdminBytes {
    type Rejection = AdminError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AdminError> {
        Ok(Self(Bytes::from_request(request, state).await?))
    }
}

/// Reads a JSON body; an absent one is `{}`.
///
/// # Errors
///
/// 400 when it is no JSON or not as expected.
pub(super) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, AdminError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| AdminError::invalid(format!("the body is not as expected: {error}")))
}
