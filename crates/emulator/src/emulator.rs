//! The emulator as a thing to start, use and stop.
//!
//! Starts engine, sockets and tasks; offers the administration's operations as methods, so that a test needs no HTTP for
//! them. All methods but `start` and `stop` are synchronous and quick. Dropping it without `stop` ends the tasks at once,
//! notifications undelivered.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon_engine::{Conversation, EngineConfig};
use antiphon_graph::{CallId, ParticipantId};
use axum::Router;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::builder::EmulatorBuilder;
use crate::config::{EmulatorConfig, TrustAnchors};
use crate::entra::{Answering, App, Consent, DirectoryError, KeyRing, NewApp, NewUser, User};
use crate::meeting::{EngineMedia, MeetingId};
use crate::notify::{Courier, CourierError, DeliveryCounts};
use crate::operations::{
    CallView, ConversationView, KeyPresses, MatrixRow, MeetingView, NewMeeting, NewPerson, NewPlainLeg, NewSharing,
    NewUserCall, OperationError, ParticipantPatch, ParticipantView, PersonView, PlainLegView, RingAnswer, RingRefusal,
    RingView, UserCallView,
};
use crate::service::Service;
use crate::speech::Speech;
use crate::tls::{CertificateAuthority, IssuedCertificate, TlsError, write_ca};
use crate::{admin, api, entra, server};

