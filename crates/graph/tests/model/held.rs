//! The Rust types held against the model, in both directions.
//!
//! By behaviour, not by looking: a member counts as declared on our side when its declared kind comes back
//! unchanged and every other kind is refused, which a member kept as unknown would not do.

use std::collections::BTreeSet;

use antiphon_graph::model::{self, Declared, Kind, Member};
use antiphon_graph::wire::Version;
use serde_json::{Map, Value, json};

use crate::registry::{self, Entry};
use crate::sample::{self, named};

const VERSIONS: [Version; 2] = [Version::V1, Version::Beta];

/// Members without which a resource is not read; everywhere else absence is the reader's business.
const REQUIRED: [(&str, &str); 7] = [
    ("audioRoutingGroup", "routingMode"),
    ("joinMeetingIdMeetingInfo", "joinMeetingId"),
    ("mediaInfo", "uri"),
    ("mediaPrompt", "mediaInfo"),
    ("organizerMeetingInfo", "organizer"),
    ("participant", "id"),
    ("tokenMeetingInfo", "token"),
];

/// What an entry stands for: the members of its types, or the parameters of its action.
struct Shape {
    name: &'static str,
    declared: Declared,
    members: Vec<&'static Member>,
    /// The sample, whole, for a turn.
    sample: Box<dyn Fn(Version, usize) -> Value>,
}

fn shape(name: &'static str) -> Shape {
    if let Some(ty) = model::type_named(name) {
        let sample = Box::new(move |version, turn| sample::whole(ty, version, turn));
        return Shape { name, declared: ty.declared, members: ty.members().collect(), sample };
    }
    let action = model::action(name).unwrap_or_else(|| panic!("the model has no {name}"));
    let members = action.parameters.iter().collect();
    let sample = Box::new(move |version, turn| {
        let occurring = action.parameters.iter().filter(|parameter| sample::occurs(parameter, version));
        Value::Object(sample::members(occurring, version, turn))
    });
    Shape { name, declared: action.declared, members, sample }
}

/// Everything about an entry that does not fit the model.
fn complaints(entry: &Entry) -> Vec<String> {
    let mut complaints = undeclared_fields(entry);
    for shape in entry.names.iter().map(|name| shape(name)) {
        for version in VERSIONS.into_iter().filter(|version| shape.declared.has(*version)) {
            let mut report = |complaint: String| {
                complaints.push(format!("{} ({}): {complaint}", shape.name, version.as_str()));
            };
            whole_sample_comes_back(entry, &shape, version, &mut report);
            let whole = (shape.sample)(version, 0);
            for member in shape.members.iter().filter(|member| sample::occurs(member, version)) {
                member_is_of_its_kind(entry, &whole, member, &mut report);
                member_may_lack(entry, shape.name, &whole, member, &mut report);
                if let Kind::Enumeration(name) = member.kind {
                    member_reads_its_enumeration(entry, &whole, member, name, version, &mut report);
                }
            }
        }
    }
    complaints
}

fn whole_sample_comes_back(entry: &Entry, shape: &Shape, version: Version, report: &mut impl FnMut(String)) {
    for turn in 0..18 {
        let mut whole = (shape.sample)(version, turn);
        whole["zz-undeclared"] = json!({ "a": [1, null, 0.1] });
        match entry.read(&whole) {
            Ok(read) if read.written == whole => {}
            Ok(read) => report(format!("{whole} came back as {}", read.written)),
            Err(error) => report(format!("{whole} is not read: {error}")),
        }
    }
}

fn with(whole: &Value, name: &str, value: Value) -> Value {
    let mut object = whole.clone();
    object[name] = value;
    object
}

fn member_is_of_its_kind(entry: &Entry, whole: &Value, member: &Member, report: &mut impl FnMut(String)) {
    for wrong in sample::wrong(member) {
        if entry.read(&with(whole, member.name, wrong.clone())).is_ok() {
            report(format!("`{}` is read from {wrong}", member.name));
        }
    }
}

fn member_may_lack(entry: &Entry, name: &str, whole: &Value, member: &Member, report: &mut impl FnMut(String)) {
    let required = REQUIRED.contains(&(name, member.name));
    let mut absent = whole.clone();
    absent.as_object_mut().unwrap().remove(member.name);
    for (how, value) in [("absent", absent), ("null", with(whole, member.name, Value::Null))] {
        match entry.read(&value) {
            Ok(_) if required => report(format!("`{}` is required and read while {how}", member.name)),
            Ok(read) if read.written.get(member.name).is_some_and(Value::is_null) && member.kind != Kind::Any => {
                report(format!("`{}` is written as null", member.name));
            }
            Err(error) if !required => report(format!("`{}` is refused while {how}: {error}", member.name)),
            _ => {}
        }
    }
    if required && member.nullable {
        report(format!("`{}` is nullable and cannot be required", member.name));
    }
}

