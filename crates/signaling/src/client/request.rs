//! One logical request: token, tries, reply.
//!
//! Builds the URL from an endpoint, attaches the token, replaces it once if
//! refused (401), waits and tries again as `retry.rs` decides, and reads the
//! reply as a type. The same `client-request-id` goes with every try.
//! Spec: <https://learn.microsoft.com/graph/best-practices-concept>.

use antiphon_graph::wire::Version;
use antiphon_graph::{Collection, encode_segment};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Uri};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::endpoint::{Endpoint, Repeat};
use super::error::Context;
use super::raw::RawReply;
use super::retry::{Failure, retry_after};
use super::{GraphClient, GraphError};
use crate::http::Reply;
use crate::token::AccessToken;

/// Pages of a collection followed at most; more is a service gone wrong.
const MAX_PAGES: usize = 100;

/// A request being put together.
#[derive(Debug)]
pub(super) struct GraphRequest<'a> {
    client: &'a GraphClient,
    version: Version,
    method: Method,
    repeat: Repeat,
    /// Below the version, for errors; `{id}` unfilled where an endpoint is known.
    path: String,
    url: String,
    body: Option<Bytes>,
    accept: &'static str,
    client_request_id: String,
}

/// A successful reply, to be read.
#[derive(Debug)]
pub(super) struct GraphReply<'a> {
    request: GraphRequest<'a>,
    reply: Reply,
}

impl GraphClient {
    /// A request to an endpoint, its `{id}`s filled in order.
    pub(super) fn request(&self, endpoint: &Endpoint, ids: &[&str]) -> GraphRequest<'_> {
        let mut ids = ids.iter();
        let filled: String = endpoint
            .path
            .split_inclusive('/')
            .map(|segment| match segment.strip_prefix("{id}") {
                Some(slash) => {
                    let id = ids.next().expect("invariant: an endpoint is called with all its ids");
                    encode_segment(id) + slash
                }
                None => segment.to_owned(),
            })
            .collect();
        let family = self.family();
        let version = if endpoint.beta_only { Version::Beta } else { self.config().version };
        let path = format!("/{family}{}", endpoint.path);
        let request = self.request_to(version, endpoint.method.clone(), endpoint.repeat, &format!("/{family}{filled}"));
        GraphRequest { path, ..request }
    }

    /// A request to a path below the version, with its ids in it.
    pub(super) fn request_to(&self, version: Version, method: Method, repeat: Repeat, path: &str) -> GraphRequest<'_> {
        let base = self.config().base_url.trim_end_matches('/');
        GraphRequest {
            client: self,
            version,
            method,
            repeat,
            path: path.to_owned(),
            url: format!("{base}/{}{path}", version.as_str()),
            body: None,
            accept: "application/json",
            client_request_id: Uuid::new_v4().to_string(),
        }
    }
}

impl<'a> GraphRequest<'a> {
    /// A JSON body.
    pub(super) fn json(self, body: &impl Serialize) -> Self {
        let text = serde_json::to_vec(body).expect("invariant: resources have text keys and plain members only");
        Self { body: Some(text.into()), ..self }
    }

    /// Asks for something else than JSON.
    pub(super) fn accept(self, accept: &'static str) -> Self {
        Self { accept, ..self }
    }

