//! A bot: what all its calls share. Token cache, Graph client, webhook and the media engine.
//!
//! Threads: async methods, any tokio runtime. Everything is configuration: the same bot runs against Graph and
//! against the emulator. Dropping the last clone ends its calls' media and closes the webhook.

use crate::Target;
use crate::audio::AudioSocket;
use crate::call::{Call, CallEnded};
use crate::driver::Media;
use crate::incoming::IncomingCalls;
use crate::join::{Hosting, JoinError, JoinOptions, Meeting, join_body, place_body};
use crate::line::Opening;
use crate::talk::Talk;
use antiphon_engine::{Engine, EngineConfig, SessionOptions};
use antiphon_graph::ParticipantJoiningResponse;
use antiphon_graph::wire::Version;
use antiphon_signaling::call::CallConfig;
use antiphon_signaling::client::{GraphClient, GraphConfig, PathFamily};
use antiphon_signaling::http::{HttpConfig, HttpConfigError};
use antiphon_signaling::token::{TokenConfig, TokenError};
pub use antiphon_signaling::webhook::WebhookTls;
use antiphon_signaling::webhook::{
    self, Joining, JoiningHook, ListenerError, NotificationReceiver, Sighting, WebhookListener, WebhookStats,
};
use antiphon_signaling::{CallMachine, HttpClient, TokenCache};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::{broadcast, mpsc};

/// Events of a call's media leg that may wait: it connects, ends or fails once.
const MEDIA_EVENTS: usize = 16;
/// Tenants with a client of their own kept at most, besides the bot's own.
const MAX_TENANTS: usize = 256;

/// Where the service's notifications come in.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Local address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// TLS or, behind a proxy or in development, none.
    pub tls: WebhookTls,
    /// What the service is told to post to, with path; `None` makes one of `listen`.
    pub public_url: Option<String>,
}

impl WebhookConfig {
    /// A webhook on `listen`, reachable there.
    #[must_use]
    pub fn new(listen: SocketAddr, tls: WebhookTls) -> Self {
        Self { listen, tls, public_url: None }
    }
}

