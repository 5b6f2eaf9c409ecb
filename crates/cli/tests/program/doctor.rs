//! `antiphon doctor`, run: registrations and tokens of a real emulator, webhooks good and bad.

use antiphon_emulator::NewApp;
use antiphon_signaling::http::{HttpClient, HttpConfig};
use antiphon_signaling::token::{TokenCache, TokenConfig};
use antiphon_signaling::webhook::{WebhookConfig, WebhookListener, WebhookTls};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::stage::{Run, Stage, antiphon, argument};
use crate::webhook::{Certificate, Server};

/// The findings of a run as JSON, by check.
#[derive(Debug)]
struct Found {
    run: Run,
    findings: Vec<Value>,
}

impl Found {
    fn of(run: Run) -> Self {
        let printed: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        let findings = printed["findings"].as_array().expect("findings").clone();
        assert_eq!(printed["fit"], json!(run.code == 0), "{run:?}");
        Self { run, findings }
    }

    /// Asserts how a check stands and what it says.
    #[track_caller]
    fn has(&self, check: &str, status: &str, words: &str) {
        let found = self.findings.iter().find(|finding| finding["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no {check}: {:#?}", self.findings));
        assert_eq!(found["status"], status, "{found:#}");
        assert!(found["seen"].as_str().is_some_and(|seen| seen.contains(words)), "{words}: {found:#}");
        assert_eq!(found["fix"].is_string(), status != "ok", "{found:#}");
    }

    /// Asserts that nothing but these is missing.
    #[track_caller]
    fn lacks_only(&self, checks: &[&str]) {
        let missing: Vec<&str> = self
            .findings
            .iter()
            .filter(|finding| finding["status"] == "missing")
            .filter_map(|finding| finding["check"].as_str())
            .collect();
        assert_eq!(missing, checks, "{:#?}", self.findings);
        assert_eq!(self.run.code, i32::from(!checks.is_empty()));
    }
}

impl Stage {
    async fn doctor(&self, words: &[&str]) -> Found {
        let words: Vec<&str> = ["doctor", "--format", "json"].iter().chain(words).copied().collect();
        Found::of(self.run(&words).await)
    }

    /// A token of the app.
    async fn token(&self) -> String {
        let config = HttpConfig { ca_pem: Some(self.emulator.ca_pem().into()), ..HttpConfig::default() };
        let http = HttpClient::new(&config).expect("a client");
        let app = TokenConfig::new(self.emulator.tenant_id(), &self.app.app_id, self.app.client_secret.as_str());
        let tokens = TokenCache::new(http, app.with_authority(self.emulator.base_url()));
        tokens.token().await.expect("a token").expose().to_owned()
    }
}

