//! Requests the client has no method for.
//!
//! The same token, tries and errors as everywhere; path and body are the
//! caller's. For endpoints that are new, odd, or known to permission data only.

use antiphon_graph::wire::Version;
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::endpoint::Repeat;
use super::{GraphClient, GraphError};

/// A successful reply as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RawReply {
    /// HTTP status.
    pub status: u16,
    /// The `Location` header.
    pub location: Option<String>,
    /// The body, empty if there was none.
    pub body: Bytes,
}

impl RawReply {
    /// The body as JSON of some type.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}

impl GraphClient {
    /// Sends a request to any path of the service, with an optional JSON body.
    ///
    /// `path` is what the documentation puts after the version, for example
    /// `/communications/calls/{id}/mute`, ids percent-encoded and filled in. With
    /// `/v1.0` or `/beta` in front that version is used, else the configured one.
    /// GET, HEAD, PATCH, PUT and DELETE are repeated as the typed methods repeat
    /// theirs; a DELETE that finds nothing after a try that may have happened
    /// is a success with status 404. Everything else is sent again only if it
    /// surely did not happen.
    ///
    /// # Errors
    ///
    /// As for the typed methods: the same kinds, missing roles named.
    pub async fn raw<B: Serialize + ?Sized>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<RawReply, GraphError> {
        let repeat = match method {
            Method::DELETE => Repeat::SafeUntilGone,
            Method::GET | Method::HEAD | Method::PATCH | Method::PUT => Repeat::Safe,
            _ => Repeat::Never,
        };
        let (version, path) = split_version(path).unwrap_or((self.config().version, path));
        // What does not begin with a slash could lengthen the host's name.
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        let request = self.request_to(version, method, repeat, &path);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Ok(request.send().await?.raw())
    }
}

/// Version and rest of a path that begins with one.
fn split_version(path: &str) -> Option<(Version, &str)> {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let (first, _) = rest.split_once('/')?;
    Some((Version::parse(first)?, &rest[first.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_in_front_is_taken_off() {
        assert_eq!(split_version("/beta/app/calls"), Some((Version::Beta, "/app/calls")));
        assert_eq!(split_version("v1.0/communications/calls"), Some((Version::V1, "/communications/calls")));
        for path in ["/communications/calls", "/beta", "", "/", "//x"] {
            assert_eq!(split_version(path), None, "{path}");
        }
    }
}
