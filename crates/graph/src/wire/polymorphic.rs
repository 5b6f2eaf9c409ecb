//! Abstract types whose concrete type is named by `@odata.type`.
//!
//! `polymorphic!` makes an enum of the concrete types. The tag may stand
//! anywhere in the object, with or without `#`, in any case. An object without
//! a tag, or with a foreign one, is kept whole as `Other` so that the reader
//! decides whether that is an error (a service says 400, a client looks on).
//! Spec: OData JSON Format 4.01 §4.6.3.

/// Declares a polymorphic resource; see the module header.
macro_rules! polymorphic {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$member_meta:meta])* $member:ident($ty:ty) ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "one per call; a box would burden every reader of it")]
        pub enum $name {
            $( $(#[$member_meta])* $member($ty), )+
            /// No `@odata.type`, or one this crate does not know.
            Other(crate::wire::Object),
        }

        impl $name {
            /// The bare type name, or `None` if the wire gave none.
            pub fn type_name(&self) -> Option<&str> {
                match self {
                    $( Self::$member(inner) => Some(inner.odata_type.name()), )+
                    Self::Other(object) => {
                        object.get("@odata.type")?.as_str().map(crate::wire::type_name)
                    }
                }
            }
        }

        $(
            impl From<$ty> for $name {
                fn from(inner: $ty) -> Self {
                    Self::$member(inner)
                }
            }
        )+

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let object = <crate::wire::Object as serde::Deserialize>::deserialize(d)?;
                let name = object
                    .get("@odata.type")
                    .and_then(serde_json::Value::as_str)
                    .map(|text| crate::wire::type_name(text).to_ascii_lowercase());
                $(
                    if name.as_deref().is_some_and(|name| {
                        name.eq_ignore_ascii_case(<$ty as crate::wire::Typed>::TYPE)
                    }) {
                        return serde_json::from_value(serde_json::Value::Object(object))
                            .map(Self::$member)
                            .map_err(serde::de::Error::custom);
                    }
                )+
                Ok(Self::Other(object))
            }
        }
    };
}

pub(crate) use polymorphic;
