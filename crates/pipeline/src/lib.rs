//! Everything a media thread does in its 20 ms: packets in, jitter, decode, mix, encode, packets out.
//!
//! [`Conversation::tick`] is the whole of it; [`Control`] is the other half, on a control thread.
//! Invariants: inside a tick no allocation, free, lock, system call, log or clock; the same inputs
//! give the same bytes; encoding follows distinct mixes, never listeners. The media side knows
//! dense slots, no names. Not here: sockets, threads, participant ids, SDP.
//! Flow: command → inlet → jitter → source → gate → plan → groups → mix → receiver.

mod bits;

mod limits;
mod slots;

mod command;
mod conversation;
mod inlet;
mod jitter;
mod source;
mod stretch;

mod gate;
mod plan;
mod talkers;

mod groups;
mod limiter;
mod mix;

mod dominant;
pub mod fuzz;
mod lanes;
mod outcome;
mod pcm;
mod receiver;
pub mod stages;
mod telemetry;
mod tones;

pub use command::{Command, Control, Retired};
pub use conversation::Conversation;
pub use inlet::{Inlet, InletConfig, Mid, Payload};
pub use limits::{
    BusRate, ConfigError, ConversationConfig, Effort, EncodeClass, GateConfig, Limits, MAX_FRAME_SAMPLES, MAX_SLOTS,
    OpusSettings, RTP_FRAME,
};
pub use outcome::{FrameCounts, FrameOutcome, PacketCounts, PacketOutcome, StretchCounts, Stretched};
pub use pcm::{AppEar, AppMouth, MixedFrame, Samples, UnmixedFrame};
pub use plan::{MixPlan, Participant, PlanBuilder};
pub use receiver::{AppEarConfig, LaneConfig, Receiver, ReceiverError, RtpReceiverConfig};
pub use slots::{InletSlot, ReceiverSlot, Slot, Slots, SourceSlot};
pub use source::Source;
pub use telemetry::{Event, Inspection, LevelPage, SourceLevel, SourceReading, TickRecord, TimedEvent};
pub use tones::{Tones, TonesError};
