//! Notifications on the wire: signature, order, retries.

use super::*;
use antiphon_graph::CommsNotifications;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

#[tokio::test]
async fn notification_is_signed_by_the_published_key_for_the_app_and_tenant() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    let posted = rig.webhook.next().await;

    let keys = rig.send(Request::get("/v1/keys").body(Body::empty()).unwrap()).await.expect(200);
    let bearer = posted.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let kid = decode_header(bearer).unwrap().kid.unwrap();
    let jwk = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap();
    let public = DecodingKey::from_rsa_components(jwk["n"].as_str().unwrap(), jwk["e"].as_str().unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[&bot.app.app_id]);
    rules.set_issuer(&["https://graph.microsoft.com"]);
    let claims = decode::<Value>(bearer, &public, &rules).unwrap().claims;
    assert_eq!(claims["tid"], meeting.tenant_id);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 65 * 60);

    assert!(posted.headers["content-type"].to_str().unwrap().starts_with("application/json"));
    assert_eq!(posted.headers["x-microsoft-skype-chain-id"], call["callChainId"].as_str().unwrap());
    assert_eq!(posted.headers["scenario-id"], "5f0d8f2c-54a5-4d6c-b1f1-3a0c2a4c1e55");
    assert!(posted.headers.contains_key("x-microsoft-skype-message-id"));
}

#[tokio::test]
async fn notification_has_both_resource_paths_and_partial_call_data() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.webhook.next().await;
    let established = rig.webhook.next().await;
    CommsNotifications::parse(established.body.to_string().as_bytes()).unwrap();
    let notification = established.notification();
    let id = call["id"].as_str().unwrap();
    assert_eq!(notification["resourceUrl"], format!("/communications/calls/{id}"));
    assert_eq!(notification["resource"], format!("/app/calls/{id}"));
    assert_eq!(notification["callbackUri"], rig.webhook.url());
    let data = &notification["resourceData"];
    assert_eq!(data["state"], "established");
    assert_eq!(data["mediaState"]["audio"], "active");
    assert_eq!(data["chatInfo"]["threadId"], meeting.thread_id);
    assert_eq!(data["tenantId"], meeting.tenant_id);
}

#[tokio::test]
async fn failed_delivery_is_retried_after_one_two_and_four_seconds_then_given_up() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.webhook.answer_next(&[500, 429, 408, 503]);
    bot.join(&meeting).await;
    let first = rig.webhook.next().await;
    assert_eq!(first.summary(), "updated establishing");
    let message_id = |post: &webhook::Posted| post.headers["x-microsoft-skype-message-id"].clone();
    for pause in [1, 2, 4] {
        // The courier counts a retry only when its pause is over: an early one would show here.
        advance_until_retry(&rig, pause).await;
        let again = rig.webhook.next().await;
        assert_eq!(again.summary(), "updated establishing");
        assert_eq!(message_id(&again), message_id(&first), "a repetition can be told by its id");
    }
    let next = rig.webhook.next().await;
    assert_eq!(next.summary(), "updated established", "the next one goes out in order");
    assert_ne!(message_id(&next), message_id(&first));
    let counts = rig.service.delivery_counts();
    assert_eq!((counts.retried, counts.failed), (3, 1));
}

/// Moves the clock by `pause` seconds once the courier waits for it: less must not be enough.
async fn advance_until_retry(rig: &Rig, pause: u64) {
    let before = rig.service.delivery_counts().retried;
    let started = rig.service.clock.now();
    while rig.service.delivery_counts().retried == before {
        rig.hand.advance(Duration::from_millis(50));
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
    let waited = rig.service.clock.now().since_start() - started.since_start();
    assert!(waited >= Duration::from_secs(pause), "retried after {waited:?} instead of {pause} s");
}

#[tokio::test]
async fn webhook_that_never_answers_is_given_its_timeout_and_then_tried_again() {
    let rig = Rig::with(|config| config.limits.webhook_timeout = Duration::from_secs(10)).await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mute = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap(); // connects, but nobody reads
    let mut body = bot.join_body(&meeting);
    body["callbackUri"] = json!(format!("http://{}/", mute.local_addr().unwrap()));
    bot.post("/v1.0/communications/calls", body).await.expect(201);
    advance_until_retry(&rig, 11).await;
}

#[tokio::test]
async fn refusal_other_than_overload_is_final() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    rig.webhook.answer_next(&[401]);
    bot.join(&meeting).await;
    assert_eq!(rig.webhook.summaries(3).await, ["updated establishing", "updated established", "roster"]);
    let counts = rig.service.delivery_counts();
    assert_eq!((counts.retried, counts.failed), (0, 1));
}

#[tokio::test]
async fn webhook_that_cannot_be_reached_does_not_hold_up_another_call() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut dead = bot.join_body(&meeting);
    dead["callbackUri"] = json!("http://127.0.0.1:1/"); // nobody listens on port 1
    bot.post("/v1.0/communications/calls", dead).await.expect(201);
    let call = bot.join(&meeting).await;
    let posted = rig.webhook.next().await;
    assert_eq!(posted.notification()["resourceData"]["id"], call["id"]);
}
