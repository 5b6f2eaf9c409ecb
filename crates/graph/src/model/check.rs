//! JSON held against the model; each fault is named by its path.
//!
//! A request is read generously, as the published examples demand: undeclared
//! members pass, enumerations are in any case, and a resource may be in part.
//! A reply is held to the letter of its version. Depth is bounded by the depth
//! of the JSON. Nothing panics, whatever the JSON.

use serde_json::{Map, Value};

use super::{Action, Enumeration, Fault, FaultKind, Kind, Member, Type, action, type_named};
use crate::wire::{DateTimeOffset, Guid, IsoDuration, Version, type_name};

/// How strictly JSON is held against the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strictness {
    /// What a client posts: the body itself whole or in part, what is inside it whole.
    Request,
    /// What a service answers: only what the version declares, and all it requires.
    Reply,
    /// A resource of which only changed members are told, otherwise as a reply.
    Partial,
}

/// Everything in `value` that does not fit a type, in the order of its members.
///
/// A type the model does not know is itself the fault.
///
/// ```
/// use antiphon_graph::model::{Strictness, check};
/// use antiphon_graph::wire::Version;
///
/// let call = serde_json::json!({ "targets": [{ "identity": { "user": { "id": 7 } } }] });
/// let faults = check(Version::V1, "call", Strictness::Request, &call);
/// assert_eq!(faults[0].to_string(), "`targets[0].identity.user.id` must be a String, not a number");
/// ```
pub fn check(version: Version, type_name: &str, strictness: Strictness, value: &Value) -> Vec<Fault> {
    let mut walk = Walk { version, strictness, path: String::new(), faults: Vec::new() };
    match type_named(type_name) {
        Some(ty) => walk.object(ty, value),
        None => walk.fault(FaultKind::WrongType { found: type_name.to_owned(), expected: "entity" }),
    }
    walk.faults
}

/// Everything in a posted body that does not fit the parameters of an action.
///
/// Which parameters an action cannot do without is left to whoever carries it out; what is inside a parameter that is
/// there must be complete. An action the model does not know has no parameters to fit.
pub fn check_parameters(version: Version, name: &str, value: &Value) -> Vec<Fault> {
    let mut walk = Walk { version, strictness: Strictness::Request, path: String::new(), faults: Vec::new() };
    match (value, action(name)) {
        (Value::Object(object), Some(action)) => walk.parameters(action, object),
        (Value::Object(_), None) => {}
        _ => walk.wrong("an object", value),
    }
    walk.faults
}

struct Walk {
    version: Version,
    strictness: Strictness,
    path: String,
    faults: Vec<Fault>,
}

impl Walk {
    fn parameters(&mut self, action: &'static Action, object: &Map<String, Value>) {
        for (name, value) in object {
            if let Some(parameter) = action.parameter(self.version, name) {
                self.inside(name, |walk| walk.member(parameter, value));
            }
        }
    }

    fn object(&mut self, declared: &'static Type, value: &Value) {
        let Value::Object(object) = value else { return self.wrong(declared.name, value) };
        let Some(ty) = self.actual_type(declared, object) else { return };
        for (name, value) in object {
            // Annotations, and those of single members, are never declared.
            if name.contains('@') {
                continue;
            }
            match ty.member(self.version, name) {
                Some(member) if self.is_declared(member) => self.inside(name, |walk| walk.member(member, value)),
                _ if ty.open || self.is_request() => {}
                _ => self.inside(name, |walk| walk.fault(FaultKind::Undeclared(ty.name))),
            }
        }
        let whole = match self.strictness {
            Strictness::Reply => true,
            // Whoever carries it out knows what is needed of the body itself.
            Strictness::Request => !self.path.is_empty(),
            Strictness::Partial => false,
        };
        for member in ty.members().filter(|member| whole && !member.nullable) {
            if self.is_declared(member) && self.is_missing(object.get(member.name)) {
                self.inside(member.name, |walk| walk.fault(FaultKind::Required));
            }
        }
    }

    fn is_missing(&self, value: Option<&Value>) -> bool {
        // In a reply null has been reported where it stands.
        value.is_none_or(|value| self.is_request() && value.is_null())
    }

    /// A request may use what another version declares; the service decides what to make of it.
    fn is_declared(&self, member: &Member) -> bool {
        self.is_request() || member.declared.has(self.version)
    }

    fn is_request(&self) -> bool {
        self.strictness == Strictness::Request
    }

