//! Router tests: the whole service without sockets of its own, a recorder in the place of the media engine.
//!
//! One file per behaviour. `Rig` is the bench; `Webhook` is a real HTTP receiver on loopback. Nothing sleeps: clocks are
//! moved by hand and notifications are awaited.

mod access;
mod admin;
mod catalogue;
mod create;
mod device_quality;
mod errors;
mod groups;
mod holding;
mod incoming;
mod invitations;
mod life;
mod matrix;
mod media;
mod media_actions;
mod meeting_actions;
mod mixer;
mod notifications;
mod odata;
mod openapi;
mod outgoing;
mod own_leg;
mod participants;
mod patience;
mod plain;
mod roster;
mod server;
mod sharing;
mod speech;
mod storm;
mod transfer;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use antiphon_graph::model::{Strictness, check};
use antiphon_graph::wire::Version;
use antiphon_graph::{CallId, ParticipantId};
use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::clock::{Clock, ManualClock};
use crate::config::{EmulatorConfig, Limits};
use crate::emulator::router;
use crate::entra::{Answering, App, Consent, KeyRing, NewApp, NewUser, User};
use crate::meeting::{MediaEvent, MediaEventKind, MeetingId};
use crate::notify::Courier;
use crate::operations::{MeetingView, NewMeeting, NewPerson, SessionDescription};
use crate::server::Connection;
use crate::service::Service;
use crate::tls::CertificateAuthority;
use media::Recorder;
use webhook::Webhook;

const CALL: &[&str] = &["Calls.Initiate.All", "Calls.AccessMedia.All"];
const GROUP_CALL: &[&str] = &["Calls.InitiateGroupCall.All", "Calls.AccessMedia.All"];
const JOIN: &[&str] = &["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"];

/// An answer, its body read as JSON (`Null` if there is none).
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Asserts status and code of an error in Graph's envelope.
    #[track_caller]
    fn expect_error(self, status: u16, code: &str) -> String {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        let error = &self.body["error"];
        assert_eq!(error["code"], code, "{}", self.body);
        assert!(error["innerError"]["request-id"].is_string(), "{}", self.body);
        assert_eq!(error["innerError"]["request-id"], self.headers["request-id"].to_str().unwrap());
        error["message"].as_str().unwrap().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The service on a bench.
struct Rig {
    service: Arc<Service>,
    router: Router,
    media: Arc<Recorder>,
    hand: ManualClock,
    webhook: Webhook,
}

impl Rig {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut EmulatorConfig)) -> Self {
        let (clock, hand) = Clock::manual();
        let mut config = EmulatorConfig {
            allow_http_callbacks: true,
            clock,
            // Tests move the clock while answers are on their way: a webhook's time must not run out by that.
            limits: Limits { webhook_timeout: Duration::from_secs(7 * 86_400), ..Limits::default() },
            ..EmulatorConfig::default()
        };
        change(&mut config);
        let (courier, undeliverable) =
            Courier::new(&config.webhook_trust, &config.limits, config.clock.clone(), KeyRing).unwrap();
        let media = Arc::new(Recorder::default());
        let runtime = tokio::runtime::Handle::current();
        let certificates = CertificateAuthority::new().unwrap();
        let (service, reports) =
            Service::new(&config, courier, Box::new(Arc::clone(&media)), runtime, certificates).unwrap();
        tokio::spawn(Arc::clone(&service).drive(reports, undeliverable));
        Self { router: router(&service), service, media, hand, webhook: Webhook::start().await }
    }

    /// An app with these permissions, all consented to in its home tenant.
    fn app(&self, permissions: &[&str]) -> App {
        let new = NewApp {
            display_name: "Bot".to_owned(),
            permissions: permissions.iter().map(|name| (*name).to_owned()).collect(),
            ..NewApp::default()
        };
        let app = self.service.directory().register(new).unwrap();
        self.service.directory().consent(&app.app_id, Consent::default()).unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into())
        };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn token_for(&self, app: &App, tenant: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default",
            app.app_id, app.client_secret
        );
        let request = Request::post(format!("/{tenant}/oauth2/v2.0/token"))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded;charset=utf-8")
            .body(Body::from(form))
            .unwrap();
        let answer = self.send(request).await.expect(200);
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// A bot of an app with these permissions.
    async fn bot(&self, permissions: &[&str]) -> Bot<'_> {
        let app = self.app(permissions);
        let token = self.token_for(&app, &app.tenant_id).await;
        Bot { rig: self, app, token }
    }

    async fn admin(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let asked = method.clone();
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost:8443");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = self.send(local(request.body(body).unwrap())).await;
        let complaints = crate::admin::checks::complaints_about(&asked, path, answer.status.as_u16(), &answer.body);
        assert!(complaints.is_empty(), "not as the document says: {complaints:?}");
        answer
    }

    fn meeting(&self) -> MeetingView {
        self.service.create_meeting(NewMeeting::default()).unwrap()
    }

    /// A user with a script for being called.
    fn user(&self, name: &str, answering: Answering) -> User {
        let new = NewUser { display_name: name.to_owned(), answering, ..NewUser::default() };
        self.service.directory().add_user(new).unwrap()
    }

    /// Lets time pass, and waits until what was due has happened.
    async fn pass(&self, span: Duration) {
        self.hand.advance(span);
        self.settle().await;
    }

    /// Lets the driver do what is due now.
    async fn settle(&self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.service.change(|world, now| world.advance(now));
    }

    /// A person with media, as roster id.
    fn person(&self, meeting: &MeetingView, name: &str) -> ParticipantId {
        let person = NewPerson {
            display_name: Some(name.to_owned()),
            offer: Some(SessionDescription {
                kind: antiphon_graph::blob::SdpType::Offer,
                sdp: format!("offer of {name}"),
            }),
            ..NewPerson::default()
        };
        self.service.join_person(&meeting.id, person).unwrap().participant_id
    }

    /// Reports on a participant's media, as the engine would.
    fn report(&self, meeting: &MeetingId, who: &ParticipantId, kind: MediaEventKind) {
        let event = MediaEvent::Participant { meeting: meeting.clone(), who: who.clone(), kind };
        self.service.change(|world, now| world.media_event(&event, now));
    }
}