fn member_reads_its_enumeration(
    entry: &Entry,
    whole: &Value,
    member: &Member,
    enumeration: &str,
    version: Version,
    report: &mut impl FnMut(String),
) {
    let item = |text: &str| if member.list { json!([text]) } else { json!(text) };
    for text in sample::texts(enumeration, version) {
        for spelled in [text.to_uppercase(), text.to_lowercase(), text.to_owned()] {
            let written = entry.read(&with(whole, member.name, item(&spelled))).map(|read| read.written);
            if written.as_ref().map(|written| &written[member.name]) != Ok(&item(text)) {
                report(format!("`{}`: {spelled} is not read as {text}", member.name));
            }
        }
    }
    let unknown = item("fromTheFuture");
    let written = entry.read(&with(whole, member.name, unknown.clone())).map(|read| read.written);
    if written.as_ref().map(|written| &written[member.name]) != Ok(&unknown) {
        report(format!("`{}`: an unknown member is not kept", member.name));
    }
}

/// Fields of the Rust type that nothing declares.
fn undeclared_fields(entry: &Entry) -> Vec<String> {
    let shapes: Vec<_> = entry.names.iter().map(|name| shape(name)).collect();
    let declared: BTreeSet<String> =
        shapes.iter().flat_map(|shape| &shape.members).map(|member| folded(member.name)).collect();
    let whole = (shapes[0].sample)(Version::Beta, 0);
    let Ok(read) = entry.read(&whole) else { return Vec::new() };
    let fields = fields(&read.shown);
    assert!(!fields.is_empty(), "{} shows no fields: {}", entry.rust, read.shown);
    let ours = ["odatatype", "extra", "operation"];
    fields
        .into_iter()
        .filter(|field| !ours.contains(&field.as_str()) && !declared.contains(field))
        .map(|field| format!("{}: nothing declares the field {field}", entry.rust))
        .collect()
}

/// The names of the outermost fields that `{:#?}` shows, folded.
fn fields(shown: &str) -> Vec<String> {
    let outermost = shown.lines().filter_map(|line| line.strip_prefix("    "));
    outermost
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| Some(folded(line.split_once(':')?.0)))
        .collect()
}

