//! The webhook as its callers see it: router, keys, socket and TLS.

use std::time::Duration;

use crate::server::{Answer, Service, answer, http};
use crate::signer::{APP, Signer, TENANT, claims};
use antiphon_graph::{CallId, ParticipantJoiningResponse};
use antiphon_signaling::client::{GraphConfig, RetryPolicy};
use antiphon_signaling::http::HttpConfig;
use antiphon_signaling::webhook::{
    Delivery, DispatchLimits, Dispatcher, Expected, JoiningHook, KeySource, KeySourceConfig, TokenFault, WebhookConfig,
    WebhookLimits, WebhookListener, WebhookTls, router,
};
use antiphon_signaling::{GraphClient, HttpClient};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The two documents a key fetch reads.
fn documents(service_url: &str, signer: &Signer) -> [Answer; 2] {
    [answer(200, json!({"jwks_uri": format!("{service_url}/keys")})), answer(200, signer.jwks())]
}

/// A service that publishes these signers' keys, one after the other.
async fn publisher(signers: &[&Signer]) -> (Service, KeySourceConfig) {
    let service = Service::start([]).await;
    let script = signers.iter().flat_map(|signer| documents(&service.url, signer));
    service.extend(script);
    let config = KeySourceConfig { openid_url: format!("{}/openid", service.url), ..KeySourceConfig::default() };
    (service, config)
}

async fn webhook(signers: &[&Signer], refetch_after: Duration) -> (Router, Dispatcher, Service) {
    let (service, config) = publisher(signers).await;
    let keys = KeySource::new(http(), KeySourceConfig { refetch_after, ..config });
    let dispatcher = Dispatcher::new(DispatchLimits::default());
    let limits = WebhookLimits { body: 4096, ..WebhookLimits::default() };
    (
        router("/hook", Expected::for_app(APP), keys, dispatcher.clone(), JoiningHook::default(), limits),
        dispatcher,
        service,
    )
}

fn body(call: &str) -> String {
    json!({"value": [{"changeType": "updated", "resourceUrl": format!("/communications/calls/{call}"),
        "resourceData": {"state": "established"}}]})
    .to_string()
}

async fn post(router: &Router, token: Option<&str>, body: String) -> StatusCode {
    let mut request = Request::post("/hook");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
}

#[tokio::test]
async fn a_verified_notification_is_accepted_and_delivered_with_its_tenant() {
    let signer = Signer::new("k1");
    let (router, dispatcher, _service) = webhook(&[&signer], Duration::ZERO).await;
    let mut receiver = dispatcher.register(CallId::new("c1"), None);
    let request = Request::post("/hook")
        .header("authorization", format!("Bearer {}", signer.sign(&claims(now()))))
        .header("x-microsoft-skype-message-id", "m-1")
        .header("scenario-id", "s-1")
        .body(Body::from(body("C-1")))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["client-request-id"], "m-1");
    assert_eq!(response.headers()["scenario-id"], "s-1");
    let Some(Delivery::Notification { notification, tenant }) = receiver.recv().await else { panic!("delivered") };
    assert_eq!(&*tenant, TENANT);
    assert_eq!(notification.resource_data.entities()[0]["state"], "established");
}

#[tokio::test]
async fn a_bad_token_is_refused_before_the_body_is_looked_at() {
    let signer = Signer::new("k1");
    let (router, dispatcher, _service) = webhook(&[&signer], Duration::ZERO).await;
    let mut wrong = claims(now());
    wrong["aud"] = json!("another-app");
    let token = signer.sign(&wrong);
    assert_eq!(post(&router, None, "{".into()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&router, Some(&token), "{".into()).await, StatusCode::UNAUTHORIZED);
    let basic = Request::post("/hook").header("authorization", "Basic YTpi").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(basic).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let refused = dispatcher.stats().refused;
    assert_eq!(refused, [(TokenFault::Missing, 1), (TokenFault::NotBearer, 1), (TokenFault::Audience, 1)]);
}

#[tokio::test]
async fn verified_requests_with_a_bad_body_are_refused_and_counted() {
    let signer = Signer::new("k1");
    let (router, dispatcher, _service) = webhook(&[&signer], Duration::ZERO).await;
    let token = signer.sign(&claims(now()));
    for (body, status) in [
        ("{".to_owned(), StatusCode::BAD_REQUEST),
        (json!({"value": 7}).to_string(), StatusCode::BAD_REQUEST),
        ("x".repeat(5000), StatusCode::PAYLOAD_TOO_LARGE),
        (json!({"value": []}).to_string(), StatusCode::ACCEPTED),
        (json!({"value": [{"resourceUrl": "/users/1"}]}).to_string(), StatusCode::ACCEPTED),
        (body("unregistered"), StatusCode::ACCEPTED),
    ] {
        assert_eq!(post(&router, Some(&token), body).await, status);
    }
    let stats = dispatcher.stats();
    assert_eq!((stats.malformed, stats.too_long, stats.unknown, stats.held, stats.accepted), (2, 1, 1, 1, 3));
}

