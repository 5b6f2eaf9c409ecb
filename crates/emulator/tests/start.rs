//! Emulators as tests start them: described in one expression, many in one process, each with a CA, a clock and
//! certificates for webhooks of its own. Real sockets, TLS and notifications.

use std::sync::Arc;
use std::time::Duration;

use antiphon_emulator::{
    App, Clock, Emulator, EmulatorConfig, IssuedCertificate, Limits, MeetingView, NewApp, StartError,
};
use axum::Router;
use axum::routing::post;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// Far beyond what a healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(60);
const JOIN: [&str; 2] = ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"];

/// A webhook that serves TLS with what the emulator issued.
async fn webhook(certificate: &IssuedCertificate) -> (String, mpsc::Receiver<Value>) {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(certificate.certificate_pem.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificate.private_key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://localhost:{}/callback", listener.local_addr().unwrap().port());
    let (sender, posted) = mpsc::channel(64);
    let router = Router::new().route(
        "/callback",
        post(async move |body: axum::body::Bytes| {
            sender.try_send(serde_json::from_slice(&body).unwrap()).unwrap();
            StatusCode::ACCEPTED
        }),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                }
            });
        }
    });
    (url, posted)
}

/// The state of the next notification about a call; rosters are passed over.
async fn next_state(posted: &mut mpsc::Receiver<Value>) -> String {
    loop {
        let body = tokio::time::timeout(PATIENCE, posted.recv()).await.unwrap().unwrap();
        let data = &body["value"][0]["resourceData"];
        if let Some(state) = data["state"].as_str() {
            let result = &data["resultInfo"];
            return if result.is_null() {
                state.into()
            } else {
                format!("{state} {}/{}", result["code"], result["subcode"])
            };
        }
    }
}

fn http(emulator: &Emulator) -> reqwest::Client {
    let ca = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap()
}

async fn token(emulator: &Emulator, app: &App) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &app.app_id),
        ("client_secret", &app.client_secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", emulator.base_url(), app.tenant_id);
    let answer: Value = http(emulator).post(url).form(&form).send().await.unwrap().json().await.unwrap();
    answer["access_token"].as_str().unwrap().to_owned()
}

/// A call into a meeting without media of its own: it lives its Graph life.
async fn join(emulator: &Emulator, app: &App, meeting: &MeetingView, callback: &str) -> (u16, Value) {
    let body = json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": callback,
        "requestedModalities": ["audio"],
        "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        "chatInfo": { "@odata.type": "#microsoft.graph.chatInfo", "threadId": meeting.thread_id, "messageId": "0" },
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": { "user": { "id": meeting.organizer.id, "tenantId": meeting.tenant_id } },
        },
        "tenantId": meeting.tenant_id,
    });
    let url = format!("{}/communications/calls", emulator.graph_url());
    let request = http(emulator).post(url).bearer_auth(token(emulator, app).await).json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn everything_described_is_there_in_order_when_it_has_started() {
    let second = "0d4c2b1a-7c0d-4a57-9f0b-6d1c5a0e7a12";
    let emulator = Emulator::builder()
        .tenant("0d4c2b1a-7c0d-4a57-9f0b-6d1c5a0e7a11")
        .tenant(second)
        .app(NewApp::named("First").asking_for(JOIN))
        .app_without_consent(NewApp::named("Second").asking_for(JOIN))
        .app(NewApp { tenant_id: Some(second.to_owned()), ..NewApp::named("Third") })
        .user("Ann")
        .user("Ben")
        .meeting("Monday")
        .meeting("Tuesday")
        .start()
        .await
        .unwrap();
    let apps = emulator.apps();
    let names: Vec<_> = apps.iter().map(|app| app.display_name.as_str()).collect();
    assert_eq!(names, ["First", "Second", "Third"]);
    assert_eq!(apps[0].consents[&emulator.tenant_id()].len(), 2);
    assert!(apps[1].consents.is_empty());
    assert_eq!(apps[2].tenant_id, second);
    let token = emulator.delegated_token(&apps[0].app_id, &emulator.users()[0].id).unwrap();
    let url = format!("{}/communications/calls/c", emulator.graph_url());
    let refused = http(&emulator).get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let users: Vec<_> = emulator.users().into_iter().map(|user| user.display_name).collect();
    assert_eq!(users[..2], ["Ann", "Ben"]);
    let meetings: Vec<_> = emulator.meetings().into_iter().map(|meeting| meeting.subject).collect();
    assert_eq!(meetings, ["Monday", "Tuesday"]);
    emulator.stop().await;
}

