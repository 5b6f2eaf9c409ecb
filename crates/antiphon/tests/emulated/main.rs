//! Bots on the façade against the emulator. Everything is real and on loopback.
//!
//! One binary; `world.rs` makes what the tests need, a file per subject.

mod world;

mod actions;
mod incoming;
mod meeting;
mod outgoing;
mod recorder;
