//! Open enumerations: unknown members are kept, never fatal.
//!
//! `wire_enum!` makes an enum whose declared members parse in any case and are
//! written exactly as Graph's metadata declares them, plus `Unknown` for the
//! rest. Absent or null is the business of the `Option` around it.

/// Declares an open wire enumeration; see the module header.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        $name:ident {
            $( $(#[$member_meta:meta])* $member:ident = $text:literal ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$member_meta])* #[doc = concat!("`", $text, "`")] $member, )+
            /// A member this crate does not know, as the wire spelled it.
            Unknown(String),
        }

        impl $name {
            /// Every declared member.
            pub const ALL: &[Self] = &[$( Self::$member ),+];

            /// The text as declared, or as received if unknown.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$member => $text, )+
                    Self::Unknown(text) => text,
                }
            }

            /// Reads a member, ignoring case; never fails.
            pub fn parse(text: &str) -> Self {
                $( if text.eq_ignore_ascii_case($text) { return Self::$member; } )+
                Self::Unknown(text.to_owned())
            }

            /// Whether the member is declared.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::Unknown(_))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(d)?;
                Ok(Self::parse(&text))
            }
        }
    };
}

pub(crate) use wire_enum;
