//! Members that v1.0 declares as flags and beta as a list.
//!
//! Flags are one text, their members joined by commas; the form that was read
//! is the form that is written.
//! Spec: OData JSON Format 4.01 §7.1; OData ABNF `enumValue`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// Members of an enumeration, as flags or as a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reasons<T> {
    /// One text, members joined by commas: v1.0.
    Flags(Vec<T>),
    /// A list: beta.
    List(Vec<T>),
}

impl<T> Reasons<T> {
    /// The members, in either form.
    pub fn members(&self) -> &[T] {
        match self {
            Self::Flags(members) | Self::List(members) => members,
        }
    }
}

impl<T: fmt::Display + Serialize> Serialize for Reasons<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Flags(members) => {
                let texts: Vec<_> = members.iter().map(T::to_string).collect();
                serializer.serialize_str(&texts.join(","))
            }
            Self::List(members) => members.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de> + for<'a> From<&'a str>> Deserialize<'de> for Reasons<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de> + for<'a> From<&'a str>> Visitor<'de> for Either<T> {
            type Value = Reasons<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text of flags or a list of them")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Reasons::Flags(text.split(',').map(|member| T::from(member.trim())).collect()))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = items.next_element()? {
                    members.push(member);
                }
                Ok(Reasons::List(members))
            }
        }

        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}
