//! Opus as the media path needs it (encode, decode, in-band FEC, concealment, state copy), and G.711.
//!
//! Sits between the jitter buffer and the mixer (decode) and between the mixer and the fan-out
//! (encode). Every call works on caller-owned memory; nothing allocates after construction.
//! The crate stands directly on `opusic-sys` (libopus 1.6): the safe binding hides the raw
//! state, and copying an encoder's state is what makes encoding once for many listeners
//! inaudible. All of the `unsafe` is in `sys.rs`.
//! Not here: RTP, jitter, resampling between rates of Opus. Spec: RFC 6716, RFC 8251, ITU-T G.711.

mod sys;

mod calls;
mod decoder;
mod encoder;
mod error;
pub mod g711;
mod packet;
mod units;

pub use calls::{CodecCalls, cycles, thread_calls};
pub use decoder::Decoder;
pub use encoder::{Application, Encoder, EncoderConfig};
pub use error::CodecError;
pub use packet::{PacketInfo, PacketMode};
pub use units::{Channels, CodecRate};

/// The longest packet a single 20 ms Opus frame can take (RFC 6716 §3.4, R5), in bytes.
pub const MAX_FRAME_BYTES: usize = 1_275;

/// The longest audio one packet can hold, in samples per channel at 48 kHz: 120 ms
/// (RFC 6716 §3.2.5).
pub const MAX_PACKET_SAMPLES: usize = 5_760;