/// The bot could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BotError {
    /// The CA file cannot be read.
    #[error("cannot read the CA file {path}: {source}")]
    CaFile {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] HttpConfigError),
    /// The webhook cannot be opened.
    #[error(transparent)]
    Webhook(#[from] ListenerError),
    /// No token: wrong secret, unknown app or tenant, or the authority cannot be reached.
    #[error("the authority gives no token: {0}")]
    Token(#[from] TokenError),
    /// The media engine cannot start.
    #[error(transparent)]
    Engine(#[from] antiphon_engine::StartError),
    /// No webhook was configured.
    #[error("a bot needs a webhook: call BotBuilder::webhook")]
    NoWebhook,
}

/// Collects what a bot is made from; see [`Bot::builder`].
#[derive(Debug, Clone)]
pub struct BotBuilder {
    token: TokenConfig,
    graph: GraphConfig,
    http: HttpConfig,
    ca_file: Option<String>,
    openid_url: Option<String>,
    webhook: Option<WebhookConfig>,
    engine: EngineConfig,
    media_address: IpAddr,
    call: CallConfig,
    joining: JoiningHook,
}

impl BotBuilder {
    /// The Graph endpoint: scheme, host and port. Default: the public cloud.
    #[must_use]
    pub fn graph_url(mut self, url: impl Into<String>) -> Self {
        self.graph.base_url = url.into();
        self
    }

    /// The token authority: scheme, host and port. Default: the public cloud.
    #[must_use]
    pub fn authority_url(mut self, url: impl Into<String>) -> Self {
        self.token = self.token.with_authority(url);
        self
    }

    /// The calling service's OpenID configuration, whose keys sign notifications. Default: the public cloud's.
    #[must_use]
    pub fn openid_url(mut self, url: impl Into<String>) -> Self {
        self.openid_url = Some(url.into());
        self
    }

    /// Speak the beta version of the API. Default: v1.0, and beta for what only beta has.
    #[must_use]
    pub fn beta(mut self) -> Self {
        self.graph.version = Version::Beta;
        self
    }

    /// Which of the two families of paths requests use. Default: `/communications/calls`.
    #[must_use]
    pub fn path_family(mut self, family: PathFamily) -> Self {
        self.graph.family = family;
        self
    }

    /// Decides about participants who join under a recording policy in a call that was answered with a capacity. The
    /// service waits for the decision: `decide` must not block. Default: take them while the call is the bot's.
    #[must_use]
    pub fn on_participant_joining(
        mut self,
        decide: impl Fn(&Joining) -> ParticipantJoiningResponse + Send + Sync + 'static,
    ) -> Self {
        self.joining = JoiningHook::new(decide);
        self
    }

    /// Everything at once for a service that has it all under one address, as the emulator does.
    #[must_use]
    pub fn service_url(self, url: &str) -> Self {
        let url = url.trim_end_matches('/');
        self.graph_url(url).authority_url(url).openid_url(format!("{url}/v1/.well-known/OpenIdConfiguration"))
    }

    /// A PEM file with certificates to trust besides the system's: the emulator's CA.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<String>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Never use a proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.http.no_proxy = true;
        self
    }

    /// Where notifications come in. Required.
    #[must_use]
    pub fn webhook(mut self, webhook: WebhookConfig) -> Self {
        self.webhook = Some(webhook);
        self
    }

    /// Local address of the media sockets. Default: any.
    #[must_use]
    pub fn media_address(mut self, address: IpAddr) -> Self {
        self.media_address = address;
        self
    }

    /// Media threads and their priority.
    #[must_use]
    pub fn engine(mut self, engine: EngineConfig) -> Self {
        self.engine = engine;
        self
    }

    /// KeepAlive period and other times of calls.
    #[must_use]
    pub fn call_times(mut self, call: CallConfig) -> Self {
        self.call = call;
        self
    }

    /// Opens the webhook, starts the media threads and fetches a first token, so that what is misconfigured
    /// fails here and not in the first call.
    ///
    /// # Errors
    /// [`BotError`] says what to do.
    pub async fn start(self) -> Result<Bot, BotError> {
        let Self { token, graph, mut http, ca_file, openid_url, webhook, engine, media_address, call, joining } = self;
        let WebhookConfig { listen, tls, public_url } = webhook.ok_or(BotError::NoWebhook)?;
        if let Some(path) = ca_file {
            let pem = tokio::fs::read(&path).await.map_err(|source| BotError::CaFile { path, source })?;
            http.ca_pem = Some(pem);
        }
        let http = HttpClient::new(&http)?;
        let scheme = if matches!(tls, WebhookTls::Plain) { "http" } else { "https" };
        let mut config = webhook::WebhookConfig::new(listen, tls, token.client_id.clone());
        if let Some(url) = openid_url {
            config.keys.openid_url = url;
        }
        config.joining = joining;
        let path = config.path.clone();
        let listener = WebhookListener::start(config, http.clone()).await?;
        let callback_uri = public_url.unwrap_or_else(|| format!("{scheme}://{}{path}", listener.local_addr()));
        // Ahead of the first notification; a service whose keys cannot be had now is asked again then.
        if let Err(error) = listener.keys().warm_up().await {
            tracing::warn!(%error, "notifications cannot be verified yet");
        }
        let tokens = TokenCache::new(http.clone(), token.clone());
        tokens.token().await?;
        let client = GraphClient::new(http.clone(), tokens, graph);
        let engine = Engine::client(engine)?;
        let others = Mutex::default();
        let inner = Inner { client, others, http, token, listener, callback_uri, engine, media_address, call };
        Ok(Bot { inner: Arc::new(inner) })
    }
}

/// A calling bot. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bot {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: GraphClient,
    /// Clients for calls of other tenants, with tokens of theirs.
    others: Mutex<HashMap<String, GraphClient>>,
    http: HttpClient,
    token: TokenConfig,
    listener: WebhookListener,
    callback_uri: String,
    engine: Engine,
    media_address: IpAddr,
    call: CallConfig,
}

