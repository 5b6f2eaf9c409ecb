//! Audio sockets: what a bot hears and says, as 20 ms PCM frames, and who talks.
//!
//! In the flow: media thread ⇄ single-producer rings ⇄ `ears` and `mouth` ⇄ here ⇄ the bot's code. A small task waits
//! for the media thread's wake-up (an eventfd) and tells whoever awaits a frame; the media thread never waits for
//! anybody. Rings are bounded: a bot that does not read loses the newest frames, counted by the engine.
//! Not here: files (see `player`).

use crate::AudioFormat;
use crate::ears::{AudioTick, MixedFrame, MixedReader, UnmixedFrame, UnmixedReader, next_tick};
use crate::mouth::Mouth;
use crate::talk::{Talk, TalkEvent, VoiceLevel};
use antiphon_engine::{AudioPort, MediaSession, SourceId, Wakeable};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, Notify, broadcast, watch};
use tokio::task::AbortHandle;

/// How often levels are told.
const LEVELS_EVERY: Duration = Duration::from_millis(100);

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
    mixed: Mutex<Option<MixedReader>>,
    unmixed: Mutex<Option<UnmixedReader>>,
    mouth: Mutex<Option<Mouth>>,
    talk: Arc<Talk>,
    session: Weak<MediaSession>,
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
    pub(crate) fn open(
        format: AudioFormat,
        port: AudioPort,
        session: &Arc<MediaSession>,
        talk: Arc<Talk>,
    ) -> std::io::Result<Self> {
        let AudioPort { mixed, unmixed, mouth, wakeable } = port;
        let ticked = Arc::new(Notify::new());
        #[expect(
            deprecated,
            reason = "its replacement is unsafe to call; WakeFd owns one descriptor for life, as asked"
        )]
        let wakes = AsyncFd::with_interest(WakeFd(wakeable), Interest::READABLE)?;
        let pump = Some(tokio::spawn(pump(wakes, Arc::clone(&ticked))).abort_handle());
        let mixed = Mutex::new(Some(MixedReader::new(mixed, format)));
        let unmixed = Mutex::new(Some(UnmixedReader::new(unmixed, format)));
        let mouth = Mutex::new(Some(Mouth::new(mouth, format)));
        let (session, closed) = (Arc::downgrade(session), AtomicBool::new(false));
        Ok(Self { shared: Arc::new(Shared { format, mixed, unmixed, mouth, talk, session, ticked, closed, pump }) })
    }

    /// The socket of a call whose media the service hosts: it has ended before it began.
    pub(crate) fn none(format: AudioFormat) -> Self {
        let (mixed, unmixed, mouth) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (ticked, closed) = (Arc::default(), AtomicBool::new(true));
        let (talk, session) = (Arc::new(Talk::new()), Weak::new());
        Self { shared: Arc::new(Shared { format, mixed, unmixed, mouth, talk, session, ticked, closed, pump: None }) }
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

    /// Everything of the next tick, mixed and apart, oldest first; `None` once the call's audio has ended.
    ///
    /// Each call gives the tick after the one before, none left out: a recorder that writes the samples of each, or
    /// silence where there are none, has tracks of equal length that are in step to the sample. A bot reads either this
    /// way or by [`mixed`](Self::mixed) and [`unmixed`](Self::unmixed). Cancel-safe.
    pub async fn tick(&self) -> Option<AudioTick> {
        let mut mixed = self.shared.mixed.lock().await;
        let mut unmixed = self.shared.unmixed.lock().await;
        self.next(|| next_tick(mixed.as_mut()?, unmixed.as_mut()?)).await
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

    /// Says `samples` (in the socket's format), waiting while the queue of half a second is full.
    ///
    /// Returns when the last sample is queued, not when it is heard. In a format that is converted, up to 15 ms stay in
    /// the conversion until more is said or [`finish`](Self::finish) is called. If cancelled, whole frames of 20 ms from
    /// the beginning may be said: 20 ms or less are said or not, never in part.
    ///
    /// # Errors
    /// [`AudioEnded`].
    pub async fn speak(&self, samples: &[i16]) -> Result<(), AudioEnded> {
        let mut mouth = self.shared.mouth.lock().await;
        for piece in samples.chunks(self.format().frame_len()) {
            self.say(&mut mouth, |mouth| mouth.take(piece, Instant::now())).await?;
        }
        if self.is_closed() { Err(AudioEnded) } else { Ok(()) }
    }

    /// Ends an utterance: says what the conversion still holds. Without effect in formats that are not converted.
    ///
    /// # Errors
    /// [`AudioEnded`].
    pub async fn finish(&self) -> Result<(), AudioEnded> {
        let mut mouth = self.shared.mouth.lock().await;
        self.say(&mut mouth, Mouth::finish).await?;
        if self.is_closed() { Err(AudioEnded) } else { Ok(()) }
    }

    /// Says mono samples of the call's own rate.
    pub(crate) async fn speak_converted(&self, samples: &[i16]) -> Result<(), AudioEnded> {
        let mut mouth = self.shared.mouth.lock().await;
        for piece in samples.chunks(self.format().bus_rate().frame_samples()) {
            self.say(&mut mouth, |mouth| mouth.take_converted(piece)).await?;
        }
        if self.is_closed() { Err(AudioEnded) } else { Ok(()) }
    }

    /// Lets the mouth take 20 ms at most. First it waits for room, then it takes without waiting again, so that a call
    /// that is cancelled while it waits has taken nothing.
    async fn say(&self, mouth: &mut Option<Mouth>, take: impl FnOnce(&mut Mouth)) -> Result<(), AudioEnded> {
        self.next(|| mouth.as_mut()?.has_room().then_some(())).await.ok_or(AudioEnded)?;
        let mouth = mouth.as_mut().ok_or(AudioEnded)?;
        take(mouth);
        mouth.deliver();
        Ok(())
    }

    /// Samples per channel, of the socket's rate, said and not yet sent.
    pub async fn queued(&self) -> usize {
        let (rate, bus) = (u64::from(self.format().sample_rate()), u64::from(self.format().bus_rate().hz()));
        let queued = self.shared.mouth.lock().await.as_ref().map_or(0, Mouth::queued);
        (queued as u64 * rate / bus) as usize
    }

    /// Who of the others begins and stops talking, and who carries the conversation, from now on; needs
    /// [`JoinOptions::unmixed`](crate::JoinOptions::unmixed). A reader that falls 256 events behind is told so.
    #[must_use]
    pub fn talk(&self) -> broadcast::Receiver<TalkEvent> {
        self.shared.talk.events()
    }

    /// Who of the others talks just now.
    #[must_use]
    pub fn talking(&self) -> Vec<SourceId> {
        self.shared.talk.talking()
    }

    /// Who of the others carries the conversation; `None` when all are silent.
    #[must_use]
    pub fn dominant_speaker(&self) -> Option<SourceId> {
        self.shared.talk.dominant()
    }

    /// Who of the others carried it lately, the latest first; at most eight.
    #[must_use]
    pub fn recent_speakers(&self) -> Vec<SourceId> {
        self.shared.session.upgrade().map(|session| session.recent_speakers()).unwrap_or_default()
    }

    /// How loud the others are who talk, ten times a second while anybody does, and once empty when all fell silent.
    /// Measuring starts with the first call.
    #[must_use]
    pub fn levels(&self) -> watch::Receiver<Arc<[VoiceLevel]>> {
        if let Some(session) = self.shared.session.upgrade()
            && !self.shared.talk.measure()
        {
            session.tell_levels(Some(LEVELS_EVERY));
        }
        self.shared.talk.levels()
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
    use antiphon_engine::{Engine, EngineConfig, SessionOptions};
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    /// A socket with its rings, in a session that nobody has answered.
    fn socket() -> (AudioSocket, Arc<MediaSession>, Engine) {
        let engine = Engine::client(EngineConfig::default()).unwrap();
        let session = Arc::new(engine.session(SessionOptions::new(|_| {})).unwrap());
        let port = session.take_audio().unwrap();
        let audio = AudioSocket::open(AudioFormat::PCM_16K, port, &session, Arc::new(Talk::new())).unwrap();
        (audio, session, engine)
    }

    #[tokio::test]
    async fn a_cancelled_call_that_found_no_room_has_said_nothing() {
        let (audio, _session, _engine) = socket();
        let frame = [1; 320];
        let (mut said, mut cancelled) = (0, 0);
        while cancelled < 100 {
            let polled = {
                let mut speak = pin!(audio.speak(&frame)); // dropped before `queued` asks for the mouth
                poll_fn(|context| Poll::Ready(speak.as_mut().poll(context))).await
            };
            match polled {
                Poll::Ready(done) => said += done.map(|()| 1).unwrap(),
                Poll::Pending => cancelled += 1,
            }
            let queued = audio.queued().await;
            assert!(queued <= said * 320, "{queued} samples queued by {said} calls that were not cancelled");
        }
    }

    #[tokio::test]
    async fn after_the_end_neither_speaking_nor_finishing_succeeds() {
        let (audio, _session, _engine) = socket();
        assert_eq!((audio.speak(&[1; 320]).await, audio.finish().await), (Ok(()), Ok(())));
        audio.close();
        assert_eq!((audio.speak(&[1; 320]).await, audio.finish().await), (Err(AudioEnded), Err(AudioEnded)));
    }

    #[tokio::test]
    async fn a_call_whose_media_the_service_hosts_neither_hears_nor_speaks() {
        let audio = AudioSocket::none(AudioFormat::PCM_16K);
        assert!(audio.mixed().await.is_none() && audio.unmixed().await.is_none());
        assert_eq!(audio.speak(&[1, 2, 3]).await, Err(AudioEnded));
        assert!(audio.is_closed());
        assert_eq!(audio.queued().await, 0);
    }
}