    /// Sends it, and again where that is right.
    pub(super) async fn send(self) -> Result<GraphReply<'a>, GraphError> {
        let policy = &self.client.config().retry;
        let tokens = &self.client.inner.tokens;
        let mut token = tokens.token().await.map_err(|error| self.context(None).token(&error))?;
        let mut token_replaced = false;
        let mut maybe_done = false;
        let mut tries = 0;
        loop {
            let outcome = self.try_once(&token, tries).await;
            tries += 1;
            let (error, wait) = match outcome {
                Ok(reply) if reply.status.is_success() => return Ok(GraphReply { request: self, reply }),
                Ok(reply) if reply.status == 401 && !token_replaced => {
                    token_replaced = true;
                    tries -= 1; // the refused try did nothing
                    token = tokens.replace(&token).await.map_err(|error| self.context(None).token(&error))?;
                    continue;
                }
                Ok(reply) if reply.status == 404 && maybe_done && self.repeat == Repeat::SafeUntilGone => {
                    return Ok(GraphReply { request: self, reply });
                }
                Ok(reply) => {
                    let told = retry_after(&reply, Timestamp::now());
                    let wait = policy.next_try(self.repeat, tries, &Failure::Reply(&reply, told), self.jitter(tries));
                    maybe_done |= reply.status.is_server_error();
                    (self.context(Some(&token)).refused(&reply, told), wait)
                }
                Err(error) => {
                    let wait = policy.next_try(self.repeat, tries, &Failure::Transport(&error), self.jitter(tries));
                    maybe_done |= error.may_have_happened();
                    (self.context(Some(&token)).transport(&error), wait)
                }
            };
            let Some(wait) = wait else { return Err(error) };
            tracing::debug!(%error, ?wait, tries, "a Graph request is tried again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends it and follows the collection to its end.
    pub(super) async fn all_pages<T: DeserializeOwned>(self) -> Result<Vec<T>, GraphError> {
        let (client, version, repeat) = (self.client, self.version, self.repeat);
        let base = client.config().base_url.trim_end_matches('/').to_owned();
        let mut all = Vec::new();
        let mut request = self;
        for number in 1.. {
            let path = request.path.clone();
            let page = request.send().await?;
            let Collection { value, odata_next_link, .. }: Collection<T> = page.read()?;
            all.extend(value);
            let Some(link) = odata_next_link else { break };
            if number == MAX_PAGES {
                return Err(page.unreadable(format_args!("the list goes on after {MAX_PAGES} pages")));
            }
            // The token goes to the service only: a link elsewhere is not followed.
            let Some(url) = on_same_origin(&base, &link) else {
                return Err(page.unreadable(format_args!("@odata.nextLink leads elsewhere: {link}")));
            };
            request = GraphRequest { url, ..client.request_to(version, Method::GET, repeat, &path) };
        }
        Ok(all)
    }

    async fn try_once(&self, token: &AccessToken, attempt: u32) -> Result<Reply, crate::http::TransportError> {
        let http = &self.client.inner.http;
        let mut request = http
            .request(self.method.clone(), &self.url)
            .header(AUTHORIZATION, format!("Bearer {}", token.expose()))
            .header(ACCEPT, self.accept)
            .header("client-request-id", &self.client_request_id);
        if attempt > 0 {
            request = request.header("Retry-Attempt", attempt);
        }
        request = match &self.body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(body.clone()),
            // Gateways want a length on a POST without a body.
            None if self.method == Method::POST => request.header("Content-Length", 0),
            None => request,
        };
        http.send(request).await
    }

    /// In [0, 1), different for each request and try.
    fn jitter(&self, tries: u32) -> f64 {
        let seed = Uuid::try_parse(&self.client_request_id).map_or(0, |id| id.as_u64_pair().1);
        let mixed = seed.wrapping_add(u64::from(tries)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        f64::from(u32::try_from(mixed >> 32).expect("invariant: 32 bits are left")) / 4_294_967_296.0
    }

    fn context(&self, token: Option<&AccessToken>) -> Context<'_> {
        Context {
            version: self.version,
            method: &self.method,
            path: &self.path,
            client_request_id: &self.client_request_id,
            body: self.body.as_deref(),
            token: token.and_then(AccessToken::claims),
        }
    }
}

impl GraphReply<'_> {
    /// The reply's body as a resource.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, GraphError> {
        serde_json::from_slice(&self.reply.body).map_err(|error| self.unreadable(error))
    }

    fn unreadable(&self, why: impl std::fmt::Display) -> GraphError {
        self.request.context(None).unreadable(&self.reply, why)
    }

    /// The reply's body as it came.
    pub(super) fn bytes(self) -> Bytes {
        self.reply.body
    }

    /// Status, `Location` and body as they came.
    pub(super) fn raw(self) -> RawReply {
        let location = self.reply.header("location").map(str::to_owned);
        RawReply { status: self.reply.status.as_u16(), location, body: self.reply.body }
    }

    /// Nothing is expected in the reply.
    pub(super) fn done(self) -> Result<(), GraphError> {
        Ok(())
    }
}

/// What a link to the origin of `base` leads to, however it writes that origin.
fn on_same_origin(base: &str, link: &str) -> Option<String> {
    let (ours, theirs): (Uri, Uri) = (base.parse().ok()?, link.parse().ok()?);
    let (ours, theirs) = (ours.into_parts(), theirs.into_parts());
    let port = |scheme: &http::uri::Scheme, authority: &http::uri::Authority| {
        let default = if *scheme == http::uri::Scheme::HTTPS { 443 } else { 80 };
        authority.port_u16().unwrap_or(default)
    };
    let (scheme, authority) = (ours.scheme?, ours.authority?);
    let (their_scheme, their_authority) = (theirs.scheme?, theirs.authority?);
    let same = scheme == their_scheme
        && authority.host().eq_ignore_ascii_case(their_authority.host())
        && port(&scheme, &authority) == port(&their_scheme, &their_authority)
        && !their_authority.as_str().contains('@');
    // Our own spelling of the origin: no reader of URLs can take it for another.
    same.then(|| format!("{scheme}://{authority}{}", theirs.path_and_query.as_ref().map_or("/", |path| path.as_str())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_may_spell_the_origin_in_another_way_but_lead_to_no_other() {
        let base = "https://graph.example/root";
        for link in ["https://graph.example/v1.0/a?$skip=1", "HTTPS://Graph.Example:443/v1.0/a?$skip=1"] {
            assert_eq!(on_same_origin(base, link).as_deref(), Some("https://graph.example/v1.0/a?$skip=1"), "{link}");
        }
        for link in [
            "http://graph.example/a",
            "https://graph.example:444/a",
            "https://graph.example@evil.example/a",
            "https://graph.example.evil.example/a",
            "//graph.example/a",
            "/a",
            "",
        ] {
            assert_eq!(on_same_origin(base, link), None, "{link}");
        }
    }
}
