//! Rules every Graph resource follows on the wire, said once.
//!
//! Owns the `@odata.type` tag, the open enums, the polymorphic dispatch and
//! the lenient readers. Used by each resource file; holds no resource itself.
//! Invariant: what is read here can be written back, and nothing panics.
//! Spec: OData JSON Format 4.01 §4.6.3 (type annotations), and the Graph
//! reference samples for what the service really sends.

mod enumeration;
pub(crate) use enumeration::wire_enum;
mod polymorphic;
pub(crate) use polymorphic::polymorphic;
mod lenient;
pub(crate) use lenient::{lenient_i32, lenient_i64, null_as_default};
mod reasons;
pub use reasons::Reasons;
mod text;
pub use text::{DateTimeOffset, Guid, IsoDuration};
mod type_tag;
pub use type_tag::{TypeTag, Typed, type_name};

/// A JSON object.
pub type Object = serde_json::Map<String, serde_json::Value>;

/// Members a resource type does not declare, kept as they came.
///
/// Graph's resource types are open: the service sends members its own metadata
/// lacks. They are written back unchanged. Do not put a declared member here:
/// it would be written twice.
pub type Extra = Object;

/// The API version, the first segment of every request path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// `v1.0`
    V1,
    /// `beta`
    Beta,
}

impl Version {
    /// The path segment: `v1.0` or `beta`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::Beta => "beta",
        }
    }

    /// Reads a path segment, ignoring case.
    pub fn parse(segment: &str) -> Option<Self> {
        if segment.eq_ignore_ascii_case("v1.0") {
            Some(Self::V1)
        } else if segment.eq_ignore_ascii_case("beta") {
            Some(Self::Beta)
        } else {
            None
        }
    }
}
