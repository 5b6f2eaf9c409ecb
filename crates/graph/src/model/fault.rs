//! What does not fit the model, and where.

use std::fmt;

use thiserror::Error;

/// One member that does not fit, by its path: `targets[0].identity.user.id`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{kind}", Place(path))]
pub struct Fault {
    /// Where, from the root; empty for the root itself.
    pub path: String,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What is wrong with a member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// Another kind of JSON than is declared.
    #[error("must be {expected}, not {found}")]
    WrongKind {
        /// What is declared, with its article.
        expected: String,
        /// What stands there, with its article.
        found: &'static str,
    },
    /// A number beyond the declared width.
    #[error("is out of the range of an {0}")]
    OutOfRange(&'static str),
    /// Text that has not the declared form.
    #[error("is not well formed as {0}")]
    Malformed(&'static str),
    /// Text that is no member of the enumeration.
    #[error("is no member of {enumeration}: `{text}`")]
    NoMember {
        /// The enumeration.
        enumeration: &'static str,
        /// What stands there.
        text: String,
    },
    /// A member of an enumeration spelled otherwise than declared.
    #[error("must be spelled `{declared}`")]
    Spelling {
        /// The declared spelling.
        declared: &'static str,
    },
    /// An abstract type without the type that is meant.
    #[error("needs an `@odata.type`: a type derived from {0}")]
    NoType(&'static str),
    /// A type that is not known or cannot stand here.
    #[error("cannot be `{found}`: it must be {expected} or a type derived from it")]
    WrongType {
        /// The type the wire names.
        found: String,
        /// The declared type.
        expected: &'static str,
    },
    /// Missing or null, where that is not allowed.
    #[error("is required")]
    Required,
    /// A member that a closed type does not declare.
    #[error("is not declared on {0}")]
    Undeclared(&'static str),
}

struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("the body ") } else { write!(f, "`{}` ", self.0) }
    }
}
