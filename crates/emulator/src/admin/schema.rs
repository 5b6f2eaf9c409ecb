//! JSON bodies of the administration API, described once: as data here, as JSON Schema in the OpenAPI document.
//!
//! What a schema says of a request is held against what is accepted, and what it says of an answer against every answer
//! given in tests. Pure data. Spec: JSON Schema 2020-12, as OpenAPI 3.1 takes it.

use serde_json::{Map, Value, json};

/// An object with a name.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) name: &'static str,
    pub(super) members: &'static [Member],
}

/// A member of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) nullable: bool,
    about: &'static str,
}

impl Member {
    /// Always there.
    pub(super) const fn must(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: true, nullable: false, about }
    }

    /// May be left out or null.
    pub(super) const fn may(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: false, nullable: true, about }
    }

    /// May be left out, has a default then, and is never null.
    pub(super) const fn default(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self { name, kind, required: false, nullable: false, about }
    }
}

/// What a JSON value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Flag,
    /// A whole number from 0 up.
    Whole,
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    One(&'static Schema),
    List(&'static Kind),
    /// An object with any names for members.
    Map(&'static Kind),
    /// `{"value": [...]}`
    Collection(&'static Kind),
}

impl Kind {
    /// As JSON Schema; objects by reference.
    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Whole => json!({ "type": "integer", "minimum": 0 }),
            Self::Number => json!({ "type": "number" }),
            Self::Word(words) => json!({ "type": "string", "enum": words }),
            Self::One(schema) => json!({ "$ref": format!("#/components/schemas/{}", schema.name) }),
            Self::List(of) => json!({ "type": "array", "items": of.to_json() }),
            Self::Map(of) => json!({ "type": "object", "additionalProperties": of.to_json() }),
            Self::Collection(of) => json!({
                "type": "object",
                "required": ["value"],
                "properties": { "value": { "type": "array", "items": of.to_json() } },
            }),
        }
    }

    /// Every object it leads to.
    pub(super) fn collect(self, into: &mut Vec<&'static Schema>) {
        match self {
            Self::One(schema) => {
                if !into.iter().any(|known| known.name == schema.name) {
                    into.push(schema);
                    schema.members.iter().for_each(|member| member.kind.collect(into));
                }
            }
            Self::List(of) | Self::Map(of) | Self::Collection(of) => of.collect(into),
            Self::Text | Self::Flag | Self::Whole | Self::Number | Self::Word(_) => {}
        }
    }
}

impl Schema {
    /// As JSON Schema.
    pub(super) fn to_json(&self) -> Value {
        let properties: Map<String, Value> =
            self.members.iter().map(|member| (member.name.to_owned(), member.to_json())).collect();
        let required: Vec<_> = self.members.iter().filter(|member| member.required).map(|member| member.name).collect();
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }
}

impl Member {
    fn to_json(self) -> Value {
        let kind = self.kind.to_json();
        let mut described = match (self.nullable, self.kind) {
            (false, Kind::One(_)) => json!({ "allOf": [kind] }),
            (false, _) => kind,
            (true, _) => json!({ "anyOf": [kind, { "type": "null" }] }),
        };
        described["description"] = self.about.into();
        described
    }
}

/// What is wrong with a value, by path; nothing if it is as described.
#[cfg(test)]
pub(super) fn complaints(kind: Kind, value: &Value, path: &str) -> Vec<String> {
    let wrong = |what: &str| vec![format!("{path} is not {what}: {value}")];
    let each = |of: Kind, items: &[Value]| -> Vec<String> {
        items.iter().enumerate().flat_map(|(index, item)| complaints(of, item, &format!("{path}[{index}]"))).collect()
    };
    match (kind, value) {
        (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Bool(_)) | (Kind::Number, Value::Number(_)) => Vec::new(),
        (Kind::Whole, Value::Number(number)) if number.is_u64() => Vec::new(),
        (Kind::Word(words), Value::String(word)) if words.contains(&word.as_str()) => Vec::new(),
        (Kind::List(of), Value::Array(items)) => each(*of, items),
        (Kind::Map(of), Value::Object(members)) => {
            members.iter().flat_map(|(name, value)| complaints(*of, value, &format!("{path}.{name}"))).collect()
        }
        (Kind::Collection(of), Value::Object(members)) if members.len() == 1 => match members.get("value") {
            Some(Value::Array(items)) => each(*of, items),
            _ => wrong("a collection"),
        },
        (Kind::One(schema), Value::Object(members)) => {
            let mut all = Vec::new();
            for (name, value) in members {
                let path = format!("{path}.{name}");
                match schema.members.iter().find(|member| member.name == name) {
                    None => all.push(format!("{path} is not described")),
                    Some(member) if value.is_null() && member.nullable => {}
                    Some(member) => all.extend(complaints(member.kind, value, &path)),
                }
            }
            let missing = schema.members.iter().filter(|member| member.required && !members.contains_key(member.name));
            all.extend(missing.map(|member| format!("{path}.{} is missing", member.name)));
            all
        }
        _ => wrong(&format!("{kind:?}")),
    }
}
