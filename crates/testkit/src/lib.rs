//! What tests of several crates share: an allocation guard and a virtual clock.
//!
//! In the flow: nowhere; dev-dependencies only. `tests/tidy.rs` here checks the house rules of the whole
//! workspace (dependency arrows, file sizes, module headers, unsafe, words that must not stay).
//! Not here: synthetic participants, lossy links and signatures; those are `antiphon-load`.

pub mod alloc_guard;
mod clock;
pub mod corpus;

pub use clock::VirtualClock;