/// A name without case and word marks; where Rust has another word, the wire's.
fn folded(name: &str) -> String {
    match name {
        "loop_count" => "loop".to_owned(),
        name => name.replace('_', "").to_lowercase(),
    }
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn every_type_has_the_members_the_model_declares_and_no_others() {
    assert_none(&registry::types().iter().flat_map(complaints).collect::<Vec<_>>());
}

#[test]
fn every_action_has_the_parameters_the_model_declares_and_no_others() {
    assert_none(&registry::actions().iter().flat_map(complaints).collect::<Vec<_>>());
}

#[test]
fn every_type_of_the_model_is_read_by_an_entry() {
    let entries = registry::types().into_iter().chain(registry::abstract_types());
    let names: Vec<_> = entries.flat_map(|entry| entry.names).collect();
    let without: Vec<_> = registry::WITHOUT_ENTRY.iter().map(|(name, _)| *name).collect();
    for ty in model::types() {
        let times = names.iter().chain(&without).filter(|name| **name == ty.name).count();
        assert_eq!(times, 1, "{}", ty.name);
    }
    assert_eq!(names.len() + without.len(), model::types().count());
}

#[test]
fn every_action_of_the_model_with_parameters_has_an_entry() {
    let names: Vec<_> = registry::actions().into_iter().flat_map(|entry| entry.names).collect();
    for action in model::actions() {
        let expected = usize::from(!action.parameters.is_empty());
        assert_eq!(names.iter().filter(|name| **name == action.name).count(), expected, "{}", action.name);
    }
}

#[test]
fn every_enumeration_has_the_members_the_model_declares() {
    let ours = registry::enumerations();
    assert_eq!(ours.len(), model::enumerations().count());
    for (rust, members) in ours {
        let name = rust[..1].to_lowercase() + &rust[1..];
        let enumeration = model::Enumeration::named(&name).unwrap_or_else(|| panic!("the model has no {name}"));
        let declared: BTreeSet<_> = enumeration.members.iter().map(|(text, _)| (*text).to_owned()).collect();
        assert_eq!(members.into_iter().collect::<BTreeSet<_>>(), declared, "{name}");
    }
}

#[test]
fn every_operation_has_a_kind() {
    let declared: BTreeSet<_> =
        model::types().filter(|ty| ty.is_a("commsOperation")).map(|ty| ty.name.to_owned()).collect();
    assert_eq!(registry::operation_kinds().into_iter().collect::<BTreeSet<_>>(), declared);
}

#[test]
fn a_derived_type_is_read_whole_where_its_base_is_declared() {
    for entry in registry::types().into_iter().chain(registry::abstract_types()) {
        let base = named(entry.names[0]);
        for version in VERSIONS {
            for ty in sample::concrete(base.name, version) {
                let whole = sample::whole(ty, version, 1);
                let read = entry.read(&whole).unwrap_or_else(|error| panic!("{} as {}: {error}", ty.name, base.name));
                assert_eq!(read.written, whole, "{} as {}", ty.name, base.name);
                assert!(!read.shown.starts_with("Other"), "{} as {}", ty.name, base.name);
            }
        }
    }
}

#[test]
fn a_derived_type_that_is_wrong_is_refused_where_its_base_is_declared() {
    for entry in registry::abstract_types() {
        for ty in sample::concrete(entry.names[0], Version::Beta) {
            let Some(member) = ty.members().next() else { continue };
            let whole = sample::whole(ty, Version::Beta, 0);
            for wrong in sample::wrong(member) {
                let read = entry.read(&with(&whole, member.name, wrong));
                assert!(read.is_err(), "{} as {}", ty.name, entry.names[0]);
            }
        }
    }
}

#[test]
fn an_unknown_type_is_kept_whole_where_an_abstract_one_is_declared() {
    let unknown = json!({ "@odata.type": "#microsoft.graph.fromTheFuture", "x": [1, null], "blob": 7 });
    for entry in registry::abstract_types() {
        if entry.rust == "CallOptions" {
            continue; // one struct for whatever options there are; it declares no `blob`
        }
        let read = entry.read(&unknown).unwrap();
        assert_eq!(read.written, unknown, "{}", entry.names[0]);
        assert!(read.shown.starts_with("Other"), "{}", entry.names[0]);
        assert_eq!(entry.read(&json!({})).unwrap().written, json!({}), "{}", entry.names[0]);
    }
}

#[test]
fn what_is_required_is_not_nullable_and_is_declared() {
    for (ty, member) in REQUIRED {
        let member = named(ty).member(Version::V1, member).unwrap_or_else(|| panic!("{ty} has no {member}"));
        assert!(!member.nullable && member.declared == Declared::Both, "{ty}");
    }
}

/// The checks themselves, on types that are wrong on purpose.
mod can_fail {
    use serde::{Deserialize, Serialize};

    use super::*;

    fn complaints_of<T: Serialize + for<'de> Deserialize<'de> + std::fmt::Debug>(name: &'static str) -> String {
        complaints(&Entry::of::<T>(&[name])).join("\n")
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Lenient {
        #[serde(rename = "@odata.type")]
        odata_type: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence_id: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tone: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pitch: Option<f64>,
        #[serde(flatten)]
        extra: Map<String, Value>,
    }

    #[test]
    fn a_wrong_kind_a_free_text_and_an_undeclared_field_are_noticed() {
        let complaints = complaints_of::<Lenient>("toneInfo");
        for expected in [
            "`sequenceId` is read from true",
            "`sequenceId` is read from 9223372036854775808",
            "`tone`: STAR is not read as star",
            "nothing declares the field pitch",
        ] {
            assert!(complaints.contains(expected), "{expected} is not in\n{complaints}");
        }
        assert!(!complaints.contains("is not read:"), "{complaints}");
    }

    #[test]
    fn a_member_that_is_only_kept_as_unknown_is_noticed() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Everything {
            #[serde(flatten)]
            extra: Map<String, Value>,
        }
        let complaints = complaints_of::<Everything>("removedState");
        assert!(complaints.contains("`reason` is read from 1"), "{complaints}");
        assert!(complaints.contains("`reason` is written as null"), "{complaints}");
    }

    #[test]
    fn a_member_that_is_lost_changed_or_wrongly_required_is_noticed() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Short {
            #[serde(rename = "@odata.type")]
            odata_type: String,
            code: u8,
        }
        let complaints = complaints_of::<Short>("resultInfo");
        assert!(complaints.contains("is not read:"), "{complaints}");
        #[derive(Debug, Serialize, Deserialize)]
        struct Strict {
            #[serde(rename = "@odata.type")]
            odata_type: String,
            reason: String,
        }
        let complaints = complaints_of::<Strict>("removedState");
        assert!(complaints.contains("came back as"), "{complaints}");
        assert!(complaints.contains("`reason` is refused while absent"), "{complaints}");
    }
}
