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
        (Method::POST, "/v1.0/communications/calls/c/participants", 405, "notAllowed"),
        (Method::PATCH, "/beta/app/calls/c/participants/p", 405, "notAllowed"),
        (Method::POST, "/v1.0/communications/calls/c/operations", 405, "notAllowed"),
        (Method::DELETE, "/beta/communications/calls/c/operations/o", 405, "notAllowed"),
        (Method::POST, "/v1.0/communications/calls/c/contentSharingSessions", 405, "notAllowed"),
        (Method::PATCH, "/beta/communications/calls/c/contentSharingSessions/s", 405, "notAllowed"),
        (Method::GET, "/v1.0/communications/calls/c/participants/invite", 405, "notAllowed"),
        (Method::GET, "/v1.0/communications/calls/logTeleconferenceDeviceQuality", 405, "notAllowed"),
        (Method::GET, "/v1.0/communications/calls/c/keepAlive", 405, "notAllowed"),
        (Method::GET, "/beta/communications/calls/c/raiseHand", 405, "notAllowed"),
        (Method::POST, "/beta/communications/calls/c/raiseHand", 501, "notImplemented"),
        (Method::POST, "/v1.0/communications/calls/c/participants/admitAllFromLobby", 501, "notImplemented"),
        (Method::POST, "/beta/app/calls/c/microsoft.graph.lowerHand", 501, "notImplemented"),
        (Method::POST, "/beta/communications/calls/c/JOINCONTENTSHARINGAUDIOGROUP", 501, "notImplemented"),
        (Method::POST, "/v1.0/communications/calls/c/startRecording", 404, "ResourceNotFound"),
        (Method::POST, "/v1.0/communications/calls/c/microsoft.graph.nothing", 404, "ResourceNotFound"),
        (Method::POST, "/v1.0/communications/microsoft.graph.keepAlive", 400, "BadRequest"),
        (Method::POST, "/v1.0/communications/calls/c/mute", 404, "8522"),
        (Method::POST, "/v1.0/communications/calls/c/microsoft.graph.playPrompt", 400, "invalidRequest"),
    ] {
        let answer = bot.request(method.clone(), path, None).await;
        assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
        answer.expect_error(status, code);
    }
    let answer = bot.request(Method::PATCH, "/v1.0/communications/calls/c", None).await;
    assert_eq!(answer.header("allow"), "GET, HEAD, DELETE, OPTIONS");
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
    send("\u{1f}\u{8b}", "content-encoding", "gzip").await.expect_error(400, "invalidRequest");
    let answer = send("{}", "content-encoding", "br").await;
    assert_eq!(answer.header("accept-encoding"), "gzip, identity");
    answer.expect_error(415, "invalidRequest");
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

#[tokio::test]
async fn member_of_the_wrong_kind_is_named_by_its_path() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut body = bot.join_body(&meeting);
    body["chatInfo"]["threadId"] = json!(7);
    let answer = bot.post("/v1.0/communications/calls", body).await;
    assert_eq!(answer.body["error"]["target"], "chatInfo.threadId");
    let message = answer.expect_error(400, "invalidRequest");
    assert!(message.contains("chatInfo.threadId"), "{message}");
    bot.request(Method::POST, "/v1.0/communications/calls", Some(&json!("}{")))
        .await
        .expect_error(400, "invalidRequest");
}

#[tokio::test]
async fn call_is_created_by_a_compressed_body() {
    use std::io::Write as _;
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bot.join_body(&meeting).to_string().as_bytes()).unwrap();
    let request = Request::post("/v1.0/communications/calls")
        .header(AUTHORIZATION, format!("Bearer {}", bot.token))
        .header(CONTENT_TYPE, "application/json")
        .header("content-encoding", "gzip")
        .body(Body::from(encoder.finish().unwrap()))
        .unwrap();
    assert_eq!(rig.send(local(request)).await.expect(201)["state"], "establishing");
}

#[tokio::test]
async fn every_answer_has_graphs_headers_and_security_only_over_tls() {
    let rig = Rig::start().await;
    let bot = rig.bot(JOIN).await;
    let wall = rig.service.clock.wall().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for path in ["/v1.0/communications/calls/c", "/nowhere"] {
        let answer = bot.get(path).await;
        assert_eq!(answer.header("date"), wall);
        let diagnostic: Value = serde_json::from_str(answer.header("x-ms-ags-diagnostic")).unwrap();
        assert!(diagnostic["ServerInfo"]["RoleInstance"].is_string());
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    }
    let mut plain = Request::get("/v1.0/x").body(Body::empty()).unwrap();
    plain.extensions_mut().insert(Connection { peer: ([127, 0, 0, 1], 1).into(), tls: false });
    let answer = rig.send(plain).await;
    assert_eq!((answer.header("strict-transport-security"), answer.header("date")), ("", wall.as_str()));
}

#[tokio::test]
async fn wrong_methods_beside_the_api_are_405_too() {
    let rig = Rig::start().await;
    for (method, path, allow, code) in [
        (Method::GET, "/common/oauth2/v2.0/token", "POST", &json!("invalid_request")),
        (Method::PUT, "/v1/keys", "GET,HEAD", &json!("invalid_request")),
        (Method::PUT, "/emulator/apps", "GET,HEAD,POST", &Value::Null),
    ] {
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost:8443");
        let answer = rig.send(local(request.body(Body::empty()).unwrap())).await;
        assert_eq!(answer.header("allow"), allow, "{path}");
        let body = answer.expect(405);
        if code.is_null() {
            assert_eq!(body["error"]["code"], "methodNotAllowed");
        } else {
            assert_eq!(&body["error"], code);
        }
    }
}
