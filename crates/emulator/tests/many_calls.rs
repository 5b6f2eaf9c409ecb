//! A thousand calls of a dozen applications at once, over real sockets: none is lost, and every bot is told everything in
//! order.
//!
//! Call control is raw HTTPS, so nothing of a client library is trusted here. Media is the service's: what is under test is
//! the bookkeeping. Completeness shows in the delta rosters, whose numbers have no gaps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use antiphon_emulator::{App, Consent, Emulator, EmulatorConfig, Limits, MeetingView, NewApp, NewMeeting};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

const APPS: usize = 12;
const CALLS_PER_APP: usize = 84;
const CALLS_PER_MEETING: usize = 8;
const KEEP_ALIVES: usize = 3;
/// Far beyond what a healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(240);

/// What every call was told, in the order of arrival.
#[derive(Debug, Clone)]
struct Told {
    by_call: Arc<Mutex<HashMap<String, Vec<String>>>>,
    ended: Arc<watch::Sender<usize>>,
}

impl Told {
    fn note(&self, notification: &Value) {
        let url = notification["resourceUrl"].as_str().unwrap();
        let call = url.split('/').nth(3).unwrap().to_owned();
        let data = &notification["resourceData"];
        let line = if url.ends_with("/participants") {
            format!("roster {}", data["sequenceNumber"])
        } else {
            data["state"].as_str().unwrap().to_owned()
        };
        let over = line == "terminated";
        self.by_call.lock().unwrap().entry(call).or_default().push(line);
        if over {
            self.ended.send_modify(|ended| *ended += 1);
        }
    }
}

async fn webhook(told: Told) -> String {
    async fn receive(State(told): State<Told>, body: Bytes) -> StatusCode {
        let body: Value = serde_json::from_slice(&body).unwrap();
        body["value"].as_array().unwrap().iter().for_each(|notification| told.note(notification));
        StatusCode::ACCEPTED
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/callback", listener.local_addr().unwrap());
    let router = Router::new().route("/callback", post(receive)).with_state(told);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

/// An application with a token.
#[derive(Debug, Clone)]
struct Bot {
    http: reqwest::Client,
    token: String,
    base: String,
}

impl Bot {
    async fn new(http: reqwest::Client, emulator: &Emulator, app: &App) -> Self {
        let url = format!("{}/{}/oauth2/v2.0/token", emulator.base_url(), app.tenant_id);
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
            app.app_id, app.client_secret
        );
        let request = http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        let answer: Value = serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { http, token, base: format!("{}/communications/calls", emulator.graph_url()) }
    }

    async fn send(&self, method: http::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
    }

    /// A whole life; gives the call's id.
    async fn live(self, join: Value) -> String {
        let (status, call) = self.send(http::Method::POST, "", Some(&join)).await;
        assert_eq!(status, 201, "{call}");
        let id = call["id"].as_str().unwrap().to_owned();
        for _ in 0..KEEP_ALIVES {
            assert_eq!(self.send(http::Method::POST, &format!("/{id}/keepAlive"), None).await.0, 200);
            let (status, found) = self.send(http::Method::GET, &format!("/{id}"), None).await;
            assert_eq!((status, &found["state"]), (200, &json!("established")));
        }
        assert_eq!(self.send(http::Method::DELETE, &format!("/{id}"), None).await.0, 204);
        assert_eq!(self.send(http::Method::GET, &format!("/{id}"), None).await.0, 404);
        id
    }
}

fn join_body(meeting: &MeetingView, callback: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": callback,
        "requestedModalities": ["audio"],
        "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        "callOptions": { "@odata.type": "#microsoft.graph.outgoingCallOptions", "isDeltaRosterEnabled": true },
        "chatInfo": { "threadId": meeting.thread_id, "messageId": meeting.message_id },
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": { "user": { "id": meeting.organizer.id } },
        },
        "tenantId": meeting.tenant_id,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_at_once_are_all_told_everything_in_order() {
    let limits = Limits { participants: 16, ..Limits::default() };
    let config = EmulatorConfig { allow_http_callbacks: true, limits, ..EmulatorConfig::default() };
    let emulator = Emulator::start(config).await.unwrap();
    let told = Told { by_call: Arc::default(), ended: Arc::new(watch::Sender::new(0)) };
    let callback = webhook(told.clone()).await;
    let ca = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();

    let total = APPS * CALLS_PER_APP;
    let mut meetings = Vec::new();
    for _ in 0..total.div_ceil(CALLS_PER_MEETING) {
        meetings.push(emulator.create_meeting(NewMeeting::default()).unwrap());
    }
    let mut bots = Vec::new();
    for n in 0..APPS {
        let permissions = vec!["Calls.JoinGroupCall.All".to_owned()];
        let new = NewApp { display_name: format!("Bot {n}"), permissions, ..NewApp::default() };
        let app = emulator.register_app(new).unwrap();
        emulator.consent(&app.app_id, Consent::default()).unwrap();
        bots.push(Bot::new(http.clone(), &emulator, &app).await);
    }
    let mut lives = tokio::task::JoinSet::new();
    for n in 0..total {
        let meeting = &meetings[n % meetings.len()];
        lives.spawn(bots[n % APPS].clone().live(join_body(meeting, &callback)));
    }
    let ids = tokio::time::timeout(PATIENCE, lives.join_all()).await.expect("every call lives and ends");
    let mut ended = told.ended.subscribe();
    tokio::time::timeout(PATIENCE, ended.wait_for(|ended| *ended >= total)).await.expect("every bot is told").unwrap();

    assert_eq!(emulator.calls(), [], "no call is left");
    let by_call = told.by_call.lock().unwrap().clone();
    assert_eq!(by_call.len(), total);
    let mut notifications = 0;
    for id in &ids {
        let lines = &by_call[id];
        let (rosters, states): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("roster"));
        assert_eq!(states, ["establishing", "established", "terminating", "terminated"], "{id}");
        let expected: Vec<String> = (1..=rosters.len()).map(|n| format!("roster {n}")).collect();
        assert!(rosters.iter().map(|line| line.as_str()).eq(expected.iter().map(String::as_str)), "{id}: {rosters:?}");
        assert!(!rosters.is_empty(), "{id} never saw a roster");
        assert_eq!(lines.last().map(String::as_str), Some("terminated"), "{id}");
        notifications += lines.len();
    }
    // A bot has the last notification a moment before the service has its answer.
    let counts = loop {
        let counts = emulator.delivery_counts();
        if counts.delivered + counts.failed + counts.dropped >= u64::try_from(notifications).unwrap() {
            break counts;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((counts.failed, counts.dropped), (0, 0));
    assert_eq!(counts.delivered, u64::try_from(notifications).unwrap());
    println!("{total} calls of {APPS} applications, {notifications} notifications, all in order");
    emulator.stop().await;
}
