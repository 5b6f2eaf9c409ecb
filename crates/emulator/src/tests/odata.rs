//! Query options, HEAD, OPTIONS and `$count`, through the whole service.

use super::*;

#[tokio::test]
async fn collections_are_selected_from_paged_and_counted() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    for name in ["Ann", "Ben"] {
        let id = rig.person(&meeting, name);
        rig.report(&meeting.id, &id, MediaEventKind::Connected);
    }
    let bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    let all = bot.get(&format!("{call}/participants")).await.expect(200);
    assert_eq!(all["value"].as_array().unwrap().len(), 3);

    let mut page = bot.get(&format!("{call}/participants?%24select=isMuted&%24top=2")).await.expect(200);
    let mut ids = Vec::new();
    loop {
        for participant in page["value"].as_array().unwrap() {
            assert!(participant["isMuted"].is_boolean() && participant.get("info").is_none(), "{participant}");
            ids.push(participant["id"].clone());
        }
        let Some(next) = page["@odata.nextLink"].as_str() else { break };
        page = bot.get(next).await.expect(200);
    }
    let expected: Vec<_> =
        all["value"].as_array().unwrap().iter().map(|participant| participant["id"].clone()).collect();
    assert_eq!(ids, expected);

    let count = bot.get(&format!("{call}/participants/$count")).await;
    assert_eq!((count.header("content-type"), &count.body), ("text/plain; charset=utf-8", &json!(3)));
    bot.get(&format!("{call}/$count")).await.expect_error(404, "ResourceNotFound");
    let selected = bot.get(&format!("{call}?$select=state&$filter=nonsense")).await.expect(200);
    assert_eq!((&selected["state"], selected.get("tenantId")), (&json!("established"), None));
    let answer = bot.get(&format!("{call}/participants?$top=-1")).await;
    assert_eq!(answer.body["error"]["target"], "$top");
    answer.expect_error(400, "invalidRequest");
    bot.request(Method::POST, &format!("{call}/keepAlive?$top=-1"), None).await.expect(200);
}

#[tokio::test]
async fn head_is_get_and_options_need_no_token() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    let answer = bot.request(Method::HEAD, &call, None).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.body, Value::Null, "the headers of GET, and no more");
    bot.request(Method::HEAD, "/v1.0/communications/calls/x", None).await.expect(404);
    bot.request(Method::HEAD, &format!("{call}/keepAlive"), None).await.expect(405);

    for (path, status, allow) in [
        ("/v1.0/communications/calls", 204, "POST, OPTIONS"),
        ("/beta/app/calls/c/audioRoutingGroups/g", 204, "GET, HEAD, PATCH, DELETE, OPTIONS"),
        ("/beta/app/calls/c/raiseHand", 204, "POST, OPTIONS"),
        ("/v1.0/communications/nothing", 404, ""),
    ] {
        let request = Request::builder().method(Method::OPTIONS).uri(path).body(Body::empty()).unwrap();
        let answer = rig.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (status, allow), "{path}");
    }
}
