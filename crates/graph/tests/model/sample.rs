//! JSON made from the model: a sample with every member, and samples of the wrong kind.

use antiphon_graph::model::{Kind, Member, Type, type_named, types};
use antiphon_graph::wire::Version;
use serde_json::{Map, Value, json};

/// What a version declares or real traffic has, so that a sample may carry it.
pub(crate) fn occurs(member: &Member, version: Version) -> bool {
    member.declared.has(version) || member.declared == antiphon_graph::model::Declared::Seen
}

/// The concrete types that can stand where a type is declared, in a version.
pub(crate) fn concrete(declared: &str, version: Version) -> Vec<&'static Type> {
    types().filter(|ty| ty.is_a(declared) && !ty.is_abstract && ty.declared.has(version)).collect()
}

/// An object of a type with every member, with one derived type or another inside by `turn`.
pub(crate) fn whole(ty: &Type, version: Version, turn: usize) -> Value {
    let tag = format!("#microsoft.graph.{}", ty.name);
    let mut object = members(ty.members().filter(|member| occurs(member, version)), version, turn);
    object.insert("@odata.type".to_owned(), tag.into());
    Value::Object(object)
}

/// An object of these members.
pub(crate) fn members<'a>(
    members: impl Iterator<Item = &'a Member>,
    version: Version,
    turn: usize,
) -> Map<String, Value> {
    let named = |member: &Member| {
        let item = |turn| value(member.kind, member.name, version, turn);
        let value = if member.list { json!([item(turn), item(turn + 1)]) } else { item(turn) };
        (member.name.to_owned(), value)
    };
    members.map(named).collect()
}

fn value(kind: Kind, name: &str, version: Version, turn: usize) -> Value {
    match kind {
        Kind::String | Kind::Stream | Kind::Blob => format!("{name} of \"{turn}\" ä\n").into(),
        Kind::Boolean => turn.is_multiple_of(2).into(),
        Kind::Int32 => i32::MIN.into(),
        Kind::Int64 => i64::MAX.into(),
        Kind::Double => 0.1.into(),
        Kind::Guid => "57DAB8B1894C409AB240BD8BEAE78896".into(),
        Kind::DateTimeOffset => "2024-04-04T10:11:12.1234567+02:00".into(),
        Kind::Duration => "PT0.030S".into(),
        Kind::Any => json!({ "x": [1, null, {}] }),
        Kind::Enumeration(name) => {
            let all = texts(name, version);
            all[turn % all.len()].into()
        }
        Kind::Object(name) => {
            let all = concrete(name, version);
            whole(all[turn % all.len()], version, turn)
        }
    }
}

/// The members a version declares of an enumeration.
pub(crate) fn texts(enumeration: &str, version: Version) -> Vec<&'static str> {
    let enumeration = antiphon_graph::model::Enumeration::named(enumeration).unwrap();
    // An enumeration may be beta's while a v1.0 type is read with it.
    let declared = enumeration.members.iter().filter(|(_, declared)| declared.has(version));
    declared.map(|(text, _)| *text).collect()
}

/// JSON that must not be read as a member.
pub(crate) fn wrong(member: &Member) -> Vec<Value> {
    let list_of_flags = || match member.kind {
        Kind::Enumeration(name) => antiphon_graph::model::Enumeration::named(name).is_some_and(|it| it.flags),
        _ => false,
    };
    let items = match member.kind {
        Kind::String | Kind::Stream | Kind::Guid | Kind::DateTimeOffset | Kind::Duration => {
            vec![json!(1), json!(true), json!([]), json!({})]
        }
        Kind::Blob => vec![json!(1), json!(true), json!([])],
        Kind::Boolean => vec![json!(1), json!("true"), json!([]), json!({})],
        Kind::Int32 => vec![json!(true), json!("x"), json!([]), json!({}), json!(1.5), json!(2_147_483_648_i64)],
        Kind::Int64 => {
            vec![json!(true), json!("x"), json!([]), json!({}), json!(1.5), json!(9_223_372_036_854_775_808_u64)]
        }
        Kind::Double => vec![json!(true), json!("x"), json!([]), json!({})],
        // v1.0 and beta differ in whether they are a text or a list, and both are read.
        Kind::Enumeration(_) if list_of_flags() => return vec![json!(1), json!(true), json!({}), json!([1])],
        Kind::Enumeration(_) => vec![json!(1), json!(true), json!([]), json!({})],
        Kind::Object(_) => vec![json!(1), json!(true), json!("x"), json!([])],
        Kind::Any => return Vec::new(),
    };
    if member.list {
        let scalars = [json!({}), json!("x"), json!(1), json!(true)];
        scalars.into_iter().chain(items.into_iter().map(|item| json!([item]))).collect()
    } else {
        items
    }
}

/// The type of a name that a test takes for granted.
pub(crate) fn named(name: &str) -> &'static Type {
    type_named(name).unwrap_or_else(|| panic!("the model has no {name}"))
}
