//! Conversations: participants by name, their legs, their routes, and the media threads they run on.
//!
//! In the flow: call control (the façade, the emulator) → here → plans, commands and legs for `pipeline` and
//! `transport`. Threads: callers' threads and one control thread here; media and network threads are started
//! and owned here but run the other crates' code. Invariants: names stay on this side, media threads see
//! dense slots; whatever a media thread lets go of is freed here; a conversation lives on one media thread.
//! Not here: Graph (the callers turn `audioRoutingGroup` into routes), codecs, sockets.

mod engine;
pub use engine::{Engine, EngineConfig, MediaThreadStats};

mod conversation;
pub use conversation::{Conversation, ConversationEvent, ConversationOptions, EventCallback, JoinOptions, Joined};
mod plain;
pub use plain::{PlainJoined, PlainLeg};
mod speaker;
pub use speaker::Speaker;
mod session;
pub use session::{AudioPort, MediaSession, MixedEar, SessionOptions, UnmixedEar};

mod ids;
pub use ids::ParticipantId;
mod error;
pub use error::{CreateError, DialError, JoinError, RouteError, StartError};
mod routes;
mod speakers;
mod state;
pub use speakers::VoiceLevel;
mod stats;
pub use stats::{ConversationStats, Counts, CycleCounts};

mod control;
mod governor;
mod loss;
mod media_thread;

mod host;
pub use governor::{GovernorStats, StepCounts};
pub use host::{HostDesk, MediaHost, Returned};

pub use antiphon_pipeline::{
    AppMouth, BusRate, FrameCounts, FrameOutcome, MixedFrame, OpusSettings, PacketCounts, Stretched, Tones, TonesError,
    UnmixedFrame,
};
pub use antiphon_rt::runner::PriorityOutcome;
pub use antiphon_rt::wake::Wakeable;
pub use antiphon_rtp::{AudioLevel, RtpTimestamp, SourceId};
pub use antiphon_transport::srtp::{KeyPair, MasterKey, SdesError};
pub use antiphon_transport::{
    CloseReason, Codec, Direction, LegStats, PlainError, PlainParams, PlainParamsError, PortRange, PortRangeError,
    Remote,
};
