//! From an HTTP request to an endpoint and back.
//!
//! Order: token (401), application or user (403), route (404, 405, 501), query (400), body (413, 415), role as the
//! permission matrix says (403), handler. Whatever happens, the answer has Graph's headers and, from 400 up, its
//! envelope. Routes are in `route`, bodies in `body`, query options in `query`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use antiphon_graph::decode_segment;
use antiphon_graph::wire::Version;
use axum::body::Body;
use axum::extract::State;
use http::header::{ALLOW, AUTHORIZATION, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use super::body::header;
use super::query::QueryOptions;
use super::reply::{Reply, RequestIds};
use super::{ApiError, ApiRequest, body, route};
use crate::entra::Caller;
use crate::server::{base_url, is_tls};
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
    reply.into_response(&ids, service.clock.wall(), is_tls(&parts))
}

async fn answer(service: &Service, parts: &Parts, body: Body) -> Result<Reply, ApiError> {
    let mut segments = parts.uri.path().split('/').filter(|segment| !segment.is_empty());
    let first = segments.next().unwrap_or_default();
    let Some(version) = Version::parse(first) else {
        return Err(ApiError::no_route(&decode_segment(first)));
    };
    let path: Vec<String> = segments.map(decode_segment).collect();
    if parts.method == Method::OPTIONS {
        return options(version, &path);
    }
    let base = base_url(parts, service.default_authority());
    let authorization = header(&parts.headers, AUTHORIZATION.as_str());
    let key = service.authority_key().await;
    let caller = Caller::authenticate(authorization, &key, service.clock.wall_shared())
        .map_err(|error| ApiError::unauthenticated(error, &base))?;
    if caller.delegated {
        return Err(ApiError::delegated());
    }

    let route = route::find(version, &parts.method, &path)?;
    let query =
        if route.endpoint.method == Method::GET { QueryOptions::of(&parts.uri)? } else { QueryOptions::default() };
    let body = body::read(&parts.headers, body, service.limits.body_bytes).await?;
    // Which role these need depends on the body, or on the call.
    let checked_later =
        route.endpoint.method == Method::POST && ["/calls", "/calls/{id}/answer"].contains(&route.endpoint.path);
    if !checked_later && !route.row.allows(&caller.roles) {
        return Err(ApiError::permission_missing(route.row.sufficient()));
    }
    let url = format!("{base}{}", parts.uri.path());
    let request = ApiRequest {
        version,
        ids: route.ids,
        body,
        caller,
        base,
        scenario_id: header(&parts.headers, "scenario-id").map(str::to_owned),
        has_user_agent: header(&parts.headers, USER_AGENT.as_str()).is_some_and(|agent| !agent.is_empty()),
    };
    let reply = guarded(|| (route.endpoint.handler)(service, &request))?.declared_in(version);
    if route.count { reply.into_count() } else { Ok(query.apply(reply, &url)) }
}

/// What may be asked of a resource. Needs no token: it only repeats the documentation.
fn options(version: Version, path: &[String]) -> Result<Reply, ApiError> {
    let allowed = route::allowed(version, path)?;
    let value = HeaderValue::from_str(&allowed).expect("invariant: methods are plain words");
    Ok(Reply::empty(StatusCode::NO_CONTENT).header(ALLOW, value))
}

/// Runs a handler. A fault of ours is the caller's 500, not a connection that breaks off without a word.
fn guarded(handler: impl FnOnce() -> Result<Reply, ApiError>) -> Result<Reply, ApiError> {
    catch_unwind(AssertUnwindSafe(handler)).unwrap_or_else(|_| {
        tracing::error!("a request handler panicked");
        Err(ApiError::internal("InternalServiceError"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_of_a_handler_is_a_500_for_its_caller_only() {
        let error = guarded(|| panic!("a fault of ours")).unwrap_err();
        assert_eq!((error.status.as_u16(), error.code), (500, "9999"));
    }
}