#[tokio::test]
async fn description_that_is_not_possible_says_what_and_leaves_nothing_running() {
    // An address that no other test takes ports of.
    let probe = std::net::TcpListener::bind(("127.77.1.1", 0)).unwrap();
    let address = probe.local_addr().unwrap();
    drop(probe);
    let describe = || Emulator::builder().bind(address);
    for (builder, culprit) in [
        (describe().tenant("contoso"), "contoso"),
        (describe().app(NewApp::named("Bot").asking_for(["Mail.Read"])), "Mail.Read"),
        (describe().app(NewApp { webhook_url: Some("bot".to_owned()), ..NewApp::named("Bot") }), "webhookUrl"),
        (describe().app(NewApp::named("")), "displayName"),
        (describe().user(""), "displayName"),
    ] {
        let error = builder.start().await.unwrap_err();
        assert!(matches!(error, StartError::Directory(_)) && error.to_string().contains(culprit), "{error}");
    }
    describe().start().await.unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_emulators_in_one_process_do_not_mix() {
    let starting: Vec<_> = (0..10)
        .map(|index| {
            tokio::spawn(async move {
                let builder = Emulator::builder().app(NewApp::named(format!("Bot {index}")).asking_for(JOIN));
                let emulator = builder.meeting("Room").start().await.unwrap();
                let (url, mut posted) = webhook(&emulator.issue_certificate(&[]).unwrap()).await;
                let app = &emulator.apps()[0];
                let (status, call) = join(&emulator, app, &emulator.meetings()[0], &url).await;
                assert_eq!(status, 201, "{call}");
                assert_eq!(next_state(&mut posted).await, "establishing");
                assert_eq!(emulator.calls().len(), 1);
                (emulator, posted)
            })
        })
        .collect();
    let mut emulators = Vec::new();
    for started in starting {
        emulators.push(started.await.unwrap());
    }
    let secrets: std::collections::BTreeSet<_> =
        emulators.iter().map(|(emulator, _)| emulator.apps()[0].client_secret.clone()).collect();
    assert_eq!(secrets.len(), 10);
    let foreign = http(&emulators[0].0).get(emulators[1].0.base_url()).send().await;
    assert!(foreign.is_err(), "each has a CA of its own");
    for (emulator, mut posted) in emulators {
        emulator.stop().await;
        while !next_state(&mut posted).await.starts_with("terminated") {}
    }
}

#[tokio::test]
async fn system_clock_moved_forward_ends_a_call_without_keep_alive() {
    // By hand, time passes for webhooks too while they answer: they get plenty of it.
    let limits = Limits { webhook_timeout: Duration::from_secs(86_400), ..Limits::default() };
    for (clock, limits) in [(Clock::system(), Limits::default()), (Clock::manual().0, limits)] {
        let config = EmulatorConfig { limits, ..EmulatorConfig::default() };
        let builder =
            Emulator::builder().config(config).clock(clock).app(NewApp::named("Bot").asking_for(JOIN)).meeting("Room");
        let emulator = builder.start().await.unwrap();
        let (url, mut posted) = webhook(&emulator.issue_certificate(&["localhost"]).unwrap()).await;
        let (status, call) = join(&emulator, &emulator.apps()[0], &emulator.meetings()[0], &url).await;
        assert_eq!(status, 201, "{call}");
        while next_state(&mut posted).await != "established" {}
        emulator.advance_clock(Duration::from_secs(44 * 60));
        assert_eq!(emulator.calls().len(), 1);
        emulator.advance_clock(Duration::from_secs(60));
        assert_eq!(next_state(&mut posted).await, "terminated 408/8537");
        emulator.stop().await;
    }
}