/// A request as the server passes it on: from this machine, by TLS.
fn local(mut request: Request<Body>) -> Request<Body> {
    let connection = Connection { peer: ([127, 0, 0, 1], 50_000).into(), tls: true };
    request.extensions_mut().insert(connection);
    request
}

/// An application with a token.
struct Bot<'a> {
    rig: &'a Rig,
    app: App,
    token: String,
}

impl Bot<'_> {
    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost:8443")
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .header(CONTENT_TYPE, "application/json")
            .header("user-agent", "antiphon-tests/1")
            .header("scenario-id", "5f0d8f2c-54a5-4d6c-b1f1-3a0c2a4c1e55");
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let answer = self.rig.send(local(request.body(body).unwrap())).await;
        if answer.status.is_success() {
            assert_declared(path, &answer.body);
        }
        answer
    }

    async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, Some(&body)).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, None).await
    }

    /// A body that joins a meeting with media of ours.
    fn join_body(&self, meeting: &MeetingView) -> Value {
        let blob = json!({ "antiphon": { "version": 1, "type": "offer", "sdp": "offer of the bot" } });
        json!({
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": self.rig.webhook.url(),
            "requestedModalities": ["audio"],
            "mediaConfig": { "blob": blob.to_string(), "@odata.type": "#microsoft.graph.appHostedMediaConfig" },
            "chatInfo": {
                "@odata.type": "#microsoft.graph.chatInfo",
                "threadId": meeting.thread_id, "messageId": meeting.message_id,
            },
            "meetingInfo": {
                "@odata.type": "#microsoft.graph.organizerMeetingInfo",
                "organizer": { "user": { "id": meeting.organizer.id, "tenantId": meeting.tenant_id } },
                "allowConversationWithoutHost": true,
            },
            "tenantId": meeting.tenant_id,
        })
    }

    /// A body that calls people, with media of ours.
    fn call_body(&self, users: &[&User]) -> Value {
        let blob = json!({ "antiphon": { "version": 1, "type": "offer", "sdp": "offer of the bot" } });
        let target = |user: &&User| {
            json!({
                "@odata.type": "#microsoft.graph.invitationParticipantInfo",
                "identity": { "@odata.type": "#microsoft.graph.identitySet", "user": { "id": user.id } },
            })
        };
        json!({
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": self.rig.webhook.url(),
            "requestedModalities": ["audio"],
            "mediaConfig": { "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": blob.to_string() },
            "targets": users.iter().map(target).collect::<Vec<_>>(),
        })
    }

    /// Calls people, and reports the media as connected.
    async fn call(&self, users: &[&User]) -> Value {
        let call = self.post("/v1.0/communications/calls", self.call_body(users)).await.expect(201);
        self.connect(&call);
        call
    }

    /// Reports the media of a call as connected.
    fn connect(&self, call: &Value) {
        let id = CallId::new(call["id"].as_str().unwrap());
        let world = self.rig.service.world();
        let (meeting, me) = world.call(&id).map(|call| (call.meeting.clone(), call.participant.clone())).unwrap();
        drop(world);
        self.rig.report(&meeting, &me, MediaEventKind::Connected);
    }

    /// Joins, and reports the media as connected.
    async fn join(&self, meeting: &MeetingView) -> Value {
        let call = self.post("/v1.0/communications/calls", self.join_body(meeting)).await.expect(201);
        let me = ParticipantId::new(call["myParticipantId"].as_str().unwrap());
        self.rig.report(&meeting.id, &me, MediaEventKind::Connected);
        call
    }
}

/// Holds the entities of an answer to the letter of the version in its path; selected members need not be all.
#[track_caller]
fn assert_declared(path: &str, body: &Value) {
    let version = path.split('/').nth(1).and_then(Version::parse);
    let whole = if path.contains("select") { Strictness::Partial } else { Strictness::Reply };
    let entities = body["value"].as_array().map_or(std::slice::from_ref(body), Vec::as_slice);
    for entity in entities {
        if let (Some(version), Some(name)) = (version, entity["@odata.type"].as_str()) {
            let faults = check(version, name.trim_start_matches("#microsoft.graph."), whole, entity);
            assert!(faults.is_empty(), "{path}: {faults:?} in {entity}");
        }
    }
}

/// Path of a call in the API.
fn path_of(call: &Value) -> String {
    format!("/v1.0/communications/calls/{}", call["id"].as_str().unwrap())
}
