//! The emulator's administration API, over HTTPS like any other client.
//!
//! Owns the few requests the demo needs: register and consent, meetings, people by WebRTC offer, and the one routing
//! operation that Graph does not have. In the flow: set-up and every step that is not the bot's own. Async side.

use anyhow::Context as _;
use reqwest::{Certificate, Client, Method};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A client that trusts the emulator's CA and nobody else.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    client: Client,
    base: String,
}

/// A registered application with its secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct App {
    pub(crate) app_id: String,
    pub(crate) client_secret: String,
}

/// An open meeting.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meeting {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    pub(crate) join_url: String,
}

/// A person who joined by offer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Joined {
    pub(crate) participant_id: String,
    pub(crate) source_id: u32,
    pub(crate) answer: Description,
}

/// An SDP with its type.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Description {
    pub(crate) sdp: String,
}

impl Admin {
    /// A client of the emulator at `base`, for example `https://127.0.0.1:8443`.
    ///
    /// # Errors
    /// If `ca_pem` is no certificate.
    pub(crate) fn new(base: &str, ca_pem: &[u8]) -> anyhow::Result<Self> {
        let certificate = Certificate::from_pem(ca_pem).context("the emulator's CA certificate cannot be read")?;
        let client = Client::builder()
            .tls_certs_only([certificate])
            .https_only(true)
            .build()
            .context("no HTTPS client can be made; is another TLS provider installed in this process?")?;
        Ok(Self { client, base: base.trim_end_matches('/').to_owned() })
    }

    /// Registers an application and consents, as an administrator, to exactly `permissions`.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub(crate) async fn register(&self, name: &str, permissions: &[&str]) -> anyhow::Result<App> {
        let app: App =
            self.send(Method::POST, "/apps", Some(json!({ "displayName": name, "permissions": permissions }))).await?;
        let consent = json!({ "permissions": permissions });
        self.send::<Value>(Method::POST, &format!("/apps/{}/consent", app.app_id), Some(consent)).await?;
        Ok(app)
    }

    /// Opens a meeting.
    ///
    /// # Errors
    /// If the emulator refuses.
    pub(crate) async fn open_meeting(&self, subject: &str) -> anyhow::Result<Meeting> {
        self.send(Method::POST, "/meetings", Some(json!({ "subject": subject }))).await
    }

    /// Lets a person join with a WebRTC offer.
    ///
    /// # Errors
    /// If the emulator refuses the offer.
    pub(crate) async fn join(&self, meeting: &Meeting, name: &str, offer: &str) -> anyhow::Result<Joined> {
        let body = json!({ "displayName": name, "offer": { "type": "offer", "sdp": offer } });
        self.send(Method::POST, &format!("/meetings/{}/participants", meeting.id), Some(body)).await
    }

    /// Takes a person out.
    ///
    /// # Errors
    /// If there is no such person.
    pub(crate) async fn remove(&self, meeting: &Meeting, participant: &str) -> anyhow::Result<()> {
        let path = format!("/meetings/{}/participants/{participant}", meeting.id);
        self.send::<Option<Value>>(Method::DELETE, &path, None).await?;
        Ok(())
    }

    /// Takes a call in progress out of the default group; Graph can do this only at join.
    ///
    /// # Errors
    /// If there is no such call.
    pub(crate) async fn leave_default_group(&self, call: &str) -> anyhow::Result<()> {
        let body = json!({ "inDefaultAudioRoutingGroup": false });
        self.send::<Value>(Method::PATCH, &format!("/calls/{call}"), Some(body)).await?;
        Ok(())
    }

    /// One request; an empty answer reads as `null`.
    async fn send<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<T> {
        let what = format!("{method} /emulator{path}");
        let mut request = self.client.request(method, format!("{}/emulator{path}", self.base));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let reply = request.send().await.with_context(|| format!("{what} got no answer from the emulator"))?;
        let status = reply.status();
        let text = reply.text().await.with_context(|| format!("{what}: the answer broke off"))?;
        if !status.is_success() {
            let said: Value = serde_json::from_str(&text).unwrap_or_default();
            let message = said.pointer("/error/message").and_then(Value::as_str).unwrap_or(text.as_str()).to_owned();
            anyhow::bail!("the emulator answered {status} to {what}: {message}");
        }
        let text = if text.is_empty() { "null" } else { &text };
        serde_json::from_str(text).with_context(|| format!("{what}: the answer is not as expected"))
    }
}
