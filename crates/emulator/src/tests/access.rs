//! Tokens, roles and ownership.

use super::*;

#[tokio::test]
async fn request_without_a_valid_token_is_401_with_a_plain_challenge() {
    let rig = Rig::start().await;
    let mut bot = rig.bot(JOIN).await;
    let request = Request::get("/v1.0/communications/calls/x").body(Body::empty()).unwrap();
    let answer = rig.send(request).await;
    let challenge = "Bearer realm=\"\", authorization_uri=\"https://localhost/common/oauth2/authorize\"";
    assert_eq!(answer.header("www-authenticate"), challenge);
    answer.expect_error(401, "InvalidAuthenticationToken");

    let good = bot.token.clone();
    bot.token = "not.a.token".to_owned();
    let answer = bot.get("/v1.0/communications/calls/x").await;
    assert!(answer.header("www-authenticate").contains("invalid_token"));
    assert!(!answer.header("www-authenticate").contains("claims"));
    answer.expect_error(401, "InvalidAuthenticationToken");

    bot.token = good;
    bot.get("/v1.0/communications/calls/x").await.expect_error(404, "8522");
    rig.hand.advance(Duration::from_secs(3600));
    let message = bot.get("/v1.0/communications/calls/x").await.expect_error(401, "InvalidAuthenticationToken");
    assert!(message.contains("expired"), "{message}");
}

#[tokio::test]
async fn delegated_token_is_403_whatever_it_says() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let mut bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    let good = bot.token.clone();
    let user = rig.service.directory().add_user("Ann".into()).unwrap();
    let path = format!("/emulator/apps/{}/delegatedTokens", bot.app.app_id);
    let given = rig.admin(Method::POST, &path, Some(json!({ "userId": user.id }))).await.expect(201);
    bot.token = given["accessToken"].as_str().unwrap().to_owned();
    let claims: Value = KeyRing.authority().verify(&bot.token).unwrap();
    assert_eq!((&claims["scp"], claims.get("roles")), (&json!("Calls.AccessMedia.All Calls.JoinGroupCall.All"), None));

    for (claim, value) in [("tid", &claims["tid"]), ("scp", &Value::Null), ("roles", &json!(JOIN))] {
        let mut delegated = claims.clone();
        delegated[claim] = value.clone();
        bot.token = KeyRing.authority().sign(&delegated);
        let message = bot.get(&call).await.expect_error(403, "Forbidden");
        assert!(message.contains("delegated"), "{message}");
        bot.post("/v1.0/communications/calls", bot.join_body(&meeting)).await.expect_error(403, "Forbidden");
    }
    bot.token = good;
    bot.get(&call).await.expect(200);
    let missing = rig.admin(Method::POST, &path, Some(json!({ "userId": "x" }))).await.expect(404);
    assert!(missing["error"]["message"].as_str().unwrap().contains("user"));
}

#[tokio::test]
async fn call_of_another_application_does_not_exist() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let owner = rig.bot(JOIN).await;
    let stranger = rig.bot(JOIN).await;
    let call = path_of(&owner.join(&meeting).await);
    for (method, path) in [
        (Method::GET, call.clone()),
        (Method::DELETE, call.clone()),
        (Method::POST, format!("{call}/keepAlive")),
        (Method::GET, format!("{call}/participants")),
        (Method::GET, format!("{call}/audioRoutingGroups")),
    ] {
        stranger.request(method, &path, None).await.expect_error(404, "8522");
    }
    owner.get(&call).await.expect(200);
}

#[tokio::test]
async fn token_of_another_tenant_gets_7505_on_the_apps_own_call() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let mut bot = rig.bot(JOIN).await;
    let call = path_of(&bot.join(&meeting).await);
    let other = rig.service.directory().add_tenant(None).unwrap();
    let consent = Consent { tenant_id: Some(other.clone()), permissions: None };
    rig.service.directory().consent(&bot.app.app_id, consent).unwrap();
    bot.token = rig.token_for(&bot.app, &other).await;
    bot.get(&call).await.expect_error(403, "7505");
}

#[tokio::test]
async fn role_is_checked_per_request_only_where_the_matrix_says_so() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let mut bot = rig.bot(&["Calls.JoinGroupCallAsGuest.All", "Calls.AccessMedia.All"]).await;
    let joined = bot.join(&meeting).await;
    let call = path_of(&joined);
    let me = joined["myParticipantId"].as_str().unwrap();
    // A guest may look at participants, but routing groups want Calls.JoinGroupCall.All or InitiateGroupCall.
    bot.get(&format!("{call}/participants/{me}")).await.expect(200);
    let message = bot.get(&format!("{call}/audioRoutingGroups")).await.expect_error(403, "7504");
    assert!(message.contains("Calls.JoinGroupCall.All, Calls.InitiateGroupCall.All"), "{message}");

    // Roles lost since creation: what was checked at creation still works, the rest does not.
    let none = Consent { tenant_id: None, permissions: Some(Vec::new()) };
    rig.service.directory().consent(&bot.app.app_id, none).unwrap();
    bot.token = rig.token_for(&bot.app, &bot.app.tenant_id).await;
    bot.get(&call).await.expect(200);
    bot.get(&format!("{call}/participants")).await.expect(200);
    bot.request(Method::POST, &format!("{call}/keepAlive"), None).await.expect(200);
    bot.get(&format!("{call}/participants/{me}")).await.expect_error(403, "7504");
    bot.delete(&call).await.expect(204);
}

