//! Everything the demo runs on: relay, emulator, registered application, meeting.
//!
//! Owns set-up in the order trust needs it, and tear-down. In the flow: built once before the first phase; the
//! conductor uses its parts. Everything is on loopback with free ports and TLS by the emulator's own CA.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use antiphon::{Bot, WebhookConfig};
use antiphon_emulator::{Emulator, EmulatorConfig, MeetingId, TrustAnchors};
use antiphon_load::relay::{Relay, RelayConfig};
use anyhow::Context as _;

use super::admin::{Admin, App, Meeting};
use crate::args::DemoOptions;
use crate::webhook_identity::WebhookIdentity;

/// Exactly what the bot's operations need: joining a meeting, and app-hosted media.
pub(crate) const PERMISSIONS: [&str; 2] = ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"];
/// The bot's name in rosters.
pub(crate) const BOT_NAME: &str = "the bot";

const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The set-up.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) emulator: Emulator,
    pub(crate) relay: Option<Relay>,
    pub(crate) admin: Admin,
    pub(crate) app: App,
    pub(crate) meeting: Meeting,
    ca_file: PathBuf,
    webhook: WebhookIdentity,
}

impl Stage {
    /// Starts everything; the CA certificate is written into `out`.
    ///
    /// # Errors
    /// If a port, a file or the emulator is not to be had.
    pub(crate) async fn set_up(options: &DemoOptions, out: &Path) -> anyhow::Result<Self> {
        let webhook = WebhookIdentity::for_loopback()?;
        let ca_file = out.join("ca.pem");
        let relay = relay(options).await?;
        let emulator = Emulator::start(EmulatorConfig {
            ca_file: Some(ca_file.clone()),
            advertise_media: relay.as_ref().map(Relay::addr),
            webhook_trust: vec![TrustAnchors::Pem(webhook.certificate_pem())],
            ..EmulatorConfig::default()
        })
        .await?;
        if let Some(relay) = &relay {
            relay.set_upstream(emulator.media_address().context("the emulator has no media port")?);
        }
        let admin = Admin::new(&emulator.base_url(), emulator.ca_pem().as_bytes())?;
        let app = admin.register(BOT_NAME, &PERMISSIONS).await?;
        let meeting = admin.open_meeting("Antiphon demo").await?;
        Ok(Self { emulator, relay, admin, app, meeting, ca_file, webhook })
    }

    /// A bot for the registered application: token, webhook and media engine are up when this returns.
    ///
    /// # Errors
    /// If one of them is not to be had.
    pub(crate) async fn bot(&self) -> anyhow::Result<Bot> {
        let App { app_id, client_secret } = &self.app;
        let ca_file = self.ca_file.to_str().context("the path of --out must be Unicode")?;
        let bot = Bot::builder(app_id, client_secret, &self.meeting.tenant_id)
            .service_url(&self.emulator.base_url())
            .ca_file(ca_file)
            .no_proxy()
            .webhook(WebhookConfig::new(LOOPBACK, self.webhook.tls()))
            .media_address(LOOPBACK.ip())
            .start()
            .await?;
        Ok(bot)
    }

    /// The engine's conversation under the meeting.
    pub(crate) fn conversation(&self) -> Option<antiphon_engine::Conversation> {
        self.emulator.conversation(&MeetingId::new(self.meeting.id.clone()))
    }
}

async fn relay(options: &DemoOptions) -> anyhow::Result<Option<Relay>> {
    let (loss, jitter) = (options.loss.fraction(), options.jitter.duration());
    if loss == 0.0 && jitter.is_zero() {
        return Ok(None);
    }
    let relay = Relay::bind(LOOPBACK, RelayConfig::lossy(loss, jitter, options.seed)).await;
    Ok(Some(relay.context("the lossy link cannot open its port")?))
}
