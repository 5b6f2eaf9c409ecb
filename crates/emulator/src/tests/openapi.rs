//! The OpenAPI document of the administration API: complete, closed, and true of what is taken. What is given is held
//! against it by every test that goes through [`Rig::admin`].

use std::collections::BTreeSet;

use super::*;
use crate::admin::checks;

#[tokio::test]
async fn document_has_every_route_and_every_reference_leads_somewhere() {
    let rig = Rig::start().await;
    let document = rig.admin(Method::GET, "/emulator/openapi.json", None).await.expect(200);
    assert_eq!(
        (&document["openapi"], &document["servers"][0]["url"]),
        (&json!("3.1.0"), &json!("https://localhost:8443"))
    );
    let mut ids = BTreeSet::new();
    for (method, path) in checks::routes() {
        let operation = &document["paths"][path][method.as_str().to_ascii_lowercase()];
        assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
        let declared = operation["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!(declared, path.matches('{').count(), "{method} {path}");
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"][name]["type"] == "object", "{name}");
    }
}

#[tokio::test]
async fn every_route_is_served_by_its_method_and_refuses_others() {
    let rig = Rig::start().await;
    for (method, path) in checks::routes() {
        let answer = rig.admin(method.clone(), path, Some(json!(7))).await;
        assert_ne!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
        if answer.status == StatusCode::NOT_FOUND {
            let message = answer.body["error"]["message"].as_str().unwrap();
            assert!(!message.starts_with("there is nothing at"), "{method} {path}: {message}");
        }
        rig.admin(Method::TRACE, path, None).await.expect(405);
    }
}

#[tokio::test]
async fn members_a_request_may_have_are_those_of_the_document() {
    let rig = Rig::start().await;
    for (method, path, inside, members) in checks::requests() {
        let stranger = json!({ "noSuchMember": 1 });
        let body = inside.iter().rev().fold(stranger, |body, name| json!({ *name: body }));
        let answer = rig.admin(method.clone(), path, Some(body)).await.expect(400);
        let message = answer["error"]["message"].as_str().unwrap();
        let expected: BTreeSet<&str> = message.split('`').skip(3).step_by(2).collect();
        assert!(message.contains("unknown field `noSuchMember`"), "{method} {path} {inside:?}: {message}");
        assert_eq!(expected, members.iter().copied().collect(), "{method} {path} {inside:?}");
    }
}
