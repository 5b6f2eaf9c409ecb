//! The administration API and its guard.

use super::*;

#[tokio::test]
async fn everything_a_demo_needs_can_be_done_over_http() {
    let rig = Rig::start().await;
    let new = json!({ "displayName": "Bot", "permissions": JOIN });
    let app = rig.admin(Method::POST, "/emulator/apps", Some(new)).await.expect(201);
    let consent = format!("/emulator/apps/{}/consent", app["appId"].as_str().unwrap());
    let consented = rig.admin(Method::POST, &consent, None).await.expect(200);
    assert_eq!(consented["consents"][app["tenantId"].as_str().unwrap()].as_array().unwrap().len(), 2);
    let user = rig.admin(Method::POST, "/emulator/users", Some(json!({ "displayName": "Olga" }))).await.expect(201);
    let new = json!({ "subject": "Choir", "organizerId": user["id"] });
    let meeting = rig.admin(Method::POST, "/emulator/meetings", Some(new)).await.expect(201);
    assert!(meeting["threadId"].as_str().unwrap().starts_with("19:meeting_"));
    assert!(meeting["joinUrl"].as_str().unwrap().starts_with("https://teams.microsoft.com/l/meetup-join/"));
    assert_eq!(meeting["organizer"]["displayName"], "Olga");

    let path = format!("/emulator/meetings/{}", meeting["id"].as_str().unwrap());
    let person = json!({ "displayName": "Ann", "offer": { "type": "offer", "sdp": "offer of Ann" } });
    let ann = rig.admin(Method::POST, &format!("{path}/participants"), Some(person)).await.expect(201);
    assert_eq!(ann["answer"], json!({ "type": "answer", "sdp": "answer to the offer of Ann" }));
    assert_eq!(ann["sourceId"], 100);
    let ann = format!("{path}/participants/{}", ann["participantId"].as_str().unwrap());
    let patch = json!({ "inDefaultAudioRoutingGroup": false, "isMuted": true });
    let changed = rig.admin(Method::PATCH, &ann, Some(patch)).await.expect(200);
    assert_eq!((&changed["inDefaultAudioRoutingGroup"], &changed["isMuted"]), (&json!(false), &json!(true)));
    let log = rig.media.take();
    assert!(log[1].starts_with("default ") && log[1].ends_with(" false"), "{log:?}");
    assert!(log[2].starts_with("mute ") && log[2].ends_with(" true"), "{log:?}");

    rig.admin(Method::DELETE, &ann, None).await.expect(204);
    rig.admin(Method::DELETE, &ann, None).await.expect(404);
    rig.admin(Method::GET, &format!("{path}/matrix"), None).await.expect(200);
    rig.admin(Method::DELETE, &path, None).await.expect(204);
    rig.admin(Method::GET, &path, None).await.expect(404);
    let overview = rig.admin(Method::GET, "/emulator", None).await.expect(200);
    assert_eq!(overview["graphUrl"], "https://localhost:8443/v1.0");
    assert_eq!(overview["census"], json!({ "meetings": 0, "calls": 0 }));
}

#[tokio::test]
async fn bot_leaves_the_default_group_in_mid_call_by_admin_operation() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = bot.join(&meeting).await;
    rig.media.take();
    let path = format!("/emulator/calls/{}", call["id"].as_str().unwrap());
    let patch = json!({ "inDefaultAudioRoutingGroup": false });
    rig.admin(Method::PATCH, &path, Some(patch)).await.expect(200);
    let me = call["myParticipantId"].as_str().unwrap();
    assert_eq!(rig.media.take(), [format!("default {me} false")]);
    let listed = rig.admin(Method::GET, "/emulator/calls", None).await.expect(200);
    assert_eq!(listed["value"][0]["participantId"], me);

    rig.admin(Method::DELETE, &path, None).await.expect(204);
    assert_eq!(rig.webhook.summaries(4).await[3], "deleted terminated 200/5000");
    rig.admin(Method::DELETE, &path, None).await.expect(404);
}

#[tokio::test]
async fn mistakes_are_answered_in_a_sentence() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let participants = format!("/emulator/meetings/{}/participants", meeting.id);
    for (method, path, body, status, word) in [
        (Method::POST, "/emulator/apps", json!({ "name": "Bot" }), 400, "displayName"),
        (
            Method::POST,
            "/emulator/apps",
            json!({ "displayName": "B", "permissions": ["X"] }),
            400,
            "calling permission",
        ),
        (Method::POST, "/emulator/apps", json!({ "displayName": "B", "appId": "x" }), 400, "GUID"),
        (Method::POST, "/emulator/apps/x/consent", json!({}), 404, "application"),
        (Method::POST, "/emulator/meetings", json!({ "organizerId": "x" }), 404, "user"),
        (Method::POST, "/emulator/meetings/x/participants", json!({ "displayName": "A" }), 404, "meeting"),
        (Method::POST, &participants, json!({}), 400, "displayName or userId"),
        (
            Method::POST,
            &participants,
            json!({ "displayName": "A", "offer": { "type": "offer", "sdp": "bad" } }),
            400,
            "no audio",
        ),
        (
            Method::POST,
            &participants,
            json!({ "displayName": "A", "offer": { "type": "answer", "sdp": "" } }),
            400,
            "offer.type",
        ),
        (Method::GET, "/emulator/nothing", json!({}), 404, "/emulator/nothing"),
    ] {
        let answer = rig.admin(method, path, Some(body)).await.expect(status);
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(word), "{path}: {message}");
    }
}

