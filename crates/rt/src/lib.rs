//! What media threads are built on: packet rings, the plan hand-over, wake-ups and the real-time runner.
//!
//! In the flow: the joints between network threads, control threads and media threads; no media logic.
//! Threads: every type's page says which half belongs to which thread.
//! Invariants: both ends of a joint are wait-free; what a media thread lets go of goes back to another
//! thread and is freed there; time is [`MonoTime`] and is read by the runner only.
//! Not here: jitter buffers, mixing, sockets, async, queues that grow.
//! The atomics of `handover` go through a std/loom facade (`sync`); `make loom` checks every interleaving.

mod sync;

mod time;

pub mod handover;
pub mod packet_ring;
pub mod quiet;
pub mod runner;
pub mod wake;

mod clock;
mod denormals;

pub use clock::{MonoClock, thread_time};
pub use denormals::FlushDenormals;
pub use time::MonoTime;
