//! The webhook: where the service tells what happens to calls.
//!
//! A request's token is verified before its body is read, the body is parsed,
//! each notification goes to the bounded, ordered queue of its call, and the
//! answer is 202 at once. Files: `verify.rs` the pure token check, `keys.rs`
//! the service's cached keys, `router.rs` one request, `dispatch.rs` the
//! queues, `listener.rs` socket and TLS, `stats.rs` the counters.
//! Spec: <https://learn.microsoft.com/graph/api/resources/commsnotification>.

mod dispatch;
mod keys;
mod listener;
mod router;
mod stats;
mod verify;

pub use dispatch::{Delivery, DispatchLimits, Dispatched, Dispatcher, NotificationReceiver};
pub use keys::{KeySource, KeySourceConfig, KeysUnavailable};
pub use listener::{ListenerError, WebhookConfig, WebhookListener, WebhookTls};
pub use router::{WebhookLimits, router};
pub use stats::WebhookStats;
pub use verify::{Expected, KeySet, TokenFault, Verified, verify};
