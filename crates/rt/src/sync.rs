//! The atomics of this crate's own hand-overs: std normally, loom's under `--cfg loom`.
//!
//! Only what a loom model covers goes through here. `ringbuf` has no loom support and keeps std's.

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Arc,
    atomic::{AtomicPtr, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Arc,
    atomic::{AtomicPtr, Ordering},
};
