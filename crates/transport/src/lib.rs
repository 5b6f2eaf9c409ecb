//! WebRTC audio transport: sockets on one side, packet rings on the other.
//!
//! In the flow: UDP → ICE, DTLS, SRTP → one ingress ring per leg → media thread → egress rings → SRTP → UDP.
//! Layers: [`sdp`], [`ice`], `dtls`, [`srtp`] and [`peer`] are sans-IO (time is an argument, bytes in and
//! out); [`net`] owns the sockets and the one network thread, which never waits on async code.
//! Invariants: wire bytes never panic, what is refused is counted by [`DropReason`], state is bounded;
//! no allocation per media packet.
//! Not here: jitter, codecs, mixing, call control; TURN, mDNS names, ICE-TCP, video, data channels.
//! Specs: RFC 8445, 7675, 5764, 6347, 3711, 7714, 3550, 8829, 8843, 7983.

pub mod sdp;

mod dtls;
pub mod ice;
pub mod identity;
pub mod srtp;

mod negotiate;
pub mod peer;
pub mod plain;
mod reports;
pub mod stats;

pub mod fuzz;
pub mod net;

pub use identity::{Identity, IdentityError};
pub use negotiate::{LaneParams, Negotiated};
pub use net::connector::{Connector, ConnectorConfig, OfferOptions, Offered, StartError};
pub use net::endpoint::{Answered, BindError, Endpoint, EndpointConfig};
pub use net::leg::{AnswerError, CloseReason, Leg, LegCallback, LegEvent, LegId, OfferError};
pub use net::plain::{PlainError, PlainJoined, PortRange, PortRangeError};
pub use net::{EgressId, Limits, NetThread};
pub use plain::{PlainParams, PlainParamsError, Remote};
pub use sdp::{Codec, Direction};
pub use stats::{DropCounts, DropReason, LegStats, RemoteReport};

#[cfg(test)]
#[global_allocator]
static ALLOC: antiphon_testkit::alloc_guard::GuardedAlloc = antiphon_testkit::alloc_guard::GuardedAlloc;
