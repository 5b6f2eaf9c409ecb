//! An emulator with the bots, users and meetings of a test, and what a bot can sing and hear.

use antiphon::{AudioFormat, Bot, BotBuilder, Call, IncomingCall, IncomingCalls, WebhookConfig, WebhookTls};
use antiphon_emulator::{
    Answering, AnsweringAction, App, Consent, Emulator, EmulatorConfig, MeetingView, NewApp, NewMeeting, NewUser,
    NewUserCall, TrustAnchors, User, UserCallView,
};
use std::f64::consts::TAU;
use std::time::Duration;
use tempfile::TempDir;

/// Far beyond what a healthy machine needs; only a hang takes it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    webhook_tls: WebhookTls,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
        let (certificates, key) = (key.cert.pem().into_bytes(), key.signing_key.serialize_pem().into_bytes());
        let emulator = Emulator::start(EmulatorConfig {
            ca_file: Some(folder.path().join("ca.pem")),
            webhook_trust: vec![TrustAnchors::Pem(certificates.clone())],
            ..EmulatorConfig::default()
        });
        let emulator = emulator.await.unwrap();
        Self { emulator, webhook_tls: WebhookTls::Pem { certificates, key }, folder }
    }

    pub(crate) fn app(&self, permissions: &[&str]) -> App {
        let permissions = permissions.iter().map(ToString::to_string).collect();
        let new = NewApp { display_name: "test bot".into(), permissions, ..NewApp::default() };
        let app = self.emulator.register_app(new).unwrap();
        self.emulator.consent(&app.app_id, Consent::default()).unwrap()
    }

    pub(crate) fn meeting(&self) -> MeetingView {
        self.emulator.create_meeting(NewMeeting::default()).unwrap()
    }

    pub(crate) fn user(&self, name: &str, answering: Answering) -> User {
        let new =
            NewUser { display_name: name.into(), answering, ..serde_json::from_str(r#"{"displayName":""}"#).unwrap() };
        self.emulator.add_user(new).unwrap()
    }

    /// A user who does this as soon as they are called.
    pub(crate) fn ready(&self, name: &str, action: AnsweringAction) -> User {
        self.user(name, Answering::at_once(action))
    }

    /// A bot that can be called.
    pub(crate) async fn callee(&self, permissions: &[&str]) -> (App, Bot, IncomingCalls) {
        let app = self.app(permissions);
        let bot = self.bot(&app).await;
        self.emulator.set_webhook(&app.app_id, Some(bot.callback_uri().to_owned())).unwrap();
        let incoming = bot.incoming();
        (app, bot, incoming)
    }

    /// A user calls a bot.
    pub(crate) fn call(&self, user: &User, app: &App, change: impl FnOnce(&mut NewUserCall)) -> UserCallView {
        let mut call = serde_json::from_value(serde_json::json!({"appId": app.app_id})).unwrap();
        change(&mut call);
        self.emulator.call_app(&user.id, call).unwrap()
    }

    pub(crate) async fn bot(&self, app: &App) -> Bot {
        self.bot_with(app, |builder| builder).await
    }

    pub(crate) async fn bot_with(&self, app: &App, change: impl FnOnce(BotBuilder) -> BotBuilder) -> Bot {
        let ca = self.folder.path().join("ca.pem");
        let webhook = WebhookConfig::new(([127, 0, 0, 1], 0).into(), self.webhook_tls.clone());
        let builder = Bot::builder(&app.app_id, &app.client_secret, self.emulator.tenant_id())
            .service_url(&self.emulator.base_url())
            .ca_file(ca.to_str().unwrap())
            .no_proxy()
            .webhook(webhook)
            .media_address([127, 0, 0, 1].into());
        change(builder).start().await.unwrap()
    }
}

pub(crate) const PERMISSIONS: [&str; 2] = ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"];

/// All there are for a bot that calls, is called, and does something in calls.
pub(crate) const EVERYTHING: [&str; 4] =
    ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All", "Calls.Initiate.All", "Calls.InitiateGroupCall.All"];

/// Says a tone for as long as the call lasts, on both sides of a stereo socket.
pub(crate) fn sing(call: &Call, hz: f64) {
    let audio = call.audio().clone();
    tokio::spawn(async move {
        let (rate, channels) = (f64::from(audio.format().sample_rate()), usize::from(audio.format().channels()));
        let mut phase = 0.0;
        loop {
            let samples: Vec<i16> = (0..audio.format().frame_samples())
                .flat_map(|_| {
                    phase = (phase + TAU * hz / rate) % TAU;
                    std::iter::repeat_n((6_000.0 * f64::sin(phase)) as i16, channels)
                })
                .collect();
            if audio.speak(&samples).await.is_err() {
                return;
            }
        }
    });
}

/// A second of what the call's bot hears, after letting `settle` frames pass.
pub(crate) async fn listen(call: &Call, settle: usize) -> Vec<i16> {
    let mut heard = Vec::new();
    for i in 0..settle + 50 {
        let frame = tokio::time::timeout(PATIENCE, call.audio().mixed()).await.expect("a frame each tick");
        let frame = frame.expect("the call lasts");
        if i >= settle {
            heard.extend(frame.samples.as_slice());
        }
    }
    heard
}

/// Share of the signal's power at `hz`.
pub(crate) fn share(samples: &[i16], hz: f64, format: AudioFormat) -> f64 {
    let (mut at, mut all) = (0.0, 0.0);
    for block in samples.chunks_exact(format.frame_samples() * 5) {
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &s) in block.iter().enumerate() {
            let (s, angle) = (f64::from(s), TAU * hz * i as f64 / f64::from(format.sample_rate()));
            (re, im, all) = (re + s * angle.cos(), im + s * angle.sin(), all + s * s);
        }
        at += 2.0 * (re * re + im * im) / block.len() as f64;
    }
    if all == 0.0 { 0.0 } else { at / all }
}

/// Awaits what must come, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes")
}

/// The next call that comes in.
pub(crate) async fn ring(calls: &mut IncomingCalls) -> IncomingCall {
    soon(calls.next()).await.expect("the bot lives")
}
