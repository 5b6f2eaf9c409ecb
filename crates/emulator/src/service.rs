//! The running service: everything the endpoints share, and the task that drives it.
//!
//! Locks are `std` mutexes held for microseconds (a join about a millisecond) and never across an await. One driver task
//! applies media reports and deadlines in order; one courier task per call posts its notifications.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use antiphon_graph::CallId;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::clock::{Clock, ServiceTime};
use crate::config::{EmulatorConfig, Limits};
use crate::entra::{Directory, DirectoryError, KeyRing, SigningKey};
use crate::meeting::{MediaError, MediaEvent, MediaService, MeetingId, MeetingMedia};
use crate::notify::{Courier, DeliveryCounts, Outbox, Recipient};
use crate::tls::CertificateAuthority;
use crate::world::World;

/// Media reports that may wait for the driver; more are dropped and counted by whoever reports.
const MEDIA_EVENTS: usize = 4096;

/// What all endpoints share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) allow_http_callbacks: bool,
    pub(crate) strict_blob: bool,
    pub(crate) strict_answer: bool,
    pub(crate) strict_routing_groups: bool,
    pub(crate) admin_key: Option<String>,
    pub(crate) host_names: Vec<String>,
    pub(crate) media: Box<dyn MediaService>,
    pub(crate) media_events: mpsc::Sender<MediaEvent>,
    keys: KeyRing,
    directory: Mutex<Directory>,
    world: Mutex<World>,
    courier: Courier,
    couriers: Mutex<JoinSet<()>>,
    runtime: Handle,
    deadlines_changed: Notify,
    stopping: watch::Sender<bool>,
    certificates: CertificateAuthority,
    authority: OnceLock<String>,
}

impl Service {
    /// A service with nothing in it, and the media reports its driver must be given.
    pub(crate) fn new(
        config: &EmulatorConfig,
        courier: Courier,
        media: Box<dyn MediaService>,
        runtime: Handle,
        certificates: CertificateAuthority,
    ) -> Result<(Arc<Self>, mpsc::Receiver<MediaEvent>), DirectoryError> {
        let (media_events, reports) = mpsc::channel(MEDIA_EVENTS);
        KeyRing.prepare();
        let service = Self {
            clock: config.clock.clone(),
            limits: config.limits.clone(),
            allow_http_callbacks: config.allow_http_callbacks,
            strict_blob: config.strict_blob,
            strict_answer: config.strict_answer,
            strict_routing_groups: config.strict_routing_groups,
            admin_key: config.admin_key.clone(),
            host_names: config.host_names.clone(),
            media,
            media_events,
            keys: KeyRing,
            directory: Mutex::new(Directory::new(&config.tenant_id)?),
            world: Mutex::new(World::new(&config.limits, config.clock.epoch(), courier.clone())),
            courier,
            couriers: Mutex::default(),
            runtime,
            deadlines_changed: Notify::new(),
            stopping: watch::Sender::new(false),
            certificates,
            authority: OnceLock::new(),
        };
        Ok((Arc::new(service), reports))
    }

    /// Meetings and calls, locked.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Apps, tenants and users, locked.
    pub(crate) fn directory(&self) -> MutexGuard<'_, Directory> {
        self.directory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of access tokens. Made on a blocking thread if it does not exist yet. Cancel-safe.
    pub(crate) async fn authority_key(&self) -> Arc<SigningKey> {
        let keys = self.keys;
        spawn_key(move || keys.authority()).await
    }

    /// The key of notifications. Made on a blocking thread if it does not exist yet. Cancel-safe.
    pub(crate) async fn calling_key(&self) -> Arc<SigningKey> {
        let keys = self.keys;
        spawn_key(move || keys.calling()).await
    }

    /// Host and port for URLs when a request names none.
    pub(crate) fn default_authority(&self) -> &str {
        self.authority.get().map_or("localhost", String::as_str)
    }

    /// Tells the service where it listens; once.
    pub(crate) fn listens_at(&self, authority: String) {
        // Only the starter calls this; a second value would be the same.
        let _ = self.authority.set(authority);
    }

    /// The CA of the TLS port.
    pub(crate) fn certificates(&self) -> &CertificateAuthority {
        &self.certificates
    }

    /// Moves the clock forward; everything whose time has come happens now.
    pub(crate) fn advance_clock(&self, span: Duration) {
        self.clock.advance(span);
        self.changed();
    }

    /// Deadlines may have come nearer: the driver looks again.
    pub(crate) fn changed(&self) {
        self.deadlines_changed.notify_one();
    }

    /// How many notifications met which end.
    pub(crate) fn delivery_counts(&self) -> DeliveryCounts {
        self.courier.counts()
    }

    /// Changes the world at the present moment, then starts the couriers of new calls and looks at deadlines anew.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World, ServiceTime) -> T) -> T {
        let mut world = self.world();
        let result = change(&mut world, self.clock.now());
        let new_couriers = world.take_new_couriers();
        drop(world);
        for (recipient, outbox) in new_couriers {
            self.send_notifications(recipient, outbox);
        }
        self.changed();
        result
    }

    /// The media of a new conversation, and its id. Whoever gets it opens the conversation with it.
    pub(crate) fn open_media(&self) -> Result<(MeetingId, Arc<dyn MeetingMedia>), MediaError> {
        let id = MeetingId::new(Uuid::new_v4().to_string());
        let media = self.media.open(&id, self.media_events.clone())?;
        Ok((id, media))
    }

    /// Starts the courier of a call just made.
    fn send_notifications(&self, recipient: Recipient, outbox: Arc<Outbox>) {
        let delivery = self.courier.clone().run(recipient, outbox, self.stopping.subscribe());
        let mut couriers = self.couriers();
        while couriers.try_join_next().is_some() {}
        couriers.spawn_on(delivery, &self.runtime);
    }

    /// Applies media reports, news of unreachable webhooks and deadlines until the service stops.
    pub(crate) async fn drive(
        self: Arc<Self>,
        mut reports: mpsc::Receiver<MediaEvent>,
        mut undeliverable: mpsc::Receiver<CallId>,
    ) {
        let mut stopping = self.stopping.subscribe();
        loop {
            let deadline = self.world().next_deadline();
            let due = async {
                match deadline {
                    Some(deadline) => self.clock.sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => return,
                Some(report) = reports.recv() => self.change(|world, now| world.media_event(&report, now)),
                Some(call) = undeliverable.recv() => self.change(|world, now| world.unreachable(&call, now)),
                () = self.deadlines_changed.notified() => {}
                () = due => self.change(|world, now| world.advance(now)),
            }
        }
    }

    /// Whether the service stops; for those who wait for it.
    pub(crate) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Ends everything at once, without waiting.
    pub(crate) fn signal_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends all meetings, then delivers what is queued for as long as the limits allow.
    pub(crate) async fn wind_down(&self) {
        self.world().end_everything(self.clock.now());
        self.signal_stop();
        let mut couriers = std::mem::take(&mut *self.couriers());
        let drained = async { while couriers.join_next().await.is_some() {} };
        if tokio::time::timeout(self.limits.shutdown, drained).await.is_err() {
            tracing::warn!(calls = couriers.len(), "stopped before all notifications were delivered");
            couriers.shutdown().await;
        }
    }

    fn couriers(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.couriers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn spawn_key(key: impl FnOnce() -> Arc<SigningKey> + Send + 'static) -> Arc<SigningKey> {
    tokio::task::spawn_blocking(key).await.expect("invariant: making or reading a key does not panic")
}
