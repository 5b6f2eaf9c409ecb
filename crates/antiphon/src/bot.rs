//! A bot: what all its calls share. Token cache, Graph client, webhook and the media engine.
//!
//! Threads: async methods, any tokio runtime. Everything is configuration: the same bot runs against Graph and
//! against the emulator. Dropping the last clone ends its calls' media and closes the webhook.

use crate::AudioFormat;
use crate::audio::AudioSocket;
use crate::call::{Call, CallEnded, CallStatus, Parts};
use crate::driver::Driver;
use crate::join::{JoinError, JoinOptions, Meeting, create_body};
use antiphon_engine::{BusRate, ConversationEvent, Engine, EngineConfig, SessionOptions};
use antiphon_signaling::call::CallConfig;
use antiphon_signaling::client::{GraphClient, GraphConfig};
use antiphon_signaling::http::{HttpConfig, HttpConfigError};
use antiphon_signaling::token::{TokenConfig, TokenError};
pub use antiphon_signaling::webhook::WebhookTls;
use antiphon_signaling::webhook::{self, ListenerError, WebhookListener, WebhookStats};
use antiphon_signaling::{CallMachine, HttpClient, TokenCache};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{broadcast, mpsc, watch};

/// Call events kept for a reader that is behind.
const EVENTS: usize = 256;
/// Events of a call's media leg that may wait: it connects, ends or fails once.
const MEDIA_EVENTS: usize = 16;
/// Commands to a call that may wait.
const COMMANDS: usize = 16;

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
        let Self { token, graph, mut http, ca_file, openid_url, webhook, engine, media_address, call } = self;
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
        let path = config.path.clone();
        let listener = WebhookListener::start(config, http.clone()).await?;
        let callback_uri = public_url.unwrap_or_else(|| format!("{scheme}://{}{path}", listener.local_addr()));
        // Ahead of the first notification; a service whose keys cannot be had now is asked again then.
        if let Err(error) = listener.keys().warm_up().await {
            tracing::warn!(%error, "notifications cannot be verified yet");
        }
        let tenant = token.tenant.clone();
        let tokens = TokenCache::new(http.clone(), token);
        tokens.token().await?;
        let client = GraphClient::new(http, tokens, graph);
        let engine = Engine::client(engine)?;
        let inner = Inner { client, listener, callback_uri, tenant, engine, media_address, call };
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
    listener: WebhookListener,
    callback_uri: String,
    tenant: String,
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
        }
    }

    /// Joins a meeting: places the call with our media offer and waits until the service has taken it.
    /// [`Call::established`] waits for the audio.
    ///
    /// # Errors
    /// [`JoinError`]; a refusal by the service names the missing permission, if that is it.
    pub async fn join(&self, meeting: &Meeting, options: JoinOptions) -> Result<Call, JoinError> {
        let inner = &self.inner;
        let (media_tx, media) = mpsc::channel(MEDIA_EVENTS);
        let session = inner.engine.session(SessionOptions {
            rate: match options.format {
                AudioFormat::Pcm16K => BusRate::Hz16000,
                AudioFormat::Pcm48K => BusRate::Hz48000,
            },
            unmixed: options.unmixed,
            bind: inner.media_address,
            ..SessionOptions::new(move |event| {
                // The life of the leg only, a handful of events, so the channel cannot overflow; who talks is told by
                // the service's roster and the frames themselves.
                if !matches!(event, ConversationEvent::Talking { .. } | ConversationEvent::DominantSpeaker(_)) {
                    let _ = media_tx.try_send(event); // closed: the call is over, nobody to tell
                }
            })
        })?;
        let session = Arc::new(session);
        let port = session.take_audio().expect("invariant: a new session has its audio");
        let audio = AudioSocket::open(options.format, port).map_err(JoinError::Audio)?;
        let body = create_body(meeting, &options, session.offer(), inner.callback_uri.clone(), &inner.tenant);
        let machine = CallMachine::create(body, inner.call.clone(), Instant::now());
        let (status_tx, status) = watch::channel(CallStatus::default());
        let (events, _) = broadcast::channel(EVENTS);
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let driver = Driver {
            machine,
            client: inner.client.clone(),
            session: Arc::clone(&session),
            audio: audio.clone(),
            dispatcher: inner.listener.dispatcher().clone(),
            status: status_tx,
            events: events.clone(),
            commands: inbox,
            media,
            closing: None,
        };
        let driver = tokio::spawn(driver.run());
        let client = inner.client.clone();
        Call::created(Parts { client, session, audio, status, events, commands, driver }).await.map_err(|ended| {
            match ended {
                CallEnded::NotCreated(error) => JoinError::Refused(error),
                other => JoinError::Ended(other),
            }
        })
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
}
