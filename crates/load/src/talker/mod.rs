//! A participant on the independent `webrtc` stack: speaks from a clip, records what it hears.
//!
//! The people of a demo or an interop test. Offers ([`Talker::offer`]) or answers ([`Talker::answer`]); non-trickle, one
//! UDP socket each. Tasks on the caller's tokio runtime: one paces the mouth on absolute deadlines, one reads each remote track.
//! All times are since the run's epoch, shared by all participants.
//! Does not: signal; SDP goes in and out as text. Spec: RFC 8829 (offer/answer), RFC 6464 (levels), RFC 7587 (Opus).

mod pace;
mod peer;

use crate::ear::{Ear, EarStats};
use crate::mouth::{Mouth, MouthConfig};
use crate::pattern::{TalkPattern, mix};
use crate::recording::Recording;
use crate::speech::SpeechRate;
use antiphon_rtp::{RtpTimestamp, SeqNo, Ssrc};
use peer::Peer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A talker could not join or speak.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TalkerError {
    /// The webrtc stack refused; `doing` says what.
    #[error("{name}: {doing}: {source}")]
    Peer {
        /// Which talker.
        name: String,
        /// What was being done.
        doing: &'static str,
        /// What the stack says.
        source: webrtc::error::Error,
    },
    /// The codec refused the settings.
    #[error("{name}: {source}")]
    Codec {
        /// Which talker.
        name: String,
        /// What libopus says.
        source: antiphon_codec::CodecError,
    },
    /// Nothing came of the connection in time.
    #[error("{name}: not {what} within {} ms", .after.as_millis())]
    Timeout {
        /// Which talker.
        name: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// The connection failed or was closed.
    #[error("{name}: the connection is gone")]
    Gone {
        /// Which talker.
        name: String,
    },
}

/// Who a talker is and how it speaks and listens.
#[derive(Clone, Debug)]
pub struct TalkerConfig {
    /// Its name in errors and logs; also seeds its SSRC and where in the 20 ms it sends.
    pub name: String,
    /// How it speaks.
    pub mouth: MouthConfig,
    /// Rate it records at.
    pub ear: SpeechRate,
    /// The run's epoch.
    pub epoch: Instant,
    /// Where its socket binds; port 0 is any. Loopback is fine.
    pub bind: SocketAddr,
}

impl TalkerConfig {
    /// A talker on 127.0.0.1 that records at 16 kHz.
    pub fn new(name: impl Into<String>, mouth: MouthConfig, epoch: Instant) -> Self {
        Self { name: name.into(), mouth, ear: SpeechRate::Hz16000, epoch, bind: SocketAddr::from(([127, 0, 0, 1], 0)) }
    }

    /// A stable number of this talker: FNV-1a over its name.
    fn number(&self) -> u64 {
        mix(self
            .name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)))
    }
}

/// What a talker has done and heard.
#[derive(Clone, Debug, Default)]
pub struct TalkerStats {
    /// Packets sent.
    pub sent: u64,
    /// Packets the stack would not send.
    pub send_errors: u64,
    /// How late each frame was spoken against its deadline, in microseconds.
    pub lateness_us: Vec<u32>,
    /// Frames left out because the pacing fell more than 200 ms behind.
    pub skipped: u64,
    /// What was heard, per stream.
    pub streams: BTreeMap<Ssrc, EarStats>,
}

impl TalkerStats {
    /// Packets heard, over all streams.
    pub fn packets(&self) -> u64 {
        self.streams.values().map(|s| s.packets).sum()
    }

    /// Sequence numbers that never came in time, over all streams.
    pub fn lost(&self) -> u64 {
        self.streams.values().map(|s| s.lost).sum()
    }

    /// Frames filled by FEC or PLC, over all streams.
    pub fn filled(&self) -> u64 {
        self.streams.values().map(|s| s.recovered + s.concealed).sum()
    }
}

/// What the tasks of a talker share.
#[derive(Debug)]
struct Shared {
    name: String,
    epoch: Instant,
    ear_rate: SpeechRate,
    state: Mutex<State>,
    /// Packets heard so far, for those who wait for some.
    heard: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    mouth: Mouth,
    said: Recording,
    ears: BTreeMap<Ssrc, Ear>,
    sent: u64,
    send_errors: u64,
    lateness_us: Vec<u32>,
    skipped: u64,
}

impl Shared {
    /// A panic in another task of this talker must not hide what it recorded until then.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, doing: &'static str) -> impl FnOnce(webrtc::error::Error) -> TalkerError + '_ {
        move |source| TalkerError::Peer { name: self.name.clone(), doing, source }
    }
}

/// A talker that has offered and waits for the answer.
#[derive(Debug)]
pub struct Offering {
    talker: Talker,
    sdp: String,
}

impl Offering {
    /// The offer, candidates complete.
    pub fn sdp(&self) -> &str {
        &self.sdp
    }

    /// Takes the answer; the talker connects and then speaks by itself.
    ///
    /// # Errors
    /// [`TalkerError::Peer`] if the stack refuses the answer.
    pub async fn accept(self, answer: &str) -> Result<Talker, TalkerError> {
        self.talker.peer.accept(answer).await.map_err(self.talker.shared.error("taking the answer"))?;
        Ok(self.talker)
    }
}

/// A participant in a call. Dropping it ends its tasks; [`Talker::leave`] also says goodbye to the peer.
#[derive(Debug)]
pub struct Talker {
    shared: Arc<Shared>,
    peer: Peer,
    pacing: JoinHandle<()>,
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.pacing.abort();
    }
}