impl Bot {
    /// A bot for an app registration: its id and secret, and the tenant whose calls it takes part in.
    #[must_use]
    pub fn builder(
        app_id: impl Into<String>,
        client_secret: impl Into<String>,
        tenant: impl Into<String>,
    ) -> BotBuilder {
        BotBuilder {
            token: TokenConfig::new(tenant, app_id, client_secret.into()),
            graph: GraphConfig::default(),
            http: HttpConfig::default(),
            ca_file: None,
            openid_url: None,
            webhook: None,
            engine: EngineConfig::default(),
            media_address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            call: CallConfig::default(),
            joining: JoiningHook::default(),
        }
    }

    /// Joins a meeting: places the call with our media offer and waits until the service has taken it.
    /// [`Call::established`] waits for the audio.
    ///
    /// # Errors
    /// [`JoinError`]; a refusal by the service names the missing permission, if that is it.
    pub async fn join(&self, meeting: &Meeting, options: JoinOptions) -> Result<Call, JoinError> {
        self.create(&options, |offer| join_body(meeting, &options, offer, self.callback_uri().into(), self.tenant()))
            .await
    }

    /// Calls somebody, peer to peer, and waits until the service has taken it. They ring then;
    /// [`Call::established`] waits until they have answered.
    ///
    /// # Errors
    /// [`JoinError`]; a refusal by the service names the missing permission, if that is it.
    pub async fn place(&self, target: Target, options: JoinOptions) -> Result<Call, JoinError> {
        self.place_group([target], options).await
    }

    /// Calls two to five users into a new group call and waits until the service has taken it.
    ///
    /// # Errors
    /// [`JoinError`]; a refusal by the service names the missing permission, if that is it.
    pub async fn place_group(
        &self,
        targets: impl IntoIterator<Item = Target>,
        options: JoinOptions,
    ) -> Result<Call, JoinError> {
        let targets = targets.into_iter().collect();
        let body =
            |offer: Option<&str>| place_body(targets, &options, offer, self.callback_uri().into(), self.tenant());
        self.create(&options, body).await
    }

