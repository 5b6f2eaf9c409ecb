//! `antiphon emulator`: the calling service as a program.
//!
//! Owns its set-up from the command line, what it tells the user at start (addresses, trust, how to point an SDK at
//! it), and a clean stop. The service itself is `antiphon-emulator`.

use std::path::{Path, absolute};

use antiphon_emulator::{App, Consent, Emulator, EmulatorConfig, MeetingView, NewApp, NewMeeting, TrustAnchors};
use antiphon_graph::permission::Permission;
use anyhow::Context as _;
use serde_json::json;

use crate::args::EmulatorOptions;
use crate::{INTERRUPTED, unless_interrupted};

/// An application to register at start, written `ID:SECRET:PERMISSION,PERMISSION`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeedApp {
    id: String,
    secret: String,
    permissions: Vec<String>,
}

impl SeedApp {
    /// Reads the text form. The secret may hold colons; id and permissions cannot.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let usage = || {
            "write ID:SECRET:PERMISSION,PERMISSION with a GUID as ID, for example \
                        2d2f1a4e-0000-4000-8000-000000000001:secret:Calls.JoinGroupCall.All,Calls.AccessMedia.All"
                .to_owned()
        };
        let (id, rest) = text.split_once(':').ok_or_else(usage)?;
        let (secret, permissions) = rest.rsplit_once(':').ok_or_else(usage)?;
        if id.is_empty() || secret.is_empty() {
            return Err(usage());
        }
        let permissions = permissions
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| {
                Permission::parse(name)
                    .map(|known| known.name().to_owned())
                    .ok_or_else(|| format!("{name:?} is no calling permission; `antiphon permissions` lists them"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { id: id.to_owned(), secret: secret.to_owned(), permissions })
    }
}

/// Runs the service until Ctrl-C or SIGTERM.
pub(crate) async fn run(options: EmulatorOptions) -> anyhow::Result<u8> {
    let ca_file = absolute(&options.ca_file).context("the path of --ca-file cannot be made absolute")?;
    if let Some(folder) = ca_file.parent() {
        let fault = || format!("cannot make {}; choose another --ca-file", folder.display());
        std::fs::create_dir_all(folder).with_context(fault)?;
    }
    let emulator = Emulator::start(EmulatorConfig {
        bind: options.listen,
        media_bind: options.media,
        advertise_media: options.advertise_media,
        host_names: options.host_names.clone(),
        ca_file: Some(ca_file.clone()),
        webhook_trust: options.trust.iter().cloned().map(TrustAnchors::PemFile).collect(),
        allow_http_callbacks: options.allow_http_callbacks,
        strict_blob: options.strict_blob,
        media_threads: options.media_threads,
        ..EmulatorConfig::default()
    })
    .await?;
    let apps = options.seed_apps.iter().map(|seed| register(&emulator, seed)).collect::<anyhow::Result<Vec<_>>>()?;
    let meetings = options
        .seed_meetings
        .iter()
        .map(|subject| emulator.create_meeting(NewMeeting { subject: Some(subject.clone()), ..NewMeeting::default() }))
        .collect::<Result<Vec<_>, _>>()
        .context("a meeting of --seed-meeting cannot be opened")?;
    if options.json {
        println!("{}", as_json(&emulator, &ca_file, &apps, &meetings));
    } else {
        print!("{}", as_text(&emulator, &ca_file, &apps, &meetings));
    }
    stopped().await?;
    if !options.json {
        println!("stopping: ending calls and delivering their last notifications");
    }
    match unless_interrupted(emulator.stop()).await {
        Some(()) => Ok(0),
        None => Ok(INTERRUPTED),
    }
}

fn register(emulator: &Emulator, seed: &SeedApp) -> anyhow::Result<App> {
    let new = NewApp {
        display_name: "seeded application".to_owned(),
        app_id: Some(seed.id.clone()),
        client_secret: Some(seed.secret.clone()),
        permissions: seed.permissions.clone(),
        ..NewApp::default()
    };
    let app = emulator.register_app(new).context("an application of --seed-app cannot be registered")?;
    emulator.consent(&app.app_id, Consent::default()).context("consent for an application of --seed-app failed")
}

/// Waits for the signal to stop.
async fn stopped() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be watched")?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("Ctrl-C cannot be watched")?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn as_json(emulator: &Emulator, ca_file: &Path, apps: &[App], meetings: &[MeetingView]) -> serde_json::Value {
    json!({
        "url": emulator.base_url(),
        "graphUrl": emulator.graph_url(),
        "authorityUrl": emulator.base_url(),
        "openIdUrl": emulator.openid_url(),
        "media": emulator.media_address().map(|address| address.to_string()),
        "caFile": ca_file.display().to_string(),
        "tenantId": emulator.tenant_id(),
        "apps": apps,
        "meetings": meetings,
    })
}

