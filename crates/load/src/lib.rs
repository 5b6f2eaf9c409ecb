//! Synthetic participants: talkers and ears, lossy links, and the probes that prove who heard whom.
//!
//! Used by the `antiphon` program's demo and by tests across the workspace; never by a bot or a service.
//! Pure parts first (speech, signatures, links, the analysis after a run); what needs sockets is behind the feature `webrtc`
//! and runs on tokio, on the independent `webrtc` stack, so that our transport meets a stranger.
//! Does not: mix, route or answer offers for real; that is what it tests.

mod fourier;

pub mod pattern;
pub mod speech;

pub mod signature;

pub mod recording;
pub mod wav;

pub mod ear;
pub mod mouth;

pub mod latency;
pub mod link;
pub mod matrix;

#[cfg(feature = "webrtc")]
pub mod relay;
#[cfg(feature = "webrtc")]
pub mod talker;
