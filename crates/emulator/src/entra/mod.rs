//! The identity side: what Microsoft Entra is to Graph.
//!
//! Owns tenants, app registrations with their consent, users, the token endpoint, discovery documents, signing keys and
//! the check of bearer tokens. Knows nothing of calls. Roles enter a token only by admin consent.

mod access;
mod answering;
mod assertion;
mod callee;
mod directory;
mod discovery;
mod keys;
mod routes;
mod token;

pub(crate) use access::{AccessError, Caller};
pub use answering::{Answering, AnsweringAction};
pub(crate) use callee::Callee;
pub(crate) use directory::Directory;
pub use directory::{App, Consent, DirectoryError, NewApp, NewUser, User};
pub(crate) use discovery::{authority_document, calling_document};
pub(crate) use keys::{KeyRing, SigningKey};
pub(crate) use routes::routes;
pub(crate) use token::{TokenError, delegated_token, issue_token};

/// The audience of Graph access tokens.
pub(crate) const GRAPH_AUDIENCE: &str = "https://graph.microsoft.com";
