//! RTP, RTCP, RED and telephone-event as views over bytes and writers into them, and the units they are counted in.
//!
//! Leaf of the tree: transport demultiplexes and reports with it, pipeline reads and writes packets with it.
//! Thread: any; everything here is a pure function, allocates nothing and never waits, so it may run in a tick.
//! Invariant: wire bytes never panic; what `parse` accepts, the accessors may index.
//! Does not: sockets, clocks, SRTP, jitter buffering.
//! Spec: RFC 3550, 3551, 2198, 4733, 5761, 6464, 6465, 7587, 7983, 8285.

mod units;

mod error;
mod extension;
mod level;
mod packet;

pub mod demux;
pub mod fuzz;
pub mod red;
pub mod rtcp;
pub mod telephone_event;

pub use error::{RtpError, WriteError};
pub use extension::{Extension, Extensions};
pub use level::{AudioLevel, CsrcLevels, LevelExtension};
pub use packet::{Csrcs, MAX_CSRCS, RtpHeader, RtpPacket};
pub use units::{OPUS_CLOCK, PayloadType, RtpTimestamp, SampleCount, SampleRate, SeqNo, SourceId, Ssrc};
