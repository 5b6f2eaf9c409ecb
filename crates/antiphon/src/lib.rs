//! App-hosted media for calling bots: join, place and answer calls over Microsoft Graph, hear everyone, speak.
//!
//! The façade: the only crate that knows both call control (`signaling`) and media (`engine`). A [`Bot`] holds
//! what all calls share (token, webhook, engine), a [`Call`] is driven by one task, an [`AudioSocket`] is its
//! sound. Async (tokio). Invariants: dropping the last handle of a call hangs up; media never waits for
//! anything here. Not here: the emulator, files.

mod bot;
pub use bot::{Bot, BotBuilder, BotError, WebhookConfig, WebhookTls};
mod join;
pub use join::{Hosting, JoinError, JoinOptions, Meeting, MeetingLinkError};
mod target;
pub use target::Target;
mod incoming;
pub use incoming::{DecisionError, IncomingCall, IncomingCalls};
mod call;
pub use call::{Call, CallEnded, CallStatus, MediaStatus};
mod actions;
pub use actions::TransferError;
mod operation;
pub use operation::{Operation, OperationError};
mod routing_groups;
pub use routing_groups::RoutingGroups;

mod audio;
pub use audio::{AudioEnded, AudioSocket};
mod format;
pub use format::{AudioFormat, AudioFormatError};
mod ears;
pub use ears::{AudioTick, MixedFrame, Pcm, UnmixedFrame};
mod mouth;
mod talk;
pub use talk::{TalkEvent, VoiceLevel};
mod convert;
mod player;
pub use player::{Player, PlayerError};

mod driver;
mod line;

pub use antiphon_engine::{
    AudioLevel, ConversationStats, EngineConfig, FrameOutcome, LegStats, RtpTimestamp, SourceId, Stretched,
};
pub use antiphon_graph as graph;
pub use antiphon_signaling::call::{CallConfig, CallEvent, EndCause, RosterChange, SharingChange};
pub use antiphon_signaling::client::{
    GraphClient, GraphError, GraphErrorKind, Method, Missing, MissingRoles, PathFamily, RawReply,
};
pub use antiphon_signaling::webhook::{Dispatched, Joining, NotificationKind, Sighting, WebhookStats};

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