async fn webhook_doctor(words: &[&str]) -> Found {
    let words: Vec<&str> = ["doctor", "--format", "json"].iter().chain(words).copied().collect();
    Found::of(antiphon(&words, &[], None).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fit_registration_lacks_nothing() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"]).await;
    let found = stage
        .doctor(&["--want", "join", "--want", "media", "--want", "POST /v1.0/communications/calls/x/reject"])
        .await;
    found.lacks_only(&[]);
    found.has("credentials", "ok", &stage.app.app_id);
    found.has("discovery", "ok", "openid-configuration");
    found.has("kind", "ok", "Calls.JoinGroupCall.All");
    found.has("join", "ok", "Calls.JoinGroupCall.All");
    found.has("media", "ok", "Calls.AccessMedia.All");
    found.has("takes the token", "ok", "not found");
    found.has("calling bot", "ok", "registered");
    found.has("clock", "ok", "agrees");
    assert_eq!(stage.emulator.calls().len(), 0, "asking has changed nothing");
    let text = stage.run(&["doctor", "--want", "join"]).await;
    assert!(text.code == 0 && text.out.contains("0 missing") && text.out.contains("2026-08-07"), "{text:?}");
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_without_consent_lack_and_say_where_to_consent() {
    let stage = Stage::unconsented(&["Calls.InitiateGroupCall.All"]).await;
    let found = stage.doctor(&["--want", "group-call"]).await;
    found.lacks_only(&["kind", "group-call"]);
    found.has("kind", "missing", "nothing is consented to");
    found.has("group-call", "missing", "Calls.InitiateGroupCall.All");
    found.has("calling bot", "unknown", "7504");
    let fix = found.findings.iter().find(|finding| finding["check"] == "group-call").expect("it")["fix"].to_string();
    let consent = format!(
        "{}/{}/adminconsent?client_id={}",
        stage.emulator.base_url(),
        stage.emulator.tenant_id(),
        stage.app.app_id
    );
    assert!(fix.contains(&consent), "{fix}");
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_credentials_are_found_with_their_cause() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All"]).await;
    let unknown = "0d5e1a5e-9f6c-4b5e-8a36-7a1f1fdc4d10";
    for (words, cause) in [
        (["--secret", "wrong"], "AADSTS7000215"),
        (["--app-id", unknown], "AADSTS700016"),
        (["--tenant", unknown], "AADSTS90002"),
    ] {
        let found = stage.doctor(&words).await;
        found.lacks_only(&["credentials"]);
        found.has("credentials", "missing", cause);
        assert!(!found.run.out.contains(&stage.app.client_secret), "the secret was printed");
    }
    let found = stage.doctor(&["--authority", "https://127.0.0.1:9"]).await;
    found.lacks_only(&["discovery", "credentials"]);
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_that_is_no_calling_bot_is_found_out() {
    let mut stage = Stage::with(&[]).await;
    let new = NewApp {
        display_name: "No bot".to_owned(),
        permissions: vec!["Calls.JoinGroupCall.All".to_owned()],
        without_calling: true,
        ..NewApp::default()
    };
    stage.app = stage.emulator.register_app(new).expect("an app");
    stage.emulator.consent(&stage.app.app_id, antiphon_emulator::Consent::default()).expect("consent");
    let found = stage.doctor(&["--want", "join"]).await;
    found.lacks_only(&["calling bot"]);
    found.has("calling bot", "missing", "7503");
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_taken_from_everywhere_and_never_printed() {
    let stage = Stage::with(&["Calls.Initiate.All"]).await;
    let token = stage.token().await;
    let file = stage.file("token.txt", format!("Bearer {token}\n"));
    let at_file = format!("@{}", argument(&file));
    let environment = [("ANTIPHON_TOKEN", token.clone())];
    for (words, environment, stdin) in [
        (vec!["--token", token.as_str()], &[][..], None),
        (vec!["--token", at_file.as_str()], &[][..], None),
        (vec!["--token", "-"], &[][..], Some(token.as_str())),
        (vec![], &environment[..], None),
    ] {
        let words: Vec<&str> = ["doctor", "--format", "json", "--want", "call"].into_iter().chain(words).collect();
        let found = Found::of(antiphon(&words, environment, stdin).await);
        found.lacks_only(&[]);
        found.has("call", "ok", "Calls.Initiate.All");
        found.has("calling bot", "unknown", "has not been asked");
        let body = token.split('.').nth(1).expect("a payload");
        for printed in [&found.run.out, &found.run.err] {
            assert!(!printed.contains(body), "the token was printed");
        }
    }
    let empty = antiphon(&["doctor", "--token", "-"], &[], Some(" \n")).await;
    empty.fails(&["the token is empty"]);
    stage.emulator.stop().await;
}

#[tokio::test]
async fn a_delegated_token_is_called_what_it_is() {
    let claims = json!({
        "aud": "https://graph.microsoft.com", "exp": 4_000_000_000_u64, "scp": "User.Read", "appid": "a", "tid": "t",
    });
    let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let found = webhook_doctor(&["--token", &token, "--want", "join"]).await;
    found.lacks_only(&["kind", "join"]);
    found.has("kind", "missing", "delegated");
    let found = webhook_doctor(&["--token", "opaque"]).await;
    found.lacks_only(&["form"]);
}

#[tokio::test]
async fn without_anything_to_look_at_it_says_what_to_give() {
    antiphon(&["doctor"], &[], None).await.fails(&["--token", "--webhook"]);
    let folder = tempfile::tempdir().expect("a folder");
    let garbage = folder.path().join("ca.pem");
    std::fs::write(&garbage, "garbage").expect("a file");
    let with_ca = ["doctor", "--token", "a.e30.c", "--service", "https://127.0.0.1:9", "--ca-file", argument(&garbage)];
    antiphon(&with_ca, &[], None).await.fails(&["--ca-file", "PEM"]);
    let with_webhook = ["doctor", "--webhook", "https://127.0.0.1:9", "--webhook-ca", argument(&garbage)];
    antiphon(&with_webhook, &[], None).await.fails(&["--webhook-ca", "PEM"]);
    let run = antiphon(&["doctor", "--want", "fly"], &[], None).await;
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.err.contains("join-as-guest"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_webhook_is_found_fit() {
    let stage = Stage::with(&["Calls.JoinGroupCall.All"]).await;
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
    let config = HttpConfig { ca_pem: Some(stage.emulator.ca_pem().into()), ..HttpConfig::default() };
    let tls = WebhookTls::Pem {
        certificates: made.cert.pem().into_bytes(),
        key: made.signing_key.serialize_pem().into_bytes(),
    };
    let mut terms = WebhookConfig::new("127.0.0.1:0".parse().expect("an address"), tls, &stage.app.app_id);
    terms.keys.openid_url = stage.emulator.openid_url();
    let http = HttpClient::new(&config).expect("a client");
    let webhook = WebhookListener::start(terms, http).await.expect("a webhook");
    let ca = stage.file("webhook.pem", made.cert.pem());
    let url = format!("https://{}/api/calls", webhook.local_addr());
    let found = stage.doctor(&["--webhook", &url, "--webhook-ca", argument(&ca)]).await;
    found.lacks_only(&[]);
    found.has("url", "ok", "https://127.0.0.1");
    found.has("dns", "warning", "not a public address");
    found.has("tcp", "ok", "accepts connections");
    found.has("tls", "ok", "TLS");
    found.has("certificate chain", "warning", "--webhook-ca only");
    found.has("certificate name", "ok", "127.0.0.1");
    found.has("unsigned post", "ok", "401");
    found.has("forged token", "ok", "401");
    found.has("answer time", "ok", "ms");
    found.has("who is calling", "ok", "name their caller");
    let wrong_path = format!("https://{}/elsewhere", webhook.local_addr());
    let found = stage.doctor(&["--webhook", &wrong_path, "--webhook-ca", argument(&ca)]).await;
    found.lacks_only(&["unsigned post", "forged token"]);
    found.has("unsigned post", "missing", "nothing is there");
    stage.emulator.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_judged_by_chain_name_and_time_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let now_and_then = Certificate::default();
    for (certificate, trusted, missing) in [
        (now_and_then.clone(), true, &[][..]),
        (now_and_then.clone(), false, &["certificate chain"][..]),
        (Certificate { name: "bot.example.com", ..now_and_then.clone() }, true, &["certificate name"]),
        (Certificate { years: (2020, 2021), ..now_and_then.clone() }, true, &["certificate time"]),
        (Certificate { years: (2090, 2099), ..now_and_then.clone() }, true, &["certificate time"]),
        (
            Certificate { name: "bot.example.com", years: (2020, 2021) },
            false,
            &["certificate chain", "certificate name", "certificate time"],
        ),
    ] {
        let server = Server::start(&certificate, "401 Unauthorized").await;
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &server.ca_pem).expect("a file");
        let url = server.url();
        let mut words = vec!["--webhook", url.as_str()];
        if trusted {
            words.extend(["--webhook-ca", argument(&ca)]);
        }
        webhook_doctor(&words).await.lacks_only(missing);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_take_redirect_or_drop_what_they_get_are_found_out() {
    let folder = tempfile::tempdir().expect("a folder");
    for (head, words) in [
        ("202 Accepted", "anybody can post"),
        ("307 Temporary Redirect\r\nLocation: https://other.example.com/", "redirected with 307 to https://other"),
        ("405 Method Not Allowed", "POST is not allowed"),
        ("500 Internal Server Error", "fails with 500"),
        ("nonsense", ""),
    ] {
        let server = Server::start(&Certificate::default(), head).await;
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, &server.ca_pem).expect("a file");
        let found = webhook_doctor(&["--webhook", &server.url(), "--webhook-ca", argument(&ca)]).await;
        found.has("unsigned post", "missing", words);
        assert_eq!(found.run.code, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_cannot_be_reached_is_told_how_far_one_gets() {
    let plain = Server::plain("401 Unauthorized").await;
    webhook_doctor(&["--webhook", &plain.url()]).await.lacks_only(&["tls"]);
    let http = plain.url().replace("https:", "http:");
    webhook_doctor(&["--webhook", &http]).await.lacks_only(&["url"]);
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        format!("https://{}/", listener.local_addr().expect("an address"))
    };
    webhook_doctor(&["--webhook", &closed]).await.lacks_only(&["tcp"]);
    webhook_doctor(&["--webhook", "https://antiphon-doctor.invalid/"]).await.lacks_only(&["dns"]);
    webhook_doctor(&["--webhook", "bot.example.com"]).await.lacks_only(&["url"]);
}
