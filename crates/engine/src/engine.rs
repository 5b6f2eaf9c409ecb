//! The engine: media threads, network threads and the control thread, and the conversations on them.
//!
//! Threads: everything here is called by control threads. `Engine::start` answers offers on one UDP port (a
//! service); `Engine::client` only makes offers (a bot) and binds nothing until it does. Dropping the engine
//! closes every conversation; its media and network threads end with the last handle on one of them.

use crate::ParticipantId;
use crate::control::{self, Message, Side};
use crate::conversation::{Conversation, ConversationOptions, Inner};
use crate::error::{CreateError, StartError};
use crate::governor::GovernorStats;
use crate::media_thread::MediaThread;
use crate::session::{MediaSession, SessionOptions};
use antiphon_rt::runner::PriorityOutcome;
use antiphon_transport::{
    Connector, ConnectorConfig, DropCounts, Endpoint, EndpointConfig, LegId, NetThread, PortRange,
};
use crossbeam_channel::{Sender, TrySendError};
use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;

/// Leg events that may wait for the control thread: two for every leg an endpoint can have, and as many again.
const MESSAGES: usize = 16_384;

/// How an [`Engine`] is set up.
#[derive(Debug, Clone, Copy)]
pub struct EngineConfig {
    /// Where the media port of a service listens (UDP); port 0 takes any free one. Unused by a client.
    pub bind: SocketAddr,
    /// The address peers are told instead of `bind`, behind a 1:1 NAT; port 0 means the bound port.
    pub advertise: Option<SocketAddr>,
    /// Ports that plain legs get unless they ask for one; `None`: any that is free. Unused by a client.
    pub plain_ports: Option<PortRange>,
    /// Media threads, at least 1; a conversation lives on one of them, the one with the fewest.
    pub media_threads: usize,
    /// SCHED_FIFO priority (1–99) to ask for; being refused is reported by [`Engine::priorities`].
    pub priority: Option<u8>,
    /// Pins media thread *i* to core *i*.
    pub pin: bool,
}

impl Default for EngineConfig {
    /// Any free port on the loopback address, one media thread, priority 50 if the system grants it.
    fn default() -> Self {
        let bind = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { bind, advertise: None, plain_ports: None, media_threads: 1, priority: Some(50), pin: false }
    }
}

/// Figures of one media thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaThreadStats {
    /// Conversations on it.
    pub conversations: usize,
    /// What its governor does and has done.
    pub governor: GovernorStats,
}

/// Media threads and sockets, shared by any number of conversations.
pub struct Engine {
    shared: Arc<Shared>,
    control: Option<JoinHandle<()>>,
}

/// Whose a leg is.
type Legs = HashMap<(Side, LegId), (Weak<Inner>, ParticipantId)>;

/// What conversations hold on to.
pub(crate) struct Shared {
    /// Dropped before the network sides: conversations' egress rings end first.
    media: Vec<Arc<MediaThread>>,
    endpoint: Option<Endpoint>,
    connector: Connector,
    messages: Sender<Message>,
    conversations: Mutex<HashMap<u64, Arc<Inner>>>,
    legs: Mutex<Legs>,
    next_key: AtomicU64,
}

impl Engine {
    /// Starts an engine that answers offers on `config.bind`.
    ///
    /// # Errors
    /// [`StartError`], in one sentence that says what to do: the port is in use, no thread could be started.
    pub fn start(config: EngineConfig) -> Result<Self, StartError> {
        Self::build(config, true)
    }

    /// Starts an engine that only makes offers.
    ///
    /// # Errors
    /// [`StartError`]: no thread could be started.
    pub fn client(config: EngineConfig) -> Result<Self, StartError> {
        Self::build(config, false)
    }

