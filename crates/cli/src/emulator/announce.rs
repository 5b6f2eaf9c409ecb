//! What the emulator tells at start: addresses, what it was seeded with, and lines to paste.
//!
//! Owns the text and the JSON form. The lines are for a POSIX shell, and name what each SDK reads by itself: trust,
//! authority, tenant, client id and secret; what an SDK must be told in code stands beside them.

use std::fmt::Write as _;
use std::path::Path;

use antiphon_emulator::{App, Emulator, MeetingView, User};
use serde_json::{Map, Value, json};

/// A running emulator and what was put into it.
#[derive(Debug)]
pub(crate) struct Announcement<'a> {
    pub(crate) emulator: &'a Emulator,
    pub(crate) ca_file: &'a Path,
    pub(crate) apps: &'a [App],
    pub(crate) users: &'a [User],
    pub(crate) meetings: &'a [MeetingView],
}

/// For whom a group of variables is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Antiphon,
    Azure,
    Python,
    Node,
}

impl Announcement<'_> {
    /// One object.
    pub(crate) fn as_json(&self) -> Value {
        let emulator = self.emulator;
        let variables: Map<String, Value> =
            self.variables().into_iter().map(|(_, name, value)| (name.to_owned(), value.into())).collect();
        json!({
            "url": emulator.base_url(),
            "graphUrl": emulator.graph_url(),
            "authorityUrl": emulator.base_url(),
            "openIdUrl": emulator.openid_url(),
            "plainHttpUrl": self.plain_http_url(),
            "media": emulator.media_address().map(|address| address.to_string()),
            "caFile": self.ca_file.display().to_string(),
            "tenantId": emulator.tenant_id(),
            "apps": self.apps,
            "users": self.users,
            "meetings": self.meetings,
            "environment": variables,
        })
    }

    /// For a terminal.
    pub(crate) fn as_text(&self) -> String {
        let mut text = String::new();
        let mut put = |line: &str| writeln!(text, "{line}").expect("invariant: writing to a String cannot fail");
        let emulator = self.emulator;
        let url = emulator.base_url();
        put("Antiphon emulator: a calling service for this machine. Ctrl-C stops it.\n");
        put(&format!("Graph             {}   (and /beta)", emulator.graph_url()));
        put(&format!("tokens            {url}/{{tenant}}/oauth2/v2.0/token"));
        put(&format!("OpenID            {}   (keys that sign notifications)", emulator.openid_url()));
        put(&format!("administration    {url}/emulator   (apps, consent, users, meetings)"));
        if let Some(plain) = self.plain_http_url() {
            put(&format!("without TLS       {plain}   (the same; SDKs refuse to send tokens there)"));
        }
        let media = emulator.media_address().map_or_else(|| "none".to_owned(), |address| format!("{address}/udp"));
        put(&format!("media             {media}"));
        put(&format!("tenant            {}", emulator.tenant_id()));
        put(&format!("CA certificate    {}", self.ca_file.display()));
        for app in self.apps {
            let consented =
                app.consents.get(&app.tenant_id).into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
            let consented = if consented.is_empty() { "nothing".to_owned() } else { consented };
            put(&format!("\napplication       {}   {}, consented: {consented}", app.app_id, app.display_name));
            if let Some(webhook) = &app.webhook_url {
                put(&format!("  webhook         {webhook}"));
            }
        }
        for user in self.users {
            let phone = user.phone_number.as_ref().map_or_else(String::new, |phone| format!(", {phone}"));
            put(&format!("\nuser              {}   {}{phone}", user.id, user.display_name));
        }
        for meeting in self.meetings {
            put(&format!("\nmeeting           {}", meeting.subject));
            put(&format!("  join page       {url}/emulator/meetings/{}/join", meeting.id.as_str()));
            let passcode = meeting.passcode.as_deref().unwrap_or("none");
            put(&format!("  meeting id      {}, passcode {passcode}", meeting.join_meeting_id));
            put(&format!("  join URL        {}", meeting.join_url));
        }
        put(&format!("\n{}", self.lines()));
        text
    }

    /// Shell lines by reader, and what to write in code.
    fn lines(&self) -> String {
        let url = self.emulator.base_url();
        let graph = self.emulator.graph_url();
        let host = self.emulator.address().ip();
        let exports = |reader: Reader| {
            let mut lines = String::new();
            for (_, name, value) in self.variables().iter().filter(|(whose, ..)| *whose == reader) {
                writeln!(lines, "export {name}={}", quoted(value)).expect("invariant: writing to a String cannot fail");
            }
            lines
        };
        let named = match self.apps.first() {
            Some(app) => format!("as application {}", app.app_id),
            None => "with an application's id and secret filled in".to_owned(),
        };
        format!(
            "# Paste into a shell, {named}.\n\
             # antiphon: commands, and Bot::builder(app, secret, tenant).service_url(\"{url}\").ca_file(...)\n\
             {}\
             # Credentials of azure-identity (Python) and @azure/identity (JavaScript)\n\
             {}\
             # Python: EnvironmentCredential(disable_instance_discovery=True), GraphServiceClient(credential, scopes), then\n\
             #         client.request_adapter.base_url = os.environ[\"ANTIPHON_GRAPH_URL\"]   ({graph}, or {url}/beta)\n\
             {}\
             # JavaScript: EnvironmentCredential with {{ disableInstanceDiscovery: true }}, then Client.initWithMiddleware({{\n\
             #         authProvider, baseUrl: process.env.ANTIPHON_SERVICE + \"/\", customHosts: new Set([\"{host}\"]) }})\n\
             {}\
             # A browser: open a meeting's join page.\n",
            exports(Reader::Antiphon),
            exports(Reader::Azure),
            exports(Reader::Python),
            exports(Reader::Node),
        )
    }

    fn variables(&self) -> Vec<(Reader, &'static str, String)> {
        let ca = self.ca_file.display().to_string();
        let (id, secret) = match self.apps.first() {
            Some(app) => (app.app_id.clone(), app.client_secret.clone()),
            None => ("APP_ID".to_owned(), "CLIENT_SECRET".to_owned()),
        };
        let (url, tenant) = (self.emulator.base_url(), self.emulator.tenant_id());
        vec![
            (Reader::Antiphon, "ANTIPHON_SERVICE", url.clone()),
            (Reader::Antiphon, "ANTIPHON_CA_FILE", ca.clone()),
            (Reader::Antiphon, "ANTIPHON_GRAPH_URL", self.emulator.graph_url()),
            (Reader::Azure, "AZURE_AUTHORITY_HOST", url),
            (Reader::Azure, "AZURE_TENANT_ID", tenant),
            (Reader::Azure, "AZURE_CLIENT_ID", id),
            (Reader::Azure, "AZURE_CLIENT_SECRET", secret),
            (Reader::Python, "REQUESTS_CA_BUNDLE", ca.clone()),
            (Reader::Python, "SSL_CERT_FILE", ca.clone()),
            (Reader::Node, "NODE_EXTRA_CA_CERTS", ca),
        ]
    }

    fn plain_http_url(&self) -> Option<String> {
        self.emulator.plain_http_address().map(|address| format!("http://{address}"))
    }
}

/// In single quotes, if a shell would take it apart.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,[]".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_a_shell() {
        for value in ["plain-1.pem", "with space", "a'b", "$HOME", "a~b", "`x`", "", "[::1]:8443"] {
            let script = format!("printf %s {}", quoted(value));
            let output = std::process::Command::new("sh").arg("-c").arg(&script).output().expect("a shell");
            assert_eq!(String::from_utf8_lossy(&output.stdout), value, "{script}");
        }
    }
}