fn as_text(emulator: &Emulator, ca_file: &Path, apps: &[App], meetings: &[MeetingView]) -> String {
    let url = emulator.base_url();
    let graph = emulator.graph_url();
    let openid = emulator.openid_url();
    let ca = ca_file.display();
    let tenant = emulator.tenant_id();
    let media = emulator.media_address().map_or_else(|| "none".to_owned(), |address| address.to_string());
    let host = emulator.address().ip();
    let mut text = format!(
        "Antiphon emulator: a calling service for this machine. Ctrl-C stops it.\n\
         \n\
         Graph             {graph}   (and /beta)\n\
         tokens            {url}/{{tenant}}/oauth2/v2.0/token\n\
         OpenID            {openid}   (keys that sign notifications)\n\
         administration    {url}/emulator   (apps, consent, users, meetings)\n\
         media             {media}/udp\n\
         tenant            {tenant}\n\
         CA certificate    {ca}\n\
         \n\
         Point a client at it:\n\
         antiphon          Bot::builder(app, secret, tenant).service_url(\"{url}\").ca_file(\"{ca}\")\n\
         Python            export SSL_CERT_FILE={ca} REQUESTS_CA_BUNDLE={ca}\n\
         {:18}ClientSecretCredential(tenant, app, secret, authority=\"{url}\", disable_instance_discovery=True)\n\
         {:18}client.request_adapter.base_url = \"{graph}\"\n\
         JavaScript        export NODE_EXTRA_CA_CERTS={ca}\n\
         {:18}Client.initWithMiddleware({{ authProvider, baseUrl: \"{url}/\", customHosts: new Set([\"{host}\"]) }})\n\
         a browser         POST {url}/emulator/meetings, then open {url}/emulator/meetings/{{id}}/join\n",
        "", "", ""
    );
    for app in apps {
        let permissions: Vec<&str> = app.permissions.iter().map(String::as_str).collect();
        text.push_str(&format!("\napplication       {}   consented: {}\n", app.app_id, permissions.join(", ")));
    }
    for meeting in meetings {
        text.push_str(&format!(
            "\nmeeting           {}\n  join page       {url}/emulator/meetings/{}/join\n  meeting id      {}, passcode {}\n  join URL        {}\n",
            meeting.subject,
            meeting.id.as_str(),
            meeting.join_meeting_id,
            meeting.passcode.as_deref().unwrap_or("none"),
            meeting.join_url
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_apps_are_read_with_colons_in_the_secret() {
        let seed = SeedApp::parse("id:se:cr:et:calls.joingroupcall.all,Calls.AccessMedia.All").expect("valid");
        assert_eq!((seed.id.as_str(), seed.secret.as_str()), ("id", "se:cr:et"));
        assert_eq!(seed.permissions, ["Calls.JoinGroupCall.All", "Calls.AccessMedia.All"]);
        assert_eq!(SeedApp::parse("id:secret:").expect("valid").permissions, Vec::<String>::new());
    }

    #[test]
    fn broken_seed_apps_say_what_to_write() {
        for wrong in ["", "id", "id:secret", ":secret:Calls.AccessMedia.All", "id::"] {
            assert!(SeedApp::parse(wrong).expect_err(wrong).contains("ID:SECRET:"), "{wrong}");
        }
        assert!(SeedApp::parse("id:s:Calls.Fly.All").expect_err("unknown").contains("antiphon permissions"));
    }

    #[tokio::test]
    async fn start_text_names_every_address_and_the_seeded_things() {
        let folder = tempfile::tempdir().expect("folder");
        let ca_file = folder.path().join("ca.pem");
        let emulator = Emulator::start(EmulatorConfig { ca_file: Some(ca_file.clone()), ..EmulatorConfig::default() })
            .await
            .expect("emulator");
        let seed = SeedApp::parse("2d2f1a4e-0000-4000-8000-000000000001:s:Calls.AccessMedia.All").expect("seed");
        let apps = [register(&emulator, &seed).expect("registered")];
        let meetings = [emulator.create_meeting(NewMeeting::default()).expect("meeting")];
        let text = as_text(&emulator, &ca_file, &apps, &meetings);
        let facts = as_json(&emulator, &ca_file, &apps, &meetings);
        for member in ["graphUrl", "openIdUrl", "media", "caFile", "tenantId"] {
            let value = facts[member].as_str().expect(member);
            assert!(text.contains(value), "{member}: {value}\n{text}");
        }
        assert!(text.contains("2d2f1a4e") && text.contains(&meetings[0].join_meeting_id), "{text}");
        assert!(ca_file.exists());
        emulator.stop().await;
    }
}
