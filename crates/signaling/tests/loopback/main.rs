//! The crate's wire side against real loopback sockets and real keys.
//!
//! One binary, a file per subject; `server.rs` and `signer.rs` are the other side.

mod server;
mod signer;

mod client;
mod endpoints;
mod webhook;
mod webhook_token;
