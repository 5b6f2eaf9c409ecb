//! A bot's webhook on loopback: real HTTP, scripted answers.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::header::LOCATION;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// One request the webhook got.
#[derive(Debug)]
pub(super) struct Posted {
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Posted {
    /// The only notification in the body.
    pub(super) fn notification(&self) -> &Value {
        assert_eq!(self.body["value"].as_array().map(Vec::len), Some(1), "{}", self.body);
        &self.body["value"][0]
    }

    /// State of a call, type and status of an operation, with the end reason if there is one; `roster` for a roster,
    /// `sharing` for content sharing.
    pub(super) fn summary(&self) -> String {
        let notification = self.notification();
        let url = notification["resourceUrl"].as_str().unwrap();
        let change = notification["changeType"].as_str().unwrap();
        if url.ends_with("/participants") {
            return "roster".to_owned();
        }
        if url.ends_with("/contentsharingsessions") {
            return format!("{change} sharing");
        }
        let entity = &notification["resourceData"];
        let state = match entity["status"].as_str() {
            Some(status) => {
                let kind = entity["@odata.type"].as_str().unwrap().trim_start_matches("#microsoft.graph.");
                format!("{kind} {status}")
            }
            None => entity["state"].as_str().unwrap_or("no state").to_owned(),
        };
        let result = &entity["resultInfo"];
        match (result["code"].as_i64(), result["subcode"].as_i64()) {
            (Some(code), Some(subcode)) => format!("{change} {state} {code}/{subcode}"),
            _ => format!("{change} {state}"),
        }
    }
}

struct Shared {
    posted: mpsc::Sender<Posted>,
    script: Mutex<VecDeque<u16>>,
    moved: Mutex<Option<String>>,
    forgets: AtomicBool,
}

/// A receiver of notifications.
pub(super) struct Webhook {
    url: String,
    shared: Arc<Shared>,
    posted: tokio::sync::Mutex<mpsc::Receiver<Posted>>,
}

impl Webhook {
    pub(super) async fn start() -> Self {
        let (sender, posted) = mpsc::channel(1024);
        let shared = Arc::new(Shared {
            posted: sender,
            script: Mutex::default(),
            moved: Mutex::default(),
            forgets: AtomicBool::new(false),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/callback", listener.local_addr().unwrap());
        let router = Router::new().route("/callback", post(receive)).with_state(Arc::clone(&shared));
        let service = hyper_util::service::TowerToHyperService::new(router);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service.clone());
                tokio::spawn(serving);
            }
        });
        Self { url, shared, posted: tokio::sync::Mutex::new(posted) }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Statuses to answer next, in order; 202 after that.
    pub(super) fn answer_next(&self, statuses: &[u16]) {
        self.shared.script.lock().unwrap().extend(statuses);
    }

    /// Sends the next request there instead.
    pub(super) fn redirect_next(&self, url: &str) {
        *self.shared.moved.lock().unwrap() = Some(url.to_owned());
    }

    /// Nobody will look at what comes.
    pub(super) fn forget(&self) {
        self.shared.forgets.store(true, Ordering::Relaxed);
    }

    /// The next request.
    pub(super) async fn next(&self) -> Posted {
        self.posted.lock().await.recv().await.unwrap()
    }

    /// Summaries of the next `count` requests.
    pub(super) async fn summaries(&self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.next().await.summary());
        }
        all
    }
}

async fn receive(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap();
    // Closed: the test is over and looks no more.
    if let Err(TrySendError::Full(_)) = shared.posted.try_send(Posted { headers, body }) {
        assert!(shared.forgets.load(Ordering::Relaxed), "a test that gets so many notifications must look at them");
    }
    if let Some(url) = shared.moved.lock().unwrap().take() {
        return (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, url)]).into_response();
    }
    let status = shared.script.lock().unwrap().pop_front().unwrap_or(202);
    StatusCode::from_u16(status).unwrap().into_response()
}