impl Talker {
    /// Makes an offer: one sendrecv audio m-line with Opus and the level extension.
    ///
    /// # Errors
    /// [`TalkerError`] if the codec or the stack refuses, or gathering does not end.
    pub async fn offer(config: TalkerConfig) -> Result<Offering, TalkerError> {
        let talker = Self::start(config).await?;
        let sdp = talker.peer.offer().await.map_err(talker.shared.error("making the offer"))?;
        Ok(Offering { talker, sdp })
    }

    /// Answers `offer`, which may have any number of audio m-lines: it speaks and listens on the first that allows both,
    /// and listens on the others. Connects and then speaks by itself. The second value is the answer's SDP.
    ///
    /// # Errors
    /// [`TalkerError`] if the codec or the stack refuses, or gathering does not end.
    pub async fn answer(config: TalkerConfig, offer: &str) -> Result<(Self, String), TalkerError> {
        let talker = Self::start(config).await?;
        let sdp = talker.peer.answer(offer).await.map_err(talker.shared.error("answering the offer"))?;
        Ok((talker, sdp))
    }

    async fn start(config: TalkerConfig) -> Result<Self, TalkerError> {
        let number = config.number();
        let (seq, timestamp) = (SeqNo::new(number as u16), RtpTimestamp::new((number >> 16) as u32));
        let mouth = Mouth::new(&config.mouth, seq, timestamp)
            .map_err(|source| TalkerError::Codec { name: config.name.clone(), source })?;
        let shared = Arc::new(Shared {
            name: config.name,
            epoch: config.epoch,
            ear_rate: config.ear,
            state: Mutex::new(State {
                mouth,
                said: Recording::new(config.mouth.rate),
                ears: BTreeMap::new(),
                sent: 0,
                send_errors: 0,
                lateness_us: vec![],
                skipped: 0,
            }),
            heard: watch::Sender::new(0),
        });
        // Not zero, which some stacks take for "none".
        let ssrc = (mix(number) as u32).max(1);
        let peer =
            Peer::new(config.bind, ssrc, Arc::clone(&shared)).await.map_err(shared.error("opening a connection"))?;
        let phase = Duration::from_micros(number % 20_000);
        let pacing = tokio::spawn(pace::speak(Arc::clone(&shared), peer.clone(), phase));
        Ok(Self { shared, peer, pacing })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Waits until DTLS is up and speech flows.
    ///
    /// # Errors
    /// [`TalkerError::Timeout`] or, if the connection failed before, [`TalkerError::Gone`].
    pub async fn connected(&self, within: Duration) -> Result<(), TalkerError> {
        let name = || self.shared.name.clone();
        match tokio::time::timeout(within, self.peer.connected()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TalkerError::Gone { name: name() }),
            Err(_) => Err(TalkerError::Timeout { name: name(), what: "connected", after: within }),
        }
    }

    /// Waits until it has heard `packets` packets, over all streams since it joined.
    ///
    /// # Errors
    /// [`TalkerError::Timeout`] if they do not come.
    pub async fn heard_packets(&self, packets: u64, within: Duration) -> Result<(), TalkerError> {
        let mut heard = self.shared.heard.subscribe();
        let enough = heard.wait_for(|heard| *heard >= packets);
        match tokio::time::timeout(within, enough).await {
            Ok(outcome) => {
                outcome.expect("invariant: this talker holds the sender");
                Ok(())
            }
            Err(_) => {
                Err(TalkerError::Timeout { name: self.shared.name.clone(), what: "hearing enough", after: within })
            }
        }
    }

    /// Waits until the peer has closed or lost the connection.
    pub async fn gone(&self) {
        self.peer.gone().await;
    }

    /// Changes when it talks.
    pub fn follow(&self, pattern: TalkPattern) {
        self.shared.state().mouth.follow(pattern);
    }

    /// Shuts or opens its mouth.
    pub fn mute(&self, muted: bool) {
        self.shared.state().mouth.mute(muted);
    }

    /// Everything it has said, at the times it was due to be sent.
    pub fn said(&self) -> Recording {
        self.shared.state().said.clone()
    }

    /// Everything it has heard so far, all its streams together.
    pub fn heard(&self) -> Recording {
        let state = self.shared.state();
        let mut heard = Recording::new(self.shared.ear_rate);
        for ear in state.ears.values() {
            heard.add(&ear.recording());
        }
        heard
    }

    /// What it has heard so far, stream by stream.
    pub fn streams(&self) -> BTreeMap<Ssrc, Recording> {
        self.shared.state().ears.iter().map(|(ssrc, ear)| (*ssrc, ear.recording())).collect()
    }

    /// What it has done and counted so far.
    pub fn stats(&self) -> TalkerStats {
        let state = self.shared.state();
        TalkerStats {
            sent: state.sent,
            send_errors: state.send_errors,
            lateness_us: state.lateness_us.clone(),
            skipped: state.skipped,
            streams: state.ears.iter().map(|(ssrc, ear)| (*ssrc, ear.stats())).collect(),
        }
    }

    /// Stops speaking and closes the connection. What was said and heard stays readable.
    ///
    /// # Errors
    /// [`TalkerError::Peer`] if the stack fails to close.
    pub async fn leave(&self) -> Result<(), TalkerError> {
        self.pacing.abort();
        let closed = self.peer.close().await;
        for ear in self.shared.state().ears.values_mut() {
            ear.flush();
        }
        closed.map_err(self.shared.error("closing"))
    }
}