    /// The type `@odata.type` names, if it may stand where `declared` does.
    fn actual_type(&mut self, declared: &'static Type, object: &Map<String, Value>) -> Option<&'static Type> {
        let found = match object.get("@odata.type") {
            None | Some(Value::Null) if declared.is_abstract => {
                self.fault(FaultKind::NoType(declared.name));
                return None;
            }
            None | Some(Value::Null) => return Some(declared),
            Some(Value::String(text)) => type_name(text),
            Some(value) => {
                self.inside("@odata.type", |walk| walk.wrong("a String", value));
                return None;
            }
        };
        let strict = !self.is_request();
        match find_type(found) {
            Some(ty) if ty.is_a(declared.name) && !ty.is_abstract && (!strict || ty.declared.has(self.version)) => {
                Some(ty)
            }
            // Clients put related types where one concrete type is declared, and that is read.
            _ if !strict && !declared.is_abstract => Some(declared),
            _ => {
                let found = found.to_owned();
                self.inside("@odata.type", |walk| {
                    walk.fault(FaultKind::WrongType { found, expected: declared.name });
                });
                None
            }
        }
    }

    fn member(&mut self, member: &Member, value: &Value) {
        match value {
            Value::Null if member.nullable => {}
            // As good as absent.
            Value::Null if self.is_request() => {}
            Value::Null => self.fault(FaultKind::Required),
            Value::Array(items) if member.list => {
                for (index, item) in items.iter().enumerate() {
                    let end = self.path.len();
                    self.path.push_str(&format!("[{index}]"));
                    self.value(member.kind, item);
                    self.path.truncate(end);
                }
            }
            // Flags on one version, a list on the other.
            Value::String(_) if member.list && self.reads_flags(member.kind) => self.value(member.kind, value),
            _ if member.list => self.wrong("a list", value),
            Value::Array(items) if self.reads_flags(member.kind) => {
                items.iter().for_each(|item| self.value(member.kind, item));
            }
            _ => self.value(member.kind, value),
        }
    }

    fn reads_flags(&self, kind: Kind) -> bool {
        let Kind::Enumeration(name) = kind else { return false };
        self.is_request() && Enumeration::named(name).is_some_and(|it| it.flags)
    }

    fn value(&mut self, kind: Kind, value: &Value) {
        match (kind, value) {
            (Kind::Any, _)
            | (Kind::String | Kind::Stream | Kind::Blob, Value::String(_))
            | (Kind::Boolean, Value::Bool(_))
            | (Kind::Double, Value::Number(_)) => {}
            (Kind::Blob, Value::Object(_)) if self.is_request() => {}
            (Kind::Int32, Value::Number(number)) => {
                let fits = number.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
                self.integer(fits, "Int32", number);
            }
            (Kind::Int64, Value::Number(number)) => self.integer(number.is_i64(), "Int64", number),
            (Kind::Guid, Value::String(text)) => self.form(Guid::new(text).is_well_formed(), "a GUID"),
            (Kind::DateTimeOffset, Value::String(text)) => {
                self.form(DateTimeOffset::new(text).is_well_formed(), "a date and time with an offset");
            }
            (Kind::Duration, Value::String(text)) => {
                let duration = IsoDuration::new(text);
                let fits = duration.is_well_formed() || (self.is_request() && duration.is_clock_span());
                self.form(fits, "an ISO 8601 duration");
            }
            (Kind::Enumeration(name), Value::String(text)) => {
                let enumeration = Enumeration::named(name).expect("invariant: every kind in the model is declared");
                if enumeration.flags {
                    text.split(',').for_each(|text| self.enumerated(enumeration, text.trim()));
                } else {
                    self.enumerated(enumeration, text);
                }
            }
            (Kind::Object(name), value) => {
                self.object(type_named(name).expect("invariant: every kind in the model is declared"), value);
            }
            (kind, value) => self.wrong(name_of(kind), value),
        }
    }

    fn integer(&mut self, fits: bool, kind: &'static str, number: &serde_json::Number) {
        if !fits {
            let whole = number.is_i64() || number.is_u64();
            let fraction = || FaultKind::WrongKind { expected: with_article(kind), found: "a fraction" };
            self.fault(if whole { FaultKind::OutOfRange(kind) } else { fraction() });
        }
    }

    fn form(&mut self, well_formed: bool, what: &'static str) {
        if !well_formed {
            self.fault(FaultKind::Malformed(what));
        }
    }

    fn enumerated(&mut self, enumeration: &'static Enumeration, text: &str) {
        let strict = !self.is_request();
        match enumeration.member(text) {
            Some((_, declared)) if strict && !declared.has(self.version) => self.no_member(enumeration.name, text),
            Some((declared, _)) if strict && declared != text => self.fault(FaultKind::Spelling { declared }),
            Some(_) => {}
            None => self.no_member(enumeration.name, text),
        }
    }

    fn no_member(&mut self, enumeration: &'static str, text: &str) {
        self.fault(FaultKind::NoMember { enumeration, text: text.to_owned() });
    }

    fn wrong(&mut self, expected: &str, found: &Value) {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.fault(FaultKind::WrongKind { expected: with_article(expected), found });
    }

    fn fault(&mut self, kind: FaultKind) {
        self.faults.push(Fault { path: self.path.clone(), kind });
    }

    fn inside(&mut self, name: &str, then: impl FnOnce(&mut Self)) {
        let end = self.path.len();
        if end > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        then(self);
        self.path.truncate(end);
    }
}

/// The type of a name in any case.
pub(super) fn find_type(name: &str) -> Option<&'static Type> {
    type_named(name).or_else(|| super::types().find(|ty| ty.name.eq_ignore_ascii_case(name)))
}

