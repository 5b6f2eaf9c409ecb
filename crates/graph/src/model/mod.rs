//! What the service's metadata declares: types, enumerations, actions, by version.
//!
//! The whole model as data (`data/model.txt`, compiled in, read once), and what
//! follows from it: [`check()`] holds JSON against it and names what does not fit
//! by its path, [`read_request`] reads a body so, [`declared_only`] leaves out
//! what a version does not declare.
//! Pure functions; the typed resources of this crate are held against the same
//! data by its tests.
//! Spec: OData CSDL 4.01; the service metadata of Graph v1.0 and beta.

mod declared;
pub use declared::{
    Action, Declared, Enumeration, Kind, Member, Type, action, actions, enumerations, type_named, types,
};
mod fault;
pub use fault::{Fault, FaultKind};
mod check;
pub use check::{Strictness, check, check_parameters};
mod request;
pub use request::{Body, RequestError, Shape, read_request};
mod project;
pub use project::{declared_only, declared_only_as_named};
