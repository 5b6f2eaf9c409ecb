//! The webhook: where the service tells what happens to calls.
//!
//! A request's token is verified before its body is read, the body is parsed,
//! each notification goes to the bounded, ordered queue of its call, and the
//! answer is 202 at once. Files: `verify.rs` the pure token check, `keys.rs`
//! the service's cached keys, `router.rs` one request, `joining.rs` the one kind
//! that wants an answer of its own, `dispatch.rs` where notifications go,
//! `queue.rs` the queue of a call, `sighting.rs` what observers see,
//! `listener.rs` socket and TLS, `stats.rs` the counters.
//! Spec: <https://learn.microsoft.com/graph/api/resources/commsnotification>.

mod dispatch;
mod joining;
mod keys;
mod listener;
mod queue;
mod router;
mod sighting;
mod stats;
mod verify;

pub use dispatch::{DispatchLimits, Dispatched, Dispatcher, Incoming, IncomingReceiver, NotificationReceiver};
pub use joining::{Joining, JoiningHook};
pub use keys::{KeySource, KeySourceConfig, KeysUnavailable};
pub use listener::{ListenerError, WebhookConfig, WebhookListener, WebhookTls};
pub use queue::Delivery;
pub use router::{WebhookLimits, router};
pub use sighting::{NotificationKind, Sighting};
pub use stats::WebhookStats;
pub use verify::{Expected, KeySet, TokenFault, Verified, verify};
