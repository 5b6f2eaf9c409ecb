//! The call state machine on a virtual clock.
//!
//! One binary: `bench.rs` drives a machine, `service.rs` is a model of the other
//! side; a file per subject.

mod bench;

mod incoming;
mod machine;
mod resources;
mod schedule;
mod service;
