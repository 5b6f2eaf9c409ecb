//! Generated resources of every type, by seed, read and written.
//!
//! Members come and go, lists have any length, numbers and texts are any, enumerations have unknown members
//! and every object has members nobody declares. What is read is written the same, but that nulls go, and
//! empty lists and type marks may come.

use antiphon_graph::model::{self, Kind, Member};
use antiphon_graph::wire::Version;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::registry::{self, Entry};
use crate::sample;

/// Random choices out of a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn text(&mut self) -> String {
        const PIECES: [&str; 12] =
            ["", "a", "Ä", "\"", "\\", "\n", "\u{0}", "🎺", "19:meeting_x@thread.v2", " ", "null", "@odata.type"];
        (0..self.below(4)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn double(&mut self) -> f64 {
        let any = f64::from_bits(self.roll());
        if any.is_finite() { any } else { -0.25 }
    }
}

fn object(members: &[&Member], required: bool, version: Version, dice: &mut Dice, depth: usize) -> Map<String, Value> {
    let mut object = Map::new();
    for member in members {
        let needed = required && !member.nullable;
        if !needed && (depth == 0 || dice.one_in(2)) {
            continue;
        }
        let value = if member.nullable && dice.one_in(8) {
            Value::Null
        } else if member.list {
            (0..dice.below(3)).map(|_| value(member.kind, version, dice, depth)).collect()
        } else {
            value(member.kind, version, dice, depth)
        };
        object.insert(member.name.to_owned(), value);
    }
    if dice.one_in(3) {
        object.insert(format!("zz{}", dice.text()), json!({ "z": [null, dice.double(), dice.text()] }));
    }
    object
}

fn value(kind: Kind, version: Version, dice: &mut Dice, depth: usize) -> Value {
    match kind {
        Kind::Boolean => dice.one_in(2).into(),
        Kind::Int32 => ((dice.roll() >> 32) as u32).cast_signed().into(),
        Kind::Int64 => dice.roll().cast_signed().into(),
        Kind::Double => dice.double().into(),
        Kind::Enumeration(name) => {
            let texts = sample::texts(name, version);
            if texts.is_empty() || dice.one_in(5) {
                format!("zz{}", dice.text().replace(',', "")).trim().into()
            } else {
                texts[dice.below(texts.len())].into()
            }
        }
        Kind::Object(name) => {
            let all = sample::concrete(name, version);
            let ty = all[dice.below(all.len())];
            let members: Vec<_> = ty.members().filter(|member| sample::occurs(member, version)).collect();
            let mut object = object(&members, true, version, dice, depth.saturating_sub(1));
            if ty.name != name || dice.one_in(2) {
                let mark = if dice.one_in(4) { "" } else { "#" };
                object.insert("@odata.type".to_owned(), format!("{mark}microsoft.graph.{}", ty.name).into());
            }
            Value::Object(object)
        }
        // An entity, as in the one member of this kind.
        Kind::Any => json!({ "@odata.type": "#microsoft.graph.call", "x": dice.double() }),
        _ => dice.text().into(),
    }
}

/// Whether `written` is what was read, but for nulls gone, and for empty lists and types come.
fn same(at: &str, read: &Value, written: &Value) -> Result<(), String> {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            for (key, value) in read.iter().filter(|(_, value)| !value.is_null()) {
                let at = format!("{at}.{key}");
                match written.get(key) {
                    Some(there) => same(&at, value, there)?,
                    None if value.as_array().is_some_and(Vec::is_empty) => {}
                    None => return Err(format!("{at} was lost")),
                }
            }
            let came = written.iter().filter(|(key, _)| !read.contains_key(*key));
            for (key, value) in came {
                if key != "@odata.type" && !value.as_array().is_some_and(Vec::is_empty) {
                    return Err(format!("{at}.{key} came from nowhere"));
                }
            }
            Ok(())
        }
        (Value::Array(read), Value::Array(written)) if read.len() == written.len() => {
            read.iter().zip(written).try_for_each(|(read, written)| same(at, read, written))
        }
        (Value::String(read), Value::String(written)) if at.ends_with("@odata.type") => {
            let same = read == written || format!("#{read}") == *written;
            if same { Ok(()) } else { Err(format!("{at}: {read} became {written}")) }
        }
        _ if read == written => Ok(()),
        _ => Err(format!("{at}: {read} became {written}")),
    }
}

fn comes_back(entry: &Entry, value: &Value) -> Result<(), String> {
    let first = entry.read(value).map_err(|error| format!("{value} is not read: {error}"))?;
    same(entry.rust, value, &first.written)?;
    let again = entry.read(&first.written)?;
    if again.written == first.written && again.shown == first.shown {
        Ok(())
    } else {
        Err(format!("{} is read another way: {}", first.written, again.written))
    }
}

