//! Who may administer the service.
//!
//! Callers on this machine need no key; others must send `x-antiphon-admin-key`, and are refused if none is configured.
//! Against DNS rebinding and foreign pages: `Host` must be an address, `localhost` or a configured name, and `Origin`,
//! if there is one, must be the service itself. Graph and token endpoints are not behind this guard: they have tokens.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::ORIGIN;
use http::request::Parts;

use super::AdminError;
use crate::server::{Connection, base_url, host};
use crate::service::Service;

/// Lets a request through or answers 403.
pub(super) async fn guard(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Result<Response, AdminError> {
    let (parts, body) = request.into_parts();
    check(&service, &parts)?;
    Ok(next.run(Request::from_parts(parts, body)).await)
}

fn check(service: &Service, parts: &Parts) -> Result<(), AdminError> {
    let host = host(parts).ok_or_else(|| AdminError::forbidden("the request names no host"))?;
    if !is_own_name(host, &service.host_names) {
        return Err(AdminError::forbidden(format!(
            "the administration API is not served as {host:?}: use an address or localhost, or configure that host name"
        )));
    }
    if let Some(origin) = parts.headers.get(ORIGIN) {
        let own = base_url(parts, host);
        if !origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&own)) {
            return Err(AdminError::forbidden("the administration API is not for pages of another origin"));
        }
    }
    let local = parts
        .extensions
        .get::<Connection>()
        .is_some_and(|connection| connection.peer.ip().to_canonical().is_loopback());
    if local { Ok(()) } else { check_key(service, parts) }
}

fn check_key(service: &Service, parts: &Parts) -> Result<(), AdminError> {
    let Some(key) = &service.admin_key else {
        return Err(AdminError::forbidden(
            "the administration API serves this machine only: configure an admin key to open it to others",
        ));
    };
    let sent = parts.headers.get("x-antiphon-admin-key").map_or(&b""[..], |sent| sent.as_bytes());
    verify_slices_are_equal(sent, key.as_bytes())
        .map_err(|_| AdminError::forbidden("x-antiphon-admin-key is missing or wrong"))
}

fn is_own_name(authority: &str, names: &[String]) -> bool {
    // "[::1]:443", "::1" is not a legal authority; everything else ends at the last colon.
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok()
        || names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_own() {
        let names = ["emulator.test".to_owned()];
        for own in ["localhost:1", "LOCALHOST", "127.0.0.1:443", "[::1]:8443", "10.0.0.7", "Emulator.test:8443"] {
            assert!(is_own_name(own, &names), "{own}");
        }
        for foreign in ["evil.example:443", "localhost.evil.example", "", "127.0.0.1.nip.io:1"] {
            assert!(!is_own_name(foreign, &names), "{foreign}");
        }
    }
}
