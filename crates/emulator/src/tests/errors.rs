//! The error envelope and what every answer carries.

use super::*;

#[tokio::test]
async fn every_unknown_route_and_method_is_answered_in_the_envelope() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    for (method, path, status, code) in [
        (Method::GET, "/v1.0/me", 404, "ResourceNotFound"),
        (Method::GET, "/v1.0/communications/nothing", 404, "ResourceNotFound"),
        (Method::GET, "/v1.0/communications/calls/c/nothing", 404, "ResourceNotFound"),
        (Method::GET, "/v2.0/communications/calls", 404, "ResourceNotFound"),
        (Method::GET, "/v1.0/communications/calls", 405, "notAllowed"),
        (Method::PATCH, "/v1.0/communications/calls/c", 405, "notAllowed"),
        (Method::PUT, "/v1.0/communications/calls/c/audioRoutingGroups", 405, "notAllowed"),
        (Method::POST, "/v1.0/communications/calls/c/mute", 501, "notImplemented"),
        (Method::POST, "/v1.0/communications/calls/c/microsoft.graph.playPrompt", 501, "notImplemented"),
        (Method::POST, "/beta/app/calls/c/participants/invite", 501, "notImplemented"),
        (Method::DELETE, "/v1.0/communications/calls/c/participants/p", 501, "notImplemented"),
    ] {
        let answer = bot.request(method.clone(), path, None).await;
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        answer.expect_error(status, code);
    }
    let answer = bot.request(Method::PATCH, "/v1.0/communications/calls/c", None).await;
    assert_eq!(answer.header("allow"), "GET, DELETE");
}

#[tokio::test]
async fn client_request_id_is_echoed_in_header_and_body() {
    let rig = Rig::start().await;
    let request =
        Request::get("/v1.0/communications/calls/c").header("client-request-id", "b0a1").body(Body::empty()).unwrap();
    let answer = rig.send(request).await;
    assert_eq!(answer.header("client-request-id"), "b0a1");
    assert_eq!(answer.body["error"]["innerError"]["client-request-id"], "b0a1");
    assert_ne!(answer.header("request-id"), "b0a1");
    assert!(answer.body["error"]["innerError"]["date"].as_str().unwrap().len() == "2024-04-04T10:11:12".len());
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_refused_by_kind() {
    let rig = Rig::with(|config| config.limits.body_bytes = 200).await;
    let bot = rig.bot(JOIN).await;
    let send = async |body: &str, name: &str, value: &str| {
        let request = Request::post("/v1.0/communications/calls")
            .header(AUTHORIZATION, format!("Bearer {}", bot.token))
            .header(name, value)
            .body(Body::from(body.to_owned()))
            .unwrap();
        rig.send(local(request)).await
    };
    send("{", "content-type", "application/json").await.expect_error(400, "invalidRequest");
    send("[]", "content-type", "application/json").await.expect_error(400, "invalidRequest");
    send("a=b", "content-type", "application/x-www-form-urlencoded").await.expect_error(415, "invalidRequest");
    send("\u{1f}\u{8b}", "content-encoding", "gzip").await.expect_error(415, "invalidRequest");
    send(&" ".repeat(201), "content-type", "application/json").await.expect_error(413, "invalidRequest");
    let odd = "application/json;odata.metadata=minimal;charset=utf-8";
    let message = send("{}", "content-type", odd).await.expect_error(400, "invalidRequest");
    assert!(message.contains("callbackUri"), "parameters of the content type are fine: {message}");
}

#[tokio::test]
async fn deeply_nested_json_is_refused_not_followed() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    let deep = "[".repeat(100_000);
    let request = Request::post("/v1.0/communications/calls")
        .header(AUTHORIZATION, format!("Bearer {}", bot.token))
        .body(Body::from(deep))
        .unwrap();
    rig.send(local(request)).await.expect_error(400, "invalidRequest");
}

#[tokio::test]
async fn answers_without_a_body_have_no_content_type() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    for action in ["keepAlive", "KEEPALIVE", "microsoft.graph.keepAlive"] {
        let answer = bot.request(Method::POST, &format!("{call}/{action}"), None).await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, ""));
    }
    let answer = bot.delete(&call).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::NO_CONTENT, ""));
    bot.delete(&call).await.expect_error(404, "8522");
}
