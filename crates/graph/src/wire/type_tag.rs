//! The `@odata.type` discriminator.
//!
//! A [`TypeTag`] is the `@odata.type` member of one resource type: always
//! written, never required, read with or without the leading `#`, in any case
//! and at any place in the object.
//! Spec: OData JSON Format 4.01 §4.6.3.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

const NAMESPACE: &str = "microsoft.graph.";

/// A resource type with a declared name in the `microsoft.graph` namespace.
pub trait Typed {
    /// The declared name without namespace, for example `call`.
    const TYPE: &'static str;
}

/// The bare type name of an `@odata.type` text: no `#`, no namespace.
///
/// ```
/// use antiphon_graph::wire::type_name;
/// assert_eq!(type_name("#microsoft.graph.call"), "call");
/// assert_eq!(type_name("microsoft.graph.call"), "call");
/// ```
pub fn type_name(text: &str) -> &str {
    let text = text.strip_prefix('#').unwrap_or(text);
    match text.get(..NAMESPACE.len()) {
        Some(head) if head.eq_ignore_ascii_case(NAMESPACE) => &text[NAMESPACE.len()..],
        _ => text,
    }
}

/// The `@odata.type` member of a `T`.
///
/// Holds the declared name unless the wire said another one (the service
/// sends, for example, an `invitationParticipantInfo` where a `participantInfo`
/// is declared); then that one is kept and written back.
pub struct TypeTag<T> {
    other: Option<String>,
    of: PhantomData<fn() -> T>,
}

impl<T: Typed> TypeTag<T> {
    /// The tag of a named type, with or without `#` and namespace.
    pub fn of(name: &str) -> Self {
        let name = type_name(name);
        let declared = name.is_empty() || name.eq_ignore_ascii_case(T::TYPE);
        Self { other: (!declared).then(|| name.to_owned()), of: PhantomData }
    }

    /// The type name without namespace.
    pub fn name(&self) -> &str {
        self.other.as_deref().unwrap_or(T::TYPE)
    }

    /// Whether this is the declared type itself.
    pub fn is_declared(&self) -> bool {
        self.other.is_none()
    }
}

impl<T> Default for TypeTag<T> {
    fn default() -> Self {
        Self { other: None, of: PhantomData }
    }
}

impl<T> Clone for TypeTag<T> {
    fn clone(&self) -> Self {
        Self { other: self.other.clone(), of: PhantomData }
    }
}

impl<T> PartialEq for TypeTag<T> {
    fn eq(&self, rhs: &Self) -> bool {
        self.other == rhs.other
    }
}

impl<T> Eq for TypeTag<T> {}

impl<T: Typed> fmt::Debug for TypeTag<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<T: Typed> Serialize for TypeTag<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A dotted name comes from another namespace and is already qualified.
        let name = self.name();
        if name.contains('.') {
            serializer.collect_str(&format_args!("#{name}"))
        } else {
            serializer.collect_str(&format_args!("#{NAMESPACE}{name}"))
        }
    }
}

impl<'de, T: Typed> Deserialize<'de> for TypeTag<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.as_deref().map(Self::of).unwrap_or_default())
    }
}