#[tokio::test]
async fn a_token_of_another_tenant_than_the_calls_is_refused() {
    let signer = Signer::new("k1");
    let (router, dispatcher, _service) = webhook(&[&signer], Duration::ZERO).await;
    let _receiver = dispatcher.register(CallId::new("c-1"), Some("0e3ed4a5-0000-0000-0000-000000000000"));
    let token = signer.sign(&claims(now()));
    assert_eq!(post(&router, Some(&token), body("c-1")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&router, Some(&token), body("c-2")).await, StatusCode::ACCEPTED);
    let stats = dispatcher.stats();
    assert_eq!((stats.refused, stats.accepted), (vec![(TokenFault::OtherTenant, 1)], 1));
}

#[tokio::test]
async fn a_joining_participant_is_answered_with_a_decision() {
    async fn decision(router: &Router, token: &str, call: &str, data: serde_json::Value) -> (StatusCode, String) {
        let body = json!({"value": [{"changeType": "created", "resourceUrl": format!("/communications/calls/{call}"),
            "resourceData": data}]});
        let request = Request::post("/hook").header("authorization", format!("Bearer {token}"));
        let response = router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }
    let joining =
        |call| json!({"@odata.type": "#microsoft.graph.participantJoiningNotification", "id": "j", "call": call});
    let signer = Signer::new("k1");
    let token = signer.sign(&claims(now()));

    // By default: taken into a call of ours, refused otherwise or if it cannot be read.
    let (router, dispatcher, _service) = webhook(&[&signer], Duration::ZERO).await;
    let mut receiver = dispatcher.register(CallId::new("ours"), None);
    let accept = r##"{"@odata.type":"#microsoft.graph.acceptJoinResponse"}"##;
    let reject = r##"{"@odata.type":"#microsoft.graph.rejectJoinResponse","reason":"none"}"##;
    let whole = json!({"subject": "s"});
    assert_eq!(decision(&router, &token, "ours", joining(whole.clone())).await, (StatusCode::OK, accept.into()));
    assert_eq!(decision(&router, &token, "theirs", joining(whole.clone())).await, (StatusCode::OK, reject.into()));
    assert_eq!(decision(&router, &token, "ours", joining(json!(7))).await, (StatusCode::OK, reject.into()));
    assert!(matches!(receiver.recv().await, Some(Delivery::Notification { .. })), "the call hears of it too");
    assert_eq!(dispatcher.stats().joinings, 3);

    // By a hook, which is told who and where.
    let (_service, config) = publisher(&[&signer]).await;
    let hook = JoiningHook::new(|joining| {
        assert_eq!((joining.is_ours, &*joining.tenant), (false, TENANT));
        let subject = joining.notification.call.as_ref().unwrap().subject.clone().unwrap();
        ParticipantJoiningResponse::invite_new_bot(format!("https://{subject}.example/hook"))
    });
    let (keys, expected) = (KeySource::new(http(), config), Expected::for_app(APP));
    let dispatcher = Dispatcher::new(DispatchLimits::default());
    let router =
        antiphon_signaling::webhook::router("/hook", expected, keys, dispatcher, hook, WebhookLimits::default());
    let (status, body) = decision(&router, &token, "c", joining(whole)).await;
    assert_eq!((status, body.contains("https://s.example/hook")), (StatusCode::OK, true), "{body}");
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_only_for_an_unknown_key() {
    let (old, new) = (Signer::new("k1"), Signer::new("k2"));
    let (router, _, service) = webhook(&[&old, &new], Duration::ZERO).await;
    for _ in 0..3 {
        assert_eq!(post(&router, Some(&old.sign(&claims(now()))), body("c")).await, StatusCode::ACCEPTED);
    }
    assert_eq!(service.seen().len(), 2, "configuration and keys, once");
    assert_eq!(post(&router, Some(&new.sign(&claims(now()))), body("c")).await, StatusCode::ACCEPTED);
    assert_eq!(service.seen().len(), 4, "the rotated key was fetched");
}

#[tokio::test]
async fn unknown_keys_do_not_make_the_webhook_hammer_the_service() {
    let (known, stranger) = (Signer::new("k1"), Signer::new("k2"));
    let (router, dispatcher, service) = webhook(&[&known], Duration::from_secs(3600)).await;
    for _ in 0..5 {
        assert_eq!(post(&router, Some(&stranger.sign(&claims(now()))), body("c")).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(service.seen().len(), 2);
    assert_eq!(dispatcher.stats().refused, [(TokenFault::UnknownKey, 5)]);
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_a_counted_refusal() {
    let service = Service::start([answer(500, json!({}))]).await;
    let config = KeySourceConfig { openid_url: format!("{}/openid", service.url), ..KeySourceConfig::default() };
    let dispatcher = Dispatcher::new(DispatchLimits::default());
    let keys = KeySource::new(http(), config);
    let router = router(
        "/hook",
        Expected::for_app(APP),
        keys,
        dispatcher.clone(),
        JoiningHook::default(),
        WebhookLimits::default(),
    );
    let token = Signer::new("k1").sign(&claims(now()));
    // Not the sender's fault, so not a final 401: it is asked to come again.
    assert_eq!(post(&router, Some(&token), body("c")).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(post(&router, Some(&token), body("c")).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(dispatcher.stats().refused, [(TokenFault::KeysUnavailable, 2)]);
    assert_eq!(service.seen().len(), 1, "a failed fetch is not repeated at once");
}

#[tokio::test]
async fn other_methods_and_paths_are_not_the_webhook() {
    let signer = Signer::new("k1");
    let (router, _, _service) = webhook(&[&signer], Duration::ZERO).await;
    let get = Request::get("/hook").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(get).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let elsewhere = Request::post("/elsewhere").body(Body::empty()).unwrap();
    assert_eq!(router.clone().oneshot(elsewhere).await.unwrap().status(), StatusCode::NOT_FOUND);
}

/// Posts to a listener as the service does.
async fn deliver(client: &reqwest::Client, url: &str, token: &str) -> Result<u16, reqwest::Error> {
    let request = client.post(url).header("authorization", format!("Bearer {token}")).body(body("c"));
    Ok(request.send().await?.status().as_u16())
}

#[tokio::test]
async fn the_listener_serves_tls_and_ends_its_receivers_when_dropped() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let pem = certified.cert.pem();
    let tls = WebhookTls::Pem {
        certificates: pem.clone().into_bytes(),
        key: certified.signing_key.serialize_pem().into_bytes(),
    };
    let signer = Signer::new("k1");
    let (_service, keys) = publisher(&[&signer]).await;
    let config = WebhookConfig { keys, ..WebhookConfig::new("127.0.0.1:0".parse().unwrap(), tls, APP) };
    let listener = WebhookListener::start(config, http()).await.unwrap();
    listener.keys().warm_up().await.unwrap();
    let mut receiver = listener.dispatcher().register("c".into(), None);

    let url = format!("https://{}/api/calls", listener.local_addr());
    let trusting = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()])
        .no_proxy()
        .build()
        .unwrap();
    assert_eq!(deliver(&trusting, &url, &signer.sign(&claims(now()))).await.unwrap(), 202);
    assert_eq!(deliver(&trusting, &url, "nonsense").await.unwrap(), 401);
    assert!(matches!(receiver.recv().await, Some(Delivery::Notification { .. })));

    let plain = url.replace("https", "http");
    assert!(deliver(&trusting, &plain, "x").await.is_err(), "there is no plain HTTP on a TLS port");
    while listener.stats().handshakes_failed == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((listener.stats().accepted, listener.stats().refused_total()), (1, 1));
    drop(listener);
    assert_eq!(receiver.recv().await, None);
}

#[tokio::test]
async fn a_client_trusts_the_ca_it_was_given_and_no_other() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let pem = certified.cert.pem().into_bytes();
    let tls = WebhookTls::Pem { certificates: pem.clone(), key: certified.signing_key.serialize_pem().into_bytes() };
    let config = WebhookConfig::new("127.0.0.1:0".parse().unwrap(), tls, APP);
    let listener = WebhookListener::start(config, http()).await.unwrap();
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap().cert.pem().into_bytes();
    let service = Service::start([]).await;
    for (ca_pem, status) in [(pem, Some(404)), (other, None)] {
        let config = HttpConfig { ca_pem: Some(ca_pem), ..HttpConfig::default() };
        let graph = GraphConfig {
            retry: RetryPolicy { max_retries: 0, ..RetryPolicy::default() },
            ..GraphConfig::at(format!("https://{}", listener.local_addr()))
        };
        let client = GraphClient::new(HttpClient::new(&config).unwrap(), service.token_cache(), graph);
        let failed = client.call(&CallId::new("c")).await.unwrap_err();
        assert_eq!(failed.status(), status, "{failed}");
    }
}

#[tokio::test]
async fn bad_configurations_are_said_in_one_sentence() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let start = |config| WebhookListener::start(config, http());
    let plain = || WebhookConfig::new(address, WebhookTls::Plain, APP);
    let error = start(plain()).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()) && error.contains("choose another port"), "{error}");
    let error = start(WebhookConfig { path: "calls".into(), ..plain() }).await.unwrap_err().to_string();
    assert!(error.contains("path"), "{error}");
    let nonsense = WebhookTls::Pem { certificates: b"no".to_vec(), key: b"no".to_vec() };
    let error = start(WebhookConfig { tls: nonsense, ..plain() }).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}
