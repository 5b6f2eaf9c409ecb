//! The whole emulator with the real engine: sockets, TLS, tokens, calls, media and notifications, as a bot sees them.
//!
//! The bots' media is the engine's client side, their call control raw HTTP requests, so nothing of a client library is
//! trusted here. Who hears whom is decided by tones in what was decoded. Waits end by events; only a hang takes long.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use antiphon_emulator::{
    Consent, Emulator, EmulatorConfig, MeetingView, NewApp, NewMeeting, NewPerson, ParticipantPatch,
    SessionDescription, Speech, StartError, TrustAnchors,
};
use antiphon_engine::{AudioPort, ConversationEvent, Engine, EngineConfig, MediaSession, SessionOptions};
use antiphon_graph::ParticipantId;
use antiphon_graph::blob::{AntiphonMedia, BlobKind, MediaBlob, SdpType, parse};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

const RATE: f64 = 16_000.0;
/// Far beyond what a healthy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A bot's webhook with TLS of its own.
struct Webhook {
    url: String,
    certificate_pem: String,
    posted: mpsc::Receiver<(HeaderMap, Value)>,
}

impl Webhook {
    async fn start() -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("https://{}/callback", listener.local_addr().unwrap());
        let (sender, posted) = mpsc::channel(1024);
        let router = Router::new().route("/callback", post(receive)).with_state(sender);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    }
                });
            }
        });
        Self { url, certificate_pem: certificate.pem(), posted }
    }

    /// The next notification that is of a call, as `state` or `state code/subcode`; rosters are passed over.
    async fn next_state(&mut self) -> String {
        loop {
            let (headers, body) = tokio::time::timeout(PATIENCE, self.posted.recv()).await.unwrap().unwrap();
            assert!(headers["authorization"].to_str().unwrap().starts_with("Bearer ey"));
            let data = &body["value"][0]["resourceData"];
            let Some(state) = data["state"].as_str() else { continue };
            return match &data["resultInfo"] {
                Value::Null => state.to_owned(),
                result => format!("{state} {}/{}", result["code"], result["subcode"]),
            };
        }
    }
}