#[tokio::test]
async fn guard_refuses_foreign_hosts_origins_and_machines() {
    let rig = Rig::start().await;
    let request = |host: &str, origin: Option<&str>, peer: [u8; 4], key: Option<&str>| {
        let mut request = Request::get("/emulator").header(HOST, host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if let Some(key) = key {
            request = request.header("x-antiphon-admin-key", key);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(Connection { peer: (peer, 1).into(), tls: true });
        request
    };
    let here = [127, 0, 0, 1];
    let lan = [192, 168, 1, 7];
    for (host, origin, peer, key, status) in [
        ("localhost:8443", None, here, None, 200),
        ("localhost:8443", Some("https://localhost:8443"), here, None, 200),
        ("localhost:8443", Some("https://evil.example"), here, None, 403),
        ("localhost:8443", Some("null"), here, None, 403),
        ("rebound.evil.example:8443", None, here, None, 403),
        ("rebound.evil.example:8443", Some("https://rebound.evil.example:8443"), here, None, 403),
        ("192.168.1.2:8443", None, lan, None, 403),
    ] {
        let answer = rig.send(request(host, origin, peer, key)).await;
        assert_eq!(answer.status.as_u16(), status, "{host} {origin:?}: {}", answer.body);
    }
    let open = Rig::with(|config| config.admin_key = Some("sesame".to_owned())).await;
    for (key, status) in [(None, 403), (Some("wrong"), 403), (Some("sesame"), 200)] {
        let answer = open.send(request("192.168.1.2:8443", None, lan, key)).await;
        assert_eq!(answer.status.as_u16(), status, "{key:?}");
    }
    let unknown_peer = Request::get("/emulator").header(HOST, "localhost").body(Body::empty()).unwrap();
    assert_eq!(rig.send(unknown_peer).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn join_page_is_one_self_contained_file() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let page = rig.admin(Method::GET, &format!("/emulator/meetings/{}/join", meeting.id), None).await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let html = page.expect(200);
    let html = html.as_str().unwrap();
    assert!(html.contains("window.antiphon") && html.contains("RTCPeerConnection"));
    assert!(
        !html.contains("src=\"") && !html.contains("http://") && !html.contains("https://"),
        "nothing is fetched from elsewhere"
    );
    rig.admin(Method::GET, "/emulator/meetings/x/join", None).await.expect(404);
}

#[tokio::test]
async fn certificate_is_issued_for_this_machine_or_for_named_hosts() {
    let rig = Rig::start().await;
    let issued = rig.admin(Method::POST, "/emulator/certificates", None).await.expect(201);
    assert_eq!(issued["hosts"], json!(["localhost", "127.0.0.1", "::1"]));
    assert!(issued["certificatePem"].as_str().unwrap().ends_with(rig.service.certificates().pem()));
    let named = json!({ "hosts": ["bot.test", "10.1.2.3"] });
    let issued = rig.admin(Method::POST, "/emulator/certificates", Some(named.clone())).await.expect(201);
    assert_eq!(issued["hosts"], named["hosts"]);
    for hosts in [json!(["bot test"]), json!(vec!["a.test"; 101])] {
        let answer = rig.admin(Method::POST, "/emulator/certificates", Some(json!({ "hosts": hosts }))).await;
        assert!(answer.expect(400)["error"]["message"].as_str().unwrap().contains("certificate"));
    }
}

#[tokio::test]
async fn clock_is_read_and_moved_forward_only() {
    let rig = Rig::start().await;
    let before = rig.admin(Method::GET, "/emulator/clock", None).await.expect(200);
    assert_eq!(before["advancedSeconds"], 0.0);
    let advance = json!({ "advanceSeconds": 2700.5 });
    let after = rig.admin(Method::POST, "/emulator/clock", Some(advance)).await.expect(200);
    assert_eq!(after["advancedSeconds"], 2700.5);
    let time = |answer: &Value| answer["now"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time(&after).duration_since(time(&before)).as_millis(), 2_700_500);
    for bad in [json!(-1), json!(1e300), json!("1"), json!(null)] {
        let answer = rig.admin(Method::POST, "/emulator/clock", Some(json!({ "advanceSeconds": bad }))).await;
        assert_eq!(answer.expect(400)["error"]["code"], "invalid");
    }
    let unchanged = rig.admin(Method::GET, "/emulator/clock", None).await.expect(200);
    assert_eq!(unchanged["advancedSeconds"], 2700.5);
}

#[tokio::test]
async fn call_without_keep_alive_ends_when_the_clock_is_moved_over_http() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    let advance = |seconds: u32| json!({ "advanceSeconds": seconds });
    rig.admin(Method::POST, "/emulator/clock", Some(advance(44 * 60))).await.expect(200);
    bot.request(Method::POST, &format!("{call}/keepAlive"), None).await.expect(200);
    rig.admin(Method::POST, "/emulator/clock", Some(advance(45 * 60))).await.expect(200);
    loop {
        let summary = rig.webhook.next().await.summary();
        if summary.contains("terminated") {
            assert_eq!(summary, "deleted terminated 408/8537");
            break;
        }
    }
}