    fn build(config: EngineConfig, serves: bool) -> Result<Self, StartError> {
        let EngineConfig { bind, advertise, plain_ports, media_threads, priority, pin } = config;
        let (messages, inbox) = crossbeam_channel::bounded(MESSAGES);
        let to_control = |side| {
            let messages = messages.clone();
            move |leg, event| {
                if let Err(TrySendError::Full(_)) = messages.try_send(Message::Leg(side, leg, event)) {
                    tracing::error!(%leg, ?event, "the control thread is far behind: an event of a leg is lost");
                }
            }
        };
        let endpoint = serves
            .then(|| {
                Endpoint::bind(EndpointConfig {
                    advertise,
                    plain_ports,
                    ..EndpointConfig::new(bind, to_control(Side::Service))
                })
            })
            .transpose()?;
        let connector = Connector::new(ConnectorConfig::new(to_control(Side::Bot)))?;
        let networks = || endpoint.iter().map(|e| e.net().waker()).chain([connector.net().waker()]).collect();
        let media = (0..media_threads.max(1))
            .map(|i| {
                MediaThread::start(format!("antiphon-media{i}"), priority, pin.then_some(i), networks()).map(Arc::new)
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| StartError::Thread { thread: "media", source })?;
        let shared = Arc::new(Shared {
            media,
            endpoint,
            connector,
            messages,
            conversations: Mutex::default(),
            legs: Mutex::default(),
            next_key: AtomicU64::new(1),
        });
        let weak = Arc::downgrade(&shared);
        let control = std::thread::Builder::new()
            .name("antiphon-ctl".into())
            .spawn(move || control::run(&weak, &inbox))
            .map_err(|source| StartError::Thread { thread: "control", source })?;
        Ok(Self { shared, control: Some(control) })
    }

    /// The address the media port is bound to; `None` for a client.
    #[must_use]
    pub fn media_addr(&self) -> Option<SocketAddr> {
        self.shared.endpoint.as_ref().map(Endpoint::local_addr)
    }

    /// What became of the wish for a real-time priority, per media thread.
    #[must_use]
    pub fn priorities(&self) -> Vec<PriorityOutcome> {
        self.shared.media.iter().map(|thread| thread.priority()).collect()
    }

    /// What each media thread carries and how its governor stands.
    #[must_use]
    pub fn media_threads(&self) -> Vec<MediaThreadStats> {
        let stats = |thread: &Arc<MediaThread>| {
            let desk = thread.desk();
            MediaThreadStats { conversations: desk.count(), governor: desk.governor() }
        };
        self.shared.media.iter().map(stats).collect()
    }

    /// What the network threads dropped, by reason: the service's port, then the bot side.
    #[must_use]
    pub fn drops(&self) -> (Option<DropCounts>, DropCounts) {
        (self.shared.endpoint.as_ref().map(|e| e.net().drops()), self.shared.connector.net().drops())
    }

    /// Makes an empty conversation for participants whose offers are answered here.
    ///
    /// # Errors
    /// [`CreateError`]: an option is out of range, or the media threads are full.
    pub fn conversation(&self, options: ConversationOptions) -> Result<Conversation, CreateError> {
        Conversation::create(&self.shared, Side::Service, options, None)
    }

    /// Makes an offer for one call of a bot: its media leg and the app's audio.
    ///
    /// # Errors
    /// [`CreateError`]: no socket, or the media threads are full.
    pub fn session(&self, options: SessionOptions) -> Result<MediaSession, CreateError> {
        MediaSession::create(&self.shared, options)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for conversation in self.shared.conversations() {
            conversation.close();
        }
        let _ = self.shared.messages.send(Message::Stop); // a control thread that is gone needs no word
        if let Some(control) = self.control.take()
            && control.thread().id() != std::thread::current().id()
        {
            let _ = control.join(); // its panic was printed by the hook
        }
        // What the control thread did not see any more.
        lock(&self.shared.conversations).clear();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("media_addr", &self.media_addr()).finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn endpoint(&self) -> Option<&Endpoint> {
        self.endpoint.as_ref()
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(crate) fn net(&self, side: Side) -> Option<&NetThread> {
        match side {
            Side::Service => self.endpoint.as_ref().map(Endpoint::net),
            Side::Bot => Some(self.connector.net()),
        }
    }

    pub(crate) fn media_threads(&self) -> &[Arc<MediaThread>] {
        &self.media
    }

    /// The media thread with the fewest conversations.
    pub(crate) fn least_loaded(&self) -> Arc<MediaThread> {
        Arc::clone(self.media.iter().min_by_key(|t| t.desk().count()).expect("invariant: at least one media thread"))
    }

    pub(crate) fn next_key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed) // only uniqueness matters
    }

    pub(crate) fn register(&self, key: u64, conversation: Arc<Inner>) {
        lock(&self.conversations).insert(key, conversation);
    }

    /// Lets go of a conversation whose media thread has returned it.
    pub(crate) fn forget(&self, key: u64) -> Option<Arc<Inner>> {
        lock(&self.conversations).remove(&key)
    }

    pub(crate) fn conversations(&self) -> Vec<Arc<Inner>> {
        lock(&self.conversations).values().cloned().collect()
    }

    /// Runs `make`, which brings a leg into being, and notes its owner before any event of it is looked at.
    pub(crate) fn with_leg<T, E>(
        &self,
        side: Side,
        owner: &Arc<Inner>,
        participant: &ParticipantId,
        make: impl FnOnce() -> Result<(LegId, T), E>,
    ) -> Result<T, E> {
        let mut legs = lock(&self.legs);
        let (leg, made) = make()?;
        legs.insert((side, leg), (Arc::downgrade(owner), participant.clone()));
        Ok(made)
    }

    pub(crate) fn forget_leg(&self, side: Side, leg: LegId) {
        lock(&self.legs).remove(&(side, leg));
    }

    pub(crate) fn leg_owner(&self, side: Side, leg: LegId) -> Option<(Arc<Inner>, ParticipantId)> {
        let legs = lock(&self.legs);
        let (owner, participant) = legs.get(&(side, leg))?;
        Some((owner.upgrade()?, participant.clone()))
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code panics half-way through a change of these maps; a poisoned lock still holds whole values.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
