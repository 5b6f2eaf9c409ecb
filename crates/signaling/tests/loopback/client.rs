//! The Graph client against a scripted service on real loopback sockets.
//!
//! What is sent, what is tried again and what is not, and what errors say.

use crate::server::{Service, answer, http, throttled};
use antiphon_graph::permission::Permission;
use antiphon_graph::{AudioRoutingGroup, Call, CallId};
use antiphon_signaling::client::{Culprit, GraphErrorKind, Happened};
use antiphon_signaling::token::TokenError;
use serde_json::{Value, json};

fn call() -> CallId {
    CallId::new("2e1a0b00-5b7c")
}

fn error(code: &str) -> Value {
    json!({"error": {"code": code, "message": "no", "innerError": {"request-id": "r-9"}}})
}

#[tokio::test]
async fn a_throttled_create_is_sent_again_with_the_same_request_id() {
    let created = answer(201, json!({"id": "c"}));
    let service = Service::start([throttled(429, Some("0")), throttled(503, Some("0")), created]).await;
    service.client().create_call(&Call::default()).await.unwrap();
    let seen = service.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].header("client-request-id"), seen[2].header("client-request-id"));
    assert_eq!([seen[0].header("retry-attempt"), seen[2].header("retry-attempt")], ["", "2"]);
}

#[tokio::test]
async fn a_create_that_may_have_happened_is_never_sent_again_and_says_so() {
    for (script, status) in [(answer(500, error("9999")), Some(500)), (throttled(503, None), Some(503)), (None, None)] {
        let service = Service::start([script]).await;
        let failed = service.client().create_call(&Call::default()).await.unwrap_err();
        assert_eq!(failed.status(), status);
        assert_eq!(failed.happened(), Happened::Unknown, "{failed}");
        assert_eq!(service.seen().len(), 1);
    }
}

#[tokio::test]
async fn what_is_safe_to_repeat_is_repeated_after_a_broken_reply() {
    let service = Service::start([None, answer(504, json!({})), answer(200, json!({"id": "c"}))]).await;
    service.client().call(&call()).await.unwrap();
    assert_eq!(service.seen().len(), 3);
}

#[tokio::test]
async fn a_delete_whose_first_reply_was_lost_succeeds_when_the_call_is_gone() {
    let service = Service::start([None, answer(404, error("8522"))]).await;
    service.client().delete_call(&call()).await.unwrap();
    let service = Service::start([answer(404, error("8522"))]).await;
    assert!(service.client().delete_call(&call()).await.unwrap_err().is_call_gone());
}

#[tokio::test]
async fn throttling_beyond_patience_is_an_error_that_tells_how_long() {
    let service = Service::start([throttled(429, Some("180"))]).await;
    let failed = service.client().call(&call()).await.unwrap_err();
    assert_eq!(failed.kind(), &GraphErrorKind::Throttled(Some(std::time::Duration::from_secs(180))));
    let service = Service::start(vec![throttled(429, Some("0")); 4]).await;
    assert!(service.client().call(&call()).await.unwrap_err().is_transient());
    assert_eq!(service.seen().len(), 4);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let unauthorized = || answer(401, error("InvalidAuthenticationToken"));
    let service = Service::start([unauthorized(), answer(200, json!({"id": "c"}))]).await;
    service.client().call(&call()).await.unwrap();
    let seen = service.seen();
    assert_eq!([seen[0].header("authorization"), seen[1].header("authorization")], ["Bearer t1", "Bearer t2"]);

    let service = Service::start([unauthorized(), unauthorized()]).await;
    let failed = service.client().call(&call()).await.unwrap_err();
    assert_eq!(failed.kind(), &GraphErrorKind::Unauthenticated);
    assert_eq!((service.seen().len(), service.tokens()), (2, 2));
}

#[tokio::test]
async fn a_403_names_the_permissions_that_would_do() {
    let service = Service::start([answer(403, error("7504"))]).await;
    let group = AudioRoutingGroup::one_to_one("g", "a".into(), "b".into());
    let failed = service.client().create_audio_routing_group(&call(), &group).await.unwrap_err();
    let GraphErrorKind::PermissionMissing(missing) = failed.kind() else { panic!("{failed}") };
    assert!(missing.names(Permission::JoinGroupCall), "{missing}");
    assert_eq!(failed.culprit(), Culprit::Administrator);
    assert_eq!(failed.request_id(), Some("r-9"));
}