    /// Receives the calls that come in from now on, those that wait first. Only one at a time receives them: the
    /// last that asked. The app's registered webhook must lead here.
    ///
    /// ```no_run
    /// # async fn answer(bot: antiphon::Bot) -> Result<(), Box<dyn std::error::Error>> {
    /// use antiphon::JoinOptions;
    /// use antiphon::graph::RejectReason;
    ///
    /// let mut calls = bot.incoming();
    /// while let Some(incoming) = calls.next().await {
    ///     if incoming.caller().is_none() {
    ///         incoming.reject(RejectReason::Busy).await?;
    ///         continue;
    ///     }
    ///     let call = incoming.answer(JoinOptions::default()).await?;
    ///     tokio::spawn(async move {
    ///         // Echo, until the caller hangs up.
    ///         while let Some(frame) = call.audio().mixed().await {
    ///             if call.audio().speak(frame.samples.as_slice()).await.is_err() {
    ///                 break;
    ///             }
    ///         }
    ///     });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn incoming(&self) -> IncomingCalls {
        IncomingCalls::new(self.clone(), self.inner.listener.dispatcher().incoming())
    }

    /// Sees every verified notification from now on, of all calls: what it is about, its state, where it went. For
    /// counting; a reader that falls a thousand behind is told how many it missed.
    #[must_use]
    pub fn notifications(&self) -> broadcast::Receiver<Sighting> {
        self.inner.listener.dispatcher().observe()
    }

    /// What the service is told to post notifications to.
    #[must_use]
    pub fn callback_uri(&self) -> &str {
        &self.inner.callback_uri
    }

    /// The typed Graph client, for requests the façade has no method for.
    #[must_use]
    pub fn graph(&self) -> &GraphClient {
        &self.inner.client
    }

    /// What became of requests to the webhook so far.
    #[must_use]
    pub fn webhook_stats(&self) -> WebhookStats {
        self.inner.listener.stats()
    }

    /// The media engine of all the bot's calls.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// The bot's own tenant.
    fn tenant(&self) -> &str {
        &self.inner.token.tenant
    }

    /// Times of calls.
    pub(crate) fn call_config(&self) -> CallConfig {
        self.inner.call.clone()
    }

    /// Creates a call with the body that `body` makes around our media offer.
    async fn create(
        &self,
        options: &JoinOptions,
        body: impl FnOnce(Option<&str>) -> antiphon_graph::Call,
    ) -> Result<Call, JoinError> {
        let media = self.media(options)?;
        let body = body(media.as_ref().map(|media| media.session.offer()));
        let session = media.as_ref().map(|media| Arc::clone(&media.session));
        let audio = media.as_ref().map_or_else(|| AudioSocket::none(options.format), |media| media.audio.clone());
        let tenant = body.tenant_id.clone();
        let machine = CallMachine::create(body, self.call_config(), Instant::now());
        let opened = self.open(machine, tenant.as_deref(), None, media).open().await;
        let line = opened.map_err(|ended| match ended {
            CallEnded::NotCreated(error) => JoinError::Refused(error),
            other => JoinError::Ended(other),
        })?;
        Ok(Call::new(line, session, audio))
    }

    /// Starts the driver of a call in a tenant.
    pub(crate) fn open(
        &self,
        machine: CallMachine,
        tenant: Option<&str>,
        subscription: Option<NotificationReceiver>,
        media: Option<Media>,
    ) -> Opening {
        let dispatcher = self.inner.listener.dispatcher().clone();
        Opening::start(machine, self.client_of(tenant), dispatcher, subscription, media)
    }

    /// The app's end of a call's media; none if the service hosts them.
    pub(crate) fn media(&self, options: &JoinOptions) -> Result<Option<Media>, JoinError> {
        if options.hosting != Hosting::App {
            return Ok(None);
        }
        let (tell, events) = mpsc::channel(MEDIA_EVENTS);
        let talk = Arc::new(Talk::new());
        let heard = Arc::clone(&talk);
        let session = self.inner.engine.session(SessionOptions {
            rate: options.format.bus_rate(),
            unmixed: options.unmixed,
            bind: self.inner.media_address,
            ..SessionOptions::new(move |event| {
                // The life of the leg only, a handful of events, so the channel cannot overflow.
                if !heard.handle(&event) {
                    let _ = tell.try_send(event); // closed: the call is over, nobody to tell
                }
            })
        })?;
        let session = Arc::new(session);
        let port = session.take_audio().expect("invariant: a new session has its audio");
        let audio = AudioSocket::open(options.format, port, &session, talk).map_err(JoinError::Audio)?;
        Ok(Some(Media { session, audio, events }))
    }

    /// The client for calls of a tenant: tokens are issued in the tenant of the call.
    fn client_of(&self, tenant: Option<&str>) -> GraphClient {
        let inner = &self.inner;
        let Some(tenant) = tenant.filter(|tenant| !tenant.eq_ignore_ascii_case(self.tenant())) else {
            return inner.client.clone();
        };
        let mut others = inner.others.lock().unwrap_or_else(PoisonError::into_inner);
        if others.len() >= MAX_TENANTS && !others.contains_key(tenant) {
            others.clear(); // tokens are fetched anew, nothing else is lost
        }
        let client = others.entry(tenant.to_owned()).or_insert_with(|| {
            let token = TokenConfig { tenant: tenant.to_owned(), ..inner.token.clone() };
            GraphClient::new(
                inner.http.clone(),
                TokenCache::new(inner.http.clone(), token),
                inner.client.config().clone(),
            )
        });
        client.clone()
    }
}