async fn receive(
    State(sender): State<mpsc::Sender<(HeaderMap, Value)>>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> StatusCode {
    sender.try_send((headers, serde_json::from_slice(&body).unwrap())).unwrap();
    StatusCode::ACCEPTED
}

/// Somebody with a tone: a bot or a person, by the engine's client side.
struct Voice {
    id: ParticipantId,
    /// Its drop closes the leg.
    _session: MediaSession,
    port: AudioPort,
    tone: f64,
    phase: f64,
    heard: Vec<i16>,
    apart: HashMap<u32, usize>,
}

/// The media end before it is in a meeting.
struct Ready {
    session: MediaSession,
    connected: std::sync::mpsc::Receiver<ConversationEvent>,
}

impl Ready {
    fn new(engine: &Engine) -> Self {
        let (events, connected) = std::sync::mpsc::channel();
        let options = SessionOptions {
            bind: [127, 0, 0, 1].into(),
            ..SessionOptions::new(move |event| drop(events.send(event)))
        };
        Self { session: engine.session(options).unwrap(), connected }
    }

    fn accept(self, id: &str, answer: &str, tone: f64) -> Voice {
        self.session.accept(answer).unwrap();
        let service = antiphon_engine::ParticipantId::new(MediaSession::SERVICE);
        while self.connected.recv_timeout(PATIENCE).unwrap() != ConversationEvent::Connected(service.clone()) {}
        let port = self.session.take_audio().unwrap();
        Voice {
            id: id.into(),
            _session: self.session,
            port,
            tone,
            phase: 0.0,
            heard: Vec::new(),
            apart: HashMap::new(),
        }
    }
}

impl Voice {
    fn pump(&mut self) {
        let room = self.port.mouth.vacant();
        let step = TAU * self.tone / RATE;
        let samples: Vec<i16> = (0..room)
            .map(|_| {
                self.phase = (self.phase + step) % TAU;
                (6_000.0 * self.phase.sin()) as i16
            })
            .collect();
        self.port.mouth.speak(&samples);
        while let Some(frame) = self.port.mixed.next_frame() {
            self.heard.extend(frame.samples.as_slice());
        }
        while let Some(frame) = self.port.unmixed.next_frame() {
            *self.apart.entry(frame.source_id.as_u32()).or_default() += 1;
        }
    }

    /// Whether a tone is in what was heard: more than a hundredth of full tone power.
    fn hears(&self, tone: f64) -> bool {
        let mut power = 0.0;
        for block in self.heard.chunks_exact(1_600) {
            let (mut re, mut im) = (0.0, 0.0);
            for (index, sample) in block.iter().enumerate() {
                let (sample, angle) = (f64::from(*sample) / 6_000.0, TAU * tone * index as f64 / RATE);
                re += sample * angle.cos();
                im += sample * angle.sin();
            }
            power += (re * re + im * im) / (block.len() * block.len()) as f64;
        }
        power / (self.heard.len() as f64 / 1_600.0) > 0.0025
    }
}

/// Lets everybody talk for a while, forgets it, lets them talk again: what is kept is the present routing only.
async fn talk(voices: &mut [&mut Voice]) {
    let goal = RATE as usize;
    for _settled in [false, true] {
        voices.iter_mut().for_each(|voice| voice.heard.clear());
        tokio::time::timeout(PATIENCE, async {
            while voices.iter().any(|voice| voice.heard.len() < goal) {
                voices.iter_mut().for_each(|voice| voice.pump());
                tokio::time::sleep(Duration::from_millis(5)).await; // paced by the media clock, not asserted on
            }
        })
        .await
        .expect("media flows");
    }
}

/// Who hears whom by ear, as receiver -> sources in the order of `voices`.
fn by_ear(voices: &[&mut Voice]) -> Vec<Vec<usize>> {
    let tones: Vec<f64> = voices.iter().map(|voice| voice.tone).collect();
    voices.iter().map(|voice| (0..tones.len()).filter(|&source| voice.hears(tones[source])).collect()).collect()
}

/// The same by the engine's plan.
fn by_plan(emulator: &Emulator, meeting: &MeetingView, voices: &[&mut Voice]) -> Vec<Vec<usize>> {
    let rows = emulator.matrix(&meeting.id).unwrap();
    voices
        .iter()
        .map(|voice| {
            let row = rows.iter().find(|row| row.receiver == voice.id).unwrap();
            (0..voices.len()).filter(|&source| row.sources.contains(&voices[source].id)).collect()
        })
        .collect()
}

/// A bot's HTTP: token and requests.
struct Control {
    http: reqwest::Client,
    graph: String,
    token: String,
}

impl Control {
    async fn send(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.graph)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

async fn control(emulator: &Emulator, permissions: &[&str]) -> Control {
    let app = emulator
        .register_app(NewApp {
            display_name: "Bot".to_owned(),
            permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
            ..NewApp::default()
        })
        .unwrap();
    emulator.consent(&app.app_id, Consent::default()).unwrap();
    let ca = reqwest::Certificate::from_pem(emulator.ca_pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", &app.app_id),
        ("client_secret", &app.client_secret),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", emulator.base_url(), emulator.tenant_id());
    let answer: Value = http.post(url).form(&form).send().await.unwrap().json().await.unwrap();
    Control { http, graph: emulator.graph_url(), token: answer["access_token"].as_str().unwrap().to_owned() }
}

fn join_body(meeting: &MeetingView, callback: &str, offer: &str) -> Value {
    json!({
        "callbackUri": callback,
        "requestedModalities": ["audio"],
        "mediaConfig": {
            "@odata.type": "#microsoft.graph.appHostedMediaConfig",
            "blob": MediaBlob::new(AntiphonMedia::offer(offer)).to_blob(),
        },
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": meeting.join_meeting_id, "passcode": meeting.passcode,
        },
        "tenantId": meeting.tenant_id,
    })
}

fn join_person(emulator: &Emulator, meeting: &MeetingView, engine: &Engine, name: &str, tone: f64) -> Voice {
    let ready = Ready::new(engine);
    let person = NewPerson {
        display_name: Some(name.to_owned()),
        offer: Some(SessionDescription { kind: SdpType::Offer, sdp: ready.session.offer().to_owned() }),
        ..NewPerson::default()
    };
    let joined = emulator.join_person(&meeting.id, person).unwrap();
    ready.accept(joined.participant_id.as_str(), &joined.answer.unwrap().sdp, tone)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bot_joins_by_https_and_speech_follows_the_routing_groups() {
    let mut webhook = Webhook::start().await;
    let emulator = Emulator::start(EmulatorConfig {
        webhook_trust: vec![TrustAnchors::Pem(webhook.certificate_pem.clone().into_bytes())],
        ..EmulatorConfig::default()
    })
    .await
    .unwrap();
    let meeting = emulator.create_meeting(NewMeeting::default()).unwrap();
    let engine = Engine::client(EngineConfig::default()).unwrap();
    let mut ann = join_person(&emulator, &meeting, &engine, "Ann", 700.0);
    let mut ben = join_person(&emulator, &meeting, &engine, "Ben", 1_100.0);

    let bot = control(&emulator, &["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"]).await;
    let ready = Ready::new(&engine);
    let body = join_body(&meeting, &webhook.url, ready.session.offer());
    let (status, call) = bot.send(reqwest::Method::POST, "/communications/calls", Some(&body)).await;
    assert_eq!(status, 201, "{call}");
    let BlobKind::Antiphon(blob) = parse(call["mediaConfig"]["blob"].as_str().unwrap()) else {
        panic!("the answer is not in our blob: {call}");
    };
    assert_eq!(webhook.next_state().await, "establishing");
    let me = call["myParticipantId"].as_str().unwrap();
    let mut me = ready.accept(me, &blob.antiphon.sdp, 400.0);
    assert_eq!(webhook.next_state().await, "established");

    let voices = &mut [&mut me, &mut ann, &mut ben];
    talk(voices).await;
    let everyone = vec![vec![1, 2], vec![0, 2], vec![0, 1]];
    assert_eq!((by_ear(voices), by_plan(&emulator, &meeting, voices)), (everyone.clone(), everyone.clone()));
    assert_eq!(voices[0].apart.len(), 2, "the bot hears both apart too: {:?}", voices[0].apart);

    let groups = format!("/communications/calls/{}/audioRoutingGroups", call["id"].as_str().unwrap());
    let call_id = call["id"].as_str().unwrap().into();
    let outside = ParticipantPatch { in_default_audio_routing_group: Some(false), ..ParticipantPatch::default() };
    emulator.change_call(&call_id, outside).unwrap();
    talk(voices).await;
    let without_bot = vec![vec![], vec![2], vec![1]];
    assert_eq!((by_ear(voices), by_plan(&emulator, &meeting, voices)), (without_bot.clone(), without_bot));

    let whisper =
        json!({ "id": "whisper", "routingMode": "oneToOne", "sources": [voices[0].id], "receivers": [voices[1].id] });
    let (status, body) = bot.send(reqwest::Method::POST, &groups, Some(&whisper)).await;
    assert_eq!(status, 200, "{body}");
    talk(voices).await;
    let to_ann = vec![vec![], vec![0, 2], vec![1]];
    assert_eq!((by_ear(voices), by_plan(&emulator, &meeting, voices)), (to_ann.clone(), to_ann));

    let patch = json!({ "receivers": [voices[2].id] });
    let (status, body) = bot.send(reqwest::Method::PATCH, &format!("{groups}/whisper"), Some(&patch)).await;
    assert_eq!(status, 200, "{body}");
    talk(voices).await;
    let to_ben = vec![vec![], vec![2], vec![0, 1]];
    assert_eq!((by_ear(voices), by_plan(&emulator, &meeting, voices)), (to_ben.clone(), to_ben));

    let (status, _) = bot.send(reqwest::Method::DELETE, &groups.replace("/audioRoutingGroups", ""), None).await;
    assert_eq!(status, 204);
    assert_eq!(webhook.next_state().await, "terminating");
    assert_eq!(webhook.next_state().await, "terminated 200/7000");
    assert_eq!(emulator.meeting(&meeting.id).unwrap().participants.len(), 2);
    emulator.stop().await;
}

/// A WAV file of one second of a tone: stereo, 16 kHz.
fn wav(tone: f64) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for index in 0..32_000_u32 {
        let sample = 6_000.0 * (TAU * tone * f64::from(index / 2) / RATE).sin();
        writer.write_sample(sample as i16).unwrap();
    }
    writer.finalize().unwrap();
    file.into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn person_without_a_connection_is_heard_and_routed_by_source() {
    let emulator = Emulator::builder().meeting("Choir").start().await.unwrap();
    let meeting = emulator.meetings().remove(0);
    let engine = Engine::client(EngineConfig::default()).unwrap();
    let mut ann = join_person(&emulator, &meeting, &engine, "Ann", 1_100.0);
    let silent = |name: &str| NewPerson { display_name: Some(name.to_owned()), ..NewPerson::default() };
    let ben = emulator.join_person(&meeting.id, silent("Ben")).unwrap().participant_id;
    let own = emulator.speak(&meeting.id, &ann.id, Speech::Tone { hz: 400.0, seconds: 1.0 }).unwrap_err();
    assert!(own.to_string().contains("by its own connection"), "{own}");

    // More than fits into a mouth, and of both kinds: one after the other.
    let heard_for = emulator.speak(&meeting.id, &ben, Speech::Wav(wav(700.0))).unwrap();
    assert_eq!(heard_for, Duration::from_secs(1));
    let heard_for = emulator.speak(&meeting.id, &ben, Speech::Tone { hz: 400.0, seconds: 60.0 }).unwrap();
    assert!(heard_for > Duration::from_secs(60), "{heard_for:?}");
    let too_much = emulator.speak(&meeting.id, &ben, Speech::Tone { hz: 400.0, seconds: 100.0 }).unwrap_err();
    assert!(too_much.to_string().contains("120 s"), "{too_much}");

    let source = emulator.meeting(&meeting.id).unwrap().participants[1].source_id.unwrap();
    let voices = &mut [&mut ann];
    let mut heard = Vec::new();
    for tone in [700.0, 400.0] {
        tokio::time::timeout(PATIENCE, async {
            loop {
                listen(voices[0], 1_600).await;
                if voices[0].hears(tone) {
                    break;
                }
            }
        })
        .await
        .expect("the tone is heard");
        heard.push(tone);
    }
    assert_eq!(heard, [700.0, 400.0], "first what was said first");
    assert_eq!(voices[0].apart.keys().collect::<Vec<_>>(), [&source], "and by its own source id");

    let muted = ParticipantPatch { is_muted: Some(true), ..ParticipantPatch::default() };
    emulator.change_participant(&meeting.id, &ben, muted).unwrap();
    talk(voices).await;
    assert!(!voices[0].hears(400.0), "muted");
    emulator.change_participant(&meeting.id, &ben, ParticipantPatch { is_muted: Some(false), ..muted }).unwrap();
    talk(voices).await;
    assert!(voices[0].hears(400.0), "and heard again");
    emulator.remove_participant(&meeting.id, &ben).unwrap();
    talk(voices).await;
    assert!(!voices[0].hears(400.0), "gone");
    emulator.stop().await;
}

/// Takes so many samples of what is played, and keeps nothing else.
async fn listen(voice: &mut Voice, samples: usize) {
    voice.heard.clear();
    while voice.heard.len() < samples {
        voice.pump();
        tokio::time::sleep(Duration::from_millis(5)).await; // paced by the media clock, not asserted on
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bot_whose_media_goes_away_is_told_410_and_stop_ends_the_others() {
    let mut webhook = Webhook::start().await;
    let emulator = Emulator::start(EmulatorConfig {
        webhook_trust: vec![TrustAnchors::Pem(webhook.certificate_pem.clone().into_bytes())],
        ..EmulatorConfig::default()
    })
    .await
    .unwrap();
    let meeting = emulator.create_meeting(NewMeeting::default()).unwrap();
    let engine = Engine::client(EngineConfig::default()).unwrap();
    let bot = control(&emulator, &["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"]).await;
    let mut voices = Vec::new();
    for tone in [400.0, 700.0] {
        let ready = Ready::new(&engine);
        let body = join_body(&meeting, &webhook.url, ready.session.offer());
        let (status, call) = bot.send(reqwest::Method::POST, "/communications/calls", Some(&body)).await;
        assert_eq!(status, 201, "{call}");
        let BlobKind::Antiphon(blob) = parse(call["mediaConfig"]["blob"].as_str().unwrap()) else { panic!("{call}") };
        voices.push(ready.accept(call["myParticipantId"].as_str().unwrap(), &blob.antiphon.sdp, tone));
        assert_eq!(webhook.next_state().await, "establishing");
        assert_eq!(webhook.next_state().await, "established");
    }
    drop(voices.pop()); // closes the leg, which says goodbye
    assert_eq!(webhook.next_state().await, "terminated 410/301005");
    emulator.stop().await;
    assert_eq!(webhook.next_state().await, "terminated 200/5003");
}

#[tokio::test]
async fn start_says_in_one_sentence_what_is_wrong() {
    let first = Emulator::start(EmulatorConfig::default()).await.unwrap();
    let taken = EmulatorConfig { bind: first.address(), ..EmulatorConfig::default() };
    let error = Emulator::start(taken).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }));
    assert!(error.to_string().contains("choose another port"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let unwritable = EmulatorConfig { ca_file: Some(folder.path().to_owned()), ..EmulatorConfig::default() };
    let error = Emulator::start(unwritable).await.unwrap_err();
    assert!(error.to_string().contains("choose a writable file"), "{error}");

    let media_taken = EmulatorConfig { media_bind: first.media_address(), ..EmulatorConfig::default() };
    let error = Emulator::start(media_taken).await.unwrap_err();
    assert!(matches!(error, StartError::Media(_)), "{error}");

    let no_trust = EmulatorConfig {
        webhook_trust: vec![TrustAnchors::PemFile(folder.path().join("none.pem"))],
        ..EmulatorConfig::default()
    };
    let error = Emulator::start(no_trust).await.unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");
    first.stop().await;
}

#[tokio::test]
async fn ca_file_holds_the_ca_that_signed_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("new").join("ca.pem");
    let emulator = Emulator::start(EmulatorConfig {
        ca_file: Some(ca_file.clone()),
        plain_http_bind: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..EmulatorConfig::default()
    })
    .await
    .unwrap();
    let pem = std::fs::read(&ca_file).unwrap();
    assert_eq!(pem, emulator.ca_pem().as_bytes());
    let ca = reqwest::Certificate::from_pem(&pem).unwrap();
    let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
    assert_eq!(http.get(emulator.openid_url()).send().await.unwrap().status().as_u16(), 200);
    let plain = format!("http://{}/emulator/ca.pem", emulator.plain_http_address().unwrap());
    assert_eq!(http.get(plain).send().await.unwrap().bytes().await.unwrap(), pem);
    emulator.stop().await;
}