#[tokio::test]
async fn pages_are_followed_on_the_service_and_nowhere_else() {
    let service = Service::start([]).await;
    let page = |id: &str, next: String| answer(200, json!({"value": [{"id": id}], "@odata.nextLink": next}));
    let next = format!("{}/v1.0/communications/calls/c/participants?$skip=1", service.url);
    service.extend([page("a", next), answer(200, json!({"value": [{"id": "b"}]}))]);
    let listed = service.client().participants(&call()).await.unwrap();
    assert_eq!(listed.iter().map(|participant| participant.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(service.seen()[1].path.ends_with("?$skip=1"));

    for elsewhere in [
        "https://127.0.0.1:1/v1.0/steal".to_owned(),
        format!("{}0/v1.0/steal", service.url),
        format!("{}@evil.example/steal", service.url),
    ] {
        let service = Service::start([page("a", elsewhere)]).await;
        let error = service.client().participants(&call()).await.unwrap_err();
        assert_eq!(error.kind(), &GraphErrorKind::UnreadableReply, "half a list is none: {error}");
        assert_eq!(service.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_success_that_is_no_resource_is_unreadable() {
    let service = Service::start([answer(200, json!([1, 2]))]).await;
    let failed = service.client().call(&call()).await.unwrap_err();
    assert_eq!(failed.kind(), &GraphErrorKind::UnreadableReply);
    assert_eq!(failed.culprit(), Culprit::Service);
}

#[tokio::test]
async fn nobody_listening_is_an_environment_error_and_nothing_happened() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let service = Service::start([]).await;
    let config = antiphon_signaling::client::GraphConfig {
        retry: antiphon_signaling::client::RetryPolicy { max_retries: 0, ..Default::default() },
        ..antiphon_signaling::client::GraphConfig::at(url)
    };
    let client = antiphon_signaling::GraphClient::new(http(), service.token_cache(), config);
    let failed = client.create_call(&Call::default()).await.unwrap_err();
    assert_eq!((failed.culprit(), failed.happened()), (Culprit::Environment, Happened::No));
}

#[tokio::test]
async fn one_token_serves_many_requests_at_once() {
    let service = Service::start([]).await;
    let cache = service.token_cache();
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.token().await.unwrap().expose().to_owned() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), "t1");
    }
    assert_eq!(service.tokens(), 1);
}

#[tokio::test]
async fn an_expired_token_is_fetched_anew_and_a_good_one_is_not() {
    let service = Service::start([]).await;
    service.token_lives([0, 0, 3600]);
    let cache = service.token_cache();
    let mut texts = Vec::new();
    for _ in 0..5 {
        texts.push(cache.token().await.unwrap().expose().to_owned());
    }
    assert_eq!(texts, ["t1", "t2", "t3", "t3", "t3"]);
}

#[tokio::test]
async fn replacing_a_token_somebody_replaced_already_asks_for_none() {
    let service = Service::start([]).await;
    let cache = service.token_cache();
    let refused = cache.token().await.unwrap();
    assert_eq!(cache.replace(&refused).await.unwrap().expose(), "t2");
    assert_eq!(cache.replace(&refused).await.unwrap().expose(), "t2");
    assert_eq!(service.tokens(), 2);
}

#[tokio::test]
async fn a_wrong_secret_is_reported_as_the_authority_put_it() {
    let refused = json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."});
    let service = Service::start([answer(401, refused), answer(500, json!("?"))]).await;
    let config = antiphon_signaling::token::TokenConfig::new("contoso.com", "app", "wrong")
        .with_authority(format!("{}/not-the-token-path#", service.url));
    let cache = antiphon_signaling::TokenCache::new(http(), config);
    match cache.token().await.unwrap_err() {
        TokenError::Refused { status: 401, error, description } => {
            assert_eq!(error, "invalid_client");
            assert!(description.starts_with("AADSTS7000215"));
        }
        other => panic!("{other}"),
    }
    assert!(matches!(cache.token().await.unwrap_err(), TokenError::Malformed { status: 500 }));
}
