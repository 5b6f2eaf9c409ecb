//! One call, without I/O: what was asked, what was told, what is so.
//!
//! [`CallMachine`] takes replies, notifications, commands and the time, and
//! gives requests, events and a deadline. Single-threaded; no socket, task or
//! clock. Files: `event.rs` what goes in and out, `merge.rs` the call resource
//! and its state order, `roster.rs` who is in it, `sharing.rs` who shows what,
//! `seen.rs` what was told before, `timers.rs` all deadlines.
//! Spec: <https://learn.microsoft.com/graph/api/resources/call>.

mod event;
mod machine;
mod merge;
mod roster;
mod seen;
mod sharing;
mod timers;

pub use event::{CallEvent, CallRequest, Decision, EndCause, NoMedia, Output, Reply, RequestId};
pub use machine::{CallConfig, CallCounters, CallMachine, NotOffered};
pub use roster::{Roster, RosterChange, RosterMode};
pub use sharing::SharingChange;
