//! What a version declares of a resource, and nothing else.
//!
//! The resources of this crate hold the members of both versions. A service that
//! answers on v1.0 must not put beta's members on closed types; open types may
//! carry them, and real traffic has them there.

use serde_json::{Map, Value};

use super::check::find_type;
use super::{Kind, Type, type_named};
use crate::wire::{Version, type_name};

/// Takes from `value`, a resource of a type, what the version does not declare on closed types.
///
/// Goes into declared members, by their `@odata.type` where one is given; what open types carry undeclared
/// stays as it is.
///
/// ```
/// use antiphon_graph::model::declared_only;
/// use antiphon_graph::wire::Version;
///
/// let mut info = serde_json::json!({ "region": "emea", "platformId": "27" });
/// declared_only(Version::V1, "participantInfo", &mut info);
/// assert_eq!(info, serde_json::json!({ "region": "emea" }));
/// ```
pub fn declared_only(version: Version, type_name: &str, value: &mut Value) {
    if let (Some(ty), Value::Object(object)) = (type_named(type_name), value) {
        trim(version, ty, object);
    }
}

/// As [`declared_only`], of the type that the resource's own `@odata.type` names; without a known name nothing is taken.
pub fn declared_only_as_named(version: Version, resource: &mut Map<String, Value>) {
    let named = resource.get("@odata.type").and_then(Value::as_str).map(type_name);
    if let Some(ty) = named.and_then(find_type) {
        trim(version, ty, resource);
    }
}

fn trim(version: Version, declared: &'static Type, object: &mut Map<String, Value>) {
    let named = object.get("@odata.type").and_then(Value::as_str).map(type_name);
    let ty = named.and_then(find_type).filter(|ty| ty.is_a(declared.name)).unwrap_or(declared);
    object.retain(|name, value| {
        let member = ty.member(version, name).filter(|member| member.declared.has(version));
        let Some(member) = member else { return ty.open || name.contains('@') };
        if let Kind::Object(inner) = member.kind {
            match value {
                Value::Array(items) => items.iter_mut().for_each(|item| declared_only(version, inner, item)),
                one => declared_only(version, inner, one),
            }
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Strictness, check};

    #[test]
    fn resource_that_names_its_type_is_held_to_it_and_a_nameless_one_is_left() {
        let mut info = json!({ "@odata.type": "#microsoft.graph.participantInfo", "platformId": "27" });
        let mut nameless = json!({ "platformId": "27" });
        for resource in [&mut info, &mut nameless] {
            declared_only_as_named(Version::V1, resource.as_object_mut().unwrap());
        }
        assert_eq!(info, json!({ "@odata.type": "#microsoft.graph.participantInfo" }));
        assert_eq!(nameless, json!({ "platformId": "27" }));
    }

    #[test]
    fn closed_types_lose_what_the_version_lacks_and_open_ones_keep_it() {
        let mut call = json!({
            "activeModalities": ["audio"], "applicationMetadata": { "botData": {} },
            "callbackUri": "https://bot", "id": "c",
            "mediaConfig": {
                "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "b", "removeFromDefaultAudioGroup": true,
            },
            "participants": [{
                "id": "p", "isInLobby": false, "isMuted": false, "isIdentityAnonymized": true,
                "info": { "identity": { "user": { "tenantId": "t" } }, "platformId": "27" },
                "meetingRole": "organizer",
            }],
        });
        let as_beta = {
            let mut call = call.clone();
            declared_only(Version::Beta, "call", &mut call);
            call
        };
        assert_eq!(as_beta["mediaConfig"], call["mediaConfig"]);
        assert_eq!(as_beta["participants"][0].get("meetingRole"), None);
        declared_only(Version::V1, "call", &mut call);
        assert_eq!(check(Version::V1, "call", Strictness::Reply, &call), []);
        assert_eq!(call["activeModalities"], json!(["audio"]));
        assert_eq!(call["participants"][0]["info"], json!({ "identity": { "user": { "tenantId": "t" } } }));
        assert_eq!(call["mediaConfig"].as_object().unwrap().len(), 2);
    }
}