/// Why an emulator could not start; each text is one sentence that says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: {source}; choose another port, or port 0 for any free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Certificates could not be made or written.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Webhooks could not be set up.
    #[error(transparent)]
    Webhooks(#[from] CourierError),
    /// The media engine could not start.
    #[error(transparent)]
    Media(#[from] antiphon_engine::StartError),
    /// A tenant, application or user to start with is not possible.
    #[error("what the emulator should start with is not possible: {0}")]
    Directory(#[from] DirectoryError),
    /// A meeting to start with is not possible.
    #[error("a meeting the emulator should start with is not possible: {0}")]
    Meeting(#[from] OperationError),
}

/// A running emulator.
///
/// ```
/// use antiphon_emulator::{Emulator, NewApp, StartError};
///
/// # async fn example() -> Result<(), StartError> {
/// let emulator = Emulator::builder()
///     .app(NewApp::named("Bot").asking_for(["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"]))
///     .user("Ann")
///     .meeting("Choir practice")
///     .start()
///     .await?;
/// let (app, meeting) = (&emulator.apps()[0], &emulator.meetings()[0]);
/// println!("{} as {}:{}", emulator.graph_url(), app.app_id, app.client_secret);
/// println!("join {} as {}", meeting.join_url, meeting.tenant_id);
/// emulator.stop().await;
/// # Ok(())
/// # }
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(example()).unwrap();
/// ```
#[derive(Debug)]
pub struct Emulator {
    service: Arc<Service>,
    address: SocketAddr,
    plain_http_address: Option<SocketAddr>,
    media_address: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// An emulator to be described, with what should be in it, and then started.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }

    /// Starts the service; when this returns it answers. Must be called on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`]; nothing is left running then.
    pub async fn start(config: EmulatorConfig) -> Result<Self, StartError> {
        let (listener, address) = listen(config.bind).await?;
        let plain = match config.plain_http_bind {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let certificates = CertificateAuthority::new()?;
        let tls = certificates.server(address.ip(), &config.host_names)?;
        if let Some(path) = &config.ca_file {
            write_ca(path, certificates.pem())?;
        }
        let own_ca = TrustAnchors::Pem(certificates.pem().into());
        let trust: Vec<_> = config.webhook_trust.iter().cloned().chain([own_ca]).collect();
        let (courier, undeliverable) = Courier::new(&trust, &config.limits, config.clock.clone(), KeyRing)?;
        let media = EngineMedia::start(
            EngineConfig {
                bind: config.media_bind.unwrap_or_else(|| SocketAddr::new(address.ip(), 0)),
                advertise: config.advertise_media,
                plain_ports: config.plain_ports,
                media_threads: config.media_threads,
                ..EngineConfig::default()
            },
            config.limits.participants,
        )?;
        let media_address = media.address();
        let (service, reports) = Service::new(&config, courier, Box::new(media), Handle::current(), certificates)?;
        service.listens_at(local_authority(address));

        let router = router(&service);
        let plain_http_address = plain.as_ref().map(|(_, address)| *address);
        let mut tasks = vec![tokio::spawn(Arc::clone(&service).drive(reports, undeliverable))];
        let mut serve = |listener, tls| {
            let limits = config.limits.clone();
            let served = server::serve(listener, tls, router.clone(), limits, service.stop_signal());
            tasks.push(tokio::spawn(served));
        };
        serve(listener, Some(TlsAcceptor::from(tls)));
        if let Some((listener, _)) = plain {
            serve(listener, None);
        }
        tracing::info!(%address, ?media_address, "emulator started");
        Ok(Self { service, address, plain_http_address, media_address, tasks })
    }

    /// Ends every call with its notifications, then all tasks. Waits at most twice `limits.shutdown`.
    pub async fn stop(mut self) {
        self.service.wind_down().await;
        for task in self.tasks.drain(..) {
            // A task that panicked has reported itself; there is nothing more to end.
            let _ = task.await;
        }
    }

    /// TCP address of the TLS port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// TCP address of the plain HTTP port, if it was asked for.
    #[must_use]
    pub fn plain_http_address(&self) -> Option<SocketAddr> {
        self.plain_http_address
    }

    /// UDP address of the media port.
    #[must_use]
    pub fn media_address(&self) -> Option<SocketAddr> {
        self.media_address
    }

    /// Base URL, `https://host:port`: the authority for token requests, and where `/emulator` is.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("https://{}", local_authority(self.address))
    }

    /// Base URL of Graph v1.0.
    #[must_use]
    pub fn graph_url(&self) -> String {
        format!("{}/v1.0", self.base_url())
    }

    /// Where bots learn the keys that sign notifications.
    #[must_use]
    pub fn openid_url(&self) -> String {
        format!("{}/v1/.well-known/OpenIdConfiguration", self.base_url())
    }

    /// The CA certificate, PEM; trust it to call this emulator.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.service.certificates().pem()
    }

    /// Issues a server certificate for a bot's webhook; the emulator trusts it. No hosts means this machine: `localhost`,
    /// `127.0.0.1` and `::1`.
    ///
    /// # Errors
    ///
    /// [`TlsError`] when a name cannot stand in a certificate.
    pub fn issue_certificate(&self, hosts: &[&str]) -> Result<IssuedCertificate, TlsError> {
        self.service.certificates().issue(hosts)
    }

    /// Moves the emulator's clock forward: whatever is due within that span happens now. Media keeps real time.
    pub fn advance_clock(&self, span: Duration) {
        self.service.advance_clock(span);
    }

    /// The first tenant's id.
    #[must_use]
    pub fn tenant_id(&self) -> String {
        self.service.directory().first_tenant().to_owned()
    }

    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] when the id is taken or no GUID.
    pub fn add_tenant(&self, id: Option<&str>) -> Result<String, DirectoryError> {
        self.service.directory().add_tenant(id)
    }

    /// The applications, in the order they were registered.
    #[must_use]
    pub fn apps(&self) -> Vec<App> {
        self.service.directory().apps().cloned().collect()
    }

    /// The users, in the order they were added.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        self.service.directory().users().cloned().collect()
    }

    /// The scheduled meetings, in the order they were opened.
    #[must_use]
    pub fn meetings(&self) -> Vec<MeetingView> {
        self.service.meeting_views()
    }

    /// Registers an application.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] when a permission is unknown or the id is taken.
    pub fn register_app(&self, new: NewApp) -> Result<App, DirectoryError> {
        self.service.directory().register(new)
    }

    /// Consents, as a tenant's administrator, to what an application asks for.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] when app or tenant is unknown, or the app does not ask for it.
    pub fn consent(&self, app_id: &str, consent: Consent) -> Result<App, DirectoryError> {
        self.service.directory().consent(app_id, consent)
    }

    /// A token on behalf of a user, to see that calls refuse it: they are for applications only.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] when app or user is unknown.
    pub fn delegated_token(&self, app_id: &str, user_id: &str) -> Result<String, DirectoryError> {
        let (now, lifetime) = (self.service.clock.wall(), self.service.limits.token_lifetime);
        let directory = self.service.directory();
        entra::delegated_token(&directory, &KeyRing.authority(), app_id, user_id, now, lifetime)
    }

    /// Adds a person to a tenant.
    ///
    /// # Errors
    ///
    /// [`DirectoryError`] when the tenant is unknown or the id is taken.
    pub fn add_user(&self, new: NewUser) -> Result<User, DirectoryError> {
        self.service.directory().add_user(new)
    }

    /// Opens a meeting.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the organizer is unknown or the engine has no room.
    pub fn create_meeting(&self, new: NewMeeting) -> Result<MeetingView, OperationError> {
        self.service.create_meeting(new)
    }

    /// A meeting and who is in it.
    #[must_use]
    pub fn meeting(&self, id: &MeetingId) -> Option<MeetingView> {
        self.service.meeting_view(id)
    }

    /// Ends a meeting for everybody.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when there is none.
    pub fn end_meeting(&self, id: &MeetingId) -> Result<(), OperationError> {
        self.service.end_meeting(id)
    }

    /// Lets a person join by a WebRTC offer.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the meeting is unknown or full, or the offer cannot be answered.
    pub fn join_person(&self, meeting: &MeetingId, person: NewPerson) -> Result<PersonView, OperationError> {
        self.service.join_person(meeting, person)
    }

    /// Lets a participant join by plain RTP, with or without SRTP.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the meeting is unknown or full, or the leg cannot be opened.
    pub fn join_plain(&self, meeting: &MeetingId, leg: &NewPlainLeg) -> Result<PlainLegView, OperationError> {
        self.service.join_plain(meeting, leg)
    }

    /// Takes a person or a bot out of a meeting.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when meeting or participant is unknown.
    pub fn remove_participant(&self, meeting: &MeetingId, who: &ParticipantId) -> Result<(), OperationError> {
        self.service.remove_participant(meeting, who)
    }

    /// Changes a participant: default group, mute.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when meeting or participant is unknown.
    pub fn change_participant(
        &self,
        meeting: &MeetingId,
        who: &ParticipantId,
        change: ParticipantPatch,
    ) -> Result<ParticipantView, OperationError> {
        self.service.patch_participant(meeting, who, change)
    }

    /// Changes the participant of a call: default group, mute. Graph has no such operation for a call in progress.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when there is no such call.
    pub fn change_call(&self, call: &CallId, change: ParticipantPatch) -> Result<ParticipantView, OperationError> {
        self.service.patch_call(call, change)
    }

    /// All calls in progress.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        self.service.call_views()
    }

    /// Who hears whom in a meeting, by the engine's plan.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when there is no such meeting.
    pub fn matrix(&self, meeting: &MeetingId) -> Result<Vec<MatrixRow>, OperationError> {
        self.service.matrix(meeting)
    }

    /// The engine's conversation under a meeting, for its statistics.
    #[must_use]
    pub fn conversation(&self, meeting: &MeetingId) -> Option<Conversation> {
        self.service.world().meeting(meeting)?.media.conversation().cloned()
    }

    /// Changes what a user does when called.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::UnknownUser`]
    pub fn set_answering(&self, user: &str, answering: Answering) -> Result<User, DirectoryError> {
        self.service.directory().change_user(user, Some(answering))
    }

    /// Changes where calls to an application are announced.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::UnknownApp`]
    pub fn set_webhook(&self, app_id: &str, webhook_url: Option<String>) -> Result<App, DirectoryError> {
        self.service.directory().set_webhook(app_id, webhook_url)
    }

    /// A user calls an application, alone or into a conversation they are in.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when either is unknown, or the application has no webhook or too many calls.
    pub fn call_app(&self, user: &str, call: NewUserCall) -> Result<UserCallView, OperationError> {
        self.service.call_app(user, call)
    }

    /// The phones that ring.
    #[must_use]
    pub fn rings(&self) -> Vec<RingView> {
        self.service.ring_views()
    }

    /// Whoever rings answers.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when nothing of that id rings, an application does, or the offer cannot be answered.
    pub fn answer_ring(&self, ring: &ParticipantId, answer: RingAnswer) -> Result<PersonView, OperationError> {
        self.service.answer_ring(ring, answer)
    }

    /// Whoever rings declines.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when nothing of that id rings.
    pub fn refuse_ring(&self, ring: &ParticipantId, refusal: RingRefusal) -> Result<(), OperationError> {
        self.service.refuse_ring(ring, refusal)
    }

    /// Lets a guest in from the lobby.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when that call does not wait in a lobby.
    pub fn admit(&self, call: &CallId) -> Result<(), OperationError> {
        self.service.admit(call)
    }

    /// A participant presses keys; bots that subscribed to tones are told.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the participant or a tone is unknown.
    pub fn press_keys(
        &self,
        meeting: &MeetingId,
        who: &ParticipantId,
        keys: &KeyPresses,
    ) -> Result<(), OperationError> {
        self.service.press_keys(meeting, who, keys)
    }

    /// A participant shares a screen, or shows another slide. Gives the session's id. No video flows.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the participant is unknown or the slide is no PNG.
    pub fn share(
        &self,
        meeting: &MeetingId,
        who: &ParticipantId,
        sharing: NewSharing,
    ) -> Result<String, OperationError> {
        self.service.share(meeting, who, sharing)
    }

    /// A person without a connection of their own is heard in the meeting, after what they say already. Gives how long they
    /// will be heard from now on.
    ///
    /// # Errors
    ///
    /// [`OperationError`] when the participant is unknown or connected by itself, or the sound cannot be used.
    pub fn speak(&self, meeting: &MeetingId, who: &ParticipantId, speech: Speech) -> Result<Duration, OperationError> {
        self.service.speak(meeting, who, speech.into_samples()?)
    }

    /// A participant stops sharing.
    ///
    /// # Errors
    ///
    /// [`OperationError::NotFound`] when that participant does not share.
    pub fn stop_sharing(&self, meeting: &MeetingId, who: &ParticipantId) -> Result<(), OperationError> {
        self.service.stop_sharing(meeting, who)
    }

    /// Every conversation: meetings, group calls, peer-to-peer calls.
    #[must_use]
    pub fn conversations(&self) -> Vec<ConversationView> {
        self.service.conversation_views()
    }

    /// How many notifications met which end.
    #[must_use]
    pub fn delivery_counts(&self) -> DeliveryCounts {
        self.service.delivery_counts()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.service.signal_stop();
    }
}

/// Everything the service answers, by path.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    Router::new()
        .merge(entra::routes())
        .merge(admin::routes(service))
        .fallback(api::serve)
        .method_not_allowed_fallback(api::serve)
        .with_state(Arc::clone(service))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let wrap = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(wrap)?;
    let bound = listener.local_addr().map_err(wrap)?;
    Ok((listener, bound))
}

/// Host and port by which a caller on this machine reaches the address.
fn local_authority(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}
