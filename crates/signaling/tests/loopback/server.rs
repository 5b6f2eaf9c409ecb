//! A scripted HTTP service on loopback: answers in order, remembers requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_graph::wire::Version;
use antiphon_signaling::client::{GraphConfig, PathFamily, RetryPolicy};
use antiphon_signaling::http::HttpConfig;
use antiphon_signaling::token::TokenConfig;
use antiphon_signaling::{GraphClient, HttpClient, TokenCache};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use serde_json::{Value, json};

/// What the service got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// One answer: status, headers, body. `None` breaks the connection instead.
pub(crate) type Answer = Option<(u16, Vec<(&'static str, String)>, String)>;

#[derive(Debug, Default)]
struct Shared {
    script: VecDeque<Answer>,
    seen: Vec<Seen>,
    tokens: u32,
    token_lives: VecDeque<u64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) url: String,
    shared: Arc<Mutex<Shared>>,
}

#[allow(clippy::needless_pass_by_value, reason = "reads better at the call with json!")]
pub(crate) fn answer(status: u16, body: Value) -> Answer {
    Some((status, vec![("content-type", "application/json".into())], body.to_string()))
}

pub(crate) fn throttled(status: u16, retry_after: Option<&str>) -> Answer {
    let headers = retry_after.map(|text| ("retry-after", text.to_owned())).into_iter().collect();
    Some((status, headers, String::new()))
}

impl Service {
    pub(crate) async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let shared = Arc::new(Mutex::new(Shared { script: script.into_iter().collect(), ..Shared::default() }));
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(socket, router).await });
        Self { url, shared }
    }

    /// More answers.
    pub(crate) fn extend(&self, script: impl IntoIterator<Item = Answer>) {
        self.shared.lock().unwrap().script.extend(script);
    }

    /// Requests other than for tokens, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().unwrap().seen.clone()
    }

    /// How many tokens were asked for.
    pub(crate) fn tokens(&self) -> u32 {
        self.shared.lock().unwrap().tokens
    }

    /// Lives of the next tokens in seconds; after them an hour each.
    pub(crate) fn token_lives(&self, lives: impl IntoIterator<Item = u64>) {
        self.shared.lock().unwrap().token_lives.extend(lives);
    }

    pub(crate) fn token_cache(&self) -> TokenCache {
        TokenCache::new(http(), TokenConfig::new("contoso.com", "app", "secret").with_authority(&self.url))
    }

    /// A client of this service that waits milliseconds where others wait seconds.
    pub(crate) fn client(&self) -> GraphClient {
        self.client_of(Version::V1, PathFamily::Communications)
    }

    pub(crate) fn client_of(&self, version: Version, family: PathFamily) -> GraphClient {
        let retry = RetryPolicy { base_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        GraphClient::new(
            http(),
            self.token_cache(),
            GraphConfig { retry, version, family, ..GraphConfig::at(&self.url) },
        )
    }
}

pub(crate) fn http() -> HttpClient {
    HttpClient::new(&HttpConfig { system_roots: false, no_proxy: true, ..HttpConfig::default() }).unwrap()
}

async fn handle(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut shared = shared.lock().unwrap();
    if head.uri.path().ends_with("/oauth2/v2.0/token") {
        shared.tokens += 1;
        let life = shared.token_lives.pop_front().unwrap_or(3600);
        let token = json!({"token_type": "Bearer", "expires_in": life, "access_token": format!("t{}", shared.tokens)});
        return Response::new(Body::from(token.to_string()));
    }
    shared.seen.push(Seen {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    });
    let Some((status, headers, body)) = shared.script.pop_front().expect("the script has an answer left") else {
        // A body that breaks off breaks the connection.
        let broken = Err::<&str, _>(std::io::Error::other("broken on purpose"));
        return Response::new(Body::from_stream(futures_util::stream::iter([broken])));
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}