fn with_article(name: &str) -> String {
    match name.as_bytes().first() {
        _ if name.contains(' ') => name.to_owned(),
        Some(b'a' | b'e' | b'i' | b'o' | b'A' | b'E' | b'I' | b'O') => format!("an {name}"),
        _ => format!("a {name}"),
    }
}

fn name_of(kind: Kind) -> &'static str {
    match kind {
        Kind::String | Kind::Stream | Kind::Blob => "String",
        Kind::Boolean => "Boolean",
        Kind::Int32 => "Int32",
        Kind::Int64 => "Int64",
        Kind::Double => "Double",
        Kind::Guid => "Guid",
        Kind::DateTimeOffset => "DateTimeOffset",
        Kind::Duration => "Duration",
        Kind::Any => "value",
        Kind::Enumeration(name) | Kind::Object(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn complaints(version: Version, type_name: &str, strictness: Strictness, value: &Value) -> Vec<String> {
        check(version, type_name, strictness, value).iter().map(Fault::to_string).collect()
    }

    fn of_request(type_name: &str, value: &Value) -> Vec<String> {
        complaints(Version::V1, type_name, Strictness::Request, value)
    }

    #[test]
    fn each_wrong_member_of_a_request_is_named_by_its_path() {
        let call = json!({
            "callbackUri": 7,
            "requestedModalities": ["audio", "smell", null],
            "mediaConfig": { "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": [] },
            "targets": [{ "identity": { "user": { "id": "x", "displayName": {} } } }, "y"],
            "ringingTimeoutInSeconds": 5_000_000_000_i64,
            "callOptions": { "@odata.type": 5 },
            "subject": null,
        });
        assert_eq!(
            of_request("call", &call),
            [
                "`callOptions.@odata.type` must be a String, not a number",
                "`callbackUri` must be a String, not a number",
                "`mediaConfig.blob` must be a String, not a list",
                "`requestedModalities[1]` is no member of modality: `smell`",
                "`requestedModalities[2]` must be a modality, not null",
                "`ringingTimeoutInSeconds` is out of the range of an Int32",
                "`targets[0].identity.user.displayName` must be a String, not an object",
                "`targets[1]` must be an invitationParticipantInfo, not a text",
            ]
        );
    }

    #[test]
    fn requests_may_write_durations_as_the_python_sdk_does() {
        let quality = json!({
            "@odata.type": "#microsoft.graph.teleconferenceDeviceAudioQuality", "channelIndex": 1, "mediaDuration": "0:20:00",
        });
        let complaints = |strictness| complaints(Version::V1, "teleconferenceDeviceMediaQuality", strictness, &quality);
        assert_eq!(complaints(Strictness::Request), [""; 0]);
        assert_eq!(complaints(Strictness::Reply).len(), 1);
    }

    #[test]
    fn an_abstract_member_needs_a_type_that_may_stand_there() {
        let config = |config: Value| of_request("call", &json!({ "mediaConfig": config }));
        assert_eq!(config(json!({})), ["`mediaConfig` needs an `@odata.type`: a type derived from mediaConfig"]);
        for name in ["#microsoft.graph.nonsense", "#microsoft.graph.mediaConfig", "microsoft.graph.tokenMeetingInfo"] {
            let complaint = config(json!({ "@odata.type": name }));
            assert_eq!(complaint.len(), 1, "{complaint:?}");
            assert!(complaint[0].starts_with("`mediaConfig.@odata.type` cannot be "), "{complaint:?}");
        }
        assert_eq!(config(json!({ "@odata.type": "microsoft.graph.APPHOSTEDMEDIACONFIG", "blob": {} })), [""; 0]);
    }

    #[test]
    fn a_request_may_carry_what_is_not_declared_and_related_types() {
        let call = json!({
            "callbackUri": "https://bot", "state": "INCOMING", "whatever": [1], "@odata.type": "microsoft.graph.call",
            "mediaConfig": { "@odata.type": "microsoft.graph.appHostedMediaConfig", "removeFromDefaultAudioGroup": true },
            "targets": [{ "@odata.type": "#microsoft.graph.participantInfo", "identity": {} }],
        });
        assert_eq!(of_request("call", &call), [""; 0]);
        assert_eq!(
            check_parameters(Version::V1, "redirect", &json!({ "maskCaller": "x", "routingPolicies": 3 }))[0]
                .to_string(),
            "`maskCaller` must be a Boolean, not a text"
        );
    }

    #[test]
    fn parameters_are_checked_by_the_action_in_any_case() {
        let faults = |name, body| check_parameters(Version::Beta, name, &body).len();
        assert_eq!(faults("SENDDTMFTONES", json!({ "tones": ["tone1", "POUND"], "delayBetweenTonesMs": 5 })), 0);
        assert_eq!(faults("sendDtmfTones", json!({ "tones": ["tone1", "bell"], "delayBetweenTonesMs": 0.5 })), 2);
        assert_eq!(faults("reportSyntheticMedia", json!({ "id": "x", "detectionDateTime": "now" })), 2);
        assert_eq!(faults("unheardOf", json!({ "id": 1 })), 0);
        assert_eq!(faults("mute", json!([])), 1);
    }

    #[test]
    fn what_is_inside_a_parameter_is_complete() {
        let faults = |body| {
            let faults = check_parameters(Version::V1, "playPrompt", &body);
            faults.iter().map(Fault::to_string).collect::<Vec<_>>()
        };
        let prompt = |info: Value| json!({ "@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": info });
        let uri = json!({ "uri": "https://files/a.wav" });
        assert_eq!(faults(json!({})), [""; 0], "whether the parameter itself is needed is not asked");
        assert_eq!(faults(json!({ "prompts": [prompt(uri.clone())], "clientContext": null })), [""; 0]);
        assert_eq!(
            faults(
                json!({ "prompts": [prompt(uri), prompt(json!({})), prompt(Value::Null), prompt(json!({ "uri": null }))] })
            ),
            [
                "`prompts[1].mediaInfo.uri` is required",
                "`prompts[2].mediaInfo` is required",
                "`prompts[3].mediaInfo.uri` is required",
            ]
        );
    }

    #[test]
    fn a_reply_has_what_its_version_declares_and_nothing_else() {
        let participant = json!({
            "id": "p", "info": { "identity": {}, "platformId": "27" }, "isInLobby": false, "isMuted": "no",
            "preferredDisplayName": "Ada", "mediaStreams": [{ "direction": "SendReceive", "mediaType": "unknown" }],
            "@odata.etag": "x", "metadata@odata.type": "y",
        });
        assert_eq!(
            complaints(Version::V1, "participant", Strictness::Reply, &participant),
            [
                "`info.platformId` is not declared on participantInfo",
                "`isMuted` must be a Boolean, not a text",
                "`mediaStreams[0].direction` must be spelled `sendReceive`",
                "`mediaStreams[0].mediaType` is no member of modality: `unknown`",
                "`mediaStreams[0].serverMuted` is required",
                "`mediaStreams[0].sourceId` is required",
                "`preferredDisplayName` is not declared on participant",
            ]
        );
        let beta = complaints(Version::Beta, "participant", Strictness::Partial, &participant);
        assert_eq!(beta.len(), 2, "{beta:?}");
    }

    #[test]
    fn open_types_may_carry_more_and_partial_ones_less() {
        let call = json!({ "state": "established", "answeredBy": { "identity": {} }, "applicationMetadata": {} });
        assert_eq!(complaints(Version::V1, "call", Strictness::Partial, &call), [""; 0]);
        let whole = complaints(Version::V1, "call", Strictness::Reply, &call);
        assert_eq!(whole, ["`callbackUri` is required", "`id` is required"]);
        let null = json!({ "callbackUri": null, "id": "c" });
        assert_eq!(complaints(Version::V1, "call", Strictness::Reply, &null), ["`callbackUri` is required"]);
    }

    #[test]
    fn flags_are_one_text_on_one_version_and_a_list_on_the_other() {
        let restricted = |value: Value| json!({ "videoDisabled": value });
        for (version, strictness, value, fits) in [
            (Version::V1, Strictness::Reply, json!("watermarkProtection,unknownFutureValue"), true),
            (Version::V1, Strictness::Reply, json!(["watermarkProtection"]), false),
            (Version::Beta, Strictness::Reply, json!(["watermarkProtection"]), true),
            (Version::Beta, Strictness::Reply, json!("watermarkProtection"), false),
            (Version::Beta, Strictness::Request, json!("watermarkProtection, nothing"), false),
            (Version::V1, Strictness::Request, json!(["watermarkProtection"]), true),
        ] {
            let faults = check(version, "onlineMeetingRestricted", strictness, &restricted(value.clone()));
            assert_eq!(faults.is_empty(), fits, "{version:?} {value}: {faults:?}");
        }
    }

    #[test]
    fn a_type_the_model_lacks_is_itself_the_fault() {
        assert_eq!(of_request("chair", &json!({})).len(), 1);
        assert_eq!(of_request("call", &json!("x")), ["the body must be a call, not a text"]);
    }
}
