//! From an HTTP request to an endpoint and back.
//!
//! Order: token (401), route (404, 405, 501), body (413, 415), role as the permission matrix says (403), handler. Paths
//! are split before they are decoded, compared without case, and literals may carry the `microsoft.graph.` prefix.

use std::sync::Arc;

use antiphon_graph::decode_segment;
use antiphon_graph::permission::{Row, required};
use antiphon_graph::wire::Version;
use axum::body::Body;
use axum::extract::State;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::reply::{Reply, RequestIds};
use super::{ApiError, ApiRequest, ENDPOINTS, Endpoint};
use crate::entra::Caller;
use crate::server::base_url;
use crate::service::Service;

/// Serves one request under `/v1.0` or `/beta`, or one that leads nowhere.
pub(crate) async fn serve(State(service): State<Arc<Service>>, request: Request<Body>) -> Response<Body> {
    let ids = RequestIds::of(request.headers());
    let (parts, body) = request.into_parts();
    let reply = match answer(&service, &parts, body).await {
        Ok(reply) => reply,
        Err(error) => {
            tracing::debug!(
                method = %parts.method, path = parts.uri.path(), status = error.status.as_u16(), code = error.code,
                message = error.message, "request refused"
            );
            error.reply(&ids, service.clock.wall())
        }
    };
    reply.into_response(&ids)
}

async fn answer(service: &Service, parts: &Parts, body: Body) -> Result<Reply, ApiError> {
    let mut segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
    let first = segments.next().unwrap_or_default();
    let Some(version) = Version::parse(first) else {
        return Err(ApiError::no_route(&decode_segment(first)));
    };
    let authorization = header(&parts.headers, AUTHORIZATION.as_str());
    let key = service.authority_key().await;
    let caller = Caller::authenticate(authorization, &key, service.clock.wall()).map_err(ApiError::unauthenticated)?;

    let path: Vec<String> = segments.map(decode_segment).collect();
    let below = below_family(&path)?;
    let (endpoint, ids) = find_endpoint(version, &parts.method, below)?;
    let body = read_body(service, &parts.headers, body).await?;
    let row = permission_row(version, endpoint);
    let checked_later = endpoint.path == "/calls"; // which role it needs depends on the body
    if let Some(row) = row.filter(|row| !checked_later && !row.allows(&caller.roles)) {
        return Err(ApiError::permission_missing(row.sufficient()));
    }
    let request = ApiRequest {
        version,
        ids,
        body,
        caller,
        base: base_url(parts, service.default_authority()),
        scenario_id: header(&parts.headers, "scenario-id").map(str::to_owned),
    };
    (endpoint.handler)(service, &request)
}

/// The segments after `communications` or `app`; both families lead to the same resources.
fn below_family(path: &[String]) -> Result<&[String], ApiError> {
    match path.split_first() {
        Some((family, below))
            if family.eq_ignore_ascii_case("communications") || family.eq_ignore_ascii_case("app") =>
        {
            Ok(below)
        }
        Some((other, _)) => Err(ApiError::no_route(other)),
        None => Err(ApiError::no_route("")),
    }
}

fn find_endpoint(
    version: Version,
    method: &Method,
    path: &[String],
) -> Result<(&'static Endpoint, Vec<String>), ApiError> {
    let mut allowed: Vec<&str> = Vec::new();
    for endpoint in ENDPOINTS {
        if let Some(ids) = match_path(endpoint.path, path) {
            if endpoint.method == method {
                return Ok((endpoint, ids));
            }
            allowed.push(endpoint.method.as_str());
        }
    }
    let whole = path.iter().fold("/communications".to_owned(), |whole, segment| whole + "/" + segment);
    if required(version, method.as_str(), &whole).is_some() {
        let what = path.last().map(String::as_str).unwrap_or_default();
        return Err(ApiError::not_implemented(&format!("{method} .../{what}")));
    }
    if !allowed.is_empty() {
        return Err(ApiError::method_not_allowed(&allowed.join(", ")));
    }
    Err(ApiError::no_route(path.last().map_or("communications", String::as_str)))
}

/// The ids of a path that fits a pattern.
fn match_path(pattern: &str, path: &[String]) -> Option<Vec<String>> {
    let mut ids = Vec::new();
    let mut segments = path.iter();
    for expected in pattern.split('/').filter(|segment| !segment.is_empty()) {
        let segment = segments.next()?;
        if expected == "{id}" {
            ids.push(segment.clone());
        } else if !expected.eq_ignore_ascii_case(unqualified(segment)) {
            return None;
        }
    }
    segments.next().is_none().then_some(ids)
}

/// A segment without the namespace that bound actions may carry.
fn unqualified(segment: &str) -> &str {
    const NAMESPACE: &str = "microsoft.graph.";
    match segment.get(..NAMESPACE.len()) {
        Some(head) if head.eq_ignore_ascii_case(NAMESPACE) => &segment[NAMESPACE.len()..],
        _ => segment,
    }
}

/// The matrix row of an endpoint. The `/app` family shares the rows of its sibling: same resources, same roles.
fn permission_row(version: Version, endpoint: &Endpoint) -> Option<&'static Row> {
    required(version, endpoint.method.as_str(), &format!("/communications{}", endpoint.path))
}

async fn read_body(service: &Service, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let limit = service.limits.body_bytes;
    let collected = tokio::time::timeout(service.limits.handshake, Limited::new(body, limit).collect())
        .await
        .map_err(|_| ApiError::invalid("The request body did not arrive in time."))?
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                ApiError::body_too_large(limit)
            } else {
                ApiError::invalid("The request body could not be read.")
            }
        })?;
    let body = collected.to_bytes();
    if body.is_empty() {
        return Ok(body);
    }
    if let Some(encoding) = header(headers, CONTENT_ENCODING.as_str())
        && !encoding.eq_ignore_ascii_case("identity")
    {
        let message = format!("Content-Encoding {encoding} is not supported; send the body uncompressed.");
        return Err(ApiError::unsupported_media(message));
    }
    let kind = header(headers, CONTENT_TYPE.as_str()).unwrap_or("application/json");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::unsupported_media(format!("Content-Type {essence} is not supported; send JSON.")));
    }
    Ok(body)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('/').filter(|segment| !segment.is_empty()).map(decode_segment).collect()
    }

    #[test]
    fn slash_inside_an_id_does_not_split_the_path() {
        let ids =
            match_path("/calls/{id}/audioRoutingGroups/{id}", &path("/calls/c/audioroutinggroups/a%2Fb")).unwrap();
        assert_eq!(ids, ["c", "a/b"]);
    }

    #[test]
    fn literals_match_in_any_case_and_qualified() {
        for text in ["/calls/c/keepAlive", "/CALLS/c/KEEPALIVE", "/calls/c/microsoft.graph.keepAlive"] {
            assert_eq!(match_path("/calls/{id}/keepAlive", &path(text)), Some(vec!["c".to_owned()]), "{text}");
        }
        for text in ["/calls/c", "/calls/c/keepAlive/x", "/calls/c/keepAlives"] {
            assert_eq!(match_path("/calls/{id}/keepAlive", &path(text)), None, "{text}");
        }
    }

    #[test]
    fn every_endpoint_has_a_row_in_the_permission_matrix() {
        for endpoint in ENDPOINTS {
            for version in [Version::V1, Version::Beta] {
                assert!(permission_row(version, endpoint).is_some(), "{} {}", endpoint.method, endpoint.path);
            }
        }
    }
}