#[tokio::test]
async fn discovery_documents_name_the_host_the_caller_used() {
    let rig = Rig::start().await;
    let tenant = rig.service.directory().first_tenant().to_owned();
    let get = async |path: &str| {
        let request = Request::get(path).header(HOST, "127.0.0.1:9999").body(Body::empty()).unwrap();
        rig.send(local(request)).await.expect(200)
    };
    let authority = get(&format!("/{tenant}/v2.0/.well-known/openid-configuration?x-client-SKU=MSAL")).await;
    let base = format!("https://127.0.0.1:9999/{tenant}");
    assert_eq!(authority["issuer"], format!("{base}/v2.0"));
    assert_eq!(authority["token_endpoint"], format!("{base}/oauth2/v2.0/token"));
    assert!(authority["authorization_endpoint"].as_str().unwrap().starts_with(&base));
    assert_eq!(get(&format!("/{tenant}/.well-known/openid-configuration")).await, authority);
    let keys_path = authority["jwks_uri"].as_str().unwrap().strip_prefix("https://127.0.0.1:9999").unwrap().to_owned();
    let authority_keys = get(&keys_path).await;
    assert_eq!(authority_keys["keys"][0]["kty"], "RSA");

    let calling = get("/v1/.well-known/OpenIdConfiguration").await;
    let keys_path = calling["jwks_uri"].as_str().unwrap().strip_prefix("https://127.0.0.1:9999").unwrap().to_owned();
    let calling_keys = get(&keys_path).await;
    assert_ne!(calling_keys["keys"][0]["kid"], authority_keys["keys"][0]["kid"], "two authorities, two keys");
}

#[tokio::test]
async fn client_credentials_may_come_as_basic_authorization() {
    use base64::Engine as _;
    let rig = Rig::start().await;
    let app = rig.app(JOIN);
    let basic = base64::prelude::BASE64_STANDARD.encode(format!("{}:{}", app.app_id, app.client_secret));
    let request = Request::post(format!("/{}/oauth2/v2.0/token", app.tenant_id))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(AUTHORIZATION, format!("Basic {basic}"))
        .body(Body::from("grant_type=client_credentials&scope=x/.default"))
        .unwrap();
    assert_eq!(rig.send(request).await.expect(200)["token_type"], "Bearer");
    let request = Request::post(format!("/{}/oauth2/v2.0/token", app.tenant_id)).body(Body::from("{}")).unwrap();
    assert_eq!(rig.send(request).await.expect(400)["error"], "invalid_request");
}

#[tokio::test]
async fn token_request_of_an_sdk_is_taken_with_all_it_adds() {
    let rig = Rig::start().await;
    let app = rig.app(JOIN);
    for scope in [
        "https%3A%2F%2Fgraph.microsoft.com%2F.default",
        "https%3A%2F%2F127.0.0.1%2F.default",
        "http%3A%2F%2Flocalhost%2F.default",
    ] {
        let form = format!(
            "client_id={}&client_secret={}&grant_type=client_credentials&scope={scope}&client_info=1&claims=%7B%22access_token%22%3A%7B%22xms_cc%22%3A%7B%22values%22%3A%5B%22CP1%22%5D%7D%7D%7D&x-client-SKU=MSAL.Python&x-client-Ver=1.39&x-ms-lib-capability=retry-after%2C+h429&client-request-id=4e9f",
            app.app_id, app.client_secret
        );
        for kind in ["application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=utf-8"] {
            let request = Request::post(format!("/{}/oauth2/v2.0/token", app.tenant_id))
                .header(CONTENT_TYPE, kind)
                .body(Body::from(form.clone()))
                .unwrap();
            let answer = rig.send(request).await;
            assert_eq!(
                (answer.header("content-type"), answer.header("cache-control")),
                ("application/json", "no-store")
            );
            let answer = answer.expect(200);
            assert_eq!(
                (&answer["token_type"], &answer["expires_in"], &answer["ext_expires_in"]),
                (&json!("Bearer"), &json!(3599), &json!(3599))
            );
        }
    }
}

#[tokio::test]
async fn roles_follow_the_path_family_where_the_matrix_tells_them_apart() {
    let rig = Rig::start().await;
    let meeting = rig.meeting();
    let bot = rig.bot(JOIN).await;
    let created = bot.join(&meeting).await;
    let id = created["id"].as_str().unwrap();
    for version in ["v1.0", "beta"] {
        for family in ["communications", "app"] {
            let path = format!("/{version}/{family}/calls/{id}");
            assert_eq!(bot.get(&path).await.expect(200)["id"], id, "{path}");
            bot.request(Method::POST, &format!("{path}/keepAlive"), None).await.expect(200);
            bot.get(&format!("{path}/audioRoutingGroups")).await.expect(200);
        }
    }
}