/// Puts something else where one of the values of `value` stands.
fn replace_somewhere(value: &mut Value, dice: &mut Dice) {
    let inside = match value {
        Value::Object(object) if !object.is_empty() && !dice.one_in(4) => {
            let at = dice.below(object.len());
            object.values_mut().nth(at)
        }
        Value::Array(items) if !items.is_empty() && !dice.one_in(4) => {
            let at = dice.below(items.len());
            items.get_mut(at)
        }
        _ => None,
    };
    match inside {
        Some(inside) => replace_somewhere(inside, dice),
        None => {
            let odd = [
                Value::Null,
                json!(true),
                json!(-1),
                json!(u64::MAX),
                json!(1e300),
                json!(""),
                json!("#microsoft.graph.mediaPrompt"),
                json!("MICROSOFT.GRAPH.CALL"),
                json!([[]]),
                json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": {} }),
                json!({ "@odata.type": [] }),
            ];
            *value = odd[dice.below(odd.len())].clone();
        }
    }
}

fn version(beta: bool) -> Version {
    if beta { Version::Beta } else { Version::V1 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_resource_of_any_type_comes_back(seed: u64, beta: bool) {
        let dice = &mut Dice(seed);
        for entry in registry::types().into_iter().chain(registry::abstract_types()) {
            for name in &entry.names {
                if sample::concrete(name, version(beta)).is_empty() {
                    continue; // beta's alone
                }
                let value = value(Kind::Object(name), version(beta), dice, 5);
                prop_assert_eq!(comes_back(&entry, &value), Ok(()), "{}", name);
            }
        }
    }

    #[test]
    fn any_parameters_of_any_action_come_back(seed: u64, beta: bool) {
        let dice = &mut Dice(seed);
        for entry in registry::actions() {
            for name in &entry.names {
                let action = model::action(name).unwrap();
                if !action.declared.has(version(beta)) {
                    continue;
                }
                let parameters: Vec<_> = action.parameters.iter().collect();
                let value = Value::Object(object(&parameters, false, version(beta), dice, 4));
                prop_assert_eq!(comes_back(&entry, &value), Ok(()), "{}", name);
            }
        }
    }

    #[test]
    fn a_body_with_anything_anywhere_is_read_the_same_again_or_refused(seed: u64) {
        let dice = &mut Dice(seed);
        for _ in 0..8 {
            let actions: Vec<_> = model::actions().collect();
            let parameters: Vec<_> = actions[dice.below(actions.len())].parameters.iter().collect();
            let mut body = match dice.one_in(2) {
                true => value(Kind::Object("call"), Version::Beta, dice, 4),
                false => Value::Object(object(&parameters, true, Version::Beta, dice, 4)),
            };
            for _ in 0..=dice.below(3) {
                replace_somewhere(&mut body, dice);
            }
            antiphon_graph::fuzz::request(body.to_string().as_bytes());
            let notification = json!({ "value": [{ "resourceUrl": "/communications/calls/c", "resourceData": body }] });
            antiphon_graph::fuzz::notification(notification.to_string().as_bytes());
        }
    }

    #[test]
    fn generated_requests_fit_the_model_where_they_hold_no_unknown_members(seed: u64) {
        let dice = &mut Dice(seed);
        let value = value(Kind::Object("call"), Version::Beta, dice, 5);
        for fault in model::check(Version::Beta, "call", model::Strictness::Request, &value) {
            prop_assert!(
                matches!(fault.kind, model::FaultKind::NoMember { .. } | model::FaultKind::Malformed(_)),
                "{fault} in {value}"
            );
        }
    }
}

#[test]
fn a_change_is_noticed_wherever_it_is() {
    let read = json!({ "a": [{ "b": 1, "c": null }], "@odata.type": "microsoft.graph.x" });
    for (written, fits) in [
        (json!({ "a": [{ "b": 1, "d": [] }], "@odata.type": "#microsoft.graph.x" }), true),
        (json!({ "a": [{ "b": 2 }], "@odata.type": "#microsoft.graph.x" }), false),
        (json!({ "a": [{}], "@odata.type": "#microsoft.graph.x" }), false),
        (json!({ "a": [{ "b": 1, "d": 0 }], "@odata.type": "#microsoft.graph.x" }), false),
        (json!({ "a": [], "@odata.type": "#microsoft.graph.x" }), false),
        (json!({ "a": [{ "b": 1 }], "@odata.type": "#microsoft.graph.y" }), false),
    ] {
        assert_eq!(same("", &read, &written).is_ok(), fits, "{written}");
    }
}
