//! Audio sockets: what a bot hears and says, as 20 ms PCM frames.
//!
//! In the flow: media thread ⇄ single-producer rings ⇄ here ⇄ the bot's code. A small task waits for the
//! media thread's wake-up (an eventfd) and tells whoever awaits a frame; the media thread never waits for
//! anybody. Rings are bounded: a bot that does not read loses the newest frames, counted by the engine.
//! Not here: files (see `player`), other sample rates than the call's.

use antiphon_engine::{AppMouth, AudioPort, MixedEar, UnmixedEar, Wakeable};
pub use antiphon_engine::{FrameOutcome, MixedFrame, UnmixedFrame};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;

/// PCM of a call: 16-bit signed, mono, 20 ms frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AudioFormat {
    /// 16 kHz, 320 samples per frame: Graph's `Pcm16K`.
    #[default]
    Pcm16K,
    /// 48 kHz, 960 samples per frame.
    Pcm48K,
}

impl AudioFormat {
    /// Samples per second.
    #[must_use]
    pub const fn sample_rate(self) -> u32 {
        match self {
            Self::Pcm16K => 16_000,
            Self::Pcm48K => 48_000,
        }
    }

    /// Samples in a frame.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        self.sample_rate() as usize / 50
    }
}

/// A bot's ears and mouth in one call. Cheap to clone; clones share the same streams, and a frame goes to
/// whichever asks first.
#[derive(Clone, Debug)]
pub struct AudioSocket {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    format: AudioFormat,
    // Three locks, so that hearing, hearing apart and speaking never wait for each other.
    // Empty in a call whose media the service hosts.
    mixed: Mutex<Option<MixedEar>>,
    unmixed: Mutex<Option<UnmixedEar>>,
    mouth: Mutex<Option<AppMouth>>,
    ticked: Arc<Notify>,
    closed: AtomicBool,
    pump: Option<AbortHandle>,
}

/// The call's audio has ended: it was hung up, or the service ended it, or hosts it itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the call's audio has ended")]
pub struct AudioEnded;

impl AudioSocket {
    /// Takes over the app's end of a media session. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// The eventfd could not be registered with the runtime.
    pub(crate) fn open(format: AudioFormat, port: AudioPort) -> std::io::Result<Self> {
        let AudioPort { mixed, unmixed, mouth, wakeable } = port;
        let ticked = Arc::new(Notify::new());
        #[expect(
            deprecated,
            reason = "its replacement is unsafe to call; WakeFd owns one descriptor for life, as asked"
        )]
        let wakes = AsyncFd::with_interest(WakeFd(wakeable), Interest::READABLE)?;
        let pump = Some(tokio::spawn(pump(wakes, Arc::clone(&ticked))).abort_handle());
        let (mixed, unmixed, mouth) = (Mutex::new(Some(mixed)), Mutex::new(Some(unmixed)), Mutex::new(Some(mouth)));
        let closed = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { format, mixed, unmixed, mouth, ticked, closed, pump }) })
    }

    /// The socket of a call whose media the service hosts: it has ended before it began.
    pub(crate) fn none(format: AudioFormat) -> Self {
        let (mixed, unmixed, mouth) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (ticked, closed) = (Arc::default(), AtomicBool::new(true));
        Self { shared: Arc::new(Shared { format, mixed, unmixed, mouth, ticked, closed, pump: None }) }
    }

    /// Sample rate and frame size of everything that goes through this socket.
    #[must_use]
    pub fn format(&self) -> AudioFormat {
        self.shared.format
    }

    /// The next 20 ms of everybody mixed, oldest first; `None` once the call's audio has ended.
    ///
    /// One comes every tick, silent or not. Cancel-safe: a frame is taken only as the call returns.
    pub async fn mixed(&self) -> Option<MixedFrame> {
        let mut ear = self.shared.mixed.lock().await;
        self.next(|| ear.as_mut()?.next_frame()).await
    }

    /// The next 20 ms of one participant apart, oldest first; `None` once the call's audio has ended.
    ///
    /// Frames of all participants share one sample clock ([`UnmixedFrame::tick`]); a participant that is
    /// idle sends none. Names come from [`Call::participants`](crate::Call::participants) by `source_id`.
    /// Cancel-safe.
    pub async fn unmixed(&self) -> Option<UnmixedFrame> {
        let mut ear = self.shared.unmixed.lock().await;
        self.next(|| ear.as_mut()?.next_frame()).await
    }

    /// Says `samples` (mono, at the socket's rate), waiting while the queue of half a second is full.
    ///
    /// Returns when the last sample is queued, not when it is heard. If cancelled, part may be said.
    ///
    /// # Errors
    /// [`AudioEnded`].
    pub async fn speak(&self, samples: &[i16]) -> Result<(), AudioEnded> {
        let mut mouth = self.shared.mouth.lock().await;
        let mut said = 0;
        while said < samples.len() {
            let spoken =
                self.next(|| mouth.as_mut().map(|mouth| mouth.speak(&samples[said..])).filter(|&n| n > 0)).await;
            said += spoken.ok_or(AudioEnded)?;
        }
        if self.is_closed() { Err(AudioEnded) } else { Ok(()) }
    }

    /// Samples said and not yet sent.
    pub async fn queued(&self) -> usize {
        self.shared.mouth.lock().await.as_ref().map_or(0, AppMouth::queued)
    }

    /// Whether the call's audio has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Acquire pairs with the release in `close`: frames queued before it are seen after it.
        self.shared.closed.load(Ordering::Acquire)
    }

    /// Ends all waiting; what is queued can still be read.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::Release); // pairs with `is_closed`
        if let Some(pump) = &self.shared.pump {
            pump.abort();
        }
        self.shared.ticked.notify_waiters();
    }

    /// Tries after every tick until something is there or the audio has ended.
    async fn next<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            let ticked = self.shared.ticked.notified();
            tokio::pin!(ticked);
            ticked.as_mut().enable(); // before looking, so that a tick in between is not missed
            let closed = self.is_closed();
            if let Some(found) = attempt() {
                return Some(found);
            }
            if closed {
                return None;
            }
            ticked.await;
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(pump) = &self.pump {
            pump.abort();
        }
    }
}

/// Turns the media thread's wake-ups into notifications, merged, until aborted.
async fn pump(wakes: AsyncFd<WakeFd>, ticked: Arc<Notify>) {
    while let Ok(mut ready) = wakes.readable().await {
        wakes.get_ref().0.drain();
        ready.clear_ready();
        ticked.notify_waiters();
    }
}

/// The eventfd in the form tokio takes.
struct WakeFd(Wakeable);

impl AsRawFd for WakeFd {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_whose_media_the_service_hosts_neither_hears_nor_speaks() {
        let audio = AudioSocket::none(AudioFormat::Pcm16K);
        assert!(audio.mixed().await.is_none() && audio.unmixed().await.is_none());
        assert_eq!(audio.speak(&[1, 2, 3]).await, Err(AudioEnded));
        assert!(audio.is_closed());
        assert_eq!(audio.queued().await, 0);
    }
}
