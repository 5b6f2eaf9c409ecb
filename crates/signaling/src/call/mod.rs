//! One call, without I/O: what was asked, what was told, what is so.
//!
//! [`CallMachine`] takes replies, notifications, commands and the time, and
//! gives requests, events and a deadline. Single-threaded; no socket, task or
//! clock. Files: `event.rs` what goes in and out, `merge.rs` the call resource
//! and its state order, `roster.rs` who is in it, `timers.rs` all deadlines.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

mod event;
mod machine;
mod merge;
mod roster;
mod timers;

pub use event::{CallEvent, CallRequest, EndCause, NoMedia, Output, Reply, RequestId};
pub use machine::{CallConfig, CallCounters, CallMachine};
pub use roster::{Roster, RosterChange, RosterMode};
